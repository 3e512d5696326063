"""Tool wear of one set, a tool left out: what the sets of milled and turned tools share.

Each row of a set's table becomes the closed Cut that the pass would have made of it; `agent.detect.watch.Watch` judges it as in the pass,
`agent.detect.signals` and the baseline hand out the levels, `agent.detect.clock` counts. Only then is the measured wear looked at.

An estimate of the wear in the unit of the labels needs tools that were measured: those that are left in. The clock's curve is Taylor's
power law a t^p, with the cutting data where they differ (`taylor`): the form of the textbook. What is chosen (which signals beside the
clock; at which share of the limit, or at which `wear_limit`, a warning is given) is chosen on the tools left in alone, each of them left
out in turn once more (nested). A signal comes in only if the clock alone is worse by more than one standard error (Breiman et al.,
Classification and Regression Trees, 1984, section 3.4.3); both are averaged with equal weights (Clemen, Int. J. Forecasting 5, 1989, 559).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.budget import alarms_per_hour
from agent.detect.coverage import of_operation
from agent.detect.signals import VIBRATION
from agent.detect.watch import Watch
from agent.model import Cut, CutFeatures, Finding, Indicator, Operation, Word
from agent.settings import MonitoringOptions
from benchmarks.detection.table import Row, wilson

Array = NDArray[np.float64]

SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the limit, at which an estimate may warn; chosen on the tools that are left in."""
DRAWS = 1000
WANTED = (0.1, 0.15, 0.25, 0.4, 0.7)
"""`wear_limit` of [monitoring], of which one is chosen on the tools that are left in."""
EARLY = 0.5
"""A warning below this share of the limit is a false one, on a tool that crosses later too."""


@dataclass(frozen=True)
class Step:
    """One cut of a tool: what its machine could have told, and the wear measured after it (nan: not measured).

    clocks: what was cut in this step, by clock (s, volume, ...). axis: by channel. NaN: the channel gave nothing.
    """

    clocks: Mapping[str, float]
    wear: float
    spindle: float = math.nan
    axis: Mapping[str, float] = field(default_factory=dict)
    vibration: float = math.nan


@dataclass(frozen=True)
class Tool:
    """One tool from new on. group: what it cuts ('' where all cut the same); conditions: depth, feed, ... above zero."""

    name: str
    steps: Sequence[Step]
    group: str = ""
    conditions: Mapping[str, float] = field(default_factory=dict)

    @property
    def wear(self) -> Array:
        """(n,) as measured."""
        return np.array([step.wear for step in self.steps])

    def clock(self, name: str) -> Array:
        """(n,) what was cut up to and with each step."""
        return np.cumsum([step.clocks[name] for step in self.steps])


@dataclass(frozen=True)
class Followed:
    """What the pass said of a tool: levels (log ratio to the new tool, monotone) by signal, cuts of its wear alerts and what spoke."""

    levels: Mapping[str, Array]
    alerts: Sequence[tuple[int, str]]
    not_monitorable: int
    """Cuts of which the pass said so"""


def follow(tool: Tool, wanted: float | None = None) -> Followed:
    """The cuts of a tool through the detectors of the pass, with the defaults of the product, or with another `wear_limit`."""
    options = MonitoringOptions() if wanted is None else MonitoringOptions(wear_limit=wanted)
    watch = Watch(options, alarms_per_hour(options.false_alarms) or 1.0 / 160.0)
    ratios: dict[str, list[tuple[int, float]]] = {}
    alerts: list[tuple[int, str]] = []
    blind = 0
    time = 0.0
    for i, step in enumerate(tool.steps):
        cut = _cut(tool, step, i, time)
        time = cut.time + 1.0
        watch.on_cut(msgspec.structs.replace(cut, phase="opened"), 0.0)
        for item in watch.on_cut(cut, 0.0):
            if isinstance(item, Indicator):
                name = {"work_ratio": "spindle", "vibration_ratio": VIBRATION}.get(item.name, item.channel)
                ratios.setdefault(name, []).append((i, math.log(item.value)))
        found = [item for item in watch.on_part(i, whole=True) if isinstance(item, Finding) and item.kind == "wear" and not item.finished]
        alerts.extend((i, str(finding.evidence.get("channel", "spindle"))) for finding in found)
        blind += any(of_operation(one, options, time).word is Word.NOT_MONITORABLE for one in watch.state.baselines.values())
    return Followed({name: _monotone(found, len(tool.steps)) for name, found in ratios.items()}, alerts, blind)


def _cut(tool: Tool, step: Step, i: int, time: float) -> Cut:
    seconds = max(step.clocks.get("seconds", 1.0), 0.1)
    work = step.spindle * seconds
    features = CutFeatures(
        samples=1000,
        duration=seconds,
        mean=step.spindle if step.spindle == step.spindle else 1.0,
        peak=step.spindle if step.spindle == step.spindle else 1.0,
        idle=0.0,
        work=work if work > 0.0 else seconds,
        largest_rise=0.0,
        largest_fall=0.0,
        vibration_rms=step.vibration if step.vibration == step.vibration else None,
        axis_load={name: value for name, value in step.axis.items() if value == value},
    )
    operation = Operation(spindle="S1", program="1", revision=1, tool=tool.name, section="")
    return Cut(id=f"c{i}", phase="closed", operation=operation, part=i, opened=time, time=time + seconds, features=features)


def _monotone(found: Sequence[tuple[int, float]], n: int) -> Array:
    """Newest value of the isotonic regression (pool adjacent violators: Ayer et al., Ann. Math. Stat. 26, 1955, 641) after each cut."""
    out = np.full(n, np.nan)
    blocks: list[tuple[float, float]] = []
    for i, value in found:
        blocks.append((value, 1.0))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, a), (high, b) = blocks.pop(), blocks.pop()
            blocks.append(((low * a + high * b) / (a + b), a + b))
        out[i] = blocks[-1][0]
    for i in range(1, n):
        if out[i] != out[i]:
            out[i] = out[i - 1]
    return out


Predict = Callable[[Tool, Followed], Array]
Fit = Callable[[Sequence[Tool], Mapping[str, Followed]], Predict]


def power(clock: str) -> Fit:
    """Wear = a t^p, in logarithms (wear spreads by factors, as in Taylor's equation), every tool with the same weight."""

    def fit(tools: Sequence[Tool], _: Mapping[str, Followed]) -> Predict:
        x, y, w = _rows(tools, lambda tool: tool.clock(clock))
        x, y, w = np.log(np.maximum(x[y > 0.0], 1e-12)), np.log(y[y > 0.0]), w[y > 0.0]
        slope, level = _line(x, y, w)
        p = float(np.clip(slope, 0.1, 3.0))
        a = level if p == slope or not len(x) else float(np.average(y - p * x, weights=w))
        return lambda tool, _: np.exp(a) * tool.clock(clock) ** p

    return fit


def taylor(clock: str) -> Fit:
    """Extended Taylor equation (ISO 8688-2, clause 9): log wear = a + p log t + sum of b log condition + one c a group.

    Only with at least two tools for each of its unknowns; else the power law.
    """

    def fit(tools: Sequence[Tool], followed: Mapping[str, Followed]) -> Predict:
        groups = sorted({tool.group for tool in tools})
        names = sorted(tools[0].conditions)
        if len(tools) < 2 * (len(names) + len(groups)):
            return power(clock)(tools, followed)

        def columns(tool: Tool) -> Array:
            t = np.log(np.maximum(tool.clock(clock), 1e-12))
            fixed = [math.log(tool.conditions[name]) for name in names] + [float(tool.group == group) for group in groups[1:]]
            return np.stack([np.ones(len(t)), t, *(np.full(len(t), value) for value in fixed)], axis=1)

        x, y, w = [], [], []
        for tool in tools:
            good = np.isfinite(tool.wear) & (tool.wear > 0.0)
            x.append(columns(tool)[good])
            y.append(np.log(tool.wear[good]))
            w.append(np.full(int(good.sum()), 1.0 / max(int(good.sum()), 1)))
        root = np.sqrt(np.concatenate(w))
        found = np.linalg.lstsq(np.concatenate(x) * root[:, None], np.concatenate(y) * root, rcond=None)[0]
        return lambda tool, _: np.exp(columns(tool) @ found)

    return fit


def signal(name: str) -> Fit:
    """Wear = b + a level, a not below zero; nan where the signal is not there."""

    def fit(tools: Sequence[Tool], followed: Mapping[str, Followed]) -> Predict:
        x, y, w = _rows(tools, lambda tool: followed[tool.name].levels.get(name, np.full(len(tool.steps), np.nan)))
        slope, level = _line(x, y, w) if len(x) else (0.0, math.nan)
        if slope < 0.0:
            slope, level = 0.0, float(np.average(y, weights=w))
        return lambda tool, of: level + slope * of.levels.get(name, np.full(len(tool.steps), np.nan))

    return fit


def average(fits: Sequence[Fit]) -> Fit:
    """Mean of those that are there, the first where none else is."""

    def fit(tools: Sequence[Tool], followed: Mapping[str, Followed]) -> Predict:
        made = [one(tools, followed) for one in fits]

        def predict(tool: Tool, of: Followed) -> Array:
            each = np.stack([one(tool, of) for one in made])
            there = np.isfinite(each)
            out: Array = np.where(there, each, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
            return out

        return predict

    return fit


def _rows(tools: Sequence[Tool], of: Callable[[Tool], Array]) -> tuple[Array, Array, Array]:
    """A figure, the wear and the weight of each row where both are known; every tool weighs the same."""
    x, y, w = [], [], []
    for tool in tools:
        value, wear = of(tool), tool.wear
        good = np.isfinite(value) & np.isfinite(wear)
        if good.any():
            x.append(value[good])
            y.append(wear[good])
            w.append(np.full(int(good.sum()), 1.0 / good.sum()))
    if not x:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    return np.concatenate(x), np.concatenate(y), np.concatenate(w)


def _line(x: Array, y: Array, w: Array) -> tuple[float, float]:
    if not len(x):
        return 0.0, math.nan
    w = w / w.sum()
    mx, my = float(w @ x), float(w @ y)
    slope = float(w @ ((x - mx) * (y - my))) / max(float(w @ (x - mx) ** 2), 1e-12)
    return slope, my - slope * mx


def chosen(candidates: Sequence[tuple[str, Fit]], tools: Sequence[Tool], followed: Mapping[str, Followed]) -> tuple[str, Fit]:
    """The first (simplest) that is not worse than the best by one standard error, by the tools given, each left out in turn.

    The error is that of the difference between the two on the same tools. With one tool, none of whom can be left out, the first.
    """
    if len(tools) < 2:
        return candidates[0]
    errors = np.array(
        [[_error(fit(_but(tools, tool), followed)(tool, followed[tool.name]), tool) for tool in tools] for _, fit in candidates]
    )
    errors = np.nan_to_num(errors, nan=np.inf)
    best = errors[int(np.argmin(errors.mean(axis=1)))]
    for candidate, own in zip(candidates, errors, strict=True):
        worse = own - best
        if np.isfinite(worse).all() and worse.mean() <= worse.std(ddof=1) / math.sqrt(len(tools)):
            return candidate
    return candidates[0]


def _error(predicted: Array, tool: Tool) -> float:
    good = np.isfinite(tool.wear)
    return float(np.mean((predicted - tool.wear)[good] ** 2))


def _but(tools: Sequence[Tool], left: Tool) -> list[Tool]:
    return [tool for tool in tools if tool.name != left.name]


@dataclass(frozen=True)
class Held:
    """A tool that was left out: its wear, the estimates of both, when each warned (index of the cut, None: never), what was chosen."""

    tool: Tool
    clock: Array
    fused: Array
    clock_warns: int | None
    fused_warns: int | None
    pass_warns: int | None
    tuned_warns: int | None
    choice: str


def crossing(tool: Tool, limit: float) -> int | None:
    """Index of the first cut after which the wear is at the limit; None: never."""
    over = np.flatnonzero(tool.wear >= limit)
    return int(over[0]) if len(over) else None


def leave_one_out(
    tools: Sequence[Tool],
    followed: Mapping[str, Followed],
    limit: float,
    clock: Fit,
    progress: Callable[[float], None],
) -> list[Held]:
    """Every tool in turn, with all choices made on the others. `clock`: the form of the curve over the cutting clock."""
    at_limit = {}
    for k, tool in enumerate(tools):
        progress(0.5 * k / len(tools))
        at_limit[tool.name] = {wanted: _raised(follow(tool, wanted)) for wanted in WANTED}
    out = []
    for k, tool in enumerate(tools):
        progress(0.5 + 0.5 * k / len(tools))
        rest = _but(tools, tool)
        names = sorted(set.intersection(*(set(followed[one.name].levels) for one in rest)))
        with_signals = [("clock", clock)]
        with_signals += [(f"clock + {name}", average([clock, signal(name)])) for name in names]
        if len(names) > 1:
            with_signals.append(("clock + all", average([clock, *(signal(name) for name in names)])))
        choice, fused = chosen(with_signals, rest, followed)
        of = followed[tool.name]
        own, mixed = clock(rest, followed)(tool, of), fused(rest, followed)(tool, of)
        wanted = best(WANTED, [(one, at_limit[one.name]) for one in rest], limit)
        out.append(
            Held(
                tool,
                own,
                mixed,
                _first(own, limit * share_of(clock, rest, followed, limit)),
                _first(mixed, limit * share_of(fused, rest, followed, limit)),
                _raised(of),
                at_limit[tool.name][wanted],
                choice,
            )
        )
    return out


def share_of(fit: Fit, tools: Sequence[Tool], followed: Mapping[str, Followed], limit: float) -> float:
    """Share of the limit at which to warn, by the tools given, each left out in turn."""
    if len(tools) < 2:
        return SHARES[-1]
    made = [(tool, fit(_but(tools, tool), followed)(tool, followed[tool.name])) for tool in tools]
    return best(SHARES, [(tool, {share: _first(said, share * limit) for share in SHARES}) for tool, said in made], limit)


def best(choices: Sequence[float], warns: Sequence[tuple[Tool, Mapping[float, int | None]]], limit: float) -> float:
    """Most tools warned before they cross, less the false warnings; the highest of equal ones."""

    def worth(choice: float) -> int:
        said = [judged(tool, at[choice], limit) for tool, at in warns]
        return said.count("warned") - said.count("false")

    return max(choices, key=lambda choice: (worth(choice), choice))


def _raised(followed: Followed) -> int | None:
    return followed.alerts[0][0] if followed.alerts else None


def judged(tool: Tool, warns: int | None, limit: float) -> str:
    """warned (before it crossed), missed, false (it never crossed, or the wear was below `EARLY` of the limit), or silent."""
    over = crossing(tool, limit)
    if warns is not None:
        known = tool.wear[: warns + 1][np.isfinite(tool.wear[: warns + 1])]
        worn = float(known[-1]) if len(known) else 0.0
        if over is None or (warns < over and worn < EARLY * limit):
            return "false"
        return "warned" if warns < over else "missed"
    return "silent" if over is None else "missed"


def _first(values: Array, limit: float) -> int | None:
    over = np.flatnonzero(values >= limit)
    return int(over[0]) if len(over) else None


def rows(name: str, held: Sequence[Held], limit: float, unit: str, source: str, lead: str, published: str = "") -> list[Row]:
    """Rows of a set that was measured so. `lead`: the clock in which leads are told, and its unit: 'seconds' of 's' say ('cuts': cuts)."""
    n = f"{len(held)} tools, {sum(len(one.tool.steps) for one in held)} cuts"
    fixed = f"{source}; choices nested on the tools left in"
    out = []

    def row(key: str, figure: str, value: float | None, other: float | None = None, **more: object) -> None:
        beside = "the cutting clock alone" if other is not None else ""
        data = {"n": n, "fixed": fixed, "published": published, **more}
        out.append(Row(set=name, name=key, figure=figure, value=value, baseline=beside, baseline_value=other, through="cuts", **data))  # type: ignore[arg-type]

    rmse, low, high = _bounded(held, lambda those: _rmse(those, "fused"))
    picks = ", ".join(f"{one.tool.name}: {one.choice}" for one in held)
    each = float(np.mean([_rmse([one], "fused") for one in held]))
    note = f"mean of the tools' own RMSE {each:.3g}; chosen: {picks}"
    row("rmse", "flank wear of a tool left out, RMSE", rmse, _rmse(held, "clock"), unit=unit, low=low, high=high, note=note)
    area, low, high = _bounded(held, lambda those: _auc(those, "fused", limit))
    row("auc", f"worn ({limit:g} {unit} and more) told from not, AUC", area, _auc(held, "clock", limit), low=low, high=high)
    crossed = [one for one in held if crossing(one.tool, limit) is not None]
    others = [one for one in held if crossing(one.tool, limit) is None]
    for key, what, of, beside in (
        ("estimate", "by the estimate", "fused_warns", "clock_warns"),
        ("pass", "by the wear alert of the pass, defaults", "pass_warns", None),
        ("tuned", "by the wear alert of the pass, its wear_limit chosen on the others", "tuned_warns", None),
    ):
        said = [judged(one.tool, getattr(one, of), limit) for one in crossed]
        base = [judged(one.tool, getattr(one, beside), limit) for one in crossed] if beside else None
        low, high = wilson(said.count("warned"), len(crossed))
        leads = [_lead(one, getattr(one, of), limit, lead) for one, what_said in zip(crossed, said, strict=True) if what_said == "warned"]
        note = f"ahead: {', '.join(f'{value:.3g}' for value in sorted(leads))} {lead}" if leads else ""
        row(
            f"warned_{key}", f"tools that crossed, warned before, {what}",
            float(said.count("warned")), None if base is None else float(base.count("warned")),
            n=f"{len(crossed)} tools that cross {limit:g} {unit}", low=low * len(crossed), high=high * len(crossed), note=note,
        )  # fmt: skip
        false = [judged(one.tool, getattr(one, of), limit) for one in held].count("false")
        base_false = [judged(one.tool, getattr(one, beside), limit) for one in held].count("false") if beside else None
        low, high = wilson(false, len(held))
        apart = f"{len(others)} tools never cross; a warning below half the limit counts as false on the {len(crossed)} others"
        row(
            f"false_{key}", f"false warnings, {what}", float(false), None if base_false is None else float(base_false),
            n=f"{len(held)} tools", low=low * len(held), high=high * len(held), note=apart,
        )  # fmt: skip
    return out


def blind_row(name: str, followed: Mapping[str, Followed], tools: Sequence[Tool], signals: Sequence[str]) -> Row:
    """What could not be watched, counted: cuts that the pass called NOT MONITORABLE, and tools without one of the signals."""
    blind = sum(one.not_monitorable for one in followed.values())
    missing = {s: [t.name for t in tools if s not in followed[t.name].levels] for s in signals}
    told = "; ".join(f"no {s}: {', '.join(names)}" for s, names in missing.items() if names)
    return Row(
        set=name, name="not_monitorable", figure="cuts that the pass called NOT MONITORABLE", value=float(blind),
        n=f"{sum(len(t.steps) for t in tools)} cuts", fixed="defaults of the product", through="cuts",
        note=told or "every signal was there on every tool at least once; the table has no readings, so contrast to noise cannot be judged",
    )  # fmt: skip


def too_few(name: str, tools: Sequence[Tool]) -> Row:
    """One tool: nobody is left to calibrate on."""
    return Row(
        set=name, name="rmse", figure="flank wear of a tool left out, RMSE", value=None, n=f"{len(tools)} tools", fixed="-",
        through="cuts", note="at least two tools are needed: one is left out, the others calibrate",
    )  # fmt: skip


def _lead(one: Held, warns: int | None, limit: float, clock: str) -> float:
    over = crossing(one.tool, limit)
    assert over is not None
    assert warns is not None
    if clock == "cuts":
        return float(over - warns)
    t = one.tool.clock(clock)
    return float(t[over] - t[warns])


def _rmse(held: Sequence[Held], which: str) -> float:
    errors = np.concatenate([(getattr(one, which) - one.tool.wear)[np.isfinite(one.tool.wear)] for one in held])
    return float(np.sqrt(np.mean(errors**2)))


def _auc(held: Sequence[Held], which: str, limit: float) -> float | None:
    score = np.concatenate([getattr(one, which)[np.isfinite(one.tool.wear)] for one in held])
    wear = np.concatenate([one.tool.wear[np.isfinite(one.tool.wear)] for one in held])
    over = wear >= limit
    return auc(score[over], score[~over]) if over.any() and not over.all() else None


def auc(high: Array, low: Array) -> float:
    """Chance that one of `high` is above one of `low`; ties are half (Mann and Whitney 1947, by counting in the sorted rest)."""
    low = np.sort(low)
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).sum() / (2.0 * len(low) * len(high)))


def _bounded(held: Sequence[Held], of: Callable[[Sequence[Held]], float | None]) -> tuple[float | None, float | None, float | None]:
    """The figure and its 95 % bounds by drawing whole tools again."""
    draw = np.random.default_rng(5)
    values = [of([held[i] for i in draw.integers(0, len(held), len(held))]) for _ in range(DRAWS)]
    good = [value for value in values if value is not None]
    if len(good) < DRAWS // 2:
        return of(held), None, None
    low, high = np.percentile(good, [2.5, 97.5])
    return of(held), float(low), float(high)
