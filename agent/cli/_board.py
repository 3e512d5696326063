"""What `broche watch` knows of every register: raw and scaled, how old, and how often the device renews it. No I/O, no clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from agent.machine_file import MachineFile
from drivers.model import Quality, Readings, Waveform, word_of
from drivers.polled import RawWords

KEPT = 64
"""Latest intervals that a period is told from."""
LEAST = 8
"""Changes before a period is told."""


@dataclass(frozen=True, slots=True)
class Period:
    """How often a device renews a value.

    Attributes
    ----------
    seconds: between two updates.
    fast: no slower than it is read, perhaps faster: `seconds` is an upper bound.
    """

    seconds: float
    fast: bool


class Changes:
    """Tells the update period of one value from when it changed.

    A value that happens to be the same after an update makes an interval twice as long, a late reading a little longer or shorter: the
    lower quartile of the intervals is the period as long as most updates change the value. A value that stands says nothing.
    """

    def __init__(self) -> None:
        self._last: object = None
        self._changed: float | None = None
        self._read: float | None = None
        self._between: deque[float] = deque(maxlen=KEPT)
        self._readings: deque[float] = deque(maxlen=KEPT)

    def seen(self, value: object, time: float) -> None:
        """`value` was read at `time`."""
        if self._read is not None:
            self._readings.append(time - self._read)
            if value != self._last:
                if self._changed is not None:
                    self._between.append(time - self._changed)
                self._changed = time
        self._read, self._last = time, value

    def broken(self) -> None:
        """Nothing was read: what changed meanwhile is not known."""
        self._read = self._changed = None

    @property
    def period(self) -> Period | None:
        """None: not enough changes yet."""
        if len(self._between) < LEAST:
            return None
        seconds = sorted(self._between)[len(self._between) // 4]
        every = median(self._readings)
        return Period(every, True) if seconds < 1.5 * every else Period(seconds, False)


@dataclass(slots=True)
class Row:
    """One channel.

    Attributes
    ----------
    worded: its values are words, such as a mode's.
    raw: registers or one bit as they came; of a raw stream, nothing.
    value, word: scaled, or what it stands for; NaN and '' while there is none.
    time: of the latest reading that said something, s UTC; None: none yet.
    axes: RMS of each axis of the last block, mean taken out, in `unit`.
    """

    channel: str
    register: str
    unit: str
    worded: bool
    raw: tuple[int, ...] = ()
    value: float = math.nan
    word: str = ""
    quality: Quality = Quality.ABSENT
    time: float | None = None
    axes: tuple[float, ...] = ()
    samples: int = 0
    changes: Changes = field(default_factory=Changes)


class Board:
    """All channels that are read, by source."""

    def __init__(self, machine: MachineFile) -> None:
        units = {channel.name: channel.unit for channel in machine.settings.channel}
        devices = {source.name: machine.maps[source.device] for source in machine.settings.source}
        self.rows: dict[str, Row] = {}
        self.sources: dict[str, list[Row]] = {}
        for route in machine.routes:
            registers = (register for register in devices[route.source].registers if register.name == route.register)
            worded = any(register.words or str(register.type) == "string" for register in registers)
            row = Row(route.channel, f"{route.source}.{route.register}", units[route.channel], worded)
            self.rows[route.channel] = row
            self.sources.setdefault(route.source, []).append(row)

    def take_raw(self, raw: RawWords) -> None:
        """The words of a row, which comes right after; there, words that only repeat those before are no reading."""
        for channel, words in raw.words.items():
            row = self.rows[channel]
            row.raw, row.time = words, raw.time
            row.changes.seen(words, raw.time)

    def take(self, item: Readings | Waveform) -> None:
        """A row or a block."""
        if isinstance(item, Waveform):
            self._take_block(item)
            return
        for i, channel in enumerate(item.channels):
            row = self.rows[channel]
            for line in range(len(item.time)):
                quality = Quality(int(item.quality[line, i]))
                if quality == Quality.ABSENT:
                    continue
                row.quality, row.value = quality, float(item.values[line, i])
                if quality == Quality.UNAVAILABLE:
                    row.raw, row.word, row.axes = (), "", ()
                    row.changes.broken()
                    continue
                row.time = float(item.time[line])
                row.word = word_of(row.value, item.words) if row.worded and quality != Quality.BAD else ""
                if not row.raw:
                    row.changes.seen(row.value, row.time)

    def _take_block(self, block: Waveform) -> None:
        row = self.rows[block.channel]
        row.quality, row.time = block.quality, block.start + len(block.samples) / block.rate
        row.samples = len(block.samples)
        row.axes = tuple(float(axis.std()) * block.scale for axis in np.asarray(block.samples, np.float64).T)

    def period(self, source: str) -> Period | None:
        """Of the device: the shortest of its registers that tells one."""
        found = [period for row in self.sources.get(source, ()) if (period := row.changes.period) is not None]
        return min(found, key=lambda period: period.seconds, default=None)

    def told(self, sources: Sequence[str]) -> bool:
        """Whether every channel of these sources has said something, be it that there is nothing."""
        return all(row.quality != Quality.ABSENT for name in sources for row in self.sources.get(name, ()))

    @property
    def good(self) -> bool:
        """Whether every channel has a value that may be believed."""
        return all(row.quality <= Quality.UNCERTAIN for row in self.rows.values())
