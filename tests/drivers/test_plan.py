from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.options import BusOptions, Register, Table
from drivers.plan import FUNCTION, Request, data_size, most, plan, vary, width, without_holes, worthwhile_hole


@st.composite
def registers(draw: st.DrawFn, tables: tuple[Table, ...] = ("holding", "input", "coil"), most_: int = 12) -> list[Register]:
    found = []
    for i in range(draw(st.integers(1, most_))):
        table = draw(st.sampled_from(tables))
        kind = "bit" if table == "coil" else draw(st.sampled_from(("u16", "i32", "f32")))
        found.append(Register(name=f"r{i}", table=table, type=kind, address=draw(st.integers(0, 60))))
    return found


def covered(request: Request) -> set[int]:
    return set(range(request.address, request.address + request.count))


@given(registers(), st.integers(2, 125), st.integers(0, 40))
def test_every_register_is_read_whole_once_and_no_request_is_too_long(wanted: list[Register], max_count: int, hole: int) -> None:
    requests = plan(wanted, max_count, hole)
    seen = sorted(item.index for request in requests for item in request.items)
    assert seen == list(range(len(wanted)))
    for request in requests:
        assert 1 <= request.count <= most(request.table, max_count)
        for item in request.items:
            register = wanted[item.index]
            assert register.table == request.table
            assert register.address == request.address + item.offset
            assert item.width == width(register)
            assert item.offset + item.width <= request.count


@given(registers(tables=("holding",)), st.integers(2, 125))
def test_without_a_hole_worth_it_nothing_unwanted_is_read(wanted: list[Register], max_count: int) -> None:
    asked = {a for r in wanted for a in range(r.address, r.address + width(r))}
    for request in plan(wanted, max_count, 0):
        assert covered(request) <= asked


def exhaustive(wanted: list[Register], max_count: int, hole: int) -> int:
    """Least cost over every way to put the registers into groups that follow each other."""
    spans = sorted((r.address, width(r)) for r in wanted)
    best = None
    for cuts in range(1 << (len(spans) - 1)):
        groups, last = [], 0
        for i in range(1, len(spans)):
            if cuts >> (i - 1) & 1:
                groups.append(spans[last:i])
                last = i
        groups.append(spans[last:])
        lengths = [max(a + w for a, w in group) - group[0][0] for group in groups]
        if all(n <= max_count for n in lengths):
            cost = sum(lengths) + hole * len(groups)
            best = cost if best is None else min(best, cost)
    assert best is not None
    return best


@settings(max_examples=60)
@given(registers(tables=("holding",), most_=8), st.integers(2, 30), st.integers(1, 20))
def test_the_plan_costs_no_more_than_the_best_of_all(wanted: list[Register], max_count: int, hole: int) -> None:
    requests = plan(wanted, max_count, hole)
    assert sum(r.count + hole for r in requests) == exhaustive(wanted, max_count, hole)


def test_neighbours_become_one_request_and_tables_stay_apart() -> None:
    wanted = [
        Register(name=n, table=t, address=a)
        for n, t, a in (("a", "holding", 3), ("b", "holding", 4), ("c", "input", 5), ("d", "holding", 9))
    ]
    assert [(r.table, r.address, r.count) for r in plan(wanted, 125, 10)] == [("holding", 3, 7), ("input", 5, 1)]
    assert [(r.table, r.address, r.count) for r in plan(wanted, 125, 2)] == [("holding", 3, 2), ("holding", 9, 1), ("input", 5, 1)]


def test_a_32_bit_value_is_read_even_where_one_register_is_the_most() -> None:
    wanted = [Register(name="p", type="f32", address=7), Register(name="q", address=9)]
    assert [(r.address, r.count) for r in plan(wanted, 1, 10)] == [(7, 2), (9, 1)]


@pytest.mark.parametrize(
    ("framing", "baud", "gap", "registers_"),
    [("tcp", 19200, None, 125), ("rtu", 9600, None, 10), ("rtu", 19200, None, 10), ("rtu", 115200, None, 24)],
)
def test_what_a_hole_may_cost(framing: str, baud: int, gap: float | None, registers_: int) -> None:
    # 9600 and 19200 baud: 13 characters and twice 3.5; above, twice 1.75 ms: 18.3 characters each at 115200.
    assert worthwhile_hole(BusOptions(name="b", framing=framing, baud=baud, gap=gap)) == registers_  # type: ignore[arg-type]


@given(registers(), st.sets(st.integers(0, 60), max_size=30), st.booleans(), st.integers(2, 125))
def test_a_varied_request_avoids_the_sizes_and_reads_the_same(wanted: list[Register], sizes: set[int], pad: bool, max_count: int) -> None:
    for request in plan(wanted, max_count, 8):
        parts = vary(request, lambda size: size not in sizes, most(request.table, max_count), pad)
        if not parts:
            continue
        assert all(part.size not in sizes for part in parts)
        assert all(part.count <= most(request.table, max_count) for part in parts)
        assert parts[0].address == request.address
        assert all(a.address + a.count == b.address for a, b in pairwise(parts))
        assert sum(part.count for part in parts) >= request.count
        assert pad or sum(part.count for part in parts) == request.count
        read = {item.index: part.address + item.offset for part in parts for item in part.items}
        assert read == {item.index: request.address + item.offset for item in request.items}
        for part in parts:
            assert all(item.offset + item.width <= part.count for item in part.items)


def test_a_varied_request_is_halved_before_it_is_padded() -> None:
    request = plan([Register(name=f"r{i}", address=i) for i in range(4)], 125, 0)[0]
    assert [(p.address, p.count) for p in vary(request, lambda size: size != 8, 125, pad=True)] == [(0, 3), (3, 1)]
    one = plan([Register(name="one", address=5)], 125, 0)[0]
    assert [(p.address, p.count) for p in vary(one, lambda size: size != 2, 125, pad=True)] == [(5, 2)]
    assert vary(one, lambda size: size != 2, 125, pad=False) == ()


def test_a_32_bit_value_is_never_torn() -> None:
    request = plan([Register(name="a", type="u32", address=0), Register(name="b", type="u32", address=2)], 125, 0)[0]
    assert [(p.address, p.count) for p in vary(request, lambda size: size != 8, 125, pad=True)] == [(0, 2), (2, 2)]
    alone = plan([Register(name="a", type="u32", address=0)], 125, 0)[0]
    assert [(p.address, p.count) for p in vary(alone, lambda size: size != 4, 125, pad=True)] == [(0, 3)]


def test_padding_ends_at_the_last_address() -> None:
    request = plan([Register(name="a", address=65535)], 125, 0)[0]
    assert vary(request, lambda size: size != 2, 125, pad=True) == ()


def test_bits_differ_by_bytes() -> None:
    request = plan([Register(name="a", table="coil", type="bit", address=8)], 125, 0)[0]
    assert [p.count for p in vary(request, lambda size: size != 1, 2000, pad=True)] == [9]
    assert data_size("coil", 9) == 2
    assert FUNCTION["coil"] == 1


def test_a_request_that_meets_an_illegal_address_is_split_at_its_holes() -> None:
    request = plan([Register(name="a", address=0), Register(name="b", address=4), Register(name="c", address=5)], 125, 10)[0]
    assert request.count == 6
    assert [(r.address, r.count, [i.index for i in r.items]) for r in without_holes(request)] == [(0, 1, [0]), (4, 2, [1, 2])]
