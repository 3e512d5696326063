"""The latest readings that the segment kernel holds."""

from __future__ import annotations

import numpy as np

from agent.kernels.segment import COUNT, RING


def doubt(state: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Readings that would soon have counted as idle do not any more: what the control said of them had grown old."""
    state[32 + 3 * RING : 32 + 4 * RING] = np.nan


def latest(state: np.ndarray[tuple[int], np.dtype[np.float64]], since: float) -> tuple[list[float], list[float]]:
    """Times and loads of the readings from `since` on that the ring still holds, oldest first."""
    count = int(state[COUNT])
    order = [i % RING for i in range(max(0, count - RING), count)]
    pairs = [(float(state[32 + 2 * RING + i]), float(state[32 + i])) for i in order if state[32 + 2 * RING + i] >= since]
    return [t for t, _ in pairs], [x for _, x in pairs]
