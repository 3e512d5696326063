"""Wear in mm (or um) from the cutting clock and the signals, by what was measured on earlier tools: only where somebody measured.

Each predictor is calibrated alone: both clocks (time, and volume where it is known) by a power law a t^p, fitted in logarithms and
averaged; a signal by a line over its log ratio. They are then mixed, beginning with the clock. A signal comes in only if it lowers the
error of earlier tools that were each left out in turn by at least a tenth, and on three of four of them: with the handful of tools that a
shop measures, anything weaker is chance. Weights are those of the smallest mean square error of the mix, none below zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAIN = 0.9
"""Share of the mean square error that may be left when a signal comes in."""
SHARE = 0.75
"""Share of the earlier tools on which it must help."""
RIDGE = 0.5
"""By which the errors' variances are raised over their covariances: weights are drawn to equal ones."""
ALONE = 0.8
"""With one earlier tool none can be left out: a signal then needs this much of that tool's variance, and all weigh the same."""
EXPONENT = (0.1, 2.0)
"""Limits of p: wear grows, and not faster than by the square of the time."""
MOST = 400
"""Points that are kept of a life: every second is dropped when there are more."""


class Point(msgspec.Struct, frozen=True):
    """A tool after one cut: its clocks, and the levels of its signals (log ratio to its first cuts)."""

    time: float
    volume: float = 0.0
    levels: dict[str, float] = {}
    cuts: int = 0
    parts: int = 0


class Measure(msgspec.Struct, frozen=True):
    """A flank wear that somebody measured and typed in (any unit, the same throughout), and the tool at that time."""

    wear: float
    at: Point


class Life(msgspec.Struct):
    """One tool from new to change, as far as it was measured."""

    measures: list[Measure] = []


Predictor = Callable[[Sequence[Point]], Array]


class Calibration:
    """Fitted on earlier lives.

    Parameters
    ----------
    lives: those with measures; at least one.

    Raises
    ------
    ValueError: no life has a measure above zero.
    """

    def __init__(self, lives: Sequence[Life]) -> None:
        known = [life for life in lives if any(m.wear > 0.0 for m in life.measures)]
        if not known:
            raise ValueError("no earlier tool was measured")
        self.lives = len(known)
        names = sorted(set.intersection(*({name for m in life.measures for name in m.at.levels} for life in known)))
        self.names: tuple[str, ...] = ("clock",)
        self.weights = np.ones(1)
        chosen = _forward(known, names) if len(known) > 1 else _alone(known[0], names)
        self.names = tuple(chosen)
        self.weights = np.array(list(chosen.values()))
        self._predictors = [_fit(name, known) for name in self.names]
        self.error = _left_out(known, self.names, self.weights) if len(known) > 1 else math.nan
        """Root mean square error on earlier tools, each left out of the lines in turn (not of the choice of signals)"""

    def predict(self, points: Sequence[Point]) -> Array:
        """Wear at each point. A signal that is not there (dead sensor, missing channel) leaves its weight to the others."""
        if not points:
            return np.zeros(0)
        each = np.stack([predictor(points) for predictor in self._predictors], axis=1)
        there = np.isfinite(each)
        weights = np.where(there, self.weights, 0.0)
        total = weights.sum(axis=1)
        out: Array = np.divide((np.where(there, each, 0.0) * weights).sum(axis=1), total, out=np.full(len(each), np.nan), where=total > 0.0)
        return out

    def carried(self, points: Sequence[Point], measure: Measure) -> Array:
        """The same from the last measure on: what was measured, and what earlier tools gained from there."""
        gain = self.predict(points) - self.predict([measure.at])[0]
        out: Array = measure.wear + np.maximum(gain, 0.0)
        return out


def crossing(measures: Sequence[Measure], limit: float) -> tuple[float, float] | None:
    """Cutting time between which the wear of this tool reaches `limit`, by its own measures; None where they support none.

    Few-shot power law b + a t^p: for every p of a grid the least squares line over t^p; all that fit not much worse than the best (F-test
    of one parameter at 10 % would be about this wide: twice its residual, at least 2 % of the limit) count. Three measures are the least.
    """
    used = [(m.at.time, m.wear) for m in measures if m.at.time > 0.0]
    if len({time for time, _ in used}) < 3:
        return None
    t, y = np.array(used).T
    found: list[tuple[float, float]] = []
    for p in (0.35, 0.5, 0.7, 1.0, 1.4, 2.0):
        x = t**p
        a = float(np.cov(x, y, bias=True)[0, 1] / max(np.var(x), 1e-300))
        b = float(y.mean() - a * x.mean())
        residual = float(np.sqrt(np.mean((y - b - a * x) ** 2)))
        if a > 0.0:
            found.append((residual, float(max((limit - b) / a, 0.0)) ** (1.0 / p)))
    if not found:
        return None
    best = min(residual for residual, _ in found)
    ends = [end for residual, end in found if residual <= 2.0 * best + 0.02 * limit]
    return min(ends), max(ends)


def thinned(points: list[Point]) -> list[Point]:
    """At most `MOST` of them: every second one from the beginning is dropped, the newest stays."""
    return points if len(points) <= MOST else [*points[:-1:2], points[-1]]


def _fit(name: str, lives: Sequence[Life]) -> Predictor:
    if name != "clock":
        return _line(name, lives)
    time = _power(lives, lambda point: point.time)
    if not all(m.at.volume > 0.0 for life in lives for m in life.measures if m.at.time > 0.0):
        return time
    volume = _power(lives, lambda point: point.volume)

    def both(points: Sequence[Point]) -> Array:
        known = np.array([point.volume > 0.0 for point in points])
        return np.where(known, 0.5 * (time(points) + volume(points)), time(points))

    return both


def _power(lives: Sequence[Life], clock: Callable[[Point], float]) -> Predictor:
    """Wear = a t^p, every life with the same weight."""
    rows = [
        (math.log(clock(m.at)), math.log(m.wear), 1.0 / len(life.measures))
        for life in lives
        for m in life.measures
        if clock(m.at) > 0.0 and m.wear > 0.0
    ]
    if not rows:
        middle = float(np.mean([m.wear for life in lives for m in life.measures]))
        return lambda points: np.full(len(points), middle)
    x, y, w = np.array(rows).T
    w = w / w.sum()
    mx, my = float(w @ x), float(w @ y)
    p = float(np.clip((w @ ((x - mx) * (y - my))) / max(float(w @ (x - mx) ** 2), 1e-12), *EXPONENT))
    a = math.exp(my - p * mx)
    return lambda points: np.array([a * max(clock(point), 0.0) ** p for point in points])


def _line(name: str, lives: Sequence[Life]) -> Predictor:
    """Wear = b + a max(level, 0), every life with the same weight, neither below zero."""
    rows = [(max(m.at.levels[name], 0.0), m.wear, 1.0 / len(life.measures)) for life in lives for m in life.measures if name in m.at.levels]
    if not rows:
        return lambda points: np.full(len(points), np.nan)
    x, y, w = np.array(rows).T
    w = w / w.sum()
    mx, my = float(w @ x), float(w @ y)
    a = max(float(w @ ((x - mx) * (y - my))) / max(float(w @ (x - mx) ** 2), 1e-12), 0.0)
    b = my - a * mx
    if b < 0.0:
        b, a = 0.0, float(w @ (x * y)) / max(float(w @ x**2), 1e-12)
    return lambda points: np.array([b + a * max(p.levels[name], 0.0) if name in p.levels else math.nan for p in points])


def _alone(life: Life, names: Sequence[str]) -> dict[str, float]:
    points, y = [m.at for m in life.measures], np.array([m.wear for m in life.measures])
    chosen = ["clock"]
    for name in names:
        residual = _line(name, [life])(points) - y
        good = np.isfinite(residual)
        if good.sum() >= 8 and np.mean(residual[good] ** 2) < (1.0 - ALONE) * np.var(y[good]):
            chosen.append(name)
    return {name: 1.0 / len(chosen) for name in chosen}


def _folds(lives: Sequence[Life], names: Sequence[str]) -> list[tuple[Array, Array]]:
    """Of each life: predictions of every name from the others, and what was measured."""
    out = []
    for i, life in enumerate(lives):
        rest = [*lives[:i], *lives[i + 1 :]]
        points = [m.at for m in life.measures]
        each = np.stack([_fit(name, rest)(points) for name in names], axis=1)
        each = np.where(np.isfinite(each), each, each[:, :1])
        out.append((each, np.array([m.wear for m in life.measures])))
    return out


def _forward(lives: Sequence[Life], names: Sequence[str]) -> dict[str, float]:
    every = ("clock", *names)
    folds = _folds(lives, every)
    chosen, weights = [0], np.ones(1)
    errors = _errors(folds, chosen, weights)
    while True:
        best: tuple[Array, list[int], Array] | None = None
        for j in range(1, len(every)):
            if j in chosen:
                continue
            tried = [*chosen, j]
            mix = _mix(folds, tried)
            now = _errors(folds, tried, mix)
            if float(np.mean(now < errors)) >= SHARE and (best is None or now.mean() < best[0].mean()):
                best = (now, tried, mix)
        if best is None or best[0].mean() > GAIN * errors.mean():
            return {every[j]: float(weight) for j, weight in zip(chosen, weights, strict=True)}
        errors, chosen, weights = best


def _errors(folds: list[tuple[Array, Array]], chosen: list[int], weights: Array) -> Array:
    """Mean square error of each life."""
    return np.array([float(np.mean((each[:, chosen] @ weights - y) ** 2)) for each, y in folds])


def _left_out(lives: Sequence[Life], names: Sequence[str], weights: Array) -> float:
    return float(np.sqrt(_errors(_folds(lives, names), list(range(len(names))), weights).mean()))


def _mix(folds: list[tuple[Array, Array]], chosen: list[int]) -> Array:
    """Weights of the least mean square error that sum to one, none below zero: the smallest leaves as long as one is."""
    cov = sum(((each[:, chosen] - y[:, None]).T @ (each[:, chosen] - y[:, None])) / len(y) for each, y in folds) / len(folds)
    cov = np.asarray(cov) + RIDGE * np.diag(np.diag(cov)) + 1e-12 * np.eye(len(chosen))
    left = list(range(len(chosen)))
    while True:
        w = np.linalg.solve(cov[np.ix_(left, left)], np.ones(len(left)))
        w = w / w.sum()
        if len(left) == 1 or bool((w >= 0.0).all()):
            out = np.zeros(len(chosen))
            out[left] = w
            return out
        left.pop(int(np.argmin(w)))
