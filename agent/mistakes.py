"""A mistake in a file that a person wrote: where it is, and keys and values from which `agent.texts` says what is wrong and what helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, or (as a warning) worth knowing.

    Attributes
    ----------
    path: the file.
    line: 1-based; 0 where no line can be named.
    key: path of the key, such as 'channel[2].role'; '' where the file as a whole is meant. List positions count from 1, as people do.
    code: key under [mistake] of the text catalogue; with a dot ('map.count') from the top of it.
    values: what its sentences fill in; `meant` is the nearest known word, or ''; `why_fr` and `why_en` are one value, `why`, in two
        languages.
    """

    path: Path
    line: int
    key: str
    code: str
    values: dict[str, str | int | float] = field(default_factory=dict)


class SaysMistakes(Protocol):
    """What `agent.texts.Texts` does for this file; named here because the texts stand above."""

    def mistakes(self, mistakes: tuple[Mistake, ...]) -> str:
        """One paragraph a mistake."""
        ...


class FileMistakes(Exception):
    """A file a person wrote cannot be used; `mistakes` holds everything that is wrong with it, in the order of the lines."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(f"{m.path}:{m.line}: {m.key}: {m.code}" for m in mistakes))
        self.mistakes = mistakes

    def tell(self, texts: SaysMistakes) -> str:
        """What a person reads."""
        return texts.mistakes(self.mistakes)
