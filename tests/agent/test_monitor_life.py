"""Tool life through the pass: the clock, typed measures, 'still good', a change with its reason, over a restart."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable

import msgspec
import pytest

from agent.commands import FalseAlarm, Measure, StillGood, ToolChanged
from agent.maintenance import plan
from agent.model import Alert, Event, Indicator, ToolView
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import MachineSettings, ToolOptions
from drivers.model import Readings
from tests.support.lathe import START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))


def run(parts: int, faults: Faults | None = None, machine: MachineSettings | None = None) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    return monitor, [e for piece in pieces(rows(parts, faults), itertools.repeat(40)) for e in monitor.feed(piece)] + monitor.finish()


def shown(monitor: Monitor, tool: str = "2") -> ToolView:
    (view,) = [view for view in monitor.snapshot().tools if view.tool == tool]
    return view


def test_cuts_parts_and_seconds_are_counted_and_kept_over_a_restart() -> None:
    monitor, _ = run(6)
    view = shown(monitor)
    assert (view.cuts, view.parts, view.new_known) == (6, 5, False)
    assert view.cutting_time == pytest.approx(6 * 1.2, abs=0.8)
    again = Monitor(settings(), PLAN)
    again.restore(monitor.state())
    assert again.lives.saved() == monitor.lives.saved()
    assert again.state() == monitor.state()


def test_a_change_starts_the_clock_and_keeps_the_life_with_its_reason() -> None:
    monitor, _ = run(6)
    result, _ = monitor.do(ToolChanged(tool="2", reason="worn"), START + 42)
    assert result.accepted
    assert (shown(monitor).cuts, shown(monitor).parts, shown(monitor).new_known, shown(monitor).lives) == (0, 0, True, 0)
    monitor, _ = run(1)
    for k in range(4):
        monitor.do(ToolChanged(tool="2", reason="broken" if k else ""), START + 100.0 * k)
        for piece in pieces(_later(rows(5 + k), 100.0 * k + 20.0), itertools.repeat(40)):
            monitor.feed(piece)
        monitor.finish()
    clock = monitor.lives.clock("2", "S1")
    assert clock is not None
    assert [life.reason for life in clock.lives] == ["broken"] * 3
    assert [life.cuts for life in clock.lives] == [5, 6, 7]
    assert shown(monitor).lives == 3


def test_measures_give_what_is_left_and_the_page_is_told_by_what() -> None:
    monitor, _ = run(1)
    monitor.do(ToolChanged(tool="2"), START + 7)
    for k, vb in enumerate((0.1, 0.15, 0.19)):
        for piece in pieces(_later(rows(10), 20.0 + 80.0 * k), itertools.repeat(40)):
            monitor.feed(piece)
        monitor.finish()
        result, told = monitor.do(Measure(tool="2", vb=vb), START + 95.0 + 80.0 * k)
        assert result.accepted
        (said,) = told
        assert isinstance(said, Indicator)
        assert (said.name, said.value, said.unit, said.tool) == ("flank_wear", vb, "mm", "2")
        if k == 0:
            assert (shown(monitor).parts_low, shown(monitor).basis) == (None, "")
    view = shown(monitor)
    assert (view.basis, view.basis_n, view.basis_level, view.vb, view.vb_parts) == ("measures", 3, 0.8, 0.19, 0)
    assert view.parts_low is not None
    assert view.parts_high is not None
    assert 0 <= view.parts_low < 25 < view.parts_high
    before = view.parts_low
    result, _ = monitor.do(StillGood(tool="2"), START + 300)
    assert result.accepted
    assert shown(monitor).parts_low >= before  # type: ignore[operator]


def test_a_limit_of_the_shop_is_used() -> None:
    machine = msgspec.structs.replace(settings(), tool=(ToolOptions(number=2, vb_limit=0.15),))
    monitor, _ = run(2, machine=machine)
    assert shown(monitor).vb_limit == 0.15
    assert shown(monitor, "4").vb_limit == 0.3


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Measure(tool="99", vb=0.1), "unknown_tool"),
        (Measure(tool="2", spindle="S9", vb=0.1), "unknown_tool"),
        (Measure(tool="2", vb=float("nan")), "not_a_flank_wear"),
        (Measure(tool="2", vb=30.0), "not_a_flank_wear"),
        (Measure(tool="2", vb=-0.1), "not_a_flank_wear"),
        (StillGood(tool="99"), "unknown_tool"),
        (ToolChanged(tool="99"), "unknown_tool"),
        (ToolChanged(tool="2", spindle="S9"), "unknown_tool"),
    ],
)
def test_what_cannot_be_is_refused(command: Measure | StillGood | ToolChanged, reason: str) -> None:
    monitor, _ = run(2)
    before = monitor.state()
    result, told = monitor.do(command, START + 20)
    assert (result.accepted, result.reason, told) == (False, reason, [])
    assert monitor.state() == before


def test_still_good_acknowledges_what_was_said_of_its_wear() -> None:
    monitor, _ = run(14, Faults(wear={2: (5, 0.08)}), settings(wear_limit=0.15))
    _, told = monitor.do(StillGood(tool="2", by="AB"), START + 99)
    (alert,) = [event for event in told if isinstance(event, Alert)]
    assert (alert.kind, alert.state, alert.acknowledged_by) == ("wear", "acknowledged", "AB")


def test_a_slope_gives_what_is_left_only_where_it_climbs() -> None:
    steady, _ = run(40)
    assert {view.parts_low for view in steady.snapshot().tools} == {None}
    climbing, _ = run(40, Faults(wear={2: (3, 0.01)}), settings(wear_limit=0.6))
    view = shown(climbing)
    assert (view.basis, view.basis_level) == ("trend", 0.95)
    assert view.parts_low is not None
    assert view.parts_high is not None
    true = (0.6 - 0.01 * 36) / 0.01
    assert view.parts_low <= true * 1.5
    assert view.parts_high >= true * 0.7


def test_a_new_edge_without_telling_takes_back_the_claim_to_know_its_life() -> None:
    monitor = Monitor(settings(wear_limit=0.15), PLAN)
    worn = rows(12, Faults(wear={2: (5, 0.08)}))
    for piece in pieces(worn, itertools.repeat(50)):
        monitor.feed(piece)
    clock = monitor.lives.clock("2", "S1")
    assert clock is not None
    clock.whole = True
    for piece in pieces(_later(rows(6, seed=5), 12 * 7.0 + 1.0), itertools.repeat(50)):
        monitor.feed(piece)
    assert not clock.whole


def _later(readings: Readings, seconds: float) -> Readings:
    """The same readings so many seconds later, their part numbers too."""
    values = readings.values.copy()
    values[:, readings.channels.index("part")] += 1000.0 * round(seconds)
    return dataclasses.replace(readings, time=readings.time + seconds, values=values)


def lasted(lives: list[int], then: int) -> tuple[Monitor, list[Event]]:
    """Tool 2 was changed worn after so many parts each time, and has made so many since; what was told of the last one."""
    monitor, _ = run(1)
    monitor.do(ToolChanged(tool="2"), START + 8.0)
    at = 20.0
    for parts in lives:
        cut(monitor, parts, at)
        at += 8.0 * parts + 20.0
        monitor.do(ToolChanged(tool="2", reason="worn"), START + at - 10.0)
    return monitor, cut(monitor, then, at)


def cut(monitor: Monitor, parts: int, at: float) -> list[Event]:
    told = [event for piece in pieces(_later(rows(parts), at), itertools.repeat(40)) for event in monitor.feed(piece)]
    return told + monitor.finish()


def wears(told: Iterable[Event]) -> list[Alert]:
    """The recordings here have holes, of which alerts tell as well."""
    return [event for event in told if isinstance(event, Alert) and event.kind == "wear"]


def test_by_what_earlier_tools_lasted_the_page_says_what_is_left_and_a_change_is_due_before_they_were_worn() -> None:
    monitor, told = lasted([12, 14, 13], 4)
    view = shown(monitor)
    assert (view.basis, view.basis_n, view.basis_level) == ("lives", 3, 0.8)
    assert view.parts_low is not None
    assert view.parts_high is not None
    assert view.parts_low < 9 < view.parts_high
    assert not wears(told)
    monitor, told = lasted([12, 14, 13], 14)
    (alert,) = wears(told)
    assert (alert.severity, alert.tool, alert.transition) == ("advice", "2", "raised")
    assert alert.evidence["due"] is True
    assert alert.evidence["lives"] == 3
    assert 7 <= alert.evidence["parts"] <= 12  # type: ignore[operator]
    assert alert.evidence["chance_pct"] >= 20.0  # type: ignore[operator]
    assert alert.checklist
    (known,) = monitor.desk.reasons.of([alert])
    assert (known.basis, known.against, known.n) == ("due", "earlier_tools", 3)


def test_still_good_acknowledges_it_too_over_a_restart() -> None:
    monitor, _ = lasted([12, 14, 13], 11)
    again = Monitor(settings(), PLAN)
    again.restore(monitor.state())
    assert [alert.evidence["due"] for alert in wears(again.desk.alerts.open)] == [True]
    again.do(StillGood(tool="2", by="AB"), START + 600.0)
    assert [alert.state for alert in wears(again.desk.alerts.open)] == ["acknowledged"]


def test_who_calls_it_false_moves_no_limit_of_a_signal() -> None:
    monitor, _ = lasted([12, 14, 13], 11)
    (alert,) = wears(monitor.desk.alerts.open)
    result, _ = monitor.do(FalseAlarm(alert=alert.id), START + 600.0)
    assert result.accepted
    assert not monitor.watch.tuning.trail
    assert not wears(cut(monitor, 3, 620.0)), "nor is it told again of this edge"
