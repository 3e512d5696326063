"""A slow rise of several figures of vibration together, against what this machine showed when it was well.

Every figure is a logarithm, so that a change is a ratio. Its place and width are median and 1.4826 MAD of the first looks (Hampel, J.
American Statistical Association 69 (1974) 383-393), the width never below `FLOOR`: a rise by less than FLOOR x limit does not matter
however well the figure repeats. What is judged is its EWMA (Roberts, Technometrics 1 (1959) 239-250), in widths; of all figures the
`AGREE`-th largest, so that no single figure speaks alone; `PERSIST` times one after the other. Settings: detection.md 2.7, of 17 bearings
run to failure; they were chosen there with sight of all.

It judges from `FIRST` looks on and goes on learning up to `MOST` while it is calm, so that a short history is not taken for the whole
truth: until then the limit is wider by sqrt(1 + (MOST / n - 1) / 10). Then the looks themselves are forgotten: place and width stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect.budget import tail_factor

FIRST = 20
"""Looks before anything is judged."""
MOST = 108
"""Looks that are learned at the most; at one look in 10 s 18 min."""
FLOOR = 0.1
"""Log ratio; smallest width believed."""
LIMIT = 8.0
"""Widths."""
WEIGHT = 0.1
"""Of the EWMA."""
AGREE = 3
PERSIST = 6
MAD = 1.4826


class TrendState(msgspec.Struct):
    """What survives a restart."""

    learned: bytes = b""
    """float32, (looks, figures), as long as it learns: a figure is known to far less than that"""
    n: int = 0
    """Looks that were learned"""
    middle: list[float] = []
    width: list[float] = []
    smooth: list[float] = []
    above: int = 0
    below: int = 0
    told: bool = False
    looks: int = 0


class Rise(NamedTuple):
    """What one look showed.

    Attributes
    ----------
    score, limit: `AGREE`-th largest EWMA and its limit, in widths; NaN, inf while it learns.
    changed: 'begun' or 'over' at the look at which it does, else ''.
    leading: index of the figure that leads. change: its log ratio to the baseline.
    high: how many figures are above half the limit.
    """

    score: float
    limit: float
    changed: str
    leading: int
    change: float
    high: int = 0


class Trend:
    """Follows the figures of one sensor under one condition (one speed, no cut).

    Parameters
    ----------
    p: chance that one look may be a false alarm: the limit is never below the tail of Student's t for that.
    limit: widths, at least.
    first: looks before anything is judged.
    """

    def __init__(self, p: float, limit: float = LIMIT, first: int = FIRST) -> None:
        self._p = p
        self._limit = limit
        self._first = first
        self.state = TrendState()
        self._known: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def ready(self) -> bool:
        """Whether it judges."""
        return self.state.n >= self._first

    def restore(self, state: TrendState) -> None:
        """Take a saved state back."""
        self.state = state
        self._known = None

    def baseline(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and width of each figure; of at least one look."""
        if self._known is None:
            state = self.state
            if not state.learned:
                self._known = np.array(state.middle), np.array(state.width)
            else:
                learned = self._looks()
                middle = np.median(learned, axis=0)
                width = MAD * np.median(np.abs(learned - middle), axis=0)
                self._known = middle, np.maximum(width, FLOOR)
        return self._known

    def take(self, figures: Sequence[float], wider: float = 1.0) -> Rise:
        """One look: logarithms of the figures. One with a figure that is not finite, or of another length, is left out.

        `wider`: the limit's width by the operator's word.
        """
        state = self.state
        values = np.array(figures, dtype=np.float64)
        nothing = Rise(math.nan, math.inf, "", -1, 0.0)
        if not len(values) or not np.isfinite(values).all():
            return nothing
        if state.n and self._figures() != len(values):
            # Another sensor, or another number of axes: what was learned says nothing of it.
            self.restore(TrendState())
            state = self.state
        state.looks += 1
        if not self.ready:
            self._learn(values)
            return nothing
        middle, width = self.baseline()
        if len(state.smooth) != len(values):
            state.smooth = np.median(self._looks()[-10:], axis=0).tolist()
        smooth = np.array(state.smooth)
        smooth += WEIGHT * (values - smooth)
        state.smooth = smooth.tolist()
        z = (smooth - middle) / width
        score = float(np.sort(z)[-min(AGREE, len(z))])
        limit = wider * max(self._limit, _tail(state.n, self._p)) * math.sqrt(1.0 + 0.1 * (MOST / state.n - 1.0))
        state.above = state.above + 1 if score > limit else 0
        state.below = state.below + 1 if score < 0.5 * limit else 0
        leading = int(np.argmax(z))
        changed = ""
        if not state.told and state.above >= PERSIST:
            state.told = True
            changed = "begun"
        elif state.told and state.below >= PERSIST:
            state.told = False
            changed = "over"
        if not state.told and state.n < MOST and score < 0.5 * limit:
            self._learn(values)
        return Rise(score, limit, changed, leading, float(smooth[leading] - middle[leading]), int((z > 0.5 * limit).sum()))

    def _figures(self) -> int:
        state = self.state
        return len(state.learned) // (4 * state.n) if state.learned else len(state.middle)

    def _looks(self) -> NDArray[np.float64]:
        return np.frombuffer(self.state.learned, dtype=np.float32).reshape(self.state.n, -1).astype(np.float64)

    def _learn(self, values: NDArray[np.float64]) -> None:
        state = self.state
        state.learned += values.astype(np.float32).tobytes()
        state.n += 1
        self._known = None
        if state.n >= MOST:
            middle, width = self.baseline()
            if not state.smooth:
                state.smooth = np.median(self._looks()[-10:], axis=0).tolist()
            state.middle, state.width, state.learned = middle.tolist(), width.tolist(), b""


def _tail(n: int, p: float) -> float:
    """Widths that the EWMA of independent looks passes with probability p: Student's t of n - 1 times sqrt(w / (2 - w))."""
    return tail_factor(n - 1, p) * math.sqrt(WEIGHT / (2.0 - WEIGHT))
