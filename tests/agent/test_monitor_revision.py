"""A program that was changed and nobody told: asked, answered, taken back, through the whole pass."""

from __future__ import annotations

import itertools

import pytest

from agent.audit import audit
from agent.commands import ProgramChanged, UndoProgram
from agent.detect import revision
from agent.model import Alert, Coverage, Cut, Event, Word
from agent.monitor import Monitor
from agent.notices import Notice
from drivers.model import Readings
from tests.agent.test_monitor import PLAN
from tests.support.lathe import PART, START, STEP, Faults, pieces, rows, settings

REMOVED = Faults(removed={2: range(14, 99)})


def part(block: Readings, first: int, last: int) -> Readings:
    """Parts first..last - 1."""
    a, b = round(first * PART / STEP), round(last * PART / STEP)
    return Readings(block.source, block.channels, block.time[a:b], block.values[a:b], block.quality[a:b])


def feed(monitor: Monitor, block: Readings, every: int = 23) -> list[Event]:
    return [event for piece in pieces(block, itertools.repeat(every)) for event in monitor.feed(piece)]


def raised(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.tool) for event in events if isinstance(event, Alert) and event.transition == "raised"]


def asked(monitor: Monitor) -> list[Notice]:
    return [notice for notice in monitor.snapshot().notices if notice.kind == "program_changed"]


def began(faults: Faults, parts: int, of: int = 40) -> tuple[Monitor, Readings, list[Event]]:
    monitor, block = Monitor(settings(), PLAN), rows(of, faults)
    return monitor, block, feed(monitor, part(block, 0, parts))


def test_three_parts_without_a_tool_that_is_not_called_ask_and_raise_nothing() -> None:
    monitor, block, events = began(REMOVED, 17)
    assert asked(monitor) == []
    events += feed(monitor, part(block, 17, 18))
    (notice,) = asked(monitor)
    assert (notice.answer, notice.n, notice.tool) == ("asked", 1, "2")
    # Nobody answers: it is held for as long as it lasts, never learned, and nothing is told.
    events += feed(monitor, part(block, 18, 40))
    assert raised(events) == []
    assert len(asked(monitor)) == 1
    assert monitor.coverage is not None
    assert (monitor.coverage.word, monitor.coverage.reason) == (Word.HOLD, revision.HELD)
    assert {baseline.tool for baseline in monitor.watch.state.baselines.values() if baseline.good} == {"1", "2", "4"}
    assert all(operation.startswith("S1/-/r1/") for operation in monitor.watch.state.baselines)
    # The cuts that came as ever are judged and learned as ever.
    assert max(baseline.good for baseline in monitor.watch.state.baselines.values()) > 30


def test_a_new_operation_is_held_from_its_first_cut_on_and_asked_for() -> None:
    monitor, block, events = began(Faults(removed={2: range(14)}), 18)
    assert [notice.tool for notice in asked(monitor)] == ["2"]
    events += feed(monitor, part(block, 18, 30))
    assert raised(events) == []
    cuts = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and event.operation.tool == "2"]
    assert {cut.held for cut in cuts if cut.features.samples > 8} == {revision.HELD}
    assert [baseline.good for baseline in monitor.watch.state.baselines.values() if baseline.tool == "2"] == [0]


def test_yes_learns_the_program_anew_as_its_next_revision_and_undo_takes_it_back() -> None:
    monitor, block, _ = began(REMOVED, 18)
    before = {key: baseline.good for key, baseline in monitor.watch.state.baselines.items()}
    result, _ = monitor.do(ProgramChanged(program="", by="AB"), START + 18 * PART)
    assert result.accepted
    assert audit(ProgramChanged(program="", by="AB"), result, START, "page").action == "program_changed"
    events = feed(monitor, part(block, 18, 30))
    assert raised(events) == []
    known = monitor.watch.state.baselines
    assert {key.split("/")[2] for key in known} == {"r2"}
    assert {baseline.tool for baseline in known.values() if baseline.good >= 5} == {"1", "4"}
    assert asked(monitor) == []
    learned = [notice for notice in monitor.snapshot().notices if notice.kind == "program_learned"]
    assert [notice.n for notice in learned] == [2]
    # Over a restart the former revision is still there.
    again = Monitor(settings(), PLAN)
    again.restore(monitor.state())
    assert again.state() == monitor.state()
    result, _ = again.do(UndoProgram(program="", by="AB"), START + 30 * PART)
    assert result.accepted
    assert {key: baseline.good for key, baseline in again.watch.state.baselines.items()} == before
    # Parts as they were before: judged by the old limits at once.
    block = rows(40, Faults(missing={4: range(33, 34)}))
    events = feed(again, part(block, 30, 40))
    assert raised(events) == [("missing", "4")]
    assert again.do(UndoProgram(program="", by="AB"), START + 40 * PART)[0].reason == "no_former_program"


def test_no_keeps_what_is_known_and_holds_what_differs() -> None:
    monitor, block, events = began(Faults(removed={2: range(14)}), 18)
    assert monitor.do(ProgramChanged(program="", answer="no", by="AB"), START + 18 * PART)[0].accepted
    events += feed(monitor, part(block, 18, 30))
    assert raised(events) == []
    assert [notice.answer for notice in asked(monitor)] == ["no"]
    assert [baseline.good for baseline in monitor.watch.state.baselines.values() if baseline.tool == "2"] == [0]
    cuts = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and event.part > 19]
    assert {cut.held for cut in cuts if cut.operation.tool == "2"} == {revision.HELD}
    assert {cut.held for cut in cuts if cut.operation.tool != "2"} == {""}


@pytest.mark.parametrize("answer", ["", "no"])
def test_the_question_is_gone_when_parts_are_made_as_before(answer: str) -> None:
    monitor, block, _ = began(Faults(removed={2: range(14, 20)}, missing={2: range(26, 27)}), 18)
    if answer:
        monitor.do(ProgramChanged(program="", answer="no"), START + 18 * PART)
    events = feed(monitor, part(block, 18, 30))
    assert asked(monitor) == []
    assert raised(events) == [("missing", "2")]
    assert isinstance(monitor.coverage, Coverage)
    assert monitor.coverage.word is Word.MONITORING


def test_a_feed_that_stays_is_asked_for_and_yes_learns_it() -> None:
    monitor, block, events = began(Faults(feed={4: (range(25, 99), 0.8)}), 33)
    (notice,) = asked(monitor)
    assert (notice.tool, notice.n) == ("4", 1)
    monitor.do(ProgramChanged(program=""), START + 33 * PART)
    events += feed(monitor, part(block, 33, 40))
    assert raised(events) == []
    assert asked(monitor) == []
    (known,) = [baseline for baseline in monitor.watch.state.baselines.values() if baseline.tool == "4"]
    assert known.expected_duration == pytest.approx(1.5 / 0.8, rel=0.1)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ProgramChanged(program="9999"), "unknown_program"),
        (ProgramChanged(program="", answer="no"), "no_question"),
        (UndoProgram(program=""), "no_former_program"),
    ],
    ids=["unknown", "no question", "no former"],
)
def test_what_cannot_be_done_is_refused_with_its_reason(command: ProgramChanged | UndoProgram, reason: str) -> None:
    monitor, _, _ = began(Faults(), 10)
    result, events = monitor.do(command, START + 10 * PART)
    assert (result.accepted, result.reason, events) == (False, reason, [])


def test_a_missing_tool_told_three_times_asks_and_yes_clears_the_alert() -> None:
    monitor, _, events = began(Faults(missing={2: range(14, 99)}), 18)
    assert raised(events) == [("missing", "2")]
    assert len(asked(monitor)) == 1
    _, out = monitor.do(ProgramChanged(program="", by="AB"), START + 18 * PART)
    assert [event.state for event in out if isinstance(event, Alert)] == ["cleared"]
    assert monitor.snapshot().alerts == ()


def test_yes_within_a_cut_leaves_it_out_and_batches_do_not_matter() -> None:
    states = []
    for every in (1, 23, 1000):
        monitor, block, _ = began(REMOVED, 18)
        a, b = round(18 * PART / STEP), round((18 * PART + 1.6) / STEP)
        for piece in pieces(
            Readings(block.source, block.channels, block.time[a:b], block.values[a:b], block.quality[a:b]), itertools.repeat(every)
        ):
            monitor.feed(piece)
        assert monitor.segmenters["S1"].opened is not None
        monitor.do(ProgramChanged(program="", by="AB"), START + 18 * PART + 1.6)
        rest = Readings(block.source, block.channels, block.time[b:], block.values[b:], block.quality[b:])
        assert raised(feed(monitor, rest, every)) == []
        assert {key.split("/")[2] for key in monitor.watch.state.baselines} == {"r2"}
        states.append(monitor.state())
    assert states[0] == states[1] == states[2]
