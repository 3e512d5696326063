"""A warm-up: the spindle turns for a while and cuts nothing. Nothing is judged by it, nothing is missing, and it is said.

Warm-up programs step through speeds, half a minute or more at each (500, 1000, 2000 rpm for 30 s, then 4000 for 60 s: field.md 2.9), with
no part in the machine. So it is one when, since the last cut of any spindle and the last call of a tool, a spindle has turned steadily in
air for `LONG`, and at least twice as long as it ever does between the call of a tool and its cut; or at `SPEEDS` speeds. (A tool is called:
cuts may be there that do not stand out.) It ends with the next cut, with the next tool, or when the spindle stands.

It is asked at every multiple of `EVERY` only, so that it does not matter which looks are left out (`agent.monitor.calm`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from agent.air import Air, Run
from agent.detect import looks
from agent.detect.watch import Watch
from agent.model import Cut
from agent.segment import Frame

EVERY = 10.0
"""s between two times at which it is asked."""
LONG = 60.0
"""s of air after which it is a warm-up."""
USUAL = 2.0
"""... and so many times the longest air that came before a cut so far."""
SPEEDS, STEADY, APART = 3, 5.0, 1.1
"""Speeds of a warm-up in steps, each for so many seconds, and the ratio by which two of them differ."""
STANDS = 5.0
"""s without air after which it is over: between two speeds the spindle is sped up."""
NO_CUT = ("run_up", "idle_unknown")
"""Reasons for which what rose above idle is held, and may be no cut."""
SHORTEST = 0.5
"""s: what is shorter may be a spindle that is sped up, and ends no warm-up."""
RESTED = 600.0
"""s for which nothing has turned or cut after which what turns next may be a warm-up: no cut is waited for before the first has come. What
is no automatic running (`agent.detect.budget.STANDSTILL`)."""


class WarmingState(msgspec.Struct):
    """What survives a restart."""

    since: float | None = None
    """Time from which on the machine has been warming up; None: it does not"""
    cut: float = -math.inf
    """Time of the latest cut of any spindle"""
    tools: dict[str, tuple[str, float]] = {}
    """By spindle: the tool that is in, and since when"""


class Warming:
    """Of all spindles.

    Parameters
    ----------
    spindles: those whose speed is read. air: knows when each turned without a cut. watch: knows how long that is usual, and is told.
    """

    def __init__(self, spindles: Iterable[str], air: Air, watch: Watch) -> None:
        self.state = WarmingState()
        self.rested = False
        """Nothing has turned for a while, or not cut since"""
        self._spindles = tuple(spindles)
        self._air = air
        self._watch = watch
        self._resumed = False

    @property
    def why(self) -> str:
        """Why the machine is on hold, a key under [reason]."""
        return "warm_up" if self.state.since is not None else ""

    def next(self, looked: float) -> float:
        """The look after `looked` at which it is asked; inf: never."""
        return (math.floor(looked / EVERY) + 1.0) * EVERY if self._spindles else math.inf

    def bounds(self, cut: str, key: str) -> looks.Bounds:
        """Which looks at an open cut need not be told: in a warm-up none, for it ends with the first cut; else what `Watch` says."""
        return looks.EVERY if self._waits else self._watch.bounds(cut, key)

    @property
    def _waits(self) -> bool:
        return self.state.since is not None or self.rested or self._resumed

    def on_tool(self, spindle: str, frame: Frame) -> None:
        """Rows of a spindle: which tool is in."""
        if self.state.tools.get(spindle, ("",))[0] != frame.tool:
            self.state.tools[spindle] = frame.tool, float(frame.time[0])

    def on_cut(self, cut: Cut) -> None:
        """A cut opened, grew or closed: if it is one, the spindle does not warm up."""
        if cut.phase == "grown" and not self._waits:
            # It does not matter which looks at a growing cut are told.
            return
        if cut.phase != "opened" and cut.held not in NO_CUT and cut.features.duration >= SHORTEST:
            self.state.cut = cut.time
            self.state.since, self.rested, self._resumed = None, False, False
            self._watch.changes.rested = False

    def look(self, now: float, *, cutting: bool) -> None:
        """At a look: in a warm-up nothing is missing. `cutting`: a cut is open."""
        if not self._spindles or now % EVERY != 0.0:
            return
        if cutting:
            self.state.cut = now
        last = [self._last(spindle) for spindle in self._spindles]
        self.rested = self.rested or max(last) < now - RESTED
        self._watch.changes.rested = self.rested
        if self._resumed and max(last) == self.state.cut:
            return
        begins = [since for spindle in self._spindles if (since := self._began(spindle, now)) is not None]
        before, self.state.since = self.state.since, min(begins, default=None)
        if before is None and self.state.since is not None:
            self._watch.begin_again(warming=True)

    def saved(self) -> WarmingState:
        """What survives a restart."""
        return self.state

    def restore(self, state: WarmingState) -> None:
        """Take back what `saved` gave: what turns then goes on warming up."""
        self.state, self._resumed = state, state.since is not None

    def _last(self, spindle: str) -> float:
        """Time at which it last turned or cut, as far as was seen."""
        runs = self._air.runs(spindle)
        return max(runs[-1].last if runs else -math.inf, self.state.cut)

    def _began(self, spindle: str, now: float) -> float | None:
        after = max(self.state.cut, self.state.tools.get(spindle, ("", -math.inf))[1])
        runs = _latest([run for run in self._air.runs(spindle) if run.last > after])
        if not runs or now - runs[-1].last > STANDS:
            return None
        if self._resumed and self.state.since is not None:
            return self.state.since
        total = sum(run.last - max(run.first, after) for run in runs)
        usual = max((wait.air for waits in self._watch.overdue.awaited.waits.values() for wait in waits), default=0.0)
        if total < max(LONG, USUAL * usual) and _speeds(runs) < SPEEDS:
            return None
        return max(runs[0].first, after)


def _latest(runs: Sequence[Run]) -> Sequence[Run]:
    """Those since it last stood."""
    stood = [i for i in range(1, len(runs)) if runs[i].first - runs[i - 1].last > STANDS]
    return runs[stood[-1] :] if stood else runs


def _speeds(runs: Iterable[Run]) -> int:
    """At how many speeds it turned for a while."""
    speeds: list[float] = []
    for run in runs:
        if run.last - run.first >= STEADY and all(max(run.speed, one) > APART * min(run.speed, one) for one in speeds):
            speeds.append(run.speed)
    return len(speeds)
