"""The slow, obvious twin of agent/kernels/robust.py: the newest values in a list, the standard library's median."""

from __future__ import annotations

import math
import statistics


class Robust:
    """One channel."""

    def __init__(self, window: int, floor: float) -> None:
        self.window, self.floor = window, floor
        self.values: list[float] = []

    def take(self, value: float, learn: bool) -> tuple[float, float, float]:
        """Location, scale and score before the value enters."""
        good = math.isfinite(value) and abs(value) <= 1e150
        location = scale = score = math.nan
        if self.values:
            location = statistics.median(self.values)
            scale = statistics.median(abs(v - location) for v in self.values) / statistics.NormalDist().inv_cdf(0.75)
            if good and len(self.values) >= 3:
                wide = max(scale, self.floor)
                away = value - location
                score = max(min(away / wide, 37.0), -37.0) if wide else math.copysign(37.0, away) if away else 0.0
        if good and learn:
            self.values = [*self.values, value][-self.window :]
        return location, scale, score
