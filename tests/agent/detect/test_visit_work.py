"""A missing tool told by the work of its whole visit, when it leaves."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect.course import Course
from agent.detect.visit_work import GONE, ODD, SURE, VisitWork
from agent.model import Finding
from agent.segment import Frame
from tests.agent.detect.test_course import rows

TOOL, OTHER = "4", "9"


class Machine:
    """Parts of two visits: tool 4, which cuts, and tool 9, which does not."""

    def __init__(self, work: VisitWork | None = None, *, batch: int = 25, period: int = 1) -> None:
        self.work = work or VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding)
        self.now = 0.0
        self.part_number = 0
        self._batch = batch
        self._period = period
        self._draw = np.random.default_rng(11)

    def visit(self, tool: str, level: float, *, held: str = "", extra: float = 0.0, gone: float = 99.0) -> list[Finding]:
        """Returns what was said as it began, of the visit before, and in it. `gone`: s of turning after which the tool is broken."""
        time, load, speed = (one[:: self._period] for one in rows(level, self._draw, extra=extra))
        load = np.where(time - 0.5 < gone, load, 300.0)
        said: list[Finding] = []
        for at in range(0, len(time), self._batch):
            piece = slice(at, at + self._batch)
            n = len(time[piece])
            frame = Frame(self.now + time[piece], load[piece], speed[piece], np.ones(n, bool), 1, "1", tool, "", self.part_number, held)
            said += self.work.on_tool("S1", frame)
            self.work.take("S1", frame)
            if frame.time[-1] >= self.work.awaits():
                said += self.work.on_look(float(frame.time[-1]))
        self.now += float(time[-1]) + 0.02
        return said

    def part(self, level: float, *, held: str = "", extra: float = 0.0) -> list[Finding]:
        self.part_number += 1
        said = self.visit(TOOL, level, held=held, extra=extra)
        return said + self.visit(OTHER, 0.0)


def taught(parts: int = 16, **options: int) -> Machine:
    machine = Machine(**options)
    for _ in range(parts):
        assert machine.part(150.0) == []
    return machine


def promised(work: VisitWork, tool: str = TOOL) -> bool:
    standing = work.standing("S1", "1", tool)
    return standing is not None and standing.limit > 0.0


@pytest.mark.parametrize("period", [1, 5])
def test_told_when_the_tool_leaves_and_over_when_it_cuts_again(period: int) -> None:
    machine = taught(period=period, batch=7)
    assert promised(machine.work)
    said = machine.part(0.0)
    assert [(f.kind, f.tool, f.operation, f.severity, f.finished) for f in said] == [("missing", TOOL, "S1/1/r1/T4/-", "urgent", False)]
    assert said[0].score < 0.1 < said[0].threshold
    said = machine.part(150.0)
    assert [(f.kind, f.finished) for f in said] == [("missing", True)]
    assert machine.part(150.0) == []


def test_what_is_told_is_of_the_revision_that_is_made_now() -> None:
    work = VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding, revision={"1": 3}.__getitem__)
    machine = Machine(work)
    for _ in range(16):
        machine.part(150.0)
    assert [finding.operation for finding in machine.part(0.0)] == ["S1/1/r3/T4/-"]


def test_a_tool_that_cuts_nothing_ever_is_never_promised() -> None:
    machine = taught()
    assert not promised(machine.work, OTHER)


def test_not_promised_before_it_was_sure_for_some_visits() -> None:
    # The very first visit has no beginning, eight make a judgement, which must stand for some more.
    machine = taught(parts=8 + SURE - 1)
    assert not promised(machine.work)
    assert machine.part(0.0) == []
    machine = taught(parts=8 + SURE + 1)
    assert promised(machine.work)


@pytest.mark.parametrize("why", ["held", "longer", "doubt"])
def test_a_visit_that_was_held_took_longer_or_was_not_seen_whole_says_nothing(why: str) -> None:
    machine = taught()
    if why == "doubt":
        machine.part_number += 1
        machine.visit(TOOL, 0.0)
        machine.work.doubt()
        assert machine.visit(OTHER, 0.0) == []
    else:
        assert machine.part(0.0, held="feed_hold" if why == "held" else "", extra=2.0 if why == "longer" else 0.0) == []
    assert machine.part(0.0) != []


def test_a_program_that_no_longer_uses_it_is_learned_anew() -> None:
    machine = taught()
    told = [len(machine.part(0.0)) for _ in range(5)]
    assert told == [1] * GONE + [0] * (5 - GONE)
    assert not promised(machine.work)


def test_a_program_that_takes_another_time_is_learned_anew() -> None:
    machine = taught()
    for _ in range(ODD):
        assert machine.part(150.0, extra=2.0) == []
    assert not promised(machine.work)
    for _ in range(12):
        assert machine.part(150.0, extra=2.0) == []
    assert promised(machine.work)
    assert len(machine.part(0.0, extra=2.0)) == 1


def test_what_something_else_told_is_not_said_again() -> None:
    machine = taught()
    machine.part_number += 1
    machine.visit(TOOL, 0.0)
    machine.work.told("S1", TOOL)
    assert machine.visit(OTHER, 0.0) == []


def test_the_same_however_it_was_batched() -> None:
    one, many = taught(batch=7), taught(batch=400)
    assert msgspec.msgpack.encode(one.work.courses) == msgspec.msgpack.encode(many.work.courses)
    assert one.part(0.0)[0].score == many.part(0.0)[0].score


def test_known_after_a_restart_but_the_visit_that_runs_then_is_not_judged() -> None:
    machine = taught()
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(machine.work.courses), type=dict[str, Course])
    work = VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding)
    work.restore(saved, ())
    assert promised(work)
    machine.work = work
    assert machine.part(0.0) == []
    assert len(machine.part(0.0)) == 1


def test_learned_again_where_the_load_is_another() -> None:
    machine = taught()
    work = VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding)
    work.restore(machine.work.courses, ("S1",))
    assert not work.courses


def test_the_operators_word_holds() -> None:
    machine = taught()
    work = VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda _finding: None)
    work.restore(machine.work.courses, ())
    machine.work = work
    assert machine.part(150.0) == []
    assert machine.part(0.0) == []


def test_nothing_where_it_is_off_and_no_speed_is_no_hindrance() -> None:
    machine = Machine(VisitWork(on=False, chance=lambda: 1e-6, tuned=lambda finding: finding))
    machine.part(150.0)
    assert not machine.work.courses
    blind = Frame(np.array([0.0]), np.array([1.0]), np.array([math.nan]), np.ones(1, bool), 1, "1", TOOL, "", 1, "")
    assert VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding).on_tool("S1", blind) == []


def test_a_break_is_told_as_its_cut_should_have_ended_and_not_again_when_the_tool_leaves() -> None:
    machine = taught()
    machine.part_number += 1
    began = machine.now
    said = machine.visit(TOOL, 150.0, gone=3.5)
    assert [(f.kind, f.operation, f.finished) for f in said] == [("breakage", "S1/1/r1/T4/-", False)]
    # The cut goes from 3 to 5 s of turning, which begins 0.5 s after the call.
    assert 5.5 <= said[0].time - began <= 6.5
    assert said[0].evidence["at_s"] == pytest.approx(0.5, abs=0.15)
    assert said[0].evidence["expected_s"] == pytest.approx(2.0, abs=0.15)
    assert machine.visit(OTHER, 0.0) == []


def test_a_stop_in_the_middle_is_waited_for() -> None:
    machine = taught()
    machine.part_number += 1
    time, load, speed = rows(150.0, np.random.default_rng(2))
    # The spindle stands for 20 s in the air before its second cut.
    late = np.where(time >= 3.2, time + 20.0, time)
    stop = np.arange(3.2, 23.2, 0.02)
    times = np.concatenate([time[time < 3.2], stop, late[time >= 3.2]])
    loads = np.concatenate([load[time < 3.2], np.zeros(len(stop)), load[time >= 3.2]])
    speeds = np.concatenate([speed[time < 3.2], np.zeros(len(stop)), speed[time >= 3.2]])
    said: list[Finding] = []
    for at in range(0, len(times), 25):
        piece = slice(at, at + 25)
        n = len(times[piece])
        frame = Frame(machine.now + times[piece], loads[piece], speeds[piece], np.ones(n, bool), 1, "1", TOOL, "", machine.part_number, "")
        said += machine.work.on_tool("S1", frame)
        machine.work.take("S1", frame)
        said += machine.work.on_look(float(frame.time[-1]))
    assert said == []


def test_what_is_promised_of_breaks() -> None:
    machine = taught()
    stretches = machine.work.breaks("S1", "1", TOOL, 1)
    assert [round(first) for first, _, _, _ in stretches] == [2, 3]
    assert machine.work.breaks("S1", "1", OTHER, 1) == []
    assert machine.work.breaks("S1", "1", "77", 1) == []
