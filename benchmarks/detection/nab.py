"""NAB: its temperature files through the whole pass, as a `[[group]]` of one channel; reported, not tuned.

A row is played as one second (the files have one in five minutes): the pass counts looks, and the day is as long as it is. The teach-in is
NAB's own probation. Labels are opened for the scoring alone.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.maintenance import plan
from agent.model import Finding
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, GroupOptions, MachineOptions, MachineSettings
from benchmarks.detection._nab import PROFILES, probation, score
from benchmarks.detection.table import Progress, Row
from drivers.model import Readings

NAMED = "temperature"
"""Files whose names have this are of machines; the rest is traffic, taxis and waves made by hand."""
DAY = 288
"""Rows of a day at five minutes."""
PUBLISHED = "ARTime 90.1, CAD OSE 83.7, Numenta 79.7 on machine_temperature, each with a threshold fitted to that file (detection.md 2.2)"
ON = 3
Series = tuple[list[str], NDArray[np.float64]]


def measure(folder: Path, progress: Progress) -> list[Row]:
    """The score of each file, beside a plain rule with settings fixed beforehand."""
    files = sorted(path for pattern in ("*.csv", "*.csv.gz") for path in folder.glob(f"*/{pattern}") if NAMED in path.name)
    if not files:
        raise FileNotFoundError(f"{folder}/*/*{NAMED}*.csv")
    rows: list[Row] = []
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    for i, path in enumerate(files):
        name = path.name.removesuffix(".gz").removesuffix(".csv")
        progress(i / len(files), name)
        stamps, values = read(path)
        mine, plain = passed(values), ruled(values)
        windows = list(spans(stamps, labels.get(f"{path.parent.name}/{name}.csv", {"windows": []})["windows"]))
        found = sum(any(left <= row <= right for row in mine) for left, right in windows)
        for profile in PROFILES:
            value = score(len(values), windows, mine, profile)
            note = (
                f"{len(mine)} alerts, {found} of {len(windows)} windows found; plain rule {len(plain)}; own scorer after NAB's definition"
            )
            rows.append(
                Row(
                    set="nab", name=f"{name}_{profile}", figure=f"{name}, {profile} (0 silent, 100 perfect)", value=value,
                    n=f"{len(windows)} windows", fixed="defaults of the product; nothing fitted",
                    baseline="half a day's mean against 14 days, 4 sd, fixed beforehand",
                    baseline_value=score(len(values), windows, plain, profile), published=PUBLISHED if profile == "standard" else "",
                    note=note,
                )
            )  # fmt: skip
    progress(1.0, "")
    return rows


def read(path: Path) -> Series:
    """Time stamps as they stand, and values."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as text:
        lines = list(csv.DictReader(text))
    return [line["timestamp"] for line in lines], np.array([float(line["value"]) for line in lines])


def spans(stamps: list[str], windows: list[list[str]]) -> Iterator[tuple[int, int]]:
    """First and last row of each window; stamps sort as texts."""
    known = np.array([stamp[:19] for stamp in stamps])
    for left, right in sorted(windows):
        yield int(np.searchsorted(known, left[:19], side="left")), int(np.searchsorted(known, right[:19], side="right")) - 1


def passed(values: NDArray[np.float64]) -> list[int]:
    """Rows at which the pass raised a finding of kind `process`."""
    machine = MachineSettings(
        machine=MachineOptions(name="machine"),
        channel=(ChannelOptions(name="temperature", role="temperature", hold=5.0),),
        group=(GroupOptions(name="machine", channels=("temperature",), learn=probation(len(values))),),
    )
    monitor = Monitor(machine, plan(DataPaths.find(None)))
    block = Readings(
        "nab", ("temperature",), np.arange(len(values), dtype=np.float64), values[:, None], np.zeros((len(values), 1), np.uint8)
    )
    events = monitor.feed(block) + monitor.finish()
    return [round(event.time) for event in events if isinstance(event, Finding) and event.kind == "process" and not event.finished]


def ruled(values: NDArray[np.float64]) -> list[int]:
    """The plain rule: mean of half a day against that of the fourteen days before it, in their standard deviations; an alert an episode."""
    out: list[int] = []
    told, above, below = False, 0, 0
    sums, squares = np.cumsum(np.r_[0.0, values]), np.cumsum(np.r_[0.0, values**2])
    for row in range(probation(len(values)), len(values)):
        first, split = max(row - 14 * DAY, 0), row - DAY // 2
        n = split - first
        mean = (sums[split] - sums[first]) / n
        sd = max(float((squares[split] - squares[first]) / n - mean**2), 1e-12) ** 0.5
        away = abs((sums[row] - sums[split]) / (row - split) - mean) > 4.0 * sd
        above, below = (above + 1, 0) if away else (0, below + 1)
        if not told and above >= ON:
            told = True
            out.append(row)
        elif told and below >= ON:
            told = False
    return out
