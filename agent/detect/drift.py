"""Slow change of an operation that wear does not explain: its work sinks, cut by cut, below what it was.

The charts are `agent.kernels.drift`: whitened log(work) of closed good cuts, a CUSUM for a step and a slow EWMA for a creep, limits at the
budget's run length, wider where few cuts tell. Upwards is the business of `wear`, which knows the new tool: only a fall is judged here.

A fall below `smallest_drift` of [monitoring] is never told: it asks for no action (DESIGN.md, decision 8), the same 5 % within which a tool
counts as not moving (`fusion.FLAT`). It is the shop's choice, not a statistical one: a cold machine warms up by 3 to 5 %.
"""

from __future__ import annotations

import functools
import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect import drift_state
from agent.detect.baseline import SPREAD_FLOOR, Baseline
from agent.detect.finding import about
from agent.kernels import drift as charts
from agent.model import Finding

SLACK = 0.5
"""k: a shift of one standard deviation of the whitened value is found fastest, or `smallest_drift`, whichever is larger."""
WEIGHT = 0.04
"""Of the slow chart: a memory of 25 cuts."""
CLIP = 3.0
"""Largest score that counts, so that one odd cut is not a drift."""
RECENT = 5
"""Cuts over which it is told whether a drift is over."""
BACK = 0.5
"""... which it is when their mean has come back by so much of the fall."""
POOLED_FROM = 20.0
"""Weight from which on an operation tells the others of its autocorrelation: that of about 35 cuts."""
AMONG = 0.36
"""Variance of arcsin of the autocorrelation among the operations of a machine, before it is known: shared by as many as are known."""
WITHIN = int(charts.WITHIN)
"""Cuts within which a shift of `SIGMAS` must be told, or the chart counts as not supported (issue 5, Show: the real run length)."""
SIGMAS = 2.0
MOST = 1000
"""Good cuts beyond which it is not promised that an operation will ever support its run length."""


class DriftState(msgspec.Struct):
    """What survives a restart."""

    keys: list[str] = []
    state: bytes = b""
    told: list[str] = []
    falls: dict[str, float] = {}
    """Of what was told: the fall, log."""


def visible(n: int, phi: float, run_length: float, within: int = WITHIN) -> float:
    """Smallest lasting shift, in standard deviations of a value, that the sum tells within so many cuts on average; inf: none.

    The shift is learned as it lasts: after m cuts n / (n + m) of it is left, in all n ln(1 + m / n), and has to reach h + k m. Its first
    value is whitened by one from before: that is worth phi / (1 - phi) values more.

    Parameters
    ----------
    n: good cuts before it. phi: AR(1) coefficient of the values. run_length: T. within: m.
    """
    settings = drift_state.settings(run_length, 0, 0.0, slack=SLACK, weight=WEIGHT, clip=CLIP)
    freedom = max(n - 3.0, 1.0)
    used = min(max(phi, 0.0), charts.DEEPEST)
    seen = phi - charts.bias(phi) / freedom
    limit, _ = charts.limits(seen, freedom, charts.PRIOR_MEAN, charts.PRIOR_SPREAD, used, 1.0, 0.0, SLACK, settings)
    left = n * math.log1p(within / n) + used / (1.0 - used)
    if not math.isfinite(limit) or left < 1.0:
        return math.inf
    score = (limit + SLACK * within) / left
    # One standard deviation of the value moves the whitened one by (1 - used), whose own is sqrt(1 + used² - 2 used phi).
    shift = score * math.sqrt(1.0 + used * used - 2.0 * used * phi) / (1.0 - used)
    return shift if score <= charts.STRONGEST else math.inf


def supported(n: int, phi: float, run_length: float) -> bool:
    """Whether n good cuts support this run length: a shift of two standard deviations is told within 35 cuts."""
    return visible(n, phi, run_length) <= SIGMAS


@functools.lru_cache(maxsize=256)
def enough(phi: float, run_length: float, least: int = 20) -> int:
    """Good cuts, `least` or more, from which on this run length is supported; 0: not within `MOST`."""
    return next((n for n in range(least, MOST, 5) if supported(n, phi, run_length)), 0)


def chart_settings(run_length: float, fewest: int, smallest: float) -> NDArray[np.float64]:
    """What the charts of this file run with; `smallest`: the smallest fall that is told, as a fraction."""
    return drift_state.settings(run_length, fewest, SPREAD_FLOOR, smallest=-math.log1p(-smallest), slack=SLACK, weight=WEIGHT, clip=CLIP)


class Drift:
    """The charts of all operations of a machine, one column each.

    Parameters
    ----------
    p: chance that one evaluation may be a false alarm: 1 / run length.
    fewest: good cuts of an operation before it is judged.
    smallest: the smallest fall that is told, as a fraction.
    """

    def __init__(self, p: float, fewest: int, smallest: float = 0.05) -> None:
        self._settings = chart_settings(1.0 / p, fewest, smallest)
        self._smallest = -math.log1p(-smallest)
        self._columns: dict[str, int] = {}
        self._state = drift_state.new(0)
        self._told: dict[str, float] = {}
        self._free: list[int] = []

    def retarget(self, p: float) -> float:
        """Another share of the budget, which is handed back: the limits follow when they are next made anew."""
        if self._settings[charts.RUN_LENGTH] != 1.0 / p:
            self._settings[charts.RUN_LENGTH] = 1.0 / p
        return p

    def take(self, baseline: Baseline, work: float, time: float, part: int, wider: float = 1.0) -> Finding | None:
        """A good cut's log(work); the finding is handed out once, and its end once. `wider`: the limit's width by the operator's word."""
        key = baseline.key
        column = self._column(key)
        told = self._told.get(key)
        one = np.ascontiguousarray(self._state[:, column : column + 1])
        one[charts.PRIOR, 0], one[charts.PRIOR_VARIANCE, 0] = self._others(column)
        out = np.empty((1, charts.OUTPUTS, 1))
        learn = np.full((1, 1), told is None, dtype=np.uint8)
        charts.update(one, np.full((1, 1), work), learn, self._settings, np.full(1, wider), out)
        self._state[:, column] = one[:, 0]
        if told is not None:
            change = self.change(baseline) or 0.0
            if change < -BACK * told:
                return None
            del self._told[key]
            drift_state.restart(self._state, column)
            return _finding(baseline, time, part, 0.0, change, wider, 0, finished=True)
        if out[0, charts.EVENT, 0] == 0.0:
            return None
        change = float(out[0, charts.CHANGE, 0])
        self._told[key] = -change
        return _finding(
            baseline,
            time,
            part,
            wider * float(out[0, charts.LEVEL, 0]),
            change,
            wider,
            int(out[0, charts.SINCE, 0]),
            finished=False,
            chance=charts.SHARES[int(out[0, charts.EVENT, 0]) - 1] / float(self._settings[charts.RUN_LENGTH]),
        )

    def renew(self, key: str) -> None:
        """A new tool: its mean begins again; autocorrelation and spread are the machine's and stay."""
        if key in self._columns:
            drift_state.renew(self._state, self._columns[key])
        self._told.pop(key, None)

    def change(self, baseline: Baseline) -> float | None:
        """Log of the recent work of an operation over what its chart knows as usual; None: it is not known yet."""
        column = self._columns.get(baseline.key)
        if column is None or not baseline.work.values or self._state[charts.N, column] < 1.0:
            return None
        return float(np.mean(baseline.work.values[-RECENT:])) - float(self._state[charts.NOW, column])

    def sees(self, key: str) -> float:
        """Smallest lasting fall, as a fraction, that this operation's chart tells within `WITHIN` cuts in half of the cases; inf: none yet.

        What is told is the fall since it began, of which a part is learned meanwhile: what is left has to be `smallest_drift`.
        """
        column = self._columns.get(key)
        if column is None or not math.isfinite(told := self._told_from(column)):
            return math.inf
        return -math.expm1(-max(told, self._smallest * WITHIN / self._left(column)))

    def tells(self, key: str) -> bool:
        """Whether this operation stands off by what was found, and has not come back."""
        return key in self._told

    def forget(self, key: str) -> None:
        """An operation that is gone: its column is free for another."""
        if key in self._columns:
            column = self._columns.pop(key)
            self._state[:, column] = drift_state.new(1)[:, 0]
            self._free.append(column)
        self._told.pop(key, None)

    def unmark(self, key: str) -> None:
        """What was told of this operation was false: it may be told again, and its cuts are learned from."""
        self._told.pop(key, None)

    def saved(self) -> DriftState:
        """What survives a restart."""
        keys = list(self._columns)
        state = np.ascontiguousarray(self._state[:, [self._columns[key] for key in keys]]).tobytes()
        return DriftState(keys, state, sorted(self._told), dict(sorted(self._told.items())))

    def restore(self, saved: DriftState) -> None:
        """Take back what `saved` gave; another layout of the charts is left alone."""
        state = np.frombuffer(saved.state, dtype=np.float64)
        if state.size != charts.FIELDS * len(saved.keys):
            return
        self._columns = {key: i for i, key in enumerate(saved.keys)}
        self._state = np.ascontiguousarray(state.reshape(charts.FIELDS, len(saved.keys)).copy())
        self._told = {key: saved.falls.get(key, 0.0) for key in saved.told}
        self._free = []

    def _told_from(self, column: int) -> float:
        """Fall, log, at which the sum reaches the limit that it has now within `WITHIN` cuts on average; inf: none. As `visible`, with this
        operation's own spread and what its own history added."""
        one = self._state[:, column]
        spread, used = float(one[charts.SPREAD]), float(one[charts.PHI])
        if not (one[charts.N] + one[charts.OLD_N] > 0.0 and spread > 0.0 and math.isfinite(one[charts.LIMIT])):
            return math.inf
        k = charts.slack(self._state, column, self._settings)
        score = (float(one[charts.LIMIT]) + k * WITHIN) / (self._left(column) + used / (1.0 - used))
        return score * spread / (1.0 - used) if score <= max(CLIP, 2.0 * k + 0.5) else math.inf

    def _left(self, column: int) -> float:
        """Of a shift of 1 that lasts `WITHIN` cuts, the sum of what is not learned meanwhile."""
        n = float(self._state[charts.N, column] + self._state[charts.OLD_N, column])
        return n * math.log1p(WITHIN / n)

    def _others(self, column: int) -> tuple[float, float]:
        """Arcsin of the autocorrelation that the machine's other operations have, and its variance: their spread among themselves (the
        moment estimate of R. DerSimonian and N. Laird, Controlled Clinical Trials 7 (1986) 177-188), and what so few of them leave open."""
        weights = self._state[charts.TOLD].copy()
        weights[column] = 0.0
        known = weights >= POOLED_FROM
        k = int(known.sum())
        if k < 2:
            return charts.PRIOR_MEAN, charts.PRIOR_SPREAD
        w, own = weights[known], self._state[charts.OWN, known]
        total = float(w.sum())
        mean = float((w * own).sum()) / total
        excess = float((w * (own - mean) ** 2).sum()) - (k - 1)
        between = max(excess / (total - float((w * w).sum()) / total), 0.0)
        return mean, min(between + 1.0 / total + AMONG / k, charts.PRIOR_SPREAD)

    def _column(self, key: str) -> int:
        column = self._columns.get(key)
        if column is None:
            if not self._free:
                self._free.append(self._state.shape[1])
                self._state = np.ascontiguousarray(np.hstack([self._state, drift_state.new(1)]))
            column = self._columns[key] = self._free.pop()
        return column


def _finding(
    baseline: Baseline,
    time: float,
    part: int,
    score: float,
    change: float,
    wider: float,
    since: int,
    *,
    finished: bool,
    chance: float | None = None,
) -> Finding:
    """`score` and its threshold: the sum in limits of the budget, so 1 is what the budget allows."""
    return about(
        baseline,
        time,
        "drift",
        score,
        wider,
        {
            "change_pct": 100.0 * math.expm1(change),
            "n_baseline": baseline.good,
            "since_part": max(part - since + 1, 0),
            "part": part,
        },
        severity="warning",
        finished=finished,
        chance=chance,
    )
