"""Lines and bands of a record of vibration: 1x, 2x, 3x, tooth passing, band RMS, and how much belongs to no line of the rotation.

A record is (axes, n) acceleration in g at `rate`: a raw block for what is fast, a decimated one (decimate.py) for low lines. x is one axis
without its mean, u the periodic Hann window, X the transform of u x, df = rate / n; the energy of a set of bins is
2 / (n sum(u^2)) sum |X_k|^2, the mean square of what lies there.

SPEED: Hz. The frequency of rotation that the signal shows: a drive's own ignores slip and ratio. The strongest bin within `SLIP` of 1x, 2x
    or 3x, its place between the bins by the two-bin ratio of the Hann window, (2 r - 1) / (r + 1) (T. Grandke, IEEE Trans. IM 32 (1983)
    350-355), over its order. The given speed where the strongest is no line: less than twenty times the mean around it.
ORDER1 .. ORDER3: mm/s, amplitude (peak of the sine) of the velocity at 1, 2, 3 times SPEED, from the five bins around it.
TOOTH1 .. TOOTH3: mm/s, the same at 1, 2, 3 times teeth x SPEED.
NON_HARMONIC: 0 to 1. Share of the energy from `chatter_low` to `chatter_high` that lies beside all multiples of SPEED: chatter rings at a
    frequency of its own. A multiple takes 2.5 bins and 0.1 % to either side; where that is more than a third of the way to the next nothing
    is counted. Noise counts with the share of the bins that lie beside the lines (field.md 2.4: alarm above 0.3 to 0.5 for 0.2 s).
TOTAL: g RMS, of all frequencies but 0: by Parseval that of the windowed signal without its mean.
BANDS: g RMS in each band, bins at the edges with the share of their width that lies inside.

Validity is a sum of bits: SHORT: less than 1 s, so that low lines are not apart; NO_SPEED: no speed, or 1x below 4 df or above rate / 2.56,
and no line is told; NO_TOOTH: teeth x SPEED above rate / 2.56; NO_COMB: no bin in which lines are apart; CLIPPED: samples at or beyond
`limit`; STUCK: all samples equal; NOT_FINITE: a sample is NaN or infinite, all figures are NaN.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from agent.kernels.centre import centre
from agent.kernels.fft import Powers, aligned
from drivers import jit

SPEED, ORDER1, ORDER2, ORDER3, TOOTH1, TOOTH2, TOOTH3, NON_HARMONIC, TOTAL, BANDS = range(10)
"""BANDS is where the bands begin."""
SHORT, NO_SPEED, NO_TOOTH, NO_COMB, CLIPPED, STUCK, NOT_FINITE = 1, 2, 4, 8, 16, 32, 64

G = 9.80665
"""m/s2, standard gravity."""
SLIP = 0.03
"""How far the true speed may lie from the given one (field.md 2.4: 2 to 3 %)."""
SHORTEST = 1.0
"""s"""
_CLEAR = 20.0
_COMB = 0.001
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_TWO_PI = 2.0 * math.pi
_POWER = types.float32[:, ::1]


@numba.njit([types.float64(_POWER, types.int64, types.int64, types.int64)], fastmath=_FAST, **jit.options())
def _bins(power, a, first, last):  # type: ignore[no-untyped-def]
    """Sum of |X|^2 over bins that exist."""
    total = 0.0
    # Indices that cannot be negative: those that may be are tested each time, and then nothing is added eight at a time.
    begin = max(first, 0)
    for k in range(np.uintp(begin), np.uintp(max(min(last, power.shape[1] - 1) + 1, begin))):
        total += power[a, k]
    return total


@numba.njit([types.float64(_POWER, types.int64, types.float64)], **jit.options())
def _turning(power, a, given):  # type: ignore[no-untyped-def]
    """SPEED in bins, from the given one in bins."""
    best = 0.0
    found = given
    for order in range(1, 4):
        middle = order * given
        first = max(1, int(np.floor(middle * (1.0 - SLIP))))
        last = min(power.shape[1] - 2, int(np.ceil(middle * (1.0 + SLIP))))
        if last < first:
            continue
        strongest = 0.0
        at = first
        for k in range(first, last + 1):
            energy = power[a, k]
            if energy > strongest:
                strongest = energy
                at = k
        # Around the line, not of it: a range that is hardly wider than the line would have its mean in it.
        reach = max(last - first, 16)
        around = _bins(power, a, at - reach, at - 3) + _bins(power, a, at + 3, at + reach)
        if strongest > best and strongest * 2.0 * (reach - 2) > _CLEAR * around:
            best = strongest
            below = np.sqrt(power[a, at - 1])
            above = np.sqrt(power[a, at + 1])
            ratio = max(below, above) / np.sqrt(strongest)
            shift = (2.0 * ratio - 1.0) / (ratio + 1.0)
            found = (at + shift if above >= below else at - shift) / order
    if abs(found - given) > SLIP * given:
        found = given
    return found


@numba.njit(
    [
        types.void(
            types.int64,
            types.float64,
            types.float64,
            types.float64,
            types.float64,
            types.float64,
            types.float64,
            types.Array(types.float64, 2, "C", readonly=True),
            types.float64[:, ::1],
            _POWER,
            types.float64[:, ::1],
            types.int64[::1],
        )
    ],
    fastmath=_FAST,
    **jit.options(),
)
def _figures(  # type: ignore[no-untyped-def]
    n, rate, speed, teeth, limit, chatter_low, chatter_high, bands, told, power, out, validity
):
    axes = len(told)
    half = n // 2
    df = rate / n
    energy = 2.0 / (0.375 * n * n)  # sum of the squares of a periodic Hann window: 3 n / 8
    given = abs(speed) / 60.0 / df
    for a in range(axes):
        peak = told[a, 1]
        validity[a] = 0
        if told[a, 2] >= limit:
            validity[a] |= CLIPPED
        if np.isnan(peak):
            validity[a] |= NOT_FINITE
        elif peak == 0.0:
            validity[a] |= STUCK
        if n < SHORTEST * rate:
            validity[a] |= SHORT
        for f in range(BANDS + len(bands)):
            out[a, f] = np.nan
        if validity[a] & NOT_FINITE:
            continue
        whole = _bins(power, a, 1, half) - (0.5 * _bins(power, a, half, half) if 2 * half == n else 0.0)
        out[a, TOTAL] = peak * np.sqrt(energy * whole)
        for b in range(len(bands)):
            lower = bands[b, 0] / df
            upper = bands[b, 1] / df
            first = max(1, int(np.floor(lower + 0.5)))
            last = min(half, int(np.ceil(upper - 0.5)))
            total = _bins(power, a, first + 1, last - 1)
            for k in range(first, last + 1, max(last - first, 1)):
                # Half of the last bin lies beyond half the rate.
                share = min(k + (0.0 if 2 * k == n else 0.5), upper) - max(k - 0.5, lower)
                total += max(share, 0.0) * power[a, k]
            out[a, BANDS + b] = peak * np.sqrt(energy * total)
        if not (given >= 4.0 and given * df <= rate / 2.56):
            validity[a] |= NO_SPEED
            continue
        turning = _turning(power, a, given)
        out[a, SPEED] = turning * df
        for order in range(1, 4):
            for tooth in range(2):
                line = order * turning * (teeth if tooth == 1 else 1.0)
                if line * df <= rate / 2.56 and line > 0.0:
                    middle = int(np.floor(line + 0.5))
                    amplitude = peak * np.sqrt(2.0 * energy * _bins(power, a, middle - 2, middle + 2))
                    out[a, (TOOTH1 if tooth == 1 else ORDER1) + order - 1] = amplitude * G * 1000.0 / (_TWO_PI * line * df)
        if teeth > 0.0 and teeth * turning * df > rate / 2.56:
            validity[a] |= NO_TOOTH
        # From the first bin to the last in which lines are apart; between the lines what lies beside them.
        first = max(1, int(np.ceil(chatter_low / df)))
        last = min(half, int(np.floor(chatter_high / df)))
        while last >= first and 2.5 + _COMB * last > turning / 3.0:
            last = min(last - 1, int(np.ceil((turning / 3.0 - 2.5) / _COMB)))
        counted = last >= first
        inside = _bins(power, a, first, last)
        beside = 0.0
        k = first
        multiple = np.floor(first / turning + 0.5)
        while k <= last:
            line = turning * multiple
            before = int(np.ceil((line - 2.5) / (1.0 + _COMB)))
            after = int(np.floor((line + 2.5) / (1.0 - _COMB))) + 1
            beside += _bins(power, a, k, min(before - 1, last))
            k = max(k, after)
            multiple += 1.0
        if counted and inside > 0.0:
            out[a, NON_HARMONIC] = beside / inside
        elif not counted:
            validity[a] |= NO_COMB


class Spectrum:
    """Figures of records; keeps the work arrays of the last shape it saw, and nothing else.

    Parameters
    ----------
    bands: Hz, lower and upper edge of each band.
    chatter: Hz, where NON_HARMONIC looks.
    """

    def __init__(self, bands: tuple[tuple[float, float], ...] = (), chatter: tuple[float, float] = (200.0, 5000.0)) -> None:
        self._bands = np.array(bands, dtype=np.float64).reshape(-1, 2)
        self._chatter = chatter
        self._shape = (-1, -1)

    def measure(
        self, samples: NDArray[np.float32], rate: float, speed: float = math.nan, teeth: int = 0, limit: float = math.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Figures and validity of a record.

        Parameters
        ----------
        samples: (axes, n) g; a power of two is fastest.
        rate: Hz.
        speed: rpm, sign does not matter; NaN: no lines.
        teeth: of the cutter; 0: no tooth passing.
        limit: g at which the sensor clips.

        Returns figures (axes, BANDS + bands) and validity (axes,). Both belong to this object and are overwritten by the next call.
        """
        axes, n = samples.shape
        if samples.shape != self._shape:
            self._shape = (axes, n)
            self._lanes = aligned(axes, n)
            self._powers = Powers(axes, n)
            self._told = np.zeros((axes, 3))
            self._figures = np.full((axes, BANDS + len(self._bands)), math.nan)
            self._validity = np.full(axes, SHORT | NO_SPEED, np.int64)
        if n:
            record = np.ascontiguousarray(samples, dtype=np.float32)
            centre(record, record.view(np.int32), self._lanes, self._told)
            work = (self._told, self._powers.of(self._lanes), self._figures, self._validity)
            _figures(n, rate, speed, float(teeth), limit, *self._chatter, self._bands, *work)
        return self._figures, self._validity
