"""The whole history of the production lathe, cut by cut in its order, through the per-cut detectors of the pass: how often they speak.

`cuts_features` has figures of whole cuts: RMS, smallest and largest current, length. A Cut is made of each: work = (RMS - idle) x length,
level and peak above idle, idle = the median of the smallest current of the first five cuts of its operation (the recording says nothing of
idle; the smallest current lies below it, or at it). It opens, is looked at twice at its largest load (overload needs two looks) and closes.
The set is a sample of all cuts, so no order of cuts is known and absent cuts are not told. Labels of failed parts are opened afterwards:
what was said in a part that the shop logged as failed, or of a tool that it named, is counted apart.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from agent.alerts.book import AlertBook
from agent.detect.watch import Watch
from agent.model import Cut, CutFeatures, Finding, Operation
from agent.settings import MonitoringOptions
from benchmarks.detection.table import Row

SHIFTS = 30
SHIFT = 8.0 * 3600.0
NOISE = 0.3
"""Share of the scatter of a reading within a cut that is left in the mean of 0.2 s (`agent.kernels.segment`)."""
FIRST = 5
FIXED = (0.02, 0.03, 0.04, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50, 0.60)


@dataclass(frozen=True)
class Entry:
    """One line."""

    time: float
    part: str
    tool: str
    index: str
    spindle: str
    length: float
    rms: float
    least: float
    most: float
    scatter: float
    part_seconds: float
    logged: bool


def read(path: Path) -> list[Entry]:
    """In order of time; of each cut the spindle that carries its load."""
    entries = []
    with gzip.open(path, "rt", encoding="utf-8") as text:
        for i, line in enumerate(csv.DictReader(text)):
            rms = {spindle: float(line[f"rms_current_{spindle}"] or "nan") for spindle in ("main", "sub")}
            spread = {spindle: float(line[f"std_current_{spindle}"] or "nan") for spindle in ("main", "sub")}
            turning = [spindle for spindle in ("main", "sub") if spread[spindle] == spread[spindle] and rms[spindle] == rms[spindle]]
            if not turning or float(line["len_cut"]) < 40.0:
                continue
            s = max(turning, key=lambda spindle: spread[spindle])
            entries.append(
                Entry(
                    float(line["unix_date"]) + 1e-3 * i,
                    line["part"],
                    line["tool"],
                    line["index"],
                    s,
                    float(line["len_cut"]) / 1000.0,
                    rms[s],
                    float(line[f"min_current_{s}"]),
                    float(line[f"max_current_{s}"]),
                    spread[s],
                    float(line["part_len_s"] or "nan"),
                    line["part_failed"] not in ("", "0") or line["tool_failed"] not in ("", "0"),
                )
            )
    return sorted(entries, key=lambda entry: entry.time)


def history_rows(path: Path) -> list[Row]:
    """Alerts of the pass's detectors, per 30 shifts."""
    entries = read(path)
    watch = Watch(MonitoringOptions(), 1.0 / 160.0)
    book = AlertBook()
    least: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    alerts: list[tuple[Entry, str]] = []
    judged = 0
    part, seen = "", -1
    for number, entry in enumerate(entries):
        stamp = f"{int(entry.time)}{entry.part}"
        if stamp != part:
            part, seen = stamp, seen + 1
            watch.on_part(seen, whole=False)
        known = least[entry.part, entry.tool, entry.index]
        if len(known) < FIRST:
            known.append(entry.least)
        for phase in ("opened", "grown", "grown", "closed"):
            cut = _cut(entry, float(np.median(known)), seen, number, phase)
            for item in watch.on_cut(cut, NOISE * entry.scatter):
                if isinstance(item, Finding) and not item.finished:
                    alert = book.apply(item)
                    if alert is not None and alert.transition == "raised":
                        alerts.append((entry, item.kind))
                elif isinstance(item, Finding):
                    book.apply(item)
        judged += watch.baseline(cut).good >= MonitoringOptions().learn_cuts
    return _rows(entries, alerts, judged, watch)


def _cut(entry: Entry, idle: float, part: int, number: int, phase: str) -> Cut:
    level = entry.rms - idle
    return Cut(
        id=f"c{number}",
        phase="opened" if phase == "opened" else "grown" if phase == "grown" else "closed",
        operation=Operation(spindle=entry.spindle, program=entry.part, revision=1, tool=entry.tool, section=entry.index),
        part=part,
        opened=entry.time,
        time=entry.time + entry.length,
        features=CutFeatures(
            samples=int(entry.length * 50.0) + 1,
            duration=entry.length,
            mean=entry.rms,
            peak=entry.most,
            idle=idle,
            work=level * entry.length,
            largest_rise=0.0,
            largest_fall=0.0,
            level=entry.most - idle,
        ),
    )


def _rows(entries: list[Entry], alerts: list[tuple[Entry, str]], judged: int, watch: Watch) -> list[Row]:
    false = [kind for entry, kind in alerts if not entry.logged]
    logged = len(alerts) - len(false)
    parts = {(int(entry.time), entry.part): entry.part_seconds for entry in entries}
    per_part = float(np.median([sum(1 for _ in group) for group in _by_kind(entries).values()]))
    seconds = float(np.nanmean(list(parts.values())))
    cuts_in_shifts = SHIFTS * SHIFT / seconds * per_part
    scale = cuts_in_shifts / max(len(entries), 1)
    low, high = poisson(len(false))
    promises = [p for b in watch.state.baselines.values() if (p := watch.outlook.promise(b)) is not None]
    reasons = ", ".join(f"{sum(p.reason == r for p in promises)} {r}" for r in sorted({p.reason for p in promises if p.reason}))
    kinds = ", ".join(f"{false.count(kind)} {kind}" for kind in sorted(set(false))) or "none"
    limit, fixed = _fixed(entries)
    return [
        Row(
            set="hahn_lathe",
            name="history_alerts",
            figure="alerts in the healthy history per 30 shifts, at the limits that the default budget gives",
            value=scale * len(false),
            low=scale * low,
            high=scale * high,
            n=f"{len(entries)} cuts of {len(parts)} parts, {judged} of them judged",
            fixed="defaults of the product",
            baseline=f"fixed limit of {100 * limit:.0f} % on the RMS current (the widest tried)",
            baseline_value=scale * fixed,
            through="detector",
            note=f"{len(false)} alerts in all ({kinds}), {logged} more in parts or of tools that the shop logged as failed; the set is a "
            f"sample: 30 shifts are {cuts_in_shifts:.0f} cuts ({per_part:.0f} a part of {seconds:.0f} s); one alert counts {scale:.0f}",
        ),
        Row(
            set="hahn_lathe",
            name="history_monitorable",
            figure="operations of the history in which a missing tool is promised",
            value=100.0 * sum(p.missing for p in promises) / max(len(promises), 1),
            unit="%",
            n=f"{len(promises)} operations with 3 good cuts",
            fixed="defaults of the product",
            through="detector",
            note=f"not promised: {reasons or 'none'}; idle is not in the set (see the adapter), so contrast is overstated",
        ),
    ]


def _by_kind(entries: list[Entry]) -> dict[str, set[tuple[str, str]]]:
    """By kind of part, its cuts."""
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for entry in entries:
        kinds[entry.part].add((entry.tool, entry.index))
    return kinds


def _fixed(entries: list[Entry]) -> tuple[float, int]:
    """The widest fixed limit below the median of the last 30 cuts, and the alarms that it gives in parts not logged."""
    limit = FIXED[-1]
    last: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    alarms = 0
    for entry in entries:
        values = last[entry.part, entry.tool, entry.index]
        if len(values) >= FIRST and entry.rms < (1.0 - limit) * float(np.median(values[-30:])) and not entry.logged:
            alarms += 1
        values.append(entry.rms)
    return limit, alarms


def poisson(count: int) -> tuple[float, float]:
    """95 % bounds of a count (Garwood, Biometrika 28, 1936, 437)."""
    low = float(stats.chi2.ppf(0.025, 2 * count) / 2.0) if count else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * count + 2) / 2.0)
