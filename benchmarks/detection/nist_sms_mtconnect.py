"""A contract shop's machines by their MTConnect log: all days in order of time through the pass, then again with faults put in.

Nothing is taught apart from what the pass learns as it goes, and nothing is forgotten between days. First pass: alerts by kind, coverage,
gaps. From its cuts 200 are drawn at random (seed 5) among those of operations that came at least five times before, at most every fifth of
an operation in one pass: in two more passes the load is at idle instead of these cuts (no tool). Last pass: one ramp a tool, +25 % over the
next ten cuts and for good, begun at a random cut. A fault is found by a finding for its tool that the first pass did not have.

The log has no labels: an alert of the first pass may be true (a contract shop stops, jogs and proves programs). All are counted as false.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from agent.model import Cut, Word
from agent.segment import is_visit
from benchmarks.detection import _nist_rows as rows_of
from benchmarks.detection._nist import Fault, Log, machines, read, spoil
from benchmarks.detection._nist_oracle import lowest, moved, tells_missing
from benchmarks.detection._nist_told import Hit, Told, listen
from benchmarks.detection.table import Progress, Row

SET = rows_of.SET
DAYS, ALL = 40, "BROCHE_NIST_ALL"
"""The latest days of each machine that are run, so that it takes minutes; with this variable set in the environment, every day there is."""
DRAWN, SEED, TAUGHT = 200, 5, 5
PASSES, APART = 2, 5
"""Passes over which the missing tools are spread, and cuts of an operation between two of them."""
RAMP, OVER, FOLLOWING = 0.25, 10, 6
"""A ramp's rise, the cuts over which it rises, and the cuts that must follow its beginning."""
SOON = 600.0
"""s after a cut within which its absence must be told."""
MOST_AT_ONCE = 4
"""Passes side by side."""


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Alerts, recall of injected faults, coverage and gaps, of each machine and half of its days. Passes run side by side, one a core."""
    found = {name: paths if os.environ.get(ALL) else paths[-DAYS:] for name, paths in machines(folder).items()}
    done = itertools.count(1)

    def step(what: str) -> None:
        progress(min(next(done) / ((PASSES + 2) * len(found)), 1.0), what)

    with ProcessPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE), mp_context=get_context("spawn")) as pool:
        firsts = {name: pool.submit(again, name, paths, ()) for name, paths in found.items()}
        rest = []
        for name, paths in found.items():
            log, first = read(name, paths), firsts[name].result()
            step(f"{name}: as it was")
            drawn, ramps = draw(first), ramps_of(first)
            faults = [[without(first.cuts[i]) for i in its] for its in drawn]
            worn = [fault for ramp in ramps for fault in ramp.faults]
            runs = [pool.submit(again, name, paths, tuple(its)) for its in [*faults, worn]]
            rest.append((log, first, drawn, ramps, runs))
        rows: list[Row] = []
        for log, first, drawn, ramps, runs in rest:
            told = []
            for run in runs:
                told.append(run.result())
                step(f"{log.name}: with faults")
            rows += _machine(log, first, drawn, told[:-1], ramps, told[-1])
    progress(1.0, "")
    return rows


def again(name: str, paths: Sequence[Path], faults: Sequence[Fault]) -> Told:
    """One pass over these days, with faults in them; in a process of its own."""
    log = read(name, paths)
    return listen(spoil(log, faults) if faults else log)


def _machine(
    log: Log, first: Told, drawn: Sequence[Sequence[int]], missing: Sequence[Told], ramps: Sequence[Ramp], worn: Told
) -> list[Row]:
    half = float(log.time[log.starts[len(log.days) // 2]])
    levels = lowest(first.cuts)
    absent, moves = [], []
    for its, told in zip(drawn, missing, strict=True):
        faults = [without(first.cuts[i]) for i in its]
        moves += moved(log, spoil(log, faults), faults)
        absent += [
            Hit(
                first.cuts[i].opened,
                first.words[i],
                first.promised[i],
                was_told(first.cuts[i], first, told),
                tells_missing(levels, first.cuts[i].operation.key),
            )
            for i in its
        ]
    rises = [Hit(ramp.start, ramp.word, False, was_seen(ramp, first, worn), False) for ramp in ramps]
    days = len(log.days)
    parts = [("first_half", f"days 1-{days // 2} of {days}", -np.inf, half)]
    parts.append(("second_half", f"days {days // 2 + 1}-{days} of {days}", half, np.inf))
    rows: list[Row] = []
    for key, which, start, end in parts:
        rows += rows_of.alerts(log, first, f"{log.name}_{key}", which, start, end)
        for kind, hits in (("missing", absent), ("ramp", rises)):
            rows += rows_of.recall(log.name, f"{log.name}_{key}_{kind}", which, kind, [hit for hit in hits if start <= hit.time < end])
    # Of each ramp, once it has reached its height.
    worn_moves = [float(np.mean(moved(log, spoil(log, ramp.faults), ramp.faults[OVER:]))) for ramp in ramps if len(ramp.faults) > OVER]
    return [
        *rows,
        *rows_of.observable(log, moves, worn_moves),
        *rows_of.coverage(log, first),
        *rows_of.of_operations(log, first),
        rows_of.gaps(log, first),
    ]


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
    return Fault(cut.operation.spindle, cut.opened, _last(cut), round(cut.features.idle), 0.0)


def _last(cut: Cut) -> float:
    """The row at which a visit ends is the next one's."""
    return cut.time - 0.001 if is_visit(cut.operation.section) else cut.time


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
            faults.append(Fault(spindle, cut.opened, _last(cut), cut.features.idle, 1.0 + RAMP * min((k + 1) / OVER, 1.0)))
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
