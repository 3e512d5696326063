"""Series of values of every kind that a channel may hand out: what the kernels of the charts are compared over."""

from __future__ import annotations

import math

import numpy as np


def series(n: int = 120, seed: int = 11) -> dict[str, np.ndarray]:
    """Each as float64, standard normal unless its name says otherwise."""
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    return {
        "random": rng.normal(size=n),
        "skewed": rng.gamma(2, 1, size=n) - 2,
        "autocorrelated": _ar1(rng.normal(size=n), 0.8),
        "trend": rng.normal(size=n) + 0.05 * at,
        "step": rng.normal(size=n) + np.where(at > n // 2, 4.0, 0.0),
        "impulse": rng.normal(size=n) + np.where(at == n // 2, -1e6, 0.0),
        "coarse": np.round(rng.normal(size=n)),
        "constant": np.full(n, 0.3),
        "zero": np.zeros(n),
        "missing": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "infinite": np.where(rng.random(n) < 0.2, np.inf, rng.normal(size=n)) * np.where(rng.random(n) < 0.5, -1, 1),
        "saturated": np.clip(rng.normal(size=n) * 3, -2, 2),
        "far from zero": 1e6 + rng.normal(size=n),
        "denormal": rng.normal(size=n) * 1e-310,
        "beyond huge": np.where(at % 5 == 4, 1e200, rng.normal(size=n)),
        "nothing but NaN": np.full(n, math.nan),
        "empty": np.array([]),
        "one value": np.array([3.0]),
        "two values": np.array([3.0, -4.0]),
    }


def _ar1(noise: np.ndarray, phi: float) -> np.ndarray:
    out = np.zeros(len(noise))
    for i in range(1, len(noise)):
        out[i] = phi * out[i - 1] + noise[i]
    return out
