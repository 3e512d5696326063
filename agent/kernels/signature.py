"""The curve of a cut: on a fixed grid, within an envelope of the cuts before it, beside one of another length, its area and its slopes.

Values are (positions, channels) or a single curve; all are float64, and what is not finite is no value. Everything but `align` may be used
while the cut grows: what was seen is in a small state, and only what is new is handed in.

resample: linear between two readings, as many positions as wanted; nothing is made up outside the readings or across a gap. A grid coarser
    than the readings skips some of them.
envelope: per position the median of the cuts, and 1.4826 times the median distance from it (MAD; robust.py). Half of the cuts may be odd.
exceed: z = (x - median) / max(MAD, floor); a position is outside above `up` or below -`down` (infinity: that side is not watched), and the
    curve is outside where `persistence` positions in a row are: a single spike is breakage's business, not the envelope's.
align: along the way of dynamic time warping (`agent.kernels.dtw`).
grow: area by trapezoids, of all and of what is above a level (with the crossing in its place); steepest rise and fall between neighbours.
beyond: which of these four lie outside limits of their own.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

GAUSSIAN = 1.482602218505602
"""MAD times this is the standard deviation of Gaussian values."""

ABOVE_RUN, BELOW_RUN, HIGHEST, LOWEST = range(4)
EXCEED_FIELDS = 4
"""Rows of the state of `exceed`: positions outside in a row on either side; the largest and the smallest z so far."""
ABOVE, BELOW = 1, 2

LAST_TIME, LAST_VALUE, AREA, OVER, RISE, FALL = range(6)
GROW_FIELDS = 6
"""State of `grow`: the last good reading; integral of x - level and of its part above 0 (unit s); steepest rise and fall (unit / s)."""

_READ1 = types.Array(types.float64, 1, "C", readonly=True)
_READ2 = types.Array(types.float64, 2, "C", readonly=True)
_WRITE1 = types.float64[::1]
_WRITE2 = types.float64[:, ::1]


@numba.njit([types.void(_READ1, _READ2, types.float64, types.float64, types.float64, _WRITE2)], **jit.options())
def resample(time, values, first, step, longest, out):  # type: ignore[no-untyped-def]
    """Values at `first`, `first + step`, ...

    Parameters
    ----------
    time: (n,) s, ascending; of equal times the last counts.
    values: (n, channels).
    first, step: s; step above 0. A grid over the whole cut: step = duration / (positions - 1).
    longest: s between two readings beyond which nothing is known between them; inf: none.
    out: (positions, channels), is filled; NaN where nothing is known.
    """
    n = len(time)
    at = 0
    for k in range(out.shape[0]):
        wanted = first + k * step
        while at + 1 < n and time[at + 1] <= wanted:
            at += 1
        for c in range(out.shape[1]):
            out[k, c] = np.nan
            if n == 0 or wanted < time[0]:
                continue
            if time[at] == wanted:
                out[k, c] = values[at, c]
            elif at + 1 < n and time[at + 1] - time[at] <= longest:
                share = (wanted - time[at]) / (time[at + 1] - time[at])
                out[k, c] = values[at, c] + share * (values[at + 1, c] - values[at, c])
            if not np.isfinite(out[k, c]):
                out[k, c] = np.nan


@numba.njit([types.float64(_WRITE1, types.int64)], **jit.options())
def _median(values, n):  # type: ignore[no-untyped-def]
    """Of the first n values, n at least 1; puts them in order."""
    for i in range(1, n):
        value = values[i]
        at = i
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
    half = n // 2
    return values[half] if n % 2 == 1 else values[half - 1] + 0.5 * (values[half] - values[half - 1])


@numba.njit([types.void(types.Array(types.float64, 3, "C", readonly=True), _WRITE2, _WRITE2, types.int64[:, ::1])], **jit.options())
def envelope(curves, centre, spread, count):  # type: ignore[no-untyped-def]
    """Median and spread of the cuts at each position.

    Parameters
    ----------
    curves: (cuts, positions, channels) on one grid; NaN where a cut has no value.
    centre, spread: (positions, channels), are filled; NaN where no cut has a value. The spread is 1.4826 MAD; 0 from a single cut.
    count: (positions, channels), is filled: cuts with a value.
    """
    found = np.empty(max(curves.shape[0], 1))
    for k in range(curves.shape[1]):
        for c in range(curves.shape[2]):
            n = 0
            for i in range(curves.shape[0]):
                value = curves[i, k, c]
                if np.isfinite(value):
                    found[n] = value
                    n += 1
            count[k, c] = n
            centre[k, c] = np.nan
            spread[k, c] = np.nan
            if n > 0:
                middle = _median(found, n)
                for i in range(n):
                    found[i] = abs(found[i] - middle)
                centre[k, c] = middle
                spread[k, c] = GAUSSIAN * _median(found, n)


@numba.njit(
    [types.void(_WRITE2, _READ2, _READ2, _READ1, _READ2, types.int64, types.float64, types.float64, types.int64, types.uint8[:, ::1])],
    **jit.options(),
)
def exceed(state, centre, spread, floor, curve, first, up, down, persistence, told):  # type: ignore[no-untyped-def]
    """Take new positions of a growing cut.

    Parameters
    ----------
    state: (EXCEED_FIELDS, channels), zeros when the cut opens; changed in place.
    centre, spread: (positions, channels), of `envelope`.
    floor: (channels,), the smallest spread believed, unit of the channel.
    curve: (n, channels), the positions from `first` on. One without a value, or beyond the envelope's end, changes nothing.
    up, down: width of the band in spreads, above 0; inf: that side is not watched.
    persistence: positions in a row that must be outside, at least 1.
    told: (n, channels) uint8, is filled with ABOVE or BELOW where the curve is outside, else 0.
    """
    for i in range(curve.shape[0]):
        k = first + i
        for c in range(curve.shape[1]):
            told[i, c] = 0
            if k >= centre.shape[0] or not np.isfinite(curve[i, c]) or not np.isfinite(centre[k, c]):
                continue
            away = curve[i, c] - centre[k, c]
            wide = max(spread[k, c], floor[c])
            z = away / wide if wide > 0.0 else (0.0 if away == 0.0 else np.copysign(np.inf, away))
            state[ABOVE_RUN, c] = state[ABOVE_RUN, c] + 1.0 if z > up else 0.0
            state[BELOW_RUN, c] = state[BELOW_RUN, c] + 1.0 if z < -down else 0.0
            state[HIGHEST, c] = max(state[HIGHEST, c], z)
            state[LOWEST, c] = min(state[LOWEST, c], z)
            if state[ABOVE_RUN, c] >= persistence:
                told[i, c] = ABOVE
            elif state[BELOW_RUN, c] >= persistence:
                told[i, c] = BELOW


@numba.njit("UniTuple(i8, 2)(i8, i8, i8, i8)", **jit.options())
def _reach(i, n, m, band):  # type: ignore[no-untyped-def]
    """First and last position of the other curve that position `i` may be put beside; whole numbers, so that both sides agree. The one of
    dtw.py, copied: a kernel and its helpers share a file."""
    if n == 1:
        return 0, m - 1
    # |j - i (m - 1) / (n - 1)| <= band
    low = -(-(i * (m - 1) - band * (n - 1)) // (n - 1))
    high = (i * (m - 1) + band * (n - 1)) // (n - 1)
    return max(low, 0), min(high, m - 1)


@numba.njit([types.float64(_READ1, _READ1, types.int64, _WRITE2, _WRITE1)], **jit.options())
def align(a, b, band, work, out):  # type: ignore[no-untyped-def]
    """Put `a` on the positions of `b`, so that a cut that ran slower or faster can be held against the envelope.

    Parameters
    ----------
    a, b, band: as `agent.kernels.dtw.dtw`.
    work: (at least n, at least m), of the caller.
    out: (m,), is filled with the mean of the values of `a` beside each position of `b`; NaN where the distance is no number.

    Returns the distance.
    """
    n = len(a)
    m = len(b)
    sound = n > 0 and m > 0
    for i in range(n):
        sound = sound and np.isfinite(a[i])
    for j in range(m):
        sound = sound and np.isfinite(b[j])
        out[j] = np.nan
    if not sound:
        return np.nan
    for i in range(n):
        for j in range(m):
            work[i, j] = np.inf
        low, high = _reach(i, n, m, band)
        for j in range(low, high + 1):
            best = np.inf if i + j > 0 else 0.0
            if j > 0:
                best = work[i, j - 1]
            if i > 0:
                best = min(best, work[i - 1, j])
                if j > 0:
                    best = min(best, work[i - 1, j - 1])
            work[i, j] = best + abs(a[i] - b[j])
    distance = work[n - 1, m - 1]
    if distance == np.inf:
        return distance
    i = n - 1
    j = m - 1
    total = a[i]
    beside = 1.0
    while i > 0 or j > 0:
        corner = work[i - 1, j - 1] if i > 0 and j > 0 else np.inf
        up = work[i - 1, j] if i > 0 else np.inf
        left = work[i, j - 1] if j > 0 else np.inf
        stay = up < corner and up < left
        if not stay:
            out[j] = total / beside
            total = 0.0
            beside = 0.0
            j -= 1
        if stay or corner <= left:
            i -= 1
        total += a[i]
        beside += 1.0
    out[0] = total / beside
    return distance


@numba.njit([types.void(_WRITE1, _READ1, _READ1, types.float64, types.float64)], **jit.options())
def grow(state, time, values, level, longest):  # type: ignore[no-untyped-def]
    """Take new readings of a growing cut.

    Parameters
    ----------
    state: (GROW_FIELDS,), of `opened`; changed in place.
    time, values: (n,), s, ascending; a reading that is not finite, or not later than the last, is passed over.
    level: from where the area counts, unit of the values.
    longest: s between two readings beyond which nothing is counted between them; inf: none.
    """
    for i in range(len(time)):
        if not (np.isfinite(time[i]) and np.isfinite(values[i])):
            continue
        span = time[i] - state[LAST_TIME]
        if span <= 0.0:
            continue
        if span <= longest:
            before = state[LAST_VALUE] - level
            now = values[i] - level
            state[AREA] += 0.5 * span * (before + now)
            if before >= 0.0 and now >= 0.0:
                state[OVER] += 0.5 * span * (before + now)
            elif before > 0.0 or now > 0.0:
                top = max(before, now)
                state[OVER] += 0.5 * span * top * (top / abs(before - now))
            slope = (values[i] - state[LAST_VALUE]) / span
            state[RISE] = max(state[RISE], slope)
            state[FALL] = min(state[FALL], slope)
        state[LAST_TIME] = time[i]
        state[LAST_VALUE] = values[i]


@numba.njit([types.int64(_READ1, _READ2)], **jit.options())
def beyond(state, limits):  # type: ignore[no-untyped-def]
    """Which of the area, the area above the level, the steepest rise and the steepest fall of `grow` lie outside their limits.

    Parameters
    ----------
    state: (GROW_FIELDS,), of `grow`; while the cut grows only upper limits of the areas mean anything.
    limits: (4, 2), lowest and highest of AREA, OVER, RISE, FALL; -inf and inf: not watched. A limit that is NaN is passed by nothing.

    Returns a sum of bits: 1 << 2 i for the i-th below its lowest, 2 << 2 i above its highest.
    """
    told = 0
    for i in range(4):
        if state[AREA + i] < limits[i, 0]:
            told |= 1 << (2 * i)
        if state[AREA + i] > limits[i, 1]:
            told |= 2 << (2 * i)
    return told


def opened() -> NDArray[np.float64]:
    """State of `grow` when a cut opens."""
    state = np.zeros(GROW_FIELDS)
    state[LAST_TIME] = np.nan
    return state
