from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from drivers.simulate import demo, hahn
from drivers.simulate.cycle import MIN_READINGS, TICK, Cycle, fastest, tracks
from drivers.simulate.machine import Machine
from drivers.simulate.script import Listed, Story
from drivers.simulate.shop import check_pace
from drivers.simulate.state import State
from drivers.simulate.texts import Refused

POLL = 0.05


def poll(machine: Machine, seconds: float, every: float = POLL) -> list[State]:
    first = round(machine.time / every) + 1
    return [machine.advance(k * every) for k in range(first, first + round(seconds / every))]


@pytest.fixture(scope="module")
def parts() -> list[State]:
    return poll(Machine(demo.cycle(), seed=7), 40 * demo.cycle().period)


def quiet(cycle: Cycle) -> Cycle:
    return dataclasses.replace(cycle, spindle=dataclasses.replace(cycle.spindle, noise=0.0, spread=0.0))


def test_same_seed_and_script_give_the_same_signals_however_often_it_is_asked() -> None:
    one, two = Machine(demo.cycle(), 3, Story()), Machine(demo.cycle(), 3, Story())
    often = {round(s.time, 2): s for s in poll(one, 62.0, 0.01)}
    seldom = poll(two, 62.0, 0.35)
    assert all(often[round(s.time, 2)] == s for s in seldom)
    assert [*one.log][: len(two.log)] == [*two.log]
    assert [*one.trace][:6000] == [*two.trace][:6000]


def test_another_seed_gives_other_noise_and_the_same_program() -> None:
    one, two = poll(Machine(demo.cycle(), 1), 12.4), poll(Machine(demo.cycle(), 2), 12.4)
    assert [s.load for s in one] != [s.load for s in two]
    assert [(s.tool, s.section, s.speed, s.made, s.cut) for s in one] == [(s.tool, s.section, s.speed, s.made, s.cut) for s in two]


def test_time_never_goes_back() -> None:
    machine = Machine(demo.cycle(), 1)
    later = machine.advance(5.0)
    assert machine.advance(3.0) == later


def test_demo_part_takes_6_2_s_and_counts_at_its_end(parts: list[State]) -> None:
    assert demo.cycle().period == 6.6
    ends = [b.time for a, b in pairwise(parts) if b.made == a.made + 1]
    assert np.diff(ends) == pytest.approx(6.6, abs=POLL + 1e-9)
    assert ends[0] == pytest.approx(6.6, abs=POLL)


def test_every_demo_cut_takes_1_to_2_s_and_gets_enough_readings(parts: list[State]) -> None:
    counts: dict[tuple[int, int], int] = {}
    for s in parts:
        if s.cut >= 0:
            counts[s.part, s.tool] = counts.get((s.part, s.tool), 0) + 1
    assert {tool for _, tool in counts} == {1, 2, 4}
    assert min(counts.values()) >= MIN_READINGS
    assert all(1.0 <= plan.duration <= 2.0 for plan in demo.cycle().cuts)


def test_demo_idle_depends_on_the_speed_and_cuts_are_20_to_55_percent(parts: list[State]) -> None:
    cycle = quiet(demo.cycle())
    idle = {}
    for speed in (1600.0, 2400.0, 2800.0):
        standing = dataclasses.replace(cycle, speed=((0.0, speed), (6.6, speed)), cuts=cycle.cuts[:1])
        idle[speed] = poll(Machine(standing, 1), 0.8)[-1].load
    assert 3.0 < idle[1600.0] < idle[2400.0] < idle[2800.0] < 8.0
    for tool in (1, 2, 4):
        loads = [s.load for s in parts if s.cut >= 0 and s.tool == tool]
        assert 19.0 < np.percentile(loads, 75) < 56.0, tool


def test_run_up_draws_more_than_any_cut_and_is_none(parts: list[State]) -> None:
    assert max(s.load for s in parts if s.cut < 0) > max(s.load for s in parts if s.cut >= 0)


def test_spread_from_part_to_part_is_about_1_percent_and_noise_0_6(parts: list[State]) -> None:
    work = [np.mean([s.load for s in parts if s.part == n and s.cut == 0]) for n in range(1, 40)]
    assert 0.004 < np.median(np.abs(np.array(work) / np.median(work) - 1.0)) < 0.018
    calm = poll(Machine(quiet(demo.cycle()), 7), 40 * 6.6)
    rest = np.array([a.load - b.load for a, b in zip(parts, calm, strict=True) if a.cut < 0 and a.speed == b.speed > 100])
    assert 0.45 < rest.std() < 0.8


def test_noise_is_first_order_autoregressive() -> None:
    cycle = demo.cycle()
    standing = dataclasses.replace(cycle, speed=((0.0, 2400.0), (6.6, 2400.0)), cuts=())
    load = np.array([s.load for s in poll(Machine(dataclasses.replace(standing, cuts=demo.cycle().cuts[:1]), 5), 400.0, TICK) if s.cut < 0])
    rest = load - load.mean()
    middle = [rest[k:] @ rest[:-k] / (rest @ rest) for k in (1, 2)]
    assert middle[0] > 0.8
    assert middle[0] > middle[1] > 0.6


def test_words_door_and_cycle_are_consistent(parts: list[State]) -> None:
    assert {s.mode for s in parts} == {"AUTOMATIC"}
    assert {(s.execution, s.cycle) for s in parts} == {("ACTIVE", True), ("PROGRAM_COMPLETED", False)}
    assert any(s.door == "OPEN" for s in parts)
    assert all(s.speed < 1.0 and not s.cycle and s.cut < 0 for s in parts if s.door == "OPEN")
    assert all(s.program == 4711 and s.section in {1, 2, 3} for s in parts)
    assert {(s.tool, s.section) for s in parts if s.cut >= 0} == {(4, 1), (1, 2), (2, 3)}


def test_tracks_give_every_cut_its_tool_and_section() -> None:
    for cycle in (demo.cycle(), hahn.cycle()):
        t = tracks(cycle)
        assert len(t.speed) == round(cycle.period / TICK)
        for i, plan in enumerate(cycle.cuts):
            inside = [k for k, cut in enumerate(t.cut) if cut == i]
            assert len(inside) * TICK == pytest.approx(plan.duration, abs=TICK)
            assert {t.tool[k] for k in inside} == {plan.tool}
            assert {t.section[k] for k in inside} == {plan.section}


@pytest.mark.parametrize("cycle", [demo.cycle(), hahn.cycle()], ids=lambda c: c.name)
def test_default_poll_suits_the_cycle_at_the_speed_of_life(cycle: Cycle) -> None:
    check_pace(cycle, 1.0, cycle.poll)
    assert fastest(cycle, cycle.poll) >= 1.0


def test_too_fast_is_refused_with_the_remedy() -> None:
    with pytest.raises(Refused) as refused:
        check_pace(demo.cycle(), 3.0, 0.05)
    assert refused.value.key == "too_fast"
    assert refused.value.values["fastest"] == 2.5
    assert refused.value.values["readings"] == 6
    check_pace(demo.cycle(), 2.5, 0.05)
    check_pace(demo.cycle(), 4.0, 0.03)


@pytest.mark.parametrize("speed", [0.0, -1.0, 4.1, float("nan"), float("inf")])
def test_speed_is_at_most_4(speed: float) -> None:
    with pytest.raises(Refused) as refused:
        check_pace(demo.cycle(), speed, 0.001)
    assert refused.value.key == "speed"


def test_slow_poll_of_short_cuts_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        check_pace(hahn.cycle(), 1.0, 0.05)
    assert refused.value.key == "slow_poll"
    assert refused.value.values["slowest"] == 0.042


def test_services_stay_in_range(parts: list[State]) -> None:
    assert all(30.0 < s.spindle_temperature < 42.0 for s in parts)
    assert all(5.5 < s.air_pressure < 6.6 and 42.0 < s.hydraulic_pressure < 48.0 for s in parts)
    assert parts[-1].coolant_level < parts[0].coolant_level


def test_an_empty_script_is_calm() -> None:
    machine = Machine(demo.cycle(), 1, Listed())
    poll(machine, 62.0)
    assert {r.event for r in machine.log} == {"part", "cut"}
