"""The cutting clock of each tool position: what the tool there has cut since it was new, over all programs, and how earlier ones ended.

Cutting time alone told worn tools from fresh ones better than any sensor of two milling sets (knowledge of detection, 1.2): it is counted
for every tool, whether its cuts can be judged or not, and stands beside what the signals say. What a person typed of a tool (a measured
flank wear, 'still good', why it was changed) is kept here too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from agent.model import Cut

Reason = Literal["", "worn", "broken", "planned"]
"""Why a tool was taken out; '' = nobody said."""
LIVES = 30
"""Ended lives of a tool position that are remembered."""
MEASURES = 50
"""Typed measures of one tool that are remembered."""
MOST = 400
"""Tool positions that are remembered."""


class Measure(msgspec.Struct, frozen=True):
    """A flank wear that somebody measured and typed in, and what the tool had cut by then."""

    vb: float
    """mm, 0 or more"""
    seconds: float
    """s of cutting since the tool was new"""
    cuts: int
    parts: int
    time: float
    """When it was typed, on the axis of the readings"""


class Life(msgspec.Struct, frozen=True):
    """One tool from new to change."""

    cuts: int
    parts: int
    seconds: float
    reason: Reason
    ended: float
    vb: float | None = None
    """mm, the last measure; None: it was never measured"""


class Clock(msgspec.Struct):
    """Of the tool that stands in one position now; survives a restart."""

    cuts: int = 0
    parts: int = 0
    """In which it cut, ended ones"""
    seconds: float = 0.0
    """of cutting"""
    work: float | None = 0.0
    """Load above idle times s; None: the load changed its unit meanwhile"""
    since: float = 0.0
    """Time of its change, or of its first cut"""
    whole: bool = False
    """It was new when the counting began. Of the tool that stood in the machine when Broche came nobody knows: its life is no life."""
    measures: list[Measure] = []
    good: Measure | None = None
    """What it had cut when an operator last said that it was still good (`vb` is not used)"""
    lives: list[Life] = []
    """Of earlier tools here that were seen from new to change, the newest last"""
    cutting: bool = False
    """It cut in the part that runs"""
    used: float = 0.0

    @property
    def measured(self) -> Measure | None:
        """The last typed flank wear of this tool."""
        return self.measures[-1] if self.measures else None


class Clocks:
    """All tool positions of a machine; a position is a spindle and the number of a tool."""

    def __init__(self) -> None:
        self.state: dict[str, Clock] = {}

    def of(self, tool: str, spindle: str) -> Clock | None:
        """Of the tool in this position; None where it never cut."""
        return self.state.get(position(tool, spindle))

    def known(self, tool: str, spindle: str = "") -> list[Clock]:
        """Of this tool on one spindle, or on every spindle where none is named."""
        return [clock for key, clock in self.state.items() if key.partition("|")[2] == tool and spindle in ("", key.partition("|")[0])]

    def on_cut(self, cut: Cut) -> None:
        """A closed cut, held or not: the edge wears under a reduced override as well. Without a tool number there is nothing to count."""
        if cut.phase != "closed" or not cut.operation.tool:
            return
        key = position(cut.operation.tool, cut.operation.spindle)
        clock = self.state.get(key)
        if clock is None:
            if len(self.state) >= MOST:
                del self.state[min(self.state, key=lambda one: self.state[one].used)]
            clock = self.state[key] = Clock(since=cut.opened)
        clock.cuts += 1
        clock.seconds += max(cut.features.duration, 0.0)
        if clock.work is not None:
            clock.work += max(cut.features.work, 0.0)
        clock.cutting = True
        clock.used = cut.time

    def on_part(self) -> None:
        """A part has ended: each tool that cut in it has one more."""
        for clock in self.state.values():
            clock.parts += clock.cutting
            clock.cutting = False

    def changed(self, tool: str, spindle: str, reason: Reason, time: float) -> None:
        """A new tool or edge stands here. The ended life is kept if it was seen from its beginning and the tool cut at all."""
        for clock in self.known(tool, spindle):
            if clock.whole and clock.cuts:
                measured = clock.measured
                ended = Life(clock.cuts, clock.parts, clock.seconds, reason, time, measured.vb if measured is not None else None)
                clock.lives = [*clock.lives, ended][-LIVES:]
            clock.cuts, clock.parts, clock.seconds, clock.work = 0, 0, 0.0, 0.0
            clock.since, clock.whole, clock.cutting = time, True, False
            clock.measures, clock.good = [], None

    def untold(self, tool: str, spindle: str) -> None:
        """Something was done to the tool that nobody told (its load fell back to that of a new one): its count says nothing any more."""
        for clock in self.known(tool, spindle):
            clock.whole, clock.measures, clock.good = False, [], None

    def measure(self, tool: str, spindle: str, vb: float, time: float) -> None:
        """A flank wear was typed in, mm. Typed again before the next cut it replaces the one before: a slip of the finger."""
        for clock in self.known(tool, spindle):
            earlier = [one for one in clock.measures if one.cuts != clock.cuts]
            clock.measures = [*earlier, _now(clock, vb, time)][-MEASURES:]

    def still_good(self, tool: str, spindle: str, time: float) -> None:
        """An operator looked: the tool is not worn yet."""
        for clock in self.known(tool, spindle):
            clock.good = _now(clock, 0.0, time)

    def restore(self, state: dict[str, Clock], anew: Collection[str] = ()) -> None:
        """Take back what was saved; the load of the spindles in `anew` has another unit now."""
        self.state = state
        for key, clock in state.items():
            if key.partition("|")[0] in anew and clock.cuts:
                clock.work = None


def position(tool: str, spindle: str) -> str:
    """Key of a tool position."""
    return f"{spindle}|{tool}"


def worn_out(lives: Iterable[Life]) -> list[Life]:
    """Lives that say how long a tool lasts: one that was changed by plan might have lasted longer."""
    return [life for life in lives if life.reason != "planned"]


def _now(clock: Clock, vb: float, time: float) -> Measure:
    return Measure(vb=vb, seconds=clock.seconds, cuts=clock.cuts, parts=clock.parts, time=time)
