"""Since when each spindle has turned steadily without a cut: 'air', in which a spindle is compared with itself and with nothing else."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from agent.model import Cut
from agent.segment import Frame

DARK = 0.5
"""s between two readings of the load beyond which a cut may have come and gone."""


RUNS = 32
"""Stretches of air that are remembered, so that it does not matter in what pieces the rows came."""


class Run(NamedTuple):
    """A stretch of air: first and latest row, s, and the speed at the first, rpm: that of the latest would depend on how the rows came."""

    first: float
    last: float
    speed: float


class _Spindle:
    def __init__(self) -> None:
        self.runs: deque[Run] = deque(maxlen=RUNS)
        self.lasts = False
        """Whether the latest row was air, so that the latest run goes on"""
        self.speed = math.nan
        self.time = -math.inf
        self.cut: Cut | None = None


class Air:
    """Follows all spindles.

    Parameters
    ----------
    spindles: their names.
    """

    def __init__(self, spindles: Iterable[str]) -> None:
        self._spindles = {name: _Spindle() for name in spindles}

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Note since when the spindle has turned steadily without a cut; `air`: (n,) at which rows of the frame it did."""
        now, n = self._spindles[spindle], len(frame.time)
        if not n:
            return
        dark = max(DARK, frame.gap)
        if n == 1:
            self._one(now, float(frame.time[0]), float(frame.speed[0]), dark, in_air=bool(air[0]))
        else:
            self._several(now, frame, air, dark)
        now.lasts, now.time = bool(air[-1]), float(frame.time[-1])
        good = frame.speed[frame.ok]
        if len(good):
            now.speed = float(good[-1])

    @staticmethod
    def _one(now: _Spindle, time: float, speed: float, dark: float, *, in_air: bool) -> None:
        """A row alone, as they come when live: the same as `_several`, without its arrays."""
        if in_air and now.lasts and time - now.time <= dark:
            now.runs[-1] = now.runs[-1]._replace(last=time)
        elif in_air:
            now.runs.append(Run(time, time, speed))

    @staticmethod
    def _several(now: _Spindle, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]], dark: float) -> None:
        if not air.any():
            return
        begins = air.copy()
        # A run begins at the row after one that was no air, or at one that came after a gap.
        begins[1:] &= ~air[:-1] | (frame.time[1:] - frame.time[:-1] > dark)
        begins[0] &= not now.lasts or bool(frame.time[0] - now.time > dark)
        # ... and ends at the last row before another begins, or before one that is no air.
        ends = air.copy()
        ends[:-1] &= begins[1:] | ~air[1:]
        starts, lasts = begins.nonzero()[0].tolist(), ends.nonzero()[0].tolist()
        if len(lasts) > len(starts):
            now.runs[-1] = now.runs[-1]._replace(last=float(frame.time[lasts.pop(0)]))
        for start, last in zip(starts, lasts, strict=True):
            now.runs.append(Run(float(frame.time[start]), float(frame.time[last]), float(frame.speed[start])))

    def follow(self, spindle: str, cut: Cut) -> None:
        """A cut opened, grew or closed."""
        self._spindles[spindle].cut = None if cut.phase == "closed" else cut

    def since(self, spindle: str) -> float:
        """Time from which on it has turned steadily without a cut; inf: it does not."""
        its = self._spindles[spindle]
        return its.runs[-1].first if its.lasts else math.inf

    def speed_in(self, spindle: str, start: float, stop: float) -> float | None:
        """Its speed, rpm, if it turned steadily without a cut from `start` to `stop`; None: it did not, as far as is remembered."""
        runs = self._spindles[spindle].runs
        return next((run.speed for run in reversed(runs) if run.first <= start and stop <= run.last), None)

    def within(self, spindle: str, start: float, stop: float) -> tuple[float, float] | None:
        """The latest stretch from `start` to `stop` in which it turned steadily without a cut; None: there is none.

        `stop` is not later than what the rows so far tell: a run that goes on reaches to it.
        """
        its = self._spindles[spindle]
        for i, run in enumerate(reversed(its.runs)):
            last = stop if i == 0 and its.lasts else min(run.last, stop)
            if last <= start:
                return None
            if max(run.first, start) < last:
                return max(run.first, start), last
        return None

    def runs(self, spindle: str) -> tuple[Run, ...]:
        """Its latest stretches of air, as far as they are remembered, the latest last; it may go on."""
        return tuple(self._spindles[spindle].runs)

    def speed(self, spindle: str) -> float:
        """Latest that was believed, rpm; NaN: none yet, or no speed is read."""
        return self._spindles[spindle].speed

    def cut(self, spindle: str) -> Cut | None:
        """The cut that is open, as it was last told."""
        return self._spindles[spindle].cut
