"""Location and scale that some wild values do not move: median and MAD of the newest values, many channels at once.

LOCATION: the median of the `window` newest values learned, before this one enters.
SCALE: 1.4826 times the median of their distances from it (MAD): for Gaussian values their standard deviation (F. R. Hampel, J. American
    Statistical Association 69 (1974) 383-393). Half of the values may be wild before either breaks down.
SCORE: (x - LOCATION) / max(SCALE, floor), -37 to 37; NaN before `FEWEST` values.

State is one float64 array (channels, 2 + 2 window), C order: values learned, place of the oldest, the values as they came, the same values
in order. It is saved and restored as its bytes. A value that is not finite, or beyond 1e150, is no value. Whether a value is learned from
is the caller's decision (not while alarmed: the baseline waits).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

LOCATION, SCALE, SCORE = range(3)
OUTPUTS = 3
FEWEST = 3
"""Values learned before the first score."""
GAUSSIAN = 1.482602218505602
"""1 / (the third quartile of the standard normal distribution)."""
_HEAD = 2
_HUGE = 1e150
_LARGEST = 37.0


@numba.njit([types.float64(types.float64[:, ::1], types.int64, types.int64, types.int64, types.float64, types.int64)], **jit.options())
def _nearest(state, c, first, n, middle, k):  # type: ignore[no-untyped-def]
    """The `k`-th smallest distance from `middle` of the `n` ascending values from state[c, first] on; 1 <= k <= n.

    The k nearest values lie side by side, and of k values side by side the farthest is at one end. Moving them up, the lower end comes
    nearer and the upper end goes farther: the best place is where that turns, found by halving.
    """
    low = 0
    high = n - k
    while low < high:
        at = (low + high) // 2
        turned = state[c, first + at + k - 1] - middle >= middle - state[c, first + at]
        high = at if turned else high
        low = low if turned else at + 1
    nearest = max(state[c, first + low + k - 1] - middle, middle - state[c, first + low])
    if low > 0:
        nearest = min(nearest, max(state[c, first + low + k - 2] - middle, middle - state[c, first + low - 1]))
    return nearest


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
    state: (channels, 2 + 2 window), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged but not learned.
    floor: (channels,), the smallest scale believed, unit of the channel; 0: none.
    out: (n, OUTPUTS, channels), is filled.
    """
    window = (state.shape[1] - _HEAD) // 2
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            value = values[i, c]
            first = _HEAD + window
            n = int(state[c, 0])
            out[i, LOCATION, c] = np.nan
            out[i, SCALE, c] = np.nan
            out[i, SCORE, c] = np.nan
            if n > 0:
                half = n // 2
                location = state[c, first + half]
                if n % 2 == 1:
                    distance = _nearest(state, c, first, n, location, half + 1)
                else:
                    below = state[c, first + half - 1]
                    location = below + 0.5 * (location - below)
                    distance = _nearest(state, c, first, n, location, half)
                    distance += 0.5 * (_nearest(state, c, first, n, location, half + 1) - distance)
                scale = GAUSSIAN * distance
                out[i, LOCATION, c] = location
                out[i, SCALE, c] = scale
                if n >= FEWEST and abs(value) <= _HUGE:
                    away = value - location
                    scale = max(scale, floor[c])
                    if scale > 0.0:
                        out[i, SCORE, c] = min(max(away / scale, -_LARGEST), _LARGEST)
                    else:
                        out[i, SCORE, c] = math.copysign(_LARGEST, away) if away != 0.0 else 0.0
            if learn[i, c] != 0 and abs(value) <= _HUGE:
                place = int(state[c, 1])
                at = first + n
                last = first + min(n, window - 1)
                if n == window:
                    gone = state[c, _HEAD + place]
                    at = first
                    above = first + n
                    while at < above:
                        half = (at + above) // 2
                        lower = state[c, half] < gone
                        at = half + 1 if lower else at
                        above = above if lower else half
                else:
                    state[c, 0] = n + 1.0
                # The gap that the oldest left, or the free place at the end, moves to where the new value belongs.
                while at > first and state[c, at - 1] > value:
                    state[c, at] = state[c, at - 1]
                    at -= 1
                while at < last and state[c, at + 1] < value:
                    state[c, at] = state[c, at + 1]
                    at += 1
                state[c, at] = value
                state[c, _HEAD + place] = value
                state[c, 1] = (place + 1) % window


def new(channels: int, window: int = 31) -> NDArray[np.float64]:
    """State that knows nothing yet; `window`: how many of the newest values count, at least 3.

    Raises
    ------
    ValueError: a window that is too short.
    """
    if window < FEWEST:
        raise ValueError(f"a window of {window} values has no spread; at least {FEWEST} are needed")
    return np.zeros((channels, _HEAD + 2 * window))
