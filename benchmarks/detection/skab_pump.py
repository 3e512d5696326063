"""SKAB: valves, flow and rotor of a pump disturbed, found by the whole pass as a `[[group]]`; tuned T2+Q beside it.

The first 400 rows of each file are the teach-in. Of 64 settings each, for both detectors, the best on one group of files is scored on the
other and back: by F1 for F1 and FAR, by the change-point score for the change points. Ours is chosen by `agent.detect.multivariate` alone,
which is quicker, and scored by the findings of kind `process` of the pass. Labels are opened for the choice and for the scoring alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.detect.multivariate import Multivariate, Options
from agent.maintenance import plan
from agent.model import Finding
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, GroupOptions, MachineOptions, MachineSettings
from benchmarks.detection._skab import TAUGHT, Tally, Unit, read, tally
from benchmarks.detection.table import Progress, Row
from drivers.model import Readings

OURS = [
    Options(learn=TAUGHT, kept=kept, weight=weight, limit=limit, tau=tau, creeping=creeping)
    for kept, weight, limit, tau, creeping in itertools.product(
        (0.0, 0.9), (0.3, 0.1), (1.5, 2.0, 3.0, 4.0), (300.0, np.inf), (False, True)
    )
]
THEIRS = list(itertools.product((0.75, 0.9), (1, 5), (1.0, 1.5, 2.5, 4.0), (False, True), (False, True)))
"""Share of variance kept, rows of the median, times the textbook limit, temperatures left out, on and off with hysteresis."""
PUBLISHED = "all 34 files, first 400 rows of each: Conv-AE F1 0.78, FAR 13.6; T2+Q F1 0.76, FAR 26.6; NAB 25.4; MSCRED NAB 32.4 (SKAB v0.9)"
DRAWS = 1000
States = list[NDArray[np.bool_]]
GOOD: tuple[Callable[[Tally], float], ...] = (lambda t: t.f1, lambda t: t.nab())
"""What settings are chosen by: for F1 and FAR, and for the change points."""


def measure(folder: Path, progress: Progress) -> list[Row]:
    """F1, FAR and change points: transfer between groups of files, defaults of the product, a healthy file."""
    units = read(folder)
    groups = sorted({unit.group for unit in units})
    ours: list[States] = []
    for i, options in enumerate(OURS):
        progress(0.6 * i / len(OURS), f"{i + 1}/{len(OURS)}")
        ours.append([run(unit, options) for unit in units])
    theirs = [[t2q(unit, *setting) for unit in units] for setting in THEIRS]
    progress(0.6, "pass")
    default = [passed(unit, Options(learn=TAUGHT)) for unit in units]
    rows: list[Row] = []
    for group in groups if len(groups) > 1 else []:
        held = [i for i, unit in enumerate(units) if unit.group == group]
        rest = [i for i, unit in enumerate(units) if unit.group != group]
        fixed = f"64 settings, chosen on the {len(rest)} files outside {group}"
        here = [units[i] for i in held]
        states: list[list[States]] = []
        for good in GOOD:
            best, plain = _best(ours, units, rest, good), _best(theirs, units, rest, good)
            states.append([[passed(unit, OURS[best]) for unit in here], [theirs[plain][i] for i in held]])
        rows.extend(_rows(group, here, *states, fixed))
        progress(0.7 + 0.3 * (groups.index(group) + 1) / len(groups), group)
    textbook = theirs[THEIRS.index((0.9, 5, 1.0, False, False))]
    rows.extend(
        _rows("default", units, [default, textbook], [default, textbook], "defaults of the product: limit and share were chosen here")
    )
    progress(1.0, "")
    return rows


def passed(unit: Unit, options: Options) -> NDArray[np.bool_]:
    """Alarm state of a file, row by row, as the pass told it: the unit is a group of polled channels of a machine without a spindle."""
    names = [name.replace(" ", "_") for name in unit.channels]
    machine = MachineSettings(
        machine=MachineOptions(name="pump"),
        channel=tuple(ChannelOptions(name=name, role="other", hold=60.0) for name in names),
        group=(GroupOptions(name="pump", channels=tuple(names), every=0.5, learn=TAUGHT),),
    )
    monitor = Monitor(machine, plan(DataPaths.find(None)))
    monitor.conditions.groups[0].judge = Multivariate(options)
    events = monitor.feed(Readings("pump", tuple(names), unit.time, unit.values, np.zeros(unit.values.shape, np.uint8))) + monitor.finish()
    said = np.zeros(len(unit.time), bool)
    for event in events:
        if isinstance(event, Finding) and event.kind == "process":
            said[unit.time >= event.time - 1e-3] = not event.finished
    return said


def run(unit: Unit, options: Options) -> NDArray[np.bool_]:
    """Alarm state of a file, row by row, one vector after the other."""
    judge = Multivariate(options)
    said = np.zeros(len(unit.time), bool)
    for i, vector in enumerate(unit.values.tolist()):
        judge.take(vector)
        said[i] = judge.state.told
    return said


def t2q(unit: Unit, kept: float, median: int, times: float, cool: bool, debounced: bool) -> NDArray[np.bool_]:
    """T2 and Q on principal components with textbook limits (p = 0.001) times `times`, after SKAB's own (core/t2.py)."""
    keep = [i for i, name in enumerate(unit.channels) if not (cool and name.startswith(("Temperature", "Thermocouple")))]
    values = unit.values[:, keep]
    taught = values[:TAUGHT]
    spread = taught.std(axis=0)
    values = (values[:, spread > 0] - taught.mean(axis=0)[spread > 0]) / spread[spread > 0]
    variance, vectors = np.linalg.eigh(np.cov(values[:TAUGHT].T))
    variance, vectors = variance[::-1], vectors[:, ::-1]
    m = min(int(np.searchsorted(np.cumsum(variance) / variance.sum(), kept)) + 1, len(variance) - 1)
    plane = values @ vectors[:, :m]
    t2 = (plane**2 / variance[:m]).sum(axis=1)
    q = ((values - plane @ vectors[:, :m].T) ** 2).sum(axis=1)
    if median > 1:
        t2, q = (np.array([np.median(s[max(0, i - median + 1) : i + 1]) for i in range(len(s))]) for s in (t2, q))
    z = 3.09
    limit_t2 = m * (1 - 2 / (9 * m) + z * np.sqrt(2 / (9 * m))) ** 3 * (TAUGHT + 1) / TAUGHT
    one, two, three = (float((variance[m:] ** k).sum()) for k in (1, 2, 3))
    h = 1 - 2 * one * three / (3 * two**2)
    limit_q = one * (1 + z * h * np.sqrt(2 * two) / one + two * h * (h - 1) / one**2) ** (1 / h)
    over = (t2 > times * limit_t2) | (q > times * limit_q)
    return _debounced(over) if debounced else over


def _debounced(over: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """On after three, off after five, as ours."""
    said = np.zeros(len(over), bool)
    state, count = False, 0
    for i, now in enumerate(over.tolist()):
        count = count + 1 if now != state else 0
        if count >= (5 if state else 3):
            state, count = not state, 0
        said[i] = state
    return said


def _best(states: Sequence[States], units: Sequence[Unit], rest: Sequence[int], good: Callable[[Tally], float]) -> int:
    graded = [good(tally([units[i] for i in rest], [s[i] for i in rest])) for s in states]
    return graded.index(max(graded))


def _rows(name: str, units: Sequence[Unit], by_f1: Sequence[States], by_nab: Sequence[States], fixed: str) -> list[Row]:
    beside = "T2+Q, textbook setting" if name == "default" else "T2+Q, 64 settings chosen by the same rule"
    n = f"{len(units)} files"
    ours, theirs = (tally(units, states) for states in by_f1)
    points, their_points = (tally(units, states) for states in by_nab)
    rows = []
    for key, figure, unit, mine, other, states, take in (
        ("f1", "F1 of rows", "", ours.f1, theirs.f1, by_f1[0], lambda t: t.f1),
        ("far", "false alarms of rows without an anomaly", "%", ours.far, theirs.far, by_f1[0], lambda t: t.far),
        ("change_point", "change points, NAB standard", "", points.nab(), their_points.nab(), by_nab[0], lambda t: t.nab()),
    ):
        low, high = _bounds(units, states, take)
        note = ""
        if key == "change_point":
            note = (
                f"low FP {points.nab('low_fp'):.1f} against {their_points.nab('low_fp'):.1f}; missed {points.missed} of {points.points}, "
                f"false {points.false} against {their_points.missed} and {their_points.false}"
            )
        rows.append(
            Row(
                set="skab_pump", name=f"{name}_{key}", figure=f"{figure}, {name}", value=mine, unit=unit,
                low=low, high=high, n=n, fixed=fixed, baseline=beside, baseline_value=other, published=PUBLISHED, note=note,
            )
        )  # fmt: skip
    return rows


def _bounds(units: Sequence[Unit], states: States, take: Callable[[Tally], float]) -> tuple[float, float]:
    """95 % by drawing whole files again."""
    draw = np.random.default_rng(5)
    single = [tally([unit], [state]) for unit, state in zip(units, states, strict=True)]
    values = []
    for _ in range(DRAWS):
        total = Tally(earned=dict.fromkeys(("standard", "low_fp", "low_fn"), 0.0))
        for i in draw.integers(0, len(single), len(single)):
            one = single[i]
            for field in ("tp", "fp", "fn", "tn", "points", "missed", "false"):
                setattr(total, field, getattr(total, field) + getattr(one, field))
            assert total.earned is not None
            for profile, earned in (one.earned or {}).items():
                total.earned[profile] += earned
        values.append(take(total))
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))
