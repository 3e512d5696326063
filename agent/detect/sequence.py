"""The order of the cuts of a part, by program: what is expected, what came, what did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.detect.baseline import Baseline

PARTS = 10
"""Parts over which the sequence of cuts is remembered."""
GONE = "-"
"""Before the key of an operation that was told to be absent in a remembered part, in its place."""
EXCUSED = 1
"""So many of the last parts may lack an operation, told, for it to be expected still: 4 of 5, as for a promise."""


class Sequence:
    """Follows the part that runs now.

    Parameters
    ----------
    learn_cuts: whole parts in which an operation must have come to be expected in the next.
    told: the control tells one part from the next. Where it does not, a part is over when one of its cuts comes again, and only parts that
        were all made in the same way, cut by cut, say what the next one is made of.
    """

    def __init__(self, learn_cuts: int, *, told: bool = True) -> None:
        self._learn_cuts = learn_cuts
        self._parts_told = told
        self.parts: dict[str, list[list[str]]] = {}
        """By program: keys of the operations of its last whole parts, in their order; after `GONE`: told to be absent"""
        self.program = ""
        self.seen: list[str] = []
        """Keys of the operations of the part that runs now"""
        self._told: set[str] = set()
        self._usual: tuple[list[str], list[str]] = ([], [])
        """Latest part, and what came in it and in those before it"""
        self.whole = False
        """Nothing of the part that runs now was missed by the agent."""

    def expected(self, known: Mapping[str, Baseline], program: str | None = None) -> list[str]:
        """Operations that came in each of the last whole parts of a program (None: of the one that runs), in their order.

        One part in which it was told to be absent is no example of its not coming: the next that lacks it is told as well. After `EXCUSED`
        of them the program may have changed, and nothing is expected (or promised) until it has come again.
        """
        history = self.parts.get(self.program if program is None else program, [])
        if len(history) < self._learn_cuts:
            return []
        # Asked at each look; a part that ends is another list.
        if self._usual[0] is not history[-1]:
            self._usual = history[-1], self._always(history[-self._learn_cuts :])
        return [key for key in self._usual[1] if key in known and known[key].good > 0]

    def _always(self, recent: list[list[str]]) -> list[str]:
        if not self._parts_told and any(part != recent[-1] for part in recent):
            return []
        out = []
        for key in (entry.removeprefix(GONE) for entry in recent[-1]):
            gone = sum(GONE + key in part for part in recent)
            if gone <= EXCUSED and sum(key in part for part in recent) == len(recent) - gone:
                out.append(key)
        return out

    def opened(self, key: str, program: str, known: Mapping[str, Baseline]) -> list[str]:
        """A cut of this operation opens: the operations that should have come before it and did not, each told once a part."""
        self.program = program
        absent: list[str] = []
        if self.whole:
            expected = self.expected(known)
            if key in expected:
                absent = self._untold(expected[: expected.index(key)])
        if key not in self.seen:
            self.seen.append(key)
        return absent

    def came(self, key: str, program: str) -> None:
        """A cut of this operation has ended of which nobody knew before what it was: a visit of its tool (`agent.segment.visit`)."""
        self.program = program
        if key not in self.seen:
            self.seen.append(key)

    def unsee(self, key: str) -> None:
        """What opened was no cut: this operation has not come yet."""
        if key in self.seen:
            self.seen.remove(key)

    def through(self, keys: Iterable[str]) -> None:
        """One cut went on in the place of these. They are not absent, and this part is no example of their coming."""
        self._told.update(keys)

    def untold(self, known: Mapping[str, Baseline]) -> list[str]:
        """Operations that are expected in this part, did not come so far, and were not told of."""
        if not self.whole:
            return []
        return [key for key in self.expected(known) if key not in self.seen and key not in self._told]

    def told(self, keys: list[str]) -> None:
        """These were told to be absent."""
        self._told.update(keys)

    def ended(self, known: Mapping[str, Baseline], *, whole: bool) -> list[str]:
        """The part has ended: what did not come and was not told yet. A whole part is remembered. `begin` comes after it."""
        if not (whole and self.whole and self.seen):
            return []
        expected = self.expected(known)
        absent = self._untold(expected)
        history = self.parts.setdefault(self.program, [])
        history.append(self._with_gone(expected) if self._parts_told else list(self.seen))
        del history[:-PARTS]
        return absent

    def begin(self) -> None:
        """The next part begins."""
        self.seen = []
        self._told.clear()
        self.whole = True

    def recent(self) -> list[str]:
        """Operations of the last two whole parts of this program and of the part that runs now; empty before the first whole one."""
        recent = self.parts.get(self.program, [])[-2:]
        return list(dict.fromkeys([key.removeprefix(GONE) for part in recent for key in part] + self.seen)) if recent else []

    def _with_gone(self, expected: list[str]) -> list[str]:
        """What came in this part, and in their places what was told to be absent."""
        part = list(self.seen)
        for i, key in enumerate(expected):
            if key in self._told and key not in part:
                after = next((part.index(later) for later in expected[i + 1 :] if later in part), len(part))
                part.insert(after, GONE + key)
        return part

    def _untold(self, keys: list[str]) -> list[str]:
        absent = [key for key in keys if key not in self.seen and key not in self._told]
        self._told.update(absent)
        return absent
