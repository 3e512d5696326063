"""What was changed at the machine and nobody told: a feed, the program, where it was started. Each is held, none is an alert."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.detect import feed, restart, revision
from agent.detect.baseline import Baseline, Prior
from agent.detect.overdue import Overdue
from agent.detect.sequence import Sequence
from agent.model import Cut, Operation


class ChangesState(msgspec.Struct):
    """What survives a restart."""

    feeds: dict[str, feed.Changed] = {}
    restart: restart.RestartState = msgspec.field(default_factory=restart.RestartState)
    revision: revision.RevisionState = msgspec.field(default_factory=revision.RevisionState)


class Changes:
    """Asks the rooms that know.

    Parameters
    ----------
    order: of the cuts of a part. overdue: waits for cuts, and knows how often each tool was called.
    learn_cuts: good cuts after which an operation is known.
    named: False where cuts are known by their place alone: that room follows their order itself.
    sections_told: the control says when a cut is.
    """

    def __init__(self, order: Sequence, overdue: Overdue, learn_cuts: int, *, named: bool, sections_told: bool) -> None:
        self.feeds = feed.Feeds()
        self.restart = restart.Restart(overdue.awaited, sections_told=sections_told)
        self.revision = revision.Revision(learn_cuts)
        self.rested = False
        """The machine has stood for a while and not cut since: it may warm up"""
        self._named = named
        self._order = order
        self._overdue = overdue
        self._unfit: dict[str, str] = {}

    def stale(self, operation: Operation) -> bool:
        """Whether a cut was begun under a revision of its program that is no more."""
        return operation.revision != self.revision.number(operation.program)

    def missing(self, keys: list[str], time: float, known: Mapping[str, Baseline]) -> list[str]:
        """Of operations that were expected and did not come, as is known at `time`, those that are missing: the program ran them, and all
        before them."""
        expected = self._order.expected(known)
        out: list[str] = []
        for key in keys:
            until = expected[: expected.index(key) + 1] if key in expected else [key]
            if self.restart.skipped([one for one in until if one not in self._order.seen], known):
                self._skipped(time)
            elif not self.revision.reorders(known[key].program):
                out.append(key)
        return out

    def opened(self, cut: Cut) -> None:
        """A cut opens, and what should have come before it was asked of `missing`."""
        program = cut.operation.program
        why = self.revision.opened(program, cut.operation.key) if self._named else ""
        if why == revision.AGAIN:
            self._skipped(cut.opened)
        held = self.restart.opened() or (revision.HELD if why in (revision.HELD, revision.NEW) else "")
        self._unfit = {one: why for one, why in self._unfit.items() if not one.startswith(f"{cut.operation.spindle}-")}
        if held:
            self._unfit[cut.id] = held
        # A cut that never came is held alone: what else this part should have is expected as ever.
        if (held and why != revision.NEW) or self.revision.reorders(program):
            self._order.whole = False

    def unfit(self, cut: str) -> str:
        """Why an open cut is held, as was known when it opened."""
        return self._unfit.get(cut, "")

    def unsee(self, key: str) -> None:
        """What opened was no cut."""
        self._order.unsee(key)
        self.revision.unsee(key)

    def closed(self, cut: Cut, baseline: Baseline, prior: Prior, known: Mapping[str, Baseline]) -> Cut:
        """A closed cut: the same, held where it took its usual work in another time."""
        out = self.feeds.see(cut, baseline, prior)
        if not cut.held:
            program = cut.operation.program
            lasting = [key for key, one in self.feeds.now.items() if one.n >= revision.STAYS]
            stay = [key for key in lasting if key in known and known[key].program == program]
            self.revision.stays(program, stay, cut.time)
        return out

    def ended(self, known: Mapping[str, Baseline], time: float) -> None:
        """A part has ended, before its absent cuts are told: one that was stopped misses nothing, and is no example."""
        stopped = bool(self._order.seen) and bool(self.restart.skipped(self._order.untold(known), known))
        if stopped:
            self._order.whole = False
        self.restart.ended(stopped=stopped)
        if self._named:
            self.revision.ended(self._order.program, time)

    def doubt(self) -> None:
        """The agent missed something."""
        self.revision.doubt()

    def why(self, program: str) -> str:
        """Why the machine is on hold while it makes this program, a key under [reason]; '' where it is not."""
        return restart.HELD if self.restart.state.since is not None else revision.HELD if self.revision.reorders(program) else ""

    def why_of(self, key: str, program: str) -> str:
        """The same of one operation."""
        asked = self.revision.state.asked.get(program)
        return revision.HELD if asked is not None and key in asked.keys else feed.HELD if key in self.feeds.now else ""

    def _skipped(self, time: float) -> None:
        """What is called in this part is no example of what is usual."""
        self._order.whole = False
        if self.restart.found(time):
            self._overdue.doubt()

    def saved(self) -> ChangesState:
        """What survives a restart."""
        return ChangesState(self.feeds.now, self.restart.state, self.revision.state)

    def restore(self, state: ChangesState) -> None:
        """Take back what `saved` gave."""
        self.feeds.now, self.restart.state, self.revision.state = state.feeds, state.restart, state.revision
        self.revision.doubt()
