"""The slow, obvious twin of agent/kernels/vibration.py: plain Python sums in double precision, a textbook transform."""

from __future__ import annotations

import math

import numpy as np


def figures(block: np.ndarray, scale: float, rate: float, speed: float = math.nan, limit: float = math.inf) -> list[dict[str, float]]:
    """Figures of each axis by name."""
    return [
        _axis([float(value) for value in block[:, axis]], block.dtype == np.int16, scale, rate, speed, limit)
        for axis in range(block.shape[1])
    ]


def _axis(samples: list[float], counts: bool, scale: float, rate: float, speed: float, limit: float) -> dict[str, float]:
    n = len(samples)
    flags: set[str] = set()
    names = ("mean", "rms", "peak", "crest", "kurtosis", "skewness", "velocity", "line", "saturated")
    if rate < 2000 / 0.95:
        flags.add("RATE_LOW")
    if n / rate < 0.4:
        flags.add("SHORT")
    if n == 0:
        return {**dict.fromkeys(names, math.nan), "flags": frozenset({"SHORT"})}
    turn = abs(speed) / 60
    visible = turn >= 4 * rate / n and turn <= rate / 2.56
    if speed == speed and not visible:
        flags.add("NO_LINE")
    if any(not math.isfinite(sample) for sample in samples):
        beyond = sum(abs(sample) >= limit for sample in samples)
        flags |= {"NOT_FINITE", "STUCK"} | ({"CLIPPED"} if beyond else set())
        return {**dict.fromkeys(names, math.nan), "flags": frozenset(flags)}
    top = min(limit, 32767) if counts else limit
    saturated = sum(abs(sample) >= top for sample in samples) / n
    if saturated > 0:
        flags.add("CLIPPED")
    mean = math.fsum(samples) / n
    x = [sample - mean for sample in samples]
    peak = max(abs(value) for value in x)
    result = {"mean": mean * scale, "peak": peak * scale, "saturated": saturated}
    if len(set(samples)) == 1:
        flags.add("STUCK")
        result |= {"peak": 0.0, "rms": 0.0, "crest": math.nan, "kurtosis": math.nan, "skewness": math.nan, "velocity": 0.0}
        result["line"] = 0.0 if visible else math.nan
        return {**result, "flags": frozenset(flags)}
    x = [value / peak for value in x]
    m2, m3, m4 = (math.fsum(value**power for value in x) / n for power in (2, 3, 4))
    result |= {
        "rms": peak * scale * math.sqrt(m2),
        "crest": 1 / math.sqrt(m2),
        "kurtosis": m4 / m2**2,
        "skewness": m3 / m2**1.5,
    }
    window = [0.5 * (1 - math.cos(2 * math.pi * i / n)) for i in range(n)]
    spectrum = np.fft.rfft(np.array([w * value for w, value in zip(window, x, strict=True)], dtype=np.float64))
    energy = math.fsum(w * w for w in window) or math.nan
    acceleration = peak * scale * 9806.65  # mm/s2
    step = rate / n
    mean_square = 0.0
    for k in range(1, len(spectrum)):
        # Beyond half the rate there is nothing: the last bin of an even number of samples is half as wide.
        inside = max(0.0, min((k + 0.5) * step, 1000.0, 0.5 * rate) - max((k - 0.5) * step, 10.0)) / step
        mean_square += 2.0 * inside * abs(spectrum[k]) ** 2 / (2 * math.pi * k * step) ** 2 / (n * energy)
    result["velocity"] = acceleration * math.sqrt(mean_square)
    result["line"] = math.nan
    if visible:
        middle = math.floor(turn / step + 0.5)
        bins = [k for k in range(middle - 2, middle + 3) if k < len(spectrum)]
        result["line"] = acceleration * math.sqrt(2 * sum(2 * abs(spectrum[k]) ** 2 / (n * energy) for k in bins)) / (2 * math.pi * turn)
    return {**result, "flags": frozenset(flags)}
