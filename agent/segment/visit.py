"""A tool's visit as its cut, where the load is told on change, slowly and in steps: one reading a second shows no cut open or close.

Where the control names the tool, a visit is the time over which it names one program, one tool and one part. Its work is the load above
idle over all of it in which the spindle turned steadily: readings of a few steps average out over a visit as they do not over a cut.
Idle is what the load falls to in the same visit at the same speed, in approach, rapids and dwell. An idle that was learned before would be
another one: a register of whole percent stands one step higher or lower from visit to visit, for minutes. A load that stands still from
the first reading of a visit to the last shows no cut, and its work is said to be next to nothing.

Visits that run equally long are one operation, `~1`, `~2`, ... of the tool, by the order in which they were first seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from agent.model import Cut, CutFeatures, Operation
from agent.segment import lengths
from agent.segment.frame import Frame
from agent.segment.lengths import Lengths
from agent.segment.segmenter import SegmenterState, SpindleSegmenter
from drivers.model import Floats

SLOW = 0.5
"""s between readings from which on the visit is the cut: a cut of 4 s has 8 readings then (`agent.detect.monitorability.READINGS`)."""
PACE = 50
"""Distances of readings of which the median is their period (`agent.segment.segmenter.PERIOD_READINGS`)."""
MARK = "~"
"""What the section of a visit begins with; no control says it."""
STOPS = ("feed_hold", "part_interrupted")
"""Reasons to hold in which nothing is made: a stop counts as no time (`agent.detect.visits`)."""
UNSTEADY = 0.08
"""Relative change of speed from one reading to the next: constant surface speed stays below at one reading a second
(`agent.kernels.segment.SLOW_UNSTEADY`)."""
SETTLE = 1.5
"""Periods after such a change for which the load is not counted: the reading may be of the run-up still. The reading before it is not
counted either: the load of a drive moves before the speed that is reported (`agent.kernels.segment.LEARN_DELAY`)."""
HOLDS = 3.0
"""Periods for which a value stands without a word; rows are filled in while the spindle turns (`agent.segment.fill`)."""
FEWEST = 4
"""Readings at a steady speed below which nothing was cut."""
PIECES, MOST = 512, 1 << 17
"""Pieces of readings that are kept apart, and readings of a visit that are kept: 36 h at one a second. A longer one is no visit."""
BAND = 0.1
"""Width of a band of speed in which idle is one, log."""
LOW = 0.05
"""Share of the time in a band below which its load is idle."""
LEAST = 0.1
"""Steps of the register above idle, on average, that a visit counts as at the least: nothing has no logarithm."""
UNIFORM = 0.29
"""Standard deviation of what a register in steps keeps for itself, in steps: 1 / sqrt(12)."""


def is_visit(section: str) -> bool:
    """Whether an operation of this section is a whole visit of its tool."""
    return section.startswith(MARK)


class VisitSegmenter(SpindleSegmenter):
    """Finds the cuts of one spindle, as `SpindleSegmenter` does; where its load is told on change and slowly, they are the visits of tools.

    A visit is handed out as it closes, and only then: before, nobody knows which it is. The first that is seen at all has no beginning, and
    is not handed out.
    """

    def __init__(self, spindle: str, *, has_speed: bool, minimum_speed: float) -> None:
        super().__init__(spindle, has_speed=has_speed, minimum_speed=minimum_speed)
        self._lengths: Lengths = {}
        self._name: tuple[str, str, int] | None = None
        self._here = False
        """The cut that goes on is the visit."""
        self._whole = False
        self._why = ""
        self._began = 0.0
        self._pace = 0.0
        """Period of the readings as the visit began, s"""
        self._gone: list[float] = []
        """Distances of readings since the period was last taken"""
        self._latest = 0.0
        self._seen_at = math.nan
        """Time of the latest row of any kind"""
        self._speed = 0.0
        self._steady_since = -math.inf
        self._rows: list[Floats] = []
        """(3, n) load, s for which it stood, band of speed; of readings at a steady speed"""
        self._stands: tuple[float, float] | None = None
        """Time and load of the latest row, if it counts"""

    @property
    def noise(self) -> float:
        """As of `SpindleSegmenter`; of a visit, what its idle is known to."""
        return max(UNIFORM * self._quantum, 1e-9) if self._here else super().noise

    @property
    def opened(self) -> float | None:
        """Opening of the cut that is open, s; a visit is one while its spindle turns steadily and its program runs."""
        return (self._began if self._stands is not None else None) if self._here else super().opened

    def walk(self, frame: Frame) -> Iterator[Cut]:
        """Cuts of one frame, in the order of their events."""
        name, now = (frame.program, frame.tool, frame.part), float(frame.time[0])
        if name != self._name:
            if self._here:
                self._stand(now, self._speed_of(frame)[:1])
                yield from self._ended(now)
            named = math.isinf(frame.gap) and frame.gate == 1 and bool(frame.tool) and not frame.section
            here = named and self._latest >= SLOW
            if here and not self._here and super().opened is not None:
                yield self._close(now)
            self._whole, self._name, self._here, self._pace = self._name is not None, name, here, self._latest
            self._why, self._began, self._rows, self._stands = "", now, [], None
        self._follow(frame.time)
        if self._here:
            self._take(frame)
        else:
            self._speed = abs(float(frame.speed[-1])) if frame.ok[-1] and self._has_speed else self._speed
            yield from super().walk(frame)

    def calm(self, frame: Frame) -> float:
        """As of `SpindleSegmenter`: a visit has nothing to tell before it ends."""
        if not self._here:
            return super().calm(frame)
        return math.inf if (frame.program, frame.tool, frame.part) == self._name else -math.inf

    def current(self) -> Cut | None:
        """The open cut; of a visit nothing is shown before it ends."""
        return None if self._here else super().current()

    def saved(self) -> SegmenterState:
        """What survives a restart; the visit that goes on does not."""
        return msgspec.structs.replace(super().saved(), lengths=self._lengths, pace=self._latest)

    def restore(self, saved: SegmenterState, *, anew: bool = False) -> None:
        """Take back what `saved` gave."""
        super().restore(saved, anew=anew)
        self._lengths, self._latest = saved.lengths, saved.pace

    def _follow(self, time: Floats) -> None:
        """The period of the readings, of each `PACE` of them."""
        if not math.isnan(self._seen_at):
            self._gone.append(float(time[0]) - self._seen_at)
        self._gone.extend(np.diff(time).tolist())
        self._seen_at = float(time[-1])
        while len(self._gone) >= PACE:
            self._latest = float(np.median(self._gone[:PACE]))
            del self._gone[:PACE]

    def _take(self, frame: Frame) -> None:
        self._step(frame)
        self.air = np.zeros(len(frame.time), dtype=bool)
        stopped = frame.held in STOPS
        if frame.held and not stopped:
            self._why = self._why or frame.held
        if not frame.ok.all():
            self._why = self._why or "lost"
        time, load, speed = frame.time, frame.load, self._speed_of(frame)
        self._stand(float(time[0]), speed[:1])
        changed = self._changed(speed)
        since = np.maximum.accumulate(np.where(changed, time, self._steady_since))
        self._speed, self._steady_since = float(speed[-1]), float(since[-1])
        turns = speed >= self._minimum_speed if self._has_speed else np.ones(len(time), dtype=bool)
        counts = frame.ok & turns & (time >= since + SETTLE * self._pace) & (not stopped)
        kept = counts[:-1] & ~changed[1:]
        if kept.any():
            stood = np.minimum(np.diff(time), HOLDS * self._pace)
            self._keep(np.vstack([load[:-1][kept], stood[kept], _band(speed[:-1][kept])]))
        self._stands = (float(time[-1]), float(load[-1])) if counts[-1] else None

    def _speed_of(self, frame: Frame) -> Floats:
        """(n,) rpm, of either sign; where it is not believed, as it was."""
        return np.abs(np.where(frame.ok & self._has_speed, frame.speed, self._speed))

    def _changed(self, speed: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) whether it is another speed than at the row before."""
        before = np.concatenate([[self._speed], speed[:-1]])
        changed: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.abs(speed - before) > UNSTEADY * np.maximum(np.maximum(speed, before), 1.0)
        return changed

    def _stand(self, now: float, speed: Floats) -> None:
        """The latest row stood until now, when the spindle turns at `speed` (1,)."""
        if self._stands is not None and self._changed(speed)[0]:
            self._stands = None
        if self._stands is not None:
            time, load = self._stands
            stood = min(max(now - time, 0.0), HOLDS * self._pace)
            self._keep(np.array([[load], [stood], _band(np.array([self._speed]))]))
            self._stands = None

    def _keep(self, rows: Floats) -> None:
        self._rows.append(rows)
        if len(self._rows) == PIECES:
            self._rows = [np.hstack(self._rows)]
            if self._rows[0].shape[1] > MOST:
                self._rows, self._whole = [], False

    def _ended(self, now: float) -> Iterator[Cut]:
        """The visit is over: its work, if it had any."""
        assert self._name is not None
        program, tool, part = self._name
        if not (self._rows and self._whole):
            return
        load, stood, band = np.hstack(self._rows)
        seconds = float(stood.sum())
        if len(load) < FEWEST or seconds < FEWEST * self._pace:
            return
        idle = np.empty(len(load))
        for one in np.unique(band).tolist():
            here = band == one
            idle[here] = _low(load[here], stood[here])
        length = lengths.of_visit(self._lengths, f"{program}|{tool}", seconds, now, period=self._pace, learn=not self._why)
        level = max(float(((load - idle) * stood).sum()) / seconds, LEAST * self._quantum)
        moves = int(np.count_nonzero(np.diff(load)))
        self.cuts += 1
        features = CutFeatures(
            samples=len(load),
            # Polls cut off up to a reading at either end: visits of one length are held against each other by their level.
            duration=length.seconds,
            mean=float((load * stood).sum()) / seconds,
            peak=float(np.sort(load)[-2]),
            idle=float((idle * stood).sum()) / seconds,
            work=level * length.seconds,
            largest_rise=0.0,
            largest_fall=0.0,
            level=level,
            # Each move of the register is another rounding: their mean is known better than one of them.
            step=self._quantum / math.sqrt(moves + 1.0),
        )
        yield Cut(
            id=f"{self.spindle}-{self.cuts}",
            phase="closed",
            operation=Operation(spindle=self.spindle, program=program, revision=1, tool=tool, section=f"{MARK}{length.number}"),
            part=part,
            opened=self._began,
            time=now,
            features=features,
            held=self._why,
        )


def _band(speed: Floats) -> Floats:
    """Of speeds in rpm."""
    bands: Floats = np.round(np.log(np.maximum(speed, 1.0)) / BAND)
    return bands


def _low(load: Floats, stood: Floats) -> float:
    """The load below which a share `LOW` of the time lies."""
    order = np.argsort(load, kind="stable")
    passed = np.cumsum(stood[order])
    return float(load[order[min(int(np.searchsorted(passed, LOW * passed[-1])), len(load) - 1)]])
