"""A contract shop's machines by their MTConnect log: all days in order of time through the pass, then again with faults put in.

Nothing is taught apart from what the pass learns as it goes, and nothing is forgotten between days. First pass: alerts by kind, coverage,
gaps. From its cuts 200 are drawn at random (seed 5) among those of operations that came at least five times before, at most every fifth of
an operation in one pass: in two more passes the load is at idle instead of these cuts (no tool). Last pass: one ramp a tool, +25 % over the
next ten cuts and for good, begun at a random cut. A fault is found by a finding for its tool that the first pass did not have.

The log has no labels: an alert of the first pass may be true (a contract shop stops, jogs and proves programs). All are counted as false.
"""

from __future__ import annotations

import bisect
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.maintenance import plan
from agent.model import Alert, Coverage, Cut, Finding, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from benchmarks.detection._nist import Fault, Log, machines, read, settings, spoil
from benchmarks.detection.table import Progress, Row, wilson

SET = "nist_sms_mtconnect"
ROWS = 64
"""Rows handed in at a time: the word of an operation is asked after each."""
HOURS = 240.0
"""30 x 8 h."""
DAYS, ALL = 40, "BROCHE_NIST_ALL"
"""The latest days of each machine that are run, so that it takes minutes; with this variable set in the environment, every day there is."""
DRAWN, SEED, TAUGHT = 200, 5, 5
PASSES, APART = 2, 5
"""Passes over which the missing tools are spread, and cuts of an operation between two of them."""
RAMP, OVER, FOLLOWING = 0.25, 10, 6
"""A ramp's rise, the cuts over which it rises, and the cuts that must follow its beginning."""
SOON = 600.0
"""s after a cut within which its absence must be told."""
TAIL = 5.0
"""s in which a gap may not have been noticed yet: the lateness of the timeline and a look."""
WATCHED = (Word.PROVISIONAL, Word.MONITORING)
GREEN = (Word.MONITORING, Word.PROVISIONAL, Word.LEARNING)


@dataclass(slots=True)
class Told:
    """What one pass over one machine said."""

    cuts: list[Cut] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    """Of the operation of each cut, before it"""
    alerts: list[Alert] = field(default_factory=list)
    """As raised"""
    findings: list[Finding] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)


def listen(log: Log, progress: Callable[[float], None]) -> Told:
    """One pass."""
    monitor = Monitor(settings(log), plan(DataPaths.find(None)))
    told, words = Told(), dict[str, Word]()
    done = 0

    def hear(events: Iterable[object]) -> None:
        for event in events:
            if isinstance(event, Cut) and event.phase == "closed":
                key = event.operation.key
                told.cuts.append(event)
                told.words.append(words.get(key, Word.LEARNING))
                if key in monitor.watch.state.baselines:
                    words[key] = monitor.watch.outlook.cover(monitor.watch.state.baselines[key], event.time).word
            elif isinstance(event, Finding) and not event.finished:
                told.findings.append(event)
            elif isinstance(event, Alert) and event.transition == "raised":
                told.alerts.append(event)
            elif isinstance(event, Coverage) and event.scope == "machine":
                told.coverage.append(event)

    for block in log.blocks(ROWS):
        hear(monitor.feed(block))
        done += len(block.time)
        progress(done / len(log.time))
    hear(monitor.finish())
    return told


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Alerts, recall of injected faults, coverage and gaps, of each machine and half of its days."""
    rows: list[Row] = []
    found = machines(folder)
    for i, (name, paths) in enumerate(found.items()):

        def step(share: float, what: str, at: int = i, name: str = name) -> None:
            progress((at + share) / len(found), f"{name}: {what}")

        rows.extend(_machine(read(name, paths if os.environ.get(ALL) else paths[-DAYS:]), step))
    progress(1.0, "")
    return rows


def _machine(log: Log, progress: Progress) -> list[Row]:
    first = listen(log, lambda share: progress(share / 4, "as it was"))
    half = float(log.time[log.starts[len(log.days) // 2]])
    absent = []
    for k, drawn in enumerate(draw(first)):
        missing = listen(spoil(log, [without(first.cuts[i]) for i in drawn]), lambda share, k=k: progress((1 + k + share) / 4, "no tool"))
        absent += [(first.cuts[i].opened, first.words[i], was_told(first.cuts[i], first, missing)) for i in drawn]
    ramps = ramps_of(first)
    worn = listen(spoil(log, [f for ramp in ramps for f in ramp.faults]), lambda share: progress((3 + share) / 4, "ramps"))
    rises = [(ramp.start, ramp.word, was_seen(ramp, first, worn)) for ramp in ramps]
    days = len(log.days)
    parts = [("first_half", f"days 1-{days // 2} of {days}", -np.inf, half)]
    parts.append(("second_half", f"days {days // 2 + 1}-{days} of {days}", half, np.inf))
    rows: list[Row] = []
    for key, which, start, end in parts:
        rows += _alerts(log, first, f"{log.name}_{key}", which, start, end)
        for kind, hits in (("missing", absent), ("ramp", rises)):
            rows += _recall(log.name, f"{log.name}_{key}_{kind}", which, kind, [hit for hit in hits if start <= hit[0] < end])
    return [*rows, *_coverage(log, first), _gaps(log, first)]


def draw(told: Told) -> list[list[int]]:
    """Recurring cuts for each pass: not held, of an operation that came `TAUGHT` times before; at most `DRAWN`, by a fixed seed."""
    seen: Counter[str] = Counter()
    nth: dict[int, tuple[str, int]] = {}
    for i, cut in enumerate(told.cuts):
        if not cut.held:
            seen[cut.operation.key] += 1
            if seen[cut.operation.key] > TAUGHT:
                nth[i] = (cut.operation.key, seen[cut.operation.key])
    out: list[list[int]] = [[] for _ in range(PASSES)]
    taken: list[dict[str, list[int]]] = [{} for _ in range(PASSES)]
    for i in np.random.default_rng(SEED).permutation(sorted(nth)).tolist():
        key, n = nth[i]
        free = [k for k in range(PASSES) if all(abs(n - other) >= APART for other in taken[k].get(key, []))]
        if free and sum(map(len, out)) < DRAWN:
            out[free[0]].append(i)
            taken[free[0]].setdefault(key, []).append(n)
    return [sorted(its) for its in out]


def without(cut: Cut) -> Fault:
    """That cut with no tool."""
    return Fault(cut.operation.spindle, cut.opened, cut.time, round(cut.features.idle), 0.0)


def was_told(cut: Cut, before: Told, after: Told) -> bool:
    """A missing or broken tool was told of this cut's tool from its opening on, more often than without the fault."""

    def count(told: Told) -> int:
        return sum(
            1
            for finding in told.findings
            if finding.kind in ("missing", "breakage")
            and (finding.tool, finding.spindle) == (cut.operation.tool, cut.operation.spindle)
            and cut.opened <= finding.time <= cut.time + SOON
        )

    return count(after) > count(before)


@dataclass(frozen=True, slots=True)
class Ramp:
    """One tool that wears."""

    spindle: str
    tool: str
    start: float
    end: float
    word: Word
    faults: tuple[Fault, ...]


def ramps_of(told: Told) -> list[Ramp]:
    """One of each tool of a program that cuts often enough, begun at a random cut; it goes on to the tool's last cut in this program."""
    tools: dict[tuple[str, str, str], list[int]] = {}
    for i, cut in enumerate(told.cuts):
        if not cut.held:
            tools.setdefault((cut.operation.spindle, cut.operation.program, cut.operation.tool), []).append(i)
    random = np.random.default_rng(SEED)
    out = []
    for (spindle, _, tool), its in sorted(tools.items()):
        if len(its) < TAUGHT + 1 + FOLLOWING:
            continue
        at = int(random.integers(TAUGHT + 1, len(its) - FOLLOWING + 1))
        faults = []
        for k, i in enumerate(its[at:]):
            cut = told.cuts[i]
            faults.append(Fault(spindle, cut.opened, cut.time, cut.features.idle, 1.0 + RAMP * min((k + 1) / OVER, 1.0)))
        out.append(Ramp(spindle, tool, told.cuts[its[at]].opened, told.cuts[its[-1]].time + SOON, told.words[its[at]], tuple(faults)))
    return out


def was_seen(ramp: Ramp, before: Told, after: Told) -> bool:
    """Wear or overload of this tool, or all tools together, was told during the ramp, and was not without it."""

    def any_of(told: Told) -> bool:
        return any(
            alert.kind in ("wear", "overload", "drift")
            and (alert.tool, alert.spindle) == (ramp.tool, ramp.spindle)
            and ramp.start <= alert.updated <= ramp.end
            for alert in told.alerts
        )

    return any_of(after) and not any_of(before)


def _alerts(log: Log, told: Told, name: str, which: str, start: float, end: float) -> list[Row]:
    inside = (log.time >= start) & (log.time < end)
    hours = float(log.active()[inside].sum()) / 3600.0
    raised = [alert for alert in told.alerts if start <= alert.updated < end]
    kinds = Counter(alert.kind for alert in raised)
    lost = kinds.pop("sensor", 0)
    n = sum(kinds.values())
    rate = HOURS / hours if hours else 0.0
    # Exact Poisson bounds by the chi-square quantiles (Garwood 1936), in the approximation of Wilson and Hilferty.
    low, high = _poisson(n)
    by_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    cuts = sum(1 for cut in told.cuts if start <= cut.opened < end)
    about = "; ".join(f"{alert.kind} {alert.operation or 'all'}" for alert in raised if alert.kind != "sensor")
    return [
        Row(
            set=SET, name=f"{name}_alerts", figure=f"alerts per 30 x 8 h of active time, {log.name}, {which}", value=n * rate,
            low=low * rate, high=high * rate, n=f"{hours:.0f} h active, {cuts} cuts",
            fixed="mended with sight of Mazak03 and of Mazak01 to 2017-08-02; other days were seen once, and as counts",
            note=f"{by_kind}; {about}" if n else by_kind,
        ),
        Row(
            set=SET, name=f"{name}_lost", figure=f"lost signals told, per 30 x 8 h, {log.name}, {which}", value=lost * rate,
            n=f"{lost} times in {hours:.0f} h active", fixed="defaults of the product",
            note="the log itself says that the load was not read, with the spindle turning or something else still there",
        ),
    ]  # fmt: skip


def _recall(machine: str, name: str, which: str, kind: str, hits: Sequence[tuple[float, Word, bool]]) -> list[Row]:
    what = "cut replaced by idle" if kind == "missing" else f"ramp to +25 % over {OVER} cuts"
    watched = [hit for _, word, hit in hits if word in WATCHED]
    words = ", ".join(f"{count} {word}" for word, count in sorted(Counter(word for _, word, _ in hits).items()))
    out = []
    for key, figure, group in (("watched", "operations that are watched", watched), ("all", "all", [hit for _, _, hit in hits])):
        low, high = wilson(sum(group), len(group))
        out.append(
            Row(
                set=SET, name=f"{name}_{key}", figure=f"recall, {what}, {figure}, {machine}, {which}",
                value=sum(group) / len(group) if group else None, low=low, high=high, n=f"{sum(group)} of {len(group)}",
                fixed="defaults of the product", note=f"words before the fault: {words or 'no recurring cut'}",
            )
        )  # fmt: skip
    return out


def _coverage(log: Log, told: Told) -> list[Row]:
    """Share of active time in each word."""
    active = log.active()
    total = float(active.sum())
    times = [cover.time for cover in told.coverage]
    shares: Counter[str] = Counter()
    at = np.searchsorted(times, log.time, side="right") - 1
    for i, word in enumerate(cover.word for cover in told.coverage):
        shares[word] += float(active[at == i].sum())
    note = "the machine's word: that of its least known operation that can be watched"
    return [
        Row(
            set=SET, name=f"{log.name}_time_{word.lower()}", figure=f"share of active time {word}, {log.name}, all days",
            value=shares[word] / total if total else None, n=f"{total / 3600:.0f} h", fixed="defaults of the product", note=note,
        )
        for word in Word if shares[word] > 0
    ]  # fmt: skip


def _gaps(log: Log, told: Told) -> Row:
    """Seconds in which the log says that no load was read and the machine's word was one of watching."""
    times = [cover.time for cover in told.coverage]
    gaps = [(a + TAIL, b) for a, b in log.gaps() if b - a > TAIL]
    green = 0.0
    for a, b in gaps:
        i = max(bisect.bisect_right(times, a) - 1, 0)
        while i < len(times) and times[i] < b:
            if told.coverage[i].word in GREEN:
                green += min(b, times[i + 1] if i + 1 < len(times) else b) - max(a, times[i])
            i += 1
    return Row(
        set=SET, name=f"{log.name}_green_gaps", figure=f"time in gaps shown as watched, {log.name}, all days", value=green, unit="s",
        n=f"{len(gaps)} gaps of more than {TAIL:.0f} s, {sum(b - a for a, b in gaps) / 3600:.0f} h", fixed="defaults of the product",
        note="must be 0",
    )  # fmt: skip


def _poisson(n: int) -> tuple[float, float]:
    """95 % bounds of a count."""

    def quantile(dof: int, z: float) -> float:
        return 0.5 * dof * (1.0 - 2.0 / (9.0 * dof) + z * (2.0 / (9.0 * dof)) ** 0.5) ** 3

    return (quantile(2 * n, -1.959964) if n else 0.0), quantile(2 * (n + 1), 1.959964)
