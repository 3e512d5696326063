"""How far rows may be taken in one piece, because none of the looks between would see anything.

The pass looks at sensors, supply and coverage each `LOOK` seconds, and rows are taken in pieces that end there. Most of a day there is
nothing to see: each channel that is looked after is read and believed, the control says the same, no cut opens, closes or has to be
judged. Such looks are left out, and what comes out is the same to the byte. Where in doubt, the piece ends at the next look as ever.

Whoever adds something that is done at a look, or that depends on where a piece of rows ends, names here when it has nothing to do; that
the result does not depend on the batches is tested (tests/agent/test_calm.py), and one-row batches leave no look out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.context import Context, Seen
from agent.detect.sensor import Sensors
from agent.detect.supply import Supply
from agent.segment import SpindleSegmenter
from agent.timeline import Latest, Rows, Timeline
from agent.vibration import VibrationWatch
from drivers.model import UNCERTAIN

LOOK = 0.5
"""s between two looks at sensors and coverage, on the axis of the readings."""

MOST = 1 << 17
"""Looks that are worked out for rows that were released together: 18 h. Rows of a recording may lie months apart."""


SILENCE = 60.0
"""s after which a silence is no longer walked look by look: longer than any patience."""


def spells(rows: Rows) -> Iterator[Rows]:
    """The same rows, between two silences: what is told on change only may be silent for a weekend, and nothing is worked out for that."""
    if len(rows.time) < 2 or float(rows.time[-1] - rows.time[0]) <= SILENCE:
        yield rows
        return
    edges = [0, *(np.flatnonzero(np.diff(rows.time) > SILENCE) + 1).tolist(), len(rows.time)]
    for start, stop in pairwise(edges):
        yield rows.part(start, stop)


class Ahead(NamedTuple):
    """Of released rows: the number (of `LOOK` seconds) of the first look in them, and whether all is there at each."""

    first: int
    good: list[bool]


NOTHING = Ahead(0, [])


class Calm:
    """Asks the rooms that look whether they have to."""

    def __init__(
        self,
        timeline: Timeline,
        latest: Latest,
        context: Context,
        segmenters: Mapping[str, SpindleSegmenter],
        *,
        sensors: Sensors,
        supply: Supply,
        vibration: VibrationWatch,
    ) -> None:
        self._latest = latest
        self._context = context
        self._segmenters = segmenters
        self._sensors = sensors
        self._supply = supply
        self._vibration = vibration
        groups = [[timeline.index[name] for name in group] for group in supply.groups]
        needed = [timeline.index[name] for name in sensors.names]
        self._columns = sorted({*needed, *(column for group in groups for column in group)})
        place = {column: i for i, column in enumerate(self._columns)}
        self._needed = [place[column] for column in needed]
        self._groups = [[place[column] for column in group] for group in groups]
        self._waves = [(name, place[timeline.index[name]]) for name in vibration.names if timeline.index[name] in place]

    def see(self, rows: Rows, seen: Seen) -> Ahead:
        """At which looks within the rows all is there; nothing for rows of less than two looks, or of more than `MOST`."""
        first, last = math.floor(float(rows.time[0]) / LOOK), math.floor(float(rows.time[-1]) / LOOK)
        if not 2 <= last - first <= MOST or any(load.fine for load in seen.loads):
            return NOTHING
        looks: NDArray[np.float64] = LOOK * np.arange(first, last + 1, dtype=np.float64)
        there = self._there(rows, looks)
        for name, place in self._waves:
            if self._vibration.fed(name):
                there[:, place] = self._vibration.known(name, looks)
        good = there[:, self._needed].all(axis=1)
        for group in self._groups:
            good &= there[:, group].any(axis=1)
        # A look before the first row was made, or will be, with what was known before.
        good &= looks > float(rows.time[0])
        return Ahead(first, good.tolist())

    def until(self, rows: Rows, seen: Seen, ahead: Ahead, at: int, looked: float, due: float) -> float:
        """The look up to which rows from `at` on may be taken in one piece; `looked`, when the next one has to be made as ever.

        `looked`: the latest look, which was made with all rows before `at` and none after. `due`: the time of a look that has something to
        do whatever there is to see.
        """
        # Whether the control says something new at the first row is not known before it is heard.
        if at == 0:
            return looked
        now = round(looked / LOOK)
        place = now + 1 - ahead.first
        if not 0 < place < len(ahead.good) or not ahead.good[place] or not self._settled():
            return looked
        try:
            stop = ahead.good.index(False, place)
        except ValueError:
            stop = len(ahead.good)
        last = ahead.first + stop - 1
        if due <= looked:
            return looked
        if due < last * LOOK:
            last = math.ceil(due / LOOK)
        change = bisect_left(seen.changes, at)
        if change < len(seen.changes):
            last = min(last, math.floor(float(rows.time[seen.changes[change]]) / LOOK))
        if last < now + 2:
            return looked
        end = int(np.searchsorted(rows.time, last * LOOK, side="left"))
        for frames in self._context.frames(rows, seen, at, end):
            for name, frame in frames:
                told = self._segmenters[name].calm(frame)
                if told < math.inf:
                    last = min(last, math.floor(told / LOOK) if math.isfinite(told) else now)
        return last * LOOK if last >= now + 2 else looked

    def _settled(self) -> bool:
        context = self._context
        return self._sensors.settled and self._supply.settled and not context.lost and not context.off

    def _there(self, rows: Rows, looks: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(looks, columns): whether a channel has a value that is believed and not too old."""
        columns = self._columns
        before = np.searchsorted(rows.time, looks, side="left") - 1
        row = np.where(rows.fresh[:, columns], np.arange(len(rows.time))[:, None], -1)
        row = np.maximum.accumulate(row, axis=0)[np.maximum(before, 0)]
        quality, time, hold = self._latest.of(columns)
        old = row < 0
        marks = np.where(old, quality, rows.quality[np.maximum(row, 0), columns])
        since = np.where(old, time, rows.time[np.maximum(row, 0)])
        there: NDArray[np.bool_] = (marks <= UNCERTAIN) & (looks[:, None] - since <= hold)
        return there
