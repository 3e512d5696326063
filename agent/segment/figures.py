"""Figures and curve of a cut."""

from __future__ import annotations

import itertools
import math

import numpy as np

from agent.kernels import segment as kernel
from agent.model import CutFeatures

GRID = 0.05
"""s between two points of a cut's curve."""
CURVE_LIMIT = 4096
"""Points of a curve that are kept; a longer cut keeps its beginning."""


def cut_features(state: np.ndarray[tuple[int], np.dtype[np.float64]]) -> CutFeatures:
    """Of the cut that is open (or was just closed) in a spindle's segment state.

    Mean, peak and idle are in the unit of the load channel; work is the integral of the load above idle at each reading's own speed
    (unit s), as drives and power meters give no force: what idle takes is not cutting (field.md 1.1: area above idle). The peak is the
    second largest reading. Rise and fall are between medians of three readings three readings apart.
    """
    now: list[float] = state[: kernel.LEVEL + 1].tolist()
    opened = now[kernel.T_OPEN]
    duration = max(now[kernel.T_LAST] - opened, 0.0)
    second, first = now[kernel.PEAK2], now[kernel.PEAK]
    return CutFeatures(
        samples=int(now[kernel.N]),
        duration=duration,
        mean=now[kernel.SUM] / max(int(now[kernel.N]), 1),
        peak=second if second > -math.inf else first if first > -math.inf else 0.0,
        idle=now[kernel.IDLE] / duration if duration > 0 else 0.0,
        work=now[kernel.WORK],
        largest_rise=now[kernel.RISE],
        largest_fall=now[kernel.FALL],
        fall_at=now[kernel.T_FALL] - opened,
        fall_before=now[kernel.BEFORE],
        level=now[kernel.LEVEL],
    )


def update_period(times: list[float], loads: list[float]) -> float:
    """Seconds between two changes of the reading, the shortest but one: the period of a register that is read more often than it changes.

    A register that holds its value for n readings never changes sooner; a coarse one that is quick does so at least where the cut begins
    and ends. 0 with fewer than four changes.
    """
    at = [t for t, before, now in zip(times[1:], loads, loads[1:], strict=False) if now != before]
    if len(at) < 4:
        return 0.0
    return sorted(after - before for before, after in itertools.pairwise(at))[1]


def cut_curve(times: list[float], loads: list[float], opened: float, until: float) -> tuple[float, ...]:
    """Load on a grid of GRID seconds from `opened`, linear between readings."""
    if len(times) < 2:
        return ()
    end = min(until, times[-1])
    points = min(int((end - opened) / GRID) + 1, CURVE_LIMIT)
    if points < 2:
        return ()
    return tuple(np.interp(opened + GRID * np.arange(points), times, loads).tolist())
