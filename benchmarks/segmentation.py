"""Cuts that the pass finds against what the control knew and the pass was not told.

  python -m benchmarks.segmentation            (needs the recordings: --data, $BROCHE_DATA or ../shared/data)

hahn: one part of a production lathe at 1 kHz against its CUT_Signal. The load is read once as spindle current, once as spindle power.
Tool 8's segments are transfers between the two spindles and do not count. NIST: the three days of Mazak01 with the most spindle-load
events, against `execution` ACTIVE with a path feed above zero; `execution` goes to nobody but this script's truth. Reported, not tuned:
nothing of the pass was chosen by these figures except that its idle and its run-up rules were written with sight of the hahn part.
"""

from __future__ import annotations

import argparse
import collections
import csv
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.machine_file import MachineFile, load
from agent.maintenance import plan
from agent.model import Alert, Cut
from agent.monitor import Monitor
from benchmarks import convert_hahn, convert_nist
from benchmarks._data import data_folder
from drivers.model import Readings, word_of
from drivers.recording import read

HERE = Path(__file__).resolve().parent
TRANSFER = "8"
CONTEXT = ("tool", "program", "mode", "execution")


def spans_of(machine: MachineFile, folder: Path) -> tuple[list[Cut], collections.Counter[str], float, float]:
    """Closed cuts, alerts ('signal': the source itself called it unavailable), seconds of recording, seconds it took."""
    monitor = Monitor(machine.settings, plan(machine.paths))
    cuts: list[Cut] = []
    alerts: collections.Counter[str] = collections.Counter()
    first = last = None
    began = time.perf_counter()
    recording = read(folder, context=CONTEXT)
    for block in recording:
        assert isinstance(block, Readings)
        first = float(block.time[0]) if first is None else first
        last = float(block.time[-1])
        for event in monitor.feed(block):
            if isinstance(event, Cut) and event.phase == "closed":
                cuts.append(event)
            if isinstance(event, Alert) and event.transition == "raised":
                alerts["signal" if event.kind == "sensor" else "alerts"] += 1
    cuts.extend(event for event in monitor.finish() if isinstance(event, Cut) and event.phase == "closed")
    return cuts, alerts, (last or 0.0) - (first or 0.0), time.perf_counter() - began


def score(found: NDArray[np.bool_], truth: NDArray[np.bool_], cuts: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Overlap in time, and segments missed (less than half covered) or extra (less than a tenth true)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], truth.astype(np.int8), [0]])))
    segments = list(zip(edges[::2], edges[1::2], strict=True))
    missed = sum(1 for a, b in segments if found[a:b].mean() < 0.5)
    extra = sum(1 for a, b in cuts if truth[a : max(b, a + 1)].mean() < 0.1)
    both, either = float((found & truth).sum()), float((found | truth).sum())
    return {
        "overlap": both / max(either, 1.0),
        "covered": both / max(float(truth.sum()), 1.0),
        "right": both / max(float(found.sum()), 1.0),
        "segments": len(segments),
        "missed": missed,
        "cuts": len(cuts),
        "extra": extra,
    }


def hahn(data: Path | None, load_from: str) -> dict[str, float | str]:
    """One whole part."""
    source = data_folder(data, "hahn_lathe") / "one_part_1khz.npz"
    with np.load(source) as part:
        truth = part["CUT_Signal"].astype(bool)
        tool = part["TOOL_Number"]
    counts = tool != int(TRANSFER)
    machine = load(HERE / "machines" / "hahn.toml", replay=True)
    if load_from == "power":
        names = {"load_main": "unused_main", "load_sub": "unused_sub", "power_main": "load", "power_sub": "load"}
        channels = tuple(
            msgspec.structs.replace(c, role="other")
            if names.get(c.name, "").startswith("unused")
            else msgspec.structs.replace(c, role="spindle.load")
            if c.name in names
            else c
            for c in machine.settings.channel
        )
        machine = MachineFile(
            machine.path, msgspec.structs.replace(machine.settings, channel=channels), machine.paths, {}, (), machine.warnings
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "hahn"
        convert_hahn.main([str(out), *(["--data", str(data)] if data else [])])
        cuts, alerts, seconds, wall = spans_of(machine, out)
    spans = [(int(c.opened * 1000), int(c.time * 1000) + 1) for c in cuts if c.operation.tool != TRANSFER and c.held != "run_up"]
    found = np.zeros(len(truth), dtype=bool)
    for a, b in spans:
        found[a:b] = True
    return {
        "set": f"hahn, {load_from}",
        **score(found & counts, truth & counts, spans),
        "alerts": alerts["alerts"],
        "signal": alerts["signal"],
        "seconds": seconds,
        "wall": wall,
        "times": seconds / wall,
    }


def busiest(folder: Path, days: int) -> list[str]:
    """Days of Mazak01 with the most spindle-load events."""
    counts: collections.Counter[str] = collections.Counter()
    for path in folder.glob("Mazak01_*.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            counts[path.name.split("_")[1].split(".")[0]] = sum(1 for row in csv.reader(file) if row[1] == "Sload")
    return sorted(sorted(counts, key=lambda day: (-counts[day], day))[:days])


def nist(data: Path | None, day: str) -> dict[str, float | str]:
    """One day, in steps of a second."""
    machine = load(HERE / "machines" / "nist_mazak01.toml", replay=True)
    hidden = tuple(msgspec.structs.replace(c, role="other") if c.role == "execution" else c for c in machine.settings.channel)
    machine = MachineFile(machine.path, msgspec.structs.replace(machine.settings, channel=hidden), machine.paths, {}, (), machine.warnings)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "nist"
        convert_nist.main([str(out), "--machine", "Mazak01", "--day", day, *(["--data", str(data)] if data else [])])
        cuts, alerts, seconds, wall = spans_of(machine, out)
        times: list[float] = []
        active: list[bool] = []
        state = {"execution": "", "feed": 0.0}
        for block in read(out, context=CONTEXT):
            assert isinstance(block, Readings)
            index = {name: i for i, name in enumerate(block.channels)}
            for row in range(len(block.time)):
                if block.quality[row, index["execution"]] <= 1:
                    state["execution"] = word_of(float(block.values[row, index["execution"]]), block.words)
                if block.quality[row, index["feed"]] <= 1:
                    state["feed"] = float(block.values[row, index["feed"]])
                times.append(float(block.time[row]))
                active.append(state["execution"] == "ACTIVE" and float(state["feed"]) > 0.0)
    start = times[0]
    grid = np.arange(0.0, times[-1] - start, 1.0)
    truth = np.array(active)[np.maximum(np.searchsorted(np.array(times) - start, grid, side="right") - 1, 0)]
    found = np.zeros(len(grid), dtype=bool)
    spans = [(int(c.opened - start), int(c.time - start) + 1) for c in cuts if c.held != "run_up"]
    for a, b in spans:
        found[a:b] = True
    return {
        "set": f"NIST Mazak01 {day}",
        **score(found, truth, [(a, min(b, len(grid))) for a, b in spans if a < len(grid)]),
        "alerts": alerts["alerts"],
        "signal": alerts["signal"],
        "seconds": seconds,
        "wall": wall,
        "times": seconds / wall,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--days", type=int, default=3)
    args = asked.parse_args(argv)
    rows = [hahn(args.data, "current"), hahn(args.data, "power")]
    rows += [nist(args.data, day) for day in busiest(data_folder(args.data, "nist_sms_mtconnect"), args.days)]
    if args.json:
        print("\n".join(json.dumps(row) for row in rows))
        return 0
    names = ("overlap", "covered", "right", "true", "missed", "cuts", "extra", "alerts", "signal", "s", "wall s", "x life")
    print(f"{'':22}" + "".join(f"{name:>9}" for name in names))
    for r in rows:
        shares = "".join(f"{r[key]:9.2f}" for key in ("overlap", "covered", "right"))
        counts = "".join(f"{r[key]:9.0f}" for key in ("segments", "missed", "cuts", "extra", "alerts", "signal", "seconds"))
        print(f"{r['set']:22}{shares}{counts}{r['wall']:9.2f}{r['times']:9.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
