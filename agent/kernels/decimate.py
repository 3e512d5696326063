"""A long record of vibration at a low rate, and of its squared envelope: for lines that a single block cannot tell apart.

4096 samples at 26.7 kHz are 0.15 s: steps of 6.5 Hz, in which a line at 12 Hz drowns in the mean's own. A record of one or two seconds has
steps of 1 or 0.5 Hz, and at 2.6 kHz it is as short as a block.

LOW: g. The acceleration below `highest`, by a symmetrical FIR with a Kaiser window (J. F. Kaiser, 1974; 80 dB, so that ripple and what is
    folded back stay below 1e-4), every `factor`-th value. The rate that is left is at least 2.56 times the highest frequency watched.
ENVELOPE: g2. |z|^2, z what a complex FIR of one band leaves: the same window, moved to the middle of the band, negative frequencies
    gone (analytic signal; the squared envelope rather than the envelope: R. B. Randall and J. Antoni, Mechanical Systems and Signal
    Processing 25 (2011) 485-520, 5.2). |z|^2 reaches as far as the band is wide: a band that would fold back below rate / 2.56 is refused.

A value that is not finite is in the record for as long as the filters reach.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

ATTENUATION = 80.0
"""dB"""
WATCHED = 2.56
"""Rate over the highest frequency watched; the custom of analysers."""
_LANES = 32
_FAST = {"reassoc", "contract", "arcp", "nsz"}


@numba.njit(
    [
        types.int64(
            types.Array(types.float32, 2, "C", readonly=True),
            types.Array(types.float32, 2, "C", readonly=True),
            types.int64,
            types.int64,
            types.float32[:, ::1],
            types.float32[::1],
            types.float32[:, ::1],
            types.float32[:, ::1],
        )
    ],
    fastmath=_FAST,
    **jit.options(),
)
def condense(block, taps, factor, phase, history, line, low, envelope):  # type: ignore[no-untyped-def]
    """Filter a block and keep every `factor`-th value.

    Parameters
    ----------
    block: (n, axes) g.
    taps: (3, m) low pass, real and imaginary part of the band pass; last tap first, so that they run as the samples do.
    phase: samples of this block before the next value is due.
    history: (axes, m - 1) the samples before the block; changed in place.
    line: (at least m - 1 + n,), for work.
    low, envelope: (axes, at least 1 + n / factor), are filled.

    Returns the number of values.
    """
    n, axes = block.shape
    m = taps.shape[1]
    count = 0
    for a in range(axes):
        for i in range(m - 1):
            line[i] = history[a, i]
        for i in range(n):
            line[m - 1 + i] = block[i, a]
        count = 0
        for i in range(phase, n, factor):
            total = np.float32(0.0)
            real = np.float32(0.0)
            imaginary = np.float32(0.0)
            # An index that cannot be negative: one that may be is tested each time, and then nothing is done eight at a time.
            begin = np.uintp(i)
            for t in range(m):
                x = line[begin + np.uintp(t)]
                total += taps[0, t] * x
                real += taps[1, t] * x
                imaginary += taps[2, t] * x
            low[a, count] = total
            envelope[a, count] = real * real + imaginary * imaginary
            count += 1
        for i in range(m - 1):
            history[a, i] = line[n + i]
    return count


class Record:
    """The newest seconds of one sensor.

    Parameters
    ----------
    rate: samples per second and axis, Hz.
    axes: of the sensor.
    seconds: length of the record; at least 1, for bearing lines 2.
    band: Hz, lower and upper edge of the band whose envelope is taken: where the structure rings.
    highest: Hz, the highest frequency watched in either.

    Attributes
    ----------
    rate: of the record, Hz.
    factor: samples for one value.
    taps: of both filters.

    Raises
    ------
    ValueError: a rate below 2.56 times what is watched, or a band that does not fit.
    """

    def __init__(self, rate: float, axes: int, seconds: float, band: tuple[float, float], highest: float = 1000.0) -> None:
        if rate < WATCHED * highest:
            raise ValueError(f"{rate:g} Hz is below 2.56 times the {highest:g} Hz that are to be watched")
        self.factor = int(rate / (WATCHED * highest))
        self.rate = rate / self.factor
        width = self.rate - 2.0 * highest
        low, high = band
        if not (0.0 < low < high) or high + 0.5 * width > 0.5 * rate or low < 0.5 * width:
            raise ValueError(f"a band from {low:g} to {high:g} Hz does not lie between {0.5 * width:g} and {0.5 * (rate - width):g} Hz")
        widest = self.rate * (1.0 - 1.0 / WATCHED) - width
        if high - low > widest:
            raise ValueError(f"a band of {high - low:g} Hz folds back into what is watched; at most {widest:g} Hz")
        # Kaiser's formula for the number of taps; odd, so that the filter has a middle.
        half = math.ceil((ATTENUATION - 8.0) / (2.285 * 2.0 * math.pi * width / rate) / 2.0)
        at = np.arange(-half, half + 1)
        window = np.kaiser(2 * half + 1, 0.1102 * (ATTENUATION - 8.7))

        def low_pass(cut: float) -> NDArray[np.float64]:
            taps = 2.0 * cut / rate * np.sinc(2.0 * cut / rate * at) * window
            return np.asarray(taps / taps.sum())

        turned = 2.0 * low_pass(0.5 * (high - low)) * np.exp(2j * np.pi * 0.5 * (low + high) / rate * at)
        whole = low_pass(0.5 * self.rate) if self.factor > 1 else np.where(at == 0, 1.0, 0.0)
        self.taps = 2 * half + 1
        # Filled up with taps of 0 that reach further back: whole registers at a time.
        padded = -(-self.taps // _LANES) * _LANES
        self._taps = np.zeros((3, padded), np.float32)
        self._taps[:, padded - self.taps :] = np.stack([whole, turned.real, turned.imag])[:, ::-1]
        length = math.ceil(seconds * self.rate)
        self._low = np.zeros((axes, length), np.float32)
        self._envelope = np.zeros((axes, length), np.float32)
        self._history = np.zeros((axes, padded - 1), np.float32)
        self._seen = 1 - self.taps
        self._phase = 0
        self._line = np.empty(0, np.float32)
        self._out = np.empty((2, axes, 0), np.float32)

    @property
    def filled(self) -> bool:
        """Whether the record holds nothing but samples that were taken, with filters that had settled."""
        return self._seen >= self._low.shape[1] * self.factor

    def take(self, block: NDArray[np.generic], scale: float = 1.0) -> None:
        """The next samples: (n, axes) int16 or float32; `scale`: g per count."""
        n = len(block)
        if not n:
            return
        samples = np.ascontiguousarray(block, dtype=np.float32) * np.float32(scale)
        if len(self._line) < self._history.shape[1] + n:
            self._line = np.empty(self._history.shape[1] + n, np.float32)
            self._out = np.empty((2, len(self._low), 1 + n // self.factor), np.float32)
        low, envelope = self._out
        count = condense(samples, self._taps, self.factor, self._phase, self._history, self._line, low, envelope)
        self._phase = (self._phase - n) % self.factor
        self._seen += n
        length = self._low.shape[1]
        kept = min(count, length)
        for ring, new in ((self._low, low), (self._envelope, envelope)):
            ring[:, : length - kept] = ring[:, kept:]
            ring[:, length - kept :] = new[:, count - kept : count]

    def forget(self) -> None:
        """After a gap: what comes next does not continue what came before."""
        self._seen = 1 - self.taps

    @property
    def low(self) -> NDArray[np.float32]:
        """(axes, n) g, the oldest first; the next block moves it."""
        return self._low

    @property
    def envelope(self) -> NDArray[np.float32]:
        """(axes, n) g2, the oldest first; the next block moves it."""
        return self._envelope
