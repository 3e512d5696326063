"""Turns registers into read requests, and a request into another one that a late answer cannot be taken for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivers.options import BusOptions, Register, RegisterType, Table
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


def worthwhile_hole(bus: BusOptions) -> int:
    """Registers that nobody wants and that are still cheaper to read than to ask a second time for what follows.

    A request more costs its own characters, those of the answer besides the data, and two silences. On TCP a round trip costs more than
    any hole that fits into one answer.
    """
    if bus.framing == "tcp":
        return MOST_REGISTERS
    return int((characters(bus, 0) + 2 * silence(bus) / character(bus)) / (characters(bus, 2) - characters(bus, 0)))


def plan(registers: Sequence[Register], max_count: int, hole: int) -> tuple[Request, ...]:
    """Requests that read all registers at the least line time, by table and address.

    Parameters
    ----------
    registers: in any order; may overlap (several bits of one register).
    max_count: most registers that the device gives in one answer; a 32-bit value is read even if this is 1.
    hole: cost of one more request, in registers (`worthwhile_hole`); 0 never reads what nobody wants.
    """
    requests: list[Request] = []
    for table in FUNCTION:
        spans = sorted((r.address, width(r), i) for i, r in enumerate(registers) if r.table == table)
        dear = hole * 16 if is_bits(table) else hole
        requests += _cheapest(table, spans, most(table, max_count), dear)
    return tuple(requests)


def _cheapest(table: Table, spans: list[tuple[int, int, int]], limit: int, hole: int) -> list[Request]:
    """Best cut of the sorted spans into groups, by dynamic programming: a group costs its length and one request."""
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    """(cost, requests, start of the last group) for the first n spans; of equal costs the fewer requests."""
    for n in range(1, len(spans) + 1):
        choice = (float("inf"), 0, 0)
        end = 0
        for first in range(n - 1, -1, -1):
            address, size, _ = spans[first]
            end = max(end, address + size)
            if end - address > limit and first != n - 1:
                break
            if hole == 0 and not _dense(spans[first:n]):
                continue
            cost, count, _ = best[first]
            choice = min(choice, (cost + hole + end - address, count + 1, first))
        best.append(choice)
    groups: list[Request] = []
    n = len(spans)
    while n:
        first = best[n][2]
        group = spans[first:n]
        start = group[0][0]
        items = tuple(Item(index, address - start, size) for address, size, index in group)
        groups.append(Request(table, start, max(i.offset + i.width for i in items), items))
        n = first
    return groups[::-1]


def _dense(spans: Sequence[tuple[int, int, int]]) -> bool:
    """Whether no address between the first and the last is unwanted."""
    end = spans[0][0]
    for address, size, _ in spans:
        if address > end:
            return False
        end = max(end, address + size)
    return True


def without_holes(request: Request) -> tuple[Request, ...]:
    """The same items with nothing else read, for a device that refuses an address between them; the request alone if there is none."""
    spans = sorted((request.address + i.offset, i.width, i.index) for i in request.items)
    return tuple(_cheapest(request.table, spans, request.count, 0)) if spans else (request,)


def vary(request: Request, allowed: Callable[[int], bool], limit: int, pad: bool, unequal: bool = False) -> tuple[Request, ...]:
    """Requests for the same items, the size of each answer allowed; empty if there are none.

    First the request itself, then two parts (no unknown address is touched), then more registers than are wanted.

    Parameters
    ----------
    allowed: says of a size in bytes (`Request.size`) whether no other answer of this size can be on its way.
    limit: most that one read may ask for (`most`).
    pad: whether registers beyond the wanted ones may be read.
    unequal: two parts must differ in size from each other, too.
    """
    if allowed(request.size):
        return (request,)
    for cut in range(request.count - 1, 0, -1):
        if any(i.offset < cut < i.offset + i.width for i in request.items):
            continue
        head = replace(request, count=cut, items=tuple(i for i in request.items if i.offset < cut))
        tail = Request(
            request.table,
            request.address + cut,
            request.count - cut,
            tuple(replace(i, offset=i.offset - cut) for i in request.items if i.offset >= cut),
        )
        if allowed(head.size) and allowed(tail.size) and not (unequal and head.size == tail.size):
            return (head, tail)
    if pad:
        for count in range(request.count + 1, min(limit, _ADDRESSES - request.address) + 1):
            if allowed(data_size(request.table, count)):
                return (replace(request, count=count),)
    return ()
