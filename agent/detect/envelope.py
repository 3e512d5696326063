"""A growing cut against the band of good cuts at the same place: below it for a while, a broken edge; above it, a collision.

Position by position as the tool-monitoring systems of the trade do it (undercut and envelope limits with a delay, field.md 1.1). The band
of an operation (`Baseline`, median and 1.4826 MAD at each position) is widened to what the budget asks; the low side asks besides that at
least half of the usual load above idle is gone, so that a small change is left to wear and drift. Neither side speaks at a single look.
"""

from __future__ import annotations

import math

import numpy as np

from agent.detect.baseline import Baseline
from agent.detect.budget import prediction_factor
from agent.model import Cut, Finding

BAND = 3.0
"""Robust standard deviations of the band's half-width."""
LOOKS, LASTS = 3, 0.15
"""Looks in a row, 0.1 s each at the least, and share of the usual length, for which it must stay outside: at another feed, which not every
control tells, the steps of a cut come earlier or later by that much."""
GONE, MORE = 0.5, 0.5
"""Share of the load above idle at this place by which it must fall short, or exceed it."""
CONTRAST = 5.0
"""Usual load above idle at this place, in standard deviations of the noise, below which it says nothing."""
FEWEST = 10
"""Curves that the band must be made of."""
AROUND = 0.2
"""s by which a cut may be early or late: of the band within this the lowest (highest) value counts."""


class Envelope:
    """Counts the looks of the cuts that are open."""

    def __init__(self, p: float) -> None:
        self._p = p
        self._low: dict[str, tuple[int, float]] = {}
        self._high: dict[str, tuple[int, float]] = {}

    def look(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """One look at a growing cut; a closed one is forgotten."""
        if cut.phase != "grown":
            self._low.pop(cut.id, None)
            self._high.pop(cut.id, None)
            return None
        limits = self._limits(cut, baseline, noise)
        if cut.held or limits is None:
            return None
        low, high, usual = limits
        level = cut.features.level
        lasts = LASTS * baseline.expected_duration
        below = self._count(self._low, cut, lasts, outside=level < low)
        above = self._count(self._high, cut, lasts, outside=level > high)
        if below is not None:
            return _finding(cut, baseline, "breakage", 1.0 - max(level, 0.0) / usual, 1.0 - low / usual, below, usual)
        if above is not None:
            return _finding(cut, baseline, "overload", level, high, above, usual)
        return None

    def _limits(self, cut: Cut, baseline: Baseline, noise: float) -> tuple[float, float, float] | None:
        """Low, high and usual load above idle at this place of the cut; None where nothing may be said."""
        if baseline.banded < FEWEST or baseline.grid <= 0.0:
            return None
        factor = prediction_factor(baseline.banded, baseline.banded - 1, self._p)
        now = cut.time - cut.opened
        first, last = round((now - AROUND) / baseline.grid), round((now + AROUND) / baseline.grid) + 1
        if not math.isfinite(factor) or first < 0 or last > len(baseline.low):
            return None
        lows, highs = np.array(baseline.low[first:last]), np.array(baseline.high[first:last])
        idle = cut.features.idle
        middle = 0.5 * (lows + highs) - idle
        half = 0.5 * (highs - lows) * factor / BAND
        usual = float(np.min(middle))
        if usual < CONTRAST * noise:
            return None
        low = min(float(np.min(middle - half)), GONE * usual)
        high = max(float(np.max(middle + half)), (1.0 + MORE) * float(np.max(middle)))
        return low, high, usual

    @staticmethod
    def _count(counts: dict[str, tuple[int, float]], cut: Cut, lasts: float, *, outside: bool) -> float | None:
        """Seconds outside, once there were enough looks in a row for long enough; None before."""
        if not outside:
            counts.pop(cut.id, None)
            return None
        n, since = counts.get(cut.id, (0, cut.time))
        counts[cut.id] = n + 1, since
        return cut.time - since if n + 1 >= LOOKS and cut.time - since >= lasts else None


def _finding(cut: Cut, baseline: Baseline, kind: str, score: float, threshold: float, seconds: float, usual: float) -> Finding:
    idle = cut.features.idle
    low = kind == "breakage"
    evidence: dict[str, float | int | str | bool | None] = {
        "at_s": cut.time - cut.opened,
        "n_baseline": baseline.banded,
        "part": cut.part,
    }
    if low:
        evidence |= {
            "band": True,
            "below_s": seconds,
            "fall_pct": 100.0 * score,
            "load_before": usual + idle,
            "load_after": cut.features.level + idle,
        }
    else:
        evidence |= {"peak": score + idle, "limit": threshold + idle, "over_pct": 100.0 * (score / usual - 1.0)}
    return Finding(
        time=cut.time,
        kind="breakage" if low else "overload",
        severity="urgent",
        channel="",
        spindle=cut.operation.spindle,
        operation=cut.operation.key,
        tool=cut.operation.tool,
        score=score,
        threshold=threshold,
        evidence=evidence,
        cut=cut.id,
    )
