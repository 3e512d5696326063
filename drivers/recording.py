"""Reads a recording: rows and waveforms of a machine, kept in files that anybody can write (docs/recordings.md)."""

from __future__ import annotations

import csv
import gzip
import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from drivers.model import Quality, Readings, Waveform, Words
from drivers.recording_error import RecordingError
from drivers.recording_format import CONTEXT, SETTINGS, WRITER, ChannelSettings, RecordingSettings
from drivers.recording_rows import Axis, Block, Cell, Column, RowReader, joined
from drivers.recording_settings import load_settings
from drivers.recording_wave import WaveFile, open_waves
from drivers.recording_write import Writer

__all__ = ["ChannelSettings", "Recording", "RecordingError", "RecordingSettings", "WaveFile", "Writer", "read"]

CHUNK = 64 * 1024
"""Bytes of CSV that are parsed at once: the arrays of a larger piece are fetched from the system and given back each time, which takes
longer than to fill them."""
GATHER = 8192
"""Rows that are handed out together."""


@dataclass(frozen=True, slots=True)
class _Table:
    """One CSV file of rows."""

    path: Path
    names: tuple[str, ...]
    """Channels, without the time."""
    size: int


class Recording:
    """Rows and waveforms of a recording in the order of time; `read` makes one.

    Iterating hands out `Readings` (all channels of the recording, at most `rows` rows) and `Waveform` blocks. A waveform block comes after
    the rows that are not later than its last sample, as it does when live. It may be iterated more than once.

    Attributes
    ----------
    name: of the folder or file; the `source` of every block.
    relative: times count from a start instead of being UTC seconds since 1970.
    channels: the columns, in the order of their first appearance.
    waves: the waveforms.
    start: UTC seconds of time zero of a relative recording, None where it does not say.
    settings: recording.toml.
    """

    def __init__(
        self,
        path: Path,
        tables: list[_Table],
        waves: tuple[WaveFile, ...],
        settings: RecordingSettings,
        context: Collection[str],
        rows: int,
    ) -> None:
        self.name = path.name if path.is_dir() else path.name.removesuffix(".gz").removesuffix(".csv")
        self.settings = settings
        self.start = settings.start
        self.waves = waves
        self.channels = tuple(dict.fromkeys(name for table in tables for name in table.names))
        self._tables = tables
        self._rows = rows
        self._context = frozenset(context)
        self._bytes = sum(table.size for table in tables) + sum(wave.size for wave in waves)
        self._done = 0
        self._file: IO[bytes] | None = None
        self.relative = self._is_relative()

    def fraction(self) -> float:
        """How much of the recording the latest iteration has read, 0 to 1."""
        here = self._file.tell() if self._file is not None and not self._file.closed else 0
        return min(1.0, (self._done + here) / self._bytes) if self._bytes else 1.0

    def column(self, name: str) -> Column:
        """How the cells of a channel are read."""
        told = self.settings.channel(name)
        if any(wave.channel == name for wave in self.waves):
            # A waveform's own column says when its source was lost; unit and scale are those of the samples.
            return Column(name, held=False, context=False, scale=1.0, good=Quality.GOOD)
        context = name.lower() in CONTEXT or name in self._context
        held = context if told.on_change is None else told.on_change
        good = Quality.UNCERTAIN if told.uncertain else Quality.GOOD
        return Column(name, held, held and context, told.scale, good)

    def __iter__(self) -> Iterator[Readings | Waveform]:
        self._done = 0
        waves = heapq.merge(*(wave.blocks() for wave in self.waves), key=_end)
        wave = next(waves, None)
        for rows in self._readings():
            at = 0
            while wave is not None and _end(wave) < rows.time[-1]:
                stop = int(np.searchsorted(rows.time, _end(wave), side="right"))
                yield from self._pieces(rows, at, stop)
                at = stop
                yield wave
                self._done += wave.samples.nbytes
                wave = next(waves, None)
            yield from self._pieces(rows, at, len(rows.time))
        while wave is not None:
            yield wave
            self._done += wave.samples.nbytes
            wave = next(waves, None)

    def _pieces(self, rows: Readings, start: int, stop: int) -> Iterator[Readings]:
        for a in range(start, stop, self._rows):
            b = min(stop, a + self._rows)
            if a == 0 and b == len(rows.time):
                yield rows
            else:
                yield Readings(rows.source, rows.channels, rows.time[a:b], rows.values[a:b], rows.quality[a:b], rows.words)

    def _readings(self) -> Iterator[Readings]:
        words = Words()
        for places, block in self._blocks(words, Axis()):
            values, quality = block.values, block.quality
            if places != list(range(len(self.channels))):
                values = np.full((len(block.time), len(self.channels)), np.nan)
                quality = np.full(values.shape, Quality.ABSENT, dtype=np.uint8)
                values[:, places], quality[:, places] = block.values, block.quality
            yield Readings(self.name, self.channels, block.time, values, quality, words.seen())

    def _blocks(self, words: Words, axis: Axis) -> Iterator[tuple[list[int], Block]]:
        """All rows, and which channels the columns of each block are."""
        held: dict[str, Cell] = {}
        for table in self._tables:
            reader = RowReader(table.path, [self.column(name) for name in table.names], words, axis, held)
            places = [self.channels.index(name) for name in table.names]
            line = 1
            gathered: list[Block] = []
            for text in self._chunks(table):
                rows = text.partition(b"\n")[2] if line == 1 else text
                block = reader.read(rows, max(line, 2))
                line += text.count(b"\n")
                if block is not None:
                    gathered.append(block)
                    if len(block.time) * len(gathered) >= GATHER:
                        yield places, joined(gathered)
                        gathered = []
            if gathered:
                yield places, joined(gathered)

    def _chunks(self, table: _Table) -> Iterator[bytes]:
        """The file in pieces of whole lines."""
        rest = b""
        try:
            with table.path.open("rb") as file:
                self._file = file
                stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if table.path.suffix == ".gz" else file)
                while piece := stream.read(CHUNK):
                    head, newline, tail = piece.rpartition(b"\n")
                    if newline:
                        yield rest + head + newline
                        rest = tail
                    else:
                        rest += piece
            self._done += table.size
        except (OSError, EOFError) as error:
            raise RecordingError("unreadable", table.path, reason=error) from error
        finally:
            self._file = None
        if rest.strip() and self.settings.writer != WRITER:
            yield rest + b"\n"

    def _is_relative(self) -> bool:
        axis = Axis()
        for table in self._tables:
            reader = RowReader(table.path, [self.column(name) for name in table.names], Words(), axis, {})
            text = next(self._chunks(table), b"")
            if reader.read(text.partition(b"\n")[2], 2) is not None:
                break
        for wave in self.waves:
            if len(wave.starts):
                axis.same_kind(wave.starts[:1], [2], wave.index, "start")
        self._done = 0
        return bool(axis.relative)


def read(path: Path, *, rows: int = 65536, context: Collection[str] = ()) -> Recording:
    """Open a recording, a folder or a lone CSV file; nothing but headers, indices and the first rows is read yet.

    `rows`: most rows of one block. `context`: channels that hold until their next cell because the machine file says what they are, beside
    those that are named so (`CONTEXT`) or declared `on_change` in recording.toml. Raises RecordingError, here and while iterating.
    """
    if path.is_dir():
        files = sorted((file for file in path.iterdir() if _is_csv(file)), key=lambda file: file.name.removesuffix(".gz"))
        waves = sorted(path.glob("*.npy"))
        indices = {wave.with_suffix(".csv") for wave in waves}
        tables = [_table(file) for file in files if file not in indices]
    elif path.is_file():
        tables, waves = [_table(path)], []
    else:
        raise RecordingError("not_found", path)
    if not tables and not waves:
        raise RecordingError("empty", path)
    names = {name for table in tables for name in table.names} | {wave.name.rpartition("@")[0] for wave in waves}
    settings = load_settings(path / SETTINGS, names) if path.is_dir() else RecordingSettings()
    return Recording(path, tables, open_waves(path.name, waves, settings), settings, context, rows)


def _is_csv(file: Path) -> bool:
    return file.name.endswith((".csv", ".csv.gz")) and not file.name.startswith(".")


def _table(path: Path) -> _Table:
    """Read and check the header of a file of rows."""
    try:
        size = path.stat().st_size
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            first = file.readline()
    except (OSError, EOFError) as error:
        raise RecordingError("unreadable", path, reason=error) from error
    try:
        text = first.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise RecordingError("encoding", path, line=1) from None
    try:
        names = [name.strip() for name in next(csv.reader([text]), [])]
    except csv.Error as error:
        raise RecordingError("unreadable", path, line=1, reason=error) from error
    if not names or names[0].lower() != "time":
        if names[:3] == ["start", "first", "count"]:
            raise RecordingError("wave_no_data", path, text=path.name.removesuffix(".gz").removesuffix(".csv") + ".npy")
        if len(names) == 1 and ";" in text:
            raise RecordingError("semicolons", path, line=1)
        raise RecordingError("no_time", path, line=1, text=names[0] if names else "")
    for number, name in enumerate(names, 1):
        if not name:
            raise RecordingError("unnamed_column", path, line=1, number=number)
        if name in names[: number - 1]:
            raise RecordingError("duplicate_column", path, line=1, column=name)
    return _Table(path, tuple(names[1:]), size)


def _end(wave: Waveform) -> float:
    return wave.start + len(wave.samples) / wave.rate
