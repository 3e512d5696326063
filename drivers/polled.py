"""One polled device: what is asked of it, how answers become a row, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.decode import decode
from drivers.health import Presence
from drivers.model import Quality, Readings, Words
from drivers.options import BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.plan import Request, plan, without_holes, worthwhile_hole


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
    rest_until: float = 0.0
    unread: Quality = Quality.ABSENT
    """What its values are when it was not read."""


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
        self.slots = [self._slot(r) for r in plan(self._wanted, device.max_count, worthwhile_hole(bus))]
        self.presence = Presence(options.every, bus.timeout)
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
        return Slot(request, Presence(self.options.every, self._timeout))

    def begin(self, now: float) -> None:
        """Polling starts."""
        self.due = self.next = now
        self.presence.begin(now)
        for slot in self.slots:
            slot.presence.begin(now)

    def split(self, slot: Slot, now: float) -> bool:
        """The device refused an address; if it may be one that nobody wants, ask without the holes. False: there are none."""
        parts = without_holes(slot.request)
        if len(parts) < 2:
            return False
        at = self.slots.index(slot)
        self.slots[at : at + 1] = fresh = [self._slot(part) for part in parts]
        for new in fresh:
            new.presence.begin(now)
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
        return Readings(self.options.name, self.channels, np.array([time]), values, quality, self.words.seen())

    def _raw(self, time: float, read: Sequence[tuple[Slot, list[int]]]) -> RawWords:
        words = {
            self.channels[item.index]: tuple(raw[item.offset : item.offset + item.width])
            for slot, raw in read
            for item in slot.request.items
        }
        return RawWords(self.options.name, time, words)

    def advance(self, now: float) -> None:
        """The next time on the grid of this source's periods; those that have passed already were missed."""
        if self.next <= now:
            passed = int((now - self.next) // self.options.every)
            self.missed += passed
            self.next += (passed + 1) * self.options.every
        self.due = self.next
