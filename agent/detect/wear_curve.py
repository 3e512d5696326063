"""Flank wear of a tool by what earlier tools in its place showed: a curve over the cutting clock, and what its signals add to it.

Wear spreads by factors from tool to tool (Taylor's equation), so all is in logarithms:

    log wear = level + exponent log(cutting time) + deviation of this tool + noise

Level and exponent come from the earlier tools, every tool with the same weight. How far a tool deviates is not known beforehand; only how
far the earlier ones did. A signal may foretell it: what its log ratio to the new tool has in excess of what is usual at that time on the
clock (`Excess`). With few earlier tools almost any signal seems to help by chance, and the clock alone is hard to beat (knowledge of
detection, 1.2). So each signal's part is shrunk by what it gained on the earlier tools themselves, each of them left out in turn: to
nothing where that gain is not larger than its standard error, and nothing beyond what the earlier tools showed is believed of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.detect.budget import t_quantile, t_tail

Array = NDArray[np.float64]

SCATTER = 0.3
"""Standard deviation of the log of tool life that is assumed before the earlier tools show their own: lives of like tools in like work
differ by some 30 % (an assumption; the coefficients of variation in print lie about 0.2 to 0.4) ..."""
SCATTER_DOF = 3
"""... worth so many degrees of freedom (empirical Bayes shrinkage of variances, as `baseline.Prior`)."""
EXPONENT = 1.0
"""Where no earlier tool was measured twice: wear in proportion to the clock. Of no effect where all of them ended at the limit."""
STEEP = (0.1, 3.0)
"""Exponents that are believed."""
TELLING = 0.1
"""Share of the limit from which on wear tells anything of a signal: below it, its logarithm is that of an edge's sharpness."""
EARLIEST = 1e-9
"""s: before the first cut, whose time is 0"""
FEWEST = 3
"""Earlier tools without which a signal's gain has no standard error."""
DUE = 0.2
"""Chance that the limit is reached by the end of the next cut at which a change is due: four of five such tools would last longer. A worn
edge spoils a part, a change too early wastes a share of an edge. One in ten and three in ten were looked at as well (decision 15)."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of a signal's full part, of which that with the largest gain is taken before it is shrunk."""


@dataclass(frozen=True)
class Trace:
    """What is known of one earlier tool: at some moments its cutting time (s since new), its flank wear, its signals.

    wear: unit of the limit; NaN where it was not measured. levels: by signal, log ratio to its new edge, NaN where there is none.
    """

    seconds: Array
    wear: Array
    levels: Mapping[str, Array]


@dataclass(frozen=True)
class Excess:
    """What a signal has in excess of the usual at that time on the clock, and what it says of the wear.

    start, rise: usual log ratio = start + rise log(time). slope: log wear a unit of excess, not below zero. least, most: excess that the
    earlier tools showed. weight: share of it that is believed, 0 to 1.
    """

    start: float
    rise: float
    slope: float
    least: float
    most: float
    weight: float = 1.0

    def of(self, log_time: Array, level: Array) -> Array:
        """Correction of the log wear; 0 where the signal is not there."""
        excess = np.clip(level - self.start - self.rise * log_time, self.least, self.most)
        return self.weight * self.slope * np.where(np.isfinite(excess), excess, 0.0)


@dataclass(frozen=True)
class Curve:
    """Log wear = level + exponent log(time), corrected by the signals; spread: of one tool more about it, with `dof` degrees of freedom."""

    level: float
    exponent: float
    excess: Mapping[str, Excess]
    spread: float
    dof: int
    n: int
    """Earlier tools"""

    def corrections(self, seconds: Array, levels: Mapping[str, Array]) -> Array:
        """What the signals add to the log wear at these times. levels: as in `Trace`, at the same moments."""
        t = np.log(np.maximum(seconds, EARLIEST))
        return sum((one.of(t, levels[name]) for name, one in self.excess.items() if name in levels), np.zeros(len(t)))

    def expected(self, seconds: Array, levels: Mapping[str, Array]) -> Array:
        """Wear at these times, in the unit of the limit."""
        out: Array = np.exp(self.level + self.exponent * np.log(np.maximum(seconds, EARLIEST)) + self.corrections(seconds, levels))
        return out

    def chance(self, seconds: float, limit: float, correction: float = 0.0) -> float:
        """Chance that the limit is reached by then: the share of such tools of which it is. correction: what the signals say now."""
        off = (math.log(limit) - self.level - correction - self.exponent * math.log(max(seconds, EARLIEST))) / self.spread
        return t_tail(off, self.dof) if off >= 0.0 else 1.0 - t_tail(-off, self.dof)

    def reached(self, chance: float, limit: float, correction: float = 0.0) -> float:
        """Cutting time (s) by which so many of such tools (0 to 1) are at the limit: the inverse of `chance`."""
        quantile = t_quantile(min(chance, 1.0 - chance), self.dof) * (1.0 if chance >= 0.5 else -1.0)
        return math.exp(min((math.log(limit) - self.level - correction + quantile * self.spread) / self.exponent, 700.0))


def fit(traces: Sequence[Trace], limit: float) -> Curve | None:
    """The curve of one tool more, by those before it; None where none of them has a measure above zero."""
    known = [rows for trace in traces if len((rows := _Rows(trace, limit)).y)]
    line = _clock(known)
    if line is None:
        return None
    excess = {}
    for name in sorted({name for rows in known for name in rows.levels}):
        weight = _weight(known, name)
        full = _excess(known, name, line) if weight > 0.0 else None
        if full is not None:
            excess[name] = (full, weight)
    total = max(sum(weight for _, weight in excess.values()), 1.0)
    shrunk = {name: Excess(one.start, one.rise, one.slope, one.least, one.most, weight / total) for name, (one, weight) in excess.items()}
    spread, dof = _spread(known, line, shrunk)
    return Curve(line[0], line[1], shrunk, spread, dof, len(known))


class _Rows:
    """A trace where its wear is known and above zero, in logarithms; each tool weighs the same."""

    def __init__(self, trace: Trace, limit: float) -> None:
        good = np.isfinite(trace.wear) & (trace.wear > 0.0) & (trace.seconds > 0.0)
        self.t: Array = np.log(trace.seconds[good])
        self.y: Array = np.log(trace.wear[good])
        self.levels = {name: level[good] for name, level in trace.levels.items() if np.isfinite(level[good]).any()}
        self.telling = self.y > math.log(TELLING * limit) if limit > 0.0 else np.ones(len(self.y), dtype=bool)


def _line(level: float, exponent: float, t: Array) -> Array:
    out: Array = level + exponent * t
    return out


def _clock(rows: Sequence[_Rows]) -> tuple[float, float] | None:
    """Level and exponent: a weighted regression over all tools that were measured more than once."""
    if not rows:
        return None
    twice = [one for one in rows if np.ptp(one.t) > 0.0]
    exponent = EXPONENT
    if twice:
        _, slope = _regress(np.concatenate([one.t for one in twice]), np.concatenate([one.y for one in twice]), _weights(twice))
        exponent = min(max(slope, STEEP[0]), STEEP[1])
    return float(np.mean([np.mean(one.y - exponent * one.t) for one in rows])), exponent


def _excess(rows: Sequence[_Rows], name: str, line: tuple[float, float]) -> Excess | None:
    """What a signal says of how far a tool is off the line; None where fewer than two tools have it."""
    those = [(one, np.isfinite(one.levels[name])) for one in rows if name in one.levels]
    if len(those) < 2:
        return None
    t = np.concatenate([one.t[good] for one, good in those])
    s = np.concatenate([one.levels[name][good] for one, good in those])
    off = np.concatenate([(one.y - _line(*line, one.t))[good] for one, good in those])
    w = np.concatenate([np.full(int(good.sum()), 1.0 / good.sum()) for _, good in those])
    start, rise = _regress(t, s, w)
    excess = s - start - rise * t
    return Excess(
        start, rise, max(float(w @ (excess * off)) / (float(w @ excess**2) + 1e-9), 0.0), float(excess.min()), float(excess.max())
    )


def _weight(rows: Sequence[_Rows], name: str) -> float:
    """Share of a signal's part that is believed: by its gain in squared log error over the clock alone, each tool left out in turn.

    The gain g with its standard error e over the tools keeps 1 - (e / g)^2 of it, nothing where that is below zero (the positive-part
    estimator of W. James and C. Stein, Proc. 4th Berkeley Symp. 1 (1961) 361, of one mean).
    """
    gains = []
    for one in rows:
        if not one.telling.any():
            continue
        rest = [other for other in rows if other is not one]
        line = _clock(rest)
        if line is None:
            return 0.0
        off = (one.y - _line(*line, one.t))[one.telling]
        full = _excess(rest, name, line)
        says = full.of(one.t, one.levels[name])[one.telling] if full is not None and name in one.levels else np.zeros(len(off))
        gains.append([float(np.mean(off**2) - np.mean((off - share * says) ** 2)) for share in SHARES])
    if len(gains) < FEWEST:
        return 0.0
    of = np.array(gains)
    best = int(of.mean(axis=0).argmax())
    gain, error = float(of[:, best].mean()), float(of[:, best].std(ddof=1)) / math.sqrt(len(of))
    return SHARES[best] * max(1.0 - (error / gain) ** 2, 0.0) if gain > 0.0 else 0.0


def _spread(rows: Sequence[_Rows], line: tuple[float, float], excess: Mapping[str, Excess]) -> tuple[float, int]:
    """Of the log wear of one tool more: between tools, of their mean, and within a tool; and its degrees of freedom."""
    means, within = [], []
    for one in rows:
        says = sum((part.of(one.t, one.levels[name]) for name, part in excess.items() if name in one.levels), np.zeros(len(one.t)))
        off = (one.y - _line(*line, one.t) - says)[one.telling if one.telling.any() else slice(None)]
        means.append(float(off.mean()))
        within.append(float(off.var()))
    n = len(rows)
    dof = SCATTER_DOF + n - 1
    own = float(np.sum((np.array(means) - np.mean(means)) ** 2))
    between = (SCATTER_DOF * (SCATTER * line[1]) ** 2 + own) / dof
    return math.sqrt(between * (1.0 + 1.0 / n) + float(np.mean(within))), dof


def _weights(rows: Sequence[_Rows]) -> Array:
    return np.concatenate([np.full(len(one.t), 1.0 / len(one.t)) for one in rows])


def _regress(x: Array, y: Array, w: Array) -> tuple[float, float]:
    """Intercept and slope by weighted least squares."""
    w = w / w.sum()
    mx, my = float(w @ x), float(w @ y)
    slope = float(w @ ((x - mx) * (y - my))) / max(float(w @ (x - mx) ** 2), 1e-12)
    return my - slope * mx, slope
