"""Slow change of an operation that wear does not explain: its work sinks, cut by cut, below what it was.

A self-starting chart per operation (Q-statistics into a CUSUM: `agent.kernels.charts`, Hawkins 1987) needs no teach-in. Upwards is the
business of `wear`, which knows the new tool; here only the lower sum is judged. The limit comes from the budget by Siegmund's
approximation of the run length of a one-sided CUSUM, ARL = (exp(2 k b) - 2 k b - 1) / (2 k^2) with b = h + 1.166 (Siegmund, Sequential
Analysis, 1985, eq. 2.57), widened like every Gaussian limit (`budget.WIDEN`).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from agent.detect.baseline import SPREAD_FLOOR, Baseline
from agent.detect.budget import WIDEN
from agent.kernels import charts
from agent.model import Finding

SLACK = 0.5
"""k: a shift of one standard deviation is found fastest."""
CLIP = 3.0
"""Largest score that counts, so that one odd cut is not a drift."""
WEIGHT = 0.2
RECENT = 5
"""Cuts over which the size of the drift is told."""


class DriftState(msgspec.Struct):
    """What survives a restart."""

    keys: list[str] = []
    state: bytes = b""
    told: list[str] = []


def limit(p: float) -> float:
    """H of the lower sum whose mean run length is 1 / p evaluations."""
    low, high = 0.0, 100.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        b = middle + 1.166
        if (math.exp(2.0 * SLACK * b) - 2.0 * SLACK * b - 1.0) / (2.0 * SLACK**2) < 1.0 / p:
            low = middle
        else:
            high = middle
    return WIDEN * high


class Drift:
    """The charts of all operations of a machine, one column each.

    Parameters
    ----------
    p: chance that one evaluation may be a false alarm.
    fewest: good cuts of an operation before it is judged.
    """

    def __init__(self, p: float, fewest: int) -> None:
        self._limit = limit(p)
        self._fewest = fewest
        self._columns: dict[str, int] = {}
        self._state = charts.new(0)
        self._told: set[str] = set()
        self._free: list[int] = []

    def take(self, baseline: Baseline, work: float, time: float, part: int, wider: float = 1.0) -> Finding | None:
        """A good cut's log(work); the finding is handed out once, and its end once. `wider`: the limit's width by the operator's word."""
        column = self._column(baseline.key)
        width = self._state.shape[1]
        values = np.full((1, width), np.nan)
        values[0, column] = work
        out = np.empty((1, charts.OUTPUTS, width))
        learn = np.full((1, width), baseline.key not in self._told, dtype=np.uint8)
        charts.update(self._state, values, learn, np.full(width, SPREAD_FLOOR), SLACK, WEIGHT, CLIP, out)
        if baseline.good < self._fewest:
            return None
        down = float(out[0, charts.DOWN, column])
        change = self.change(baseline) or 0.0
        if baseline.key in self._told:
            if change < -baseline.work.sd:
                return None
            self._told.discard(baseline.key)
            charts.restart(self._state, np.arange(width) == column)
            return self._finding(baseline, time, part, down, change, wider, finished=True)
        if down <= wider * self._limit:
            return None
        self._told.add(baseline.key)
        return self._finding(baseline, time, part, down, change, wider, finished=False)

    def change(self, baseline: Baseline) -> float | None:
        """Log of the recent work of an operation over what its chart knows as usual; None: it is not known yet."""
        column = self._columns.get(baseline.key)
        if column is None or not baseline.work.values:
            return None
        return float(np.mean(baseline.work.values[-RECENT:])) - float(self._state[charts.MEAN, column])

    def tells(self, key: str) -> bool:
        """Whether this operation stands off by what was found, and has not come back."""
        return key in self._told

    def forget(self, key: str) -> None:
        """A new tool, or an operation that is gone: its chart begins again, its column is free for another."""
        if key in self._columns:
            charts.forget(self._state, np.arange(self._state.shape[1]) == self._columns[key])
            self._free.append(self._columns.pop(key))
        self._told.discard(key)

    def unmark(self, key: str) -> None:
        """What was told of this operation was false: it may be told again, and its cuts are learned from."""
        self._told.discard(key)

    def saved(self) -> DriftState:
        """What survives a restart."""
        keys = list(self._columns)
        return DriftState(keys, np.ascontiguousarray(self._state[:, [self._columns[key] for key in keys]]).tobytes(), sorted(self._told))

    def restore(self, saved: DriftState) -> None:
        """Take back what `saved` gave; another layout of the charts is left alone."""
        state = np.frombuffer(saved.state, dtype=np.float64)
        if state.size != charts.FIELDS * len(saved.keys):
            return
        self._columns = {key: i for i, key in enumerate(saved.keys)}
        self._state = np.ascontiguousarray(state.reshape(charts.FIELDS, len(saved.keys)).copy())
        self._told = set(saved.told)
        self._free = []

    def _column(self, key: str) -> int:
        column = self._columns.get(key)
        if column is None:
            if not self._free:
                self._free.append(self._state.shape[1])
                self._state = np.ascontiguousarray(np.hstack([self._state, charts.new(1)]))
            column = self._columns[key] = self._free.pop()
        return column

    def _finding(self, baseline: Baseline, time: float, part: int, down: float, change: float, wider: float, *, finished: bool) -> Finding:
        return Finding(
            time=time,
            kind="drift",
            severity="warning",
            channel="",
            spindle=baseline.spindle,
            operation=baseline.key,
            tool=baseline.tool,
            score=down,
            threshold=wider * self._limit,
            evidence={
                "change_pct": 100.0 * math.expm1(change),
                "n_baseline": baseline.good,
                "since_part": max(part - int(self._state[charts.DOWN_RUN, self._columns[baseline.key]]) + 1, 0),
                "part": part,
            },
            finished=finished,
        )
