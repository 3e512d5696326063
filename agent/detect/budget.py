"""From the shop's false-alarm budget to thresholds.

One false alarm a month for the whole machine is shared by everything that is evaluated in that month: 20 tools x 5 detectors x 4,000
parts are 400,000 evaluations (DESIGN.md, decision 5), so one evaluation may be wrong with probability 2.5e-6. A limit from n good cuts is
a prediction limit for the next one: mean + t(1 - p, n - 1) s sqrt(1 + 1/n), exact for Gaussian logarithms (Hahn & Meeker, Statistical
Intervals, 1991, section 4.8). With few cuts it is very wide: that is the price of 5 good parts, and it is shown.
"""

from __future__ import annotations

import functools
import math

import msgspec

TOOLS, DETECTORS, PARTS_AN_HOUR = 20, 5, 25
"""Detectors: missing, breakage, overload, wear, drift; spindle vibration is judged far more rarely."""
EVALUATIONS_PER_HOUR = float(TOOLS * DETECTORS * PARTS_AN_HOUR)
"""2,500: assumed until the machine's own rate is known to be higher (DESIGN.md, decision 5: 4,000 parts in a month of 160 h)."""
ENOUGH = 200
"""Cuts after which the machine's own pace counts."""
STANDSTILL = 600.0
"""s between two cuts from which on the time is no automatic running: a stop, a shift's end."""
STEP = 1.1
"""The pace counts in steps of this ratio, upwards: limits must not move with every cut."""

WIDEN = 1.75
"""Good cuts of a production lathe have their p99.9 at 5.8 robust sigma where a Gaussian has 3.3 (detection.md 2.8, n = 4550): the Gaussian
limit is widened by that ratio."""


class Pace(msgspec.Struct):
    """How often the machine gives its detectors something to judge: what the budget of an hour is shared by."""

    cuts: int = 0
    hours: float = 0.0
    """of automatic running: between cuts that follow each other within `STANDSTILL`"""
    last: float | None = None

    def cut(self, time: float) -> None:
        """One cut has closed at `time`, s."""
        if self.last is not None and 0.0 <= time - self.last <= STANDSTILL:
            self.hours += (time - self.last) / 3600.0
            self.cuts += 1
        self.last = time if self.last is None else max(self.last, time)

    def evaluations_per_hour(self) -> float:
        """As learned, in steps; the assumed rate before `ENOUGH` cuts, and where the machine is slower."""
        if self.cuts < ENOUGH or self.hours <= 0.0:
            return EVALUATIONS_PER_HOUR
        own = self.cuts / self.hours * DETECTORS
        if own <= EVALUATIONS_PER_HOUR:
            return EVALUATIONS_PER_HOUR
        return float(EVALUATIONS_PER_HOUR * STEP ** math.ceil(math.log(own / EVALUATIONS_PER_HOUR) / math.log(STEP)))


def probability(alarms_per_hour: float, evaluations_per_hour: float = EVALUATIONS_PER_HOUR) -> float:
    """Chance that one evaluation may be a false alarm."""
    return min(max(alarms_per_hour / max(evaluations_per_hour, EVALUATIONS_PER_HOUR), 1e-9), 0.01)


@functools.lru_cache(maxsize=512)
def tail_factor(dof: int, p: float) -> float:
    """How many standard deviations, known with `dof` degrees of freedom, are passed with probability p; inf below 2."""
    return WIDEN * t_quantile(p, dof) if dof >= 2 else math.inf


def prediction_factor(n: int, dof: int, p: float) -> float:
    """How many standard deviations the next cut may lie off the mean of n good cuts, on one side; inf below 3 cuts."""
    return tail_factor(dof, p) * math.sqrt(1.0 + 1.0 / n) if n >= 3 else math.inf


@functools.lru_cache(maxsize=512)
def poisson_bounds(count: int, outside: float = 0.05) -> tuple[float, float]:
    """Exact bounds of the mean of a Poisson count: each side is missed with a chance of at most `outside` / 2 (F. Garwood, Biometrika 28
    (1936) 437-442)."""
    half = 0.5 * outside
    return (_mean_at(count - 1, 1.0 - half) if count else 0.0), _mean_at(count, half)


def _mean_at(count: int, wanted: float) -> float:
    """The mean with which at most `count` come with chance `wanted`, by bisection."""
    low, high = 0.0, count + 20.0 + 10.0 * math.sqrt(count + 1.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _at_most(count, middle) > wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _at_most(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson mean."""
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1.0) for k in range(count + 1)]
    return math.fsum(math.exp(one) for one in logs)


def t_tail(t: float, nu: int) -> float:
    """P(T > t) of Student's t by the regularised incomplete beta function (Abramowitz & Stegun 26.7.1, 26.5.8)."""
    x = nu / (nu + t * t)
    return 0.5 * _beta(x, 0.5 * nu, 0.5)


def t_quantile(p: float, nu: int) -> float:
    """T with P(T > t) = p, by bisection."""
    low, high = 0.0, 2.0
    while t_tail(high, nu) > p:
        high *= 2.0
        if high > 1e12:
            return high
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            # Neighbours: nothing moves any more.
            break
        if t_tail(middle, nu) > p:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function by Lentz's continued fraction."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta(1.0 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    total = d
    for m in range(1, 300):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            total *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return front * total
