"""From the bytes of a recording's CSV files to rows of values and marks.

A block of regular text is taken apart by numpy as a whole. Whatever is not regular (quotes, blank lines, a wrong cell) goes cell by cell,
which is also what finds the line and the column to complain about; both ways give the same rows.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.decimals import LAST, ZEROS, Cells, eight_digits, eights, not_digits
from drivers.model import Floats, Marks, Quality, Words
from drivers.recording_error import RecordingError
from drivers.recording_format import RELATIVE_BELOW, seconds_of, time_text

Cell = tuple[float, int]
"""Value and quality."""

BLANK = " \t"
"""What may stand around a cell, and is no cell alone."""


@dataclass(frozen=True, slots=True)
class Column:
    """How the cells of one column are to be read.

    Attributes
    ----------
    name: of the channel.
    held: the value holds until the next cell, and may be a word.
    context: a held column whose negative whole numbers are words too, so that no word's code can be mistaken for one.
    scale: unit per number in the file.
    good: quality of a value.
    """

    name: str
    held: bool
    context: bool
    scale: float
    good: Quality


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one file: time (n,), values and quality (n, columns)."""

    time: Floats
    values: Floats
    quality: Marks


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks one after the other as one."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(*(np.concatenate([getattr(block, name) for block in blocks]) for name in ("time", "values", "quality")))


class Axis:
    """The times of a recording go forward through all its files, and are of one kind."""

    def __init__(self) -> None:
        self.relative: bool | None = None
        self.last = -math.inf

    def accept(self, time: Floats, lines: Sequence[int] | NDArray[np.int64], path: Path) -> None:
        """Check the times of a block; line numbers are those of its rows."""
        self.same_kind(time, lines, path, "time")
        steps = np.diff(time, prepend=self.last)
        if (steps < 0).any():
            row = int(np.argmax(steps < 0))
            before = self.last if row == 0 else float(time[row - 1])
            raise RecordingError(
                "unordered",
                path,
                line=int(lines[row]),
                column="time",
                before=time_text(before),
                text=time_text(float(time[row])),
            )
        self.last = float(time[-1])

    def same_kind(self, time: Floats, lines: Sequence[int] | NDArray[np.int64], path: Path, column: str) -> None:
        """Check that all times count from a start, or that none does."""
        if self.relative is None:
            self.relative = bool(time[0] < RELATIVE_BELOW)
        other = (time < RELATIVE_BELOW) != self.relative
        if other.any():
            raise RecordingError("mixed_time", path, line=int(lines[int(np.argmax(other))]), column=column)


class RowReader:
    """Reads the rows of one file, block after block.

    Parameters
    ----------
    path: for complaints.
    columns: without the time, in the order of the file.
    words: of the recording; grows.
    axis: of the recording.
    held: the cell that each channel holds, by name; goes on from file to file.
    """

    def __init__(self, path: Path, columns: Sequence[Column], words: Words, axis: Axis, held: dict[str, Cell]) -> None:
        self._path = path
        self._columns = tuple(columns)
        self._words = words
        self._axis = axis
        self._held = held
        self._known: list[dict[bytes, Cell]] = [{} for _ in columns]
        self._polled = [i for i, column in enumerate(columns) if not column.held]
        self._holding = [i + 1 for i, column in enumerate(columns) if column.held]

    def read(self, text: bytes, line: int) -> Block | None:
        """Rows of `text`, which begins at `line` (1-based) and ends with a newline; None where there is no row in it."""
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        text = text.rstrip(b"\n") + b"\n"
        if text == b"\n":
            return None
        block = self._regular(text, line)
        return self._irregular(text, line) if block is None else block

    # ---- all at once

    def _regular(self, text: bytes, line: int) -> Block | None:
        width = len(self._columns) + 1
        cells = Cells(text)
        rows, rest = divmod(len(cells.ends), width)
        ending = cells.newline[width - 1 :: width]
        if rest or not ending.all() or np.count_nonzero(cells.newline) != rows or b'"' in text or not _is_utf8(text):
            return None
        grid = np.arange(rows * width).reshape(rows, width)
        time = _times(cells, grid[:, 0])
        first = cells.text[cells.starts[grid[:, self._holding]]]
        if time is None or ((first == ord(" ")) | (first == ord("\t"))).any():
            return None
        values = np.full((rows, width - 1), np.nan)
        quality = np.full((rows, width - 1), Quality.ABSENT, dtype=np.uint8)
        if self._polled and not self._numbers(cells, grid, values, quality):
            return None
        self._axis.accept(time, np.arange(line, line + rows), self._path)
        for i, column in enumerate(self._columns):
            if column.held:
                self._hold(i, cells, grid[:, i + 1], values[:, i], quality[:, i])
        return Block(time, values, quality)

    def _numbers(self, cells: Cells, grid: NDArray[np.int64], values: Floats, quality: Marks) -> bool:
        """Fill the polled columns; False where a cell needs a closer look than this."""
        columns = np.array(self._polled)
        which = grid[:, columns + 1].ravel()
        present = cells.ends[which] > cells.starts[which]
        full = bool(present.all())
        if not full:
            which = which[present]
        numbers, plain = cells.numbers(which)
        marks = np.full(len(which), Quality.GOOD, dtype=np.uint8)
        for k in np.flatnonzero(~plain).tolist():
            cell = _number(cells.text[cells.starts[which[k]] : cells.ends[which[k]]].tobytes())
            if cell is None:
                return False
            numbers[k], marks[k] = cell
        if not full:
            spread, spread_marks = np.full(len(present), np.nan), np.full(len(present), Quality.ABSENT, dtype=np.uint8)
            spread[present], spread_marks[present] = numbers, marks
            numbers, marks = spread, spread_marks
        values[:, columns] = numbers.reshape(-1, len(columns)) * np.array([self._columns[i].scale for i in self._polled])
        good = np.array([self._columns[i].good for i in self._polled], dtype=np.uint8)
        table = marks.reshape(-1, len(columns))
        quality[:, columns] = np.where(table == Quality.GOOD, good, table)
        return True

    def _hold(self, i: int, cells: Cells, which: NDArray[np.int64], values: Floats, quality: Marks) -> None:
        """Fill one held column: decode its cells where they change, hold them in between."""
        starts, ends = cells.starts[which], cells.ends[which]
        rows = np.flatnonzero(ends > starts)
        if len(rows) > 64:
            rows = rows[_changes(cells.text, starts[rows], ends[rows])]
        held = [self._held.get(self._columns[i].name, (math.nan, int(Quality.ABSENT)))]
        held += [self._held_cell(i, cells.text[starts[row] : ends[row]].tobytes()) for row in rows.tolist()]
        self._held[self._columns[i].name] = held[-1]
        counts = np.diff(rows, prepend=0, append=len(values))
        values[:] = np.repeat(np.array([value for value, _ in held]), counts)
        quality[:] = np.repeat(np.array([mark for _, mark in held], dtype=np.uint8), counts)

    # ---- cell by cell

    def _irregular(self, text: bytes, line: int) -> Block | None:
        try:
            lines = [row + "\n" for row in text.decode("utf-8").split("\n")[:-1]]
        except UnicodeDecodeError as error:
            raise RecordingError("encoding", self._path, line=line + text[: error.start].count(b"\n")) from None
        times: list[float] = []
        numbers: list[int] = []
        cells: list[list[Cell]] = []
        reader = csv.reader(lines)
        first = line
        while (row := self._next(reader, line)) is not None:
            number, first = first, line + reader.line_num
            if not row:
                continue
            if len(row) != len(self._columns) + 1:
                raise RecordingError("ragged", self._path, line=number, got=len(row), want=len(self._columns) + 1)
            times.append(self._time(row[0].strip(), number))
            numbers.append(number)
            cells.append([self._cell(i, cell.strip(BLANK), number) for i, cell in enumerate(row[1:])])
        if not times:
            return None
        time = np.array(times)
        self._axis.accept(time, numbers, self._path)
        shape = (len(times), len(self._columns))
        values = np.array([[value for value, _ in row] for row in cells], dtype=np.float64).reshape(shape)
        quality = np.array([[mark for _, mark in row] for row in cells], dtype=np.uint8).reshape(shape)
        return Block(time, values, quality)

    def _next(self, reader: Iterator[list[str]], line: int) -> list[str] | None:
        try:
            return next(reader, None)
        except csv.Error as error:
            raise RecordingError("unreadable", self._path, line=line, reason=error) from error

    def _time(self, text: str, line: int) -> float:
        try:
            return seconds_of(text)
        except ValueError as error:
            key = "no_zone" if error.args == ("zone",) else "bad_time"
            raise RecordingError(key, self._path, line=line, column="time", text=text) from None

    def _cell(self, i: int, text: str, line: int) -> Cell:
        column = self._columns[i]
        if column.held:
            if text:
                self._held[column.name] = self._held_cell(i, text.encode())
            return self._held.get(column.name, (math.nan, int(Quality.ABSENT)))
        if not text:
            return math.nan, Quality.ABSENT
        cell = _number(text.encode())
        if cell is None:
            raise RecordingError("bad_cell", self._path, line=line, column=column.name, text=text)
        value, mark = cell
        return value * column.scale, column.good if mark == Quality.GOOD else mark

    def _held_cell(self, i: int, raw: bytes) -> Cell:
        """A cell of a held column, decoded once for each text."""
        known = self._known[i]
        cell = known.get(raw)
        if cell is None:
            if len(known) > 4096:
                known.clear()
            cell = known[raw] = self._decode(self._columns[i], raw.decode("utf-8").strip(BLANK))
        return cell

    def _decode(self, column: Column, text: str) -> Cell:
        if text == "-":
            return math.nan, column.good
        found = _number(text.encode())
        if found is None:
            return self._words.code(text), column.good
        value, mark = found
        if mark != Quality.GOOD:
            return math.nan, mark
        whole = value.is_integer()
        if column.context and whole and (value < 0 or abs(value) > 2**53):
            return self._words.code(text), column.good
        return value if column.context else value * column.scale, column.good


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _number(raw: bytes) -> Cell | None:
    """A cell that is a number, a bad reading or 'unavailable'; None for anything else."""
    text = raw.strip()
    if text.lower() == b"unavailable":
        return math.nan, Quality.UNAVAILABLE
    if b"_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return (value, Quality.GOOD) if math.isfinite(value) else (math.nan, Quality.BAD)


def _changes(text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cells differ from the one before; a cell of more than 16 bytes always counts as different."""
    words = eights(text)
    length = ends - starts
    last = words[ends - 8] & LAST[np.minimum(length, 8)]
    first = words[ends - 16] & LAST[np.clip(length - 8, 0, 8)]
    changed = np.ones(len(starts), dtype=np.bool_)
    changed[1:] = (np.diff(length) != 0) | (last[1:] != last[:-1]) | (first[1:] != first[:-1]) | (length[1:] > 16)
    return changed


def _times(cells: Cells, which: NDArray[np.int64]) -> Floats | None:
    """Time cells, plain numbers or ISO 8601; None where they need a closer look."""
    values, plain = cells.numbers(which)
    if plain.all():
        return values
    starts, ends = cells.starts[which], cells.ends[which]
    stamps = _stamps(cells.text, starts, ends)
    if stamps is not None:
        return stamps
    try:
        return np.array(
            [seconds_of(cells.text[a:b].tobytes().decode("ascii")) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        )
    except ValueError:
        return None


def _stamps(text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats | None:
    """Times of the form 2025-03-31T08:00:00Z, with up to six decimals, at once; None where one is of another form."""
    length = ends - starts
    decimals = length - 21
    if length.min() < 20 or length.max() > 27 or (text[ends - 1] != ord("Z")).any() or (decimals == 0).any():
        return None
    decimals = np.maximum(decimals, 0)
    if (text[(starts + 19)[decimals > 0]] != ord(".")).any():
        return None
    words = eights(text)
    colons = np.uint64(0x0000FF0000FF0000)
    clock = words[starts + 11]  # HH:MM:SS
    part = (words[ends - 9] ^ ZEROS) & LAST[decimals]
    if ((clock & colons) != np.uint64(0x00003A00003A0000)).any():
        return None
    clock = (clock ^ ZEROS) & ~colons
    if (not_digits(clock) | not_digits(part)).any():
        return None
    hour, minute, second = (
        ((clock >> np.uint64(8 * k)) & np.uint64(15)).astype(np.int64) * 10
        + ((clock >> np.uint64(8 * k + 8)) & np.uint64(15)).astype(np.int64)
        for k in (0, 3, 6)
    )
    if hour.max() > 23 or minute.max() > 59 or second.max() > 59:
        return None
    head, tail = words[starts], words[starts + 3]  # YYYY-MM-, Y-MM-DDT
    fresh = np.flatnonzero(np.concatenate([[True], (head[1:] != head[:-1]) | (tail[1:] != tail[:-1])]))
    days = []
    for row in fresh.tolist():
        stamp = text[starts[row] : starts[row] + 11].tobytes()
        if stamp[10:] != b"T":
            return None
        try:
            days.append(date.fromisoformat(stamp[:10].decode("ascii")).toordinal() - _EPOCH)
        except ValueError:
            return None
    day = np.repeat(np.array(days, dtype=np.int64), np.diff(fresh, append=len(starts)))
    micro = eight_digits(part).astype(np.int64) * np.array([10 ** (6 - k) for k in range(7)])[decimals]
    stamps: Floats = ((day * 86400 + hour * 3600 + minute * 60 + second) * 1_000_000 + micro) / 1e6
    return stamps


_EPOCH = date(1970, 1, 1).toordinal()
