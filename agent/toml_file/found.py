"""Collects what is wrong with one file, and what is worth knowing, while it is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent.mistakes import Mistake
from agent.toml_file.lines import Place, line_of

MOST = 100
"""Mistakes after which a file is given up: it is not what it should be."""

SYNONYMS = {
    "tour": "lathe",
    "fraiseuse": "mill",
    "centre d'usinage": "mill",
    "none": "N",
    "aucune": "N",
    "even": "E",
    "paire": "E",
    "odd": "O",
    "impaire": "O",
    "modbus tcp": "tcp",
    "modbus rtu": "rtu",
    "serial": "rtu",
    "nom": "name",
    "adresse": "address",
    "unité": "unit",
    "rôle": "role",
    "français": "fr",
    "french": "fr",
    "anglais": "en",
    "english": "en",
    "charge": "spindle.load",
    "load": "spindle.load",
    "vitesse": "spindle.speed",
    "speed": "spindle.speed",
    "outil": "tool",
    "programme": "program",
    "pièce": "part",
    "porte": "door",
    "tournage": "turning",
    "fraisage": "milling",
    "perçage": "drilling",
    "acier": "P",
    "steel": "P",
    "inox": "M",
    "stainless": "M",
    "fonte": "K",
    "cast iron": "K",
    "aluminium": "N",
    "titane": "S",
    "titanium": "S",
}
"""Words that setters write, and ours."""


class Found:
    """Mistakes and warnings of one file.

    Attributes
    ----------
    limits: smallest and largest value of a number, by (table, key).
    lines: of every key, for the mistakes to come.
    partial: a slip of syntax took lines out: what is missing now may stand there, so nothing is called missing.
    """

    def __init__(self, path: Path, limits: Mapping[tuple[str, str], tuple[float, float]] | None = None) -> None:
        self.path = path
        self.limits = limits or {}
        self.lines: dict[Place, int] = {}
        self.partial = False
        self._mistakes: dict[tuple[Path, int, str], Mistake] = {}
        self._warnings: list[Mistake] = []

    @property
    def full(self) -> bool:
        """Whether there are so many mistakes that looking on is of no use."""
        return len(self._mistakes) >= MOST

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """In the order of the lines; those in other files at the end."""
        told = sorted(self._mistakes.values(), key=lambda mistake: (mistake.path != self.path, mistake.line))
        return (*told, Mistake(self.path, 0, "", "too_many", {"n": MOST})) if self.full else tuple(told)

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        """In the order of the lines."""
        return tuple(sorted(self._warnings, key=lambda warning: warning.line))

    def wrong(self, place: Place, code: str, **values: str | float) -> None:
        """Something is wrong at `place`; of several mistakes about one key only the first is kept."""
        self._keep(Mistake(self.path, line_of(self.lines, place), dotted(place), code, values))

    def wrong_line(self, line: int, code: str, **values: str | float) -> None:
        """Something is wrong with a line, or (0) with the file."""
        self._keep(Mistake(self.path, line, "", code, values))

    def wrong_elsewhere(self, path: Path, key: str, code: str, values: dict[str, str | float]) -> None:
        """Something is wrong in a file that this one needs."""
        self._keep(Mistake(path, 0, key, code, values))

    def warn(self, place: Place, code: str, **values: str | float) -> None:
        """Something is worth knowing."""
        self._warnings.append(Mistake(self.path, line_of(self.lines, place), dotted(place), code, values))

    def _keep(self, mistake: Mistake) -> None:
        if not self.full:
            self._mistakes.setdefault((mistake.path, mistake.line, mistake.key), mistake)

    @staticmethod
    def nearest(word: str, options: Iterable[str]) -> str:
        """The option that was probably meant, or ''."""
        known = list(options)
        folded = {option.casefold(): option for option in reversed(known)}
        word = word[:80].casefold().strip()
        meant = SYNONYMS.get(word, "")
        if meant in known:
            return meant
        close = difflib.get_close_matches(word, folded, n=1, cutoff=0.6)
        return folded[close[0]] if close else ""

    @staticmethod
    def shown(value: Any, most: int = 40) -> str:
        """A value as it may be repeated in a message: short, on one line, without control characters."""
        if isinstance(value, str):
            text = value
        elif isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, dict):
            text = "{ … }"
        elif isinstance(value, list):
            text = "[ … ]"
        elif isinstance(value, int) and abs(value) >= 10**20:
            text = "…"
        else:
            text = str(value)
        text = "".join(letter if letter.isprintable() else "·" for letter in text[: most + 1])
        return text if len(text) <= most else f"{text[: most - 1]}…"


def dotted(place: Place) -> str:
    """'channel[2].role'; positions count from 1."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{Found.shown(part)}" if text else Found.shown(part)
    return text
