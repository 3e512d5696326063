"""Every tool left out in turn, with all that is chosen for it chosen on the others alone.

What is chosen (which signals beside the clock; at which share of the limit, or at which `wear_limit`, a warning is given) is chosen on the
tools left in, each of them left out in turn once more (nested). A signal comes in only if the clock alone is worse by more than one
standard error (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.detection._wear import Array, Followed, Tool, follow
from benchmarks.detection._wear_curves import Fit, average, signal

SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the limit, at which an estimate may warn; chosen on the tools that are left in."""
WANTED = (0.1, 0.15, 0.25, 0.4, 0.7)
"""`wear_limit` of [monitoring], of which one is chosen on the tools that are left in."""
EARLY = 0.5
"""A warning below this share of the limit is a false one, on a tool that crosses later too."""


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
