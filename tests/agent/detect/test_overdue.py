"""What a tool that leaves should have cut, while one of its cuts still goes on."""

from __future__ import annotations

import numpy as np
import pytest

from agent.detect.awaited import FEWEST, Wait
from agent.detect.baseline import Baseline
from agent.detect.overdue import Overdue
from agent.detect.sequence import Sequence
from agent.detect.visit_work import VisitWork
from agent.model import Cut, CutFeatures, Finding, Indicator, Operation
from agent.segment import Frame

FIRST, SECOND = (Operation(spindle="S1", program="P", revision=1, tool="4", section=name) for name in ("1", "2"))
KNOWN = {
    one.key: Baseline(key=one.key, spindle="S1", program="P", tool="4", section=one.section, since=0.0, good=9) for one in (FIRST, SECOND)
}


def frame(time: float, tool: str) -> Frame:
    one = np.ones(1)
    return Frame(np.array([time]), one, one, np.ones(1, bool), 1, "P", tool, "", 1, "")


def cut(phase: str) -> Cut:
    figures = CutFeatures(samples=9, duration=1.0, mean=1.0, peak=1.0, idle=0.0, work=1.0, largest_rise=0.0, largest_fall=0.0)
    return Cut(id="S1-1", phase=phase, operation=FIRST, part=1, opened=0.0, time=1.0, features=figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(("closed", "told"), [(True, [SECOND.key]), (False, [])])
def test_what_a_tool_left_out_is_told_only_when_none_of_its_cuts_may_be_in_that_place(closed: bool, told: list[str]) -> None:
    order, said = Sequence(3), []

    def tell(keys: list[str], _time: float, _part: int) -> list[Finding | Indicator]:
        said.extend(keys)
        return []

    work = VisitWork(on=False, chance=lambda: 1e-6, tuned=lambda finding: finding)
    overdue = Overdue(order, lambda: KNOWN, tell, work)
    overdue.awaited.waits = {key: [Wait(1, 0.5)] * FEWEST for key in KNOWN}
    order.begin()
    for _ in range(3):
        for one in (FIRST, SECOND):
            order.opened(one.key, "P", KNOWN)
        order.ended(KNOWN, whole=True)
        order.begin()
    overdue.on_tool("S1", frame(0.0, "9"))
    overdue.on_tool("S1", frame(1.0, "4"))
    order.opened(FIRST.key, "P", KNOWN)
    overdue.cutting(cut("opened"))
    if closed:
        overdue.cutting(cut("closed"))
    overdue.on_tool("S1", frame(2.0, "9"))
    assert said == told


def test_a_warm_up_awaits_no_cut_and_leaves_the_visits_to_their_length() -> None:
    work = VisitWork(on=True, chance=lambda: 1e-6, tuned=lambda finding: finding)
    overdue = Overdue(Sequence(3), lambda: KNOWN, lambda _keys, _time, _part: [], work)
    called = []
    work.doubt = lambda: called.append(True)  # type: ignore[method-assign]
    overdue.doubt(warming=True)
    assert not called
    overdue.doubt()
    assert called
