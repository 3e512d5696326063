"""A program that is started in its middle or stopped before its end, through the whole pass."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agent.detect import restart
from agent.model import Alert, Coverage, Cut, Event, Word
from agent.monitor import Monitor
from agent.settings import MachineSettings
from drivers.model import Readings, Words
from tests.agent.test_monitor import PLAN
from tests.support.lathe import CUTS, PART, STEP, Faults, pieces, rows, settings


def run(parts: int, faults: Faults, machine: MachineSettings | None = None, every: int = 23) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(rows(parts, faults), itertools.repeat(every)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def raised(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.tool) for event in events if isinstance(event, Alert) and event.transition == "raised"]


def closed(events: list[Event], parts: range) -> list[Cut]:
    return [event for event in events if isinstance(event, Cut) and event.phase == "closed" and event.part in parts]


@pytest.mark.parametrize("tool", [2, 4])
@pytest.mark.parametrize("context", [{}, {"part": False}], ids=["all", "no part"])
def test_what_a_restart_skips_is_not_missing_and_the_rest_of_the_part_is_held(tool: int, context: dict[str, bool]) -> None:
    faults = Faults(begun={14: tool})
    monitor, events = run(22, faults, settings(**context))
    assert raised(events) == []
    cuts = [cut for cut in closed(events, range(14, 15)) if cut.held != "run_up"]
    assert len(cuts) >= 1
    assert {cut.held for cut in cuts} == {restart.HELD}
    assert any(isinstance(event, Coverage) and (event.word, event.reason) == (Word.HOLD, restart.HELD) for event in events)
    assert {cut.held for cut in closed(events, range(15, 22))} <= {"", "run_up"}
    good = {baseline.tool: baseline.good for baseline in monitor.watch.state.baselines.values() if baseline.good}
    # One part of 22 is not learned from.
    assert max(good.values()) <= 21
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.MONITORING


@pytest.mark.parametrize("tool", [2, 4])
def test_a_program_that_is_stopped_misses_nothing_and_the_first_cut_after_it_is_held(tool: int) -> None:
    _, events = run(22, Faults(stopped={14: tool}))
    assert raised(events) == []
    after = [cut for cut in closed(events, range(15, 16)) if cut.held != "run_up"]
    assert [cut.held for cut in after] == [restart.HELD, "", ""]


def test_stopped_and_taken_up_again_with_the_next_tool() -> None:
    _, events = run(24, Faults(stopped={14: 2}, begun={15: 2}))
    assert raised(events) == []
    assert {cut.held for cut in closed(events, range(15, 16))} <= {restart.HELD, "run_up"}


@pytest.mark.parametrize("tool", list(CUTS))
def test_a_missing_tool_is_told_as_ever_because_it_was_called(tool: int) -> None:
    _, events = run(22, Faults(missing={tool: range(14, 15)}, begun={18: 4}))
    assert raised(events) == [("missing", str(tool))]


def test_a_missing_tool_is_told_in_the_part_after_the_restart() -> None:
    _, events = run(22, Faults(begun={14: 4}, missing={2: range(15, 16)}))
    assert raised(events) == [("missing", "2")]


def test_the_agent_is_restarted_within_the_held_part() -> None:
    faults = Faults(begun={14: 2})
    block = rows(20, faults)
    at = round((14 * PART + 4.42) / STEP)

    def part_of(a: int, b: int | None) -> Readings:
        return Readings(block.source, block.channels, block.time[a:b], block.values[a:b], block.quality[a:b])

    first = Monitor(settings(), PLAN)
    first.feed(part_of(0, at))
    assert first.watch.changes.restart.state.since is not None
    assert [notice.kind for notice in first.snapshot().notices] == ["restart"]
    again = Monitor(settings(), PLAN)
    again.restore(first.state())
    assert again.state() == first.state()
    events = [*again.feed(part_of(at, None)), *again.finish()]
    assert raised(events) == []
    assert [cut.held for cut in closed(events, range(14, 15)) if cut.held != "lost"] == [restart.HELD]
    assert again.snapshot().notices == ()


def test_batches_do_not_matter() -> None:
    faults = Faults(begun={14: 2}, stopped={17: 4})
    one, _ = run(20, faults, every=1)
    other, _ = run(20, faults, every=5000)
    assert one.state() == other.state()


def sections(parts: int, skip: dict[int, tuple[int, ...]], again: dict[int, tuple[int, int]] | None = None) -> Readings:
    """The same lathe with a register that says when a cut is; `skip`: part to sections that are not run in it; `again`: part to the section
    that takes the place of another (that one, this one), in air, for it was cut already."""
    block = rows(parts, Faults(missing={tool: range(k, k + 1) for k, gone in skip.items() for tool in gone}))
    inside = (STEP * np.arange(len(block.time))) % PART
    words, section = Words(), np.zeros(len(block.time))
    none = words.code("-")
    section[:] = none
    values = block.values.copy()
    for number, (start, duration, _, _) in CUTS.items():
        for k in range(parts):
            here = (values[:, 3] == k) & (inside >= start) & (inside < start + duration)
            if number in skip.get(k, ()):
                continue
            name = number
            if again and k in again and again[k][0] == number:
                name = again[k][1]
                values[here, 0] = 3.0 + values[here, 1] / 500.0
                values[(values[:, 3] == k) & (inside >= start - 0.6) & (inside < start + duration + 0.5), 2] = float(name)
            section[here] = float(name)
    values = np.column_stack([values, section])
    quality = np.column_stack([block.quality, np.zeros(len(section), np.uint8)])
    return Readings(block.source, (*block.channels, "section"), block.time, values, quality, words.seen())


@pytest.mark.parametrize("skip", [{14: (1,)}, {14: (1, 2)}, {14: (2,)}, {14: (4,)}], ids=["first", "first two", "middle", "last"])
def test_sections_that_are_skipped_are_not_missing(skip: dict[int, tuple[int, ...]]) -> None:
    monitor = Monitor(settings(section=True), PLAN)
    events = [*monitor.feed(sections(22, skip)), *monitor.finish()]
    assert raised(events) == []
    last = max(set(CUTS) - set(skip[14]))
    cuts = {cut.operation.section: cut.held for cut in closed(events, range(14, 15))}
    assert cuts[str(last)] == ("" if skip == {14: (4,)} else restart.HELD)


def test_a_single_section_that_is_run_again_is_held() -> None:
    monitor = Monitor(settings(section=True), PLAN)
    events = [*monitor.feed(sections(22, {}, {14: (4, 2)})), *monitor.finish()]
    assert raised(events) == []
    assert [cut.held for cut in closed(events, range(14, 15)) if cut.operation.section == "2"] == ["", restart.HELD]


def test_a_section_without_work_is_a_missing_tool() -> None:
    block = sections(22, {})
    inside = (STEP * np.arange(len(block.time))) % PART
    here = (block.values[:, 3] == 14) & (inside >= 3.0) & (inside < 4.2)
    block.values[here, 0] = 3.0 + 900.0 / 500.0
    monitor = Monitor(settings(section=True), PLAN)
    assert raised([*monitor.feed(block), *monitor.finish()]) == [("missing", "2")]
