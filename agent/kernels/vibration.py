"""Figures of a block of raw vibration: one pass over the samples, one windowed transform, all axes at once.

What each figure is, and why (docs/decisions/0005-vibration-figures.md). x is the acceleration of one axis with its mean removed, n samples,
T = n / rate, u the periodic Hann window, X the transform of u x, df = 1 / T.

MEAN: g. Of all samples; on a mounted sensor the share of gravity along the axis.
RMS: g. sqrt(sum(x^2) / n), not windowed.
PEAK: g. max |x|.
CREST: PEAK / RMS; 1.414 for a sine.
KURTOSIS: n sum(x^4) / sum(x^2)^2, Pearson's (not the excess): 3 for a Gaussian, 1.5 for whole periods of a sine.
SKEWNESS: sqrt(n) sum(x^3) / sum(x^2)^1.5; 0 for anything symmetrical.
VELOCITY: mm/s RMS, 10 to 1000 Hz, the quantity of ISO 20816-1 and -3. Integrated in the frequency domain: the mean square of the velocity
    is 2 / (n sum(u^2)) sum_k |X_k|^2 / (2 pi k df)^2, the energy correction of the window in front. A bin counts with the share of its
    width that lies in the band. This is a band with straight edges, where the band pass of ISO 2954 has slopes: lines beside the edges
    differ.
LINE: mm/s, amplitude (peak of the sine) of the velocity at the frequency of rotation: sqrt(2 ms) / (2 pi f), ms the energy in the five
    bins around f (99.9 % of a Hann line wherever it lies between two bins). NaN without a speed.
SATURATED: share of the samples at or beyond the limit of the sensor, 0 to 1.
BANDS ..: g RMS, one a band: the mean square 2 / (n sum(u^2)) sum_k |X_k|^2 of its bins, those at the edges with the share of their width
    that lies inside; as in spectrum.py. No overlap and no averaging: a block is one window; who averages blocks averages squares.

Validity is a sum of bits, 0 where every figure may be believed:
RATE_LOW: the rate is below 2 x 1000 / 0.95 Hz, so that the band of VELOCITY is not there (field.md 2.1).
SHORT: fewer than four periods of 10 Hz: the lower edge of the band is not resolved from the mean, nor its line from its neighbours.
CLIPPED: SATURATED is above 0: peaks and everything derived from them are too low.
STUCK: all samples are equal; CREST, KURTOSIS and SKEWNESS are NaN.
NOT_FINITE: a sample is NaN or infinite; all figures are NaN.
NO_LINE: a speed was given, but its frequency is below 4 df or above rate / 2.56 (ISO 20816-1 leaves the rate to the user; 2.56 is the
    custom of analysers); LINE is NaN.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from agent.kernels.fft import Powers, aligned
from drivers import jit

MEAN, RMS, PEAK, CREST, KURTOSIS, SKEWNESS, VELOCITY, LINE, SATURATED, BANDS = range(10)
"""BANDS is where the bands begin, if there are any."""
FIGURES = 9
"""Without bands."""
RATE_LOW, SHORT, CLIPPED, STUCK, NOT_FINITE, NO_LINE = 1, 2, 4, 8, 16, 32

G = 9.80665
"""m/s2, standard gravity (3rd CGPM, 1901)."""
LOWEST, HIGHEST = 10.0, 1000.0
"""Hz, the band of VELOCITY."""
LOWEST_RATE = 2.0 * HIGHEST / 0.95
SHORTEST = 4.0 / LOWEST
"""s"""

_FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may be taken in any order; NaN and infinity keep their meaning."""
_TWO_PI = 2.0 * math.pi
_PART = 256
"""Samples whose powers are summed in single precision, many at a time; the parts in double."""

_COUNTS = types.Array(types.int16, 2, "C", readonly=True)
_BITS = types.Array(types.int32, 2, "C", readonly=True)
_EDGES = types.Array(types.float64, 2, "C", readonly=True)
_LOADED = (types.float32[:, ::1], types.float64[:, ::1], types.int64[::1])
_WORK = (types.float32[:, ::1], types.float32[:, ::1], types.float64[:, ::1], types.int64[::1])


@numba.njit([types.void(types.float64, types.float64, types.float64, _EDGES, *_WORK)], fastmath=_FAST, **jit.options())
def _figures(scale, rate, speed, bands, lanes, power, figures, validity):  # type: ignore[no-untyped-def]
    """From the samples of each lane, mean removed and divided by their peak (figures[:, PEAK], still in counts), and |X|^2: all figures.

    The first of `bands` is that of VELOCITY.
    """
    axes, n = lanes.shape
    df = rate / n
    half = n // 2
    energy = 2.0 / (n * 0.375 * n)  # sum of the squares of a periodic Hann window: 3 n / 8
    frequency = abs(speed) / 60.0
    line = frequency / df
    resolved = line >= 4.0 and frequency <= rate / 2.56
    for a in range(axes):
        s2 = 0.0
        s3 = 0.0
        s4 = 0.0
        for start in range(0, n, _PART):
            p2 = p3 = p4 = np.float32(0.0)
            for i in range(np.uintp(start), np.uintp(min(start + _PART, n))):
                x = lanes[a, i]
                square = x * x
                p2 += square
                p3 += square * x
                p4 += square * square
            s2 += np.float64(p2)
            s3 += np.float64(p3)
            s4 += np.float64(p4)
        peak = figures[a, PEAK]
        figures[a, MEAN] *= scale
        figures[a, PEAK] = peak * scale
        figures[a, RMS] = peak * scale * np.sqrt(s2 / n)
        figures[a, CREST] = 1.0 / np.sqrt(s2 / n)
        figures[a, KURTOSIS] = n * s4 / (s2 * s2)
        figures[a, SKEWNESS] = np.sqrt(np.float64(n)) * s3 / (s2 * np.sqrt(s2))
        if peak == 0.0:
            figures[a, RMS] = 0.0
            figures[a, CREST] = np.nan
            figures[a, KURTOSIS] = np.nan
            figures[a, SKEWNESS] = np.nan
            validity[a] |= STUCK
        unit = figures[a, PEAK] * G * 1000.0 / (_TWO_PI * df)
        for b in range(len(bands)):
            lower = bands[b, 0] / df
            upper = min(bands[b, 1] / df, 0.5 * n)  # half of the last bin lies beyond half the rate
            first = max(1, int(np.floor(lower + 0.5)))
            last = min(half, int(np.ceil(upper - 0.5)))
            total = 0.0
            if b == 0:
                for k in range(np.uintp(first + 1), np.uintp(max(last, first + 1))):
                    total += np.float64(power[a, k]) / (np.float64(k) * np.float64(k))
            else:
                for k in range(np.uintp(first + 1), np.uintp(max(last, first + 1))):
                    total += np.float64(power[a, k])
            for k in range(first, last + 1, max(last - first, 1)):
                share = max(min(k + 0.5, upper) - max(k - 0.5, lower), 0.0)
                total += share * power[a, k] / (np.float64(k) * k if b == 0 else 1.0)
            if b == 0:
                figures[a, VELOCITY] = unit * np.sqrt(energy * total)
            else:
                figures[a, BANDS + b - 1] = figures[a, PEAK] * np.sqrt(energy * total)
        figures[a, LINE] = np.nan
        if resolved:
            total = 0.0
            middle = int(np.floor(line + 0.5))
            for k in range(middle - 2, min(middle + 2, half) + 1):
                total += power[a, k]
            figures[a, LINE] = unit * np.sqrt(2.0 * energy * total) / line
        elif speed == speed:
            validity[a] |= NO_LINE
        if rate < LOWEST_RATE:
            validity[a] |= RATE_LOW
        if n < SHORTEST * rate:
            validity[a] |= SHORT
        if figures[a, SATURATED] > 0.0:
            validity[a] |= CLIPPED
        if validity[a] & NOT_FINITE:
            figures[a, :] = np.nan


@numba.njit([types.void(_COUNTS, types.float64, types.int16[:, ::1], *_LOADED)], fastmath=_FAST, **jit.options())
def _load_counts(block, limit, whole, lanes, figures, validity):  # type: ignore[no-untyped-def]
    """int16 counts. Sums are whole numbers; smallest and largest are sought among whole numbers, as that of floats is not vectorised."""
    n, axes = block.shape
    if axes == 3:
        # A known stride is what lets the compiler take the axes apart many samples at a time.
        for i in range(n):
            whole[0, i] = block[i, 0]
            whole[1, i] = block[i, 1]
            whole[2, i] = block[i, 2]
    else:
        for a in range(axes):
            for i in range(n):
                whole[a, i] = block[i, a]
    clip = np.int16(max(min(limit, 32767.0), 0.0))
    for a in range(axes):
        total = np.int64(0)
        low = np.int16(32767)
        high = np.int16(-32768)
        for start in range(0, n, _PART):
            part = np.int32(0)
            for i in range(np.uintp(start), np.uintp(min(start + _PART, n))):
                part += np.int32(whole[a, i])
            total += part
        for i in range(n):
            low = min(low, whole[a, i])
            high = max(high, whole[a, i])
        beyond = 0
        if high >= clip or low <= -clip:
            for i in range(n):
                beyond += int(abs(np.int32(whole[a, i])) >= clip)
        mean = total / n
        peak = max(high - mean, mean - low)
        inverse = np.float32(1.0 / peak if high > low else 0.0)
        # Whole numbers first: single precision would lose the samples of a quiet axis with gravity on it.
        base = np.int32(np.floor(mean + 0.5))
        rest = np.float32(mean - base)
        for i in range(n):
            lanes[a, i] = (np.float32(np.int32(whole[a, i]) - base) - rest) * inverse
        figures[a, MEAN] = mean
        figures[a, PEAK] = peak if high > low else 0.0
        figures[a, SATURATED] = beyond / n
        validity[a] = 0


def _load_floats(block, limit, floats, whole, lanes, figures, validity):  # type: ignore[no-untyped-def]
    """float32 samples, as their bits; `floats` are the bits `whole` as floats again.

    With the sign folded the bits of floats are ordered as the floats are: whole numbers are compared here too.
    """
    n, axes = block.shape
    if axes == 3:
        for i in range(n):
            whole[0, i] = block[i, 0]
            whole[1, i] = block[i, 1]
            whole[2, i] = block[i, 2]
    else:
        for a in range(axes):
            for i in range(n):
                whole[a, i] = block[i, a]
    fold = np.int32(0x7FFFFFFF)
    infinite = np.int32(0x7F800000)
    clip = np.float32(limit)
    for a in range(axes):
        total = 0.0
        low = np.int32(2147483647)
        high = np.int32(-2147483648)
        broken = np.int32(0)
        beyond = np.int32(0)
        for i in range(n):
            bits = whole[a, i]
            broken += np.int32((bits & fold) >= infinite)
            bits ^= (bits >> np.int32(31)) & fold
            low = min(low, bits)
            high = max(high, bits)
        for i in range(n):
            total += floats[a, i]
            beyond += np.int32(abs(floats[a, i]) >= clip)
        mean = total / n
        smallest = np.int32(low ^ ((low >> np.int32(31)) & fold)).view(np.float32)
        largest = np.int32(high ^ ((high >> np.int32(31)) & fold)).view(np.float32)
        moved = largest > smallest and broken == 0
        peak = max(largest - mean, mean - smallest) if moved else 0.0
        inverse = 1.0 / peak if moved else 0.0
        if broken:
            mean = 0.0
        for i in range(n):
            lanes[a, i] = np.float32((floats[a, i] - mean) * inverse) if broken == 0 else np.float32(0.0)
        figures[a, MEAN] = mean
        figures[a, PEAK] = peak
        figures[a, SATURATED] = beyond / n
        validity[a] = NOT_FINITE if broken else 0


@cache
def floats_loader() -> Any:
    """`_load_floats` compiled, when the first block of floats comes. No driver gives any, only recordings do: a first start need not wait
    for it."""
    taken = types.void(_BITS, types.float64, types.float32[:, ::1], types.int32[:, ::1], *_LOADED)
    return numba.njit([taken], fastmath=_FAST, **jit.options())(_load_floats)


class Meter:
    """Measures blocks; keeps the work arrays of the last shape it saw, and nothing else.

    Parameters
    ----------
    bands: Hz, lower and upper edge of each band whose RMS is told.
    """

    def __init__(self, bands: tuple[tuple[float, float], ...] = ()) -> None:
        self._bands = np.array([(LOWEST, HIGHEST), *bands], dtype=np.float64)
        self._shape = (-1, -1)

    def measure(
        self,
        block: NDArray[np.generic],
        scale: float,
        rate: float,
        speed: float = math.nan,
        limit: float = math.inf,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Figures and validity of a block.

        Parameters
        ----------
        block: (samples, axes) int16 or float32; a power of two in C order is fastest.
        scale: g per count (a sensor in m/s2: divide by `G`).
        rate: samples per second and axis, Hz.
        speed: of the spindle, rpm; the sign does not matter; NaN: LINE is not sought.
        limit: counts at which the sensor clips; never above 32767 for int16.

        Returns figures (axes, FIGURES + bands) and validity (axes,). Both belong to this object and are overwritten by the next call.

        Raises
        ------
        TypeError: samples of another type.
        """
        if block.dtype not in (np.int16, np.float32):
            raise TypeError(f"samples are int16 or float32, not {block.dtype}")
        if block.shape != self._shape:
            self._make(*block.shape)
        if not len(block):
            self._figures.fill(math.nan)
            self._validity.fill(SHORT)
            return self._figures, self._validity
        block = np.ascontiguousarray(block)
        if block.dtype == np.int16:
            _load_counts(block, limit, self._counts, self._lanes, self._figures, self._validity)
        else:
            floats_loader()(block.view(np.int32), limit, self._floats, self._whole, self._lanes, self._figures, self._validity)
        power = self._powers.of(self._lanes)
        _figures(scale, rate, speed, self._bands, self._lanes, power, self._figures, self._validity)
        return self._figures, self._validity

    def _make(self, samples: int, axes: int) -> None:
        self._shape = (samples, axes)
        self._counts = np.zeros((axes, samples), np.int16)
        self._whole = np.zeros((axes, samples), np.int32)
        self._floats = self._whole.view(np.float32)
        self._lanes = aligned(axes, samples)
        self._powers = Powers(axes, samples)
        self._figures = np.full((axes, FIGURES + len(self._bands) - 1), math.nan)
        self._validity = np.zeros(axes, np.int64)
