"""Which faults come when: none, a list that a person wrote, or the story of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from drivers.simulate.demo import GROOVE, ROUGHING, TURNING
from drivers.simulate.faults import Break, Fault, Missing, NewTool, Wear

STORY = 24
"""Parts after which the story of the demo comes round again."""
_ROLES = ((GROOVE, ROUGHING), (TURNING, GROOVE), (ROUGHING, TURNING))
"""(the tool that wears, the tool that breaks), one pair a story."""


class Script(Protocol):
    """Faults that begin with a part, and faults that stand at a machine time."""

    def due(self, part: int) -> tuple[Fault, ...]:
        """Faults that begin with part `part` (1 is the first)."""
        ...

    def timed(self) -> tuple[Fault, ...]:
        """Faults with a machine time, or with no time at all: those begin at once."""
        ...

    def tools(self) -> frozenset[int]:
        """Every tool that it names."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """The faults of a list. `repeat`: the list comes round every so many parts (timed ones do not)."""

    faults: tuple[Fault, ...] = ()
    repeat: int = 0
    _by_part: dict[int, list[Fault]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fault in self.faults:
            if fault.at_part is not None:
                self._by_part.setdefault(fault.at_part, []).append(fault)

    def due(self, part: int) -> tuple[Fault, ...]:
        """See Script."""
        return tuple(self._by_part.get((part - 1) % self.repeat + 1 if self.repeat else part, ()))

    def timed(self) -> tuple[Fault, ...]:
        """See Script."""
        return tuple(fault for fault in self.faults if fault.at_part is None)

    def tools(self) -> frozenset[int]:
        """See Script."""
        return frozenset(fault.tool for fault in self.faults if isinstance(fault, Wear | Break | Missing | NewTool))


class Story:
    """The demo's story, made for an agent whose new-tool anchor is the first 5 good cuts (parts 2 to 6). The wear is accelerated.

    Part 6 on: one tool wears, 14 % of its cutting load a part, up to 45 %. Part 8: another breaks 0.6 s into its cut (44.8 s after the
    start) and is missing in parts 9 and 10; before part 11 the operator puts a new one, before part 13 he replaces the worn one. Then calm
    until part 24. Every 24 parts the story comes round with other roles and a slightly different pace.
    """

    def due(self, part: int) -> tuple[Fault, ...]:
        """See Script."""
        story, line = divmod(part - 1, STORY)
        worn, broken = _ROLES[story % len(_ROLES)]
        match line + 1:
            case 6:
                return (Wear(tool=worn, per_part=0.14 + 0.01 * (story % 3), limit=0.45),)
            case 8:
                return (Break(tool=broken, at_s_in_cut=0.6 - 0.1 * (story % 2)),)
            case 11:
                return (NewTool(tool=broken),)
            case 13:
                return (NewTool(tool=worn),)
        return ()

    def timed(self) -> tuple[Fault, ...]:
        """None."""
        return ()

    def tools(self) -> frozenset[int]:
        """See Script."""
        return frozenset(tool for pair in _ROLES for tool in pair)


@dataclass(frozen=True, slots=True)
class Both:
    """A script, and faults beside it."""

    script: Script
    beside: Listed

    def due(self, part: int) -> tuple[Fault, ...]:
        """See Script."""
        return (*self.script.due(part), *self.beside.due(part))

    def timed(self) -> tuple[Fault, ...]:
        """See Script."""
        return (*self.script.timed(), *self.beside.timed())

    def tools(self) -> frozenset[int]:
        """See Script."""
        return self.script.tools() | self.beside.tools()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    faults: tuple[Fault, ...]
    repeat: int = 0


def load_script(text: str) -> Script:
    """'none', 'demo', a JSON list of faults, a JSON object {"faults": [...], "repeat": parts}, or the path of a file with either.

    Raises OSError (no such file), msgspec.ValidationError and msgspec.DecodeError (both say where).
    """
    if text == "none":
        return Listed()
    if text == "demo":
        return Story()
    content = text if text.lstrip()[:1] in ("[", "{") else Path(text).read_text(encoding="utf-8")
    if content.lstrip()[:1] == "[":
        return Listed(msgspec.json.decode(content, type=tuple[Fault, ...]))
    file = msgspec.json.decode(content, type=_File)
    return Listed(file.faults, file.repeat)
