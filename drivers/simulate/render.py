"""Faster than life: the machine's signals as a recording that `replay` reads (docs/recordings.md), as the agent would have polled them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np

from drivers.model import Quality, Readings, Waveform, Words
from drivers.recording import RecordingError, Writer
from drivers.recording_settings import ChannelSettings
from drivers.simulate.cycle import Cycle
from drivers.simulate.faults import WireFault, name_of
from drivers.simulate.machine import Machine
from drivers.simulate.script import Script
from drivers.simulate.state import State
from drivers.simulate.texts import Refused
from drivers.simulate.vibration import CHUNK, RATE, SCALE, Vibration

MACHINE_EVERY = 0.1
"""s between two readings of the machine's registers; the drive's are read at the poll period."""
BLOCK = 1.0
"""s of machine time that are written at once; well within the writer's window."""
VIBRATION = "vibration"

DRIVE = (("load", "%", 10.0), ("current", "A", 100.0), ("speed", "rpm", 1.0))
"""(channel, unit, register counts per unit)"""
MEASURED = (
    ("spindle_temperature", "degC", 10.0),
    ("ambient_temperature", "degC", 10.0),
    ("air_pressure", "bar", 100.0),
    ("hydraulic_pressure", "bar", 10.0),
    ("coolant_level", "%", 10.0),
    ("feed", "mm/min", 1.0),
)
CONTEXT = (
    "tool",
    "program",
    "section",
    "part",
    "mode",
    "execution",
    "door",
    "cycle",
    "feed_override",
    "speed_override",
    "feed_hold",
    "power_on",
)
WORDS = ("mode", "execution", "door")


def render(
    folder: Path, cycle: Cycle, seed: int, script: Script, *, parts: int, poll: float, truth: Path | None = None, vibration: bool = True
) -> int:
    """Write `parts` parts into the new folder `folder`; number of rows. Times are machine seconds from 0.

    Raises Refused: a wire fault in the script, a truth file inside the recording, a folder that cannot be written.
    """
    if truth is not None and truth.resolve().is_relative_to(folder.resolve()):
        raise Refused("truth_inside", folder=folder)
    machine = Machine(cycle, seed, script, _no_wires)
    settings = {name: ChannelSettings(unit=unit, rate=1.0 / poll) for name, unit, _ in DRIVE}
    settings |= {name: ChannelSettings(unit=unit, rate=1.0 / MACHINE_EVERY) for name, unit, _ in MEASURED}
    settings |= {name: ChannelSettings(on_change=True) for name in CONTEXT}
    try:
        writer = Writer(folder, [n for n, *_ in DRIVE] + list(CONTEXT) + [n for n, *_ in MEASURED], settings=settings)
    except RecordingError as error:
        raise Refused("recording", reason=error) from error
    shaker = Vibration(seed) if vibration else None
    with truth.open("wb") if truth is not None else nullcontext() as file:
        for item in _blocks(machine, parts, poll, shaker):
            writer.write(item)
            if file is not None:
                file.writelines(msgspec.json.encode(record) + b"\n" for record in machine.log)
            machine.log.clear()
    writer.close()
    if writer.stopped is not None:
        raise Refused("recording", reason=writer.stopped)
    return writer.rows


def _no_wires(fault: WireFault) -> None:
    raise Refused("wire_fault", fault=name_of(fault))


def _blocks(machine: Machine, parts: int, poll: float, shaker: Vibration | None) -> Iterator[Readings | Waveform]:
    words = Words()
    every = max(1, round(MACHINE_EVERY / poll))
    k = 0
    while machine.state().part <= parts:
        first = machine.time
        drive: list[tuple[float, State]] = []
        table: list[tuple[float, State]] = []
        while machine.time < first + BLOCK - 1e-9:
            state = machine.advance(k * poll)
            if state.part > parts:
                break
            drive.append((k * poll, state))
            if k % every == 0:
                table.append((k * poll, state))
            k += 1
        if drive:
            yield _drive_rows(drive)
            yield _machine_rows(table, words)
        yield from _waves(machine, shaker)


def _drive_rows(moments: list[tuple[float, State]]) -> Readings:
    values = np.array([[s.load, s.current, s.speed] for _, s in moments])
    counts = np.array([per for *_, per in DRIVE])
    dead = np.array([not s.power_on for _, s in moments])
    return _readings("drive", tuple(n for n, *_ in DRIVE), moments, np.rint(values * counts) / counts, dead, ())


def _machine_rows(moments: list[tuple[float, State]], words: Words) -> Readings:
    rows = []
    for _, s in moments:
        context = [words.code(getattr(s, n)) if n in WORDS else float(s.made if n == "part" else getattr(s, n)) for n in CONTEXT]
        rows.append(context + [round(getattr(s, n) * per) / per for n, _, per in MEASURED])
    dead = np.array([s.silent for _, s in moments])
    names = CONTEXT + tuple(n for n, *_ in MEASURED)
    return _readings("machine", names, moments, np.array(rows).reshape(len(moments), len(names)), dead, words.seen())


def _readings(
    source: str,
    names: tuple[str, ...],
    moments: list[tuple[float, State]],
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    dead: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    words: tuple[str, ...],
) -> Readings:
    quality = np.full(values.shape, Quality.GOOD, dtype=np.uint8)
    quality[dead] = Quality.UNAVAILABLE
    values[dead] = np.nan
    return Readings(source, names, np.array([at for at, _ in moments]), values, quality, words)


def _waves(machine: Machine, shaker: Vibration | None) -> Iterator[Waveform]:
    """All whole chunks that the machine has left, as one block."""
    whole = len(machine.trace) // CHUNK
    moments = [machine.trace.popleft() for _ in range(whole * CHUNK)]
    if shaker is None or not whole:
        return
    start = shaker.first_sample(moments[0].tick - 1) / RATE
    samples = np.concatenate([shaker.chunk(moments[i : i + CHUNK]) for i in range(0, len(moments), CHUNK)])
    yield Waveform("vibration", VIBRATION, start, RATE, samples, SCALE, "g", Quality.GOOD, 0)
