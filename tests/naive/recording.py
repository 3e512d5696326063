"""The slow, obvious reader of a recording's rows: one cell at a time, by the sentences of docs/recordings.md."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

NaiveCell = tuple[str, float | str]
"""quality in words, value (a word as text)"""


def rows_of(path: Path, held: set[str]) -> tuple[list[str], list[tuple[float, list[NaiveCell]]]]:
    """Names of the columns, and of each row its time and its cells."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = [row for row in csv.reader(file) if row]
    names = lines[0][1:]
    now: dict[str, NaiveCell] = {}
    rows = []
    for line in lines[1:]:
        cells = []
        for name, text in zip(names, line[1:], strict=True):
            cell = _cell(text.strip(" \t"), name in held)
            if name in held:
                if cell[0] != "absent":
                    now[name] = cell
                cell = now.get(name, ("absent", math.nan))
            cells.append(cell)
        rows.append((_time(line[0]), cells))
    return names, rows


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        stamp = datetime.fromisoformat(text).astimezone(UTC)
        whole = Fraction(int(stamp.replace(microsecond=0).timestamp()))
        return float(whole + Fraction(stamp.microsecond, 1_000_000))


def _cell(text: str, held: bool) -> NaiveCell:
    if text == "":
        return "absent", math.nan
    if text == "unavailable":
        return "unavailable", math.nan
    if held and text == "-":
        return "good", math.nan
    try:
        value = float(text)
    except ValueError:
        if held:
            return "good", text
        raise
    if math.isnan(value) or math.isinf(value):
        return "bad", math.nan
    if held and value == int(value) and (value < 0 or value > 2**53):
        return "good", text
    return "good", value
