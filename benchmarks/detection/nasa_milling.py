"""NASA: 16 cases of milling two materials, wear measured after most runs; the clock, material and cutting data, and one typed measure.

The table has the statistics of two accelerometers a run and no load of the spindle. Each run becomes a closed Cut: RMS at the spindle is
its vibration, RMS at the table a further channel. Clock: minutes; material, depth and feed, which a
shop knows, make it the extended Taylor equation. Corrupt runs hold figures up to 1e32: the leap rule of the pass
has to keep them out, nothing is dropped here.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from benchmarks.detection import _left_out, _life, _wear, _wear_curves, _wear_rows
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection.table import Progress, Row

LIMIT = 0.45
"""mm: used by those who published on this set (0.45 to 0.5)."""
SIGNALS = ("vibration", "table")
PUBLISHED = "leave one case out: 0.080-0.095 with spindle current and vibration, XGBoost 0.104-0.119 (pioneer0413)"


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Wear of each case from the others of its material; warnings; typed measures."""
    tools = _wear.measured(read(folder / "vib_features_per_run.csv"))
    followed = {tool.name: _wear.follow(tool) for tool in tools}
    blind = _wear_rows.blind_row("nasa_milling", followed, tools, SIGNALS)
    typed = _life.rows("nasa_milling", tools, LIMIT, "mm", clock="minutes")
    if len(tools) < 2:
        return [_wear_rows.too_few("nasa_milling", tools), *typed, blind]
    held = _left_out.leave_one_out(
        tools, followed, LIMIT, _wear_curves.same_data("minutes"), lambda share: progress(share, "leave one out")
    )
    out = _wear_rows.rows("nasa_milling", held, LIMIT, "mm", "each case left out in turn", "minutes", PUBLISHED)
    return [*out, _life.after_one("nasa_milling", tools, _wear_curves.same_data("minutes"), LIMIT, "mm", "minutes"), *typed, blind]


def read(path: Path) -> list[Tool]:
    """Every case in the file with at least two measures, in the order of its runs; its group is the material."""
    cases: dict[str, list[dict[str, str]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case"], []).append(row)
    out = []
    for name, rows in cases.items():
        rows.sort(key=lambda row: float(row["run"]))
        before, steps = 0.0, []
        for row in rows:
            minutes = max(float(row["time"]) - before, 0.0)
            before = float(row["time"])
            step = Step(
                clocks={"minutes": minutes},
                wear=_number(row["VB"]),
                axis={"table": _number(row["rms_vib_table"])},
                vibration=_number(row["rms_vib_spindle"]),
            )
            steps.append(step)
        tool = Tool(name, steps, rows[0]["material"], {"depth": float(rows[0]["DOC"]), "feed": float(rows[0]["feed"])})
        if np.isfinite(tool.wear).sum() >= 2:
            out.append(tool)
    return out


def _number(text: str) -> float:
    return float(text) if text else math.nan
