"""Wear in the unit of the labels, from what was cut and from the levels of the signals, calibrated on tools that were measured.

The clock's curve is Taylor's power law a t^p, with the cutting data where they differ (`taylor`): the form of the textbook. A signal's is a
straight line. Where both are there they are averaged with equal weights (Clemen, Int. J. Forecasting 5, 1989, 559).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.detection._wear import Array, Followed, Tool

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
