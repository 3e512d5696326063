"""Rows for the time in which a load that is told on change holds: what is not said anew goes on, and is counted as long as it does.

An MTConnect agent or an OPC UA subscription hands out a value when it changes. A cut of constant load is then two readings, whatever it
lasts; without rows in between its work would be nothing. Filled in are rows at the distance at which the source usually speaks, so that a
count of readings stays what it means: how often somebody looked.
"""

from __future__ import annotations

import math

import numpy as np

from agent.settings import MachineSettings
from agent.timeline import MICROSECONDS, Rows, Timeline
from drivers.model import UNCERTAIN, Floats, Marks

BLOCK = 64
"""Rows over which the usual distance is taken."""
SHARE = 0.2
"""Of the distances of a block are shorter than the usual one: rows at which nothing changed are missing, so that most are longer."""
FEWEST = 16
"""Distances that make an estimate."""
NEVER, LONGEST = 0.2, 10.0
"""s between filled rows, at the least and the most."""
FIRST = 1.0
"""s as long as nothing is known: what MTConnect agents are usually polled at."""
MOST = 600
"""Rows that are filled in at one place: a spindle that turns for longer without a word is not cutting, or nobody listens."""


class Fill:
    """Follows the rows of a machine; does nothing where no spindle's load is on change (`hold = inf`).

    Parameters
    ----------
    settings: whose channels name loads and speeds.
    timeline: which column is which channel.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline) -> None:
        first = settings.spindle[0].name
        standing = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        speeds = {c.spindle or first: timeline.index[c.name] for c in reversed(settings.channel) if c.role == "spindle.speed"}
        self._spindles = [
            (timeline.index[c.name], speeds.get(c.spindle or first), standing.get(c.spindle or first, 0.0))
            for c in settings.channel
            if c.role == "spindle.load" and c.hold is not None and math.isinf(c.hold)
        ]
        self.step = FIRST
        self._gaps: list[float] = []
        self._count = 0
        self._before: tuple[float, Floats, Marks] | None = None

    def rows(self, rows: Rows) -> Rows:
        """The same with what was filled in; a filled row is fresh in no channel and comes before the row that ended it."""
        if not self._spindles or not len(rows.time):
            return rows
        time = np.concatenate([[self._before[0] if self._before else float(rows.time[0])], rows.time])
        values = np.vstack([self._before[1] if self._before else rows.values[0], rows.values])
        quality = np.vstack([self._before[2] if self._before else rows.quality[0], rows.quality])
        self._before = (float(rows.time[-1]), rows.values[-1].copy(), rows.quality[-1].copy())
        gaps = time[1:] - time[:-1]
        steps = self._steps(gaps)
        turns = self._turns(values[:-1], quality[:-1])
        counts = np.where(turns, np.clip(np.floor(gaps / steps - 0.5), 0, MOST), 0).astype(np.intp)
        if not counts.any():
            return rows
        sizes = counts + 1
        ends = np.cumsum(sizes)
        own = np.zeros(int(ends[-1]), dtype=bool)
        own[ends - 1] = True
        row = np.repeat(np.arange(len(counts)), sizes)
        nth = np.arange(len(row)) - (ends - sizes)[row] + 1
        source = np.where(own, row + 1, row)
        times = np.where(own, time[source], np.round(time[row] + nth * steps[row], MICROSECONDS))
        fresh = rows.fresh[row] & own[:, None]
        return Rows(times, values[source], quality[source], fresh)

    def _steps(self, gaps: Floats) -> Floats:
        """For each row, s between rows filled in before it; follows the source."""
        out = np.empty(len(gaps))
        at = 0
        while at < len(gaps):
            stop = min(at + BLOCK - self._count, len(gaps))
            out[at:stop] = self.step
            self._gaps += [gap for gap in gaps[at:stop].tolist() if NEVER <= gap <= 3.0 * LONGEST]
            self._count += stop - at
            if self._count == BLOCK:
                if len(self._gaps) >= FEWEST:
                    self.step = min(float(np.quantile(self._gaps, SHARE)), LONGEST)
                self._gaps, self._count = [], 0
            at = stop
        return out

    def _turns(self, values: Floats, quality: Marks) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Rows after which some spindle whose load is believed may cut: it turns, or has no speed."""
        out = np.zeros(len(values), dtype=bool)
        for load, speed, standing in self._spindles:
            here = quality[:, load] <= UNCERTAIN
            if speed is not None:
                here &= (quality[:, speed] <= UNCERTAIN) & (np.abs(values[:, speed]) >= standing)
            out |= here
        return out
