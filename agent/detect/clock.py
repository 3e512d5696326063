"""The cutting clock of each tool position: what the tool there has cut since it was new, over all programs, and how earlier ones ended.

Cutting time alone told worn tools from fresh ones better than any sensor of two milling sets (knowledge of detection, 1.2): it is counted
for every tool, whether its cuts can be judged or not, and stands beside what the signals say. What a person typed of a tool (a measured
flank wear, 'still good', why it was changed) is kept here too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from agent.detect.wear_level import Level
from agent.model import Cut, Indicator

Reason = Literal["", "worn", "broken", "planned"]
"""Why a tool was taken out; '' = nobody said."""
RATIOS = frozenset({"work_ratio", "axis_load_ratio", "vibration_ratio"})
"""Indicators that compare a cut with the new tool's."""
LIVES = 30
"""Ended lives of a tool position that are remembered."""
MEASURES = 50
"""Typed measures of one tool that are remembered."""
KEPT = 8
"""Of an ended life's measures so many are kept, evenly from the first to the last."""
SIGNALS = 40
"""Signals of one tool (of each operation its own) that are followed."""
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
    levels: tuple[tuple[str, float], ...] = ()
    """Signals and their log ratios to the new edge then"""


class Life(msgspec.Struct, frozen=True):
    """One tool from new to change."""

    cuts: int
    parts: int
    seconds: float
    reason: Reason
    ended: float
    vb: float | None = None
    """mm, the last measure; None: it was never measured"""
    measures: list[Measure] = []
    levels: dict[str, float] = {}
    """By signal, log ratio to the new edge when it ended"""


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
    levels: dict[str, Level] = {}
    """How far each signal of each operation stands above the new edge, by `signal@operation`"""
    due: bool = False
    """It was said that a change is due"""

    @property
    def measured(self) -> Measure | None:
        """The last typed flank wear of this tool."""
        return self.measures[-1] if self.measures else None

    def now(self) -> dict[str, float]:
        """Level of each signal: the median of its operations."""
        found: dict[str, list[float]] = {}
        for key, level in self.levels.items():
            if level.now is not None:
                found.setdefault(key.partition("@")[0], []).append(level.now)
        return {name: statistics.median(values) for name, values in found.items()}


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

    def hear(self, cut: Cut, said: Iterable[Indicator]) -> None:
        """Log ratios to the new edge that the detectors gave of this cut."""
        clock = self.of(cut.operation.tool, cut.operation.spindle)
        if clock is None:
            return
        for item in said:
            if item.name not in RATIOS or not item.value > 0.0:
                continue
            key = f"{item.channel or item.name}@{item.operation}"
            known = clock.levels.get(key)
            if known is None and len(clock.levels) < SIGNALS:
                clock.levels = {**clock.levels, key: (known := Level())}
            if known is not None:
                known.take(math.log(item.value))

    def on_part(self) -> list[str]:
        """A part has ended: each tool that cut in it has one more. Returns their positions."""
        cut = [key for key, clock in self.state.items() if clock.cutting]
        for key in cut:
            self.state[key].parts += 1
            self.state[key].cutting = False
        return cut

    def changed(self, tool: str, spindle: str, reason: Reason, time: float) -> None:
        """A new tool or edge stands here. The ended life is kept if it was seen from its beginning and the tool cut at all."""
        for clock in self.known(tool, spindle):
            if clock.whole and clock.cuts:
                measured = clock.measured
                vb = measured.vb if measured is not None else None
                of = (clock.cuts, clock.parts, clock.seconds, reason, time, vb)
                clock.lives = [*clock.lives, Life(*of, measures=_thinned(clock.measures), levels=clock.now())][-LIVES:]
            clock.cuts, clock.parts, clock.seconds, clock.work = 0, 0, 0.0, 0.0
            clock.since, clock.whole, clock.cutting = time, True, False
            clock.measures, clock.good = [], None
            clock.levels, clock.due = {}, False

    def untold(self, tool: str, spindle: str) -> None:
        """Something was done to the tool that nobody told (its load fell back to that of a new one): its count says nothing any more."""
        for clock in self.known(tool, spindle):
            clock.whole, clock.measures, clock.good = False, [], None
            clock.levels, clock.due = {}, False

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
                clock.work, clock.levels = None, {}


def position(tool: str, spindle: str) -> str:
    """Key of a tool position."""
    return f"{spindle}|{tool}"


def _now(clock: Clock, vb: float, time: float) -> Measure:
    return Measure(vb=vb, seconds=clock.seconds, cuts=clock.cuts, parts=clock.parts, time=time, levels=tuple(sorted(clock.now().items())))


def _thinned(measures: list[Measure]) -> list[Measure]:
    """The first, the last and some between."""
    if len(measures) <= KEPT:
        return measures
    return [measures[round(i * (len(measures) - 1) / (KEPT - 1))] for i in range(KEPT)]
