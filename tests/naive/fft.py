"""The slow, obvious twin of agent/kernels/fft.py: the sum that defines the transform, in double precision."""

from __future__ import annotations

import numpy as np


def powers(samples: np.ndarray) -> np.ndarray:
    """|X_k|^2 of one row under a periodic Hann window, every bin a sum of cosines and one of sines."""
    n = len(samples)
    i = np.arange(n)
    windowed = samples.astype(np.float64) * np.sin(np.pi * i / n) ** 2
    out = []
    for k in range(n // 2 + 1):
        turns = 2 * np.pi * (i * k % n) / n
        out.append(np.dot(windowed, np.cos(turns)) ** 2 + np.dot(windowed, np.sin(turns)) ** 2)
    return np.array(out)
