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

from agent.kernels.fft import quick
from drivers import jit

ATTENUATION = 80.0
"""dB"""
WATCHED = 2.56
"""Rate over the highest frequency watched; the custom of analysers."""
_LANES = 16
_FAST = {"reassoc", "contract", "arcp", "nsz"}


@numba.njit(
    [
        types.int64(
            types.Array(kind, 2, "C", readonly=True),
            types.float32,
            types.Array(types.float32, 2, "C", readonly=True),
            types.int64,
            types.int64,
            types.float32[:, ::1],
            types.float32[:, ::1],
            types.float32[:, ::1],
            types.float32[:, ::1],
            types.int64,
        )
        for kind in (types.int16, types.float32)
    ],
    fastmath=_FAST,
    **jit.options(),
)
def condense(block, scale, taps, factor, phase, history, lines, low, envelope, at):  # type: ignore[no-untyped-def]
    """Filter a block and keep every `factor`-th value.

    Parameters
    ----------
    block: (n, axes) samples, g times 1 / `scale`.
    taps: (3, m) low pass, real and imaginary part of the band pass; last tap first, so that they run as the samples do.
    phase: samples of this block before the next value is due.
    history: (axes, m - 1) the samples before the block, g; changed in place.
    lines: (axes, at least m - 1 + n + 3 factor), for work.
    low, envelope: (axes, at least `at` + 4 + n / factor), are filled from `at` on; up to three values behind the last mean nothing.

    Returns the number of values.
    """
    n, axes = block.shape
    m = taps.shape[1]
    begin = m - 1
    for a in range(axes):
        for i in range(m - 1):
            lines[a, i] = history[a, i]
    if axes == 3:
        # A known stride is what lets the compiler take the axes apart many samples at a time.
        for i in range(n):
            lines[0, begin + i] = block[i, 0] * scale
            lines[1, begin + i] = block[i, 1] * scale
            lines[2, begin + i] = block[i, 2] * scale
    else:
        for a in range(axes):
            for i in range(n):
                lines[a, begin + i] = block[i, a] * scale
    count = max(0, (n - phase + factor - 1) // factor)
    for a in range(axes):
        line = lines[a]
        # Four values at a time, so that a tap is loaded once for four. An index that cannot be negative: one that may be is tested each
        # time, and then nothing is done eight at a time.
        for j in range(0, count, 4):
            first = np.uintp(phase + j * factor)
            second = first + np.uintp(factor)
            third = second + np.uintp(factor)
            fourth = third + np.uintp(factor)
            l0 = l1 = l2 = l3 = r0 = r1 = r2 = r3 = i0 = i1 = i2 = i3 = np.float32(0.0)
            for t in range(np.uintp(m)):
                tap, real, imaginary = taps[0, t], taps[1, t], taps[2, t]
                x0, x1, x2, x3 = line[first + t], line[second + t], line[third + t], line[fourth + t]
                l0 += tap * x0
                r0 += real * x0
                i0 += imaginary * x0
                l1 += tap * x1
                r1 += real * x1
                i1 += imaginary * x1
                l2 += tap * x2
                r2 += real * x2
                i2 += imaginary * x2
                l3 += tap * x3
                r3 += real * x3
                i3 += imaginary * x3
            k = at + j
            low[a, k], low[a, k + 1], low[a, k + 2], low[a, k + 3] = l0, l1, l2, l3
            envelope[a, k] = r0 * r0 + i0 * i0
            envelope[a, k + 1] = r1 * r1 + i1 * i1
            envelope[a, k + 2] = r2 * r2 + i2 * i2
            envelope[a, k + 3] = r3 * r3 + i3 * i3
        for i in range(m - 1):
            history[a, i] = line[n + i]
    return count


class Record:
    """The newest seconds of one sensor.

    Parameters
    ----------
    rate: samples per second and axis, Hz.
    axes: of the sensor.
    seconds: least length of the record; at least 1, for bearing lines 2. Made longer until it has no prime factor above 5.
    band: Hz, lower and upper edge of the band whose envelope is taken: where the structure rings.
    highest: Hz, the highest frequency watched in either.
    limit: counts at which the sensor clips, as `vibration.Meter` has it; never above 32767 for int16.

    Attributes
    ----------
    rate: of the record, Hz.
    factor: samples for one value.
    taps: of both filters.

    Raises
    ------
    ValueError: a rate below 2.56 times what is watched, or a band that does not fit.
    """

    def __init__(
        self, rate: float, axes: int, seconds: float, band: tuple[float, float], highest: float = 1000.0, limit: float = math.inf
    ) -> None:
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
        length = quick(math.ceil(seconds * self.rate))
        self._length = length
        # Filled from the left; moved back only when the end is reached, and that is far.
        self._low = np.zeros((axes, 4 * length), np.float32)
        self._envelope = np.zeros((axes, 4 * length), np.float32)
        self._end = length
        self._history = np.zeros((axes, padded - 1), np.float32)
        self._limit = limit
        self._since = np.full(axes, length * self.factor + self.taps, np.int64)
        """Samples since the last clipped one"""
        self._seen = 1 - self.taps
        self._phase = 0
        self._new = 0
        self._lines = np.empty((axes, 0), np.float32)

    @property
    def filled(self) -> bool:
        """Whether the record holds nothing but samples that were taken, with filters that had settled."""
        return self._seen >= self._length * self.factor

    @property
    def clipped(self) -> NDArray[np.bool_]:
        """(axes,) whether a value of the record rests on a sample at or beyond the limit: what was cut off is missing in it, and rings."""
        return self._since < self._length * self.factor + self.taps - 1

    def take(self, block: NDArray[np.generic], scale: float = 1.0) -> None:
        """The next samples: (n, axes) int16 or float32; `scale`: g per count."""
        whole = np.ascontiguousarray(block if block.dtype in (np.int16, np.float32) else block.astype(np.float32))
        # Never more at once than there is room for behind the record.
        most = self._length * self.factor
        for start in range(0, len(whole), most):
            self._take(whole[start : start + most], scale)

    def _take(self, block: NDArray[np.generic], scale: float) -> None:
        n = len(block)
        self._note_clipped(block)
        needed = self._history.shape[1] + n + 4 * self.factor
        if self._lines.shape[1] < needed:
            self._lines = np.zeros((len(self._low), needed), np.float32)
        if self._end + n // self.factor + 5 > self._low.shape[1]:
            for kept in (self._low, self._envelope):
                kept[:, : self._length] = kept[:, self._end - self._length : self._end]
            self._end = self._length
        work = (self._history, self._lines, self._low, self._envelope, self._end)
        count = condense(block, scale, self._taps, self.factor, self._phase, *work)
        self._end += count
        self._new += count
        self._phase = (self._phase - n) % self.factor
        self._seen += n

    def _note_clipped(self, block: NDArray[np.generic]) -> None:
        self._since += len(block)
        limit = min(self._limit, 32767.0) if block.dtype == np.int16 else self._limit
        if not len(block) or limit == math.inf or not (block.max() >= limit or block.min() <= -limit):
            return
        for a, beyond in enumerate((np.abs(block.astype(np.float32)) >= limit).T):
            if beyond.any():
                self._since[a] = int(np.argmax(beyond[::-1]))

    def due(self, share: float = 0.5) -> bool:
        """Whether the record is filled and this share of it is new since this last said so: when its lines are worth another look.

        Records that overlap by half are what P. D. Welch (IEEE Trans. AU 15 (1967) 70-73) averages; under a Hann window what lies between
        is seen twice, and more often only costs.
        """
        if not self.filled or self._new < share * self._length:
            return False
        self._new = 0
        return True

    def forget(self) -> None:
        """After a gap: what comes next does not continue what came before."""
        self._seen = 1 - self.taps

    @property
    def low(self) -> NDArray[np.float32]:
        """(axes, n) g, the oldest first; the next block moves it."""
        return self._low[:, self._end - self._length : self._end]

    @property
    def envelope(self) -> NDArray[np.float32]:
        """(axes, n) g2, the oldest first; the next block moves it."""
        return self._envelope[:, self._end - self._length : self._end]
