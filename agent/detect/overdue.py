"""Cuts that do not come, told when they should have come: `awaited` asked of what the order of the part expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from agent.detect.awaited import Awaited
from agent.detect.baseline import Baseline
from agent.detect.sequence import Sequence
from agent.detect.visit_work import VisitWork
from agent.model import Cut, Finding, Indicator
from agent.segment import Frame

Tell = Callable[[list[str], float, int], list[Finding | Indicator]]


class Overdue:
    """Asks what is missing.

    Parameters
    ----------
    order: of the cuts of a part. known: the baselines. tell: makes findings of absent operations, at a time, in a part.
    work: of whole visits.
    """

    def __init__(self, order: Sequence, known: Callable[[], Mapping[str, Baseline]], tell: Tell, work: VisitWork) -> None:
        self.awaited = Awaited()
        self.work = work
        self._cutting: set[str] = set()
        self._order = order
        self._known = known
        self._tell = tell

    def cutting(self, cut: Cut) -> None:
        """A cut opened, grew or closed."""
        if cut.phase == "closed":
            self._cutting.discard(cut.operation.spindle)
        else:
            self._cutting.add(cut.operation.spindle)

    def on_tool(self, spindle: str, frame: Frame) -> list[Finding | Indicator]:
        """Before the rows of a frame are looked at: what the tool that has just left should have cut."""
        left = self.awaited.call(spindle, frame.tool, held=bool(frame.held))
        if not left or spindle in self._cutting:
            # Of a cut that goes on it is not known yet in whose place it does: the next that opens asks again.
            return [*self.work.on_tool(spindle, frame)]
        known = self._known()
        gone = self.awaited.skipped(spindle, left, self._order.untold(known), known)
        self._order.told(gone)
        told = self._tell(gone, float(frame.time[0]), frame.part)
        # After it: what was told of a tool just now is not told of its whole visit again.
        return [*told, *self.work.on_tool(spindle, frame)]

    def on_air(self, spindle: str, frame: Frame, air: NDArray[np.bool_]) -> None:
        """Rows of a spindle; `air`: it turned steadily without cutting."""
        self.awaited.turn(spindle, frame.time, air)
        self.work.take(spindle, frame)

    def doubt(self, *, warming: bool = False) -> None:
        """The agent missed something: neither cuts nor visits that go on now are awaited. `warming`: it missed nothing, but the spindle may
        be warming up; a visit that takes as long as ever does not."""
        self.awaited.doubt()
        if not warming:
            self.work.doubt()

    def awaits(self, time: float, every: float) -> float:
        """The last look, of one each `every` seconds, up to which `on_look` has nothing to do, if it has been done at `time`."""
        known = self._known()
        due = self.awaited.due_in(self._order.untold(known), known)
        due = min(time + due, self.work.awaits())
        return math.floor(due / every) * every if math.isfinite(due) else math.inf

    def on_look(self, time: float, part: int) -> list[Finding | Indicator]:
        """Twice a second: cuts that should have begun by now."""
        known = self._known()
        gone = self.awaited.overdue(self._order.untold(known), known)
        self._order.told(gone)
        return [*self._tell(gone, time, part), *self.work.on_look(time)]
