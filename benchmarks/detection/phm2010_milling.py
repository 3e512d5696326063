"""PHM 2010: hardened steel, 315 cuts a cutter, vibration of three axes; the clock, vibration, and what typed measures are worth.

Each cut's row becomes a closed Cut: the root of the squared RMS of the three accelerometer axes is its vibration, and each axis a further
channel. There is no load of the machine in this set (forces are a laboratory's): its work is constant and says nothing. Clock: cuts.
"""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

from benchmarks.detection import _left_out, _life, _wear, _wear_curves, _wear_rows
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection.table import Progress, Row

LIMIT = 150.0
"""um of the most worn flute: the set names no limit; both published cutters here cross it before their end."""
EVERY = 40
"""Cuts between two typed measures."""
SIGNALS = ("vibration", "vib_x", "vib_y", "vib_z")
PUBLISHED = "leave one cutter out: 2.8 to 3.1 um with raw 50 kHz forces; vibration RMS ridge 13.6 um over three cutters (prototype)"


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Wear of each cutter from the others; warnings; typed measures."""
    tools = _wear.measured(read(folder / "features_per_cut.csv.gz"))
    followed = {tool.name: _wear.follow(tool) for tool in tools}
    blind = _wear_rows.blind_row("phm2010_milling", followed, tools, SIGNALS)
    typed = _life.rows("phm2010_milling", tools, LIMIT, "um", clock="cuts", every=EVERY)
    if len(tools) < 2:
        return [_wear_rows.too_few("phm2010_milling", tools), *typed, blind]
    held = _left_out.leave_one_out(tools, followed, LIMIT, _wear_curves.plain("cuts"), lambda share: progress(share, "leave one out"))
    out = _wear_rows.rows("phm2010_milling", held, LIMIT, "um", "each cutter left out in turn", "cuts", PUBLISHED)
    return [*out, _life.after_one("phm2010_milling", tools, _wear_curves.plain("cuts"), LIMIT, "um", "cuts"), *typed, blind]


def read(path: Path) -> list[Tool]:
    """Every cutter in the file, in the order of its cuts."""
    tools: dict[str, list[tuple[int, Step]]] = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            axes = {f"vib_{axis}": _number(row[f"vib_{axis}__rms"]) for axis in "xyz"}
            vibration = math.sqrt(sum(value * value for value in axes.values()))
            step = Step(clocks={"cuts": 1.0}, wear=_number(row["VB_max_um"]), axis=axes, vibration=vibration)
            tools.setdefault(row["case"], []).append((int(float(row["run"])), step))
    return [Tool(name, [step for _, step in sorted(steps, key=lambda one: one[0])]) for name, steps in tools.items()]


def _number(text: str) -> float:
    return float(text) if text else math.nan
