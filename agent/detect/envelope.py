"""A growing cut against the band of good cuts at the same place: below it for a while, the tool or its edge is gone.

Position by position as the tool-monitoring systems of the trade do it (undercut limit with a delay, field.md 1.1), for cuts whose load
falls and rises by itself, where a fall alone says nothing. The band of an operation (`Baseline`, median and 1.4826 MAD at each position) is
widened to what the budget asks; besides, at least half of the usual load above idle must be gone, so that a small change is left to wear
and drift, and it must stay away. The side above: `above`.
"""

from __future__ import annotations

import math

import numpy as np

from agent.detect.baseline import Baseline
from agent.detect.budget import prediction_factor
from agent.detect.finding import about
from agent.model import Cut, Finding
from drivers.model import Floats

BAND = 3.0
"""Robust standard deviations of the band's half-width."""
LOOKS, LASTS = 3, 0.15
"""Looks in a row, 0.1 s each at the least, and share of the usual length, for which it must stay outside: at another feed, which not every
control tells, the steps of a cut come earlier or later by that much."""
GONE = 0.5
"""Share of the load above idle at this place by which it must fall short."""
CONTRAST = 5.0
"""Usual load above idle at this place, in standard deviations of the noise, below which it says nothing."""
FEWEST = 10
"""Curves that the band must be made of."""
NEVER = 0.3
"""Share of the work that good cuts have done by now, below which the load has never come: a missing tool, not one that broke."""
AROUND = 0.2
"""s by which a cut may be early or late: of the band within this the lowest value counts."""
ROUNDING = 1e-6
"""Places by which a moment may be put off by rounding."""
NOWHERE = np.zeros(0)


class Envelope:
    """Counts the looks of the cuts that are open.

    Parameters
    ----------
    p: chance that one evaluation may be a false alarm.
    """

    def __init__(self, p: float) -> None:
        self._p = p
        self._low: dict[str, tuple[int, float]] = {}
        self._usual: dict[str, tuple[tuple[float, ...], Floats]] = {}

    def look(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """One look at a growing cut; a closed one is forgotten."""
        limits = self._limits(cut, baseline, noise) if cut.phase == "grown" and not cut.held else None
        if limits is None or not cut.features.level < limits[0]:
            self._low.pop(cut.id, None)
            return None
        low, usual = limits
        n, since = self._low.get(cut.id, (0, cut.time))
        self._low[cut.id] = n + 1, since
        seconds = cut.time - since
        if n + 1 < LOOKS or seconds < LASTS * baseline.expected_duration:
            return None
        idle, level = cut.features.idle, cut.features.level
        score = 1.0 - max(level, 0.0) / usual
        done = max(cut.features.work, 0.0) / max(_expected(cut, baseline), 1e-9)
        if done < NEVER:
            return about(
                cut.operation,
                cut.time,
                "missing",
                done,
                NEVER,
                {
                    "work_pct": 100.0 * done,
                    "below_s": seconds,
                    "n_baseline": baseline.banded,
                    "absent": False,
                    "expected_s": baseline.expected_duration,
                    "part": cut.part,
                },
                cut=cut.id,
            )
        return about(
            cut.operation,
            cut.time,
            "breakage",
            score,
            1.0 - low / usual,
            {
                "band": True,
                "fall_pct": 100.0 * score,
                "below_s": seconds,
                "at_s": cut.time - cut.opened,
                "load_before": usual + idle,
                "load_after": level + idle,
                "n_baseline": baseline.banded,
                "part": cut.part,
            },
            cut=cut.id,
        )

    def usual(self, baseline: Baseline) -> Floats:
        """(places,) what `places` says of the band of an operation, worked out once a band; empty: nothing is judged."""
        if baseline.banded < FEWEST or baseline.grid <= 0.0:
            return NOWHERE
        band, usual = self._usual.get(baseline.key, (None, NOWHERE))
        if band is not baseline.low:
            usual = places(baseline.low, baseline.high, baseline.grid)
            self._usual[baseline.key] = baseline.low, usual
        return usual

    def untold(self, cut: str) -> None:
        """Looks at this cut at which its load was not low."""
        self._low.pop(cut, None)

    def _limits(self, cut: Cut, baseline: Baseline, noise: float) -> tuple[float, float] | None:
        """Lower limit and usual load above idle at this place of the cut; None where nothing may be said."""
        if baseline.banded < FEWEST or baseline.grid <= 0.0:
            return None
        factor = prediction_factor(baseline.banded, baseline.banded - 1, self._p)
        now = cut.time - cut.opened
        first, last = round((now - AROUND) / baseline.grid), round((now + AROUND) / baseline.grid) + 1
        if not math.isfinite(factor) or first < 0 or last > len(baseline.low):
            return None
        lows, highs = np.array(baseline.low[first:last]), np.array(baseline.high[first:last])
        middle = 0.5 * (lows + highs) - cut.features.idle
        usual = float(np.min(middle))
        if usual < CONTRAST * noise:
            return None
        return min(float(np.min(middle - 0.5 * (highs - lows) * factor / BAND)), GONE * usual), usual


def places(low: tuple[float, ...], high: tuple[float, ...], grid: float) -> Floats:
    """Load, unit of the load, of which a growing cut must have less than `GONE` above idle to be low, at each place of `grid` s.

    `_limits` takes the least of the band's middle within `AROUND`: of all moments that fall into a place, the largest of these. -inf where
    it says nothing at any of them.
    """
    middle = 0.5 * (np.array(low) + np.array(high))
    n, around = len(middle), AROUND / grid
    # All windows of moments within place k reach from k + start, or before, to k + stop, or beyond.
    start, stop = math.floor(1.5 - around + ROUNDING), math.ceil(around - 0.5 - ROUNDING)
    out = np.full(n, -math.inf)
    first, last = max(-start, 0), n - stop
    if first >= last:
        return out
    least = out[first:last]
    if start > stop:
        some = np.arange(first, last)
        least[:] = np.maximum(middle[np.minimum(some + start, n - 1)], middle[some + stop])
        return out
    least[:] = middle[first + start : last + start]
    for k in range(start + 1, stop + 1):
        np.minimum(least, middle[first + k : last + k], out=least)
    return out


def _expected(cut: Cut, baseline: Baseline) -> float:
    """Work above idle that good cuts have done by now, unit of the load times s."""
    n = round((cut.time - cut.opened) / baseline.grid)
    middle = 0.5 * (np.array(baseline.low[:n]) + np.array(baseline.high[:n])) - cut.features.idle
    return float(np.sum(np.maximum(middle, 0.0))) * baseline.grid
