"""What changes in a program without anybody telling: its feed, its operations; and what may not be judged."""

from __future__ import annotations

import itertools

import pytest

from agent.detect import feed
from agent.model import Alert, Cut, Event, Finding, Indicator
from agent.monitor import Monitor
from agent.settings import MachineSettings
from tests.agent.test_monitor import PLAN
from tests.support.lathe import Faults, pieces, rows, settings


def run(parts: int, faults: Faults, machine: MachineSettings | None = None) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(rows(parts, faults), itertools.repeat(23)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def raised(events: list[Event]) -> list[Alert]:
    return [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def held(events: list[Event], tool: str) -> list[Cut]:
    return [e for e in events if isinstance(e, Cut) and e.phase == "closed" and e.held == feed.HELD and e.operation.tool == tool]


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
    assert [len(row) for row in again.watch.state.feeds.values()] == [3]
