"""The cutting clock: what counts, what a change does, and what is not a life."""

from __future__ import annotations

import math

import msgspec
import pytest

from agent.detect.clock import KEPT, LIVES, MEASURES, MOST, SIGNALS, Clock, Clocks
from agent.model import Cut, CutFeatures, Indicator, Operation


def cut(tool: str = "4", *, program: str = "1", seconds: float = 2.0, held: str = "", phase: str = "closed", time: float = 10.0) -> Cut:
    features = CutFeatures(samples=40, duration=seconds, mean=30.0, peak=40.0, idle=5.0, work=50.0, largest_rise=0.0, largest_fall=0.0)
    operation = Operation(spindle="S1", program=program, revision=1, tool=tool, section="")
    data = {"id": "S1-1", "phase": phase, "part": 0, "opened": time - seconds, "time": time, "held": held}
    return Cut(operation=operation, features=features, **data)  # type: ignore[arg-type]


def made(parts: int, clocks: Clocks | None = None) -> Clocks:
    clocks = clocks or Clocks()
    for _ in range(parts):
        clocks.on_cut(cut())
        clocks.on_part()
    return clocks


def of(clocks: Clocks, tool: str = "4") -> Clock:
    clock = clocks.of(tool, "S1")
    assert clock is not None
    return clock


def test_it_counts_over_programs_and_under_an_override_but_only_closed_cuts_of_a_known_tool() -> None:
    clocks = Clocks()
    for one in (cut(), cut(program="2"), cut(held="feed_override"), cut(phase="grown"), cut(phase="opened"), cut(tool="")):
        clocks.on_cut(one)
    clocks.on_part()
    clocks.on_part()
    assert list(clocks.state) == ["S1|4"]
    clock = of(clocks)
    assert (clock.cuts, clock.seconds, clock.parts, clock.work) == (3, 6.0, 1, 150.0)


def test_the_tool_that_stood_there_first_leaves_no_life() -> None:
    clocks = made(5)
    clocks.changed("4", "", "worn", 100.0)
    assert of(clocks).lives == []
    assert of(clocks).whole
    made(3, clocks)
    clocks.measure("4", "", 0.28, 150.0)
    clocks.changed("4", "", "worn", 200.0)
    (life,) = of(clocks).lives
    assert (life.parts, life.cuts, life.seconds, life.reason, life.vb, life.ended) == (3, 3, 6.0, "worn", 0.28, 200.0)
    assert (of(clocks).cuts, of(clocks).parts, of(clocks).seconds, of(clocks).measures) == (0, 0, 0.0, [])


def test_a_change_typed_twice_is_one() -> None:
    clocks = made(2)
    for time in (100.0, 101.0):
        clocks.changed("4", "", "", time)
    made(2, clocks)
    for time in (200.0, 201.0):
        clocks.changed("4", "", "worn", time)
    assert len(of(clocks).lives) == 1


def ratio(value: float, name: str = "work_ratio", channel: str = "", operation: str = "S1/1/r1/T4/-") -> Indicator:
    return Indicator(time=1.0, channel=channel, operation=operation, tool="4", name=name, value=value)


def test_levels_of_the_signals_go_into_the_measure_and_the_life() -> None:
    clocks = made(1)
    clocks.changed("4", "", "", 0.0)
    made(1, clocks)
    for value in (1.0, 1.2, 1.1):
        clocks.hear(cut(), [ratio(value), ratio(2.0, "axis_load_ratio", "z"), ratio(3.0, "wild")])
    clocks.hear(cut(program="2"), [ratio(1.0, operation="S1/2/r1/T4/-"), ratio(0.0, "vibration_ratio")])
    clocks.measure("4", "", 0.1, 5.0)
    levels = dict(of(clocks).measures[0].levels)
    assert set(levels) == {"work_ratio", "z"}
    assert levels["z"] == pytest.approx(math.log(2.0))
    assert levels["work_ratio"] == pytest.approx(0.25 * (math.log(1.2) + math.log(1.1))), "the median of two operations"
    clocks.changed("4", "", "worn", 6.0)
    (life,) = of(clocks).lives
    assert life.levels == levels
    assert [one.vb for one in life.measures] == [0.1]
    assert of(clocks).levels == {}


def test_of_many_measures_a_life_keeps_some_from_the_first_to_the_last() -> None:
    clocks = made(1)
    clocks.changed("4", "", "", 0.0)
    for k in range(30):
        made(1, clocks)
        clocks.measure("4", "", 0.01 * k, float(k))
    clocks.changed("4", "", "worn", 50.0)
    kept = [one.vb for one in of(clocks).lives[0].measures]
    assert len(kept) == KEPT
    assert (kept[0], kept[-1]) == (0.0, 0.29)
    assert kept == sorted(kept)


def test_so_many_signals_of_a_tool_and_no_more() -> None:
    clocks = made(1)
    clocks.hear(cut(), [ratio(1.1, operation=f"S1/{k}/r1/T4/-") for k in range(SIGNALS + 5)])
    assert len(of(clocks).levels) == SIGNALS
    clocks.hear(cut(tool="9"), [ratio(1.1)])
    assert clocks.of("9", "S1") is None


def test_a_measure_typed_again_before_the_next_cut_replaces_the_first() -> None:
    clocks = made(1)
    clocks.measure("4", "S1", 3.0, 1.0)
    clocks.measure("4", "S1", 0.3, 2.0)
    made(1, clocks)
    clocks.measure("4", "S1", 0.35, 3.0)
    assert [(one.vb, one.parts) for one in of(clocks).measures] == [(0.3, 1), (0.35, 2)]


def test_a_new_edge_that_nobody_told_ends_what_is_known() -> None:
    clocks = made(1)
    clocks.changed("4", "", "", 0.0)
    made(3, clocks)
    clocks.measure("4", "", 0.2, 1.0)
    clocks.untold("4", "S1")
    assert not of(clocks).whole
    assert of(clocks).measures == []
    clocks.changed("4", "", "worn", 2.0)
    assert of(clocks).lives == []


def test_it_is_bounded_and_survives_a_restart() -> None:
    clocks = Clocks()
    for tool in range(MOST + 5):
        clocks.on_cut(cut(tool=str(tool), time=float(tool)))
    assert len(clocks.state) == MOST
    assert clocks.of("0", "S1") is None
    clocks = made(1)
    for k in range(LIVES + 5):
        clocks.changed("4", "", "worn", float(k))
        for _ in range(MEASURES + 2):
            made(1, clocks)
            clocks.measure("4", "", 0.1, 0.0)
    assert (len(of(clocks).lives), len(of(clocks).measures)) == (LIVES, MEASURES)
    again = Clocks()
    again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(clocks.state), type=dict[str, Clock]))
    assert again.state == clocks.state


@pytest.mark.parametrize(("anew", "work"), [((), 50.0), (("S1",), None), (("S2",), 50.0)])
def test_a_load_in_another_unit_is_not_added_to_the_old(anew: tuple[str, ...], work: float | None) -> None:
    clocks = Clocks()
    clocks.restore(made(1).state, anew)
    assert of(clocks).work == work
    clocks.on_cut(cut())
    assert of(clocks).work == (None if work is None else 100.0)
