from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.options import BusOptions, DeviceMap, Register, Table
from drivers.plan import FUNCTION, Request, data_size, most, plan, plan_device, vary, width, without_holes, worthwhile_hole
from tests.naive import plan as naive


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


@settings(max_examples=60)
@given(registers(tables=("holding",), most_=6), st.integers(2, 30), st.integers(1, 20))
def test_the_plan_costs_no_more_than_the_best_of_all(wanted: list[Register], max_count: int, hole: int) -> None:
    requests = plan(wanted, max_count, hole)
    assert sum(r.count + hole for r in requests) == naive.least(wanted, max_count, hole, [1.0] * len(wanted))


@st.composite
def a_device(draw: st.DrawFn) -> dict[str, Any]:
    wanted = draw(registers(tables=("holding",), most_=6))
    known = st.one_of(st.none(), st.frozensets(st.integers(0, 62), max_size=62))
    return {
        "wanted": wanted,
        "every": draw(st.lists(st.sampled_from((0.05, 0.5, 5.0)), min_size=len(wanted), max_size=len(wanted))),
        "max_count": draw(st.integers(1, 40)),
        "hole": draw(st.sampled_from((1, 4, 10, 10.75, 24.0, 125))),
        "barriers": draw(st.lists(st.integers(0, 61), max_size=2)),
        "known": draw(known),
        "single": draw(st.booleans()) and draw(st.booleans()),
    }


@settings(max_examples=150)
@given(a_device())
def test_periods_barriers_holes_and_single_values_cost_no_more_than_the_best_of_all(case: dict[str, Any]) -> None:
    wanted, every, known = case["wanted"], case["every"], case["known"]
    requests = plan(
        wanted,
        case["max_count"],
        case["hole"],
        every=every,
        barriers=case["barriers"],
        single=case["single"],
        known=None if known is None else frozenset(("holding", address) for address in known),
    )
    right = naive.least(wanted, case["max_count"], case["hole"], every, case["barriers"], known, case["single"])
    assert sum((r.count + case["hole"]) / r.every for r in requests) == pytest.approx(right)
    assert sorted(item.index for request in requests for item in request.items) == list(range(len(wanted)))
    for request in requests:
        asked = {a for item in request.items for a in range(request.address + item.offset, request.address + item.offset + item.width)}
        assert all(request.every <= every[item.index] for item in request.items)
        assert known is None or covered(request) - asked <= known
        assert not request.reach or request.count <= request.reach


def test_a_slow_register_rides_along_where_that_is_cheaper_and_has_a_request_of_its_own_where_it_is_not() -> None:
    near = [Register(name="load", address=0), Register(name="temperature", address=1)]
    assert [(r.address, r.count, r.every) for r in plan(near, 125, 1, every=(0.05, 5.0))] == [(0, 1, 0.05), (1, 1, 5.0)]
    between = [*near, Register(name="speed", address=2)]
    assert [(r.address, r.count, r.every) for r in plan(between, 125, 10, every=(0.05, 5.0, 0.05))] == [(0, 3, 0.05)]


def test_a_slow_read_may_reach_over_a_fast_one() -> None:
    wanted = [Register(name=n, address=a) for n, a in (("a", 0), ("fast", 3), ("b", 6))]
    plans = plan(wanted, 125, 10, every=(5.0, 0.05, 5.0))
    assert [(r.address, r.count, r.every) for r in plans] == [(3, 1, 0.05), (0, 7, 5.0)]


def test_a_map_of_a_real_size_with_two_periods_is_planned_exactly_and_fast_enough() -> None:
    wanted = [Register(name=f"r{i}", address=3 * i) for i in range(40)]
    every = [0.05 if i % 3 else 5.0 for i in range(40)]
    requests = plan(wanted, 16, 10.75, every=every)
    assert sorted(item.index for request in requests for item in request.items) == list(range(40))
    assert all(request.count <= 16 for request in requests)


def test_padding_ends_at_a_barrier_and_a_single_value_is_never_padded() -> None:
    wanted = [Register(name="a", address=4)]
    fenced = plan(wanted, 125, 10, barriers=(6,))[0]
    assert [p.count for p in vary(fenced, lambda size: size != 2, 125, pad=True)] == [2]
    assert vary(fenced, lambda size: size > 4, 125, pad=True) == ()
    alone = plan(wanted, 125, 10, single=True)[0]
    assert vary(alone, lambda size: size != 2, 125, pad=True) == ()
    pair = plan([Register(name="a", address=4), Register(name="b", address=5)], 125, 10, barriers=(7,))[0]
    assert [(p.address, p.count, p.reach) for p in vary(pair, lambda size: size == 2, 125, pad=True)] == [(4, 1, 3), (5, 1, 2)]


def test_what_a_map_says_of_its_device_goes_into_the_plan() -> None:
    bus = BusOptions(name="b", framing="rtu", baud=9600)
    rows = tuple(Register(name=n, address=a) for n, a in (("a", 0), ("b", 1), ("c", 2), ("d", 4)))
    ends = [rows[0], rows[3]]
    assert [(r.address, r.count) for r in plan_device(ends, DeviceMap(name="x", registers=rows), bus)] == [(0, 5)]
    assert [(r.address, r.count) for r in plan_device(ends, DeviceMap(name="x", registers=rows, holes=False), bus)] == [(0, 1), (4, 1)]
    near = [rows[0], rows[2]]
    assert [(r.address, r.count) for r in plan_device(near, DeviceMap(name="x", registers=rows, holes=False), bus)] == [(0, 3)]
    assert len(plan_device(rows, DeviceMap(name="x", registers=rows, single=True), bus)) == 4
    assert [(r.address, r.count) for r in plan_device(rows, DeviceMap(name="x", registers=rows, barriers=(2,)), bus)] == [(0, 2), (2, 3)]
    # A device that takes its time makes a request dearer, and a longer hole worth while.
    far = [rows[0], Register(name="z", address=30)]
    assert len(plan_device(far, DeviceMap(name="x", registers=rows), bus)) == 2
    assert len(plan_device(far, DeviceMap(name="x", registers=rows, delay=0.1), bus)) == 1


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
    assert int(worthwhile_hole(BusOptions(name="b", framing=framing, baud=baud, gap=gap))) == registers_  # type: ignore[arg-type]


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
