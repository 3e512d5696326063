"""Turns registers into read requests, and a request into another one that a late answer cannot be taken for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivers.cover import Group, Limits, Span, cheapest, ordered
from drivers.options import BusOptions, DeviceMap, Register, RegisterType, Table
from drivers.wire_time import character, characters, silence

FUNCTION: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""Read function codes (Modbus Application Protocol V1.1b3, 6.1 to 6.4)."""

MOST_REGISTERS = 125
MOST_BITS = 2000
"""Largest counts of one read (Modbus Application Protocol V1.1b3, 6.1 and 6.3)."""

WIDTH: dict[RegisterType, int] = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4, "string": 1, "bit": 1}
"""Registers (or bits) of one value; a `string` says its own length."""

_ADDRESSES = 65536


@dataclass(frozen=True, slots=True)
class Item:
    """Where one register stands in the answer: `index` in the list that was planned, `offset` from the request's address, `width`."""

    index: int
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` registers (or bits) of `table` from wire address `address` on. An item is never torn apart."""

    table: Table
    address: int
    count: int
    items: tuple[Item, ...] = ()
    every: float = 0.0
    """Seconds between two such reads; 0: as often as its source."""
    reach: int = 0
    """Most that a read from this address may ask for, less than the device's own most: a barrier follows, or it gives one value a
    request. 0: the device's own most."""

    @property
    def function(self) -> int:
        """Function code."""
        return FUNCTION[self.table]

    @property
    def size(self) -> int:
        """Bytes of data in the answer: what tells two answers apart on a wire without transaction numbers."""
        return data_size(self.table, self.count)


def data_size(table: Table, count: int) -> int:
    """Bytes of data in the answer to a read of `count`."""
    return (count + 7) // 8 if is_bits(table) else 2 * count


def is_bits(table: Table) -> bool:
    """Whether the table holds single bits."""
    return table in {"coil", "discrete"}


def width(register: Register) -> int:
    """Registers (or bits) that one value takes."""
    return register.length if register.type == "string" else WIDTH[register.type]


def most(table: Table, max_count: int) -> int:
    """Largest count of one read of `table` at a device that gives at most `max_count` registers."""
    return min(MOST_BITS, 16 * max_count) if is_bits(table) else min(MOST_REGISTERS, max_count)


def worthwhile_hole(bus: BusOptions, extra: float = 0.0) -> float:
    """What a request costs besides its registers, counted in registers: so many that nobody wants are still cheaper to read than to ask a
    second time for what follows.

    A request more costs its own characters, those of the answer besides the data, two silences, and `extra`: what the device needs besides
    (s). On TCP a round trip costs more than any hole that fits into one answer.
    """
    if bus.framing == "tcp":
        return MOST_REGISTERS
    register = characters(bus, 2) - characters(bus, 0)
    return (characters(bus, 0) + (2 * silence(bus) + extra) / character(bus)) / register


def plan_device(registers: Sequence[Register], device: DeviceMap, bus: BusOptions, every: Sequence[float] = ()) -> tuple[Request, ...]:
    """`plan` with what the map says of the device and the bus of the line."""
    return plan(
        registers,
        device.max_count,
        worthwhile_hole(bus, device.delay),
        every=every,
        barriers=device.barriers,
        single=device.single,
        known=None if device.holes else frozenset((r.table, a) for r in device.registers for a in range(r.address, r.address + width(r))),
    )


def plan(
    registers: Sequence[Register],
    max_count: int,
    hole: float,
    *,
    every: Sequence[float] = (),
    barriers: Sequence[int] = (),
    single: bool = False,
    known: frozenset[tuple[Table, int]] | None = None,
) -> tuple[Request, ...]:
    """Requests that read all registers at the least line time, by table and address.

    Parameters
    ----------
    registers: in any order; may overlap (several bits of one register).
    max_count: most registers that the device gives in one answer; a value of several registers is read whole even if this is 1.
    hole: cost of one more request, in registers (`worthwhile_hole`); 0 never reads what nobody wants.
    every: s between two readings of each register; empty: all alike. A register may be read more often than asked, where it costs less.
    barriers: addresses that a read which begins below must not reach.
    single: one value a request.
    known: addresses that may be read though nobody wants them; None: any.
    """
    periods = sorted(set(every)) if every else [0.0]
    requests: list[Request] = []
    for table in FUNCTION:
        rows = [(i, r) for i, r in enumerate(registers) if r.table == table]
        spans = ordered(Span(r.address, r.address + width(r), i, periods.index(every[i]) if every else 0) for i, r in rows)
        limits = Limits(
            most=most(table, max_count),
            hole=16 * hole if is_bits(table) else hole,
            barriers=tuple(sorted(barriers)),
            single=single,
            known=None if known is None else frozenset(address for where, address in known if where == table),
        )
        rates = [periods[0] / period if period else 1.0 for period in periods]
        groups = sorted((cheapest(spans, limits, rates)), key=lambda group: (group.rate, group.start))
        requests += [_request(table, group, limits, periods[group.rate]) for group in groups]
    return tuple(requests)


def _request(table: Table, group: Group, limits: Limits, every: float) -> Request:
    items = tuple(Item(span.item, span.start - group.start, span.end - span.start) for span in group.spans)
    count = group.end - group.start
    barrier = next((b for b in limits.barriers if b > group.start), _ADDRESSES)
    reach = count if limits.single else max(count, min(limits.most, barrier - group.start)) if limits.barriers else 0
    return Request(table, group.start, count, items, every, reach)


def without_holes(request: Request) -> tuple[Request, ...]:
    """The same items with nothing else read, for a device that refuses an address between them; the request alone if there is none."""
    at = request.address
    spans = ordered(Span(at + i.offset, at + i.offset + i.width, i.index, 0) for i in request.items)
    if not spans:
        return (request,)
    limits = Limits(most=request.count, hole=0.0)
    parts = [_request(request.table, group, limits, request.every) for group in cheapest(spans, limits, [1.0])]
    return tuple(replace(part, reach=_reach_of(request, part.address - at)) for part in parts)


def _reach_of(request: Request, cut: int) -> int:
    """What a part of the request that begins `cut` later may ask for."""
    return max(request.reach - cut, 1) if request.reach else 0


def vary(request: Request, allowed: Callable[[int], bool], limit: int, pad: bool, unequal: bool = False) -> tuple[Request, ...]:
    """Requests for the same items, the size of each answer allowed; empty if there are none.

    First the request itself, then two parts (no unknown address is touched), then more registers than are wanted.

    Parameters
    ----------
    allowed: says of a size in bytes (`Request.size`) whether no other answer of this size can be on its way.
    limit: most that one read may ask for (`most`); less where the request has a `reach`.
    pad: whether registers beyond the wanted ones may be read.
    unequal: two parts must differ in size from each other, too.
    """
    if allowed(request.size):
        return (request,)
    for cut in range(request.count - 1, 0, -1):
        if any(i.offset < cut < i.offset + i.width for i in request.items):
            continue
        head = replace(request, count=cut, items=tuple(i for i in request.items if i.offset < cut))
        tail = replace(
            request,
            address=request.address + cut,
            count=request.count - cut,
            items=tuple(replace(i, offset=i.offset - cut) for i in request.items if i.offset >= cut),
            reach=_reach_of(request, cut),
        )
        if allowed(head.size) and allowed(tail.size) and not (unequal and head.size == tail.size):
            return (head, tail)
    if pad:
        limit = min(limit, request.reach) if request.reach else limit
        for count in range(request.count + 1, min(limit, _ADDRESSES - request.address) + 1):
            if allowed(data_size(request.table, count)):
                return (replace(request, count=count),)
    return ()
