"""What is out of the ordinary now: faults wait for their time or part, act, and end. Pure, like the machine that owns it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from drivers.simulate.cycle import TICK
from drivers.simulate.faults import (
    WIRE_FAULTS,
    Bearing,
    Break,
    Fault,
    FeedHold,
    MachineFault,
    Material,
    Missing,
    NewTool,
    Override,
    PowerOff,
    Unbalance,
    WarmUp,
    Wear,
    WireFault,
    name_of,
)
from drivers.simulate.script import Script
from drivers.simulate.state import Record, Services
from drivers.simulate.tool import Tool

WARM_UP = 400.0
"""s, time constant of a warm-up: 95 % gone after 20 min."""
ANNOUNCED = 1.0
"""s from power_on = 0 to silence."""
FEED_HOLD = 3.0
"""s, unless the fault says otherwise."""


class Conditions:
    """Everything that a script or a person has done to the machine.

    `wire` takes the wire faults when their time has come; `note` takes what happened, for the truth.
    """

    def __init__(
        self,
        seed: int,
        tools: dict[int, Tool],
        services: Services,
        script: Script,
        wire: Callable[[WireFault], None],
        note: Callable[[Record], None],
    ) -> None:
        self.material = 1.0
        self.feed_override = 100.0
        self.speed_override = 100.0
        self.unbalance = 0.0
        self.bearing = 0.0
        self.hold = False
        self.off: PowerOff | None = None
        self.off_since = 0.0
        self._warm: tuple[float, float] | None = None
        self._stop = 0.0
        self._tools = tools
        self._services = services
        self._script = script
        self._wire = wire
        self._note = note
        self._rng = np.random.default_rng([seed, 2])
        self._time = 0.0
        self._part = 1
        self._waiting: list[tuple[float, Fault]] = []
        self._booked: dict[int, list[Fault]] = {}
        self._ends: list[tuple[float, float, MachineFault]] = []
        for fault in script.timed():
            self.apply(fault)

    def apply(self, fault: Fault) -> str:
        """A fault comes. '' or why it is refused: 'no_such_tool', 'past'."""
        tool = getattr(fault, "tool", None)
        if tool is not None and tool not in self._tools:
            return "no_such_tool"
        if (fault.at is not None and fault.at < self._time - TICK / 2) or (fault.at_part is not None and fault.at_part < self._part):
            return "past"
        if fault.at is not None and fault.at > self._time:
            self._waiting.append((fault.at, fault))
        elif fault.at_part is not None and fault.at_part > self._part:
            self._booked.setdefault(fault.at_part, []).append(fault)
        else:
            self._begin(fault)
        return ""

    def tick(self, time: float) -> None:
        """Machine time is now `time`: begin and end what is due."""
        self._time = time
        if self._waiting:
            for entry in [w for w in self._waiting if w[0] <= time]:
                self._waiting.remove(entry)
                self._begin(entry[1])
        if self._ends:
            for end in [e for e in self._ends if e[0] <= time]:
                self._ends.remove(end)
                self._end(end[2])

    def part_begins(self, part: int) -> float:
        """Part number `part` begins; seconds for which the machine first stands with its door open."""
        self._part = part
        for end in [e for e in self._ends if e[1] <= part]:
            self._ends.remove(end)
            self._end(end[2])
        for fault in (*self._script.due(part), *self._booked.pop(part, ())):
            self._begin(fault)
        for tool in self._tools.values():
            tool.part_begins()
        stop, self._stop = self._stop, 0.0
        return stop

    def warmth(self) -> float:
        """Factor on the idle load."""
        return 1.0 if self._warm is None else 1.0 + self._warm[1] * math.exp(-(self._time - self._warm[0]) / WARM_UP)

    def silent(self) -> bool:
        """The machine's registers have lost their supply."""
        if self.off is None or self.off.manner == "io_alive":
            return False
        return self.off.manner == "sudden" or self._time >= self.off_since + ANNOUNCED

    def _begin(self, fault: Fault) -> None:
        if isinstance(fault, WIRE_FAULTS):
            self._wire(fault)
            return
        if fault.end:
            mine = [e for e in self._ends if type(e[2]) is type(fault) and getattr(e[2], "tool", 0) == getattr(fault, "tool", 0)]
            self._ends = [e for e in self._ends if e not in mine]
            self._end(fault)
            return
        self._note(Record("fault", self._time, self._part, getattr(fault, "tool", 0), fault=name_of(fault)))
        seconds = FEED_HOLD if isinstance(fault, FeedHold) and fault.seconds is None else fault.seconds
        if seconds is not None or fault.parts is not None:
            until = self._time + seconds if seconds is not None else math.inf
            self._ends.append((until, self._part + fault.parts if fault.parts is not None else math.inf, fault))
        match fault:
            case Wear():
                self._tools[fault.tool].begin_wear(fault.per_part, fault.limit)
            case Break():
                spike, rub = 1.4 + 0.2 * self._rng.random(), 0.06 + 0.08 * self._rng.random()
                self._tools[fault.tool].arm_break(fault.at_s_in_cut, spike, rub)
            case Missing():
                self._tools[fault.tool].missing = True
            case NewTool():
                self._tools[fault.tool].renew(1.0 + 0.01 * float(self._rng.standard_normal()))
                self._stop = max(self._stop, fault.stop)
            case Material():
                self.material = fault.factor
            case WarmUp():
                self._warm = (self._time, fault.rise)
                self._services.cold()
            case Unbalance():
                self.unbalance = fault.g
            case Bearing():
                self.bearing = fault.g
            case Override():
                self.feed_override, self.speed_override = fault.feed, fault.speed
            case FeedHold():
                self.hold = True
            case PowerOff():
                self.off, self.off_since = fault, self._time

    def _end(self, fault: MachineFault) -> None:
        self._note(Record("ended", self._time, self._part, getattr(fault, "tool", 0), fault=name_of(fault)))
        match fault:
            case Wear():
                self._tools[fault.tool].end_wear()
            case Break() | Missing():
                self._tools[fault.tool].renew(1.0)
            case Material():
                self.material = 1.0
            case WarmUp():
                self._warm = None
            case Unbalance():
                self.unbalance = 0.0
            case Bearing():
                self.bearing = 0.0
            case Override():
                self.feed_override, self.speed_override = 100.0, 100.0
            case FeedHold():
                self.hold = False
            case PowerOff():
                self.off = None
            case NewTool():
                pass
