"""AR(1) pre-whitening: what a value tells beyond the one before it, many channels at once.

Charts suppose independent values; on autocorrelated ones textbook limits raise 10 to 50 times too many alarms (detection.md). Here the
series is taken as x_i = a + phi x_(i-1) + e_i; a and phi are the least squares of all pairs of neighbours learned (conditional least
squares: G. E. P. Box and G. M. Jenkins, Time Series Analysis, 1970, 7.1), and the innovation e_i over its standard deviation goes to a
chart (L. C. Alwan and H. V. Roberts, J. Business and Economic Statistics 6 (1988) 87-95). phi is kept within +-0.99; from n pairs it comes
out low by about (1 + 3 phi) / n (M. G. Kendall, Biometrika 41 (1954) 403).

SCORE: (x_i - a - phi x_(i-1)) / s with s^2 = sum(e^2) / (n - 2) of the pairs learned; -37 to 37; NaN before `FEWEST` pairs, and for a value
    whose predecessor is missing.
INNOVATION: the same in the unit of the channel.
PHI: the coefficient used; NaN before `FEWEST` pairs.

State is one float64 array (FIELDS, channels), C order: saved and restored as its bytes. A value that is not finite, or beyond 1e150, is no
value and breaks the chain: the next one has no predecessor.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

N, BEFORE, NOW, BEFORE2, NOW2, BOTH, LAST = range(7)
FIELDS = 7
"""Rows of the state: pairs learned; mean of their first and of their second values, sums of the squared deviations of both and of the
products; the last value."""
SCORE, INNOVATION, PHI = range(3)
OUTPUTS = 3

FEWEST = 3
"""Pairs learned before the first score: three have one degree of freedom."""
STEADIEST = 0.99
_HUGE = 1e150
_LARGEST = 37.0


@numba.njit(
    [
        types.void(
            types.float64[:, ::1],
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64[:, :, ::1],
        )
    ],
    **jit.options(),
)
def update(state, values, learn, floor, out):  # type: ignore[no-untyped-def]
    """Take vectors of values in, the oldest first.

    Parameters
    ----------
    state: (FIELDS, channels), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged, and is the predecessor of the next, but its pair is not learned.
    floor: (channels,), the smallest standard deviation of the innovation believed, unit of the channel; 0: none.
    out: (n, OUTPUTS, channels), is filled.
    """
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            value = values[i, c]
            last = state[LAST, c]
            score = np.nan
            innovation = np.nan
            phi = np.nan
            if not abs(value) <= _HUGE:
                value = np.nan
            n = state[N, c]
            if n >= FEWEST:
                square = state[BEFORE2, c]
                phi = state[BOTH, c] / square if square > 0.0 else 0.0
                phi = min(max(phi, -STEADIEST), STEADIEST)
            if value == value and last == last:
                off = value - state[NOW, c]
                back = last - state[BEFORE, c]
                if n >= FEWEST:
                    innovation = off - phi * back
                    # With phi at its bound the sum of squares is no longer that of the least squares; so it is written out.
                    left = state[NOW2, c] - 2.0 * phi * state[BOTH, c] + phi * phi * state[BEFORE2, c]
                    spread = max(np.sqrt(max(left, 0.0) / (n - 2.0)), floor[c])
                    if spread > 0.0:
                        score = min(max(innovation / spread, -_LARGEST), _LARGEST)
                    else:
                        score = math.copysign(_LARGEST, innovation) if innovation != 0.0 else 0.0
                if learn[i, c] != 0:
                    n += 1.0
                    state[N, c] = n
                    state[NOW, c] += off / n
                    state[BEFORE, c] += back / n
                    state[NOW2, c] += off * (value - state[NOW, c])
                    state[BEFORE2, c] += back * (last - state[BEFORE, c])
                    state[BOTH, c] += back * (value - state[NOW, c])
            state[LAST, c] = value
            out[i, SCORE, c] = score
            out[i, INNOVATION, c] = innovation
            out[i, PHI, c] = phi


def new(channels: int) -> NDArray[np.float64]:
    """State that knows nothing yet."""
    state = np.zeros((FIELDS, channels))
    state[LAST] = np.nan
    return state
