"""Since when each spindle has turned steadily without a cut: 'air', in which a spindle is compared with itself and with nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from agent.model import Cut
from agent.segment import Frame

DARK = 0.5
"""s between two readings of the load beyond which a cut may have come and gone."""


class _Spindle:
    def __init__(self) -> None:
        self.since = math.inf
        self.speed = math.nan
        self.time = -math.inf
        self.dark = DARK
        self.cut: Cut | None = None


class Air:
    """Follows all spindles.

    Parameters
    ----------
    spindles: their names.
    """

    def __init__(self, spindles: Iterable[str]) -> None:
        self._spindles = {name: _Spindle() for name in spindles}

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Note since when the spindle has turned steadily without a cut; `air`: (n,) at which rows of the frame it did."""
        now = self._spindles[spindle]
        if not len(frame.time):
            return
        now.dark = max(DARK, frame.gap)
        other = ~air
        other[1:] |= frame.time[1:] - frame.time[:-1] > now.dark
        other[0] |= frame.time[0] - now.time > now.dark
        starts = np.flatnonzero(other)
        if len(starts):
            # A run begins at the row after the last that was no air, or at one that came after a gap.
            last = int(starts[-1])
            first = last if air[last] else last + 1
            now.since = float(frame.time[first]) if first < len(frame.time) else math.inf
        elif now.since == math.inf:
            now.since = float(frame.time[0])
        now.time = float(frame.time[-1])
        good = frame.speed[frame.ok]
        if len(good):
            now.speed = float(good[-1])

    def follow(self, spindle: str, cut: Cut) -> None:
        """A cut opened, grew or closed."""
        self._spindles[spindle].cut = None if cut.phase == "closed" else cut

    def since(self, spindle: str) -> float:
        """Time from which on it has turned steadily without a cut; inf: it does not."""
        return self._spindles[spindle].since

    def lasts(self, spindle: str, now: float) -> bool:
        """Whether it does so at `now`, and the load was looked at just before."""
        its = self._spindles[spindle]
        return its.since <= now and now - its.time <= its.dark

    def speed(self, spindle: str) -> float:
        """Latest that was believed, rpm; NaN: none yet, or no speed is read."""
        return self._spindles[spindle].speed

    def cut(self, spindle: str) -> Cut | None:
        """The cut that is open, as it was last told."""
        return self._spindles[spindle].cut
