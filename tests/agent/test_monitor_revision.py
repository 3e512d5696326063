"""What changes in a program without anybody telling: its feed, its operations; and what may not be judged."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from agent.commands import ProgramChanged
from agent.detect import feed, revision
from agent.model import Alert, Coverage, Cut, Event, Finding, Indicator, Word
from agent.monitor import Monitor
from agent.settings import ChannelOptions, MachineSettings, Role
from drivers.model import Readings, Words
from tests.agent.test_monitor import PLAN
from tests.support.lathe import Faults, pieces, rows, settings


def run(parts: int, faults: Faults, machine: MachineSettings | None = None) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(rows(parts, faults), itertools.repeat(23)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def raised(events: list[Event]) -> list[Alert]:
    return [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def held(events: list[Event], tool: str) -> list[Cut]:
    return [
        e
        for e in events
        if isinstance(e, Cut) and e.phase == "closed" and e.held == feed.HELD and e.operation.tool == tool and e.part >= 28
    ]


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_feed_that_nobody_tells_is_an_event_and_no_alert_and_is_not_learned_from(ratio: float) -> None:
    monitor, events = run(34, Faults(feed={4: (range(28, 31), ratio)}))
    assert raised(events) == []
    assert not any(isinstance(event, Finding) for event in events)
    assert len(held(events, "4")) == 3
    said = [event for event in events if isinstance(event, Indicator) and event.name == feed.HELD]
    assert [round(one.value * ratio, 1) for one in said] == [1.0, 1.0, 1.0]
    assert held(events, "1") == held(events, "2") == []
    (known,) = [one for one in monitor.watch.state.baselines.values() if one.tool == "4"]
    assert known.seen - known.good >= 3
    assert known.expected_duration == pytest.approx(1.5, rel=0.1)


def test_a_feed_that_stays_is_the_new_normal_and_a_missing_tool_is_told_under_it() -> None:
    monitor, events = run(48, Faults(feed={4: (range(28, 48), 0.8)}, missing={4: range(46, 47)}))
    assert len(held(events, "4")) == feed.STAYS
    assert [(alert.kind, alert.tool) for alert in raised(events)] == [("missing", "4")]
    (known,) = [one for one in monitor.watch.state.baselines.values() if one.tool == "4"]
    assert known.expected_duration == pytest.approx(1.5 / 0.8, rel=0.1)
    assert monitor.watch.state.feeds.get(known.key, []) == []


def test_the_count_of_changed_feeds_survives_a_restart() -> None:
    monitor, _ = run(31, Faults(feed={4: (range(28, 31), 0.8)}))
    again = Monitor(settings(), PLAN)
    again.restore(monitor.state())
    assert again.state() == monitor.state()
    assert [len(row) for row in again.watch.state.feeds.values()] == [2]  # the third is still open


def questions(events: list[Event]) -> list[Indicator]:
    return [event for event in events if isinstance(event, Indicator) and event.name == revision.ASKED]


def test_an_operation_that_was_taken_out_is_told_absent_once_asked_about_once_and_then_forgotten() -> None:
    monitor, events = run(50, Faults(removed={2: 30}), settings(section=False))
    (alert,) = raised(events)
    assert (alert.kind, alert.tool) == ("missing", "2")
    (asked,) = questions(events)
    assert asked.value == 1.0
    assert asked.operation == alert.operation
    assert alert.raised < asked.time
    assert monitor.watch.state.bad == []
    (still,) = monitor.desk.alerts.open
    assert (still.id, still.returned) == (alert.id, True)


def test_the_answer_begins_the_program_again_and_clears_what_was_said_of_it() -> None:
    monitor, events = run(35, Faults(removed={2: 30}))
    assert len(questions(events)) == 1
    result, said = monitor.do(ProgramChanged(program="", by="Karim", id="1"), 1e9)
    assert (result.accepted, result.reason) == (True, "")
    assert [event.transition for event in said if isinstance(event, Alert)] == ["cleared"]
    assert monitor.watch.state.baselines == {}
    assert monitor.watch.state.bad == []
    assert monitor.do(ProgramChanged(program="O99"), 1e9)[0].reason == "unknown_program"
    more = Monitor(settings(), PLAN)
    more.restore(monitor.state())
    later = rows(12, Faults(removed={2: 0}))
    assert raised([*more.feed(later), *more.finish()]) == []
    assert {baseline.tool for baseline in more.watch.state.baselines.values()} == {"1", "4"}


def test_a_missing_tool_in_one_part_asks_nothing() -> None:
    _, events = run(40, Faults(missing={2: range(30, 31)}))
    assert questions(events) == []


@pytest.mark.parametrize(
    ("role", "usual", "then", "reason"),
    [
        ("speed_override", 100.0, 80.0, "speed_override"),
        ("feed_hold", 0.0, 1.0, "feed_hold"),
        ("single_block", 0.0, 1.0, "single_block"),
        ("dry_run", 0.0, 1.0, "dry_run"),
        ("mode", "AUTOMATIC", "MANUAL_DATA_INPUT", "mode"),
        ("execution", "ACTIVE", "INTERRUPTED", "part_interrupted"),
    ],
)
def test_what_may_not_be_judged_is_held_and_neither_learned_from_nor_missed(
    role: Role, usual: float | str, then: float | str, reason: str
) -> None:
    machine = settings()
    machine = msgspec.structs.replace(machine, channel=(*machine.channel, ChannelOptions(name="said", role=role)))
    monitor = Monitor(machine, PLAN)
    # In the held parts tool 2 takes nothing and tool 4 three times its load: nobody may say a word.
    plain = rows(14, Faults(missing={2: range(8, 11)}, override=range(0)))
    values, part = plain.values.copy(), plain.values[:, 3]
    here = (part >= 8) & (part < 11)
    values[here & (values[:, 2] == 4.0), 0] *= 3.0
    words, said = Words(), np.zeros(len(part))
    for value, where in ((usual, ~here), (then, here)):
        said[where] = words.code(value) if isinstance(value, str) else value
    readings = Readings(
        plain.source,
        (*plain.channels, "said"),
        plain.time,
        np.column_stack([values, said]),
        np.column_stack([plain.quality, np.zeros(len(part), np.uint8)]),
        words.seen(),
    )
    events = [*monitor.feed(readings), *monitor.finish()]
    assert raised(events) == []
    closed = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and 8 <= event.part < 11]
    assert len(closed) >= 6
    assert {cut.held for cut in closed} == {reason}
    assert any(isinstance(event, Coverage) and (event.word, event.reason) == (Word.HOLD, reason) for event in events)
    assert max(baseline.good for baseline in monitor.watch.state.baselines.values()) <= 11
