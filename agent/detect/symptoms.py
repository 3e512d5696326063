"""What a stretch of rows says of one channel: rules, one a reason. Each is asked only where it can be judged; None: it cannot.

No rule compares a channel with a number of the shop's: only with itself when it was well, with its sister, or with what no healthy sensor
shows. The limits that are not from the budget are said beside each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from agent.detect.habits import Habits, Usual
from agent.kernels import health as kernel

Figures = Sequence[float]
"""Row of `agent.kernels.health.measure`."""

FEWEST = 16
"""Readings from which a spread or a noise is told."""
KNOWN = 20
"""Stretches from which a habit is known: 100 s."""
BAD_SHARE = 0.05
"""Share of readings that are no numbers; a wire that fails a check sum loses the reading instead."""
MISSING_SHARE = 0.4
"""Share of the time without the readings that were due; one reading in three is missed on lines that work well enough to find the cuts."""
SLOW_SHARE = 0.5
"""Share of the readings that come late: the device is slow, not the line broken."""
HUNDREDTH = math.log(100.0)
"""Without any history a sensor is dead that moves a hundredth of its sister (40 dB). Axes of one spindle differ by their direction by far
less; NUAA W6 vib1, dead from the first row, moves 1/750."""
THIRD = math.log(3.0)
"""With a history: it moves less than a third of what it should, and the limit of the budget is passed too."""
HALF = math.log(2.0)
"""... and less than half of the least that was seen."""
TENFOLD = math.log(10.0)
"""Noise while the spindle stands, over its own."""
WORKS = math.log(0.8)
"""A load at least 0.8 times its usual mean says that the tool cuts, as ever."""
RESOLVED = 64.0
"""Steps between smallest and largest reading from which on one end cannot be met again and again by chance."""
VISITS = 5
"""Times that one end is met."""
OVERHANG = 3.0
"""... for each reading just inside of it: a healthy signal thins out towards its ends, a clipped one piles up there."""


class Verdict(NamedTuple):
    """Whether a rule spoke, and how far its figure is from its limit."""

    hit: bool
    score: float
    threshold: float
    sister: str = ""


class Moving(NamedTuple):
    """A channel while its spindle cuts."""

    name: str
    figures: Figures
    habits: Habits

    @property
    def spread(self) -> float:
        """Log of its standard deviation, not below a quarter of its resolution."""
        return log(self.figures[kernel.SPREAD], self.habits.step)

    @property
    def moves(self) -> bool:
        """It was read often enough, and moved by more than its own resolution can feign."""
        f = self.figures
        return f[kernel.N] >= FEWEST and f[kernel.CHANGES] >= FEWEST / 2 and f[kernel.SPREAD] > 4.0 * f[kernel.STEP]


def log(value: float, step: float) -> float:
    """Natural log of a spread or a noise; below a quarter of the resolution it is not known."""
    return math.log(max(value, step / 4.0, 1e-12))


def no_numbers(f: Figures) -> Verdict | None:
    """Some of the readings are no numbers. All of them: the signal is lost, which `agent.detect.sensor` tells."""
    if f[kernel.FRESH] < FEWEST or f[kernel.BAD] == f[kernel.FRESH]:
        return None
    share = f[kernel.BAD] / f[kernel.FRESH]
    return Verdict(share > BAD_SHARE, share, BAD_SHARE)


def gaps(f: Figures, usual: Usual) -> Verdict | None:
    """Readings are missing, more than ever."""
    if f[kernel.SPAN] <= 2.5 or f[kernel.LONG] > SLOW_SHARE * f[kernel.FRESH]:
        return None
    share = f[kernel.MISSING] / f[kernel.SPAN]
    limit = max(MISSING_SHARE, 2.0 * usual.mean) if usual.n >= KNOWN else MISSING_SHARE
    return Verdict(share > limit, share, limit)


def slow(f: Figures, configured: float) -> Verdict | None:
    """Most readings come later than the machine file says."""
    if not configured > 0.0 or f[kernel.SPAN] <= 2.5 or f[kernel.FRESH] < 2.0:
        return None
    return Verdict(f[kernel.LONG] > SLOW_SHARE * f[kernel.FRESH], f[kernel.SPAN] / f[kernel.FRESH], kernel.GAP * configured)


def noisy(f: Figures, habits: Habits, p: float) -> Verdict | None:
    """Noise while the spindle stands, many times its own."""
    if f[kernel.NOISE_N] < FEWEST or habits.noise.n < KNOWN:
        return None
    value = log(f[kernel.NOISE], habits.step)
    if value <= habits.noise.high + HALF:
        return Verdict(False, math.exp(value), math.exp(habits.noise.high + HALF))
    limit = habits.noise.highest(p, TENFOLD, HALF)
    return Verdict(value > limit, math.exp(value), math.exp(limit))


def saturated(f: Figures) -> Verdict | None:
    """A quick signal that meets one and the same end again and again, and hardly the values just inside."""
    n = f[kernel.N]
    if n < 4 * FEWEST or f[kernel.CHANGES] < 0.5 * n or f[kernel.RANGE] < RESOLVED * f[kernel.STEP]:
        return None
    share = f[kernel.TOP] / n
    return Verdict(f[kernel.TOP] >= VISITS and share >= 0.01 and f[kernel.TOP] > OVERHANG * f[kernel.BELOW], share, 0.01)


def dead(own: Moving, sisters: Sequence[Moving], operation: str, works: bool | None, p: float) -> Verdict | None:
    """It hardly moves in a cut, while its sister does as ever, or the load says that the tool works as ever.

    `works`: whether the load says so; None: it does not say.
    """
    if own.figures[kernel.N] < FEWEST:
        return None
    s = own.spread
    mine = own.habits.spread.get(operation)
    known = mine is not None and mine.n >= KNOWN
    verdict: Verdict | None = None
    for sister in sisters:
        if not sister.moves:
            continue
        ratio = s - sister.spread
        usual = own.habits.against.get(sister.name)
        if usual is None or usual.n < KNOWN:
            limit = -HUNDREDTH
            hit = ratio < limit
        else:
            limit = usual.lowest(p, THIRD, HALF)
            # Of two that part, the dead one is the one that sank.
            hit = ratio < limit and (mine is None or not known or s < mine.low - HALF)
        verdict = Verdict(hit, math.exp(s), math.exp(limit + sister.spread), sister.name)
        if hit:
            return verdict
    if known and mine is not None and works is not None:
        limit = mine.lowest(p, THIRD, HALF)
        verdict = Verdict(works and s < limit, math.exp(s), math.exp(limit))
    return verdict


def loud(own: Moving, sisters: Sequence[Moving], operation: str, p: float) -> Verdict | None:
    """It moves far more in a cut than ever, and its sister does not."""
    mine = own.habits.spread.get(operation)
    if own.figures[kernel.N] < FEWEST or mine is None or mine.n < KNOWN:
        return None
    verdict: Verdict | None = None
    for sister in sisters:
        usual = own.habits.against.get(sister.name)
        if usual is None or usual.n < KNOWN or not sister.moves:
            continue
        limit = usual.highest(p, THIRD, HALF)
        verdict = Verdict(
            own.spread - sister.spread > limit and own.spread > mine.high + HALF, math.exp(own.spread), math.exp(mine.high + HALF)
        )
        if verdict.hit:
            return verdict
    return verdict


def works(load: Moving, operation: str) -> bool | None:
    """Whether the load says that the tool cuts as ever; None: it does not say."""
    usual = load.habits.level.get(operation)
    if usual is None or usual.n < KNOWN or load.figures[kernel.N] < FEWEST:
        return None
    mean = load.figures[kernel.MEAN]
    return mean > 0.0 and math.log(mean) > usual.mean + WORKS
