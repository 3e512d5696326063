"""What comes while one tool is in the spindle: where nothing says when a part ends, a tool that came and cut nothing is known by it.

A visit is the time over which the control names one program and one tool. Where the last visits of a tool each had a cut, one that runs
for as long and has none had no tool in it, or no part. Visits during which cuts may not be judged (override, a lost signal) or that run
for another time than usual (a jog, a restart inside the program) say nothing, and are not remembered. A stop counts as no time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from agent.detect.baseline import Baseline
from agent.detect.coverage import of_operation
from agent.model import Finding, Indicator, Word
from agent.settings import MonitoringOptions

Known = Callable[[], Mapping[str, Baseline]]
Absent = Callable[[list[str], float, int], list[Finding | Indicator]]
WATCHED = (Word.PROVISIONAL, Word.MONITORING)

REMEMBERED = 10
"""Visits of a tool that are remembered."""
ALIKE = math.log(1.25)
"""Log ratio of a visit's length to the median of those before: beyond it something else went on."""
MOST = 400
"""Tools of programs that are remembered; the one that was not seen for the longest time makes room."""


class Visit(msgspec.Struct):
    """One that is over, and was watched from its beginning to its end."""

    seconds: float
    """For which the program ran"""
    keys: list[str]
    """Operations whose cuts came"""


class Visits:
    """Follows the tool.

    Parameters
    ----------
    options: [monitoring]; an operation must have come in each of `learn_cuts` like visits to be expected.
    known: the operations that are known, by key.
    absent: makes findings of operations that did not come.
    past: visits that are remembered.
    """

    def __init__(self, options: MonitoringOptions, known: Known, absent: Absent, past: dict[str, list[Visit]]) -> None:
        self._options = options
        self._fewest = options.learn_cuts
        self._known = known
        self._absent = absent
        self.past = past
        """By program and tool, the latest last"""
        self._name = ""
        self._time = 0.0
        self._runs = False
        self._seconds = 0.0
        self._keys: list[str] = []
        self._sound = False

    def on_tool(self, program: str, tool: str, time: float, *, held: bool, runs: bool) -> list[Finding | Indicator]:
        """What the control says from this time on, where it does not tell the parts: a tool that came and cut nothing is missing."""
        known = self._known()
        keys = self.at(program, tool, time, held=held, runs=runs, known=known)
        return self._absent([key for key in keys if of_operation(known[key], self._options, time).word in WATCHED], time, 0)

    def at(self, program: str, tool: str, time: float, *, held: bool, runs: bool, known: Mapping[str, Baseline]) -> list[str]:
        """What the control says from this time on (s): the tool, whether cuts may be judged, whether the program runs.

        Returns
        -------
        The operations that should have come in the visit that this ended.
        """
        if self._runs:
            self._seconds += max(time - self._time, 0.0)
        self._time, self._runs = time, runs
        name = f"{program}|{tool}" if tool else ""
        if name == self._name:
            self._sound = self._sound and not held
            return []
        absent = self._ended(known)
        # The first visit that is seen at all has no beginning.
        self._sound, self._name, self._seconds, self._keys = not held and bool(self._name), name, 0.0, []
        return absent

    def opened(self, key: str) -> None:
        """A cut of this operation has opened."""
        if key not in self._keys:
            self._keys.append(key)

    def expects(self, key: str, program: str, tool: str) -> bool:
        """Whether the next visit of this tool is expected to have a cut of this operation: the last ones were alike, and each had one."""
        recent = self.past.get(f"{program}|{tool}", [])[-self._fewest :]
        if len(recent) < self._fewest or not all(key in visit.keys for visit in recent):
            return False
        usual = float(np.median([visit.seconds for visit in recent]))
        return all(abs(math.log(visit.seconds / usual)) <= ALIKE for visit in recent)

    def doubt(self) -> None:
        """The agent missed something, or a cut was held: the visit that goes on now says nothing."""
        self._sound = False

    def _ended(self, known: Mapping[str, Baseline]) -> list[str]:
        if not (self._name and self._sound and self._seconds > 0.0):
            return []
        seconds = self._seconds
        past = self.past.setdefault(self._name, [])
        alike = [visit for visit in past if abs(math.log(seconds / visit.seconds)) <= ALIKE][-self._fewest :]
        absent: list[str] = []
        if len(alike) >= self._fewest and abs(math.log(seconds / float(np.median([v.seconds for v in past])))) <= ALIKE:
            usual = [key for key in alike[-1].keys if all(key in visit.keys for visit in alike)]
            absent = [key for key in usual if key not in self._keys and key in known and known[key].good >= self._fewest]
        if not absent:
            # One that missed its cut is no example of what comes.
            past.append(Visit(seconds, self._keys))
            del past[:-REMEMBERED]
            self.past[self._name] = self.past.pop(self._name)
            while len(self.past) > MOST:
                del self.past[next(iter(self.past))]
        return absent
