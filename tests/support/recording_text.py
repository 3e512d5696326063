"""A recording as text, one line a row or block, so that a golden case can be read by a person."""

from __future__ import annotations

from pathlib import Path

from drivers.model import Quality, Readings, Waveform, word_of
from drivers.recording import Recording, RecordingError, read


def told(path: Path) -> str:
    """What reading `path` gives: its head and everything in it, or the complaint (without the folder's name)."""
    try:
        recording = read(path)
        return "\n".join([*_head(recording), *(line for item in recording for line in _lines(item, recording))]) + "\n"
    except RecordingError as error:
        return f"{error}\n".replace(f"{path}/", "")


def _head(recording: Recording) -> list[str]:
    lines = [f"{'relative' if recording.relative else 'absolute'}: {' '.join(recording.channels)}"]
    if recording.start is not None:
        lines.append(f"start {recording.start!r} {recording.settings.timezone}".rstrip())
    for name, told in recording.settings.channels.items():
        lines.append(f"{name}: {told}")
    return lines


def _lines(item: Readings | Waveform, recording: Recording) -> list[str]:
    if isinstance(item, Waveform):
        samples = " ".join(str(row.tolist()) for row in item.samples)
        head = f"{item.start!r} {item.source} {item.channel} {item.rate!r} Hz x{item.scale!r} {item.unit} {item.quality.name}"
        return [f"{head} lost {item.lost}: {item.samples.dtype} {samples}"]
    lines = []
    for time, values, marks in zip(item.time.tolist(), item.values.tolist(), item.quality.tolist(), strict=True):
        cells = []
        for name, value, mark in zip(item.channels, values, marks, strict=True):
            text = (word_of(value, item.words) if recording.column(name).held else repr(value)) or "-"
            cells.append({Quality.GOOD: text, Quality.UNCERTAIN: f"~{text}"}.get(Quality(mark), Quality(mark).name))
        lines.append(f"{time!r} | " + " | ".join(cells))
    return lines
