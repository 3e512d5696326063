"""NUAA: titanium pockets, wear measured after each layer; the cutting clock, and whether power, current or vibration say more.

Of `layers.csv`, one row a layer. The figures of a layer become a closed Cut: mean spindle power is its work, mean spindle current and the
second accelerometer stand for further load channels, the first accelerometer is its vibration. The sensory tool holder is left out: a
workshop has none. Clock: seconds.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

from benchmarks.detection import _left_out, _life, _nuaa_feed, _nuaa_first, _sensor_health, _wear, _wear_curves, _wear_rows
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection.table import Progress, Row

LIMIT = 0.20
"""mm, VBmax: what the issue names."""
DEAD = 0.05
"""Standard deviation of an accelerometer below which it is dead (README of the set: 0.005 to 0.02 against 2 to 20)."""
SIGNALS = ("spindle", "spindle_current", "vib2", "vibration")


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Wear of each tool from the others; warnings; what a dead sensor does; sensors that lie, where there are readings."""
    # Ten times the work of the tables is in the readings.
    of_tables = _of_tables(folder, lambda share, what: progress(0.1 * share, what))
    if not any(folder.glob("W*.npz")):
        return of_tables
    firsts = _nuaa_first.measure(folder, lambda share, what: progress(0.1 + 0.2 * share, what))
    feeds = _nuaa_feed.feed_rows(folder, lambda share, what: progress(0.3 + 0.02 * share, what))
    return [*of_tables, *firsts, *feeds, *_sensor_health.measure(folder, lambda share, what: progress(0.32 + 0.68 * share, what))]


def _of_tables(folder: Path, progress: Progress) -> list[Row]:
    tools = _wear.measured(read(folder / "layers.csv"))
    followed = {tool.name: _wear.follow(tool) for tool in tools}
    blind = _wear_rows.blind_row("nuaa_milling", followed, tools, SIGNALS)
    if len(tools) < 2:
        return [_wear_rows.too_few("nuaa_milling", tools), blind]
    held = _left_out.leave_one_out(tools, followed, LIMIT, _wear_curves.plain("seconds"), lambda share: progress(share, "leave one out"))
    out = _wear_rows.rows("nuaa_milling", held, LIMIT, "mm", "each tool left out in turn", "cuts")
    return [*out, *_life.rows("nuaa_milling", tools, LIMIT, "mm"), _dead(tools, followed), blind]


def read(path: Path) -> list[Tool]:
    """Every tool in the file, in the order of its layers."""
    tools: dict[str, list[tuple[int, Step]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            seconds = float(row["dur_s"])
            step = Step(
                clocks={"seconds": seconds},
                wear=_number(row["VBmax_mm"]),
                spindle=_number(row["spindle_power_mean"]),
                axis={"spindle_current": _number(row["spindle_current_std"]), "vib2": _number(row["vib2_std"])},
                vibration=_number(row["vib1_std"]),
            )
            tools.setdefault(row["tool"], []).append((int(row["layer"]), step))
    return [Tool(name, [step for _, step in sorted(steps, key=lambda one: one[0])]) for name, steps in tools.items()]


def _dead(tools: list[Tool], followed: dict[str, _wear.Followed]) -> Row:
    """Wear alerts whose evidence was an accelerometer that was dead, or had been until two layers before."""
    dead = {tool.name: [i for i, step in enumerate(tool.steps) if not step.vibration >= DEAD] for tool in tools}
    raised = [
        (name, i)
        for name, one in followed.items()
        for i, signal in one.alerts
        if signal == "vibration" and any(i - 2 <= k <= i for k in dead[name])
    ]
    where = ", ".join(f"{name}: {len(cuts)}" for name, cuts in dead.items() if cuts)
    return Row(
        set="nuaa_milling", name="dead_sensor", figure="wear alerts from a dead or NaN accelerometer", value=float(len(raised)),
        n=f"{sum(map(len, dead.values()))} dead layers ({where or 'none here'})", fixed="defaults of the product", through="cuts",
        note="the sensor itself is named by agent.detect.health, which needs readings: rows sensor_*; the table has one figure a layer",
    )  # fmt: skip


def _number(text: str) -> float:
    return float(text) if text else math.nan
