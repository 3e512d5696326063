"""Vicomtech: turning, segments of 1 s; the clock, the spindle, the feed axes and vibration, tools that start below 20 um.

Each segment becomes a closed Cut: mean mechanical spindle power is its work, RMS current of the Z and X drives the load of two feed axes,
the root of the squared RMS of the first accelerometer's axes its vibration. Force, microphone and acoustic emission are left out: a
workshop has none. Clock: seconds. Tools that are worn at the start have no new-tool cuts and are not scored.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable
from pathlib import Path

from benchmarks.detection import _left_out, _life, _wear, _wear_curves, _wear_rows
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection.table import Progress, Row

LIMIT = 300.0
"""um: VB_B of ISO 3685."""
NEW = 20.0
"""um at its first segment from which on a tool is not new."""
SIGNALS = ("spindle", "z_current", "x_current", "vibration")


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Wear of each tool from the others; warnings; those that never cross 300 um counted apart."""
    found = read(folder / "features_1s.csv.gz")
    tools = [tool for tool in found if tool.steps[0].wear < NEW]
    followed = {tool.name: _wear.follow(tool) for tool in tools}
    blind = _wear_rows.blind_row("vicomtech_turning", followed, tools, SIGNALS)
    if len(tools) < 2:
        return [_wear_rows.too_few("vicomtech_turning", tools), blind]
    held = _left_out.leave_one_out(tools, followed, LIMIT, _wear_curves.power("seconds"), lambda share: progress(share, "leave one out"))
    source = f"each tool left out in turn; {len(found) - len(tools)} tools worn at their start not used at all"
    out = _wear_rows.rows("vicomtech_turning", held, LIMIT, "um", source, "seconds", "all 150 features RMSE 36.7 um (README of the set)")
    return [*out, *_life.rows("vicomtech_turning", tools, LIMIT, "um", every=10), blind]


def read(path: Path) -> list[Tool]:
    """Every tool in the file, in the order of its segments."""
    tools: dict[str, list[Step]] = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            step = Step(
                clocks={"seconds": 1.0},
                wear=_number(row["Vb"]),
                spindle=_number(row["TV50.S_MEAN"]),
                axis={"z_current": _number(row["CV3.Z_RMS"]), "x_current": _number(row["CV3.X_RMS"])},
                vibration=_norm(_number(row[f"A{axis}1_RMS"]) for axis in "xyz"),
            )
            tools.setdefault(row["tool"], []).append(step)
    return [Tool(name, steps) for name, steps in tools.items()]


def _norm(values: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in values))


def _number(text: str) -> float:
    return float(text) if text else math.nan
