"""Every tool left out in turn: its wear by the curve of the others (`agent.detect.wear_curve`), and when each rule would have warned.

What is chosen (how far each signal is believed; for the rules beside it, at which share of the limit, or at which `wear_limit`, a warning
is given) is chosen on the tools left in, each of them left out in turn once more (nested). The warning by chance has nothing to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from agent.detect.wear_curve import DUE, Curve
from benchmarks.detection._wear import Array, Followed, Tool, follow
from benchmarks.detection._wear_curves import Clock, Clocks, curve

SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the limit, at which an estimate may warn; chosen on the tools that are left in."""
WANTED = (0.1, 0.15, 0.25, 0.4, 0.7)
"""`wear_limit` of [monitoring], of which one is chosen on the tools that are left in."""
EARLY = 0.5
"""A warning below this share of the limit is a false one, on a tool that crosses later too."""
SIDE = 0.1
"""Of the interval of the time at which the limit is reached, on either side."""


@dataclass(frozen=True)
class Held:
    """A tool that was left out.

    Attributes
    ----------
    clock, fused: wear by the others' curve over the cutting clock, and with the signals.
    warns: index of the cut after which each rule warned, by its name (None: never).
    interval: cutting time between which the curve without signals has the limit, on the clock of the estimate.
    choice: what was believed of the signals.
    """

    tool: Tool
    clock: Array
    fused: Array
    warns: Mapping[str, int | None]
    interval: tuple[float, float]
    time: Array
    choice: str
    followed: Followed


def crossing(tool: Tool, limit: float) -> int | None:
    """Index of the first cut after which the wear is at the limit; None: never."""
    over = np.flatnonzero(tool.wear >= limit)
    return int(over[0]) if len(over) else None


def leave_one_out(
    tools: Sequence[Tool],
    followed: Mapping[str, Followed],
    limit: float,
    clocks: Clocks,
    progress: Callable[[float], None],
) -> list[Held]:
    """Every tool in turn, with all choices made on the others. `clocks`: how what was cut is counted."""
    at_limit = {}
    for k, tool in enumerate(tools):
        progress(0.5 * k / len(tools))
        at_limit[tool.name] = {wanted: raised(follow(tool, wanted)) for wanted in WANTED}
    out = []
    for k, tool in enumerate(tools):
        progress(0.5 + 0.5 * k / len(tools))
        rest = _but(tools, tool)
        clock = clocks(rest)
        of, t = followed[tool.name], clock(tool)
        alone, both = curve(rest, {}, clock, limit), curve(rest, followed, clock, limit)
        own, mixed = alone.expected(t, {}), both.expected(t, of.levels)
        wanted = best(WANTED, [(one, at_limit[one.name]) for one in rest], limit)
        warns = {
            "chance": due(both, clock, tool, of, limit),
            "chance_clock": due(alone, clock, tool, None, limit),
            "share": first(mixed, limit * share_of(rest, followed, clocks, limit)),
            "share_clock": first(own, limit * share_of(rest, {}, clocks, limit)),
            "pass": raised(of),
            "tuned": at_limit[tool.name][wanted],
        }
        told = ", ".join(f"{name} {excess.weight:.2f}" for name, excess in both.excess.items()) or "none"
        ends = (alone.reached(SIDE, limit), alone.reached(1.0 - SIDE, limit))
        out.append(Held(tool, own, mixed, warns, ends, t, told, of))
    return out


def due(of: Curve, clock: Clock, tool: Tool, followed: Followed | None, limit: float) -> int | None:
    """Index of the cut after which the chance that the limit is reached by the end of the next one is at `DUE`; None: never.

    The next one takes as long as this one did. followed: None: the clock alone.
    """
    t = clock(tool)
    following = t + np.diff(t, prepend=0.0)
    says = of.corrections(t, followed.levels if followed is not None else {})
    return first(np.array([of.chance(*at) for at in zip(following.tolist(), repeat(limit), says.tolist())]), DUE)


def share_of(tools: Sequence[Tool], followed: Mapping[str, Followed], clocks: Clocks, limit: float) -> float:
    """Share of the limit at which to warn, by the tools given, each left out in turn. followed: empty: by the clock alone."""
    if len(tools) < 2:
        return SHARES[-1]
    made = []
    for tool in tools:
        rest = _but(tools, tool)
        clock = clocks(rest)
        levels = followed[tool.name].levels if followed else {}
        said = curve(rest, followed, clock, limit).expected(clock(tool), levels)
        made.append((tool, {share: first(said, share * limit) for share in SHARES}))
    return best(SHARES, made, limit)


def best(choices: Sequence[float], warns: Sequence[tuple[Tool, Mapping[float, int | None]]], limit: float) -> float:
    """Most tools warned before they cross, less the false warnings; the highest of equal ones."""

    def worth(choice: float) -> int:
        said = [judged(tool, at[choice], limit) for tool, at in warns]
        return said.count("warned") - said.count("false")

    return max(choices, key=lambda choice: (worth(choice), choice))


def raised(followed: Followed) -> int | None:
    """Index of the cut after which the pass called the tool worn; None: never."""
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


def first(values: Array, limit: float) -> int | None:
    """Index of the first value at the limit or above; None: none."""
    over = np.flatnonzero(values >= limit)
    return int(over[0]) if len(over) else None


def _but(tools: Sequence[Tool], left: Tool) -> list[Tool]:
    return [tool for tool in tools if tool.name != left.name]
