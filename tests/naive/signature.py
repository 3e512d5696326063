"""The slow, obvious twin of agent/kernels/signature.py."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from fractions import Fraction

import numpy as np


def resampled(time: list[float], values: list[float], wanted: list[float], longest: float) -> list[float]:
    """One channel: looks at every pair of readings for every position."""
    out = []
    for t in wanted:
        told = math.nan
        for i, moment in enumerate(time):
            if moment == t:
                told = values[i]
        if t not in time:
            for i in range(len(time) - 1):
                if time[i] < t < time[i + 1] and time[i + 1] - time[i] <= longest:
                    told = float(np.interp(t, time[i : i + 2], values[i : i + 2]))
                    if not (math.isfinite(values[i]) and math.isfinite(values[i + 1])):
                        told = math.nan
        out.append(told if math.isfinite(told) else math.nan)
    return out


def envelope_at(values: list[float]) -> tuple[float, float, int]:
    """Median, spread and number of the cuts at one position."""
    good = [value for value in values if math.isfinite(value)]
    if not good:
        return math.nan, math.nan, 0
    middle = statistics.median(good)
    return middle, statistics.median(abs(value - middle) for value in good) / statistics.NormalDist().inv_cdf(0.75), len(good)


def outside(curve: list[float], centre: list[float], wide: list[float], up: float, down: float, persistence: int) -> list[str]:
    """One channel, one whole cut: for each position looks back over the positions that have a value."""
    signs: list[str] = []
    out = []
    for k, value in enumerate(curve):
        known = k < len(centre) and math.isfinite(value) and math.isfinite(centre[k])
        if known:
            away = value - centre[k]
            signs.append("above" if away > up * wide[k] else "below" if away < -down * wide[k] else "")
        last = set(signs[-persistence:])
        out.append(last.pop() if known and len(signs) >= persistence and len(last) == 1 else "")
    return out


def warped(a: list[float], b: list[float], band: int) -> tuple[float, list[tuple[int, int]]]:
    """Distance and way, by recursion over all ways."""
    n, m = len(a), len(b)

    def allowed(i: int, j: int) -> bool:
        return n == 1 or abs(j - Fraction(i * (m - 1), n - 1)) <= band

    @functools.cache
    def best(i: int, j: int) -> tuple[float, tuple[int, int] | None]:
        if i < 0 or j < 0 or not allowed(i, j):
            return math.inf, None
        cost = abs(a[i] - b[j])
        if (i, j) == (0, 0):
            return cost, None
        before = min(((best(*place)[0], place) for place in ((i - 1, j - 1), (i - 1, j), (i, j - 1))), key=lambda pair: pair[0])
        return cost + before[0], before[1]

    distance = best(n - 1, m - 1)[0]
    way, place = [], (n - 1, m - 1)
    while distance < math.inf and place is not None:
        way.append(place)
        place = best(*place)[1]  # type: ignore[assignment]
    return distance, way


def growth(time: list[float], values: list[float], level: float, longest: float) -> tuple[float, float, float, float]:
    """Area, area above the level, steepest rise and fall: the area above in exact fractions of each piece."""
    good: list[tuple[float, float]] = []
    for t, x in zip(time, values, strict=True):
        if math.isfinite(t) and math.isfinite(x) and (not good or t > good[-1][0]):
            good.append((t, x))
    area = over = Fraction(0)
    slopes = [0.0]
    for (t0, x0), (t1, x1) in itertools.pairwise(good):
        if t1 - t0 > longest:
            continue
        span, y0, y1 = (Fraction(v) for v in (t1 - t0, x0 - level, x1 - level))
        area += span * (y0 + y1) / 2
        corners = [(Fraction(0), y0), (span, y1)]
        if y0 * y1 < 0:
            corners.insert(1, (span * y0 / (y0 - y1), Fraction(0)))
        over += sum((b[0] - a[0]) * (max(a[1], 0) + max(b[1], 0)) / 2 for a, b in itertools.pairwise(corners))
        slopes.append((x1 - x0) / (t1 - t0))
    return float(area), float(over), max(slopes), min(slopes)
