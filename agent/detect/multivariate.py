"""Several condition channels of one unit together: T2 and SPE on principal components, with what each channel contributes.

Teach-in: `learn` vectors, each smoothed by a median of three and an EWMA. Place and width of a channel are median and 1.4826 MAD. A channel
that only creeps is left out: von Neumann's ratio, mean squared step over twice the variance (Annals of Mathematical Statistics 12 (1941)
367-395), 1 for independent values, is below `CREEPING`, or it does not move at all. Its last value tells little of the next hour, and it
would alarm for the weather. Of the others, pulled in to +-3 widths, the principal components that hold `kept` of the variance span the
plane of T2 = sum t^2 / lambda (H. Hotelling, 1947); SPE is the mean square of what lies off the plane (J. E. Jackson and G. S. Mudholkar,
Technometrics 21 (1979) 341-349). With `kept` = 0 SPE is all: the mean square.

The textbook limits of both hold for independent Gaussian vectors; on a real unit they alarm 10 to 50 times as often (detection.md 4). So
each is taken over its own `QUANTILE` of the teach-in, and the larger of the two roots is the score: 1 is what the teach-in reached.

On after `ON` scores above `limit` one after the other, off after `OFF` below `RELEASE` times that. While neither alarmed nor above the
limit the place follows slowly (`tau` vectors); it rests while alarmed. Share and limit of the product were chosen with sight of SKAB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

MOST = 16
"""Channels."""
CREEPING = 0.02
QUANTILE = 0.99
ON = 3
OFF = 5
RELEASE = 0.9
LARGEST = 1e6
MAD = 1.4826


class Options(msgspec.Struct, frozen=True):
    """Of one detector. The defaults are those of the product."""

    learn: int = 1800
    """Vectors of the teach-in"""
    kept: float = 0.9
    """Share of the variance in the plane of T2, below 1"""
    weight: float = 0.3
    """Of the EWMA, above 0 and at most 1"""
    limit: float = 3.0
    tau: float = 300.0
    """Vectors in which the place follows; inf: never"""
    creeping: bool = False
    """Whether channels that only creep take part"""
    on: int = ON
    off: int = OFF


class MultivariateState(msgspec.Struct):
    """What survives a restart."""

    learned: list[list[float]] = []
    """Smoothed vectors, while it learns"""
    last: list[list[float]] = []
    """The latest two vectors as they came"""
    smooth: list[float] = []
    place: list[float] = []
    width: list[float] = []
    used: list[bool] = []
    axes: list[list[float]] = []
    """(components, channels)"""
    variance: list[float] = []
    t2: float = 1.0
    spe: float = 1.0
    """What 1 is"""
    above: int = 0
    below: int = 0
    told: bool = False
    taken: int = 0
    """Vectors after the teach-in"""


class Verdict(NamedTuple):
    """What one vector showed.

    Attributes
    ----------
    score: NaN while it learns. changed: 'begun' or 'over' at the vector at which it does, else ''.
    shares: of each channel, what it contributes to the score, 0 to 1 together. away: of each, in widths, signed.
    """

    score: float
    changed: str
    shares: NDArray[np.float64]
    away: NDArray[np.float64]


class Multivariate:
    """Follows the condition channels of one unit, at most `MOST`."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.state = MultivariateState()
        self._made: tuple[NDArray[np.float64], ...] | None = None

    @property
    def ready(self) -> bool:
        """Whether it judges."""
        return bool(self.state.place)

    def restore(self, state: MultivariateState) -> None:
        """Take a saved state back."""
        self.state = state
        self._made = None

    def accept(self) -> None:
        """What stands now is what is usual: the place moves there, and nothing is told any more."""
        state = self.state
        if state.place and state.smooth:
            state.place = list(state.smooth)
            state.told, state.above, state.below = False, 0, 0
            self._made = None

    def take(self, vector: Sequence[float]) -> Verdict:
        """One vector of all channels, the unit of each; one with a value that is not finite is left out."""
        values = np.array(vector, dtype=np.float64)
        n = len(values)
        nothing = Verdict(math.nan, "", np.zeros(n), np.zeros(n))
        if not n or not np.isfinite(values).all():
            return nothing
        state = self.state
        if state.smooth and len(state.smooth) != n:
            self.restore(MultivariateState())
            state = self.state
        smooth = self._smooth(values)
        if not state.place:
            state.learned.append(smooth.tolist())
            if len(state.learned) >= self.options.learn:
                self._fit()
            return nothing
        place, width, used, axes, variance = self._arrays()
        away = np.clip((smooth - place) / width, -LARGEST, LARGEST)
        z = np.where(used, away, 0.0)
        score, parts = self._judge(z, axes, variance)
        changed = self._persist(score)
        if not state.told and score <= self.options.limit and math.isfinite(self.options.tau):
            place += (smooth - place) / self.options.tau
            state.place = place.tolist()
        state.taken += 1
        total = float(parts.sum())
        return Verdict(score, changed, parts / total if total > 0.0 else parts, away)

    def _smooth(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        state = self.state
        state.last = [*state.last, values.tolist()][-3:]
        latest = np.sort(np.array(state.last), axis=0)
        # The median, without what numpy's own costs for three values.
        middle = latest[1] if len(latest) == 3 else latest.mean(axis=0)
        before = np.array(state.smooth) if state.smooth else middle
        smooth: NDArray[np.float64] = before + self.options.weight * (middle - before)
        state.smooth = smooth.tolist()
        return smooth

    def _fit(self) -> None:
        """The end of the teach-in."""
        state = self.state
        learned = np.array(state.learned)
        place = np.median(learned, axis=0)
        width = MAD * np.median(np.abs(learned - place), axis=0)
        spread = learned.std(axis=0)
        # A coarse register stays on one value for most of the time: its MAD is 0, its spread is not.
        width = np.where(width > 0.1 * spread, width, spread)
        moves = spread > 1e-12 * np.maximum(np.abs(place), 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (np.diff(learned, axis=0) ** 2).mean(axis=0) / (2.0 * spread**2)
        # The EWMA itself takes out of the steps of independent values all but w: the ratio is taken over that.
        used = moves & (self.options.creeping | (ratio > CREEPING * self.options.weight))
        if not used.any():
            used = moves
        width = np.where(moves, width, 1.0)
        z = np.where(used, np.clip((learned - place) / width, -3.0, 3.0), 0.0)
        axes, variance = _plane(z[:, used], self.options.kept)
        wide = np.zeros((len(axes), len(place)))
        wide[:, used] = axes
        state.place, state.width, state.used = place.tolist(), width.tolist(), used.tolist()
        state.axes, state.variance = wide.tolist(), variance.tolist()
        state.learned = []
        self._made = None
        plane = z @ wide.T
        off = ((z - plane @ wide) ** 2).sum(axis=1)
        state.spe = max(float(np.quantile(off, QUANTILE)), 1e-12)
        state.t2 = max(float(np.quantile((plane**2 / variance).sum(axis=1), QUANTILE)), 1e-12) if len(axes) else 1.0

    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        if self._made is None:
            state = self.state
            axes = np.array(state.axes, dtype=np.float64).reshape(len(state.axes), len(state.place))
            self._made = (np.array(state.place), np.array(state.width), np.array(state.used), axes, np.array(state.variance))
        return self._made

    def _judge(self, z: NDArray[np.float64], axes: NDArray[np.float64], variance: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Score, and what each channel contributes to the statistic that leads."""
        plane = axes @ z
        off = z - plane @ axes
        spe = float(off @ off) / self.state.spe
        t2 = float((plane**2 / variance).sum()) / self.state.t2 if len(axes) else 0.0
        if spe >= t2:
            return math.sqrt(spe), off * off
        return math.sqrt(t2), np.maximum(z * ((plane / variance) @ axes), 0.0)

    def _persist(self, score: float) -> str:
        state, options = self.state, self.options
        state.above = state.above + 1 if score > options.limit else 0
        state.below = state.below + 1 if score < RELEASE * options.limit else 0
        if not state.told and state.above >= options.on:
            state.told = True
            return "begun"
        if state.told and state.below >= options.off:
            state.told = False
            return "over"
        return ""


def _plane(z: NDArray[np.float64], kept: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Components (a row each) that hold `kept` of the variance, and their variances; at least one direction stays off the plane."""
    if kept <= 0.0 or z.shape[1] < 2:
        return np.empty((0, z.shape[1])), np.empty(0)
    variance, vectors = np.linalg.eigh(np.cov(z.T))
    variance, vectors = variance[::-1], vectors[:, ::-1]
    count = int(np.searchsorted(np.cumsum(variance) / variance.sum(), kept)) + 1
    count = min(count, z.shape[1] - 1)
    return vectors[:, :count].T, np.maximum(variance[:count], 1e-12)
