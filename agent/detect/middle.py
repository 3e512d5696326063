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
    middle = _median(latest)
    robust = max(1.4826 * _median(np.abs(latest - middle)), floor)
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
    total = sum(ordered)
    if total != total and any(map(math.isnan, ordered)):
        return math.nan
    return float(ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2.0)


def band(curves: Sequence[Curve], floor: float) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Median -+ 3 robust standard deviations per position (1.4826 MAD), at least `floor` of the largest median; three decimals.

    As long as the median of the lengths, as far as three curves reach; None where that is less than two points.
    """
    lengths = [len(curve) for curve in curves]
    length = int(median(lengths))
    full = min(*lengths, length)
    matrix = np.full((len(curves), length), np.nan)
    for row, curve in zip(matrix, curves, strict=True):
        n = min(length, len(curve))
        row[:n] = curve[:n]
    if np.isfinite(matrix[:, :full]).all():
        # All curves reach `full`: counted is beyond it only.
        tail = np.isfinite(matrix[:, full:]).sum(axis=0)
        matrix = matrix[:, : (full if len(curves) >= 3 else 0) + int((tail >= 3).sum())]
        count = np.full(matrix.shape[1], len(curves))
        count[full:] -= np.isnan(matrix[:, full:]).sum(axis=0)
    else:
        matrix = matrix[:, : int((np.isfinite(matrix).sum(axis=0) >= 3).sum())]
        count = len(curves) - np.isnan(matrix).sum(axis=0)
    if matrix.shape[1] < 2:
        return None
    middle = _medians(matrix, count)
    matrix -= middle
    np.abs(matrix, out=matrix)
    spread = 1.4826 * _medians(matrix, count)
    half = np.maximum(3.0 * spread, floor * float(np.max(np.abs(middle))))
    low, high = np.round(np.stack((middle - half, middle + half)), 3).tolist()
    return tuple(low), tuple(high)


def _median(values: Curve) -> float:
    """The same of an array; NaN where a value is."""
    ordered = np.sort(values)
    half, odd = divmod(len(ordered), 2)
    if ordered[-1] != ordered[-1]:
        return float(ordered[-1])
    return float(ordered[half]) if odd else float(ordered[half - 1] + ordered[half]) / 2.0


def _medians(matrix: NDArray[np.float64], count: NDArray[np.intp]) -> NDArray[np.float64]:
    """(rows, n) to (n,): of each column the median of its `count` values that are there; the others are NaN."""
    ordered = np.sort(matrix, axis=0)
    column = np.arange(matrix.shape[1])
    high = count // 2
    low = np.maximum((count - 1) // 2, 0)
    middle: NDArray[np.float64] = (ordered[low, column] + ordered[high, column]) / 2.0
    return middle
