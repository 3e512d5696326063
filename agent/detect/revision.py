"""A program that was changed without the control telling: asked ('programme modifié ?'), held until somebody answers.

Two things tell it. Parts are made of other cuts, or of the same in another order, three times alike, where before five were alike; one such
part is a missing tool or a restart, three alike are a change that lasts. Or an operation is cut five times in a row at another feed
(`agent.detect.feed`) than before. What differs is held; the rest is judged as ever, but nothing is expected in its place.

Yes: the operations of this program are learned anew as its next revision; the former one is kept and can be taken back. No: they stay, and
what differs from them goes on being held. The question is gone when parts are made as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from agent.detect.awaited import Wait
from agent.detect.baseline import Baseline
from agent.detect.course import Course
from agent.detect.signals import Signal
from agent.detect.visits import Visit

HELD = "program_changed"
"""Why a cut of an operation in question is held, a key under [reason]."""
AGAIN, NEW = "again", "new"
ALIKE = 3
"""Parts in a row, alike, after which a change lasts."""
STAYS = 5
"""Cuts in a row at about the same other feed after which a change lasts: as many as an operation is learned from at first."""
IRREGULAR = 8
"""Parts in a row unlike the known order, and not three of them alike, after which no order is known any more."""
VERSIONS = 4
"""Former revisions that are kept."""


class Question(msgspec.Struct, frozen=True):
    """What is asked of a program."""

    kind: Literal["order", "feed"]
    keys: list[str]
    """Operations that differ"""
    since: float
    """s"""
    answer: Literal["", "no"] = ""


class Version(msgspec.Struct, frozen=True):
    """What was known of a program before the operator said that it was changed."""

    program: str
    number: int
    """Of the revision that this was"""
    time: float
    """At which it was replaced, s"""
    by: str
    baselines: dict[str, Baseline]
    signals: dict[str, dict[str, Signal]]
    sequences: list[list[str]]
    visits: dict[str, list[Visit]]
    waits: dict[str, list[Wait]]
    courses: dict[str, Course]
    steady: list[str]


class RevisionState(msgspec.Struct):
    """What survives a restart. All by program."""

    parts: dict[str, list[list[str]]] = {}
    """Operations of its latest parts, each as often as it came"""
    steady: dict[str, list[str]] = {}
    """The order of its parts, where they were alike"""
    asked: dict[str, Question] = {}
    numbers: dict[str, int] = {}
    """Revision that is learned and judged now; 1 where there is no entry"""
    versions: list[Version] = []


class Revision:
    """Follows the parts.

    Parameters
    ----------
    learn_cuts: parts alike after which their order is known.
    """

    def __init__(self, learn_cuts: int) -> None:
        self.state = RevisionState()
        self._learn_cuts = learn_cuts
        self._now: list[str] = []
        self._sound = False

    def number(self, program: str) -> int:
        """Revision of a program."""
        return self.state.numbers.get(program, 1)

    def reorders(self, program: str) -> bool:
        """Whether parts of this program are made of other cuts, or in another order, than is known: nothing can be expected."""
        asked = self.state.asked.get(program)
        return asked is not None and asked.kind == "order"

    def opened(self, program: str, key: str) -> str:
        """A cut opens: why its operation is held: in question (`HELD`), of a new tool (`NEW`), more or elsewhere than ever (`AGAIN`)."""
        self._now.append(key)
        asked = self.state.asked.get(program)
        if asked is not None:
            return HELD if asked.kind == "order" and key in asked.keys else ""
        steady = self.state.steady.get(program)
        if not (self._sound and steady and self._now.count(key) > steady.count(key)):
            return ""
        # A cut of a known tool at another place of the part: the program was started elsewhere, or its cuts have other names now.
        tool = key.rpartition("/")[0]
        return AGAIN if any(one.rpartition("/")[0] == tool for one in steady) else NEW

    def unsee(self, key: str) -> None:
        """What opened was no cut."""
        if key in self._now:
            self._now.remove(key)

    def doubt(self) -> None:
        """The agent missed something: this part tells nothing."""
        self._sound = False

    def ended(self, program: str, time: float) -> None:
        """A part has ended."""
        now, sound = self._now, self._sound
        self._now, self._sound = [], True
        if not (sound and now):
            return
        history = self.state.parts.setdefault(program, [])
        history.append(now)
        del history[: -max(IRREGULAR, self._learn_cuts)]
        steady = self.state.steady.get(program)
        if steady is None:
            if _alike(history) >= self._learn_cuts:
                self.state.steady[program] = now
        elif now == steady:
            self._withdraw(program, "order")
        elif _alike(history) >= ALIKE:
            self._ask(program, "order", _differ(steady, now), time)
        elif len(history) >= IRREGULAR and all(part != steady for part in history):
            del self.state.steady[program]
            self._withdraw(program, "order")

    def stays(self, program: str, keys: Sequence[str], time: float) -> None:
        """These operations of a program are cut at another feed and have been for `STAYS` cuts; empty: none is."""
        if keys:
            self._ask(program, "feed", list(keys), time)
        else:
            self._withdraw(program, "feed")

    def no(self, program: str) -> bool:
        """The operator says that it was not changed; False where nobody had asked."""
        asked = self.state.asked.get(program)
        if asked is None:
            return False
        self.state.asked[program] = msgspec.structs.replace(asked, answer="no")
        return True

    def replaced(self, version: Version) -> None:
        """It was changed: what was known is kept aside, and the next revision begins."""
        program = version.program
        self._forget(program)
        numbers = [one.number for one in self.state.versions if one.program == program]
        self.state.numbers[program] = max([version.number, *numbers]) + 1
        self.state.versions = [*self.state.versions, version][-VERSIONS:]

    def former(self, program: str) -> Version | None:
        """The revision that `undo` would take back."""
        return next((one for one in reversed(self.state.versions) if one.program == program), None)

    def undo(self, program: str) -> Version | None:
        """Take the former revision back; None where there is none."""
        version = self.former(program)
        if version is not None:
            self._forget(program)
            self.state.versions = [one for one in self.state.versions if one is not version]
            self.state.numbers[program] = version.number
            if version.steady:
                self.state.steady[program] = version.steady
        return version

    def _forget(self, program: str) -> None:
        for known in (self.state.parts, self.state.steady, self.state.asked):
            known.pop(program, None)
        self._now, self._sound = [], False

    def _ask(self, program: str, kind: Literal["order", "feed"], keys: list[str], time: float) -> None:
        before = self.state.asked.get(program)
        if before is None or (before.kind, before.keys) != (kind, keys):
            self.state.asked[program] = Question(kind, keys, time)

    def _withdraw(self, program: str, kind: str) -> None:
        asked = self.state.asked.get(program)
        if asked is not None and asked.kind == kind:
            del self.state.asked[program]


def _alike(history: Sequence[list[str]]) -> int:
    """How many of the latest parts were made alike."""
    n = 0
    while n < len(history) and history[-1 - n] == history[-1]:
        n += 1
    return n


def _differ(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Operations that came, went or come more or less often; else those whose places changed."""
    before, after = Counter(old), Counter(new)
    changed = [key for key in dict.fromkeys([*old, *new]) if before[key] != after[key]]
    return changed or list(dict.fromkeys(a for a, b in zip(new, old, strict=True) if a != b))
