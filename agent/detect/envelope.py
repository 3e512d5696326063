"""A growing cut against the band of good cuts at the same place: below it for a while, the tool or its edge is gone; above it for a while,
it meets what no good cut met: a hard spot, a wrong blank, a stuck chip.

Position by position as the tool-monitoring systems of the trade do it (undercut limit with a delay, field.md 1.1), for cuts whose load
falls and rises by itself, where a fall alone says nothing. The band of an operation (`Baseline`, median and 1.4826 MAD at each position) is
widened to what the budget asks; besides, at least half of the usual load above idle must be gone, so that a small change is left to wear
and drift, and it must stay away. Above, it must be half more than the usual load near this place: `overload` has one limit for the whole
cut, which its lighter stretches never reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
MORE = 0.5
"""Share of the usual load by which it must lie above it: as much as `overload.FLOOR`, far from what wear and a harder lot do."""
SHIFT = 0.1
"""Share of the usual length by which the steps of a cut may come earlier or later, at another feed or from another blank: of the band
within this, and `AROUND`, the highest value counts."""
MOST = 400
"""Bands whose side above is kept ready."""
TOLD = 0.9
"""Of the lowest limit above: idle differs a little from cut to cut, and a look that is not told cannot be judged."""


@dataclass(frozen=True, slots=True)
class _Above:
    """Side above of one band: at each point the highest load of good cuts nearby and the band's widened edge, idle included."""

    low: tuple[float, ...]
    """Of the band it was made of"""
    usual: Floats
    edge: Floats
    told: float
    """Load above idle up to which no place is too high"""


class Envelope:
    """Counts the looks of the cuts that are open.

    Parameters
    ----------
    p: chance that one evaluation may be a false alarm.
    """

    def __init__(self, p: float) -> None:
        self._p = p
        self._low: dict[str, tuple[int, float]] = {}
        self._high: dict[str, tuple[int, float]] = {}
        self._above: dict[str, _Above] = {}

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

    def high(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """The same look, for the side above."""
        above = self._side(baseline) if not cut.held else None
        f = cut.features
        n = round((cut.time - cut.opened) / baseline.grid) if above is not None else 0
        if above is None or not 0 <= n < len(above.usual):
            self._high.pop(cut.id, None)
            return None
        usual = float(above.usual[n]) - f.idle
        limit = max(float(above.edge[n]) - f.idle, (1.0 + MORE) * usual, usual + CONTRAST * noise)
        if not f.level > limit:
            self._high.pop(cut.id, None)
            return None
        looks, since = self._high.get(cut.id, (0, cut.time))
        self._high[cut.id] = looks + 1, since
        seconds = cut.time - since
        if looks + 1 < LOOKS or seconds < LASTS * baseline.expected_duration:
            return None
        return about(
            cut.operation,
            cut.time,
            "overload",
            f.level,
            limit,
            {
                "band": True,
                "over_pct": 100.0 * (f.level / usual - 1.0) if usual > 0.0 else math.nan,
                "above_s": seconds,
                "at_s": cut.time - cut.opened,
                "peak": f.level + f.idle,
                "limit": limit + f.idle,
                "n_baseline": baseline.banded,
                "part": cut.part,
            },
            severity="warning",
            cut=cut.id,
        )

    def highest(self, baseline: Baseline) -> float:
        """Load above idle, unit of the load, up to which no place of the cut is judged as too high; inf where nothing is judged."""
        above = self._side(baseline)
        return math.inf if above is None else above.told

    def untold(self, cut: str) -> None:
        """Looks at this cut at which its load was neither low nor high."""
        self._low.pop(cut, None)
        self._high.pop(cut, None)

    def _side(self, baseline: Baseline) -> _Above | None:
        """Made anew when the band was; None where it is made of too few curves."""
        if baseline.banded < FEWEST or baseline.grid <= 0.0:
            return None
        known = self._above.get(baseline.key)
        if known is not None and known.low is baseline.low:
            return known
        factor = prediction_factor(baseline.banded, baseline.banded - 1, self._p)
        low, high = np.array(baseline.low), np.array(baseline.high)
        middle = 0.5 * (low + high)
        reach = math.ceil(max(AROUND, SHIFT * baseline.expected_duration) / baseline.grid)
        usual, edge = _near(middle, reach), _near(middle + 0.5 * (high - low) * factor / BAND, reach)
        told = TOLD * float(np.min(np.maximum(edge - baseline.idle, (1.0 + MORE) * (usual - baseline.idle))))
        made = _Above(baseline.low, usual, edge, told)
        if len(self._above) >= MOST:
            self._above.clear()
        self._above[baseline.key] = made
        return made

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


def _near(values: Floats, reach: int) -> Floats:
    """At each point the largest value within `reach` points."""
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.max(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1), dtype=np.float64)


def lowest(baseline: Baseline) -> float:
    """Load above idle, unit of the load, from which on no place of the cut is judged as too low; -inf where nothing is judged."""
    if baseline.banded < FEWEST:
        return -math.inf
    return GONE * (0.5 * float(np.max(np.add(baseline.low, baseline.high))) - baseline.idle)


def _expected(cut: Cut, baseline: Baseline) -> float:
    """Work above idle that good cuts have done by now, unit of the load times s."""
    n = round((cut.time - cut.opened) / baseline.grid)
    middle = 0.5 * (np.array(baseline.low[:n]) + np.array(baseline.high[:n])) - cut.features.idle
    return float(np.sum(np.maximum(middle, 0.0))) * baseline.grid
