"""A cut that should have begun by now."""

from __future__ import annotations

import numpy as np
import pytest

from agent.detect.awaited import FEWEST, MARGIN, PLUS, Awaited
from agent.detect.baseline import Baseline

TOOLS = {"a": "1", "b": "2", "c": "1"}
KNOWN = {key: Baseline(key=key, spindle="S1", program="P", tool=tool, section="", since=0.0) for key, tool in TOOLS.items()}
STEP = 0.1


class Machine:
    """One spindle; time goes on by itself."""

    def __init__(self, batch: int = 1000) -> None:
        self.awaited = Awaited()
        self.now = 0.0
        self.batch = batch

    def turn(self, tool: str, seconds: float, *, air: bool = True, held: bool = False) -> str:
        time = self.now + STEP * (1.0 + np.arange(round(seconds / STEP)))
        self.now = float(time[-1])
        left = ""
        for i in range(0, len(time), self.batch):
            part = time[i : i + self.batch]
            left = self.awaited.call("S1", tool, held=held) or left
            self.awaited.turn("S1", part, np.full(len(part), air))
        return left

    def cut(self, key: str, tool: str, seconds: float = 2.0) -> None:
        self.awaited.opened(key, "S1", self.now + STEP)
        self.turn(tool, seconds, air=False)

    def part(self) -> None:
        """Tool 1 cuts a, tool 2 cuts b, tool 1 comes back and cuts c."""
        self.awaited.begin()
        for tool, key in (("1", "a"), ("2", "b"), ("1", "c")):
            self.turn(tool, 1.0)
            self.cut(key, tool)


def learned(batch: int = 1000, parts: int = FEWEST + 1) -> Machine:
    machine = Machine(batch)
    for _ in range(parts):
        machine.part()
    machine.awaited.begin()
    return machine


def test_it_is_due_when_the_spindle_has_turned_longer_than_ever_before() -> None:
    machine = learned()
    machine.turn("1", 1.0)
    machine.cut("a", "1")
    machine.turn("2", MARGIN * 1.0 + PLUS - 2 * STEP)
    assert machine.awaited.overdue(["b", "c"], KNOWN) == []
    machine.turn("2", 4 * STEP)
    assert machine.awaited.overdue(["b", "c"], KNOWN) == ["b"]


def test_a_spindle_that_stands_makes_nobody_wait() -> None:
    machine = learned()
    machine.turn("2", 300.0, air=False)
    assert machine.awaited.overdue(["a", "b", "c"], KNOWN) == []


def test_a_tool_that_leaves_without_its_cut_tells_it_and_the_one_of_its_next_visit_is_not_meant() -> None:
    machine = learned()
    machine.turn("1", 0.5)
    assert machine.turn("2", 0.5) == "1"
    assert machine.awaited.skipped("S1", "1", ["a", "b", "c"], KNOWN) == ["a"]


def test_a_tool_left_from_the_part_before_was_not_called() -> None:
    machine = learned()
    assert machine.turn("2", 0.5) == "1", "it is still in from the last cut of the part before"
    assert machine.awaited.skipped("S1", "1", ["c"], KNOWN) == []


@pytest.mark.parametrize("how", ["held", "doubt"])
def test_what_was_not_watched_whole_says_nothing_until_the_next_tool(how: str) -> None:
    machine = learned()
    machine.turn("1", 0.5, held=how == "held")
    if how == "doubt":
        machine.awaited.doubt()
    machine.turn("1", 60.0)
    assert machine.awaited.overdue(["a"], KNOWN) == []
    assert machine.turn("2", 60.0) == ""
    assert machine.awaited.overdue(["b"], KNOWN) == ["b"]


def test_nothing_is_awaited_before_enough_parts_or_of_what_was_forgotten() -> None:
    machine = learned(parts=FEWEST - 1)
    machine.turn("2", 60.0)
    assert machine.awaited.overdue(["b"], KNOWN) == []
    machine = learned()
    machine.awaited.forget(["b"])
    machine.turn("2", 60.0)
    assert machine.awaited.overdue(["b"], KNOWN) == []


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_batches_do_not_matter(batch: int) -> None:
    assert learned(batch).awaited.waits == learned().awaited.waits
