from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivers.simulate import demo
from drivers.simulate.faults import decode, encode
from drivers.simulate.machine import Machine
from drivers.simulate.script import Both, Listed, Story, load_script
from drivers.simulate.state import State
from drivers.simulate.vibration import CHUNK, Vibration

PERIOD = demo.cycle().period
POLL = 0.05


def made(script: str = "[]", parts: float = 6, seed: int = 4) -> tuple[list[State], Machine]:
    machine = Machine(demo.cycle(), seed, load_script(script))
    return [machine.advance(k * POLL) for k in range(1, round(parts * PERIOD / POLL) + 1)], machine


def work(states: list[State], part: int, tool: int) -> float:
    """Mean load above idle (at that tool's speed), of a cut."""
    loads = [s.load for s in states if s.part == part and s.tool == tool and s.cut >= 0]
    return float(np.mean(loads)) - {4: 5.9, 1: 6.6, 2: 4.7}[tool]


def test_wear_rises_part_by_part_up_to_its_limit_and_ends_with_a_new_tool() -> None:
    script = '[{"fault":"wear","tool":2,"per_part":0.1,"limit":0.3,"at_part":3},{"fault":"new_tool","tool":2,"at_part":8}]'
    worn, _ = made(script, 9)
    fresh, _ = made("[]", 9)
    ratio = [work(worn, part, 2) / work(fresh, part, 2) for part in range(1, 10)]
    assert ratio[:2] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert ratio[2:7] == pytest.approx([1.1, 1.2, 1.3, 1.3, 1.3], abs=0.02)
    assert ratio[7:] == pytest.approx([1.0, 1.0], abs=0.04)
    for other in (1, 4):
        assert [work(worn, p, other) for p in range(1, 10)] == pytest.approx([work(fresh, p, other) for p in range(1, 10)], abs=1e-9)


def test_break_spikes_falls_within_the_cut_and_leaves_the_tool_missing_until_it_is_new() -> None:
    script = '[{"fault":"break","tool":4,"at_part":3,"at_s_in_cut":0.6},{"fault":"new_tool","tool":4,"at_part":6}]'
    states, machine = made(script, 7)
    (broken,) = [r for r in machine.log if r.event == "broken"]
    start = 2 * PERIOD + demo.cycle().cuts[0].start
    assert broken.time == pytest.approx(start + 0.6, abs=0.02)
    cut = [(s.time - broken.time, s.load) for s in states if s.part == 3 and s.cut == 0]
    before = np.mean([load for at, load in cut if -0.4 < at < 0])
    peak = max(load for at, load in cut if 0 <= at < 0.15)
    after = np.mean([load for at, load in cut if 0.3 < at < 0.55])
    assert peak > before + 8.0
    assert 5.0 < after < 0.35 * before
    for part in (4, 5):
        assert np.mean([s.load for s in states if s.part == part and s.cut == 0]) < 8.5
    assert work(states, 6, 4) == pytest.approx(work(states, 2, 4), rel=0.06)


def test_break_on_command_without_a_part_comes_in_the_next_cut_of_that_tool() -> None:
    machine = Machine(demo.cycle(), 1)
    machine.advance(10.0)
    assert machine.apply(decode('{"fault":"break","tool":2}')) == ""
    machine.advance(PERIOD * 3)
    (broken,) = [r for r in machine.log if r.event == "broken"]
    assert (broken.part, broken.tool) == (2, 2)


def test_missing_tool_cuts_nothing_and_can_be_ended() -> None:
    states, _ = made('[{"fault":"missing","tool":1,"at_part":2,"parts":2}]', 5)
    assert [work(states, part, 1) > 10.0 for part in (1, 2, 3, 4)] == [True, False, False, True]


def test_material_moves_all_tools_alike() -> None:
    states, _ = made('[{"fault":"material","factor":1.2,"at_part":4,"parts":2}]', 6)
    fresh, _ = made("[]", 6)
    for tool in (1, 2, 4):
        ratio = [work(states, part, tool) / work(fresh, part, tool) for part in (3, 4, 5, 6)]
        assert ratio == pytest.approx([1.0, 1.2, 1.2, 1.0], abs=0.02), tool


def test_warm_up_raises_the_idle_load_and_decays_within_20_min() -> None:
    cold = Machine(demo.cycle(), 2, load_script('[{"fault":"warm_up","rise":0.4}]'))
    warm = Machine(demo.cycle(), 2)
    at_end = 5.60  # spindle still turning in air, after the last cut of a part

    def ratio(seconds: float) -> float:
        t = seconds // PERIOD * PERIOD + at_end
        a, b = cold.advance(t), warm.advance(t)
        return 1.0 + (a.load - b.load) / 4.7

    assert ratio(0) == pytest.approx(1.4, abs=0.03)
    assert cold.state().spindle_temperature < warm.state().spindle_temperature - 8.0
    middle = ratio(400)
    assert 1.05 < middle < 1.25
    assert ratio(1000) < 1.06


def test_override_makes_cuts_longer_and_lighter_and_says_so() -> None:
    states, machine = made('[{"fault":"override","feed":60,"at_part":2,"parts":1}]', 4)
    cuts = {(r.part, r.tool): r.time - r.began for r in machine.log if r.event == "cut"}
    assert cuts[2, 4] == pytest.approx(cuts[1, 4] / 0.6, abs=0.03)
    assert {s.feed_override for s in states if s.part == 2} == {60.0}
    assert {s.feed_override for s in states if s.part in (1, 3)} == {100.0}
    plateau = {part: np.median([s.load for s in states if s.part == part and s.cut == 0]) - 6.0 for part in (1, 2)}
    assert plateau[2] / plateau[1] == pytest.approx(0.6**0.75, abs=0.04)


def test_speed_override_turns_the_spindle_slower() -> None:
    states, _ = made('[{"fault":"override","feed":100,"speed":80,"at_part":2,"parts":1}]', 3)
    assert max(s.speed for s in states if s.part == 2) == pytest.approx(0.8 * 2800.0)
    assert max(s.speed for s in states if s.part == 1) == pytest.approx(2800.0)


def test_feed_hold_stops_the_feed_and_the_load_dies_away() -> None:
    states, _ = made('[{"fault":"feed_hold","at":1.4,"seconds":2.5}]', 2)
    held = [s for s in states if s.feed_hold]
    assert [held[0].time, held[-1].time] == pytest.approx([1.4, 3.9], abs=0.06)
    assert {s.execution for s in held} == {"FEED_HOLD"}
    assert all(s.cut == 0 and s.speed > 2000 for s in held)
    assert all(s.load < 9.0 and s.feed == 0.0 for s in held if s.time > 1.9)
    assert next(s.time for s in states if s.made == 1) == pytest.approx(PERIOD + 2.5, abs=0.06)


@pytest.mark.parametrize(("manner", "silent"), [("announced", True), ("sudden", True), ("io_alive", False)])
def test_power_off_silences_the_drive_and_comes_back(manner: str, silent: bool) -> None:
    states, _ = made(f'[{{"fault":"power_off","at":8.0,"seconds":5,"manner":"{manner}"}}]', 4)
    off = [s for s in states if not s.power_on]
    assert [off[0].time, off[-1].time] == pytest.approx([8.0, 13.0], abs=0.06)
    assert all(s.load == 0.0 and not s.cycle for s in off)
    assert off[-1].speed == 0.0
    assert any(s.silent for s in off) is silent
    if manner == "announced":
        assert not any(s.silent for s in off if s.time < 8.9)
        assert all(s.silent for s in off if s.time > 9.1)
    back = [s for s in states if s.time > 13.0]
    assert back[0].part == 2
    assert not any(s.silent for s in back)
    assert any(s.load > 40.0 for s in back)


def test_unbalance_and_bearing_show_in_the_vibration_alone() -> None:
    def shaken(script: str) -> tuple[np.ndarray, list[float]]:
        machine, vibration = Machine(demo.cycle(), 1, load_script(script)), Vibration(1)
        states = [machine.advance(k * POLL) for k in range(1, 125)]
        moments = list(machine.trace)[:600]
        samples = np.concatenate([vibration.chunk(moments[i : i + CHUNK]) for i in range(0, 600, CHUNK)])
        return samples / 2048.0, [s.load for s in states]

    calm, loads = shaken("[]")
    unbalanced, same = shaken('[{"fault":"unbalance","g":0.3}]')
    damaged, also = shaken('[{"fault":"bearing","g":1.5}]')
    assert loads == same == also
    air = slice(int(2.45 * 6667), int(2.65 * 6667))  # 2800 rpm, no cut
    assert unbalanced[air, 0].std() > 5 * calm[air, 0].std()
    assert np.abs(damaged[air, 0]).max() > 1.0 > 0.2 > np.abs(calm[air, 0]).max()


def test_wire_faults_are_passed_on_when_their_time_has_come() -> None:
    passed: list[object] = []
    script = load_script('[{"fault":"silence","link":"rtu","at_part":2,"seconds":1},{"fault":"cable_cut","link":"tcp","at":3.0}]')
    machine = Machine(demo.cycle(), 1, script, lambda fault: passed.append((machine.time, type(fault).__name__)))
    machine.advance(2.9)
    assert passed == []
    machine.advance(7.0)
    assert passed == [(pytest.approx(3.0), "CableCut"), (pytest.approx(6.6, abs=0.02), "Silence")]


def test_refusals() -> None:
    machine = Machine(demo.cycle(), 1)
    machine.advance(20.0)
    assert machine.apply(decode('{"fault":"wear","tool":9}')) == "no_such_tool"
    assert machine.apply(decode('{"fault":"wear","tool":2,"at_part":2}')) == "past"
    assert machine.apply(decode('{"fault":"feed_hold","at":3}')) == "past"
    assert machine.apply(decode('{"fault":"feed_hold","at":30}')) == ""


@pytest.mark.parametrize(
    "line",
    ['{"fault":"brek"}', '{"fault":"break"}', '{"fault":"break","tool":4,"colour":1}', '{"fault":"late","link":"usb"}', "{", "[]"],
)
def test_a_mistaken_line_is_refused(line: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)


def test_faults_read_back() -> None:
    for line in (b'{"fault":"break","at_part":8,"tool":4,"at_s_in_cut":0.6}', b'{"fault":"late","link":"rtu"}'):
        assert msgspec.json.decode(msgspec.json.encode(encode(decode(line)))) == msgspec.json.decode(line)


def test_the_story_suits_an_agent_that_takes_5_good_cuts_for_new() -> None:
    states, machine = made("demo", 24)
    (broken,) = [r for r in machine.log if r.event == "broken"]
    assert (broken.part, broken.tool) == (8, 4)
    assert 31.0 < broken.time < 52.0
    fresh, _ = made("none", 24)
    ratio = [work(states, part, 2) / work(fresh, part, 2) for part in range(1, 25)]
    assert ratio[:5] == pytest.approx([1.0] * 5)
    assert ratio[5:9] == pytest.approx([1.14, 1.28, 1.42, 1.45], abs=0.02)
    assert ratio[11] == pytest.approx(1.45, abs=0.02)
    assert max(ratio) < 1.5
    assert ratio[12:] == pytest.approx([1.0] * 12, abs=0.05)
    assert all(work(states, part, 4) < 3.0 for part in (9, 10))
    assert all(abs(work(states, part, 4) / work(fresh, part, 4) - 1.0) < 0.05 for part in (*range(1, 8), *range(11, 25)))
    assert all(work(states, part, 1) == pytest.approx(work(fresh, part, 1)) for part in range(1, 25))


def test_the_story_comes_round_with_other_roles() -> None:
    story = Story()
    due = {part: story.due(part) for part in range(1, 73)}
    tools = {part: [f.tool for f in faults] for part, faults in due.items() if faults}  # type: ignore[union-attr]
    assert tools == {6: [2], 8: [4], 11: [4], 13: [2], 30: [1], 32: [2], 35: [2], 37: [1], 54: [4], 56: [1], 59: [1], 61: [4]}
    assert story.tools() == {1, 2, 4}
    assert story.timed() == ()


def test_scripts_from_text_file_and_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"faults":[{"fault":"material","at_part":2}],"repeat":5}')
    script = load_script(str(file))
    assert [bool(script.due(part)) for part in (1, 2, 6, 7, 12)] == [False, True, False, True, True]
    both = Both(script, Listed((decode('{"fault":"break","tool":4,"at_part":2}'),)))
    assert len(both.due(2)) == 2
    assert both.tools() == {4}
    with pytest.raises(OSError, match="nowhere"):
        load_script("nowhere.json")


def test_every_lasting_fault_can_be_ended_by_hand() -> None:
    machine = Machine(demo.cycle(), 1)
    for line in ('{"fault":"material"', '{"fault":"override","feed":50', '{"fault":"feed_hold","seconds":99', '{"fault":"power_off"'):
        assert machine.apply(decode(line + "}")) == ""
        assert machine.apply(decode(line + ',"end":true}')) == ""
    state = machine.advance(PERIOD * 1.5)
    assert (state.feed_override, state.feed_hold, state.power_on, state.part) == (100.0, False, True, 2)
    assert math.isfinite(state.load)
