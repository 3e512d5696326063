"""Load of the feed axes: what each takes in air, and how much more in a cut.

A worn edge pushes back along the feed before it takes more power: feed-axis current told worn from new edges at an area under the curve of
0.94 to 0.95 across tools that were never seen, where spindle power reached 0.61 (Vicomtech turning; knowledge of detection, 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from agent.load import shown_unit
from agent.model import Cut, Indicator
from agent.segment import Frame, believed
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline
from drivers.model import Floats

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
    """Of one axis in released rows: (2, m) time and value (NaN: not believed) of its readings, and how many come before each row."""

    readings: Floats
    places: list[int]


class _Trail:
    """The latest readings, in order of time; at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._data = np.empty((2, 1024))
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def times(self) -> Floats:
        """(n,) ascending, s."""
        return self._data[0, self._first : self._end]

    @property
    def readings(self) -> Floats:
        """(2, n) both."""
        return self._data[:, self._first : self._end]

    @property
    def values(self) -> Floats:
        """(n,) NaN where the reading is not believed."""
        return self._data[1, self._first : self._end]

    def extend(self, readings: Floats) -> None:
        """(2, m) younger ones."""
        new, n = readings.shape[1], len(self)
        if self._end + new > self._data.shape[1]:
            data = np.empty((2, max(1024, 2 * (n + new))))
            data[:, :n] = self._data[:, self._first : self._end]
            self._data, self._first, self._end = data, 0, n
        self._data[:, self._end : self._end + new] = readings
        self._end += new
        self._first = max(self._first, self._end - self._most)

    def forget(self, before: float) -> None:
        """Readings older than this."""
        self._first += int(self.times.searchsorted(before, side="left"))


class _Axis:
    def __init__(self, name: str, column: int, spindle: str, unit: str) -> None:
        self.name = name
        self.column = column
        self.spindle = spindle
        self.unit = unit
        self.air = _Trail(2 * AIR)
        self.read = _Trail(MOST)

    def idle(self, opened: float) -> float | None:
        """Median in air before a cut; None: not known yet."""
        known = int(self.air.times.searchsorted(opened - BEFORE, side="right"))
        before = np.sort(self.air.values[max(known - AIR, 0) : known]).tolist()
        half = len(before) // 2
        if len(before) < FEWEST_AIR:
            return None
        return float(before[half] if len(before) % 2 else (before[half - 1] + before[half]) / 2.0)

    def above_idle(self, opened: float, closed: float) -> float | None:
        """Mean of the readings within a cut above idle; None: too few, or some of its beginning is gone."""
        idle = self.idle(opened)
        time = self.read.times
        if idle is None or (len(time) == MOST and time[0] > opened):
            return None
        inside = self.read.values[time.searchsorted(opened, side="left") : time.searchsorted(closed, side="right")]
        good = inside[np.isfinite(inside)]
        if len(good) < FEWEST or len(good) < SOUND * len(inside):
            return None
        return float(np.mean(good)) - idle

    def listen(self, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]], since: float, *, before: bool) -> None:
        """What it took in air between `since` and the end of a frame; `before`: whether the row at `since` was one in air."""
        times = self.read.times
        first, last = times.searchsorted((since, frame.time[-1]), side="right").tolist()
        new, values = times[first:last], self.read.values[first:last]
        row = frame.time.searchsorted(new, side="right") - 1
        kept = (values == values) & np.where(row >= 0, air[row], before)
        self.air.extend(self.read.readings[:, first:last][:, kept])


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
        self._heard: dict[str, tuple[float, bool]] = {}
        """Of each spindle: up to when its frames told cutting from air, and whether it was in air then."""

    def see(self, rows: Rows) -> list[AxisRows]:
        """What `take` needs of released rows, of each axis, worked out for all of them at once."""
        out = []
        for axis in self._axes:
            fresh = rows.fresh[:, axis.column]
            ok = believed(rows.quality[fresh, axis.column])
            values = np.where(ok, rows.values[fresh, axis.column], math.nan)
            out.append(AxisRows(np.stack([rows.time[fresh], values]), [0, *np.cumsum(fresh).tolist()]))
        return out

    def take(self, seen: Sequence[AxisRows], start: int, stop: int) -> None:
        """Readings of the axes in rows start..stop; before the frames of the same rows. `seen`: what `see` said of the rows."""
        for axis, rows in zip(self._axes, seen, strict=True):
            first, last = rows.places[start], rows.places[stop]
            axis.read.extend(rows.readings[:, first:last])

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]], opened: float | None) -> None:
        """What the axes took while the spindle turned steadily without a cut.

        `air`: (n,) rows of the frame at which it did. `opened`: of the cut that is open, whose readings are still needed.
        """
        if not len(frame.time):
            return
        since, before = self._heard.get(spindle, (-math.inf, False))
        until = float(frame.time[-1])
        self._heard[spindle] = until, bool(air[-1])
        for axis in self._axes:
            if axis.spindle != spindle:
                continue
            if before or air.any():
                axis.listen(frame, air, since, before=before)
            axis.read.forget(min(until - BACK, opened if opened is not None else math.inf))

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
        return {axis.name: AxisState(list(zip(axis.air.times.tolist(), axis.air.values.tolist(), strict=True))) for axis in self._axes}

    def restore(self, saved: dict[str, AxisState], anew: Collection[str] = ()) -> None:
        """Take back what `saved` gave, but for the channels in `anew`."""
        for axis in self._axes:
            if axis.name in saved and axis.name not in anew:
                axis.air = _Trail(2 * AIR)
                if air := saved[axis.name].air:
                    axis.air.extend(np.array(air).T)
