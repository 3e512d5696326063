"""One time axis for the whole machine: rows of all sources in the order of their source time, every channel held as long as it may be.

Rows are released once no row that belongs before them can still come (`lateness`, monitoring.lateness in the machine file), so that the
result does not depend on the order or the size of the batches in which they arrived: live and replay see the same rows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.load import Loads
from agent.settings import ChannelOptions, SpindleOptions
from drivers.model import UNCERTAIN, Floats, Marks, Quality, Readings, Waveform, Words

MINIMUM_HOLD = 1.0
"""s; a polled value may stand for three periods of its source, and at least this long."""

NUMERIC = frozenset(
    {"spindle.load", "spindle.speed", "spindle.temperature", "axis.load", "vibration", "temperature", "pressure", "level", "feed"}
)
"""Roles whose values are never words: a load of -1 is a load."""

MICROSECONDS = 6
"""Decimals of a time that are kept: those of a recording, so that a live run and its recording are the same."""

_BAD = int(Quality.BAD)
_UNAVAILABLE = int(Quality.UNAVAILABLE)

BIN = 0.02
"""s; rows are released up to a multiple of this, so that what is averaged over such bins further on never sees half a bin."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Released rows, all channels side by side.

    Attributes
    ----------
    time: (n,) ascending.
    values, quality: (n, channels); a value that was not read at this row is the one held, its quality UNAVAILABLE once it is too old.
    fresh: (n, channels) bool, whether the channel was read at this very row.
    """

    time: Floats
    values: Floats
    quality: Marks
    fresh: np.ndarray[tuple[int, int], np.dtype[np.bool_]]

    def part(self, start: int, stop: int) -> Rows:
        """Rows start..stop as views."""
        return Rows(self.time[start:stop], self.values[start:stop], self.quality[start:stop], self.fresh[start:stop])


class Latest:
    """The newest reading of every channel among the rows that were looked at so far."""

    def __init__(self, index: dict[str, int], holds: Floats) -> None:
        self._index = index
        self._holds: list[float] = holds.tolist()
        self._value = [math.nan] * len(index)
        self._quality = [int(Quality.UNAVAILABLE)] * len(index)
        self._time = [-math.inf] * len(index)
        self.doubted: frozenset[str] = frozenset()
        """Channels whose values are not values, though the device says so (`agent.detect.health`)."""

    def take(self, rows: Rows) -> None:
        """Look at rows."""
        n = len(rows.time)
        if rows.fresh[-1].all():
            self._value, self._quality = rows.values[-1].tolist(), rows.quality[-1].tolist()
            self._time = [float(rows.time[-1])] * len(self._time)
            return
        columns = np.flatnonzero(rows.fresh.any(axis=0))
        last = n - 1 - np.argmax(rows.fresh[::-1, columns], axis=0)
        newest = (columns, rows.values[last, columns], rows.quality[last, columns], rows.time[last])
        for i, value, quality, time in zip(*(part.tolist() for part in newest), strict=True):
            self._value[i], self._quality[i], self._time[i] = value, quality, time

    def held(self, name: str, now: float) -> tuple[float, float, int]:
        """Value, time and quality of a channel at `now`; UNAVAILABLE when it is too old for that."""
        i = self._index[name]
        time, quality = self._time[i], self._quality[i]
        if quality <= UNCERTAIN and now - time > self._holds[i]:
            return math.nan, time, _UNAVAILABLE
        if self.doubted and name in self.doubted:
            return self._value[i], time, max(quality, _BAD)
        return self._value[i], time, quality

    def of(self, columns: Sequence[int]) -> tuple[Marks, Floats, Floats]:
        """Quality as it was read, its time, and for how long it may stand, of some channels."""
        quality = np.array([self._quality[i] for i in columns], dtype=np.uint8)
        return quality, np.array([self._time[i] for i in columns]), np.array([self._holds[i] for i in columns])


class Timeline:
    """Merges sources into rows.

    Parameters
    ----------
    channels: of the machine file; readings of other channels are ignored (`unknown` names them).
    lateness: s by which a row may come later than a younger row of another source. A row that comes later still is refused and counted.
    holds: s for which each channel's value may stand (parallel to `channels`; inf for on-change).
    spindles: whose rated power a load in kW is taken over (`agent.load`).
    """

    def __init__(
        self, channels: Sequence[ChannelOptions], lateness: float, holds: Sequence[float], spindles: Sequence[SpindleOptions] = ()
    ) -> None:
        self.names = tuple(channel.name for channel in channels)
        self.index = {name: i for i, name in enumerate(self.names)}
        self.words = Words()
        self.unknown: set[str] = set()
        self.refused = 0
        self.rows = 0
        self.newest = -math.inf
        self._lateness = lateness
        self._holds = np.array(holds, dtype=np.float64)
        self._loads = Loads(channels, spindles, self.index)
        self._numeric = tuple(channel.role in NUMERIC for channel in channels)
        width = len(self.names)
        self._value = np.full(width, np.nan)
        self._quality = np.full(width, Quality.UNAVAILABLE, dtype=np.uint8)
        self._time = np.full(width, -np.inf)
        self._released = -math.inf
        self._waiting: list[tuple[Floats, Floats, Marks]] = []
        self._waves: list[Waveform] = []
        self._routes: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}

    def push(self, item: Readings | Waveform) -> None:
        """Take a block in; it is handed out by `release`."""
        if isinstance(item, Waveform):
            item = dataclasses.replace(item, start=round(item.start, MICROSECONDS))
            end = item.start + len(item.samples) / item.rate
            if end <= self._released:
                self.refused += 1
                return
            self.newest = max(self.newest, end)
            self._waves.append(item)
            return
        time, values, quality = np.round(item.time, MICROSECONDS), item.values, item.quality
        late = time < self._released
        if late.any():
            self.refused += int(late.sum())
            keep = ~late
            time, values, quality = time[keep], values[keep], quality[keep]
        if not len(time):
            return
        columns, targets = self._route(item.channels)
        wide = np.full((len(time), len(self.names)), np.nan)
        marks = np.full((len(time), len(self.names)), Quality.ABSENT, dtype=np.uint8)
        wide[:, targets] = values[:, columns]
        marks[:, targets] = quality[:, columns]
        if item.words:
            self._recode(wide, targets, item.words)
        self._waiting.append((time, wide, marks))
        self.newest = max(self.newest, float(time[-1]))

    def release(self, now: float | None = None, *, all_of_it: bool = False) -> Iterator[Rows | Waveform]:
        """Rows and waveforms that nothing older can precede any more, in order of time.

        `now` lets a live agent release when all sources have gone quiet; `all_of_it` ends a replay.
        """
        until = max(self.newest, now if now is not None else -math.inf) - self._lateness
        until = math.inf if all_of_it else math.floor(until / BIN) * BIN if math.isfinite(until) else until
        rows = self._due(until)
        waves = sorted(
            (w for w in self._waves if w.start + len(w.samples) / w.rate <= until),
            key=lambda w: (w.start + len(w.samples) / w.rate, w.channel),
        )
        self._waves = [w for w in self._waves if w.start + len(w.samples) / w.rate > until]
        if until > self._released and until != math.inf:
            self._released = until
        at = 0
        for wave in waves:
            if rows is not None:
                stop = int(np.searchsorted(rows.time, wave.start + len(wave.samples) / wave.rate, side="right"))
                if stop > at:
                    yield rows.part(at, stop)
                    at = stop
            yield wave
        if rows is not None and at < len(rows.time):
            yield rows.part(at, len(rows.time))

    def latest(self) -> Latest:
        """What has been said so far, to be kept up with the rows as they are looked at."""
        return Latest(self.index, self._holds)

    def _route(self, channels: tuple[str, ...]) -> tuple[list[int], list[int]]:
        route = self._routes.get(channels)
        if route is None:
            pairs = [(i, self.index[name]) for i, name in enumerate(channels) if name in self.index]
            self.unknown.update(name for name in channels if name not in self.index)
            route = self._routes[channels] = ([i for i, _ in pairs], [j for _, j in pairs])
        return route

    def _recode(self, wide: Floats, targets: list[int], words: tuple[str, ...]) -> None:
        """Codes of one source's words to those of the machine."""
        table = np.array([0.0, *(self.words.code(word) for word in words)])
        for column in targets:
            if self._numeric[column]:
                continue
            values = wide[:, column]
            negative = values < 0
            if not negative.any():
                continue
            worded = negative & (values == np.floor(values)) & (-values <= len(words))
            if worded.any():
                values[worded] = table[(-values[worded]).astype(np.intp)]

    def _due(self, until: float) -> Rows | None:
        """Take the waiting rows up to `until`, in order; equal times keep the order of arrival."""
        due: list[tuple[Floats, Floats, Marks]] = []
        later: list[tuple[Floats, Floats, Marks]] = []
        for time, values, quality in self._waiting:
            cut = int(np.searchsorted(time, until, side="left"))
            if cut:
                due.append((time[:cut], values[:cut], quality[:cut]))
            if cut < len(time):
                later.append((time[cut:], values[cut:], quality[cut:]))
        self._waiting = later
        if not due:
            return None
        time = np.concatenate([block[0] for block in due])
        values = np.concatenate([block[1] for block in due])
        quality = np.concatenate([block[2] for block in due])
        if len(due) > 1 and (np.diff(time) < 0).any():
            order = np.argsort(time, kind="stable")
            time, values, quality = time[order], values[order], quality[order]
        self.rows += len(time)
        return self._hold(time, values, quality)

    def _hold(self, time: Floats, values: Floats, quality: Marks) -> Rows:
        """Fill what was not read with what still holds, and derive the loads."""
        fresh = quality != Quality.ABSENT
        some = np.flatnonzero(~fresh.all(axis=0))
        if len(some):
            self._fill(some, time, values, quality, fresh)
        rare = np.ones(len(self.names), dtype=bool)
        rare[some] = False
        every = np.flatnonzero(rare)
        self._value[every], self._quality[every], self._time[every] = values[-1, every], quality[-1, every], time[-1]
        return Rows(time, *self._loads.derive(values, quality), fresh)

    def _fill(self, some: NDArray[np.intp], time: Floats, values: Floats, quality: Marks, fresh: NDArray[np.bool_]) -> None:
        """In place, the columns that were not read in every row."""
        held = np.vstack([self._value[None, some], values[:, some]])
        marks = np.vstack([self._quality[None, some], quality[:, some]])
        last = np.where(fresh[:, some], np.arange(1, len(time) + 1)[:, None], 0)
        last = np.vstack([np.zeros((1, len(some)), dtype=last.dtype), np.maximum.accumulate(last, axis=0)])
        columns = np.arange(len(some))[None, :]
        held, marks = held[last, columns], marks[last, columns]
        times = np.where(last == 0, self._time[None, some], np.concatenate([[0.0], time])[last])
        self._value[some], self._quality[some], self._time[some] = held[-1], marks[-1], times[-1]
        held, marks = held[1:], marks[1:]
        stale = (time[:, None] - times[1:] > self._holds[None, some]) & (marks <= Quality.UNCERTAIN)
        held[stale] = np.nan
        marks[stale] = _UNAVAILABLE
        values[:, some], quality[:, some] = held, marks
