"""The slow, obvious twin of agent/kernels/spectrum.py and bearing.py: one axis, double precision, a bin at a time."""

from __future__ import annotations

import math

import numpy as np


class Lines:
    """|X|^2 of a record without its mean under a Hann window."""

    def __init__(self, samples: list[float]) -> None:
        n = self.n = len(samples)
        mean = math.fsum(samples) / n
        self.samples = [x - mean for x in samples]
        self.window = [0.5 * (1 - math.cos(2 * math.pi * i / n)) for i in range(n)]
        self.weight = math.fsum(w * w for w in self.window) or math.nan
        transform = np.fft.rfft([w * x for w, x in zip(self.window, self.samples, strict=True)])
        self.power = [abs(z) ** 2 for z in transform.tolist()]
        self.top = n // 2

    def at(self, first: int, last: int) -> float:
        return math.fsum(self.power[k] for k in range(first, last + 1) if 0 <= k <= self.top)

    def mean_square(self, first: int, last: int) -> float:
        return 2 * self.at(first, last) / (self.n * self.weight)

    def between(self, k: int) -> float:
        """Place of a line of which `k` is the strongest bin."""
        below, middle, above = (math.sqrt(self.power[k + side]) for side in (-1, 0, 1))
        ratio = max(below, above) / middle
        shift = (2 * ratio - 1) / (ratio + 1)
        return k + shift if above >= below else k - shift


def spectrum(
    samples: list[float],
    rate: float,
    speed: float,
    teeth: int,
    limit: float,
    chatter: tuple[float, float],
    bands: list[tuple[float, float]],
) -> tuple[list[float], set[str]]:
    """Figures in the order of the kernel, and the names of the flags."""
    n = len(samples)
    flags = {"SHORT"} if n < rate else set()
    if any(abs(x) >= limit for x in samples):
        flags.add("CLIPPED")
    if not all(map(math.isfinite, samples)):
        return [math.nan] * (9 + len(bands)), flags | {"NOT_FINITE"}
    if len(set(samples)) == 1:
        flags.add("STUCK")
        samples = [0.0] * n
    peak = max(abs(x) for x in samples) or 1.0  # so that neither small nor large values leave the range
    lines = Lines([x / peak for x in samples])
    df = rate / n
    out = [math.nan] * 9
    windowed = np.array([w * x for w, x in zip(lines.window, lines.samples, strict=True)])
    windowed -= windowed.mean()
    out[8] = peak * math.sqrt(float(windowed @ windowed) / lines.weight)
    if flags & {"STUCK"}:
        out[8] = 0.0
    for low, high in bands:
        total = 0.0
        for k in range(1, lines.top + 1):
            inside = max(0.0, min((k + 0.5) * df, high, rate / 2 if n % 2 == 0 else math.inf) - max((k - 0.5) * df, low)) / df
            total += inside * lines.mean_square(k, k)
        out.append(peak * math.sqrt(total))
    turn = abs(speed) / 60
    if not (4 * df <= turn <= rate / 2.56):
        return out, flags | {"NO_SPEED"}
    found = _turning(lines, turn / df)
    out[0] = found * df
    for order in (1, 2, 3):
        for place, line in ((order, order * found), (3 + order, order * teeth * found)):
            if 0 < line * df <= rate / 2.56:
                middle = math.floor(line + 0.5)
                out[place] = peak * 9806.65 * math.sqrt(2 * lines.mean_square(middle - 2, middle + 2)) / (2 * math.pi * line * df)
    if teeth * found * df > rate / 2.56:
        flags.add("NO_TOOTH")
    looked = [k for k in range(1, lines.top + 1) if chatter[0] <= k * df <= chatter[1] and 2.5 + 0.001 * k <= found / 3]
    if not looked:
        return out, flags | {"NO_COMB"}
    whole = math.fsum(lines.power[k] for k in looked)
    beside = math.fsum(lines.power[k] for k in looked if abs(k - found * round(k / found)) > 2.5 + 0.001 * k)
    out[7] = beside / whole if whole else math.nan
    return out, flags


def _turning(lines: Lines, given: float) -> float:
    best, told = 0.0, given
    for order in (1, 2, 3):
        low, high = math.floor(order * given * 0.97), math.ceil(order * given * 1.03)
        sought = range(max(1, low), min(lines.top - 1, high) + 1)
        if not sought:
            continue
        k = max(sought, key=lambda k: lines.power[k])
        reach = max(sought[-1] - sought[0], 16)
        around = [*range(k - reach, k - 2), *range(k + 3, k + reach + 1)]
        usual = math.fsum(lines.power[i] for i in around if 0 <= i <= lines.top) / len(around)
        if lines.power[k] > best and lines.power[k] > 20 * usual:
            best, told = lines.power[k], lines.between(k) / order
    return told if abs(told - given) <= 0.03 * given else given


def bearing(envelope: list[float], rate: float, speed: float, orders: list[float]) -> tuple[list[list[float]], set[str]]:
    """Figures of each defect, and the names of the flags."""
    n = len(envelope)
    flags = {"SHORT"} if n < 2 * rate else set()
    nothing = [[math.nan] * 6 for _ in orders]
    if math.isnan(speed):
        flags.add("NO_SPEED")
    if not all(map(math.isfinite, envelope)):
        return nothing, flags | {"NOT_FINITE"}
    if len(set(envelope)) == 1:
        return nothing, flags | {"STUCK"}
    if "NO_SPEED" in flags:
        return nothing, flags
    mean = math.fsum(envelope) / n
    lines = Lines([value / mean for value in envelope])
    df = rate / n

    def depth(line: float) -> float:
        if line < 4 or line * df > 2 * lines.top * df / 2.56:
            return math.nan
        middle = math.floor(line + 0.5)
        return math.sqrt(2 * lines.mean_square(middle - 2, middle + 2))

    turn = abs(speed) / 60 / df
    out = []
    for place, order in enumerate(orders):
        line = order * turn
        if not 4 <= line <= n / 2.56:
            flags.add("OUT_OF_RANGE")
            out.append([math.nan] * 6)
            continue
        k = max(range(max(2, math.floor(line * 0.98)), min(lines.top - 1, math.ceil(line * 1.02)) + 1), key=lambda k: lines.power[k])
        found = lines.between(k)
        found = min(max(found, k - 0.5), k + 0.5)
        if math.sqrt(max(lines.power[k - 1], lines.power[k + 1])) < 0.5 * math.sqrt(lines.power[k]):
            found = float(k)
        around = [lines.power[i] for i in range(k - 16, k + 17) if abs(i - k) > 2 and 2 <= i <= lines.top]
        step = orders[3] * turn if place == 2 else turn
        sides = [d for d in (depth(found - step), depth(found + step)) if not math.isnan(d)] if place != 3 else []
        told = [depth(h * found) for h in (1, 2, 3)]
        out.append([*told, found * df, lines.power[k] / (sum(around) / len(around)), sum(sides) / len(sides) if sides else math.nan])
    return out, flags
