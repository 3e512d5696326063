"""Medians, and what is made of them, of few values: a cut has some dozens of each, and numpy's own take ten times as long as sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Curve = np.ndarray[tuple[int], np.dtype[np.float64]]
"""(n,) load of a cut on its grid"""


def winsorised(values: Sequence[float], floor: float) -> tuple[float, float, float]:
    """Mean, standard deviation (n - 1) and robust standard deviation (1.4826 times the median absolute deviation) of values, those beyond
    three robust standard deviations from the median pulled in to there first (Huber, Robust Statistics, 1981, section 1.7).

    Neither deviation is below `floor`. NaN where a value is.
    """
    latest = np.array(values)
    middle = median(values)
    robust = max(1.4826 * median(np.abs(latest - middle).tolist()), floor)
    latest = np.minimum(np.maximum(latest, middle - 3.0 * robust), middle + 3.0 * robust)
    n = len(latest)
    mean = float(np.add.reduce(latest)) / n
    off = latest - mean
    variance = float(np.add.reduce(off * off)) / (n - 1) if n > 1 else 0.0
    return mean, max(math.sqrt(variance), floor), robust


def median(values: Sequence[float]) -> float:
    """Of a few values, at least one; to the bit that of numpy. NaN where a value is."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    if any(map(math.isnan, ordered)):
        return math.nan
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2.0


def band(curves: Sequence[Curve], floor: float) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Median -+ 3 robust standard deviations per position (1.4826 MAD), at least `floor` of the largest median; three decimals.

    As long as the median of the lengths, as far as three curves reach; None where that is less than two points.
    """
    length = int(median([len(curve) for curve in curves]))
    # A row a place: its values lie side by side, which sorts twice as fast.
    matrix = np.full((length, len(curves)), np.nan)
    for i, curve in enumerate(curves):
        n = min(length, len(curve))
        matrix[:n, i] = curve[:n]
    known = np.isfinite(matrix).sum(axis=1)
    if np.all(known == len(curves)):
        count = known
    else:
        matrix = matrix[: int((known >= 3).sum())]
        count = len(curves) - np.isnan(matrix).sum(axis=1)
    if len(matrix) < 2:
        return None
    middle = _medians(matrix, count)
    spread = 1.4826 * _medians(np.abs(matrix - middle[:, None]), count)
    half = np.maximum(3.0 * spread, floor * float(np.max(np.abs(middle))))
    return tuple(np.round(middle - half, 3).tolist()), tuple(np.round(middle + half, 3).tolist())


def _medians(matrix: NDArray[np.float64], count: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, columns) to (n,): of each row the median of its `count` values that are there; the others are NaN."""
    ordered = np.sort(matrix, axis=1)
    row = np.arange(len(matrix))
    high = count // 2
    low = np.maximum((count - 1) // 2, 0)
    middle: NDArray[np.float64] = (ordered[row, low] + ordered[row, high]) / 2.0
    return middle
