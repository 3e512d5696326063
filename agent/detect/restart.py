"""A program that is started in its middle, or stopped before its end: what it skips is not missing.

A missing tool leaves its time: the control calls it, turns it, and goes on. What a restart skips is never called, and where a `section`
register says when a cut is, a missing tool leaves a section without work, a restart none at all. So an operation that is expected and does
not come was skipped if its tool was not called as often as it always was before that cut. A part in which something was skipped is held
from there to its end: its cuts may have begun in their middle, and where they are counted they may have another's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.detect.awaited import Awaited
from agent.detect.baseline import Baseline

HELD = "restart"
"""Why such a cut is held, a key under [reason]."""


class RestartState(msgspec.Struct):
    """What survives a restart of the agent."""

    since: float | None = None
    """Time from which on the part that runs is held"""
    stopped: bool = False
    """The part before ended before its time: the first cut of this one may be the rest of one"""


class Restart:
    """Of the part that runs.

    Parameters
    ----------
    awaited: knows how often each tool was called. sections_told: the control says when a cut is.
    """

    def __init__(self, awaited: Awaited, *, sections_told: bool) -> None:
        self.state = RestartState()
        self._awaited = awaited
        self._sections_told = sections_told

    def skipped(self, keys: Iterable[str], known: Mapping[str, Baseline]) -> list[str]:
        """Of these operations, which were expected and did not come, those that the program did not run."""
        return [key for key in keys if self._sections_told or self._uncalled(key, known[key])]

    def found(self, time: float) -> bool:
        """Something was skipped, as is known from this time on (s); False where that was known."""
        known = self.state.since is not None
        self.state.since = self.state.since if known else time
        return not known

    def opened(self) -> str:
        """A cut opens: why it is held."""
        first, self.state.stopped = self.state.stopped, False
        return HELD if first or self.state.since is not None else ""

    def ended(self, *, stopped: bool) -> None:
        """The part has ended; `stopped`: before its time."""
        self.state = RestartState(stopped=stopped)

    def _uncalled(self, key: str, baseline: Baseline) -> bool:
        waits = self._awaited.waits.get(key, ())
        return bool(waits) and not self._awaited.came(baseline.spindle, baseline.tool, min(wait.visit for wait in waits))
