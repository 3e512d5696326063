"""A recording through the pass, and what it made known as one JSON object a line (DESIGN.md, Recordings)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import msgspec

from agent.maintenance import plan
from agent.model import Alert, Coverage, Cut, Event, Finding, Indicator
from agent.texts import Texts
from drivers.model import Readings, Waveform

if TYPE_CHECKING:
    from agent.machine_file import MachineFile
    from drivers.recording import Recording

ROWS = 16384
"""Rows a batch; the result does not depend on it."""
DIGITS = 6
_NOUNS: Mapping[type, str] = {Cut: "cut", Indicator: "indicator", Finding: "finding", Alert: "alert", Coverage: "coverage"}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay did.

    Attributes
    ----------
    seconds: of recording. wall: s it took.
    missing, spare: channels of the machine file that the recording does not have; columns that the machine file does not name.
    """

    seconds: float
    wall: float
    rows: int
    cuts: int
    parts: int
    alerts: int
    missing: tuple[str, ...]
    spare: tuple[str, ...]


def replay(
    recording: Recording,
    machine: MachineFile,
    texts: Texts,
    nouns: Sequence[str],
    out: IO[str],
    progress: Callable[[float], None] | None = None,
) -> Summary:
    """Drive the pass with a recording; nothing is remembered from before, nothing is kept afterwards."""
    from agent.monitor import Monitor

    began = time.perf_counter()
    have = {*recording.channels, *(wave.channel for wave in recording.waves)}
    # A missing column makes what needs it not monitorable; it is not a signal that was lost.
    there = tuple(channel for channel in machine.settings.channel if channel.name in have)
    monitor = Monitor(msgspec.structs.replace(machine.settings, channel=there), plan(machine.paths))
    writer = Lines(out, nouns, texts, machine, relative=recording.relative)
    first = last = None
    for block in recording:
        start, end = _span(block)
        first = start if first is None else min(first, start)
        last = end if last is None else max(last, end)
        writer.write(monitor.feed(block))
        if progress is not None:
            progress(recording.fraction())
    writer.write(monitor.finish())
    if progress is not None:
        progress(1.0)
    named = {channel.name for channel in machine.settings.channel}
    return Summary(
        seconds=(last - first) if first is not None and last is not None else 0.0,
        wall=time.perf_counter() - began,
        rows=monitor.counters.rows,
        cuts=monitor.counters.cuts,
        parts=monitor.counters.parts,
        alerts=writer.alerts,
        missing=tuple(sorted(named - have)),
        spare=tuple(sorted(have - named)),
    )


class Lines:
    """Writes events as JSON lines, keys in the order of DESIGN.md, floats at 6 significant digits."""

    def __init__(self, out: IO[str], nouns: Sequence[str], texts: Texts, machine: MachineFile, *, relative: bool) -> None:
        self._out = out
        self._nouns = frozenset(nouns)
        self._texts = texts
        self._tools = machine.settings.tool
        self._relative = relative
        self._encoder = msgspec.json.Encoder()
        self.alerts = 0

    def write(self, events: Sequence[Event]) -> None:
        """Those of the nouns that were asked for."""
        for event in events:
            if isinstance(event, Alert) and event.transition == "raised":
                self.alerts += 1
            if _NOUNS.get(type(event)) not in self._nouns:
                continue
            line = self._line(event)
            if line is not None:
                self._out.write(self._encoder.encode(line).decode() + "\n")

    def _line(self, event: Event) -> dict[str, Any] | None:
        match event:
            case Cut(phase="closed"):
                evidence = {"part": event.part, "opened": self._time(event.opened), "held": event.held, **_fields(event.features)}
                return self._row(
                    event.time, "cut", id=event.id, operation=event.operation.key, tool=event.operation.tool, evidence=evidence
                )
            case Indicator():
                return self._row(
                    event.time,
                    "indicator",
                    kind=event.name,
                    channel=event.channel,
                    operation=event.operation,
                    tool=event.tool,
                    score=event.value,
                    evidence={"unit": event.unit},
                )
            case Finding():
                return self._row(
                    event.time,
                    "finding",
                    kind=event.kind,
                    severity=event.severity,
                    transition="finished" if event.finished else "",
                    id=event.cut,
                    channel=event.channel,
                    operation=event.operation,
                    tool=event.tool,
                    score=event.score,
                    threshold=event.threshold,
                    evidence=dict(event.evidence),
                )
            case Alert():
                told = self._texts.alert(event, tools=self._tools)
                return self._row(
                    event.updated,
                    "alert",
                    kind=event.kind,
                    severity=event.severity,
                    transition=event.transition,
                    id=event.id,
                    channel=event.channel,
                    operation=event.operation,
                    tool=event.tool,
                    score=event.score,
                    threshold=event.threshold,
                    evidence=dict(event.evidence),
                    message=f"{told.title} : {told.text}" if self._texts.language == "fr" else f"{told.title}: {told.text}",
                )
            case Coverage():
                word, sentence = self._texts.coverage(event)
                evidence = {"word": event.word, "reason": event.reason, "n": event.n, "of": event.of}
                return self._row(event.time, "coverage", channel=event.scope, evidence=evidence, message=f"{word} {sentence}".strip())
            case _:
                return None

    def _row(self, when: float, noun: str, **given: Any) -> dict[str, Any]:
        row: dict[str, Any] = {"time": self._time(when), "noun": noun}
        for key in ("kind", "severity", "transition", "id", "channel", "operation", "tool", "score", "threshold", "evidence", "message"):
            value = given.get(key)
            row[key] = _rounded(value) if key in given else None if key in ("score", "threshold") else {} if key == "evidence" else ""
        return row

    def _time(self, when: float) -> float | str:
        if self._relative:
            return float(f"{when:.6f}")
        return datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _fields(features: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(features, name) for name in features.__struct_fields__}


def _rounded(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _span(block: Readings | Waveform) -> tuple[float, float]:
    if isinstance(block, Waveform):
        return block.start, block.start + len(block.samples) / block.rate
    return float(block.time[0]), float(block.time[-1])
