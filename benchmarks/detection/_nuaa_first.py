"""Batches of one: every pocket layer of NUAA as if it were the first and only cut ever, through the whole pass.

A fresh monitor sees a minute of idling, then one layer under a `section` register, then idling again. Its spindle power is read at 10 Hz
(the PLC renews it every 0.2 s). The authors cut out what is no cut, so idling is drawn from the readings of that tool below its first
percentile, and how long a section goes on in air is not seen here. Cutting data are those of the table (fz, n, ap), the cutter's 12 mm
and four teeth, titanium (S37), and a full slot: how wide each pass of a pocket is, is not told.

Trials of a layer: as it is (whatever is told is false); missing (idling instead of the layer); broken (idling from a point on that is
drawn evenly from 5 to 90 % of the layer); too heavy (a wrong blank or offset). How long a load must stay away (`agent.detect.first`) was
fixed on the tools in `FIXED_ON`; the others are counted apart. kc and margins come from `agent.cutting`: nothing of them was tuned.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.cutting import Expected, expected
from agent.detect.ceiling import OPENS
from agent.maintenance import MaintenancePlan, plan
from agent.model import Finding
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, CuttingOptions, MachineOptions, MachineSettings, MonitoringOptions
from benchmarks.detection.table import Progress, Row, wilson
from drivers.model import Readings

CHANNELS = ("load", "speed", "tool", "part", "section")
EVERY, RATE = 0.1, 300
BEFORE, AFTER = 60.0, 10.0
"""s of idling."""
BREAKS = (0.05, 0.90)
FIXED_ON = ("W1", "W2", "W4")
DIAMETER, TEETH, MATERIAL = 12.0, 4, "S37"
HEAVY = (2.0, 4.0)
"""Load above idle of a wrong blank or offset, times that of the layer."""

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One layer: its load at 10 Hz, its idling, and its line of the table."""

    tool: str
    load: Column
    idle: Column
    row: dict[str, str]

    def machine(self) -> MachineSettings:
        """The machine file of this batch of one."""
        row = self.row
        data = CuttingOptions(
            tool=1, section=1, kind="milling", material=MATERIAL, ap=float(row["ap_mm"]), ae=DIAMETER, D=DIAMETER, fz=float(row["fz_mm"]),
            z=TEETH, n=float(row["n_rpm"]),
        )  # fmt: skip
        held = {"hold": math.inf}
        return MachineSettings(
            machine=MachineOptions(name="nuaa", kind="mill"),
            cutting=(data,),
            channel=(
                ChannelOptions(name="load", role="spindle.load", unit="kW", **held),
                ChannelOptions(name="speed", role="spindle.speed", unit="rpm", **held),
                ChannelOptions(name="tool", role="tool", **held),
                ChannelOptions(name="part", role="part", **held),
                ChannelOptions(name="section", role="section", **held),
            ),
            monitoring=MonitoringOptions(first_cuts=True),
        )


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Rows about every layer whose readings are in `folder`."""
    work = plan(DataPaths.find(None))
    good: list[set[str]] = []
    missing: list[tuple[bool, bool]] = []
    broken: list[tuple[float, float]] = []
    heavy: list[list[bool]] = []
    layers = list(_layers(folder))
    for number, layer in enumerate(layers):
        progress(number / len(layers), f"first cut, {layer.tool}")
        draw = np.random.default_rng(number)
        told, _ = _told(layer, layer.load, draw, work)
        good.append({finding.kind for finding in told})
        told, judged = _told(layer, draw.choice(layer.idle, len(layer.load)), draw, work)
        missing.append((judged, any(finding.kind == "missing" for finding in told)))
        at = int(draw.uniform(*BREAKS) * len(layer.load))
        load = np.concatenate([layer.load[:at], draw.choice(layer.idle, len(layer.load) - at)])
        told, _ = _told(layer, load, draw, work)
        times = [finding.time - BEFORE - EVERY * at for finding in told if finding.kind == "breakage"]
        broken.append((min(times, default=math.nan), EVERY * (len(layer.load) - at)))
        level = float(np.median(layer.idle))
        loads = [level + factor * (layer.load - level) for factor in HEAVY]
        heavy.append([any(f.kind == "overload" for f in _told(layer, load, draw, work)[0]) for load in loads])
    return list(_rows([layer.tool for layer in layers], good, missing, broken, heavy))


def _layers(folder: Path) -> Iterator[Layer]:
    with (folder / "layers.csv").open(newline="") as file:
        table = {(row["tool"], int(row["layer"])): row for row in csv.DictReader(file)}
    for path in sorted(folder.glob("W*.npz")):
        with np.load(path) as data:
            column = [str(name) for name in data["channels"]].index("spindle_power")
            names = sorted(name for name in data.files if name.startswith("L") and name[1:].isdigit())
            step = round(EVERY * float(data["rate_hz"]) if "rate_hz" in data.files else EVERY * RATE)
            loads = {name: (data[name][column].astype(float) * float(data[f"{name}_scale"][column]))[::step] for name in names}
        every = np.sort(np.concatenate(list(loads.values())))
        idle = every[: max(len(every) // 100, 20)]
        for name, load in loads.items():
            if (path.stem, int(name[1:])) in table:
                yield Layer(path.stem, load, idle, table[path.stem, int(name[1:])])


def _told(layer: Layer, load: Column, draw: np.random.Generator, work: MaintenancePlan) -> tuple[list[Finding], bool]:
    """What the pass says of one batch of one, and whether the floor of its cutting data stood out of the noise."""
    before, after = round(BEFORE / EVERY), round(AFTER / EVERY)
    values = np.zeros((before + len(load) + after, len(CHANNELS)))
    values[:, 0] = np.concatenate([draw.choice(layer.idle, before), load, draw.choice(layer.idle, after)])
    values[:, 1], values[:, 2], values[:, 3] = float(layer.row["n_rpm"]), 1.0, 1.0
    values[before : before + len(load), 4] = 1.0
    monitor = Monitor(layer.machine(), work)
    events = monitor.feed(Readings("nuaa", CHANNELS, EVERY * np.arange(len(values)), values, np.zeros(values.shape, np.uint8)))
    events += monitor.finish()
    return [e for e in events if isinstance(e, Finding) and not e.finished and e.kind in ("missing", "breakage", "overload")], _stands_out(
        monitor, layer
    )


def _stands_out(monitor: Monitor, layer: Layer) -> bool:
    machine = layer.machine()
    one = expected(machine.cutting[0], machine.channel, machine.spindle)
    (segmenter,) = monitor.segmenters.values()
    return isinstance(one, Expected) and one.floor >= OPENS * segmenter.noise


def _rows(
    tools: list[str], good: list[set[str]], missing: list[tuple[bool, bool]], broken: list[tuple[float, float]], heavy: list[list[bool]]
) -> Iterator[Row]:
    n = len(good)
    by_data = sum(bool(kinds & {"overload", "missing"}) for kinds in good)
    yield _row("first_data_false", "good layers, each the first cut ever: told by their cutting data", by_data, n)
    judged = [told for stands, told in missing if stands]
    note = f"the floor stands out of the noise in {len(judged)} of {n}; told in the others: {sum(t for s, t in missing if not s)}"
    yield _row(
        "first_data_missing", "missing tool in the first cut ever, where the floor stands out of the noise", sum(judged), len(judged), note
    )
    for i, factor in enumerate(HEAVY):
        figure = f"{factor:g} times the load in the first cut ever: told by the ceiling"
        yield _row(f"first_data_overload_{factor:g}", figure, sum(told[i] for told in heavy), n)
    for key, name in (("", ""), ("_others", f", tools other than {', '.join(FIXED_ON)}")):
        chosen = [i for i, tool in enumerate(tools) if not key or tool not in FIXED_ON]
        falls = sum("breakage" in good[i] for i in chosen)
        yield _row(f"first_break_false{key}", f"good layers, each the first cut ever: called broken{name}", falls, len(chosen))
        told = [broken[i][0] for i in chosen if 0.0 <= broken[i][0] <= broken[i][1]]
        note = f"told before the break: {sum(broken[i][0] < 0.0 for i in chosen)}"
        if told:
            note += f"; told after {sorted(told)[len(told) // 2]:.1f} s (median)"
        note += "; what these sections lack is air: the authors cut it out"
        yield _row(
            f"first_break_recall{key}", f"broken tool in the first cut ever: told in the same cut{name}", len(told), len(chosen), note
        )


def _row(name: str, figure: str, hits: int, n: int, note: str = "") -> Row:
    low, high = wilson(hits, n)
    return Row(
        set="nuaa_milling",
        name=name,
        figure=figure,
        value=100.0 * hits / n if n else None,
        n=f"{n} layers",
        unit="%",
        low=100.0 * low if n else None,
        high=100.0 * high if n else None,
        fixed="defaults of the product; kc of a catalogue",
        note=note if n else "none here",
    )
