"""Location and scale that some wild values do not move: median and MAD of the newest values, many channels at once.

LOCATION: the median of the `window` newest values learned, before this one enters.
SCALE: 1.4826 times the median of their distances from it (MAD): for Gaussian values their standard deviation (F. R. Hampel, J. American
    Statistical Association 69 (1974) 383-393). Half of the values may be wild before either breaks down.
SCORE: (x - LOCATION) / max(SCALE, floor), -37 to 37; NaN before `FEWEST` values.

State is one float64 array with a row a channel, C order: values learned, place of the oldest, length of the window, the values as they
came, the same values in order with infinity up to a multiple of 16 places, and one more infinity. It is saved and restored as its bytes.
A value that is not finite, or beyond 1e150, is no value. Whether a value is learned from is the caller's decision (not while alarmed: the
baseline waits).
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
_N, _PLACE, _WINDOW, _HEAD = range(4)
_LANES = 16
"""Places are made up to a multiple of this, so that no odd ones are left over when many are looked at at a time."""
_HUGE = 1e150
_LARGEST = 37.0


@numba.njit([types.float64(types.float64[::1], types.int64, types.int64, types.float64)], **jit.options())
def _nearest(ordered, n, k, middle):  # type: ignore[no-untyped-def]
    """The `k`-th smallest distance from `middle`, which is among or between the first `n` of the ascending values; 1 <= k <= n.

    The k nearest values lie side by side, and of k values side by side the farthest is at one end: the best of all places is looked for,
    many at a time. As whole numbers, because a smallest float is looked for one by one; the bits of numbers from 0 up are in the same
    order.
    """
    best = np.int64(0x7FF0000000000000)  # infinity
    for at in range(n - k + 1):
        up = ordered[at + k - 1] - middle
        down = middle - ordered[at]
        far = max(down, up)
        bits = np.int64(np.float64(far).view(np.int64))
        best = bits if bits < best else best  # noqa: FURB136
    return abs(np.int64(best).view(np.float64))


@numba.njit([types.void(types.float64[::1], types.float64, types.float64)], **jit.options())
def _replace(ordered, gone, value):  # type: ignore[no-untyped-def]
    """Take one value out of the ascending ones, infinity where there are fewer, and put another in; none, if `gone` is infinite.

    Without a branch: what is left at a place is this value or the next; then each place is the middle of what was left before it, what is
    left at it, and the new value.
    """
    now = ordered[0]
    before = -np.inf
    for k in range(len(ordered) - 1):
        after = ordered[k + 1]
        left = now if now < gone else after
        least = min(value, left)
        ordered[k] = max(least, before)
        before = left
        now = after


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
    state: of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged but not learned.
    floor: (channels,), the smallest scale believed, unit of the channel; 0: none.
    out: (n, OUTPUTS, channels), is filled.
    """
    for c in range(values.shape[1]):
        window = int(state[c, _WINDOW])
        ordered = state[c, _HEAD + window :]
        for i in range(values.shape[0]):
            value = values[i, c]
            n = int(state[c, _N])
            location = np.nan
            scale = np.nan
            score = np.nan
            if n > 0:
                half = n // 2
                location = ordered[half]
                if n % 2 == 1:
                    distance = _nearest(ordered, n, half + 1, location)
                else:
                    below = ordered[half - 1]
                    location = below + 0.5 * (location - below)
                    distance = _nearest(ordered, n, half, location)
                    distance += 0.5 * (_nearest(ordered, n, half + 1, location) - distance)
                scale = GAUSSIAN * distance
                if n >= FEWEST and abs(value) <= _HUGE:
                    away = value - location
                    wide = max(scale, floor[c])
                    if wide > 0.0:
                        score = min(max(away / wide, -_LARGEST), _LARGEST)
                    else:
                        score = math.copysign(_LARGEST, away) if away != 0.0 else 0.0
            out[i, LOCATION, c] = location
            out[i, SCALE, c] = scale
            out[i, SCORE, c] = score
            if learn[i, c] != 0 and abs(value) <= _HUGE:
                place = int(state[c, _PLACE])
                gone = np.inf
                if n == window:
                    gone = state[c, _HEAD + place]
                else:
                    state[c, _N] = n + 1.0
                _replace(ordered, gone, value)
                state[c, _HEAD + place] = value
                state[c, _PLACE] = place + 1.0 if place + 1 < window else 0.0


def new(channels: int, window: int = 31) -> NDArray[np.float64]:
    """State that knows nothing yet; `window`: how many of the newest values count, at least 3.

    Raises
    ------
    ValueError: a window that is too short.
    """
    if window < FEWEST:
        raise ValueError(f"a window of {window} values has no spread; at least {FEWEST} are needed")
    state = np.zeros((channels, _HEAD + window + -(-window // _LANES) * _LANES + 1))
    state[:, _WINDOW] = window
    state[:, _HEAD + window :] = np.inf
    return state
