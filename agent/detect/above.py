"""A growing cut that stays above the band of good cuts at the same place: a hard spot, a wrong blank, a stuck chip.

The other side of `envelope`: the band is widened to what the budget asks, and the load must be at least half more than the usual load near
this place, for as long. `overload` has one limit for the whole cut, which its lighter stretches never reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agent.detect.baseline import Baseline
from agent.detect.budget import prediction_factor
from agent.detect.envelope import AROUND, BAND, CONTRAST, FEWEST, LASTS, LOOKS, NOWHERE
from agent.detect.finding import about
from agent.model import Cut, Finding
from drivers.model import Floats

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
class Side:
    """Of one band: at each of its points the highest load of good cuts nearby and the band's widened edge, idle included.

    Attributes
    ----------
    low: of the band that it was made of.
    told: load above idle up to which no look at this place, or the next or the one before, is too high.
    """

    low: tuple[float, ...]
    usual: Floats
    edge: Floats
    told: Floats


class Above:
    """Counts the looks of the cuts that are open.

    Parameters
    ----------
    p: chance that one evaluation may be a false alarm.
    """

    def __init__(self, p: float) -> None:
        self._p = p
        self._high: dict[str, tuple[int, float]] = {}
        self._sides: dict[str, Side] = {}

    def look(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """One look at a growing cut."""
        side = self._side(baseline) if not cut.held else None
        f = cut.features
        n = round((cut.time - cut.opened) / baseline.grid) if side is not None else 0
        if side is None or not 0 <= n < len(side.usual):
            self.untold(cut.id)
            return None
        usual = float(side.usual[n]) - f.idle
        limit = max(float(side.edge[n]) - f.idle, (1.0 + MORE) * usual, usual + CONTRAST * noise)
        if not f.level > limit:
            self.untold(cut.id)
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

    def highest(self, baseline: Baseline) -> Floats:
        """(places,) load above idle, unit of the load, up to which a look at this place is not too high; empty: nothing is judged."""
        side = self._side(baseline)
        return NOWHERE if side is None else side.told

    def untold(self, cut: str) -> None:
        """Looks at this cut at which its load was not high."""
        self._high.pop(cut, None)

    def _side(self, baseline: Baseline) -> Side | None:
        """Made anew when the band was; None where it is made of too few curves."""
        if baseline.banded < FEWEST or baseline.grid <= 0.0:
            return None
        known = self._sides.get(baseline.key)
        if known is not None and known.low is baseline.low:
            return known
        factor = prediction_factor(baseline.banded, baseline.banded - 1, self._p)
        low, high = np.array(baseline.low), np.array(baseline.high)
        middle = 0.5 * (low + high)
        reach = math.ceil(max(AROUND, SHIFT * baseline.expected_duration) / baseline.grid)
        usual, edge = _near(middle, reach), _near(middle + 0.5 * (high - low) * factor / BAND, reach)
        # A moment is judged by the nearest point, and counted into the place before it.
        told = -_near(-TOLD * np.maximum(edge - baseline.idle, (1.0 + MORE) * (usual - baseline.idle)), 1)
        if len(self._sides) >= MOST:
            self._sides.clear()
        made = self._sides[baseline.key] = Side(baseline.low, usual, edge, told)
        return made


def _near(values: Floats, reach: int) -> Floats:
    """At each point the largest value within `reach` points."""
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.max(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1), dtype=np.float64)
