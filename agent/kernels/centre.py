"""Rows of samples made ready for a transform: their mean taken away, divided by their peak."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from drivers import jit


@numba.njit(
    [
        types.void(
            types.Array(types.float32, 2, "C", readonly=True),
            types.Array(types.int32, 2, "C", readonly=True),
            types.float32[:, ::1],
            types.float64[:, ::1],
        )
    ],
    fastmath={"reassoc", "contract", "arcp", "nsz"},
    **jit.options(),
)
def centre(samples, bits, lanes, told):  # type: ignore[no-untyped-def]
    """Take the mean away and divide by the peak, so that neither denormal nor huge values leave the range.

    Parameters
    ----------
    samples: (rows, n); `bits` the same as whole numbers. Smallest and largest are sought among these, as numba does not vectorise that for
        floats; with the sign folded they are ordered as the floats are.
    lanes: (rows, n), is filled; zeros where a row is constant or not finite.
    told: (rows, 3), is filled: mean; largest deviation from it, 0 where constant, NaN where not finite; largest |x|.
    """
    n = samples.shape[1]
    fold = np.int32(0x7FFFFFFF)
    for a in range(len(samples)):
        total = 0.0
        low = np.int32(2147483647)
        high = np.int32(-2147483648)
        for i in range(n):
            whole = bits[a, i]
            whole ^= (whole >> np.int32(31)) & fold
            low = min(low, whole)
            high = max(high, whole)
        smallest = np.int32(low ^ ((low >> np.int32(31)) & fold)).view(np.float32)
        largest = np.int32(high ^ ((high >> np.int32(31)) & fold)).view(np.float32)
        # All that is not finite is the smallest or the largest of all.
        finite = np.isfinite(smallest) and np.isfinite(largest)
        moved = finite and largest > smallest
        for i in range(n):
            total += samples[a, i]
        mean = total / n
        peak = max(largest - mean, mean - smallest) if moved else 0.0
        inverse = 1.0 / peak if moved else 0.0
        for i in range(n):
            lanes[a, i] = np.float32((samples[a, i] - mean) * inverse) if moved else np.float32(0.0)
        told[a, 0] = mean
        told[a, 1] = peak if finite else np.nan
        told[a, 2] = max(abs(np.float64(smallest)), abs(np.float64(largest)))
