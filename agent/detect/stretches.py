"""Rows gathered for a few seconds, what the spindles did meanwhile, and the figures of each channel: what `agent.detect.health` judges."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from agent.detect.habits import Habits
from agent.kernels import health as kernel
from agent.model import Cut
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline
from drivers.model import UNCERTAIN, Floats, Marks

BLOCK = 5.0
"""s of rows that are judged at once,"""
CALM = 15.0
"""... and when nothing was in doubt for the latest `WATCHFUL` stretches: what is judged costs time, most of all the look that it needs."""
WATCHFUL = 60
ROLES = frozenset({"spindle.load", "spindle.speed", "spindle.temperature", "axis.load", "vibration", "temperature", "pressure", "level"})
EDGE = 0.5
"""s at both ends of a cut that are not looked at: the tool comes in, or is out already."""
STILL = 1.0
"""s after which a spindle that has stopped counts as standing."""
FIRST = 50
"""Intervals from which the period of a channel is known."""


class Channel:
    """A channel that measures.

    Attributes
    ----------
    configured: s between two readings as the machine file says; 0: it does not.
    on_change: told on change only.
    sisters: numbers of the vibration channels of the same unit and spindle.
    """

    def __init__(self, name: str, role: str, spindle: str, configured: float, *, on_change: bool) -> None:
        self.name = name
        self.role = role
        self.spindle = spindle
        self.configured = configured
        self.on_change = on_change
        self.sisters: list[int] = []
        self.intervals: list[float] = []
        self.habits = Habits([math.nan, math.nan, math.nan, 0.0])


@dataclass(frozen=True, slots=True)
class Stretch:
    """`BLOCK` or `CALM` seconds.

    Attributes
    ----------
    operations: by spindle, what was cut in most of it; ''.
    figures: of each channel, as `agent.kernels.health.measure`; empty where no row came.
    """

    begun: float
    ended: float
    operations: dict[str, str]
    figures: list[list[float]]


def channels(settings: MachineSettings) -> list[Channel]:
    """All that measure, in the order of the machine file."""
    first = settings.spindle[0].name
    every = {source.name: source.every for source in settings.source}
    wanted = [c for c in settings.channel if c.role in ROLES]
    made = [
        Channel(
            c.name,
            c.role,
            c.spindle or first,
            max(c.every or 0.0, every.get(c.source.partition(".")[0], 0.0)),
            on_change=c.hold is not None and math.isinf(c.hold),
        )
        for c in wanted
    ]
    kinds = [(channel.role, c.unit, channel.spindle) for channel, c in zip(made, wanted, strict=True)]
    for i, channel in enumerate(made):
        if channel.role == "vibration":
            channel.sisters = [j for j, kind in enumerate(kinds) if j != i and kind == kinds[i]]
    return made


class Gatherer:
    """Gathers rows and cuts them into stretches, at the same moments and with the same contents however the rows came.

    Parameters
    ----------
    settings: whose spindles they are. timeline: which column is which channel.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline, of: list[Channel]) -> None:
        first = settings.spindle[0].name
        self._channels = of
        self._columns = np.array([timeline.index[channel.name] for channel in of], dtype=np.intp)
        speeds = {c.spindle or first: timeline.index[c.name] for c in reversed(settings.channel) if c.role == "spindle.speed"}
        self._spindles = [_Spindle(spindle.name, speeds.get(spindle.name), spindle.minimum_speed) for spindle in settings.spindle]
        self._of_spindle = np.array([[s.name for s in self._spindles].index(c.spindle) for c in of], dtype=np.int64)
        self._out = np.zeros((len(of), kernel.WIDTH))
        self._rows: list[Rows] = []
        self.due = -math.inf
        """The next stretch ends at the first look from here on"""
        self.begun = self.ended = -math.inf
        """When the latest stretch began and ended"""
        self.doubted = 0
        """Stretches since a channel was last in doubt"""

    def take(self, rows: Rows) -> None:
        """Rows as they are released."""
        self._rows.append(rows)

    def on_cut(self, cut: Cut) -> None:
        """A cut that opens or closes."""
        for spindle in self._spindles:
            if spindle.name == cut.operation.spindle:
                spindle.on_cut(cut)

    def forget_cuts(self, name: str) -> None:
        """The load of this spindle lies: whether it cuts is not known."""
        for spindle in self._spindles:
            if spindle.name == name:
                spindle.cuts.clear()

    def shaken(self, name: str, since: float) -> int:
        """Times that this spindle has started or stopped, and a cut of it began or ended."""
        return sum(sum(map(since.__lt__, spindle.shakes)) for spindle in self._spindles if spindle.name == name)

    def look(self, now: float) -> Stretch | None:
        """At one moment, all rows before it were taken: a stretch, if one ends here."""
        if now < self.due:
            return None
        self.begun, self.ended = self.ended, now
        length = BLOCK if self.doubted < WATCHFUL else CALM
        self.due = math.floor(now / length) * length + length
        rows, self._rows = self._rows, []
        operations, figures = self._measure(rows) if rows else ({}, [])
        return Stretch(self.begun, now, operations, figures)

    def _measure(self, rows: list[Rows]) -> tuple[dict[str, str], list[list[float]]]:
        """By spindle the operation that was cut most, and the figures of each channel."""
        time = np.concatenate([r.time for r in rows])
        all_values, all_quality = np.concatenate([r.values for r in rows]), np.concatenate([r.quality for r in rows])
        values, quality = np.ascontiguousarray(all_values[:, self._columns]), np.ascontiguousarray(all_quality[:, self._columns])
        fresh = np.ascontiguousarray(np.concatenate([r.fresh for r in rows])[:, self._columns])
        mode = np.empty((len(time), len(self._spindles)), dtype=np.int8)
        operations: dict[str, str] = {}
        for s, spindle in enumerate(self._spindles):
            mode[:, s], operations[spindle.name] = spindle.does(time, all_values, all_quality)
        for channel, column in zip(self._channels, fresh.T, strict=True):
            if channel.habits.period != channel.habits.period and not channel.on_change:
                _learn_period(channel, time[column])
        period = np.array([math.nan if c.on_change else c.configured or c.habits.period for c in self._channels])
        carry = np.array([c.habits.carry for c in self._channels]).reshape(-1, kernel.CARRY)
        kernel.measure(time, values, quality, fresh, mode, self._of_spindle, period, carry, self._out)
        for channel, row in zip(self._channels, carry.tolist(), strict=True):
            channel.habits.carry = row
        return operations, self._out.tolist()


class _Spindle:
    """What one spindle does, row by row."""

    def __init__(self, name: str, speed: int | None, standing: float) -> None:
        self.name = name
        self.cuts: list[_Cut] = []
        self.shakes: deque[float] = deque(maxlen=128)
        self._speed = speed
        self._standing = standing
        self._mode = kernel.OTHER
        self._since = -math.inf

    def on_cut(self, cut: Cut) -> None:
        if cut.phase == "opened":
            self.cuts.append(_Cut(cut.id, cut.operation.key, cut.opened))
            self.shakes.append(cut.opened)
        elif cut.phase == "closed":
            for mine in self.cuts:
                if mine.id == cut.id:
                    mine.closed = cut.time
                    self.shakes.append(cut.time)

    def does(self, time: Floats, values: Floats, quality: Marks) -> tuple[np.ndarray[tuple[int], np.dtype[np.int8]], str]:
        """(n,) mode of each row, and the operation that was cut in most of them; other cuts, and the ends of all, count as turning."""
        mode = self._turning(time, values, quality)
        if not self.cuts:
            return mode, ""
        inside = [
            (cut.operation, np.flatnonzero((time >= cut.opened + EDGE) & (time <= cut.closed - EDGE) & (mode != kernel.STANDING)))
            for cut in self.cuts
        ]
        rows: dict[str, int] = {}
        for operation, at in inside:
            rows[operation] = rows.get(operation, 0) + len(at)
        most = max(rows, key=lambda operation: rows[operation], default="")
        for operation, at in inside:
            if operation == most:
                mode[at] = kernel.CUTTING
        self.cuts = [cut for cut in self.cuts if cut.closed > time[-1]]
        return mode, most if rows.get(most) else ""

    def _turning(self, time: Floats, values: Floats, quality: Marks) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
        """Whether it stands or turns; just after it stopped, neither."""
        if self._speed is None:
            return np.full(len(time), kernel.OTHER, dtype=np.int8)
        speed = values[:, self._speed]
        if self._steady(time, speed, quality[:, self._speed]):
            return np.full(len(time), self._mode, dtype=np.int8)
        turns = np.where(np.abs(speed) >= self._standing, kernel.TURNING, kernel.STANDING)
        mode = np.where((quality[:, self._speed] <= UNCERTAIN) & (speed == speed), turns, kernel.OTHER).astype(np.int8)
        change = np.concatenate([[mode[0] != self._mode], mode[1:] != mode[:-1]])
        at = np.maximum.accumulate(np.where(change, np.arange(len(time)), -1))
        since = np.where(at >= 0, time[np.maximum(at, 0)], self._since)
        self.shakes.extend(time[change].tolist())
        self._mode, self._since = int(mode[-1]), float(since[-1])
        mode[(mode == kernel.STANDING) & (time - since < STILL)] = kernel.OTHER
        return mode

    def _steady(self, time: Floats, speed: Floats, quality: Marks) -> bool:
        """Whether it does in all rows what it has done for a while: nearly always."""
        if self._mode == kernel.OTHER or float(time[0]) - self._since < STILL or int(quality.max()) > UNCERTAIN:
            return False
        low, high = float(speed.min()), float(speed.max())
        turns = low >= self._standing or high <= -self._standing
        return turns if self._mode == kernel.TURNING else max(-low, high) < self._standing


@dataclass(slots=True)
class _Cut:
    id: str
    operation: str
    opened: float
    closed: float = math.inf


def _learn_period(channel: Channel, time: Floats) -> None:
    """Median of the first intervals; none if they are not alike: such a channel is told when it changes."""
    channel.intervals.extend(np.diff(time).tolist())
    if len(channel.intervals) < FIRST:
        return
    middle = float(np.median(channel.intervals))
    alike = sum(abs(interval - middle) <= 0.5 * middle for interval in channel.intervals)
    if alike >= 0.9 * len(channel.intervals) and middle > 0.0:
        channel.habits.period = middle
    channel.intervals.clear()
