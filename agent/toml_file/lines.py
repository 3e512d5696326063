"""On which line of a TOML text does a key stand? `tomllib` does not tell; this reads the text a second time, for the lines alone."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Place = tuple[str | int, ...]
"""Keys and list positions (from 0) from the top: ('channel', 2, 'role')."""

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\n"
    r"|[\[\]{}=,.]"
    r"|[^\s\[\]{}=,.\#\"']+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Place, int]:
    """1-based line of every table header and every key.

    Parameters
    ----------
    text: TOML that `tomllib` accepts. Keys inside an inline table have no entry: see `line_of`.
    """
    return _Reader(text).lines


def line_of(lines: dict[Place, int], place: Place) -> int:
    """Line of `place`, or of the nearest thing around it that has one; 0: nothing around it has."""
    for end in range(len(place), 0, -1):
        line = lines.get(place[:end])
        if line is not None:
            return line
    return 0


class _Reader:
    """Walks the tokens once: a header sets the table, a key is noted, a value is passed over up to its end."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._tokens = _tokens(text)
        self._lengths: dict[Place, int] = {}
        self._table: Place = ()
        for token, line in self._tokens:
            if token == "[":
                self._header(line)
            elif token != "\n":
                self._statement(token, line)

    def _header(self, line: int) -> None:
        parts: list[str] = []
        depth, array = 1, False
        for token, _ in self._tokens:
            if token == "[":
                depth, array = depth + 1, True
            elif token == "]":
                depth -= 1
            elif token != ".":
                parts.append(_key(token))
            if not depth or token == "\n":
                break
        self._table = ()
        for i, part in enumerate(parts):
            self._table += (part,)
            self.lines.setdefault(self._table, line)
            if array and i == len(parts) - 1:
                self._lengths[self._table] = self._lengths.get(self._table, 0) + 1
            if self._table in self._lengths:
                self._table += (self._lengths[self._table] - 1,)
                self.lines.setdefault(self._table, line)

    def _statement(self, first: str, line: int) -> None:
        place = (*self._table, _key(first))
        self.lines.setdefault(place, line)
        for token, _ in self._tokens:
            if token in ("=", "\n"):
                break
            if token != ".":
                place += (_key(token),)
                self.lines.setdefault(place, line)
        self._value(place)

    def _value(self, place: Place) -> None:
        depth, element, expected = 0, 0, False
        for token, line in self._tokens:
            if token == "\n":
                if not depth:
                    return
                continue
            if depth == 1 and expected and token != "]":
                self.lines.setdefault((*place, element), line)
                expected = False
            if token in "[{":
                depth += 1
                expected = depth == 1 and token == "["
            elif token in "]}":
                depth -= 1
            elif token == "," and depth == 1:
                element, expected = element + 1, True


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] != "#":
            yield token, line
        line += token.count("\n")


def _key(token: str) -> str:
    if token[0] == "'":
        return token[1:-1]
    if token[0] == '"':
        return str(next(iter(tomllib.loads(f"{token}=0"))))
    return token
