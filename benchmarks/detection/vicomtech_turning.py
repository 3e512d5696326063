"""Vicomtech: turning, segments of 1 s; the clock, the spindle, the feed axes and vibration, tools that start below 20 um.

Some thirty segments are one pass along the bar, each at a smaller diameter, hence at another speed; a tool makes three to nine. Where one
ends is told as a control would: the programmed speed changes, or the X drive holds the tool at another place with another current. Alerts
and levels are those of whole passes; a segment is a second of one and no repeat of the one before it. What each second would say stands
apart (rows `_within`): in straight turning it can be compared with the first seconds of the tool, in other work it cannot. Segments in
which the programmed feed a turn is not the usual one (rapid, standing) are no cutting and left out.

Mean mechanical spindle power is the work, RMS current of the Z and X drives the load of two feed axes, the root of the squared RMS of the
first accelerometer's axes its vibration. Force, microphone and acoustic emission are left out: a workshop has none. Clock: seconds. Tools
that are worn at the start have no new-tool cuts and are not scored.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.detection import _left_out, _life, _wear, _wear_curves, _wear_rows
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection.table import Progress, Row

LIMIT = 300.0
"""um: VB_B of ISO 3685."""
NEW = 20.0
"""um at its first segment from which on a tool is not new."""
FEED = 0.2
"""The programmed feed a turn may be off the median of its file by so much: the override of some passes is in it."""
OTHER_SPEED = 0.01
"""Relative change of the programmed speed from which on it is another pass."""
HELD = (0.3, 0.1)
"""Change of the current with which the X drive holds its place from which on it is another one: A, and a share. From one
second of a pass to the next it differs by 0.27 at the most, between two passes by 0.35 to 11 (but for two, which the speed tells)."""
SIGNALS = ("spindle", "z_current", "x_current", "vibration")


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Wear of each tool from the others; warnings; those that never cross 300 um counted apart."""
    found = read(folder / "features_1s.csv.gz")
    tools = _wear.measured([tool for tool in found if tool.steps[0].wear < NEW])
    followed = {tool.name: _wear.follow(tool) for tool in tools}
    blind = _wear_rows.blind_row("vicomtech_turning", followed, tools, SIGNALS)
    if len(tools) < 2:
        return [_wear_rows.too_few("vicomtech_turning", tools), blind]
    clocks = _wear_curves.plain("seconds")
    held = _left_out.leave_one_out(tools, followed, LIMIT, clocks, lambda share: progress(0.5 * share, "leave one out"))
    seconds = {name: replace(one, levels=one.of_rows) for name, one in followed.items()}
    within = _left_out.leave_one_out(tools, seconds, LIMIT, clocks, lambda share: progress(0.5 + 0.5 * share, "within the passes"))
    source = f"each tool left out in turn; {len(found) - len(tools)} tools worn at their start, or never measured, not used at all"
    out = _wear_rows.rows("vicomtech_turning", held, LIMIT, "um", source, "seconds", "all 150 features RMSE 36.7 um (README of the set)")
    apart = _wear_rows.rows("vicomtech_turning", within, LIMIT, "um", source, "seconds")
    out.extend(_wear_rows.of_parts_of_cuts(apart, "each second of a pass"))
    return [*out, *_life.rows("vicomtech_turning", tools, LIMIT, "um", every=10), blind]


def read(path: Path) -> list[Tool]:
    """Every tool in the file, in the order of its segments."""
    with gzip.open(path, "rt", newline="") as file:
        rows = [(row, _number(row["CON.A.SREAL.S"]), _number(row["CON.G.FREAL"])) for row in csv.DictReader(file)]
    usual = float(np.median([feed / speed for _, speed, feed in rows if feed > 0.0 and speed > 0.0] or [math.nan]))
    tools: dict[str, list[Step]] = {}
    before = (math.nan, math.nan)
    for row, speed, feed in rows:
        if not (speed > 0.0 and abs(feed / speed / usual - 1.0) <= FEED):
            continue
        steps = tools.setdefault(row["tool"], [])
        now = (speed, _number(row["CV3.X_RMS"]))
        cut = 0 if not steps else (steps[-1].cut or 0) + _another(before, now)
        before = now
        steps.append(
            Step(
                clocks={"seconds": 1.0},
                wear=_number(row["Vb"]),
                spindle=_number(row["TV50.S_MEAN"]),
                axis={"z_current": _number(row["CV3.Z_RMS"]), "x_current": now[1]},
                vibration=_norm(_number(row[f"A{axis}1_RMS"]) for axis in "xyz"),
                cut=cut,
            )
        )
    return [Tool(name, steps) for name, steps in tools.items()]


def _another(before: tuple[float, float], now: tuple[float, float]) -> bool:
    """Whether the pass is another one: by the programmed speed and the current that holds X."""
    (speed, held), (new_speed, new_held) = before, now
    return abs(new_speed / speed - 1.0) > OTHER_SPEED or abs(new_held - held) > max(HELD[0], HELD[1] * held)


def _norm(values: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in values))


def _number(text: str) -> float:
    return float(text) if text else math.nan
