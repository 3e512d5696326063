"""ADWIN: a window that is as long as the mean has not changed, many channels at once.

A. Bifet and R. Gavalda, "Learning from time-changing data with adaptive windowing", SIAM Int. Conf. on Data Mining (2007) 443-448. The
window is kept as buckets of 1, 2, 4, ... values, at most five of a size, each with its sum and its sum of squared deviations; the two
oldest of a size are merged when a sixth comes. Every `clock`-th value each border between two buckets is tried: where the means of the
older and the newer part differ by more than

    sqrt(2 m v d) + 2/3 d m,  m = 1 / (n0 - shortest + 1) + 1 / (n1 - shortest + 1),  d = ln(2 ln(n) / delta),  v the variance of the window

the oldest bucket is dropped and all is tried again. That is the form of river 0.26 (`river.drift.ADWIN`): the alarms come with the same
value.

State is one float64 array (channels, FIELDS), C order: saved and restored as its bytes. It holds 5 (2^32 - 1) values: decades. A value that
is not finite, or beyond 1e150, is no value: nothing changes.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

TICK, WIDTH, TOTAL, SQUARES, SIZES, ALARMS, ALARMED = range(7)
"""Values since the start, values in the window, their sum, the sum of their squared deviations, sizes of buckets in use, alarms so far,
whether the last value raised one."""
_COUNTS = 7
_LARGEST_SIZE = 32
_MOST = 5
_SUMS = _COUNTS + _LARGEST_SIZE
_SPREADS = _SUMS + _LARGEST_SIZE * (_MOST + 1)
FIELDS = _SPREADS + _LARGEST_SIZE * (_MOST + 1)
_HUGE = 1e150
_SAFE = 1.0 - 1e-9
"""Less than 1 by more than rounding can do: what is passed over on this account would have been passed over by the formula."""

_STATE = types.float64[:, ::1]


# Helpers index the whole state: each view of a part of it would count its references, which takes longer than the sums.
@numba.njit([types.void(_STATE, types.int64, types.float64)], **jit.options())
def _insert(state, c, value):  # type: ignore[no-untyped-def]
    """The newest value of channel `c`, as a bucket of its own; merges what is too many."""
    width = state[c, WIDTH] + 1.0
    if width > 1.0:
        away = value - state[c, TOTAL] / (width - 1.0)
        state[c, SQUARES] += (width - 1.0) * away * away / width
    state[c, WIDTH] = width
    state[c, TOTAL] += value
    total = value
    spread = 0.0
    n = 1.0
    for size in range(_LARGEST_SIZE):
        count = int(state[c, _COUNTS + size])
        sums = _SUMS + size * (_MOST + 1)
        spreads = _SPREADS + size * (_MOST + 1)
        state[c, sums + count] = total
        state[c, spreads + count] = spread
        if count < _MOST:
            state[c, _COUNTS + size] = count + 1.0
            state[c, SIZES] = max(state[c, SIZES], size + 1.0)
            return
        first, second = state[c, sums], state[c, sums + 1]
        apart = (first - second) / n
        total = first + second
        spread = state[c, spreads] + state[c, spreads + 1] + 0.5 * n * apart * apart
        for k in range(_MOST - 1):
            state[c, sums + k] = state[c, sums + k + 2]
            state[c, spreads + k] = state[c, spreads + k + 2]
        state[c, _COUNTS + size] = _MOST - 1.0
        n += n


@numba.njit([types.void(_STATE, types.int64)], **jit.options())
def _drop_oldest(state, c):  # type: ignore[no-untyped-def]
    size = int(state[c, SIZES]) - 1
    n = float(1 << size)
    count = int(state[c, _COUNTS + size])
    sums = _SUMS + size * (_MOST + 1)
    spreads = _SPREADS + size * (_MOST + 1)
    total = state[c, sums]
    left = state[c, WIDTH] - n
    state[c, WIDTH] = left
    state[c, TOTAL] -= total
    if left > 0.0:
        away = total / n - state[c, TOTAL] / left
        state[c, SQUARES] -= state[c, spreads] + n * left * away * away / (n + left)
    for k in range(count - 1):
        state[c, sums + k] = state[c, sums + k + 1]
        state[c, spreads + k] = state[c, spreads + k + 1]
    state[c, _COUNTS + size] = count - 1.0
    while size >= 0 and state[c, _COUNTS + size] == 0.0:
        size -= 1
    state[c, SIZES] = size + 1.0


@numba.njit([types.boolean(_STATE, types.int64, types.float64, types.float64)], **jit.options())
def _cut_somewhere(state, c, delta, shortest):  # type: ignore[no-untyped-def]
    """Whether older and newer values differ at any border between two buckets; the oldest border is tried first."""
    width = state[c, WIDTH]
    whole = state[c, TOTAL]
    doubt = np.log(2.0 * np.log(width) / delta)
    noise = 2.0 * max(state[c, SQUARES] / width, 0.0) * doubt
    old = 0.0
    total = 0.0
    for size in range(int(state[c, SIZES]) - 1, -1, -1):
        n = float(1 << size)
        for k in range(int(state[c, _COUNTS + size])):
            old += n
            total += state[c, _SUMS + size * (_MOST + 1) + k]
            new = width - old
            if new < shortest or new < 1.0:
                return False
            if old < shortest:
                continue
            # Without root or division, what is clearly no change, which is nearly all: apart^2 is not even as large as the first term's.
            first, second = old - shortest + 1.0, new - shortest + 1.0
            across, both = total * width - whole * old, old * new
            if across * across * first * second <= _SAFE * noise * (first + second) * both * both:
                continue
            m = 1.0 / (old - shortest + 1.0) + 1.0 / (new - shortest + 1.0)
            # total / old - (whole - total) / new with one division.
            apart = abs(total * width - whole * old) / (old * new)
            if apart > np.sqrt(noise * m) + 2.0 / 3.0 * doubt * m:
                return True
    return False


@numba.njit(
    [
        types.void(
            types.float64[:, ::1],
            types.Array(types.float64, 2, "C", readonly=True),
            types.float64,
            types.int64,
            types.float64,
            types.float64,
            types.boolean,
            types.uint8[:, ::1],
        )
    ],
    **jit.options(),
)
def update(state, values, delta, clock, shortest, grace, restart, alarms):  # type: ignore[no-untyped-def]
    """Take vectors of values in, the oldest first.

    Parameters
    ----------
    state: (channels, FIELDS), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time. The formula supposes a unit in which changes are about 1.
    delta: chance of a false alarm at one border, 0.002.
    clock: borders are tried at every so many-th value, 32.
    shortest: values that both parts must have, 5.
    grace: values in the window up to which nothing is tried, 10.
    restart: True: the value after an alarm starts a new window (as river); False: the window keeps its newer part (as the paper).
    alarms: (n, channels) uint8, is filled with 1 where a change was found.
    """
    # A window of one channel fills a tenth of the nearest cache: all its values in a row, then the next channel's.
    for c in range(values.shape[1]):
        for i in range(values.shape[0]):
            value = values[i, c]
            alarms[i, c] = 0
            if not abs(value) <= _HUGE:
                continue
            if state[c, ALARMED] != 0.0:
                state[c, ALARMED] = 0.0
                if restart:
                    told = state[c, ALARMS]
                    for k in range(FIELDS):
                        state[c, k] = 0.0
                    state[c, ALARMS] = told
            _insert(state, c, value)
            state[c, TICK] += 1.0
            if int(state[c, TICK]) % clock == 0:
                while state[c, WIDTH] > grace and _cut_somewhere(state, c, delta, shortest):
                    _drop_oldest(state, c)
                    state[c, ALARMED] = 1.0
                if state[c, ALARMED] != 0.0:
                    state[c, ALARMS] += 1.0
                    alarms[i, c] = 1


def new(channels: int) -> NDArray[np.float64]:
    """State of windows that hold nothing."""
    return np.zeros((channels, FIELDS))


def means(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """(channels,) mean of the window; NaN where it holds nothing."""
    told = np.full(len(state), np.nan)
    filled = state[:, WIDTH] > 0
    told[filled] = state[filled, TOTAL] / state[filled, WIDTH]
    return told
