"""How many parts a tool has left: an interval with its basis, or none where the data support none.

Three bases, the best that is there speaks: flank wear that was typed in (carrying a typed value forward beats every sensor model on one
public set: knowledge of detection, 2.5), the wear of earlier tools in this position, the slope of the work's rise.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect import wear_curve
from agent.detect.clock import Clock, Life, Measure
from agent.detect.wear_curve import DUE, Curve, Trace

Array = NDArray[np.float64]

FEWEST_MEASURES = 2
"""Typed measures at different times below which nothing is known of a tool's rate."""
FEWEST_PARTS = 3
"""Parts below which it is not known how long one takes."""
LEVEL = 0.8
"""Chance that the interval of typed measures claims: from the 10 % to the 90 % quantile."""
HASTE = 2.0
"""How much faster than ever before on this tool the wear may go on."""
WORN = ("worn", "")
"""Reasons of a change that say how long an edge lasts."""
OUTLIVED = 0.02
"""Share of earlier tools' like below which a tool that has outlived the rest is not told how long it will go on."""
FARTHEST = 5.0
"""An upper end beyond so many times what the tool has cut at its last measure is none: the interval is not bounded."""
EXPONENTS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
"""Of the growth b + a t^p: from wear that slows down to the steep end of Taylor's third zone; all equally likely before a measure."""
START = (0.15, 0.1)
"""Run-in wear b before any measure: mean and standard deviation, as shares of the limit."""
GROWTH = (0.4, 0.4)
"""Growth a up to the last measure, in the same way."""
READING = 0.04
"""Standard deviation of a typed measure as a share of the limit: 0.012 mm of 0.3 mm, a hand microscope read to 0.01 mm."""
WANDER = 0.15
"""Standard deviation of the wear's own random walk about the law over the time up to the last measure, as a share of the limit."""


class Left(msgspec.Struct, frozen=True):
    """Parts left.

    Attributes
    ----------
    low, high: whole parts, 0 or more.
    basis: measures (typed flank wear), lives (of earlier tools here), trend (slope of the work).
    n: how many measures, lives or cuts it rests on.
    level: chance that it claims, 0 to 1.
    """

    low: int
    high: int
    basis: Literal["measures", "lives", "trend"]
    n: int
    level: float


class Rise(msgspec.Struct, frozen=True):
    """Of the signal of a tool that is nearest to its limit: log ratio now, its limit, bounds of the slope a cut (95 %), cuts."""

    level: float
    limit: float
    slope: tuple[float, float]
    cuts: int
    cuts_a_part: float


class Due(msgspec.Struct, frozen=True):
    """A change is due.

    Attributes
    ----------
    chance: that the limit is reached by the end of the next part, 0 to 1; at which it is said.
    basis, n: typed measures of this tool, or earlier tools here; how many.
    """

    chance: float
    at: float
    basis: Literal["measures", "lives"]
    n: int


def left(clock: Clock, limit: float, rise: Rise | None = None, curve: Curve | None = None) -> Left | None:
    """Parts that this tool has left; None where nothing supports a figure.

    Parameters
    ----------
    clock: of its position.
    limit: flank wear at which the shop changes it, mm.
    rise: of its signals, None where their slope is not known.
    curve: of the earlier tools here (`learned`).
    """
    return by_measures(clock, limit) or by_lives(clock, limit, curve) or by_trend(rise)


def by_measures(clock: Clock, limit: float) -> Left | None:
    """From typed flank wear: cutting time until the limit, in parts of this tool's mean cutting time.

    Only for a tool that was new when the counting began, or whose measures themselves span its growth: the law begins at its change.
    """
    if not clock.whole or clock.parts < FEWEST_PARTS:
        return None
    ends = crossing(tuple(clock.measures), limit, good=clock.good.seconds if clock.good is not None else 0.0)
    if ends is None:
        return None
    a_part = clock.seconds / clock.parts
    low, high = (max(end - clock.seconds, 0.0) / a_part for end in ends)
    return Left(math.floor(low), math.ceil(high), "measures", len(clock.measures), LEVEL)


def learned(lives: Sequence[Life], limit: float) -> Curve | None:
    """The curve of the earlier tools in a position; None where none of them says how it wore.

    Each by its typed measures, and by its end: who changed a worn tool, or gave no reason, found it at the limit, unless the flank wear
    was measured then. One that was changed by plan, or broke, says nothing by its end.
    """
    return wear_curve.fit([_trace(life, limit) for life in lives], limit)


def _trace(life: Life, limit: float) -> Trace:
    points = [(one.seconds, one.vb, dict(one.levels)) for one in life.measures]
    if life.reason in WORN and not (points and points[-1][0] >= life.seconds):
        points.append((life.seconds, limit, life.levels))
    names = sorted({name for _, _, levels in points for name in levels})
    return Trace(
        np.array([seconds for seconds, _, _ in points]),
        np.array([vb for _, vb, _ in points]),
        {name: np.array([levels.get(name, math.nan) for _, _, levels in points]) for name in names},
    )


def by_lives(clock: Clock, limit: float, curve: Curve | None) -> Left | None:
    """From the wear of earlier tools: 10 % to 90 % of such tools, of those that are not at the limit yet.

    That this one is not is taken from its still standing there: nobody has changed it. From one earlier tool on, then with the spread
    between tools that is assumed (`wear_curve.SCATTER`).
    """
    if curve is None or not clock.whole or clock.parts < FEWEST_PARTS:
        return None
    correction, side = _says(curve, clock), 0.5 * (1.0 - LEVEL)
    gone = curve.chance(clock.seconds, limit, correction)
    if gone > 1.0 - OUTLIVED:
        return None
    ends = (curve.reached(gone + share * (1.0 - gone), limit, correction) for share in (side, 1.0 - side))
    low, high = (max(end - clock.seconds, 0.0) * clock.parts / clock.seconds for end in ends)
    return Left(math.floor(low), math.ceil(high), "lives", curve.n, LEVEL)


def due(clock: Clock, limit: float, curve: Curve | None) -> Due | None:
    """Whether a change is due: the limit may be reached by the end of the next part.

    Where two flank wears were typed, from the near end of their interval on (`crossing`): they say more of this tool than others do.
    Else by what earlier tools lasted, from a chance of `DUE` on; 'still good', and a typed wear below the limit, say that it was not
    reached then: only what comes after counts.
    """
    if not clock.whole or clock.parts < FEWEST_PARTS:
        return None
    following = clock.seconds * (1.0 + 1.0 / clock.parts)
    good = clock.good.seconds if clock.good is not None else 0.0
    if len({one.seconds for one in clock.measures}) >= FEWEST_MEASURES:
        ends = crossing(tuple(clock.measures), limit, good=good)
        near = 0.5 * (1.0 - LEVEL)
        return Due(near, near, "measures", len(clock.measures)) if ends is not None and ends[0] <= following else None
    if curve is None:
        return None
    looked = [one.seconds for one in (clock.good, clock.measured) if one is not None and one.vb < limit]
    correction = _says(curve, clock)
    before = curve.chance(max(looked), limit, correction) if looked else 0.0
    then = curve.chance(following, limit, correction)
    chance = (then - before) / max(1.0 - before, 1e-9)
    return Due(chance, DUE, "lives", curve.n) if chance >= DUE else None


def _says(curve: Curve, clock: Clock) -> float:
    """What the signals of this tool add to its log wear now."""
    return float(curve.corrections(np.array([clock.seconds]), {name: np.array([level]) for name, level in clock.now().items()})[0])


def by_trend(rise: Rise | None) -> Left | None:
    """From the slope of a signal: cuts until its limit, only where even the flattest slope that the data allow reaches it."""
    if rise is None or rise.slope[0] <= 0.0 or rise.cuts_a_part <= 0.0 or rise.level >= rise.limit:
        return None
    near, far = ((rise.limit - rise.level) / slope for slope in (rise.slope[1], rise.slope[0]))
    if far > FARTHEST * rise.cuts:
        return None
    return Left(math.floor(near / rise.cuts_a_part), math.ceil(far / rise.cuts_a_part), "trend", rise.cuts, 0.95)


@functools.lru_cache(maxsize=64)
def crossing(measures: tuple[Measure, ...], limit: float, good: float = 0.0) -> tuple[float, float] | None:
    """Cutting time (s since new) between which the wear reaches `limit`, 10 % and 90 %; None where it is not bounded.

    `good`: s of cutting at which it was certainly not reached yet.
    """
    law = _Law(measures, limit)
    if law.times < FEWEST_MEASURES:
        return None
    t = np.linspace(0.0, FARTHEST, 1001)[1:] * law.scale
    reached = np.maximum.accumulate(law.above(t))
    before = float(np.interp(good, t, reached)) if good > 0.0 else 0.0
    reached = np.clip((reached - before) / max(1.0 - before, 1e-9), 0.0, 1.0)
    side = 0.5 * (1.0 - LEVEL)
    if reached[-1] < 1.0 - side:
        return None
    low, high = (float(t[int(np.searchsorted(reached, share))]) for share in (side, 1.0 - side))
    return max(min(low, _steepest(measures, limit)), good), max(high, good)


def _steepest(measures: Sequence[Measure], limit: float) -> float:
    """Cutting time at which the limit is reached if the wear goes on at once twice as fast as it ever did on this tool.

    Wear that has slowed down after the run-in ends in a third, rapid zone (ISO 8688-2, annex on wear curves) of which the measures before
    it say nothing: the law alone came too late on tools that were turned to their end (Vicomtech: 9 of 11 intervals; `HASTE` was chosen
    with sight of that).
    """
    points = [(0.0, 0.0), *((one.seconds, one.vb) for one in measures)]
    rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(points) if b[0] > a[0]]
    now, wear = points[-1]
    fastest = max(rates, default=0.0)
    return now + max(limit - wear, 0.0) / (HASTE * fastest) if fastest > 0.0 else math.inf


def carried(measures: Sequence[Measure], limit: float, seconds: float) -> float | None:
    """Expected flank wear (mm) at a later cutting time, by the tool's own measures; the last one at least. None without a measure."""
    if not measures:
        return None
    law = _Law(measures, limit)
    if law.times < FEWEST_MEASURES:
        return measures[-1].vb
    return max(measures[-1].vb, float(law.expected(np.array([seconds]))[0]))


class _Law:
    """Wear = b + a (t / T)^p + a random walk, seen with an error; T is the time of the last measure.

    Gaussian for each p (O'Hagan 1978, J. R. Stat. Soc. B 40, 1: regression with a correlated error), mixed over p by how well each
    explains what was measured.
    """

    def __init__(self, measures: Sequence[Measure], limit: float) -> None:
        used = [one for one in measures if one.seconds > 0.0 and limit > 0.0]
        self.limit = limit
        self.times = len({one.seconds for one in used})
        self.scale = max((one.seconds for one in used), default=1.0)
        self._t = np.array([one.seconds for one in used]) / self.scale
        y = np.array([one.vb for one in used]) / max(limit, 1e-9)
        self._fits: list[tuple[float, Array, Array]] = []
        """Exponent, inverse covariance of the measures, weighted residuals"""
        likelihoods = []
        for p in EXPONENTS:
            covariance = self._covariance(p, self._t, self._t) + READING**2 * np.eye(len(y))
            residual = y - self._mean(p, self._t)
            inverse: Array = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
            likelihoods.append(-0.5 * float(residual @ inverse @ residual) - 0.5 * float(np.linalg.slogdet(covariance)[1]))
            self._fits.append((p, inverse, inverse @ residual))
        likelihood = np.exp(np.array(likelihoods) - max(likelihoods))
        self._weights = likelihood / likelihood.sum()

    def expected(self, seconds: Array) -> Array:
        """Mean wear at these times, in the unit of the limit."""
        mean = sum(w * self._at(fit, seconds / self.scale)[0] for w, fit in zip(self._weights, self._fits, strict=True))
        out: Array = np.asarray(mean) * self.limit
        return out

    def above(self, seconds: Array) -> Array:
        """Chance that the wear is at the limit or beyond at these times."""
        total = np.zeros(len(seconds))
        for weight, fit in zip(self._weights, self._fits, strict=True):
            mean, sd = self._at(fit, seconds / self.scale)
            total += weight * np.array([0.5 * math.erfc(z) for z in ((1.0 - mean) / (sd * math.sqrt(2.0))).tolist()])
        return total

    def _at(self, fit: tuple[float, Array, Array], t: Array) -> tuple[Array, Array]:
        p, inverse, weighted = fit
        cross = self._covariance(p, t, self._t)
        mean = self._mean(p, t) + cross @ weighted
        own = START[1] ** 2 + GROWTH[1] ** 2 * t ** (2.0 * p) + WANDER**2 * t
        variance = own - np.einsum("ij,jk,ik->i", cross, inverse, cross)
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def _mean(self, p: float, t: Array) -> Array:
        return START[0] + GROWTH[0] * t**p

    def _covariance(self, p: float, t: Array, u: Array) -> Array:
        powers: Array = np.outer(t**p, u**p)
        out: Array = START[1] ** 2 + GROWTH[1] ** 2 * powers + WANDER**2 * np.minimum.outer(t, u)
        return out
