"""The slow, obvious twin of agent/kernels/whiten.py: all pairs kept, a straight line through them by numpy's least squares."""

from __future__ import annotations

import math

import numpy as np


class Whitener:
    """One channel."""

    def __init__(self, floor: float) -> None:
        self.floor = floor
        self.pairs: list[tuple[float, float]] = []
        self.last = math.nan

    def take(self, value: float, learn: bool) -> tuple[float, float, float]:
        """Score, innovation and phi."""
        if not math.isfinite(value) or abs(value) > 1e150:
            value = math.nan
        told = (math.nan, math.nan, math.nan)
        if len(self.pairs) >= 3:
            told = self._judge(value)
        if learn and value == value and self.last == self.last:
            self.pairs.append((self.last, value))
        self.last = value
        return told

    def _judge(self, value: float) -> tuple[float, float, float]:
        before, now = np.array(self.pairs).T
        if (before == before[0]).all():
            phi, start = 0.0, now.mean()
        else:
            centred = before - before.mean()
            phi = float(np.linalg.lstsq(np.column_stack([np.ones(len(now)), centred]), now, rcond=None)[0][1])
            phi = min(max(phi, -0.99), 0.99)
            start = now.mean() - phi * before.mean()
        residuals = now - start - phi * before
        spread = max(math.sqrt(float(residuals @ residuals) / (len(now) - 2)), self.floor)
        innovation = value - start - phi * self.last
        if math.isnan(innovation):
            return math.nan, math.nan, phi
        score = innovation / spread if spread else math.copysign(37.0, innovation) if innovation else 0.0
        return max(min(score, 37.0), -37.0), innovation, phi
