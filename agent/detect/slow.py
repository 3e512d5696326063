"""Slow changes of the work wait for the end of the part: several that go the same way are of the material, the coolant or the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from agent.detect import fusion
from agent.detect.baseline import Baseline
from agent.detect.drift import Drift
from agent.model import Finding


class SlowState(TypedDict):
    """What survives a restart, as fields of `WatchState`."""

    waiting: list[Finding]
    shared: list[str]


class Slow:
    """Keeps what the drift charts found until the part has ended.

    Parameters
    ----------
    drift: the charts.
    """

    def __init__(self, drift: Drift) -> None:
        self._drift = drift
        self._waiting: list[Finding] = []
        self.shared: list[str] = []
        """Operations whose slow change is that of all tools"""

    def take(self, found: Finding | None) -> list[Finding]:
        """What is told at once: the end of a change does not wait, and of one that nobody heard of there is none."""
        if found is None:
            return []
        if not found.finished:
            self._waiting = [*self._waiting, found]
            return []
        heard = all(finding.operation != found.operation for finding in self._waiting)
        self.drop((found.operation,))
        return [found] if heard and found.operation not in self.shared else []

    def ended(self, seen: Iterable[str], known: Mapping[str, Baseline], time: float, part: int) -> list[Finding]:
        """What waited for the end of the part; `seen`: operations that were cut in it."""
        self.shared = [key for key in self.shared if self._drift.tells(key)]
        if not self._waiting:
            return []
        told, more = fusion.decide_drift(self._waiting, self._changes(seen, known), time, part)
        self._waiting = []
        self.shared = list(dict.fromkeys([*self.shared, *more]))
        return told

    def drop(self, keys: Iterable[str]) -> None:
        """What waits of these operations is not told any more."""
        self._waiting = fusion.drop(self._waiting, tuple(keys))

    def saved(self) -> SlowState:
        """What survives a restart."""
        return SlowState(waiting=self._waiting, shared=self.shared)

    def restore(self, waiting: list[Finding], shared: list[str]) -> None:
        """Take back what `saved` gave."""
        self._waiting, self.shared = waiting, shared

    def _changes(self, seen: Iterable[str], known: Mapping[str, Baseline]) -> dict[str, float]:
        """By spindle and tool, of what was cut in this part: the largest slow change of its operations."""
        changes: dict[str, float] = {}
        for key in seen:
            baseline = known.get(key)
            change = self._drift.change(baseline) if baseline is not None else None
            if baseline is not None and change is not None:
                name = f"{baseline.spindle}|{baseline.tool}"
                changes[name] = max(changes.get(name, 0.0), change, key=abs)
        return changes
