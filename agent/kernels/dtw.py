"""How far two curves lie apart when one may run faster or slower for a while: dynamic time warping with a band (H. Sakoe and S. Chiba, IEEE
Trans. ASSP 26 (1978) 43-49): the smallest sum of |a_i - b_j| over all ways through both curves that never go back and keep within `band`
positions of the straight line between the corners.
"""

from __future__ import annotations

import math

import numba
from numba import types

from drivers import jit

_READ1 = types.Array(types.float64, 1, "C", readonly=True)
_WRITE2 = types.float64[:, ::1]


@numba.njit("UniTuple(i8, 2)(i8, i8, i8, i8)", **jit.options())
def _reach(i, n, m, band):  # type: ignore[no-untyped-def]
    """First and last position of the other curve that position `i` may be put beside; whole numbers, so that both sides agree."""
    if n == 1:
        return 0, m - 1
    # |j - i (m - 1) / (n - 1)| <= band
    low = -(-(i * (m - 1) - band * (n - 1)) // (n - 1))
    high = (i * (m - 1) + band * (n - 1)) // (n - 1)
    return max(low, 0), min(high, m - 1)


@numba.njit([types.float64(_READ1, _READ1, types.int64, _WRITE2)], **jit.options())
def dtw(a, b, band, work):  # type: ignore[no-untyped-def]
    """Distance of two curves of any lengths, in their unit; divide by len(a) + len(b) to compare cuts of different lengths.

    Parameters
    ----------
    a, b: (n,) and (m,).
    band: positions of `b` that may lie between a place and the straight line; 0: the nearest alone. Where the curves differ in length by
        more than a factor, a narrow band may leave no way through.
    work: (2, at least m), of the caller, so that nothing is allocated.

    Returns NaN where a value is not finite or a curve is empty, and infinity where the band leaves no way.
    """
    n = len(a)
    m = len(b)
    if n == 0 or m == 0:
        return math.nan
    for i in range(n):
        if not math.isfinite(a[i]):
            return math.nan
    for j in range(m):
        if not math.isfinite(b[j]):
            return math.nan
        work[0, j] = math.inf
        work[1, j] = math.inf
    for i in range(n):
        now = i % 2
        low, high = _reach(i, n, m, band)
        if i > 1:
            gone_low, gone_high = _reach(i - 2, n, m, band)
            for j in range(gone_low, gone_high + 1):
                work[now, j] = math.inf
        left = math.inf
        for j in range(low, high + 1):
            best = min(left, work[1 - now, j])
            if j > 0:
                best = min(best, work[1 - now, j - 1])
            if i == 0 and j == 0:
                best = 0.0
            left = best + abs(a[i] - b[j])
            work[now, j] = left
    return work[(n - 1) % 2, m - 1]
