"""Writes a recording as the machine runs, so that it can be read whatever ends it: a key, a crash or a full disk."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np

from drivers.model import Floats, Marks, Quality, Readings, Waveform, Words
from drivers.recording_error import RecordingError
from drivers.recording_format import CONTEXT, RELATIVE_BELOW, SETTINGS, WRITER, ChannelSettings, time_text, time_texts
from drivers.recording_wave_write import WaveWriter

KEEP_FREE = 200 * 1024 * 1024
"""Bytes that are left free on the disk: the machine's own state and its alerts must always find room."""

DAY = 86400.0


class Writer:
    """Appends what it is given; everything older than a few seconds is on the disk.

    Rows of all sources go into one file in the order of time, each into its own row: `window` is how long a row waits for older ones of
    other sources. Nothing here raises for a full or lost disk: recording stops, `stopped` says why, and the agent goes on.

    Parameters
    ----------
    folder: is created; must not hold a recording yet, and the disk must have room (RecordingError).
    channels: columns in this order; others are added as they come, in a new file.
    settings: unit, rate and on_change of channels. A channel that is `on_change`, or named so (`CONTEXT`), is written where it changes.
    start: UTC seconds of time zero, if the times given are below 1e8 and so count from it.
    timezone: of the machine.
    window: s by which a row may be older than the newest one; later rows are dropped and counted in `late`.
    file_bytes: a new file begins above this size, and with every day (UTC).
    keep_free: bytes to leave free on the disk.
    """

    def __init__(
        self,
        folder: Path,
        channels: Sequence[str] = (),
        *,
        settings: Mapping[str, ChannelSettings] | None = None,
        start: float | None = None,
        timezone: str = "",
        window: float = 2.0,
        file_bytes: int = 64 * 1024 * 1024,
        keep_free: int = KEEP_FREE,
    ) -> None:
        self.folder = folder
        self.rows = 0
        self.late = 0
        self.stopped: RecordingError | None = None
        self._settings = dict(settings or {})
        self._start = start
        self._timezone = timezone
        self._window = window
        self._file_bytes = file_bytes
        self._keep_free = keep_free
        self._channels: list[str] = []
        self._words = Words()
        self._waiting: list[tuple[Floats, Floats, Marks, list[int]]] = []
        self._newest = -math.inf
        self._flushed = -math.inf
        self._written = -math.inf
        self._cells: list[str] = []
        self._file: IO[str] | None = None
        self._files = 0
        self._bytes = 0
        self._bytes_here = 0
        self._fresh = False
        self._day = -1
        self._waves: dict[tuple[str, float], WaveWriter] = {}
        if (folder / SETTINGS).exists() or any(folder.glob("*.csv*")):
            raise RecordingError("taken", folder)
        self._add(channels)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            full = self._too_full()
            if full is not None:
                raise full
            self._write_settings()
        except OSError as error:
            raise RecordingError("unreadable", folder, reason=error.strerror or error) from error

    @property
    def bytes(self) -> int:
        """Written so far."""
        return self._bytes + sum(wave.bytes for wave in self._waves.values())

    def write(self, item: Readings | Waveform) -> None:
        """Take a block. Once `stopped`, this does nothing."""
        if self.stopped is not None:
            return
        try:
            if isinstance(item, Waveform):
                self._wave(item)
            else:
                self._take(item)
            if self._newest - self._flushed >= 1.0:
                self._flush(self._newest - self._window)
        except OSError as error:
            self._stop(RecordingError("disk", self.folder, reason=error.strerror or error))

    def close(self) -> None:
        """Write what waits and put every file in order."""
        if self.stopped is not None:
            return
        try:
            self._flush(math.inf)
            self._end_file()
            for wave in self._waves.values():
                wave.close()
        except OSError as error:
            self._stop(RecordingError("disk", self.folder, reason=error.strerror or error))

    def _stop(self, error: RecordingError) -> None:
        self.stopped = error
        self._waiting = []
        for file in (self._file, *self._waves.values()):
            try:
                if file is not None:
                    file.close()
            except OSError:
                continue
        self._file = None

    # ---- rows

    def _add(self, names: Sequence[str]) -> None:
        for name in names:
            _check_name(name, self.folder)
            if name not in self._channels:
                self._channels.append(name)
                self._cells.append("")

    def _held(self, name: str) -> bool:
        told = self._settings.get(name, ChannelSettings()).on_change
        return name.lower() in CONTEXT if told is None else told

    def _take(self, item: Readings) -> None:
        if not len(item.time):
            return
        if any(name not in self._channels for name in item.channels):
            self._flush(math.inf)
            self._end_file()
            self._add(item.channels)
            self._write_settings()
        places = [self._channels.index(name) for name in item.channels]
        time = np.round(item.time * 1e6) / 1e6
        values, quality = item.values, item.quality
        if item.words:
            values = values.copy()
            for k, name in enumerate(item.channels):
                if self._held(name):
                    values[:, k] = [self._recoded(value, item.words) for value in values[:, k].tolist()]
        doubted = [name for k, name in enumerate(item.channels) if (quality[:, k] == Quality.UNCERTAIN).any()]
        self._doubt(doubted)
        keep = time >= self._written
        kept = (time[keep], values[keep], quality[keep], places)
        self.late += len(time) - len(kept[0])
        if len(kept[0]):
            self._waiting.append(kept)
            self._newest = max(self._newest, float(kept[0][-1]))
        if self._flushed == -math.inf:
            self._flushed = self._newest

    def _recoded(self, value: float, words: tuple[str, ...]) -> float:
        if value < 0 and value.is_integer() and -int(value) <= len(words):
            return self._words.code(words[-int(value) - 1])
        return value

    def _doubt(self, names: Collection[str]) -> None:
        """Note in recording.toml that the values of these channels are uncertain."""
        known = {name: self._settings.get(name, ChannelSettings()) for name in names}
        new = {name: told for name, told in known.items() if not told.uncertain}
        for name, told in new.items():
            self._settings[name] = ChannelSettings(told.unit, told.rate, told.on_change, told.scale, True)
        if new:
            self._write_settings()

    def _flush(self, until: float) -> None:
        """Write the rows up to `until` and hand everything to the system."""
        self._flushed = self._newest
        due = [(block, int(np.searchsorted(block[0], until, side="right"))) for block in self._waiting]
        if any(stop for _, stop in due):
            width = len(self._channels)
            time = np.concatenate([block[0][:stop] for block, stop in due])
            values = np.full((len(time), width), np.nan)
            quality = np.full((len(time), width), Quality.ABSENT, dtype=np.uint8)
            at = 0
            for (_, some, marks, places), stop in due:
                values[at : at + stop, places] = some[:stop]
                quality[at : at + stop, places] = marks[:stop]
                at += stop
            order = np.argsort(time, kind="stable")
            self._waiting = [(b[0][stop:], b[1][stop:], b[2][stop:], b[3]) for b, stop in due if stop < len(b[0])]
            self._append(time[order], values[order], quality[order])
        if self._file is not None:
            self._file.flush()
        full = self._too_full()
        if full is not None:
            self._end_file()
            self._stop(full)

    def _too_full(self) -> RecordingError | None:
        free = shutil.disk_usage(self.folder).free
        if free >= self._keep_free:
            return None
        return RecordingError("disk_space", self.folder, free=free // 2**20, keep=self._keep_free // 2**20)

    def _append(self, time: Floats, values: Floats, quality: Marks) -> None:
        self._written = float(time[-1])
        days = np.floor_divide(time, DAY).astype(np.int64) if time[0] >= RELATIVE_BELOW else np.zeros(len(time), dtype=np.int64)
        edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(time)]
        for a, b in pairwise(edges):
            if self._file is None or days[a] != self._day or self._bytes_here >= self._file_bytes:
                self._begin_file(int(days[a]))
            self._lines(time[a:b], values[a:b], quality[a:b])
        self.rows += len(time)

    def _lines(self, time: Floats, values: Floats, quality: Marks) -> None:
        columns = [time_texts(time.tolist())]
        for k, name in enumerate(self._channels):
            cells = [""] * len(time)
            here = np.flatnonzero(quality[:, k] != Quality.ABSENT)
            held = self._held(name)
            texts = _texts(values[here, k].tolist(), quality[here, k].tolist(), self._words.seen() if held else None)
            if held:
                before = stood = self._cells[k]
                for row, text in zip(here.tolist(), texts, strict=True):
                    if text != before:
                        cells[row] = before = text
                self._cells[k] = before
                if self._fresh and not cells[0]:
                    cells[0] = stood
            else:
                for row, text in zip(here.tolist(), texts, strict=True):
                    cells[row] = text
            columns.append(cells)
        self._fresh = False
        self._put("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")

    def _begin_file(self, day: int) -> None:
        self._end_file()
        self._files += 1
        self._day = day
        self._bytes_here = 0
        self._fresh = True
        self._file = (self.folder / f"rows-{self._files:06d}.csv").open("x", encoding="utf-8", newline="", buffering=1 << 20)
        self._put(",".join(["time", *map(_quoted, self._channels)]) + "\n")

    def _put(self, text: str) -> None:
        if self._file is not None:
            self._file.write(text)
            size = len(text.encode())
            self._bytes += size
            self._bytes_here += size

    def _end_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.flush()
            os.fsync(file.fileno())
            file.close()

    # ---- waveforms and settings

    def _wave(self, item: Waveform) -> None:
        key = (item.channel, item.rate)
        wave = self._waves.get(key)
        if wave is None:
            _check_name(item.channel, self.folder)
            self._settings[item.channel] = ChannelSettings(unit=item.unit, scale=item.scale)
            self._write_settings(item.channel)
            wave = self._waves[key] = WaveWriter(self.folder, item)
        try:
            if not wave.append(item):
                self.late += 1
        except RecordingError as error:
            self._stop(error)
            return
        self._newest = max(self._newest, item.start + len(item.samples) / item.rate)

    def _write_settings(self, *waves: str) -> None:
        lines = [f"writer = {json.dumps(WRITER)}"]
        if self._start is not None:
            lines.append(f"start = {json.dumps(time_text(self._start), ensure_ascii=False)}")
        if self._timezone:
            lines.append(f"timezone = {json.dumps(self._timezone, ensure_ascii=False)}")
        waveforms = {channel for channel, _ in self._waves} | set(waves)
        for name in dict.fromkeys([*self._channels, *sorted(waveforms)]):
            told = self._settings.get(name, ChannelSettings())
            lines += ["", f"[channel.{json.dumps(name, ensure_ascii=False)}]"]
            if told.unit:
                lines.append(f"unit = {json.dumps(told.unit, ensure_ascii=False)}")
            if name in waveforms:
                lines.append(f"scale = {told.scale!r}")
            elif self._held(name):
                lines.append("on_change = true")
            elif told.rate is not None:
                lines.append(f"rate = {told.rate!r}")
            if told.uncertain:
                lines.append("uncertain = true")
        path = self.folder / SETTINGS
        new = path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _check_name(name: str, folder: Path) -> None:
    if not name.strip() or name != name.strip() or any(mark in name for mark in "/@\n\r\0"):
        raise RecordingError("name", folder, text=name)


def _quoted(text: str) -> str:
    text = text.replace("\r", " ").replace("\n", " ")
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _texts(values: list[float], quality: list[int], words: tuple[str, ...] | None) -> list[str]:
    """Cells of values; `words` of a held column, None for a polled one."""
    texts = []
    for value, mark in zip(values, quality, strict=True):
        if mark == Quality.UNAVAILABLE:
            texts.append("unavailable")
        elif mark == Quality.BAD:
            texts.append("nan")
        elif words is not None and value != value:
            texts.append("-")
        elif words and value < 0 and value.is_integer() and -int(value) <= len(words):
            texts.append(_quoted(words[-int(value) - 1].strip()) or "-")
        else:
            texts.append(repr(value).removesuffix(".0"))
    return texts
