"""Rows of the table of a set of worn tools: how far the estimates lie from the wear, who was warned, what could not be watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from benchmarks.detection._left_out import SIDE, Held, crossing, judged
from benchmarks.detection._wear import Array, Followed, Tool
from benchmarks.detection.table import Row, wilson

DRAWS = 1000
"""Of whole tools, for the bounds."""


INTERVAL = f"lives within the interval of the others' curve ({1.0 - 2.0 * SIDE:.0%} claimed, from the clock alone, before the first cut)"
RULES = (
    (
        "chance",
        "when so many of such tools would be worn after the next cut: 1 in 5",
        "chance_clock",
        "the cutting clock alone, the same rule",
    ),
    (
        "estimate",
        "by the estimate at a share of the limit, chosen on the others",
        "share_clock",
        "the cutting clock alone, its share tuned alike",
    ),
    ("pass", "by the wear alert of the pass, defaults", "", ""),
    ("tuned", "by the wear alert of the pass, its wear_limit chosen on the others", "", ""),
)
"""Key of the row, its words, the rule beside it and its words."""


def rows(name: str, held: Sequence[Held], limit: float, unit: str, source: str, lead: str, published: str = "") -> list[Row]:
    """Rows of a set that was measured so. `lead`: the clock in which leads are told, and its unit: 'seconds' of 's' say ('cuts': cuts)."""
    n = f"{len(held)} tools, {sum(len(one.tool.steps) for one in held)} rows"
    fixed = f"{source}; weights and shares nested on the tools left in"
    out = []

    def row(key: str, figure: str, value: float | None, other: float | None = None, **more: object) -> None:
        data = {"n": n, "fixed": fixed, "published": published, "baseline": "the cutting clock alone" if other is not None else "", **more}
        out.append(Row(set=name, name=key, figure=figure, value=value, baseline_value=other, through="cuts", **data))  # type: ignore[arg-type]

    rmse, low, high = _bounded(held, lambda those: _rmse(those, "fused"))
    _, least, most = _bounded(held, lambda those: _rmse(those, "fused") - _rmse(those, "clock"))
    believed = "; ".join(f"{one.tool.name}: {one.choice}" for one in held)
    each = float(np.mean([_rmse([one], "fused") for one in held]))
    apart = f"less the clock's: {least:+.3g} to {most:+.3g}; " if least is not None and most is not None else ""
    note = f"{apart}mean of the tools' own RMSE {each:.3g}; believed of each signal: {believed}"
    row("rmse", "flank wear of a tool left out, RMSE", rmse, _rmse(held, "clock"), unit=unit, low=low, high=high, note=note)
    area, low, high = _bounded(held, lambda those: _auc(those, "fused", limit))
    row("auc", f"worn ({limit:g} {unit} and more) told from not, AUC", area, _auc(held, "clock", limit), low=low, high=high)
    for key, what, beside, words in RULES:
        out.extend(_warned(name, held, limit, unit, lead, fixed, ("share" if key == "estimate" else key, key, what, beside, words)))
    out.append(_interval(name, held, limit, unit, fixed))
    return out


def of_parts_of_cuts(rows: Sequence[Row], what: str) -> list[Row]:
    """Rows of a set of which each line was taken for a cut: the pass does not follow a tool within one. what: such a line, in words."""
    return [
        msgspec.structs.replace(row, name=f"{row.name}_within", figure=f"{row.figure}; {what} by itself", through="detector")
        for row in rows
        if row.name in ("rmse", "auc", "warned_chance", "false_chance")
    ]


def _warned(
    name: str, held: Sequence[Held], limit: float, unit: str, lead: str, fixed: str, rule: tuple[str, str, str, str, str]
) -> list[Row]:
    """Tools warned in time and false words of one rule. rule: its key in `Held.warns`, that of the rows, words, and the rule beside it."""
    of, key, what, beside, words = rule
    crossed = [one for one in held if crossing(one.tool, limit) is not None]
    said = [judged(one.tool, one.warns[of], limit) for one in held]
    other = [judged(one.tool, one.warns[beside], limit) for one in held] if beside else []
    leads = [_lead(one, one.warns[of], limit, lead) for one, word in zip(held, said, strict=True) if word == "warned"]
    ahead = f"ahead: {', '.join(f'{value:.3g}' for value in sorted(leads))} {lead}" if leads else ""
    able = f"it could judge {sum(one.followed.judged for one in held)} of {sum(one.followed.cuts for one in held)} whole cuts"
    apart = f"{len(held) - len(crossed)} tools never cross; a warning below half the limit counts as false on the {len(crossed)} others"
    out = []
    for word, figure, n, note in (
        ("warned", "tools that crossed, warned before", len(crossed), "; ".join(x for x in (ahead, "" if beside else able) if x)),
        ("false", "false warnings", len(held), apart),
    ):
        low, high = wilson(said.count(word), n)
        out.append(
            Row(
                set=name, name=f"{word}_{key}", figure=f"{figure}, {what}", value=float(said.count(word)), low=low * n, high=high * n,
                n=f"{n} tools" + (f" that cross {limit:g} {unit}" if word == "warned" else ""), fixed=fixed, note=note, through="cuts",
                baseline=words, baseline_value=float(other.count(word)) if beside else None,
            )
        )  # fmt: skip
    return out


def _interval(name: str, held: Sequence[Held], limit: float, unit: str, fixed: str) -> Row:
    """How often the interval of the clock's curve, known before the first cut, held the moment at which the limit was reached."""
    crossed = [(one, over) for one in held if (over := crossing(one.tool, limit)) is not None]
    hits = [
        one.interval[0] <= float(one.time[over]) and (float(one.time[over - 1]) if over else 0.0) <= one.interval[1]
        for one, over in crossed
    ]
    if not hits:
        return Row(set=name, name="interval_chance", figure=INTERVAL, value=None, n="no tool crosses", fixed=fixed, through="cuts")
    low, high = wilson(sum(hits), len(hits))
    widths = [(one.interval[1] - one.interval[0]) / float(one.time[over]) for one, over in crossed]
    return Row(
        set=name, name="interval_chance", figure=INTERVAL, value=sum(hits) / len(hits), low=low, high=high, fixed=fixed, through="cuts",
        n=f"{len(hits)} tools that cross {limit:g} {unit}",
        note=f"median width {np.median(widths):.2g} of the whole life; tools that never cross are not in it",
    )  # fmt: skip


def blind_row(name: str, followed: Mapping[str, Followed], tools: Sequence[Tool], signals: Sequence[str]) -> Row:
    """What could not be watched, counted: cuts that the pass called NOT MONITORABLE, and tools without one of the signals."""
    blind = sum(one.not_monitorable for one in followed.values())
    missing = {s: [t.name for t in tools if s not in followed[t.name].levels] for s in signals}
    told = "; ".join(f"no {s}: {', '.join(names)}" for s, names in missing.items() if names)
    return Row(
        set=name, name="not_monitorable", figure="cuts that the pass called NOT MONITORABLE", value=float(blind),
        n=f"{sum(one.cuts for one in followed.values())} whole cuts", fixed="defaults of the product", through="cuts",
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
