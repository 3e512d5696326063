"""Load of the feed axes: what each takes in air, and how much more in a cut.

A worn edge pushes back along the feed before it takes more power: feed-axis current told worn from new edges at an area under the curve of
0.94 to 0.95 across tools that were never seen, where spindle power reached 0.61 (Vicomtech turning; knowledge of detection, 2.1).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from agent.load import shown_unit
from agent.model import Cut, Indicator
from agent.segment import Frame, believed
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline

AIR = 256
"""Readings in air of which the median is the idle of an axis: 13 s at 20 Hz. Rapids are fewer than half of them, and standing counts."""
BEFORE = 1.0
"""s before a cut from which on its idle is not taken: longer than the pieces in which rows are looked at, so that batches do not matter."""
FEWEST_AIR = 20
"""Readings in air below which idle is not known."""
FEWEST = 4
"""Readings within a cut below which it has no mean (`agent.detect.watch.FEWEST`)."""
SOUND = 0.8
"""Share of the readings within a cut that must be believed."""
BACK = 10.0
"""s of readings that are kept without an open cut: a cut is known some readings after it began."""
MOST = 1 << 17
"""Readings that are kept of an axis: 100 min of a cut at 20 Hz. A longer cut has no figure."""


class AxisState(msgspec.Struct):
    """Of one channel; survives a restart."""

    air: list[tuple[float, float]]
    """Time and value of the latest readings in air"""


class AxisRows(NamedTuple):
    """Of one axis in released rows: time and value (NaN: not believed) of its readings, and how many of them come before each row."""

    times: list[float]
    values: list[float]
    places: list[int]


class _Axis:
    def __init__(self, name: str, column: int, spindle: str, unit: str) -> None:
        self.name = name
        self.column = column
        self.spindle = spindle
        self.unit = unit
        self.air: deque[tuple[float, float]] = deque(maxlen=2 * AIR)
        self.times: deque[float] = deque(maxlen=MOST)
        self.values: deque[float] = deque(maxlen=MOST)
        """NaN where the reading is not believed."""

    def idle(self, opened: float) -> float | None:
        """Median in air before a cut; None: not known yet."""
        before = sorted(islice((value for time, value in reversed(self.air) if time <= opened - BEFORE), AIR))
        half = len(before) // 2
        if len(before) < FEWEST_AIR:
            return None
        return before[half] if len(before) % 2 else (before[half - 1] + before[half]) / 2.0

    def above_idle(self, opened: float, closed: float) -> float | None:
        """Mean of the readings within a cut above idle; None: too few, or some of its beginning is gone."""
        idle = self.idle(opened)
        if idle is None or (len(self.times) == MOST and self.times[0] > opened):
            return None
        time, value = np.array(self.times), np.array(self.values)
        inside = value[(time >= opened) & (time <= closed)]
        good = inside[np.isfinite(inside)]
        if len(good) < FEWEST or len(good) < SOUND * len(inside):
            return None
        return float(np.mean(good)) - idle


class AxisWatch:
    """Follows all channels of role `axis.load`; each belongs to the spindle that its channel names, else to the first.

    Parameters
    ----------
    settings: whose channels name the axes.
    timeline: which column is which channel.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline) -> None:
        first = settings.spindle[0].name
        self._axes = [
            _Axis(c.name, timeline.index[c.name], c.spindle or first, shown_unit(c, settings.spindle))
            for c in settings.channel
            if c.role == "axis.load"
        ]
        self._heard: dict[str, float] = {}
        """Of each spindle: up to when its frames told cutting from air."""

    def see(self, rows: Rows) -> list[AxisRows]:
        """What `take` needs of released rows, of each axis, worked out for all of them at once."""
        out = []
        for axis in self._axes:
            fresh = rows.fresh[:, axis.column]
            ok = believed(rows.quality[fresh, axis.column])
            values = np.where(ok, rows.values[fresh, axis.column], math.nan)
            out.append(AxisRows(rows.time[fresh].tolist(), values.tolist(), [0, *np.cumsum(fresh).tolist()]))
        return out

    def take(self, seen: Sequence[AxisRows], start: int, stop: int) -> None:
        """Readings of the axes in rows start..stop; before the frames of the same rows. `seen`: what `see` said of the rows."""
        for axis, rows in zip(self._axes, seen, strict=True):
            first, last = rows.places[start], rows.places[stop]
            axis.times.extend(rows.times[first:last])
            axis.values.extend(rows.values[first:last])

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]], opened: float | None) -> None:
        """What the axes took while the spindle turned steadily without a cut.

        `air`: (n,) rows of the frame at which it did. `opened`: of the cut that is open, whose readings are still needed.
        """
        if not len(frame.time):
            return
        since, until = self._heard.get(spindle, -math.inf), float(frame.time[-1])
        self._heard[spindle] = until
        for axis in self._axes:
            if axis.spindle != spindle:
                continue
            if air.any():
                new = [(t, v) for t, v in _latest(axis.times, axis.values, since) if t <= until and v == v]
                at = np.searchsorted(frame.time, [t for t, _ in new], side="right") - 1
                axis.air.extend(reading for reading, row in zip(new, at.tolist(), strict=True) if row >= 0 and air[row])
            keep = min(until - BACK, opened if opened is not None else math.inf)
            while axis.times and axis.times[0] < keep:
                axis.times.popleft()
                axis.values.popleft()

    def of_cut(self, spindle: str, cut: Cut, without: Collection[str] = ()) -> tuple[Cut, list[Indicator]]:
        """A closed cut with the load of each axis above its idle; and the same as indicators, unless the cut is held. `without`: channels
        that are not believed."""
        its = [axis for axis in self._axes if axis.spindle == spindle and axis.name not in without]
        found = {axis: axis.above_idle(cut.opened, cut.time) for axis in its}
        known = {axis: value for axis, value in found.items() if value is not None}
        if not known:
            return cut, []
        features = msgspec.structs.replace(cut.features, axis_load={axis.name: value for axis, value in known.items()})
        indicators = [
            Indicator(
                time=cut.time,
                channel=axis.name,
                operation=cut.operation.key,
                tool=cut.operation.tool,
                name="axis_load",
                value=value,
                unit=axis.unit,
            )
            for axis, value in known.items()
        ]
        return msgspec.structs.replace(cut, features=features), [] if cut.held else indicators

    def saved(self) -> dict[str, AxisState]:
        """What survives a restart."""
        return {axis.name: AxisState(list(axis.air)) for axis in self._axes}

    def restore(self, saved: dict[str, AxisState], anew: Collection[str] = ()) -> None:
        """Take back what `saved` gave, but for the channels in `anew`."""
        for axis in self._axes:
            if axis.name in saved and axis.name not in anew:
                axis.air = deque(saved[axis.name].air, maxlen=2 * AIR)


def _latest(times: deque[float], values: deque[float], since: float) -> Iterator[tuple[float, float]]:
    """Readings younger than `since`, oldest first."""
    n = 0
    for time in reversed(times):
        if time <= since:
            break
        n += 1
    for i in range(len(times) - n, len(times)):
        yield times[i], values[i]
