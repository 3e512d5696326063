"""The slow, obvious twin of agent/kernels/control.py: one channel, the values of each chart since it last started, sums by definition."""

from __future__ import annotations

import math


class Control:
    """One channel."""

    def __init__(self, mean: float, deviation: float, *, clip: float = math.inf, **limits: float) -> None:
        self.mean, self.deviation, self.clip = mean, deviation, clip
        self.limits = limits
        self.since: dict[str, list[float]] = {"ewma": [], "up": [], "down": [], "ph": []}
        self.over: set[str] = set()

    def take(self, value: float) -> set[str]:
        """Names of the alarms of this value."""
        if not math.isfinite(value) or abs(value) > 1e150:
            return set()
        z = max(min((value - self.mean) * (1 / self.deviation), self.clip), -self.clip)
        for chart in self.over:
            self.since[chart] = []
        self.over = set()
        for values in self.since.values():
            values.append(z)
        alarms = self._ewma(self.since["ewma"])
        for chart, sign in (("up", 1), ("down", -1)):
            if self.largest_sum(self.since[chart], sign) > self.limits["interval"]:
                alarms.add(f"cusum {chart}")
                self.over.add(chart)
        if any(name.startswith("ewma") for name in alarms):
            self.over.add("ewma")
        found = self._page_hinkley(self.since["ph"])
        if found:
            self.over.add("ph")
        return alarms | found

    def largest_sum(self, values: list[float], sign: int) -> float:
        best = run = 0.0
        for z in reversed(values):
            run += sign * z - self.limits["slack"]
            best = max(best, run)
        return best

    def _ewma(self, values: list[float]) -> set[str]:
        w, n = self.limits["weight"], len(values)
        parts = [w * (1 - w) ** (n - 1 - i) for i in range(n)]
        z = math.fsum(part * value for part, value in zip(parts, values, strict=True))
        if abs(z) <= self.limits["width"] * math.sqrt(math.fsum(part * part for part in parts)):
            return set()
        return {"ewma up" if z > 0 else "ewma down"}

    def _page_hinkley(self, values: list[float]) -> set[str]:
        fading, delta = self.limits["fading"], self.limits["delta"]
        away = [z - math.fsum(values[: i + 1]) / (i + 1) for i, z in enumerate(values)]
        rises, falls = [], []
        for n in range(1, len(values) + 1):
            rises.append(math.fsum(fading ** (n - 1 - i) * (away[i] - delta) for i in range(n)))
            falls.append(math.fsum(fading ** (n - 1 - i) * (away[i] + delta) for i in range(n)))
        if len(values) < self.limits["fewest"]:
            return set()
        found = {"rise"} if rises[-1] - min(rises) > self.limits["threshold"] else set()
        return found | ({"fall"} if max(falls) - falls[-1] > self.limits["threshold"] else set())
