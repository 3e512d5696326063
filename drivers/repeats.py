"""Tells a new reading from the last one read again. Pure.

A meter that says a new value once a second gives the same one ten times when it is asked every 0.1 s. Those are no ten samples: taken for
such they make noise look small, idle confirmed and a cut well sampled (docs/decisions/0007-device-maps.md). So an equal reading counts as
new only once the device must have updated in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivers.model import Floats, Marks, Quality


class Repeats:
    """The channels of one source.

    Parameters
    ----------
    updates: s between two updates inside the device, a channel each; 0: not known, nothing is a repeat.
    everies: s between two readings of each channel. Read no faster than it updates, nothing is a repeat.
    """

    def __init__(self, updates: Sequence[float], everies: Sequence[float]) -> None:
        # A reading that comes half a period early by jitter is still of the next update.
        self._wait = np.array([max(0.0, u - e / 2.0) if u > e else 0.0 for u, e in zip(updates, everies, strict=True)])
        self._any = bool(self._wait.any())
        self._value = np.full(len(self._wait), np.nan)
        self._time = np.full(len(self._wait), -np.inf)

    def mark(self, values: Floats, quality: Marks, time: float) -> None:
        """Make repeats ABSENT in place, in one row (channels,) that was read at `time` (s)."""
        if not self._any:
            return
        read = quality <= Quality.UNCERTAIN
        same = (values == self._value) | (np.isnan(values) & np.isnan(self._value))
        passed = time - self._time
        repeat = read & same & (passed >= 0.0) & (passed < self._wait)
        self._time[(quality == Quality.BAD) | (quality == Quality.UNAVAILABLE)] = -np.inf
        fresh = read & ~repeat
        self._value[fresh] = values[fresh]
        self._time[fresh] = time
        values[repeat] = np.nan
        quality[repeat] = Quality.ABSENT

    def forget(self) -> None:
        """The device was lost: what it says next is new."""
        self._time[:] = -np.inf
