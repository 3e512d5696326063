"""A feed that is changed and nobody tells, through the whole pass."""

from __future__ import annotations

import itertools

import pytest

from agent.detect import feed
from agent.model import Alert, Cut, Event, Finding, Indicator, Word
from agent.monitor import Monitor
from agent.settings import MachineSettings
from tests.agent.test_monitor import PLAN
from tests.support.lathe import PART, START, Faults, pieces, rows, settings


def run(parts: int, faults: Faults, machine: MachineSettings | None = None, every: int = 23) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(rows(parts, faults), itertools.repeat(every)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def raised(events: list[Event]) -> list[Alert]:
    return [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def held(events: list[Event], tool: str) -> list[Cut]:
    return [e for e in events if isinstance(e, Cut) and e.phase == "closed" and e.held == feed.HELD and e.operation.tool == tool]


@pytest.mark.parametrize("ratio", [0.75, 0.8, 1.2, 1.3])
@pytest.mark.parametrize("context", [{}, {"part": False, "cycle": False}], ids=["all", "tool only"])
def test_a_feed_that_nobody_tells_is_an_event_and_no_alert_and_is_not_learned_from(ratio: float, context: dict[str, bool]) -> None:
    monitor, events = run(34, Faults(feed={4: (range(28, 31), ratio)}), settings(**context))
    assert raised(events) == []
    assert not any(isinstance(event, Finding) for event in events)
    assert len(held(events, "4")) == 3
    said = [event for event in events if isinstance(event, Indicator) and event.name == "feed_ratio"]
    assert [one.value for one in said] == pytest.approx([ratio] * 3, rel=0.08)
    assert held(events, "1") == held(events, "2") == []
    (known,) = [one for one in monitor.watch.state.baselines.values() if one.tool == "4"]
    assert known.seen - known.good >= 3
    assert known.expected_duration == pytest.approx(1.5, rel=0.1)


def test_it_is_shown_while_it_lasts_and_gone_when_the_feed_is_back() -> None:
    monitor, _ = run(31, Faults(feed={4: (range(28, 31), 0.8)}))
    (notice,) = monitor.snapshot().notices
    assert (notice.kind, notice.tool, notice.n) == ("feed_changed", "4", 2)
    assert notice.value == pytest.approx(0.8, rel=0.08)
    assert START + 28 * PART < notice.since < START + 29 * PART
    (card,) = [tool for tool in monitor.snapshot().tools if tool.tool == "4"]
    assert (card.word, card.reason) == (Word.HOLD, feed.HELD)
    monitor, _ = run(33, Faults(feed={4: (range(28, 31), 0.8)}))
    assert monitor.snapshot().notices == ()
    assert {tool.word for tool in monitor.snapshot().tools} == {Word.MONITORING}


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_missing_tool_is_told_under_another_feed(ratio: float) -> None:
    _, events = run(36, Faults(feed={4: (range(28, 36), ratio)}, missing={4: range(33, 34)}))
    assert [(alert.kind, alert.tool) for alert in raised(events)] == [("missing", "4")]


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_tool_that_breaks_under_another_feed_is_told(ratio: float) -> None:
    _, events = run(36, Faults(feed={4: (range(28, 36), ratio)}, broken={4: (33, 0.5, 99)}))
    assert [(alert.kind, alert.tool) for alert in raised(events)] == [("breakage", "4")]


def test_a_restart_in_the_middle_changes_nothing_and_batches_do_not_matter() -> None:
    faults = Faults(feed={4: (range(28, 33), 0.8)})
    whole, events = run(36, faults)
    again = Monitor(settings(), PLAN)
    first, _ = run(30, faults)
    again.restore(first.state())
    assert again.state() == first.state()
    assert again.snapshot().notices == first.snapshot().notices != ()
    block = rows(36, faults)
    rest = [
        e
        for piece in pieces(
            type(block)(block.source, block.channels, block.time[30 * 140 :], block.values[30 * 140 :], block.quality[30 * 140 :]),
            itertools.repeat(7),
        )
        for e in again.feed(piece)
    ]
    assert len(held([*rest, *again.finish()], "4")) == len(held(events, "4")) - 2 == 3
    assert again.snapshot().notices == whole.snapshot().notices == ()
    other, _ = run(36, faults, every=1000)
    assert other.state() == whole.state()
