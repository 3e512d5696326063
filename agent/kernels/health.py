"""Figures of a stretch of rows by which each channel is judged: does it move, does it answer, is it cut off, how noisy is it.

One walk over the rows for all channels. What does not fit in one stretch (how long a value has stood still) is carried to the next.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types

from drivers import jit

OTHER, STANDING, TURNING, CUTTING = range(4)
"""What the spindle of a channel does at a row; OTHER: not known, or it changes."""

FRESH, BAD, MISSING, SPAN, N, MEAN, SPREAD, CHANGES, TOP, BELOW, STEP, RANGE, NOISE_N, NOISE, GAPS, GAP_SUM, GAP_MAX, LONG = range(18)
"""Columns of `out`, of one channel in these rows:

FRESH: rows in which it was read (not UNAVAILABLE). BAD: of these, not a value (quality BAD, NaN, inf).
MISSING: s within gaps between readings (more than `GAP` periods, less than `SILENT` s), less the period that is due. SPAN: s between
    the first and the last reading, the last of the stretch before included. LONG: how many such gaps.
N, MEAN, SPREAD, CHANGES: of the readings while cutting: how many, mean, standard deviation (population), how many differ from the one
    before.
TOP: of these, visits to exactly the largest or exactly the smallest value, whichever is more; a visit may last several readings. Zero is
    no such end: figures like an RMS end there by themselves.
BELOW: readings while cutting within one and a half steps of that end, the end itself not counted.
STEP: smallest difference between two readings that differ, while cutting. RANGE: largest minus smallest.
NOISE_N, NOISE: while standing: how many differences between neighbours, and their median size.
GAPS, GAP_SUM, GAP_MAX: times between two changes that ended here, counted in seconds in which the spindle turned or cut.
"""
WIDTH = 18

VALUE, TIME, CHANGED, STILL = range(4)
"""Columns of `carry`: latest value; its time; time of the latest change; s since then in which the spindle turned or cut. NaN: not yet."""
CARRY = 4

GAP = 2.5
"""Periods between two readings beyond which some are missing: one late reading is not."""
SILENT = 5.0
"""s beyond which a channel is lost, which is told elsewhere (`agent.detect.sensor.PATIENCE`)."""
STEADY = 1.0
"""s: longer times between two readings do not count in full as seconds in which a value stood still."""


@numba.njit(
    [
        types.void(
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.Array(types.boolean, 2, "C", readonly=True),
            types.Array(types.int8, 2, "C", readonly=True),
            types.int64,
            types.int64,
            types.float64,
            types.float64,
            types.float64,
            types.float64[:, ::1],
        )
    ],
    **jit.options(),
)
def _ends(values, quality, fresh, mode, spindle, c, low, high, step, out):  # type: ignore[no-untyped-def]
    """Fill TOP and BELOW."""
    tops, bottoms, near_top, near_bottom = 0.0, 0.0, 0.0, 0.0
    before = math.nan
    for i in range(len(values)):
        x = values[i, c]
        if not fresh[i, c] or quality[i, c] > 2:
            continue
        if quality[i, c] > 1 or not math.isfinite(x) or mode[i, spindle] != CUTTING:
            before = math.nan
            continue
        if x == high and high != 0.0:
            tops += 1.0 if before != high else 0.0
        elif x != high and x >= high - 1.5 * step:
            near_top += 1.0
        if x == low and low != 0.0:
            bottoms += 1.0 if before != low else 0.0
        elif x != low and x <= low + 1.5 * step:
            near_bottom += 1.0
        before = x
    out[c, TOP] = max(tops, bottoms)
    out[c, BELOW] = near_top if tops >= bottoms else near_bottom


@numba.njit("f8(f8[::1], i8)", **jit.options())
def _median(values, n):  # type: ignore[no-untyped-def]
    """Of the first n values, n at least 1, none of them NaN; puts some of them in order (C. A. R. Hoare, Comm. ACM 4 (1961) 321). numpy's
    own takes half of this file's time to compile."""
    half = n // 2
    low, high = 0, n - 1
    while low < high:
        pivot = values[half]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < half:
            low = i
        if half < i:
            high = j
    if n % 2 == 1:
        return values[half]
    below = values[0]
    for i in range(1, half):
        below = max(below, values[i])
    return (below + values[half]) / 2.0


@numba.njit(
    [
        types.void(
            types.Array(types.float64, 1, "C", readonly=True),
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.Array(types.boolean, 2, "C", readonly=True),
            types.Array(types.int8, 2, "C", readonly=True),
            types.Array(types.int64, 1, "C", readonly=True),
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64[:, ::1],
            types.float64[:, ::1],
        )
    ],
    **jit.options(),
)
def measure(time, values, quality, fresh, mode, spindle, period, carry, out):  # type: ignore[no-untyped-def]
    """Measure all channels over the rows of one stretch.

    Parameters
    ----------
    time: (n,) s, ascending. values, quality, fresh: (n, channels), as in `agent.timeline.Rows`.
    mode: (n, spindles) of OTHER, STANDING, TURNING, CUTTING. spindle: (channels,) column of `mode`; -1: of none, always OTHER.
    period: (channels,) s between two readings; NaN: not known, then nothing is missing.
    carry: (channels, CARRY), changed in place. out: (channels, WIDTH), is filled.
    """
    n, channels = values.shape
    differences = np.empty(n)
    for c in range(channels):
        out[c, :] = 0.0
        low, high, step = math.inf, -math.inf, math.inf
        mean, squares, count = 0.0, 0.0, 0.0
        before_cut = math.nan
        noisy = 0
        before_still = math.nan
        for i in range(n):
            if not fresh[i, c] or quality[i, c] > 2:
                continue
            out[c, FRESH] += 1.0
            was = carry[c, TIME]
            since = time[i] - was
            if since >= 0.0 and since < SILENT:
                out[c, SPAN] += since
                if since > GAP * period[c]:
                    out[c, MISSING] += since - period[c]
                    out[c, LONG] += 1.0
            carry[c, TIME] = time[i]
            x = values[i, c]
            if quality[i, c] > 1 or not math.isfinite(x):
                out[c, BAD] += 1.0
                before_cut = before_still = math.nan
                continue
            does = mode[i, spindle[c]] if spindle[c] >= 0 else OTHER
            last = carry[c, VALUE]
            if x != last:
                gap = carry[c, STILL] + (min(max(since, 0.0), STEADY) if does >= TURNING else 0.0)
                if last == last and gap > 0.0:
                    out[c, GAPS] += 1.0
                    out[c, GAP_SUM] += gap
                    out[c, GAP_MAX] = max(out[c, GAP_MAX], gap)
                carry[c, VALUE], carry[c, CHANGED], carry[c, STILL] = x, time[i], 0.0
            elif does >= TURNING:
                carry[c, STILL] += min(max(since, 0.0), STEADY)
            if does == CUTTING:
                count += 1.0
                delta = x - mean
                mean += delta / count
                squares += delta * (x - mean)
                low, high = min(low, x), max(high, x)
                if before_cut == before_cut and x != before_cut:
                    out[c, CHANGES] += 1.0
                    step = min(step, abs(x - before_cut))
                before_cut = x
            else:
                before_cut = math.nan
            if does == STANDING:
                if before_still == before_still:
                    differences[noisy] = abs(x - before_still)
                    noisy += 1
                before_still = x
            else:
                before_still = math.nan
        out[c, N], out[c, MEAN] = count, mean
        if count > 0.0:
            out[c, SPREAD] = math.sqrt(squares / count)
            out[c, RANGE] = high - low
        out[c, STEP] = step if step < math.inf else 0.0
        if noisy > 0:
            out[c, NOISE_N] = noisy
            out[c, NOISE] = _median(differences, noisy)
        if out[c, CHANGES] > 0.0:
            _ends(values, quality, fresh, mode, spindle[c], c, low, high, step, out)
