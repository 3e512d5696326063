"""The cutting clock: what counts, what a change does, and what is not a life."""

from __future__ import annotations

import msgspec
import pytest

from agent.detect.clock import LIVES, MEASURES, MOST, Clock, Clocks, worn_out
from agent.model import Cut, CutFeatures, Operation


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


def test_what_was_changed_by_plan_does_not_say_how_long_it_lasts() -> None:
    clocks = made(1)
    clocks.changed("4", "", "", 0.0)
    for reason in ("worn", "planned", "broken", ""):
        made(2, clocks)
        clocks.changed("4", "", reason, 10.0)  # type: ignore[arg-type]
    assert [life.reason for life in worn_out(of(clocks).lives)] == ["worn", "broken", ""]


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
