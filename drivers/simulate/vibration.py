"""Raw vibration that goes with the machine: an accelerometer on the spindle nose, three axes, int16. Pure; deterministic by seed.

The sensor samples in the time of the wall: a machine that is simulated faster than life turns at the speed that its registers show, only
its program runs faster. Levels are made up: 0.4 mm/s RMS at 2400 rpm in air, that of a well balanced spindle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.simulate.cycle import TICK
from drivers.simulate.state import Moment

RATE = 6667.0
"""Hz, a common output data rate of small MEMS accelerometers."""
SCALE = 1.0 / 2048.0
"""g per count: +-16 g in 16 bits."""
CHUNK = 5
"""Ticks that are synthesised at once, always the same ones: nothing depends on who asks when."""

FLOOR = 0.006
"""g RMS, noise of sensor and machine at standstill."""
RESIDUAL = 0.02
"""g at 3000 rpm, 1x of a well balanced spindle; grows with the square of the speed."""
CUTTING = 0.15
"""g RMS at 40 % of cutting load, broadband about 1.2 kHz."""
CUT_HZ, CUT_DECAY = 1200.0, 0.001
RING_HZ, RING_DAMPING = 2500.0, 0.08
"""Resonance that a damaged bearing rings at."""
BALLS, BALL, PITCH, ANGLE = 14, 11.1, 60.0, 15.0
"""A spindle bearing like a 7208 C: number and diameter (mm) of the balls, pitch diameter (mm), contact angle (degree)."""
BPFO = BALLS / 2 * (1.0 - BALL / PITCH * math.cos(math.radians(ANGLE)))
"""Ball passes over a point of the outer ring per revolution: n/2 (1 - d/D cos a) (Randall & Antoni, MSSP 25, 2011, eq. 1) = 5.75."""
SLIP = 0.01
"""Relative jitter of the ball passes."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int16]


class _Ringing:
    """A short filter that goes on ringing from block to block."""

    def __init__(self, response: Floats, axes: int) -> None:
        self._response = response
        self._tail = np.zeros((len(response) - 1, axes))

    def __call__(self, excitation: Floats) -> Floats:
        n = len(excitation)
        out = np.column_stack([np.convolve(column, self._response) for column in excitation.T])
        out[: len(self._tail)] += self._tail
        self._tail = out[n:].copy()
        return out[:n]


def _decaying(hertz: float, decay: float, rate: float) -> Floats:
    """Impulse response of a resonance until it has fallen to 1 %; energy 1."""
    t = np.arange(max(2, math.ceil(4.6 * decay * rate))) / rate
    response = np.exp(-t / decay) * np.sin(2.0 * np.pi * hertz * (t + 0.25 / hertz))
    return np.asarray(response / np.sqrt(response @ response))


class Vibration:
    """Synthesises CHUNK ticks at a time. `speed`: machine seconds a second."""

    def __init__(self, seed: int, speed: float = 1.0, rate: float = RATE) -> None:
        self._floor = np.random.default_rng([seed, 5])
        self._chips = np.random.default_rng([seed, 6])
        self._slip = np.random.default_rng([seed, 7])
        self._per_tick = rate * TICK / speed
        self._rate = rate
        self._cut = _Ringing(_decaying(CUT_HZ, CUT_DECAY, rate), 3)
        ring = _decaying(RING_HZ, 1.0 / (2.0 * np.pi * RING_HZ * RING_DAMPING), rate)
        self._ring = _Ringing(ring / np.abs(ring).max(), 1)
        self._phase = 0.0
        self._next_ball = 1.0
        self._ball = 0.0

    def first_sample(self, tick: int) -> int:
        """Number of the first sample that belongs to machine tick `tick` (0 is the first) or a later one."""
        return math.ceil(tick * self._per_tick - 1e-9)

    def chunk(self, moments: Sequence[Moment]) -> Counts:
        """(n, 3) counts of these consecutive ticks, which begin with a multiple of CHUNK; call it once for each, in order."""
        first = moments[0].tick - 1
        start, stop = self.first_sample(first), self.first_sample(first + len(moments))
        n = stop - start
        which = np.minimum((np.arange(start, stop) / self._per_tick).astype(int) - first, len(moments) - 1)
        table = np.array([(m.speed, m.work * (1.0 + m.wear), m.unbalance, m.bearing) for m in moments])
        speed, work, unbalance, bearing = table[np.maximum(which, 0)].T
        phase = self._phase + np.cumsum(2.0 * np.pi * speed / 60.0 / self._rate)
        self._phase = float(phase[-1]) % (2.0 * np.pi) if n else self._phase
        once = (RESIDUAL + unbalance) * (speed / 3000.0) ** 2
        out = self._floor.standard_normal((n, 3)) * FLOOR
        out[:, 0] += once * np.sin(phase) + 0.2 * once * np.sin(2.0 * phase)
        out[:, 1] += 0.8 * once * np.cos(phase)
        out[:, 2] += 1.0 + 0.15 * once * np.sin(phase)
        out += self._cut(self._chips.standard_normal((n, 3)) * (CUTTING * work / 40.0)[:, None]) * (1.0, 0.8, 0.5)
        out += self._ring(self._impulses(speed, bearing)[:, None]) * (1.0, 0.7, 0.4)
        return np.clip(np.rint(out / SCALE), -32768, 32767).astype(np.int16)

    def _impulses(self, speed: Floats, bearing: Floats) -> Floats:
        """One hit a ball pass, with slip."""
        hits = np.zeros(len(speed))
        if not bearing.any():
            return hits
        passes = self._ball + np.cumsum(BPFO * speed / 60.0 / self._rate)
        for i in range(len(speed)):
            if passes[i] >= self._next_ball:
                hits[i] = bearing[i]
                self._next_ball += 1.0 + SLIP * float(self._slip.standard_normal())
        self._ball = float(passes[-1]) if len(passes) else self._ball
        return hits
