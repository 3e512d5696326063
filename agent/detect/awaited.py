"""A cut that should have begun by now: its tool is in, its spindle turns, and it does not come.

The order of cuts tells an absent one only when the next opens, which may be another tool's. What a program does between the call of a tool
and its cut it repeats; so for each operation the seconds are kept that its spindle turned in air since its tool was called. Only turning
counts: a stop for measuring or cleaning stops the spindle, and time stands still here. A tool that leaves without its cut tells the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect.baseline import Baseline
from drivers.model import Floats

KEPT = 10
"""Latest parts that are remembered of each operation."""
FEWEST = 5
MARGIN, PLUS = 1.2, 1.0
"""Overdue: beyond the longest that was ever waited times this, and so many seconds: a look is 0.5 s, an opening may be seen 0.3 s late."""


LONGEST = 1.5
"""s between two rows beyond which nobody knows what the spindle did."""


class Wait(msgspec.Struct, frozen=True):
    """`visit`: how often its tool had been called in the part. `air`: s in which the spindle had turned without cutting since."""

    visit: int
    air: float


class Awaited:
    """Follows the tool that is in, spindle by spindle."""

    def __init__(self) -> None:
        self.waits: dict[str, list[Wait]] = {}
        """By operation, the latest last; survives a restart"""
        self._tool: dict[str, str] = {}
        self._present: set[tuple[str, str]] = set()
        """Tools that were in, in this part"""
        self._air: dict[str, float] = {}
        self._visits: dict[tuple[str, str], int] = {}
        self._whole: dict[str, None] = {}
        self._last: dict[str, float] = {}
        self._pending: dict[str, list[tuple[str, float]]] = {}

    def call(self, spindle: str, tool: str, *, held: bool) -> str:
        """A tool is in; called before the rows are looked at. Returns the one that has just left; '': none, or it was not watched whole."""
        before = self._tool.get(spindle, "")
        left = ""
        self._present.add((spindle, tool))
        if tool != before:
            left = before if spindle in self._whole else ""
            self._tool[spindle] = tool
            self._air[spindle] = 0.0
            self._visits[spindle, tool] = self._visits.get((spindle, tool), 0) + 1
            self._whole[spindle] = None
        if held:
            self._whole.pop(spindle, None)
        return left

    def turn(self, spindle: str, time: Floats, air: NDArray[np.bool_]) -> None:
        """Rows of a spindle; `air`: it turned steadily without cutting."""
        last = self._last.get(spindle, float(time[0]))
        total = self._air.get(spindle, 0.0)
        pending = self._pending.pop(spindle, [])
        # Row by row, so that the sums do not depend on how the rows were batched.
        for t, turning in zip(time.tolist(), air.tolist(), strict=True):
            while pending and t >= pending[0][1]:
                self._note(pending.pop(0)[0], spindle, self._tool.get(spindle, ""), total)
            if turning and 0.0 < t - last <= LONGEST:
                total += t - last
            last = t
        self._air[spindle], self._last[spindle] = total, last
        if pending:
            self._pending[spindle] = pending

    def opened(self, key: str, spindle: str, time: float) -> None:
        """A cut of this operation opened in its place; `turn` of its rows comes after it."""
        self._pending.setdefault(spindle, []).append((key, time))

    def overdue(self, keys: Iterable[str], known: Mapping[str, Baseline]) -> list[str]:
        """Of these operations, which have not come in this part, those of a tool that is in and that should have."""
        due: list[str] = []
        for spindle in self._whole:
            tool, air = self._tool.get(spindle, ""), self._air.get(spindle, 0.0)
            visit = self._visits.get((spindle, tool), 0)
            due.extend(key for key in keys if self._is(key, spindle, tool, known) and self._due(key, visit, air))
        return due

    def due_in(self, keys: Iterable[str], known: Mapping[str, Baseline]) -> float:
        """S within which none of these operations can become overdue; inf: none is awaited."""
        soonest = math.inf
        for spindle in self._whole:
            tool, air = self._tool.get(spindle, ""), self._air.get(spindle, 0.0)
            visit = self._visits.get((spindle, tool), 0)
            for key in keys:
                if self._is(key, spindle, tool, known) and self._known(key) and visit >= self.waits[key][-1].visit:
                    soonest = min(soonest, self._limit(key) - air)
        return max(soonest, 0.0)

    def skipped(self, spindle: str, left: str, keys: Iterable[str], known: Mapping[str, Baseline]) -> list[str]:
        """Of these operations those of the tool that has left, and that should have come in this visit or an earlier one."""
        visit = self._visits.get((spindle, left), 0)
        return [key for key in keys if self._is(key, spindle, left, known) and self._known(key) and self.waits[key][-1].visit <= visit]

    def came(self, spindle: str, tool: str, visit: int) -> bool:
        """Whether this tool was called so often in the part that runs; for 0: whether it was in at all."""
        return self._visits.get((spindle, tool), 0) >= visit if visit else (spindle, tool) in self._present

    def begin(self) -> None:
        """The next part begins; the tool that is in was not called in it."""
        self._visits.clear()
        self._present = set(self._tool.items())

    def doubt(self) -> None:
        """Something was missed: until each spindle's next tool is called nothing is awaited."""
        self._whole.clear()

    def forget(self, keys: Iterable[str]) -> None:
        """Operations that are gone."""
        for key in keys:
            self.waits.pop(key, None)

    def _note(self, key: str, spindle: str, tool: str, air: float) -> None:
        if spindle in self._whole:
            wait = Wait(self._visits.get((spindle, tool), 0), air)
            self.waits[key] = [*self.waits.get(key, []), wait][-KEPT:]

    def _known(self, key: str) -> bool:
        return len(self.waits.get(key, [])) >= FEWEST

    def _due(self, key: str, visit: int, air: float) -> bool:
        return self._known(key) and visit >= self.waits[key][-1].visit and air > self._limit(key)

    def _limit(self, key: str) -> float:
        return MARGIN * max(wait.air for wait in self.waits[key]) + PLUS

    @staticmethod
    def _is(key: str, spindle: str, tool: str, known: Mapping[str, Baseline]) -> bool:
        return key in known and known[key].spindle == spindle and known[key].tool == tool
