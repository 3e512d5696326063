"""The slow, obvious twin of agent/kernels/adwin.py: every bucket holds its values themselves, all sums are taken anew."""

from __future__ import annotations

import math
from statistics import fmean


class Adwin:
    """One channel."""

    def __init__(self, delta: float = 0.002, clock: int = 32, shortest: int = 5, grace: int = 10, restart: bool = True) -> None:
        self.delta, self.clock, self.shortest, self.grace, self.restart = delta, clock, shortest, grace, restart
        self.buckets: list[list[float]] = []  # the oldest first
        self.seen = 0
        self.alarmed = False

    @property
    def window(self) -> list[float]:
        return [value for bucket in self.buckets for value in bucket]

    def take(self, value: float) -> bool:
        """Whether a change was found."""
        if not math.isfinite(value) or abs(value) > 1e150:
            return False
        if self.alarmed and self.restart:
            self.buckets, self.seen = [], 0
        self.buckets.append([value])
        self.seen += 1
        size = 1
        while len(same := [i for i, bucket in enumerate(self.buckets) if len(bucket) == size]) > 5:
            first, second = same[:2]
            self.buckets[first : second + 1] = [self.buckets[first] + self.buckets[second]]
            size *= 2
        self.alarmed = False
        if self.seen % self.clock == 0:
            while len(self.window) > self.grace and self._differs():
                del self.buckets[0]
                self.alarmed = True
        return self.alarmed

    def _differs(self) -> bool:
        window = self.window
        n, mean = len(window), fmean(window)
        variance = math.fsum((v - mean) ** 2 for v in window) / n
        doubt = math.log(2 * math.log(n) / self.delta)
        border = 0
        for bucket in self.buckets[:-1]:
            border += len(bucket)
            if border >= self.shortest and n - border >= self.shortest:
                m = 1 / (border - self.shortest + 1) + 1 / (n - border - self.shortest + 1)
                limit = math.sqrt(2 * m * variance * doubt) + 2 / 3 * m * doubt
                if abs(fmean(window[:border]) - fmean(window[border:])) > limit:
                    return True
        return False
