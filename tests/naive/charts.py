"""The slow, obvious twin of agent/kernels/charts.py: one chart, all its values kept, scipy's distributions."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

from scipy import special, stats


def score_of(t: float, dof: float) -> float:
    """Normal value of the same probability as t."""
    tail = stats.t.sf(abs(t), dof)
    if tail > 0.49:
        # Around 0 both distributions are straight lines, and a difference of two tails would have no digits left.
        size = abs(t) * stats.t.pdf(0.0, dof) / stats.norm.pdf(0.0)
        if abs(t) > 1e-4:
            size = special.ndtri(0.5 + (0.5 - tail))
    else:
        size = -special.ndtri(tail) if tail > 0 else 37.0
    return math.copysign(min(size, 37.0), t)


class Chart:
    """One channel."""

    def __init__(self, floor: float, slack: float, weight: float, clip: float) -> None:
        self.floor, self.slack, self.weight, self.clip = floor, slack, weight, clip
        self.learned: list[float] = []
        self.scores: list[float] = []

    def take(self, value: float, learn: bool) -> dict[str, float]:
        """Score, standardised EWMA, both sums."""
        score = math.nan
        if math.isfinite(value) and abs(value) <= 1e150:
            if len(self.learned) >= 2:
                score = self._score(value)
                self.scores.append(max(min(score, self.clip), -self.clip))
            if learn:
                self.learned.append(value)
        return {"score": score, "ewma": self._ewma(), "up": self._sum(1), "down": self._sum(-1)}

    def _score(self, value: float) -> float:
        n = len(self.learned)
        exact = [Fraction(v) for v in self.learned]
        mean = sum(exact) / n
        spread = max(math.sqrt(sum((v - mean) ** 2 for v in exact) / (n - 1)), self.floor)
        away = float(Fraction(value) - mean)
        if spread == 0:
            return math.copysign(37.0, away) if away else 0.0
        return score_of(away / (spread * math.sqrt(1 + 1 / n)), n - 1)

    def _ewma(self) -> float:
        n, w = len(self.scores), self.weight
        if n == 0 or w == 0:
            return 0.0
        parts = [w * (1 - w) ** (n - 1 - i) for i in range(n)]
        value = math.fsum(part * score for part, score in zip(parts, self.scores, strict=True))
        return value / math.sqrt(math.fsum(part * part for part in parts))

    def _sum(self, sign: int) -> float:
        """Page's sum by its other definition: the largest sum of any run of values that ends now, and at least 0."""
        best, run = 0.0, 0.0
        for score in reversed(self.scores):
            run += sign * score - self.slack
            best = max(best, run)
        return best


def spread_of(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    return statistics.fmean(values), statistics.stdev(values)
