"""What earlier tools of a set say of one more, by `agent.detect.wear_curve`, and their clocks where the cutting data differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from agent.detect import wear_curve
from agent.detect.wear_curve import Curve, Trace
from benchmarks.detection._wear import Array, Followed, Tool

Clock = Callable[[Tool], Array]
"""(n,) what a tool has cut up to and with each step"""
Clocks = Callable[[Sequence[Tool]], Clock]
"""That, by what the given tools say of the cutting data"""


def plain(name: str) -> Clocks:
    """As it was counted."""
    return lambda _: lambda tool: tool.clock(name)


def same_data(name: str) -> Clocks:
    """At the same cutting data, by the extended Taylor equation (ISO 8688-2, clause 9).

    Log wear = a + p log t + sum of b log condition + c a group; what stands beside log t is taken into the time. Only with
    at least two tools for each of its unknowns; else the clock as it is.
    """

    def of(tools: Sequence[Tool]) -> Clock:
        groups = sorted({tool.group for tool in tools})
        names = sorted(tools[0].conditions)
        if len(tools) < 2 * (len(names) + len(groups)):
            return plain(name)(tools)

        def conditions(tool: Tool) -> list[float]:
            return [math.log(tool.conditions[one]) for one in names] + [float(tool.group == group) for group in groups[1:]]

        x, y, w = [], [], []
        for tool in tools:
            good = np.isfinite(tool.wear) & (tool.wear > 0.0)
            t = np.log(np.maximum(tool.clock(name), 1e-12))[good]
            x.append(np.column_stack([np.ones(len(t)), t, *(np.full(len(t), value) for value in conditions(tool))]))
            y.append(np.log(tool.wear[good]))
            w.append(np.full(len(t), 1.0 / max(len(t), 1)))
        root = np.sqrt(np.concatenate(w))
        found = np.linalg.lstsq(np.concatenate(x) * root[:, None], np.concatenate(y) * root, rcond=None)[0]
        power = min(max(float(found[1]), wear_curve.STEEP[0]), wear_curve.STEEP[1])
        return lambda tool: tool.clock(name) * math.exp(float(found[2:] @ conditions(tool)) / power)

    return of


def trace(tool: Tool, followed: Mapping[str, Followed], clock: Clock) -> Trace:
    """What is known of an earlier tool."""
    return Trace(clock(tool), tool.wear, followed[tool.name].levels if tool.name in followed else {})


def curve(tools: Sequence[Tool], followed: Mapping[str, Followed], clock: Clock, limit: float) -> Curve:
    """Of one tool more. followed: of the tools whose signals count; empty: the clock alone."""
    found = wear_curve.fit([trace(tool, followed, clock) for tool in tools], limit)
    assert found is not None, "no tool was measured"
    return found
