"""What typed flank wear is worth, by `agent.detect.life` as the pass uses it: the next measure, and the interval of what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agent.detect.clock import Life, Measure
from agent.detect.life import LEVEL, carried, crossing, learned
from agent.detect.wear_curve import DUE
from benchmarks.detection import _left_out, _wear_curves
from benchmarks.detection._wear import Tool
from benchmarks.detection.table import Row, wilson

FIXED = "defaults of the product: nothing was fitted on this set"

ONE_LIFE = f"lives within the interval of one earlier tool's ({LEVEL:.0%} claimed) that was changed worn and never measured"


def rows(name: str, tools: Sequence[Tool], limit: float, unit: str, clock: str = "seconds", every: int = 1) -> list[Row]:
    """Next measure from those typed so far, and how often the interval of what is left holds; no tool knows of another but by its life.

    Parameters
    ----------
    clock: on which what was cut is counted. every: so many cuts lie between two typed measures.
    """
    typed = {tool.name: _typed(tool, clock, every) for tool in tools}
    return [
        _next(name, typed, limit, unit),
        _interval(name, tools, typed, limit, unit, clock),
        *_warned(name, tools, typed, limit, unit, clock),
        *_one_life(name, tools, limit, unit, clock),
    ]


def after_one(name: str, tools: Sequence[Tool], clocks: _wear_curves.Clocks, limit: float, unit: str, clock: str) -> Row:
    """One measure, at a third of the other tools' median time, then none: what was measured, and the gain of the others from there.

    `clocks`: how what was cut is counted for the curve of a tool from those left in.
    """
    errors, plain, without = [], [], []
    used = 0
    for tool in tools:
        rest = [one for one in tools if one.name != tool.name]
        at = np.median([float(one.clock(clock)[-1]) for one in rest]) / 3.0
        t, wear = tool.clock(clock), tool.wear
        known = np.flatnonzero(np.isfinite(wear) & (t >= at))
        if len(known) < 2:
            continue
        k, later = int(known[0]), known[1:]
        of = clocks(rest)
        curve = _wear_curves.curve(rest, {}, of, limit).expected(of(tool), {})
        errors.extend((wear[k] + np.maximum(curve[later] - curve[k], 0.0) - wear[later]).tolist())
        plain.extend((wear[k] - wear[later]).tolist())
        without.extend((curve[later] - wear[later]).tolist())
        used += 1
    if not errors:
        return Row(
            set=name, name="one_typed", figure="flank wear after one typed measure, RMSE", value=None, n=f"{len(tools)} tools", fixed="-",
            through="cuts", note="no tool has measures before and after a third of the others' life",
        )  # fmt: skip
    return Row(
        set=name, name="one_typed", figure="flank wear after one typed measure, RMSE", value=_rmse(errors), unit=unit,
        n=f"{used} tools, {len(errors)} later measures",
        fixed="each tool left out in turn; one measure at a third of the others' median time",
        baseline="that measure carried forward as it is", baseline_value=_rmse(plain), through="cuts",
        note=f"the same cuts by the others' curve without any measure: {_rmse(without):.3g} {unit}",
    )  # fmt: skip


def _typed(tool: Tool, clock: str, every: int) -> list[Measure]:
    t = tool.clock(clock)
    known = [i for i in range(len(t)) if np.isfinite(tool.wear[i])]
    return [
        Measure(vb=float(tool.wear[i]), seconds=float(t[i]), cuts=i + 1, parts=i + 1, time=float(t[i])) for i in known[every - 1 :: every]
    ]


def _next(name: str, typed: dict[str, list[Measure]], limit: float, unit: str) -> Row:
    ours, plain = [], []
    for measures in typed.values():
        for i in range(1, len(measures)):
            said = carried(measures[:i], limit, measures[i].seconds)
            ours.append((said if said is not None else math.nan) - measures[i].vb)
            plain.append(measures[i - 1].vb - measures[i].vb)
    return Row(
        set=name, name="next_typed", figure="next measure of wear from those typed before it, RMSE", value=_rmse(ours) if ours else None,
        unit=unit, n=f"{len(typed)} tools, {len(ours)} measures", fixed=FIXED, through="cuts",
        baseline="the last measure carried forward as it is", baseline_value=_rmse(plain) if plain else None,
        published="NASA: carry-forward 0.096-0.100 mm (pioneer0413)" if name == "nasa_milling" else "",
    )  # fmt: skip


def _interval(name: str, tools: Sequence[Tool], typed: dict[str, list[Measure]], limit: float, unit: str, clock: str) -> Row:
    held, given, asked, widths = 0, 0, 0, []
    spoke = set()
    for tool in tools:
        over = _left_out.crossing(tool, limit)
        if over is None:
            continue
        t = tool.clock(clock)
        before, end = float(t[over - 1]) if over else 0.0, float(t[over])
        measures = [one for one in typed[tool.name] if one.cuts <= over]
        for i in range(1, len(measures) + 1):
            asked += 1
            said = crossing(tuple(measures[:i]), limit)
            if said is None:
                continue
            given += 1
            spoke.add(tool.name)
            # The wear crossed somewhere between two cuts.
            held += said[0] <= end and said[1] >= before
            widths.append((said[1] - said[0]) / end)
    low, high = wilson(held, given)
    return Row(
        set=name, name="interval_typed", figure=f"intervals of what is left ({LEVEL:.0%} claimed, from typed measures) that held",
        value=held / given if given else None, low=low if given else None, high=high if given else None,
        n=f"{given} intervals on {len(spoke)} tools that cross {limit:g} {unit}; none given at {asked - given} measures",
        fixed=FIXED, through="cuts",
        note=f"median width {np.median(widths):.2g} of the whole life; intervals of one tool are not independent" if widths else "",
    )  # fmt: skip


def _warned(name: str, tools: Sequence[Tool], typed: dict[str, list[Measure]], limit: float, unit: str, clock: str) -> list[Row]:
    """Warned when the interval says that the limit may be reached before the next measure; beside it, a share of the limit as typed."""
    ours = {tool.name: _due(typed[tool.name], limit) for tool in tools}
    plain = {tool.name: {share: _typed_at(typed[tool.name], share * limit) for share in _left_out.SHARES} for tool in tools}
    said, base, leads = [], [], []
    crossed = 0
    for tool in tools:
        rest = [one for one in tools if one.name != tool.name]
        share = _left_out.best(_left_out.SHARES, [(one, plain[one.name]) for one in rest], limit) if rest else _left_out.SHARES[-1]
        own = _left_out.judged(tool, ours[tool.name], limit)
        said.append(own)
        base.append(_left_out.judged(tool, plain[tool.name][share], limit))
        over = _left_out.crossing(tool, limit)
        crossed += over is not None
        warns = ours[tool.name]
        if own == "warned" and over is not None and warns is not None:
            t = tool.clock(clock)
            leads.append(float(t[over] - t[warns]))
    beside = "the typed wear itself at a share of the limit, chosen on the others"
    out = []
    for word, figure, n in (
        ("warned", "tools that crossed, warned before, by the interval of typed measures", crossed),
        ("false", "false warnings, by the interval of typed measures", len(tools)),
    ):
        low, high = wilson(said.count(word), n)
        ahead = f"ahead: {', '.join(f'{lead:.3g}' for lead in sorted(leads))} {clock}" if word == "warned" and leads else ""
        out.append(
            Row(
                set=name, name=f"{word}_typed", figure=figure, value=float(said.count(word)), low=low * n, high=high * n, fixed=FIXED,
                n=f"{n} tools" + (f" that cross {limit:g} {unit}" if word == "warned" else ""), through="cuts", note=ahead,
                baseline=beside, baseline_value=float(base.count(word)),
            )
        )  # fmt: skip
    return out


def _due(measures: Sequence[Measure], limit: float) -> int | None:
    """Index of the cut after which the interval's near end lies before the next measure, which comes after as long as the last did."""
    for i in range(2, len(measures) + 1):
        said = crossing(tuple(measures[:i]), limit)
        now, before = measures[i - 1], measures[i - 2]
        if said is not None and said[0] <= 2.0 * now.seconds - before.seconds:
            return now.cuts - 1
    return None


def _typed_at(measures: Sequence[Measure], wear: float) -> int | None:
    return next((one.cuts - 1 for one in measures if one.vb >= wear), None)


def _one_life(name: str, tools: Sequence[Tool], limit: float, unit: str, clock: str) -> list[Row]:
    """What one earlier tool of the same work is worth that was 'changed: worn' and never measured: its life for another's."""
    ended = [(tool, over) for tool in tools if (over := _left_out.crossing(tool, limit)) is not None]
    held, warned, false, asked = [], 0, 0, 0
    for earlier, end in ended:
        t = float(earlier.clock(clock)[end])
        curve = learned([Life(end + 1, end + 1, t, "worn", 0.0)], limit)
        assert curve is not None
        low, high, due = (curve.reached(share, limit) for share in (0.5 * (1.0 - LEVEL), 0.5 * (1.0 + LEVEL), DUE))
        for tool in tools:
            if tool.name == earlier.name or (tool.group, tool.conditions) != (earlier.group, earlier.conditions):
                continue
            asked += 1
            now = tool.clock(clock)
            said = _left_out.judged(tool, _left_out.first(now + np.diff(now, prepend=0.0), due), limit)
            warned, false = warned + (said == "warned"), false + (said == "false")
            over = _left_out.crossing(tool, limit)
            if over is not None:
                held.append(low <= float(now[over]) and (float(now[over - 1]) if over else 0.0) <= high)
    n = f"{len(held)} pairs of tools that cross {limit:g} {unit} in the same work; pairs share tools"
    if not held:
        return [Row(set=name, name="interval_one_life", figure=ONE_LIFE, value=None, n=n, fixed=FIXED, through="cuts")]
    bounds = wilson(sum(held), len(held))
    told = f"a change said to be due at {DUE:.0%}: in time on {warned} of {len(held)} that cross, false on {false} of {asked} pairs"
    return [
        Row(
            set=name, name="interval_one_life", figure=ONE_LIFE, value=sum(held) / len(held), low=bounds[0], high=bounds[1], n=n,
            fixed=FIXED, through="cuts", note=told,
        )
    ]  # fmt: skip


def _rmse(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
