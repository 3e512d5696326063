"""A day of 32 channels, ten readings a second, through the whole pass: how long it takes, and where.

  python -m benchmarks.day                      24 h: 864,000 rows; about two minutes, most of them to make the recording
  python -m benchmarks.day --hours 4            less of it
  python -m benchmarks.day --runs 3 --keep DIR  median of three; the recording is left in DIR and taken from there the next time
  python -m benchmarks.day --profile            where the time of the pass goes (cProfile, which itself slows it)
  python -m benchmarks.day --fall 0.1 --at 12 --over 4    from the 12th hour on tool 2 takes up to 10 % less, slowly over 4 h (0: at
                                                once), and every alert is printed: none before, drift after
  python -m benchmarks.day --json

The recording is the simulated lathe's (drivers/simulate: parts, tools, cuts, no faults), one row each 0.1 s, every polled channel in every
row; two axis loads, and others to make 32, are derived from the same moments with noise of their own. The lathe runs PACE times slower
than in the demonstration, where a part takes 6.6 s and every 2.2 s there is a cut (--pace 1): 8 make a part of 53 s with three cuts. It is
replayed as `broche replay` does it, cuts and indicators written out. Reading the CSV and the pass are timed apart: the blocks are read
first and kept.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import importlib
import io
import json
import pstats
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agent.cli.replay import CONTEXT as HELD
from agent.machine_file import MachineFile, load
from agent.replay import Summary, replay
from agent.texts import Texts
from drivers import jit
from drivers.model import Quality, Readings, Waveform, Words
from drivers.recording import Recording, Writer, read
from drivers.recording_settings import ChannelSettings
from drivers.simulate import demo
from drivers.simulate.machine import Machine
from drivers.simulate.render import CONTEXT, DRIVE, MEASURED, WORDS
from drivers.simulate.script import Listed
from drivers.simulate.state import State

POLL = 0.1
"""s"""
FALLING = 2
"""Tool whose cuts take less with --fall."""
BLOCK = 6000
"""Rows that are written at once."""
ROLES = {
    "load": "spindle.load", "speed": "spindle.speed", "spindle_temperature": "spindle.temperature", "ambient_temperature": "temperature",
    "air_pressure": "pressure", "hydraulic_pressure": "pressure", "coolant_level": "level", "feed": "feed",
    "x_load": "axis.load", "z_load": "axis.load", **{name: name for name in CONTEXT},
}  # fmt: skip
MORE = ("x_load", "z_load", *(f"motor_temperature_{i}" for i in range(1, 5)), *(f"phase_{i}" for i in range(1, 4)), "power", "hours")
POLLED = (*(name for name, *_ in DRIVE), *(name for name, *_ in MEASURED), *MORE)
NOUNS = ("cut", "indicator", "finding", "alert", "coverage")


def machine_text() -> str:
    """The machine file of it."""
    text = '[machine]\nname = "day"\nkind = "lathe"\nlanguage = "en"\ntimezone = "Europe/Paris"\n\n[[spindle]]\nname = "S1"\n'
    for name in (*POLLED, *CONTEXT):
        role = ROLES.get(name, "other")
        text += f'\n[[channel]]\nname = "{name}"\nrole = "{role}"\nhold = {1.0 if name in POLLED else "inf"}\n'
    return text


def make(folder: Path, hours: float, seed: int, pace: float, fall: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> int:
    """Write the recording; number of rows."""
    folder.mkdir(parents=True)
    settings = {name: ChannelSettings(rate=1.0 / POLL) for name in POLLED} | {name: ChannelSettings(on_change=True) for name in CONTEXT}
    writer = Writer(folder, [*POLLED, *CONTEXT], settings=settings)
    machine = Machine(demo.cycle(), seed, Listed(), _no_wires)
    draw = np.random.default_rng(seed)
    words = Words()
    n = round(hours * 3600.0 / POLL)
    for first in range(0, n, BLOCK):
        ticks = np.arange(first, min(n, first + BLOCK))
        states = [machine.advance(k * POLL / pace) for k in ticks.tolist()]
        machine.log.clear()
        machine.trace.clear()
        share, at, over = fall
        less = share * np.clip((ticks * POLL / 3600.0 - at) / over if over else np.sign(ticks * POLL / 3600.0 - at), 0.0, 1.0)
        values = _values(states, draw, words)
        values[:, POLLED.index("load")] *= 1.0 - less * np.array([s.tool == FALLING for s in states])
        quality = np.full(values.shape, Quality.GOOD, dtype=np.uint8)
        writer.write(Readings("day", (*POLLED, *CONTEXT), np.round(ticks * POLL, 6), values, quality, words.seen()))
    writer.close()
    assert writer.stopped is None
    return writer.rows


def _values(states: list[State], draw: np.random.Generator, words: Words) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    drive = np.array([[getattr(s, name) for name, *_ in DRIVE] for s in states])
    measured = np.array([[getattr(s, name) for name, *_ in MEASURED] for s in states])
    load, feed = drive[:, 0], measured[:, [name for name, *_ in MEASURED].index("feed")]
    noise = draw.standard_normal((len(states), len(MORE)))
    more = np.column_stack([
        4.0 + 0.3 * load, 6.0 + 0.5 * load + 0.002 * feed, 40.0 + 0.05 * load, 41.0 + 0.02 * load, 38.0 + 0.0 * load, 39.0 + 0.0 * load,
        230.0 + 0.0 * load, 231.0 + 0.0 * load, 229.0 + 0.0 * load, 0.11 * load, np.full(len(load), 1200.0),
    ]) + noise * np.array([0.4, 0.4, 0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.02, 0.0])  # fmt: skip
    counts = np.array([*(per for *_, per in DRIVE), *(per for *_, per in MEASURED), *(10.0 for _ in MORE)])
    polled = np.rint(np.column_stack([drive, measured, more]) * counts) / counts
    said = [[words.code(getattr(s, n)) if n in WORDS else float(s.made if n == "part" else getattr(s, n)) for n in CONTEXT] for s in states]
    return np.column_stack([polled, np.array(said)])


def _no_wires(fault: object) -> None:
    raise AssertionError(fault)


class Kept(Recording):
    """A recording whose blocks were read before; the time that took stands in `reading`."""

    def __init__(self, opened: Recording) -> None:
        self.__dict__.update(opened.__dict__)
        began = time.perf_counter()
        self.blocks = list(opened)
        self.reading = time.perf_counter() - began

    def __iter__(self) -> Iterator[Readings | Waveform]:
        return iter(self.blocks)


def opened(folder: Path, machine: MachineFile) -> Kept:
    """The recording of `folder`, as `broche replay` reads it."""
    return Kept(read(folder, context=[channel.name for channel in machine.settings.channel if channel.role in HELD]))


def once(recording: Kept, machine: MachineFile, texts: Texts) -> tuple[Summary, str, float]:
    """Through the pass; what came out, and the CPU time that it took: on a busy machine the wall says little."""
    out = io.StringIO()
    began = time.process_time()
    summary = replay(recording, machine, texts, NOUNS, out)
    return summary, out.getvalue(), time.process_time() - began


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=8.0, help="times slower than the demonstration")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--fall", type=float, default=0.0, help="share by which the cuts of tool 2 fall; prints every alert")
    parser.add_argument("--at", type=float, default=12.0, metavar="HOURS")
    parser.add_argument("--over", type=float, default=0.0, metavar="HOURS")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    jit.prepare()
    importlib.import_module("agent.monitor")
    with tempfile.TemporaryDirectory(prefix="broche-day-") as temporary:
        place = (
            args.keep or Path(temporary)
        ) / f"day-{args.hours:g}-{args.seed}-{args.pace:g}{'' if not args.fall else f'-{args.fall:g}-{args.at:g}-{args.over:g}'}"
        if not place.is_dir():
            began = time.perf_counter()
            make(place, args.hours, args.seed, args.pace, (args.fall, args.at, args.over))
            print(f"recording made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        file = Path(temporary) / "day.toml"
        file.write_text(machine_text(), encoding="utf-8")
        machine = load(file, replay=True)
        texts = Texts.load(machine.paths, "en")
        empty = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        recording = opened(place, machine)
        if args.profile:
            profile = cProfile.Profile()
            profile.runcall(once, recording, machine, texts)
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
            return 0
        if args.fall:
            out = io.StringIO()
            replay(recording, machine, texts, ("alert",), out)
            print(out.getvalue(), end="")
            return 0
        done = [once(recording, machine, texts) for _ in range(args.runs)]
    summary, said, _ = done[0]
    rows = sum(len(block.time) for block in recording.blocks if isinstance(block, Readings))
    walls = [one.wall for one, _, _ in done]
    assert all(other == said for _, other, _ in done), "the same recording, and not the same bytes"
    wall = statistics.median(walls)
    figures = {
        "rows": rows, "channels": len(machine.settings.channel), "cuts": summary.cuts, "parts": summary.parts, "alerts": summary.alerts,
        "bytes out": len(said), "sha256 of them": hashlib.sha256(said.encode()).hexdigest()[:16],
        "pass, CPU s": round(statistics.median(cpu for *_, cpu in done), 2),
        "pass, s": round(wall, 2), "pass, s, all": [round(one, 2) for one in walls],
        "pass, rows/s": round(rows / wall), "reading, s": round(recording.reading, 2),
        "peak memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0),
        "of it before the recording, MB": round(empty),
    }  # fmt: skip
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:35} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
