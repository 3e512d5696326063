"""Rows gathered for a few seconds, what the spindles did meanwhile, and the figures of each channel: what `agent.detect.health` judges."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from agent.detect.habits import Habits
from agent.kernels import health as kernel
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline
from drivers.model import UNCERTAIN, Floats

BLOCK = 5.0
"""s of rows that are judged at once."""
ROLES = frozenset({"spindle.load", "spindle.speed", "spindle.temperature", "axis.load", "vibration", "temperature", "pressure", "level"})
FIRST = 50
"""Intervals from which the period of a channel is known."""

Held = Callable[[str, float], tuple[float, float, int]]
"""Value, time and quality of a channel at some moment."""


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
    """`BLOCK` seconds.

    Attributes
    ----------
    operation: what was cut in most of it; ''.
    figures: of each channel, as `agent.kernels.health.measure`; empty where no row came.
    """

    begun: float
    ended: float
    operation: str
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
    """Gathers rows and cuts them into stretches, at the same moments however the rows came.

    Parameters
    ----------
    settings: whose spindles they are. timeline: which column is which channel.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline, of: list[Channel]) -> None:
        first = settings.spindle[0].name
        self._channels = of
        self._columns = np.array([timeline.index[channel.name] for channel in of], dtype=np.intp)
        self._spindles = [spindle.name for spindle in settings.spindle]
        self._standing = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        self._speed = {c.spindle or first: c.name for c in reversed(settings.channel) if c.role == "spindle.speed"}
        self._of_spindle = np.array([self._spindles.index(channel.spindle) for channel in of], dtype=np.int64)
        self._out = np.zeros((len(of), kernel.WIDTH))
        self._rows: list[Rows] = []
        self._windows: list[tuple[float, list[int], str]] = []
        self._before: tuple[list[int], str] = ([kernel.OTHER] * len(self._spindles), "")
        self._due = -math.inf
        self.ended = -math.inf
        """When the latest stretch ended"""
        self.shakes: deque[float] = deque(maxlen=256)
        """When the spindle started or stopped, a cut or another operation began or ended"""

    def take(self, rows: Rows) -> None:
        """Rows as they are released."""
        self._rows.append(rows)

    def look(self, now: float, held: Held, cutting: Mapping[str, bool], operation: str) -> Stretch | None:
        """At one moment, all rows before it were taken: a stretch, if one ends here.

        Parameters
        ----------
        cutting: by spindle, whether a cut is open. operation: what the control says it makes.
        """
        modes = [self._mode(name, now, held, cutting) for name in self._spindles]
        before, self._before = self._before, (modes, operation)
        if before != self._before:
            self.shakes.append(now)
            # What happened between two looks that do not agree is not known.
            modes = [mode if mode == was else kernel.OTHER for mode, was in zip(modes, before[0], strict=True)]
            if before[1] != operation:
                modes = [kernel.OTHER if mode == kernel.CUTTING else mode for mode in modes]
        self._windows.append((now, modes, operation))
        if now < self._due:
            return None
        begun, self.ended = self.ended, now
        self._due = math.floor(now / BLOCK) * BLOCK + BLOCK
        rows, windows, self._rows, self._windows = self._rows, self._windows, [], []
        operation, figures = self._measure(rows, windows) if rows else ("", [])
        return Stretch(begun, now, operation, figures)

    def _mode(self, spindle: str, now: float, held: Held, cutting: Mapping[str, bool]) -> int:
        if cutting.get(spindle):
            return kernel.CUTTING
        speed = self._speed.get(spindle)
        if speed is None:
            return kernel.OTHER
        value, _, quality = held(speed, now)
        if quality > UNCERTAIN or value != value:
            return kernel.OTHER
        return kernel.TURNING if abs(value) >= self._standing[spindle] else kernel.STANDING

    def _measure(self, rows: list[Rows], windows: list[tuple[float, list[int], str]]) -> tuple[str, list[list[float]]]:
        """The operation that is cut in most of the windows, and the figures of each channel."""
        time = np.concatenate([r.time for r in rows])
        values, quality, fresh = (
            np.ascontiguousarray(np.concatenate(parts)[:, self._columns])
            for parts in ([r.values for r in rows], [r.quality for r in rows], [r.fresh for r in rows])
        )
        cuts = [operation for _, modes, operation in windows if kernel.CUTTING in modes]
        operation = max(dict.fromkeys(cuts), key=cuts.count) if cuts else ""
        modes = np.array(
            [[kernel.OTHER if m == kernel.CUTTING and its != operation else m for m in ms] for _, ms, its in windows], dtype=np.int8
        )
        at = np.minimum(np.searchsorted(np.array([end for end, _, _ in windows]), time, side="right"), len(windows) - 1)
        for channel, column in zip(self._channels, fresh.T, strict=True):
            if channel.habits.period != channel.habits.period and not channel.on_change:
                _learn_period(channel, time[column])
        period = np.array([math.nan if c.on_change else c.configured or c.habits.period for c in self._channels])
        carry = np.array([c.habits.carry for c in self._channels]).reshape(-1, kernel.CARRY)
        kernel.measure(time, values, quality, fresh, modes[at], self._of_spindle, period, carry, self._out)
        for channel, row in zip(self._channels, carry.tolist(), strict=True):
            channel.habits.carry = row
        return operation, self._out.tolist()


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
