"""The waveforms of a recording: NAME@RATE.npy, mapped and never loaded whole, and its index NAME@RATE.csv."""

from __future__ import annotations

import ast
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.model import Floats, Quality, Waveform
from drivers.recording_error import RecordingError
from drivers.recording_format import WRITER, RecordingSettings, seconds_of, time_text

LONGEST = 4096
"""Samples of a block up to which it is handed out in one piece; longer ones come in pieces of a second, or of this if that is longer."""

Samples = NDArray[np.int16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WaveFile:
    """One waveform of a recording.

    Attributes
    ----------
    path, index: the samples and the list of blocks.
    source: name of the recording.
    channel, rate, axes, unit, scale: as in `Waveform`.
    size: bytes of samples.
    starts, firsts, counts: of the blocks: time of the first sample, its place in the file, how many follow.
    lost, quality: of the blocks, as in `Waveform`.
    """

    path: Path
    index: Path
    source: str
    channel: str
    rate: float
    axes: int
    unit: str
    scale: float
    size: int
    starts: Floats
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]
    lost: NDArray[np.int64]
    quality: NDArray[np.uint8]
    _type: np.dtype[np.int16] | np.dtype[np.float32]
    _offset: int
    _samples: int

    def blocks(self) -> Iterator[Waveform]:
        """The blocks in order; samples are read only when they are looked at."""
        if not len(self.starts):
            return
        data = np.memmap(self.path, self._type, "r", self._offset, (self._samples, self.axes))
        longest = max(LONGEST, int(self.rate))
        rows = zip(self.starts.tolist(), self.firsts.tolist(), self.counts.tolist(), self.lost.tolist(), self.quality.tolist(), strict=True)
        for start, first, count, lost, quality in rows:
            for at in range(0, count, longest):
                samples: Samples = np.asarray(data[first + at : first + min(count, at + longest)])
                yield Waveform(
                    self.source,
                    self.channel,
                    start + at / self.rate,
                    self.rate,
                    samples,
                    self.scale,
                    self.unit,
                    Quality(quality),
                    lost if at == 0 else 0,
                )


def open_waves(source: str, paths: Sequence[Path], settings: RecordingSettings) -> tuple[WaveFile, ...]:
    """Check the waveforms of a recording; raises RecordingError."""
    return tuple(_open(source, path, settings) for path in paths)


def _open(source: str, path: Path, settings: RecordingSettings) -> WaveFile:
    name, _, rate_text = path.name.removesuffix(".npy").rpartition("@")
    try:
        rate = float(rate_text)
    except ValueError:
        rate = math.nan
    if not name or not 0 < rate < math.inf:
        raise RecordingError("wave_name", path)
    index = path.parent / (path.name.removesuffix(".npy") + ".csv")
    if not index.is_file():
        raise RecordingError("wave_no_index", path, text=index.name)
    shape, kind, offset, size = _header(path)
    axes = shape[1] if len(shape) == 2 else 1
    held = (size - offset) // (kind.itemsize * axes)
    closed = shape[0] > 0
    samples = min(shape[0], held) if closed else held
    told = settings.channel(name)
    good = Quality.UNCERTAIN if told.uncertain else Quality.GOOD
    rows = _index(index, cut_off=settings.writer == WRITER)
    if not closed and settings.writer == WRITER:
        rows = [row for row in rows if row[2] + row[3] <= samples]
    before = -math.inf
    for line, start, first, count, _, _ in rows:
        if first + count > samples:
            raise RecordingError("wave_beyond", index, line=line, end=first + count, samples=samples)
        if start < before:
            raise RecordingError("unordered", index, line=line, column="start", before=time_text(before), text=time_text(start))
        before = start
    return WaveFile(
        path=path,
        index=index,
        source=source,
        channel=name,
        rate=rate,
        axes=axes,
        unit=told.unit or "g",
        scale=told.scale,
        size=size - offset,
        starts=np.array([row[1] for row in rows], dtype=np.float64),
        firsts=np.array([row[2] for row in rows], dtype=np.int64),
        counts=np.array([row[3] for row in rows], dtype=np.int64),
        lost=np.array([row[4] for row in rows], dtype=np.int64),
        quality=np.array([good if row[5] is None else row[5] for row in rows], dtype=np.uint8),
        _type=kind,
        _offset=offset,
        _samples=samples,
    )


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[np.int16] | np.dtype[np.float32], int, int]:
    """Shape, type, offset of the samples, size of the file.

    Source: NEP 1, "A simple file format for NumPy arrays", versions 1 to 3.
    """
    try:
        with path.open("rb") as file:
            start = file.read(12)
            wide = start[6:7] > b"\x01"
            offset = int.from_bytes(start[8 : 12 if wide else 10], "little") + (12 if wide else 10)
            if start[:6] != b"\x93NUMPY" or offset > 65536:
                raise ValueError("it does not begin as one")
            file.seek(12 if wide else 10)
            told = ast.literal_eval(file.read(offset - file.tell()).decode("latin-1").strip())
        shape, kind, fortran = tuple(told["shape"]), np.dtype(told["descr"]), bool(told["fortran_order"])
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise ValueError("its shape is none")
        size = path.stat().st_size
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, RecursionError, MemoryError) as error:
        raise RecordingError("wave_file", path, reason=error) from error
    if kind not in (np.dtype("<i2"), np.dtype("<f4")):
        raise RecordingError("wave_type", path, text=kind)
    if len(shape) not in (1, 2) or (len(shape) == 2 and (shape[1] < 1 or (fortran and shape[1] > 1))):
        raise RecordingError("wave_shape", path, text=shape)
    return shape, kind, offset, size


Row = tuple[int, float, int, int, int, int | None]
"""line, start, first, count, lost, quality"""


def _index(path: Path, *, cut_off: bool) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RecordingError("encoding", path) from None
    except OSError as error:
        raise RecordingError("unreadable", path, reason=error) from error
    if cut_off:
        text = text[: text.rfind("\n") + 1]
    if "\0" in text:
        raise RecordingError("encoding", path)
    lines = csv.reader(text.splitlines())
    names = [name.strip() for name in next(lines, [])]
    if names[:3] != ["start", "first", "count"]:
        raise RecordingError("wave_header", path, line=1, text=",".join(names))
    extra = {name: i for i, name in enumerate(names) if i > 2}
    rows: list[Row] = []
    for cells in lines:
        line = lines.line_num
        if not cells:
            continue
        if len(cells) != len(names):
            raise RecordingError("ragged", path, line=line, got=len(cells), want=len(names))
        try:
            start = seconds_of(cells[0].strip())
        except ValueError as error:
            key = "no_zone" if error.args == ("zone",) else "bad_time"
            raise RecordingError(key, path, line=line, column="start", text=cells[0]) from None
        first = _whole(cells[1], 0, path, line, "first")
        count = _whole(cells[2], 1, path, line, "count")
        lost = _whole(cells[extra["lost"]], 0, path, line, "lost") if "lost" in extra else 0
        quality = None
        if "quality" in extra:
            quality = _whole(cells[extra["quality"]], 0, path, line, "quality")
            if quality > Quality.UNAVAILABLE:
                raise RecordingError("wave_quality", path, line=line, column="quality", text=cells[extra["quality"]])
        rows.append((line, start, first, count, lost, quality))
    return rows


def _whole(text: str, least: int, path: Path, line: int, column: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise RecordingError("wave_cell", path, line=line, column=column, text=text, least=least)
    return value
