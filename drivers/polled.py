"""One polled device: what is asked of it, how answers become a row, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.decode import decode
from drivers.health import Presence
from drivers.model import Quality, Readings, Words
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.plan import Request, plan_device, without_holes
from drivers.repeats import Repeats

_EARLY = 0.001
"""Seconds by which a timer may wake too soon."""
_LONGEST_RETRY = 10.0
"""Most seconds until what is still owed after a loss is asked again."""


@dataclass(slots=True)
class Grid:
    """The times at which what has one period is read."""

    every: float
    next: float = 0.0

    @property
    def deadline(self) -> float:
        """When the reading that is next is too late."""
        return self.next + self.every


@dataclass(frozen=True, slots=True)
class RawWords:
    """What stood on the wire for one row, for who looks at a device rather than at its values.

    Attributes
    ----------
    time: of the row, s UTC.
    words: registers (0..65535) or one bit, by channel; a channel that was not read this time is not in it.
    """

    source: str
    time: float
    words: Mapping[str, tuple[int, ...]]


@dataclass(slots=True)
class Slot:
    """One request of a source's plan."""

    request: Request
    presence: Presence
    grid: Grid
    rest_until: float = 0.0
    unread: Quality = Quality.ABSENT
    """What its values are when it was not read."""
    owed: bool = False
    """Not read since the device was lost: asked at the next occasion, whatever its period."""


class PolledSource:
    """One device: what is asked, how answers become a row, and how it is.

    Parameters
    ----------
    routes: which registers are wanted, as which channels; the columns of the rows are in this order.

    Raises
    ------
    ValueError: a route names a register that the map does not have.
    """

    def __init__(self, options: SourceOptions, bus: BusOptions, device: DeviceMap, routes: Sequence[ChannelRoute]) -> None:
        self.options = options
        self.channels = tuple(route.channel for route in routes)
        by_name = {register.name: register for register in device.registers}
        missing = [route.register for route in routes if route.register not in by_name]
        if missing:
            raise ValueError(f"{options.device} has no register {', '.join(missing)}")
        self._wanted = [by_name[route.register] for route in routes]
        self._timeout = bus.timeout
        self.max_count = device.max_count
        every = [route.every or options.every for route in routes]
        self.grids = [Grid(period) for period in sorted(set(every))]
        self.slots = [self._slot(r) for r in plan_device(self._wanted, device, bus, every)]
        self._asked: Grid | None = None
        self._repeats = Repeats([update_of(options, device, register) for register in self._wanted], every)
        self.presence = Presence(self.grids[0].every, bus.timeout)
        self.words = Words()
        self.listener: Callable[[RawWords], None] | None = None
        """Gets the raw words of each row, before the row itself is handed out."""
        self.due = 0.0
        self.next = 0.0
        self.missed = 0
        self.since = 0.0
        self.error = ""
        self.detail = ""

    def _slot(self, request: Request) -> Slot:
        grid = next(grid for grid in self.grids if grid.every == request.every)
        return Slot(request, Presence(request.every, self._timeout), grid)

    def begin(self, now: float) -> None:
        """Polling starts."""
        self.due = self.next = now
        for grid in self.grids:
            grid.next = now
        self.presence.begin(now)
        for slot in self.slots:
            slot.presence.begin(now)

    @property
    def deadline(self) -> float:
        """When what is due next is too late."""
        return min(max(self.due, grid.next) + grid.every for grid in self.grids)

    def take(self, now: float) -> list[Slot]:
        """What is asked now: all that has the period whose reading would be too late first, so that a slow register never holds up a fast
        one; everything, where nothing is due by its period (a device that may be back). What is owed since a loss comes along."""
        due = [grid for grid in self.grids if grid.next <= now + _EARLY]
        self._asked = min(due, key=lambda grid: grid.deadline) if due else None
        return [slot for slot in self.slots if slot.rest_until <= now and (slot.owed or self._asked in (None, slot.grid))]

    def forget(self) -> None:
        """The device was lost: what it says next is new, even if it is what it said last, and all of it is read again as soon as it is
        back. What it refuses, or what alone is silent, keeps its rest and its period."""
        self._repeats.forget()
        for slot in self.slots:
            if slot.unread != Quality.UNAVAILABLE:
                slot.owed, slot.rest_until = True, 0.0

    def retry(self, slot: Slot, now: float) -> None:
        """What is owed was not answered while something else was: asked again soon, but not at once."""
        if slot.owed:
            slot.rest_until = now + min(_LONGEST_RETRY, slot.grid.every / 4.0)

    def split(self, slot: Slot, now: float) -> bool:
        """The device refused an address; if it may be one that nobody wants, ask without the holes. False: there are none."""
        parts = without_holes(slot.request)
        if len(parts) < 2:
            return False
        at = self.slots.index(slot)
        self.slots[at : at + 1] = fresh = [self._slot(part) for part in parts]
        for new in fresh:
            new.presence.begin(now)
            new.owed = slot.owed
        return True

    def row(self, time: float, read: Sequence[tuple[Slot, list[int]]]) -> Readings:
        """One row of what was read; the rest of it is as its slots say."""
        values = np.full((1, len(self.channels)), np.nan)
        quality = np.full((1, len(self.channels)), Quality.ABSENT, dtype=np.uint8)
        for slot in self.slots:
            for item in slot.request.items:
                quality[0, item.index] = slot.unread
        for slot, raw in read:
            for item in slot.request.items:
                value, mark = decode(self._wanted[item.index], raw[item.offset : item.offset + item.width], self.words)
                values[0, item.index] = value
                quality[0, item.index] = mark
        if self.listener is not None:
            self.listener(self._raw(time, read))
        self._repeats.mark(values[0], quality[0], time)
        return Readings(self.options.name, self.channels, np.array([time]), values, quality, self.words.seen())

    def _raw(self, time: float, read: Sequence[tuple[Slot, list[int]]]) -> RawWords:
        words = {
            self.channels[item.index]: tuple(raw[item.offset : item.offset + item.width])
            for slot, raw in read
            for item in slot.request.items
        }
        return RawWords(self.options.name, time, words)

    def advance(self, now: float, *, everything: bool = False) -> None:
        """The next time on the grid of what was asked (`take`), or of all that is due; periods that have passed already were missed."""
        for grid in self.grids:
            if grid.next <= now + _EARLY and (everything or self._asked in (None, grid)):
                passed = max(0, int((now - grid.next) // grid.every))
                self.missed += passed
                grid.next += (passed + 1) * grid.every
        self.next = min(grid.next for grid in self.grids)
        self.due = min([self.next, *(max(now, slot.rest_until) for slot in self.slots if slot.owed)])


def update_of(options: SourceOptions, device: DeviceMap, register: Register) -> float:
    """Seconds between two updates of a register, by which equal readings are repeats: as machine file or map say; 0: not known."""
    if options.update is not None:
        return options.update
    if not device.update_verified:
        return 0.0
    return device.update if register.update is None else register.update
