"""The course of the load while one tool is in the spindle: how much of its usual work a visit did, all its cuts together.

A missing tool takes all the work of its visit with it. That can be told of the whole visit even where single cuts cannot be named, are
read too rarely, or come and go: what stands far above idle anywhere in the visit is summed up. Idle is taken from the same visits: the air
before, between and after the cuts, at the same speed. A visit that has no air at a speed says nothing of what it does there.

A visit is laid on cells of turning time. Of each cell the mean load is kept, where the spindle turned steadily: the current that speeds a
spindle up or brakes it is there with and without a tool, and it moves before the speed that is reported (0.65 s on data/hahn_lathe).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect.baseline import SPREAD_FLOOR
from agent.detect.budget import prediction_factor
from agent.detect.missing import HIGHEST, LOWEST
from drivers.model import Floats

CELL, CELLS = 0.1, 200
"""s of a cell, at the least (the short mean of the segmenter is 0.2 s); cells at the most: doubled until a visit fits."""
KEPT = 16
"""Visits that are remembered."""
STANDING = 30.0
"""rpm below which a spindle does not turn (as in the table of idle)."""
BACK, BEFORE, AFTER = 0.11, 0.3, 0.7
"""s over which a change of speed is looked for, and around one within which the load is not believed (`agent.kernels.segment`: LOOK_BACK,
SETTLE and its smoothing, LEARN_DELAY)."""
UNSTEADY, SLOW_UNSTEADY, SLOW_MOST = 0.03, 0.08, 0.3
"""Relative change of speed that is one; the same a second, where readings come further apart, and the most (as there)."""
HALF = 0.5
"""Of the readings of a cell that must be steady."""
OFTEN = 0.75
"""Of the visits in which a cell must be known."""
SAME_SPEED = math.log(1.05)
"""Width of a group of speeds with one idle (as the bins of the table of idle)."""
LOW, HIGH = 0.15, 0.9
"""Quantiles of a group that stand for its lowest and its highest load ..."""
AIR = 0.35
"""... up to this share of the way between them is air, above it cut: with the edges of its cuts a visit's work is the same wherever between
two readings they begin."""
FEWEST_AIR = 3
"""Cells of air from which idle is known."""
EDGE, RISE = 0.5, 0.5
"""s, or two cells, within which the load must rise somewhere by this share of the level: a tool enters at once, an idle that warms up or
settles does not."""
ROBUST = 1.4826
"""Median deviation to standard deviation, for Gaussian values."""
STANDS = 0.10
"""Contrast below which no visit is promised: idle at one speed in one part wanders by up to 3 %, three times that."""
FAR, THIRD = 5.8, 1.0 / 3.0
"""As `agent.detect.monitorability`: p99.9 of good ones in robust standard deviations, and the most it may be."""
RARE = 2.33
"""Standard deviations of the noise of idle: of 100 visits without a tool, 99 lie below."""
JUDGED = 8
"""Visits after which it is known how well they repeat."""
READINGS = 8.0
"""In the cuts of a visit."""
KNOWN = 0.7
"""Of the cells with work that must be known for a visit to be judged."""
ALIKE, SLACK = 0.02, 2.0
"""Share, and cells, by which a visit's turning time may differ from the usual: programs keep theirs within 1 to 2 % (detection.md 2.8)."""


class Course(msgspec.Struct):
    """Of one visit of a tool, the n-th of a part."""

    cell: float
    """s"""
    seconds: list[float]
    """Of turning in the latest visits, newest last"""
    loads: list[bytes]
    """float32: mean load in each cell; NaN: not known"""
    speeds: bytes
    """float32: rpm in each cell"""
    count: float = 0.0
    """Readings a cell"""
    sure: int = 0
    """Latest visits, one behind the other, after which the tool would have been told to be missing"""
    told: int = 0
    """... in which it was told"""
    odd: int = 0
    """... that took another time, or did less than is normal"""
    used: float = 0.0
    """Time of the latest visit"""


@dataclass(frozen=True)
class Pattern:
    """What visits look like.

    Attributes
    ----------
    loads: (visits, cells) of those that are remembered, unit of the load; middle: (cells,) of them. idle: (cells,) load in air.
    level: (cells,) usual load above it where it cuts, else 0. above: (cells,) how far idle may lie above `idle` (one standard deviation).
    noise: (cells,) standard deviation of a cell in air from visit to visit. shares: of the remembered visits, see `share`.
    """

    loads: Floats
    middle: Floats
    idle: Floats
    level: Floats
    above: Floats
    noise: Floats
    shares: Floats

    @property
    def contrast(self) -> float:
        """(mean - idle) / mean of the cells that cut."""
        mean = float(self.middle[self.level > 0.0].sum())
        return float(self.level.sum()) / mean if mean > 0.0 else 0.0

    @property
    def left(self) -> float:
        """Share of the usual work that a visit without a tool may seem to do (99 %): idle may be higher than thought, and is noisy."""
        cut = self.level > 0.0
        total = float(self.level.sum())
        return (float(self.above[cut].sum()) + RARE * float(np.sqrt((self.noise[cut] ** 2).sum()))) / total if total > 0.0 else math.inf


@dataclass(frozen=True)
class Laid:
    """A visit on cells of turning time. seconds: for which it turned. cell: s. loads, speeds: (cells,) unit of the load, rpm; NaN where it
    was not steady. count: readings a cell."""

    seconds: float
    cell: float
    loads: Floats
    speeds: Floats
    count: float


@dataclass(frozen=True)
class Standing:
    """What can be said of a visit. limit: share of the usual work below which its tool counts as missing; 0: nothing is promised, for
    `reason` (key under [reason])."""

    limit: float
    reason: str
    contrast: float
    deviation: float | None
    """P99.9 by which good ones differ"""


def laid_out(time: Floats, load: Floats, speed: Floats, like: Course | None) -> Laid:
    """Rows of a visit on cells of turning time.

    Parameters
    ----------
    time, load, speed: (n,) two rows or more that may be believed: s, unit of the load, rpm (NaN: no speed channel).
    like: visits that it is to be held against; None: there are none, and the cells are the smallest that fit.
    """
    period = max(float(np.median(np.diff(time))), 1e-6)
    turning = ~(np.abs(speed) < STANDING)
    elapsed = np.cumsum(np.where(turning, np.diff(time, prepend=time[0]), 0.0))
    seconds = float(elapsed[-1])
    if like is not None:
        cell, cells = like.cell, len(like.speeds) // 4
    else:
        cell = max(CELL, period)
        while seconds / cell > CELLS:
            cell *= 2.0
        cells = int(seconds / cell) + 1
    at = (elapsed / cell + 1e-6).astype(np.intp)
    inside = turning & (at < cells)
    steady = inside & _steady(time, speed, period)
    every = np.bincount(at[inside], minlength=cells)
    count = np.bincount(at[steady], minlength=cells)
    safe = np.where((count > 0) & (count >= HALF * every), count, np.nan)
    loads = np.bincount(at[steady], load[steady], minlength=cells) / safe
    speeds = np.bincount(at[steady], np.where(np.isfinite(speed[steady]), np.abs(speed[steady]), 0.0), minlength=cells) / safe
    return Laid(seconds, cell, loads, speeds, cell / period)


def _steady(time: Floats, speed: Floats, period: float) -> NDArray[np.bool_]:
    """Rows around which the speed does not change."""
    v = np.abs(speed)
    if not np.isfinite(v).any():
        return np.ones(len(v), dtype=bool)
    before = np.maximum(np.minimum(np.searchsorted(time, time - BACK, side="right") - 1, np.arange(len(v)) - 1), 0)
    allowed = np.maximum(UNSTEADY, np.minimum(SLOW_UNSTEADY * (time - time[before]), SLOW_MOST))
    changed = time[np.abs(v - v[before]) > allowed * np.maximum(np.maximum(v, v[before]), 100.0)]
    first = np.searchsorted(changed, time - BEFORE, side="left")
    last = np.searchsorted(changed, time + max(AFTER, period * 1.01), side="right")
    steady: NDArray[np.bool_] = first == last
    return steady


def begun(laid: Laid) -> Course:
    """Of the first visit."""
    return Course(laid.cell, [laid.seconds], [_bytes(laid.loads)], _bytes(laid.speeds), laid.count)


def keep(course: Course, laid: Laid) -> None:
    """Learn from a good visit."""
    course.seconds = [*course.seconds, laid.seconds][-KEPT:]
    course.loads = [*course.loads, _bytes(laid.loads)][-KEPT:]
    course.speeds = _bytes(laid.speeds)


def usual(course: Course) -> float:
    """Turning time of a visit, s."""
    return float(np.median(course.seconds))


def alike(course: Course, laid: Laid) -> bool:
    """Whether a visit turned for as long as the others."""
    return abs(laid.seconds - usual(course)) <= ALIKE * usual(course) + SLACK * course.cell


def pattern(course: Course) -> Pattern:
    """Of the visits that are remembered."""
    loads = np.array([np.frombuffer(one, np.float32) for one in course.loads], dtype=np.float64)
    speeds = np.frombuffer(course.speeds, np.float32).astype(np.float64)
    known = np.isfinite(loads).mean(axis=0) >= OFTEN
    middle = _middle(loads)
    idle, level, above, noise = (np.full(len(middle), np.nan), *np.zeros((3, len(middle))))
    scatter = ROBUST * _middle(np.abs(loads - middle))
    group = np.where(np.isfinite(speeds), np.round(np.log(np.maximum(speeds, 1.0)) / SAME_SPEED), -1.0)
    for speed in np.unique(group[known]):
        here = known & (group == speed)
        # Cells of the neighbouring groups stand by: a speed on the border of two is one speed.
        near = known & (np.abs(group - speed) <= 1.0)
        low, high = np.quantile(middle[near], (LOW, HIGH))
        calm = near & (middle <= low + AIR * (high - low))
        air = middle[calm]
        if len(air) < FEWEST_AIR:
            continue
        cut = here & (middle > low + AIR * (high - low))
        idle[here] = np.median(air)
        level[cut] = middle[cut] - idle[cut]
        above[cut] = np.quantile(air, 0.84) - idle[cut]
        noise[cut] = np.median(scatter[calm])
    total = float(level.sum())
    if total <= 0.0 or _rise(middle - idle, max(round(EDGE / course.cell), 2)) < RISE * float(np.median(level[level > 0.0])):
        level = np.zeros(len(middle))
    return Pattern(loads, middle, idle, level, above, noise, _shares(loads, idle, level))


def within(found: Pattern, first: int, last: int) -> Pattern:
    """The same of the cells from `first` to before `last` only."""
    level = np.zeros(len(found.level))
    level[first:last] = found.level[first:last]
    return dataclasses.replace(found, level=level, shares=_shares(found.loads, found.idle, level))


def share(found: Pattern, course: Course, laid: Laid) -> float:
    """Of the usual work, that a visit did; NaN: too little of it is known. One that turned for longer or shorter is shifted against the
    others by up to the difference, and what fits it best counts."""
    most = round((laid.seconds - usual(course)) / course.cell)
    shifts = range(min(most, 0) - 1, max(most, 0) + 2)
    tried = [share_of(found, laid.loads, by) for by in shifts]
    finite = [one for one in tried if math.isfinite(one)]
    return max(finite) if finite else math.nan


def share_of(found: Pattern, loads: Floats, by: int = 0) -> float:
    """Of the usual work, that these cells did if they come `by` cells late; NaN: too little of it is known."""
    return _share(_shifted(loads, by), found.idle, found.level)


def standing(course: Course, found: Pattern, p: float, highest: float = HIGHEST) -> Standing:
    """What can be promised of a visit, or of a part of it. `p`: chance that one evaluation may be a false alarm. `highest`: limit."""
    n = len(found.shares)
    strayed = deviation(found.shares) if n >= JUDGED else math.nan
    known = strayed if math.isfinite(strayed) else None
    reason = ""
    factor = prediction_factor(n, n - 1, p) if n >= JUDGED else math.inf
    limit = min(max(1.0 - factor * _repeats(found.shares), LOWEST), highest) if math.isfinite(factor) else LOWEST
    if found.contrast < STANDS or found.left > limit:
        reason = "low_contrast"
    elif course.count * float((found.level > 0.0).sum()) < READINGS:
        reason = "rate_too_low"
    elif n < JUDGED:
        reason = "too_few_cuts"
    elif strayed > THIRD:
        reason = "too_noisy"
    return Standing(0.0 if reason else limit, reason, found.contrast, known)


def deviation(shares: Floats) -> float:
    """P99.9 by which the work of good visits differs, as a share: from neighbouring ones, so that wear is none of it, and at least the
    farthest but one of those remembered from the five around it (as `agent.detect.monitorability.deviation`)."""
    around = np.array([np.median(shares[max(0, i - 2) : i + 3]) for i in range(len(shares))])
    return max(FAR * _repeats(shares), float(np.sort(np.abs(shares - around))[-2]))


def _repeats(shares: Floats) -> float:
    """Robust standard deviation from one visit to the next: the second difference of independent values has a variance of 6 (1 + 4 + 1)."""
    second = np.diff(shares, 2)
    return max(ROBUST * float(np.median(np.abs(second - np.median(second)))) / math.sqrt(6.0), SPREAD_FLOOR)


def _shares(loads: Floats, idle: Floats, level: Floats) -> Floats:
    shares: Floats = np.array([_share(one, idle, level) for one in loads])
    known: Floats = shares[np.isfinite(shares)]
    return known


def _share(loads: Floats, idle: Floats, level: Floats) -> float:
    cuts = level > 0.0
    good = cuts & np.isfinite(loads)
    if not cuts.any() or good.sum() < KNOWN * cuts.sum():
        return math.nan
    return float((loads[good] - idle[good]).sum() / level[good].sum())


def _rise(middle: Floats, cells: int) -> float:
    """Largest rise within so many cells."""
    rises = [middle[by:] - middle[:-by] for by in range(1, min(cells, len(middle) - 1) + 1)]
    return max((float(np.nanmax(one)) for one in rises if np.isfinite(one).any()), default=0.0)


def _shifted(loads: Floats, by: int) -> Floats:
    """Cell k of what comes out is cell k + by."""
    out = np.full(len(loads), np.nan)
    if by >= 0:
        out[: len(loads) - by] = loads[by:]
    else:
        out[-by:] = loads[:by]
    return out


def _middle(loads: Floats) -> Floats:
    """Median of each column without its NaN; NaN where there is nothing else."""
    ordered = np.sort(loads, axis=0)
    count = np.isfinite(loads).sum(axis=0)
    column = np.arange(loads.shape[1])
    middle: Floats = 0.5 * (ordered[np.maximum(count - 1, 0) // 2, column] + ordered[np.maximum(count, 1) // 2, column])
    return np.where(count > 0, middle, np.nan)


def _bytes(values: Floats) -> bytes:
    return values.astype(np.float32).tobytes()
