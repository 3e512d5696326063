"""The whole pass on a hand-made lathe: what is found, when, and what is not."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import msgspec
import numpy as np
import pytest

from agent.commands import Acknowledge, Correct, FalseAlarm, TickStep, ToolChanged, UndoTuning
from agent.maintenance import plan
from agent.model import Alert, Checklist, Coverage, Cut, Event, Word
from agent.monitor import Monitor, holds
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineSettings
from drivers.model import Quality, Readings, lost_row
from drivers.options import BusOptions, SourceOptions
from tests.support.lathe import CUTS, PART, START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))


def run(parts: int, faults: Faults | None = None, machine: MachineSettings | None = None, seed: int = 1) -> tuple[Monitor, list[Event]]:
    """A monitor that has seen so many parts, and all that it made known."""
    monitor = Monitor(machine or settings(), PLAN)
    events: list[Event] = []
    for piece in pieces(rows(parts, faults, seed), itertools.repeat(23)):
        events.extend(monitor.feed(piece))
    events.extend(monitor.finish())
    return monitor, events


def alerts(events: list[Event], transition: str = "raised") -> list[Alert]:
    """Of one transition."""
    return [event for event in events if isinstance(event, Alert) and event.transition == transition]


def part_of(time: float) -> int:
    """In which part of the hand-made lathe a time lies."""
    return int((time - START) // PART)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "context", [{}, {"part": False}, {"part": False, "cycle": False}, {"speed": False}], ids=["all", "no part", "no cycle", "no speed"]
)
def test_a_healthy_lathe_raises_nothing_and_every_cut_is_found(seed: int, context: dict[str, bool]) -> None:
    monitor, events = run(25, machine=settings(**context), seed=seed)
    assert alerts(events) == []
    assert sum(isinstance(event, Cut) and event.phase == "closed" and event.features.samples >= 8 for event in events) in (75, 76)
    assert monitor.coverage is not None
    assert monitor.coverage.word in {Word.MONITORING, Word.PROVISIONAL}


def test_words_of_coverage_come_in_their_order() -> None:
    _, events = run(90)
    said = [event for event in events if isinstance(event, Coverage) and event.scope == "machine"]
    assert [word for word, _ in itertools.groupby(event.word for event in said)] == [Word.LEARNING, Word.PROVISIONAL, Word.MONITORING]
    wide = [event for event in said if event.word is Word.PROVISIONAL]
    assert [reason for reason, _ in itertools.groupby(event.reason for event in wide)] == ["provisional"]


def test_a_tool_that_breaks_is_told_within_the_same_cut_with_its_checklist() -> None:
    _, events = run(12, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    assert (alert.kind, alert.tool, alert.severity) == ("breakage", "4", "urgent")
    broke = START + 7 * PART + 5.0 + 0.5 * 1.5
    assert 0.0 < alert.raised - broke < 0.6
    assert alert.evidence["fall_pct"] > 80.0
    assert alert.evidence["part"] == 7
    lists = [event for event in events if isinstance(event, Checklist)]
    assert [checklist.alert for checklist in lists] == [alert.id]
    assert lists[0].steps[0].kind == "safety"


def test_a_broken_tool_stays_one_alert_and_returns_with_the_new_tool() -> None:
    monitor, events = run(14, Faults(broken={4: (7, 0.5, 10)}))
    assert len({event.id for event in events if isinstance(event, Alert)}) == 1
    (returned,) = alerts(events, "returned")
    assert part_of(returned.updated) == 10
    assert monitor.desk.alerts.open[0].returned
    result, told = monitor.do(Acknowledge(alert=returned.id, by="AB"), START + 99)
    assert result.accepted
    assert [(event.state, event.transition) for event in told if isinstance(event, Alert)] == [("cleared", "cleared")]
    assert monitor.desk.alerts.open == ()


def test_a_missing_tool_is_told_before_the_part_is_over() -> None:
    _, events = run(12, Faults(missing={1: range(8, 99)}))
    alert = alerts(events)[0]
    assert (alert.kind, alert.tool) == ("missing", "1")
    assert part_of(alert.raised) == 8
    assert alert.evidence["absent"] is True


def test_a_missing_tool_within_a_section_of_the_control() -> None:
    machine = settings(section=True)
    readings = rows(12, Faults(missing={2: range(8, 99)}))
    inside = (readings.time - START) % PART
    section = sum((inside >= a) & (inside < b) for a, b in ((0.8, 2.35), (2.9, 4.3), (4.9, 6.6)))
    with_section = Readings(
        "lathe",
        (*readings.channels, "section"),
        readings.time,
        np.column_stack([readings.values, section.astype(float)]),
        np.column_stack([readings.quality, np.zeros(len(readings.time), np.uint8)]),
    )
    monitor = Monitor(machine, PLAN)
    events = [event for piece in pieces(with_section, itertools.repeat(11)) for event in monitor.feed(piece)]
    alert = alerts(events)[0]
    assert (alert.kind, alert.tool, part_of(alert.raised)) == ("missing", "2", 8)
    assert alert.evidence["absent"] is False
    assert abs(alert.evidence["work_pct"]) < 10.0


def test_wear_of_one_tool_waits_for_the_end_of_the_part_and_names_the_flat_ones() -> None:
    _, events = run(14, Faults(wear={2: (5, 0.08)}), settings(wear_limit=0.15))
    alert = alerts(events)[0]
    assert (alert.kind, alert.tool, alert.severity) == ("wear", "2", "warning")
    assert 8 <= part_of(alert.raised) <= 10
    assert alert.evidence["others_flat"] == alert.evidence["others_total"] == 2
    assert alert.evidence["change_pct"] > alert.evidence["limit_pct"] >= 15.0 - 1e-9
    assert len({a.id for a in events if isinstance(a, Alert) and a.kind == "wear"}) == 1


def test_a_new_edge_put_in_without_telling_ends_the_wear() -> None:
    faults = Faults(wear={2: (5, 0.08)})
    worn = rows(12, faults)
    fresh = rows(18, Faults(), seed=5)
    monitor = Monitor(settings(wear_limit=0.15), PLAN)
    events = [event for piece in pieces(worn, itertools.repeat(50)) for event in monitor.feed(piece)]
    later = fresh.time >= worn.time[-1] + 0.01
    rest = dataclasses.replace(fresh, time=fresh.time[later], values=fresh.values[later], quality=fresh.quality[later])
    events += [event for piece in pieces(rest, itertools.repeat(50)) for event in monitor.feed(piece)]
    assert [alert.kind for alert in alerts(events)] == ["wear"]
    assert [alert.kind for alert in alerts(events, "returned")] == ["wear"]


def test_a_declared_tool_change_clears_its_alerts_and_starts_a_new_anchor() -> None:
    monitor, events = run(12, Faults(wear={2: (5, 0.08)}), settings(wear_limit=0.15))
    (alert,) = alerts(events)
    result, told = monitor.do(ToolChanged(tool="2", by="AB", id="7"), START + 90)
    assert (result.accepted, result.id) == (True, "7")
    assert [(event.id, event.state) for event in told if isinstance(event, Alert)] == [(alert.id, "cleared")]
    (tool,) = [tool for tool in monitor.snapshot().tools if tool.tool == "2"]
    assert tool.wear is None


def test_a_new_batch_of_material_is_not_wear() -> None:
    _, events = run(16, Faults(batch=(7, 1.3)), settings(wear_limit=0.15))
    assert {alert.kind for alert in alerts(events)} == {"process"}
    assert alerts(events)[0].tool == ""


def test_cuts_under_a_reduced_override_are_held_and_not_learned() -> None:
    monitor, events = run(14, Faults(override=range(7, 10)))
    held = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and event.held == "feed_override"]
    assert len(held) == 9
    assert alerts(events) == []
    words = [event.word for event in events if isinstance(event, Coverage)]
    assert Word.HOLD in words
    assert all(baseline.good <= 11 for baseline in monitor.watch.state.baselines.values())


def test_a_lost_signal_is_lost_at_once_and_asks_for_help_after_five_seconds() -> None:
    monitor, events = run(14, Faults(lost=(50.0, 62.0)))
    lost = [event for event in events if isinstance(event, Coverage) and event.word is Word.LOST]
    assert lost[0].time - START == pytest.approx(50.0, abs=0.6)
    (alert,) = alerts(events)
    assert (alert.kind, alert.channel) == ("sensor", "load")
    assert 5.0 <= alert.raised - START - 50.0 < 8.0
    assert alerts(events, "returned")[0].updated - START == pytest.approx(62.0, abs=2.0)
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.PROVISIONAL


@pytest.mark.parametrize("seed", range(6))
def test_readings_that_are_missing_here_and_there_break_no_tool(seed: int) -> None:
    readings = rows(20, seed=seed)
    gaps = random.Random(seed)
    keep = np.ones(len(readings.time), dtype=bool)
    quality = readings.quality.copy()
    at = 0.0
    while at < readings.time[-1] - START:
        at += gaps.expovariate(1.0 / 4.0)
        long = gaps.choice([0.1, 0.3, 0.6, 0.9, 2.0])
        gone = (readings.time - START >= at) & (readings.time - START < at + long)
        if gaps.random() < 0.5:
            keep &= ~gone
        else:
            quality[gone, 0] = Quality.UNAVAILABLE
    holey = Readings("lathe", readings.channels, readings.time[keep], readings.values[keep], quality[keep])
    monitor = Monitor(settings(), PLAN)
    events = [event for piece in pieces(holey, itertools.repeat(9)) for event in monitor.feed(piece)] + monitor.finish()
    assert alerts(events) == []
    assert any(event.held == "lost" for event in events if isinstance(event, Cut))


def test_silence_is_noticed_by_the_clock() -> None:
    monitor, _ = run(6)
    events = monitor.tick(START + 6 * PART + 2.0)
    assert [event.word for event in events if isinstance(event, Coverage)] == [Word.LOST]
    later = monitor.tick(START + 6 * PART + 8.0)
    assert [event.kind for event in later if isinstance(event, Alert)] == ["sensor"] or [
        event.kind for event in later if isinstance(event, Alert)
    ] == ["sensor", "sensor"]
    view = monitor.snapshot().spindles[0]
    assert view.load is None or view.load_quality > 1 or view.load_time < START + 6 * PART


def test_a_value_stands_for_three_periods_of_its_source_or_its_own() -> None:
    options = BusOptions(name="b", framing="tcp"), SourceOptions(name="drive", bus="b", device="d", every=0.5)
    load = ChannelOptions(name="load", role="spindle.load", source="drive.load")
    slow, written = (msgspec.structs.replace(load, name=name, every=5.0, hold=hold) for name, hold in (("slow", None), ("written", 2.0)))
    machine = msgspec.structs.replace(settings(), bus=options[:1], source=options[1:], channel=(load, slow, written))
    assert holds(machine) == [1.5, 15.0, 2.0]


def test_a_device_that_says_it_is_lost_is_never_shown_with_a_value() -> None:
    monitor, _ = run(6)
    monitor.feed(lost_row("lathe", ("load", "speed"), START + 6 * PART))
    monitor.tick(START + 6 * PART + 1.0)
    snapshot = monitor.snapshot()
    assert snapshot.coverage.word is Word.LOST
    assert snapshot.spindles[0].load is None
    assert snapshot.values["speed"] is None


def test_with_the_load_alone_cuts_are_known_by_their_shape_and_a_break_is_told_by_their_name() -> None:
    monitor, events = run(10, Faults(broken={4: (7, 0.5, 99)}), settings(part=False, cycle=False, tool=False, speed=False))
    found = [(alert.kind, alert.tool) for alert in alerts(events)]
    assert found == [("breakage", "~3")]
    # A broken tool leaves an order of cuts that was never learned: nothing is green from there on.
    assert monitor.coverage is not None
    assert monitor.coverage.word is not Word.MONITORING


def test_how_the_rows_are_batched_does_not_matter() -> None:
    readings = rows(12, Faults(wear={2: (5, 0.08)}, broken={4: (7, 0.5, 10)}))
    outs = []
    lengths = random.Random(4)
    for sizes in (itertools.repeat(1), itertools.repeat(10_000), (lengths.randint(1, 60) for _ in itertools.count())):
        monitor = Monitor(settings(wear_limit=0.15), PLAN)
        events = [event for piece in pieces(readings, sizes) for event in monitor.feed(piece)] + monitor.finish()
        keep = [event for event in events if not isinstance(event, Coverage)]
        outs.append((msgspec.json.encode(keep), monitor.state()))
    assert outs[0] == outs[1] == outs[2]


def test_a_restart_goes_on_where_it_was() -> None:
    readings = rows(14, Faults(wear={2: (5, 0.08)}, broken={4: (7, 0.5, 10)}))
    cut = int(9.0 * PART / 0.05)
    first, second = list(pieces(readings, itertools.chain([cut], itertools.repeat(10_000))))
    before = Monitor(settings(wear_limit=0.15), PLAN)
    before.feed(first)
    after = Monitor(settings(wear_limit=0.15), PLAN)
    after.restore(before.state())
    assert after.state() == before.state()
    events = after.feed(second) + after.finish()
    assert {alert.id for alert in before.desk.alerts.open} <= {event.id for event in events if isinstance(event, Alert)} | {
        a.id for a in after.desk.alerts.open
    }
    assert [alert.kind for alert in alerts(events, "returned")] == ["breakage"]
    assert "wear" in {alert.kind for alert in after.desk.alerts.open}


def test_a_state_that_is_none_is_refused_and_changes_nothing() -> None:
    monitor, _ = run(6)
    state = monitor.state()
    for nonsense in (b"", b"\x00", b"\xff" * 100, msgspec.msgpack.encode({"version": 1})):
        with pytest.raises(msgspec.DecodeError):
            monitor.restore(nonsense)
    assert monitor.state() == state


def test_commands_that_name_nothing_are_refused_with_a_reason() -> None:
    monitor, _ = run(3)
    for command, reason in (
        (Acknowledge(alert="x"), "unknown_alert"),
        (FalseAlarm(alert="x"), "unknown_alert"),
        (Correct(alert="x"), "unknown_alert"),
        (UndoTuning(tuning="tuning-1"), "unknown_tuning"),
        (ToolChanged(tool="99"), "unknown_tool"),
        (TickStep(checklist="x", step="y", result="ok"), "unknown_checklist"),
    ):
        result, events = monitor.do(command, START)
        assert (result.accepted, result.reason, events) == (False, reason, [])


def test_a_false_alarm_is_cleared_and_marked() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    _, told = monitor.do(FalseAlarm(alert=alert.id, by="AB"), START + 64)
    assert [(event.state, event.false_alarm) for event in told if isinstance(event, Alert)] == [("cleared", True)]


def test_a_false_alarm_widens_its_limit_until_that_is_undone_and_its_cuts_are_learned_from_again() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    assert alert.operation in monitor.watch.state.bad
    monitor.do(FalseAlarm(alert=alert.id, by="AB"), START + 64)
    assert alert.operation not in monitor.watch.state.bad
    (change,) = monitor.snapshot().tunings
    assert (change.kind, change.where, change.alert, change.by) == (alert.kind, alert.operation, alert.id, "AB")
    again = Monitor(monitor.settings, PLAN)
    again.restore(monitor.state())
    assert again.snapshot().tunings == (change,)
    result, _ = again.do(UndoTuning(tuning=change.id, by="AB"), START + 65)
    assert result.accepted
    assert again.snapshot().tunings == ()
    assert again.watch.tuning.width(alert.kind, alert.operation) == 1.0


def test_a_false_breakage_does_not_make_a_worn_tool_new() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    monitor.watch.state.worn = ["4"]
    monitor.do(FalseAlarm(alert=alert.id, by="AB"), START + 64)
    assert (monitor.watch.state.bad, monitor.watch.state.worn) == ([], ["4"])
    monitor.watch.state.bad = [alert.operation]
    monitor.watch.unmark(msgspec.structs.replace(alert, kind="wear"))
    assert (monitor.watch.state.bad, monitor.watch.state.worn) == ([alert.operation], [])


def test_the_page_shows_the_wear_limit_that_a_verdict_left() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    (before,) = [tool.wear_limit for tool in monitor.snapshot().tools if tool.tool == "4"]
    worn = msgspec.structs.replace(alert, kind="wear", score=1.3 * before, threshold=before, evidence={})
    change = monitor.watch.tuning.false_alarm(worn, "AB", START + 64)
    assert change is not None
    (after,) = [tool.wear_limit for tool in monitor.snapshot().tools if tool.tool == "4"]
    assert math.log1p(after) == pytest.approx(change.after * math.log1p(before))


def test_an_alert_that_was_right_is_marked_and_acknowledged_and_moves_no_limit() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (alert,) = alerts(events)
    _, told = monitor.do(Correct(alert=alert.id, by="AB"), START + 64)
    assert [(e.state, e.correct, e.acknowledged_by) for e in told if isinstance(e, Alert)] == [("acknowledged", True, "AB")]
    assert monitor.snapshot().tunings == ()
    assert alert.operation in monitor.watch.state.bad


def test_the_steps_of_a_checklist_are_ticked_until_it_is_done() -> None:
    monitor, events = run(9, Faults(broken={4: (7, 0.5, 99)}))
    (checklist,) = [event for event in events if isinstance(event, Checklist)]
    for step in checklist.steps:
        monitor.do(TickStep(checklist=checklist.id, step=step.id, result="ok", by="AB"), START + 64)
    assert monitor.desk.checklists[checklist.id].done


@pytest.mark.parametrize("gone", [70.5, 72.0, 73.5, 75.2, 76.8])
def test_a_control_that_is_lost_while_the_drive_is_not(gone: float) -> None:
    readings = rows(14)
    lost = (readings.time - START >= gone) & (readings.time - START < gone + 10.0)
    values, quality = readings.values.copy(), readings.quality.copy()
    values[lost, 2:] = np.nan
    quality[lost, 2:] = Quality.UNAVAILABLE
    monitor = Monitor(settings(), PLAN)
    half_lost = Readings("lathe", readings.channels, readings.time, values, quality)
    events = [event for piece in pieces(half_lost, itertools.repeat(17)) for event in monitor.feed(piece)] + monitor.finish()
    assert [alert.kind for alert in alerts(events)] in ([], ["sensor"])
    lost_at = [event.time - START for event in events if isinstance(event, Coverage) and event.word is Word.LOST]
    assert len(lost_at) == 1
    assert lost_at[0] == pytest.approx(gone, abs=2.0)
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.PROVISIONAL


@pytest.mark.parametrize("gone", [55.5, 56.5, 57.0, 57.5, 59.5, 60.5, 61.5])
def test_what_is_cut_while_the_control_is_lost_is_not_taken_for_idle(gone: float) -> None:
    """The cable is pulled within a section or between two: its last word, 'no section', stands for a second, and cuts go on."""
    readings = rows(16)
    seconds = readings.time - START
    section = np.zeros(len(seconds))
    for tool, (start, duration, _, _) in CUTS.items():
        section[(seconds % PART >= start - 0.3) & (seconds % PART < start + duration + 0.2)] = tool
    values = np.column_stack([readings.values, section])
    quality = np.column_stack([readings.quality, np.zeros(len(seconds), dtype=np.uint8)])
    stands, lost = (seconds >= gone - 1.0) & (seconds < gone), (seconds >= gone) & (seconds < gone + 8.0)
    values[stands, 2:] = values[np.flatnonzero(stands)[0], 2:]
    values[lost, 2:], quality[lost, 2:] = np.nan, Quality.UNAVAILABLE
    monitor = Monitor(settings(section=True), PLAN)
    half_lost = Readings("lathe", (*readings.channels, "section"), readings.time, values, quality)
    events = [event for piece in pieces(half_lost, itertools.repeat(17)) for event in monitor.feed(piece)] + monitor.finish()
    assert [alert.kind for alert in alerts(events)] == ["sensor"]
    for rpm in (900.0, 1500.0):
        assert monitor.segmenters["S1"].idle(rpm) == pytest.approx(3.0 + rpm / 500.0, abs=0.3)


def test_an_overload_is_told_and_is_over_with_the_next_good_cut() -> None:
    readings = rows(12)
    inside = (readings.time - START) - 8 * PART
    heavy = (inside > 3.0) & (inside < 4.2)
    values = readings.values.copy()
    values[heavy, 0] *= 2.2
    monitor = Monitor(settings(), PLAN)
    strong = Readings("lathe", readings.channels, readings.time, values, readings.quality)
    events = [event for piece in pieces(strong, itertools.repeat(13)) for event in monitor.feed(piece)] + monitor.finish()
    (alert,) = alerts(events)
    assert (alert.kind, alert.tool, part_of(alert.raised)) == ("overload", "2", 8)
    assert alert.channel == "load"
    (returned,) = alerts(events, "returned")
    assert part_of(returned.updated) == 9


def test_a_lost_signal_that_came_back_while_the_agent_was_down_is_over() -> None:
    before, _ = run(9, Faults(lost=(50.0, 99.0)))
    assert [alert.kind for alert in before.desk.alerts.open] == ["sensor"]
    after = Monitor(settings(), PLAN)
    after.restore(before.state())
    readings = rows(2)
    later = dataclasses.replace(readings, time=readings.time + 600.0)
    events = after.feed(later) + after.finish()
    assert [alert.kind for alert in alerts(events, "returned")] == ["sensor"]
