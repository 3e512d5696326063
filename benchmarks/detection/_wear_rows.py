"""Rows of the table of a set of worn tools: how far the estimates lie from the wear, who was warned, what could not be watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.detection._left_out import Held, crossing, judged
from benchmarks.detection._wear import Array, Followed, Tool
from benchmarks.detection.table import Row, wilson

DRAWS = 1000
"""Of whole tools, for the bounds."""


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
