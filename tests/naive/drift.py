"""The slow, obvious twin of agent/kernels/drift.py: one channel, every cut kept, straight lines by polyfit, limits by a root finder."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

FLAT = 1e-13


def left_over(phi: float, used: float) -> float:
    """Long-run variance over variance of AR(1) values less `used` times the one before: by their autocovariances, summed."""
    covariances = phi ** np.arange(4000)
    spread = (1 + used**2) * covariances[0] - 2 * used * covariances[1]
    total = (1 - used) ** 2 * (covariances[0] + 2 * covariances[1:].sum())
    return max(total / spread, 1.0)


def behind(phi: float, used: float) -> float:
    """Scores by which the limit is farther away: of a step, and of the value's share in the sum that is no walk, at each end."""
    spread = math.sqrt(1 + used**2 - 2 * used * phi)
    share = ((1 - used) * phi / (1 - phi) - used) / spread
    return 2 * 0.583 * math.sqrt(left_over(phi, used)) + 2 * 1.25 * max(share, 0.0)


def too_low(phi: float) -> float:
    return 2 + 4 * phi + (2 * phi**6 if phi > 0 else 0)


class Chart:
    """One channel; settings by the kernel's names."""

    def __init__(
        self,
        length: float,
        fewest: int,
        floor: float,
        smallest: float,
        slack: float,
        weight: float,
        clip: float,
        prior: tuple[float, float],
    ) -> None:
        self.length, self.fewest, self.floor, self.smallest = length, fewest, floor, smallest
        self.k0, self.w, self.clip, self.prior = slack, weight, clip, prior
        self.lives: list[list[tuple[float, float]]] = [[]]
        self.last = math.nan
        self.phi, self.ratio, self.limit, self.width, self.next = 0.0, 1.0, math.inf, math.inf, 0.0
        self.s = self.freedom = 0.0
        self.gross, self.deep = math.inf, []  # type: float, list[float]
        self.down, self.run, self.wave = 0.0, 0, 0.0
        self.tails: list[float] = []
        self.blocks: list[float] = []
        self.block: list[float] = []
        self.peak, self.peaks = 0.0, []  # type: float, list[float]

    def renew(self) -> None:
        """A new tool."""
        self.lives.append([])
        self.next = math.floor(0.25 * sum(max(len(life) - 2, 0) for life in self.lives[:-1] if len(life) >= 3))
        self.last = math.nan
        self.down, self.run, self.wave, self.peak, self.deep = 0.0, 0, 0.0, 0.0, []

    def take(self, value: float, learn: bool, wider: float = 1.0) -> tuple[float, float, float, int, int]:
        """Score, level, change, since, event."""
        told = (math.nan, 0.0, 0.0, 0, 0)
        if not (math.isfinite(value) and abs(value) <= 1e70):
            self.last = math.nan
            return told
        last, self.last = self.last, value
        if not learn or math.isnan(last):
            return told
        life = self.lives[-1]
        if life and self.freedom >= 3 and self.s > 0:
            y = [now - self.phi * before for before, now in life]
            t = (value - self.phi * last - sum(y) / len(y)) / (self.s * math.sqrt(1 + 1 / len(y)))
            f = self.freedom
            score = math.copysign(min((8 * f + 1) / (8 * f + 3) * math.sqrt(f * math.log1p(t * t / f)), 37.0), t)
            told = (score, 0.0, 0.0, 0, 0)
            if len(life) + self._old() >= self.fewest:
                told = self._judge(score, wider, sum(now for _, now in life) / len(life) - value)
            if f >= 8:
                middle = sum(now for _, now in life) / len(life)
                expected = middle + self.phi * (last - sum(before for before, _ in life) / len(life))
                value = min(max(value, expected - 4 * self.s), expected + 4 * self.s)
                most = 8 * self.s / math.sqrt(1 - self.phi**2)
                last = min(max(last, middle - most), middle + most)
        life.append((last, value))
        if len(life) >= self.next and (self.down <= 0.25 * self.limit or len(life) >= self.next + 50):
            self._calibrate()
        return told

    def _judge(self, score: float, wider: float, away: float) -> tuple[float, float, float, int, int]:
        k = self._slack()
        most = max(self.clip, 2 * k + 0.5)
        z = min(max(score, -most), most)
        gross = wider * self.gross
        self.deep = [*self.deep, away] if away > gross else []
        limit, width = wider * self.limit, wider * self.width
        self.down = max(0.0, self.down - z - k)
        self.run = self.run + 1 if self.down > 0 else 0
        if self.down > 0:
            self.peak = max(self.peak, self.down)
        else:
            self.peaks += [self.peak] if self.peak > 2 else []
            self.peak = 0.0
        self.wave = (1 - self.w) * self.wave - self.w * z
        unit = self.s / (1 - self.phi)
        seen = (self.down / self.run + k) * unit if self.down > 0 else 0.0
        event = 1 if self.down > limit and self.run >= 5 and seen >= self.smallest else 0
        if not event and self.wave > width and self.wave * unit >= self.smallest:
            event = 2
        level, change, since = max(self.down / limit, self.wave / width), -seen, self.run
        if event == 2:
            change, since = -self.wave * unit, max(self.run, round(1 / self.w))
        elif not event and len(self.deep) >= 5 and sum(self.deep) / len(self.deep) >= self.smallest:
            event, since, change = 3, len(self.deep), -sum(self.deep) / len(self.deep)
            level = max(level, -change / gross)
        told = (score, level, change, since, event)
        self.tails.append(z**4)
        self.block.append(z)
        if len(self.block) == 16:
            self.blocks.append(sum(self.block) ** 2 / 16)
            self.block = []
        if event:
            self.down, self.run, self.wave, self.peak, self.deep = 0.0, 0, 0.0, 0.0, []
        return told

    def _old(self) -> int:
        return sum(len(life) - 2 for life in self.lives[:-1] if len(life) >= 3)

    def _slack(self) -> float:
        return max(self.k0, 0.5 * self.smallest * (1 - self.phi) / self.s) if self.s > 0 else self.k0

    def _left(self, phi: float | None) -> tuple[float, float, float]:
        """Freedom, and with `phi` None the sums of before² and before x now about lines, else the sum of (now - phi before)²."""
        freedom, one, two = 0, 0.0, 0.0
        for life in self.lives:
            if len(life) < 3:
                continue
            time = np.arange(len(life), dtype=float)
            flat = []
            for side in np.array(life).T:
                shifted = side - side[0]
                flat.append(shifted - np.polyval(np.polyfit(time, shifted, 1), time))
            freedom += len(life) - 2
            one += float(flat[0] @ flat[0]) if phi is None else float(((flat[1] - phi * flat[0]) ** 2).sum())
            two += float(flat[0] @ flat[1])
        return float(freedom), one, two

    def _calibrate(self) -> None:
        freedom, square, product = self._left(None)
        mean, variance = self.prior
        middle, weight, seen = mean, 1 / variance, 0.0
        estimated = freedom >= 4 and square > FLAT
        if estimated:
            own = seen = min(max(product / square, -0.95), 1.0)
            for _ in range(3):
                own = max(min(seen + too_low(own) / freedom, 0.98), -0.98)
            mine = freedom / (1 + 10 / freedom) ** 2
            middle = (mean / variance + mine * math.asin(own)) / (1 / variance + mine)
            weight += mine
        error = 1 / math.sqrt(weight)
        coefficient = math.sin(min(middle, math.pi / 2))
        self.phi = min(max(coefficient, 0.0), 0.6)
        measured = 1.0
        if len(self.blocks) >= 8:
            measured = max(sum(self.blocks) / len(self.blocks) * (1 - 1.28 * math.sqrt(2 / len(self.blocks))), 1.0)
        tail = max((sum(self.tails) + 3.5 * 50) / (len(self.tails) + 50) - 3, 0.0)
        self.ratio = max(left_over(min(coefficient, 0.98), self.phi), measured)
        self.freedom = freedom
        self.s = max(math.sqrt(self._left(self.phi)[1] / freedom) if freedom >= 1 else 0.0, self.floor)
        k, heavy = self._slack(), max(5.0, freedom / 12)
        nodes = []
        for number, at in enumerate(middle + error * np.linspace(-6, 6, 21)):
            if number and abs(at) > math.pi / 2:
                continue
            phi = min(math.sin(max(at, -math.pi / 2)), 0.98)
            share = math.exp(-((at - mean) ** 2) / (2 * variance))
            r, fair = left_over(phi, self.phi), 1.0
            if estimated:
                deviation = math.sqrt((1 - phi**2 + 25 * phi**2 / freedom) / freedom)
                share *= stats.t.pdf((seen - phi + too_low(phi) / freedom) / deviation, heavy) / deviation
                fair = math.sqrt(1 - 2 * (r - 1) / (freedom + 4 * phi / (1 - phi))) if r > 1 else 1.0
            # The first autocorrelation of AR(1)-like scores with this long-run variance, and what the wave sees of their sum.
            first = (r - 1) * (1 - phi) / 2
            waved = 1 + 2 * first * (1 - self.w) / (1 - phi * (1 - self.w))
            nodes.append((share, max(r, measured), behind(phi, self.phi), max(waved, measured), fair))
        total = sum(node[0] for node in nodes)

        def sums(h: float) -> float:
            rate = 0.0
            for share, r, over, _, fair in nodes:
                theta = 2 * k * fair / r
                theta /= 1 + tail * theta**2 / 12
                x = min(theta * (h * fair + over), 700.0)
                rate += share / total * min(2 * (k * fair) ** 2 / r / max(math.exp(x) - x - 1, 1e-300), 1.0)
            return math.log(rate * self.length / 0.7)

        def waves(u: float) -> float:
            rate = 0.0
            for share, _, _, r, fair in nodes:
                level = u * fair / math.sqrt(r * self.w / (2 - self.w))
                density = math.exp(-(level**2) / 2) / math.sqrt(2 * math.pi)
                rate += (
                    share
                    / total
                    * (self.w if level < 1 else min(self.w * level * density * math.exp(-0.583 * level * math.sqrt(2 * self.w)), self.w))
                )
            return math.log(max(rate, 1e-300) * self.length / 0.25)

        self.limit = optimize.brentq(sums, 0.0, 2000.0, xtol=1e-11) if sums(0.0) > 0 > sums(2000.0) else 2000.0 if sums(0.0) > 0 else 0.0
        if len(self.peaks) >= 20:
            excess = sum(self.peaks) / len(self.peaks) - 2
            self.limit *= max(excess * (1 - 1.28 / math.sqrt(len(self.peaks))) * 2 * k / self.ratio, 1.0)
        width = optimize.bisect(waves, 0.0, 20.0, xtol=1e-11) if waves(20.0) < 0 else 20.0
        n = len(self.lives[-1]) + self._old()
        if self.limit + 35 * k > max(2.0, 2 * k + 0.5) * (n * math.log(1 + 35 / n) + self.phi / (1 - self.phi)):
            self.limit = math.inf
        self.down = min(self.down, 0.25 * self.limit)
        near = min(max(math.sin(min(middle + error, math.pi / 2)), 0.0), 0.98)
        values = freedom * (1 - near) / (1 + near)
        true = min(max(coefficient, 0.0), 0.98)
        # Of an AR(1) value whose whitened one has variance s².
        deviation = math.sqrt(self.s**2 / (1 + self.phi**2 - 2 * self.phi * true))
        z = float(stats.norm.isf(0.05 / self.length)) * (8 * (values - 1) + 3) / (8 * (values - 1) + 1)
        far = math.sqrt((values - 1) * math.expm1(min(z * z / (values - 1), 600.0))) if values >= 2 else math.inf
        near = min(near, 0.894)
        odd = (3 * self.length / 0.05) ** 0.25 / math.sqrt(2) * math.sqrt(1 - near**2) * near**4
        self.gross = max(far * math.sqrt(1 + 1 / max(values, 1.0)), odd) * deviation
        self.width = width if freedom * self.w > self.ratio + 1e-6 else math.inf
        self.next = len(self.lives[-1]) + max(1, math.floor(0.25 * (len(self.lives[-1]) + self._old())))
