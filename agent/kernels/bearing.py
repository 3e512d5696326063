"""Bearing lines in the spectrum of the squared envelope.

A damaged race or ball strikes once a passage and makes the structure ring; the envelope of the ringing has a line at the rate of the
strikes. Orders of the four (passages a turn; field.md 2.4), for N balls of diameter d on a circle of diameter D at contact angle phi,
q = d / D cos(phi):

BPFO: outer race, N / 2 (1 - q). BPFI: inner race, N / 2 (1 + q). BSF: ball, D / (2 d) (1 - q^2); a defect strikes both races, so 2 BSF is
told, too (DEPTH2). FTF: cage, (1 - q) / 2. The real rates lie up to 2 or 3 % beside: the balls slip. Each is sought within `SLIP`.

Of a record e (n values of the squared envelope, decimate.py, at `rate`), with its mean removed and a periodic Hann window, per defect:

DEPTH1 .. DEPTH3: amplitude of the line at 1, 2, 3 times FOUND from its five bins, over the mean of e: 0 none, 1 as deep as can be for
    a single line, more for sharp strikes. A share: it does not depend on how loud the machine is.
FOUND: Hz, the strongest bin within SLIP of the calculated rate, its place between the bins as in spectrum.py.
PROMINENCE: energy of that bin over the mean of the 32 bins around it, the line itself left out. Noise alone comes to about 7 where some
    twenty bins are sought through.
SIDEBANDS: mean of the depths at FOUND +- the rate at which the defect moves through the loaded zone: of the shaft for BPFI and BPFO (there
    a bent or unbalanced shaft), of the cage for BSF; NaN for FTF.

Validity is a sum of bits: SHORT: below 2 s, lines 1 Hz apart are not told apart; NO_SPEED: none was given; OUT_OF_RANGE: a rate below four
bins or above rate / 2.56, its figures are NaN; STUCK: the envelope is constant; NOT_FINITE: all figures are NaN; CLIPPED: samples that the
record was made of were at the end of the sensor's range (`decimate.Record.clipped`): strikes are cut off, and depths are too low.
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

BPFO, BPFI, BSF, FTF = range(4)
DEFECTS = 4
DEPTH1, DEPTH2, DEPTH3, FOUND, PROMINENCE, SIDEBANDS = range(6)
FIGURES = 6
SHORT, NO_SPEED, OUT_OF_RANGE, STUCK, NOT_FINITE, CLIPPED = 1, 2, 4, 8, 16, 32

SLIP = 0.02
SHORTEST = 2.0
"""s"""
AROUND = 16
"""Bins to either side that say what is usual there."""
_POWER = types.float32[:, ::1]


@numba.njit([types.float64(_POWER, types.int64, types.int64, types.int64)], **jit.options())
def _bins(power, a, first, last):  # type: ignore[no-untyped-def]
    """Sum of |X|^2 over bins that exist."""
    total = 0.0
    begin = max(first, 0)
    for k in range(np.uintp(begin), np.uintp(max(min(last, power.shape[1] - 1) + 1, begin))):
        total += power[a, k]
    return total


@numba.njit([types.float64(_POWER, types.int64, types.float64, types.float64)], **jit.options())
def _depth(power, a, line, unit):  # type: ignore[no-untyped-def]
    """Amplitude from five bins, `line` in bins; NaN beyond n / 2.56."""
    if line < 4.0 or line > 2.0 * (power.shape[1] - 1) / 2.56:
        return np.nan
    middle = int(np.floor(line + 0.5))
    return unit * np.sqrt(_bins(power, a, middle - 2, middle + 2))


@numba.njit(
    [
        types.void(
            types.int64,
            types.float64,
            types.float64,
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64[:, ::1],
            _POWER,
            types.float64[:, :, ::1],
            types.int64[::1],
        )
    ],
    **jit.options(),
)
def _lines(n, rate, speed, orders, told, power, out, validity):  # type: ignore[no-untyped-def]
    turning = abs(speed) / 60.0 * n / rate
    half = n // 2
    for a in range(len(told)):
        mean = told[a, 0]
        peak = told[a, 1]
        validity[a] = 0
        if np.isnan(peak):
            validity[a] |= NOT_FINITE
        elif not (peak > 0.0 and mean > 0.0):
            validity[a] |= STUCK
        if n < SHORTEST * rate:
            validity[a] |= SHORT
        if speed != speed:
            validity[a] |= NO_SPEED
        # Amplitude of a tone from the energy of its line, sqrt(2 * 2 / (n 3/8 n) sum), as a share of the mean.
        unit = np.sqrt(4.0 / 0.375) / n * peak / mean
        for d in range(DEFECTS):
            for f in range(FIGURES):
                out[a, d, f] = np.nan
            if validity[a] & (NOT_FINITE | STUCK | NO_SPEED):
                continue
            line = orders[d] * turning
            if not 4.0 <= line <= n / 2.56:
                validity[a] |= OUT_OF_RANGE
                continue
            first = max(2, int(np.floor(line * (1.0 - SLIP))))
            last = min(half - 1, int(np.ceil(line * (1.0 + SLIP))))
            at = first
            strongest = -1.0
            for k in range(first, last + 1):
                value = _bins(power, a, k, k)
                if value > strongest:
                    strongest = value
                    at = k
            below = np.sqrt(_bins(power, a, at - 1, at - 1))
            above = np.sqrt(_bins(power, a, at + 1, at + 1))
            found = np.float64(at)
            if strongest > 0.0:
                ratio = max(below, above) / np.sqrt(strongest)
                shift = min(max((2.0 * ratio - 1.0) / (ratio + 1.0), 0.0), 0.5)
                found += shift if above >= below else -shift
            out[a, d, FOUND] = found * rate / n
            for harmonic in range(1, 4):
                out[a, d, DEPTH1 + harmonic - 1] = _depth(power, a, harmonic * found, unit)
            lower = max(at - AROUND, 2)
            upper = min(at + AROUND, half)
            around = _bins(power, a, lower, at - 3) + _bins(power, a, at + 3, upper)
            count = max(at - 2 - lower, 0) + max(upper - at - 2, 0)
            if count > 0 and around > 0.0:
                out[a, d, PROMINENCE] = strongest / (around / count)
            if d != FTF:
                step = orders[FTF] * turning if d == BSF else turning
                total = 0.0
                sides = 0
                for side in (-1.0, 1.0):
                    depth = _depth(power, a, found + side * step, unit)
                    if depth == depth:
                        total += depth
                        sides += 1
                if sides > 0:
                    out[a, d, SIDEBANDS] = total / sides


class BearingLines:
    """Figures of records of the squared envelope; keeps the work arrays of the last shape it saw, and nothing else.

    Parameters
    ----------
    orders: (DEFECTS,) passages a turn of the shaft: BPFO, BPFI, BSF, FTF (`agent.passages.defect_lines`).
    """

    def __init__(self, orders: NDArray[np.float64]) -> None:
        self._orders = np.ascontiguousarray(orders, dtype=np.float64)
        self._shape = (-1, -1)

    def measure(
        self, envelope: NDArray[np.float32], rate: float, speed: float, clipped: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Figures (axes, DEFECTS, FIGURES) and validity (axes,) of a record: (axes, n) g2 at `rate` Hz, the shaft at `speed` rpm.

        `clipped`: (axes,) of the record; None: it is not known, and not told. Both results belong to this object and are overwritten by the
        next call.
        """
        axes, n = envelope.shape
        if envelope.shape != self._shape:
            self._shape = (axes, n)
            self._lanes = aligned(axes, n)
            self._powers = Powers(axes, n)
            self._told = np.zeros((axes, 3))
            self._figures = np.full((axes, DEFECTS, FIGURES), math.nan)
            self._validity = np.full(axes, SHORT, np.int64)
        if n:
            record = np.ascontiguousarray(envelope, dtype=np.float32)
            centre(record, record.view(np.int32), self._lanes, self._told)
            work = (self._told, self._powers.of(self._lanes), self._figures, self._validity)
            _lines(n, rate, speed, self._orders, *work)
            if clipped is not None:
                self._validity[clipped] |= CLIPPED
        return self._figures, self._validity
