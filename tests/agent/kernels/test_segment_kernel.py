"""The segmentation kernel against its slow twin, over signals kind and unkind."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.kernels import segment as kernel
from tests.naive.segment import Segmenter, bin_of
from tests.support.lathe import Faults, rows

NAMES = {kernel.OPENED: "opened", kernel.GROWN: "grown", kernel.CLOSED: "closed", kernel.RUN_UP_ENDED: "run_up"}


NOWHERE = np.zeros((2, 0))


def walk(time, load, ok, speed, gates, *, has_speed=True, period=0.0):  # type: ignore[no-untyped-def]
    """The kernel over stretches of constant gate: events with times, closed cuts, table and state."""
    state, table = kernel.new_state()
    events: list[tuple[str, float]] = []
    closed: list[dict[str, float]] = []
    edges = [0, *(np.flatnonzero(np.diff(gates)) + 1).tolist(), len(time)]
    for a, b in itertools.pairwise(edges):
        block = [np.ascontiguousarray(column[a:b]) for column in (time, load, ok, speed)]
        air = np.zeros(b - a, dtype=bool)
        at = 0
        while at < b - a:
            at, event = kernel.advance(
                *block, at, int(gates[a]), int(has_speed), 30.0, period, state, table, air, kernel.every_look(), NOWHERE
            )
            if event == kernel.OPENED:
                events.append(("opened", state[kernel.T_OPEN]))
            elif event == kernel.GROWN:
                events.append(("grown", block[0][at - 1]))
            elif event != kernel.NONE:
                events.append((NAMES[event], state[kernel.T_LAST]))
                names = ("n", "sum", "work", "fall", "rise", "settled", "sure")
                closed.append({name: state[getattr(kernel, name.upper())] for name in names})
    return events, closed, table, state


def compare(time, load, ok, speed, gates, *, has_speed=True, period=0.0) -> int:  # type: ignore[no-untyped-def]
    """Kernel and twin agree; returns how many cuts there were."""
    events, closed, table, state = walk(time, load, ok, speed, gates, has_speed=has_speed, period=period)
    twin = Segmenter(has_speed, 30.0, period)
    for t, x, good, v, gate in zip(time.tolist(), load.tolist(), ok.tolist(), speed.tolist(), gates.tolist(), strict=True):
        twin.feed(t, x, good, v, gate)
    assert [name for name, _ in events] == [name for name, _ in twin.events]
    assert np.allclose([t for _, t in events], [t for _, t in twin.events])
    for ours, theirs in zip(closed, twin.closed, strict=True):
        assert (ours["settled"], ours["sure"]) == (theirs.settled, theirs.sure)
        expected = [theirs.n, theirs.total, theirs.work, theirs.fall, theirs.rise]
        assert np.allclose([ours["n"], ours["sum"], ours["work"], ours["fall"], ours["rise"]], expected, rtol=1e-9, atol=1e-9)
    known = {b: table[0, b] for b in range(kernel.BINS) if table[1, b] > 0}
    assert known.keys() == twin.idle.keys()
    assert np.allclose(list(known.values()), [twin.idle[b] for b in known])
    assert {b: table[2, b] for b in known} == twin.confirmed
    assert state[kernel.NOISE] == pytest.approx(twin.noise)
    return len(closed)


def lathe_rows(**faults):  # type: ignore[no-untyped-def]
    """Three parts of the hand-made lathe."""
    readings = rows(4, Faults(**faults), seed=3)
    cycle = readings.values[:, 4].astype(int)
    return readings.time, readings.values[:, 0], readings.quality[:, 0] == 0, readings.values[:, 1], cycle


def test_a_lathe_with_a_cycle_bit() -> None:
    assert compare(*lathe_rows()) == 12


def test_a_lathe_whose_control_gives_sections() -> None:
    time, load, ok, speed, _ = lathe_rows()
    inside = (time - time[0]) % 7.0
    gates = np.where((inside > 0.8) & (inside < 2.6), 2, 0)
    assert compare(time, load, ok, speed, gates) >= 4


def test_a_load_that_is_lost_within_a_cut() -> None:
    assert compare(*lathe_rows(lost=(8.5, 11.0))) >= 10


def test_no_speed_channel() -> None:
    time, load, ok, speed, gates = lathe_rows()
    assert compare(time, load, ok, np.zeros_like(speed), gates, has_speed=False) > 0


@pytest.mark.parametrize(
    "load",
    [
        np.zeros(200),
        np.full(200, 5.0),
        np.where(np.arange(200) == 90, 1e30, 1.0),
        np.full(200, 5e-324),
        np.where(np.arange(200) > 100, np.inf, 1.0),
        np.where(np.arange(200) > 100, 30.0, 5.0),
        np.where(np.arange(200) % 7 == 3, np.nan, 5.0),
        np.clip(60.0 * np.random.default_rng(6).normal(size=200), 0.0, 100.0),
        np.random.default_rng(7).normal(size=200),
    ],
    ids=["zero", "constant", "impulse", "denormal", "infinite", "step", "missing", "saturated", "random"],
)
def test_unkind_loads(load: np.ndarray) -> None:
    time = np.arange(200) * 0.05
    ok = np.isfinite(load)
    compare(time, load, ok, np.full(200, 1000.0), np.ones(200, dtype=int))


def test_nothing_and_one_reading() -> None:
    empty = np.zeros(0)
    state, table = kernel.new_state()
    looks = kernel.every_look()
    none = empty.astype(bool)
    assert kernel.advance(empty, empty, none, empty, 0, 1, 1, 30.0, 0.0, state, table, none, looks, NOWHERE) == (0, kernel.NONE)
    one = np.ones(1)
    yes = one.astype(bool)
    assert kernel.advance(one, one, yes, one, 0, 1, 1, 30.0, 0.0, state, table, yes, looks, NOWHERE) == (1, kernel.NONE)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8, math.inf])
@pytest.mark.parametrize("top", [-math.inf, 10.0, 38.0, 41.0, math.inf])
@pytest.mark.parametrize(("gone", "faint"), [(0.0, 0.0), (0.5, 0.0), (0.5, 5.0), (0.9, 50.0)])
def test_only_looks_beyond_the_bounds_are_told(gone: float, faint: float, top: float, share: float) -> None:
    time, load, ok, speed = (np.ascontiguousarray(column) for column in lathe_rows(broken={4: (1, 0.5, 9)})[:4])
    usual = np.stack([np.where(np.arange(40) % 7 == 3, -math.inf, 50.0 - 0.5 * np.arange(40)), 36.0 + np.arange(40) % 9])
    usual[1, 20:25] = math.inf
    grid = 0.03

    def told(*bounds: float) -> tuple[list[tuple[float, ...]], np.ndarray, np.ndarray]:
        state, table = kernel.new_state()
        looks, air = kernel.every_look(), np.zeros(len(time), dtype=bool)
        looks[: len(bounds)] = bounds
        found, at, event = [], 0, kernel.NONE
        while at < len(time):
            at, event = kernel.advance(time, load, ok, speed, at, 1, 1, 30.0, 0.0, state, table, air, looks, usual)
            if event == kernel.GROWN:
                figures = (kernel.LEVEL, kernel.FALL, kernel.BEFORE, kernel.T_OPEN, kernel.IDLE, kernel.HERE)
                found.append((float(time[at - 1]), *(float(state[i]) for i in figures)))
        return found, looks, state

    def beyond(now: float, level: float, fall: float, before: float, opened: float, idle: float, noise: float) -> bool:
        place = int((now - opened) // grid)
        stands = usual[0, place] - idle / (now - opened) if place < 40 else -math.inf
        high = level > top or (place < 40 and level > usual[1, place])
        low = stands >= faint * noise and level < gone * stands
        return bool(high or low or (before > 0.0 and fall / before >= share))

    every, counted, before = told()
    assert counted[kernel.LOOKS] == 0.0
    some, looks, after = told(top, share, gone, faint, grid)
    expected = [one for one in every if beyond(*one)]
    assert some == expected
    assert looks[kernel.LOOKS] == len(every) - len(expected)
    assert len(every) == len(expected) or looks[kernel.LOOKED] == max(one[0] for one in set(every) - set(expected))
    assert np.array_equal(before, after, equal_nan=True)


@pytest.mark.parametrize("speed", [0.0, -0.0, 29.9, 30.0, -1500.0, 1e308, math.inf, math.nan, 5e-324])
def test_speed_bins(speed: float) -> None:
    assert kernel.speed_bin(speed) == bin_of(speed)


def at_one_hertz() -> tuple[np.ndarray, ...]:
    """A drive polled once a second: run-up in one poll, a cut with two readings at idle in it, braking."""
    speed = np.array([0.0] * 10 + [530.0] + [1000.0] * 60 + [400.0] + [0.0] * 10)
    load = np.ones(len(speed))
    load[10], load[71] = 18.0, 98.0
    load[25:45] = 12.0
    load[33:35] = 1.0
    time = np.arange(len(speed)) * 1.05
    return time, load, np.ones(len(speed), dtype=bool), speed, np.ones(len(speed), dtype=int)


def test_a_slow_poll_tells_a_run_up_from_a_cut_and_bridges_a_short_pause() -> None:
    columns = at_one_hertz()
    assert compare(*columns, period=1.05) == 1
    events, closed, _, _ = walk(*columns, period=1.05)
    assert [name for name, _ in events if name != "grown"] == ["opened", "closed"]
    assert closed[0]["work"] == pytest.approx(1.05 * 11.0 * 17, rel=0.02)


def test_a_slow_poll_whose_period_is_not_known_splits_the_cut_and_counts_nothing() -> None:
    events, closed, _, _ = walk(*at_one_hertz())
    assert [name for name, _ in events if name != "grown"] == ["opened", "closed"] * 2
    assert [cut["work"] for cut in closed] == [0.0, 0.0]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_random_walks(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 300))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    time = np.cumsum(random.choice([0.02, 0.05, 0.1, 1.5, 3.0], n, p=[0.3, 0.4, 0.25, 0.03, 0.02]))
    load = 5.0 + 0.3 * random.standard_normal(n) + 20.0 * (np.cumsum(random.random(n) < 0.05) % 2)
    speed = np.where(np.cumsum(random.random(n) < 0.02) % 2, 1500.0, random.choice([0.0, 800.0, -1500.0]))
    ok = random.random(n) > 0.03
    gates = (np.cumsum(random.random(n) < 0.02) % 3).astype(int)
    compare(time, load, ok, speed, gates, period=data.draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])))


def test_batches_do_not_matter() -> None:
    time, load, ok, speed, gates = lathe_rows()
    whole = walk(time, load, ok, speed, gates)
    state, table = kernel.new_state()
    events: list[tuple[str, float]] = []
    for i in range(len(time)):
        block = [np.ascontiguousarray(column[i : i + 1]) for column in (time, load, ok, speed)]
        air = np.zeros(1, dtype=bool)
        at = 0
        while at < 1:
            at, event = kernel.advance(*block, at, int(gates[i]), 1, 30.0, 0.0, state, table, air, kernel.every_look(), NOWHERE)
            if event != kernel.NONE:
                when = state[kernel.T_OPEN] if event == kernel.OPENED else block[0][0] if event == kernel.GROWN else state[kernel.T_LAST]
                events.append((NAMES[event], when))
    assert events == whole[0]
    assert np.array_equal(table, whole[2])
    assert np.array_equal(state, whole[3], equal_nan=True)
