"""Rows of one spindle to Cuts as they open, grow and close.

Three ways, by what the machine gives: the control says so (a `section` register: the cut is the section), a cycle bit says when a cut may
be (the load decides within), or the load alone decides. Idle is learned as a function of speed in all three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from agent.kernels import segment as kernel
from agent.model import Cut, Operation
from agent.segment import ring
from agent.segment.figures import GRID, cut_curve, cut_features, update_period
from agent.segment.frame import Frame
from agent.segment.lengths import Lengths
from agent.segment.places import Places, PlacesState
from drivers.model import Floats

Phase = Literal["opened", "grown", "closed"]
Bounds = Callable[[str, str], tuple[float, float, float, float, float, Floats]]
"""Of a cut's id and operation, by which looks at it as it grows need not be told: the first five of the kernel's `looks`, and the usual
load at its places (`agent.detect.looks`)."""

BLINK, PERIODS, PERIOD_READINGS = 0.3, 3.0, 50
"""A load is not seen when no reading comes for 0.3 s, or for three of its periods where they are longer (median of its first fifty
readings): what happened meanwhile is anybody's guess."""
LONGEST = 1.0
"""s; ... as long as the period is not known."""
AFTER_DARK = 0.5
"""s after the load was last not seen within which a cut opens with its beginning missing."""
NOTHING_USUAL = np.zeros((2, 0))
SURE = 0.9
"""Share of the readings of a cut at whose speed idle must be known."""


class SegmenterState(msgspec.Struct):
    """What survives a restart."""

    state: bytes
    table: bytes
    ordinal: dict[str, int] = {}
    places: PlacesState = msgspec.field(default_factory=PlacesState)
    part: int = -1
    context: tuple[str, str, str] = ("", "", "")
    cuts: int = 0
    quantum: float = 0.0
    lengths: Lengths = {}
    """Where a tool's visit is its cut (`agent.segment.visit`)"""
    pace: float = 0.0
    """s between two readings, as of there"""


@dataclass(slots=True)
class _Open:
    operation: Operation
    part: int
    held: str
    id: str
    opened: float
    times: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)


class SpindleSegmenter:
    """Finds the cuts of one spindle.

    Parameters
    ----------
    spindle: its name.
    has_speed: whether the machine gives its speed.
    minimum_speed: rpm below which it stands.
    """

    def __init__(self, spindle: str, *, has_speed: bool, minimum_speed: float) -> None:
        self.spindle = spindle
        self._has_speed = has_speed
        self._minimum_speed = minimum_speed
        self._state, self._table = kernel.new_state()
        self._ordinal: dict[str, int] = {}
        self._places = Places(minimum_speed)
        self._part = -1
        self._context = ("", "", "", -1)
        self._open: _Open | None = None
        self._blind = -math.inf
        self._seen = -math.inf
        self._first: list[float] = []
        self._longest = LONGEST
        self._period = 0.0
        self._quantum = 0.0
        """Smallest step that the load has made; 0: it has not moved"""
        self._last_load = math.nan
        self.revision: Callable[[str], int] = lambda _: 1
        """Of a program, as it is learned and judged now"""
        self.dark = False
        """The load was not seen for a while since this was last set to False: a cut may have come and gone."""
        self.air = np.zeros(0, dtype=bool)
        """Of the frame walked last: rows at which the spindle turned steadily without cutting"""
        self.cuts = 0
        self._looks = kernel.every_look()
        self._bounds: Bounds | None = None
        self._opened_last = ("", "")

    @property
    def noise(self) -> float:
        """Standard deviation in air of what is held against idle, at this speed, unit of the load: of the reading, or of its short mean.
        A step of its register at the least: cut and idle are each known to that, and in air a coarse register stands still."""
        return max(float(self._state[kernel.HERE]), self._quantum)

    @property
    def opened(self) -> float | None:
        """Opening of the cut that is open, s; None: there is none."""
        return self._open.opened if self._open is not None else None

    def listened(self, bounds: Bounds) -> None:
        """Who judges growing cuts, and which looks at them may go untold. Without, each is told."""
        self._bounds = bounds

    def called(self, tool: str) -> None:
        """The open cut is one that has come before, and is known by this name where the control has none for it."""
        if self._open is not None:
            self._open.operation = msgspec.structs.replace(self._open.operation, tool=tool, section="1")
            self._opened_last = (self._open.id, self._open.operation.key)

    def hold(self, reason: str) -> None:
        """The open cut may be neither judged nor learned from."""
        if self._open is not None and reason:
            self._open.held = self._open.held or reason

    def untold(self) -> tuple[str, str, float] | None:
        """Cut, its operation and the time of the latest look that was not told since this was last asked; None: there was none."""
        if self._looks[kernel.LOOKS] == 0.0:
            return None
        self._looks[kernel.LOOKS] = 0.0
        return *self._opened_last, float(self._looks[kernel.LOOKED])

    def idle(self, speed: float | None) -> float | None:
        """Learned idle load at a speed; None: not known there."""
        level = float(kernel.idle_at(self._table, speed if speed is not None else 0.0))
        return None if level != level else level

    def walk(self, frame: Frame) -> Iterator[Cut]:
        """Cuts of one frame, in the order of their events."""
        gaps = self._gaps(frame)
        context = (frame.program, frame.tool, frame.section, frame.part)
        if self._open is not None and context != self._context:
            yield self._close(float(frame.time[0]))
        elif context != self._context:
            self._state[kernel.T_CAND] = np.nan
        # Where parts are counted, a tool that comes twice in a part goes on counting; else its return begins anew.
        again = frame.part < 0 and frame.tool != self._context[1]
        if frame.part != self._part or again or frame.program != self._context[0]:
            self._ordinal.clear()
            self._part = frame.part
        self._context = context
        if frame.part >= 0 and not frame.section:
            self._places.follow(frame)
        if frame.held == "lost":
            self._blind = float(frame.time[-1])
        if frame.unknown:
            ring.doubt(self._state)
        at, n = 0, len(frame.time)
        self.air = np.zeros(n, dtype=bool)
        times, loads, whole = frame.time.tolist(), frame.load.tolist(), bool(frame.ok.all())
        self._step(frame)
        while at < n:
            before = at
            usual = self._ask(self._looks)
            at, event = kernel.advance(
                frame.time,
                frame.load,
                frame.ok,
                frame.speed,
                at,
                frame.gate,
                int(self._has_speed),
                self._minimum_speed,
                self._period,
                self._state,
                self._table,
                self.air,
                self._looks,
                usual,
            )
            now = times[min(at, n - 1)] if event == kernel.CLOSED or at == before else times[at - 1]
            while gaps and gaps[0] <= now:
                self._blind = gaps.pop(0)
                self.dark = True
            if event == kernel.OPENED:
                yield self._begin(frame)
            elif self._open is not None:
                self._open.held = self._open.held or frame.held or ("lost" if self._blind > self._open.opened else "")
                if whole:
                    self._open.times.extend(times[before:at])
                    self._open.loads.extend(loads[before:at])
                else:
                    good = frame.ok[before:at]
                    self._open.times.extend(frame.time[before:at][good].tolist())
                    self._open.loads.extend(frame.load[before:at][good].tolist())
            if event == kernel.GROWN and self._open is not None:
                yield self._cut("grown")
            elif event == kernel.CLOSED and self._open is not None:
                yield self._close(now)
            elif event == kernel.RUN_UP_ENDED and self._open is not None:
                self._open.held = "run_up"
                self._places.undone()
                if not frame.section and frame.part < 0 and frame.tool in self._ordinal:
                    self._ordinal[frame.tool] -= 1
                yield self._close(now)

    def idle_table(self) -> Floats:
        """What was learned of idle so far."""
        return self._table.copy()

    def idle_again(self, table: Floats) -> None:
        """Take back what `idle_table` gave: what was learned since came from a sensor that lied."""
        self._table[...] = table

    def calm(self, frame: Frame) -> float:
        """Time of the first row of a frame at which there may be something to tell, inf: of none. Nothing is changed by asking."""
        if (frame.program, frame.tool, frame.section, frame.part) != self._context:
            return -math.inf
        n = len(frame.time)
        looks = kernel.every_look()
        usual = self._ask(looks)
        row, event = kernel.advance(
            frame.time,
            frame.load,
            frame.ok,
            frame.speed,
            0,
            frame.gate,
            int(self._has_speed),
            self._minimum_speed,
            self._period,
            self._state.copy(),
            self._table.copy(),
            np.empty(n, dtype=bool),
            looks,
            usual,
        )
        return math.inf if event == kernel.NONE else float(frame.time[max(row - 1, 0)])

    def _ask(self, looks: Floats) -> Floats:
        """Which looks at the open cut are to be told; the usual load at its places."""
        if self._open is None or self._bounds is None:
            looks[kernel.TOP] = -math.inf
            return NOTHING_USUAL
        *limits, usual = self._bounds(*self._opened_last)
        looks[: kernel.GRID + 1] = limits
        return usual

    def current(self) -> Cut | None:
        """The open cut with its curve so far."""
        return self._cut("grown", picture=True) if self._open is not None else None

    def saved(self) -> SegmenterState:
        """What survives a restart; an open cut does not: it was not watched to its end."""
        state = self._state.copy()
        state[kernel.OPEN] = 0.0
        state[kernel.T_CAND] = np.nan
        ordinal = dict(self._ordinal)
        if self._open is not None and self._context[1] in ordinal:
            ordinal[self._context[1]] -= 1
        program, tool, section, _ = self._context
        return SegmenterState(
            state.tobytes(),
            self._table.tobytes(),
            ordinal,
            self._places.saved(),
            self._part,
            (program, tool, section),
            self.cuts,
            self._quantum,
        )

    def restore(self, saved: SegmenterState, *, anew: bool = False) -> None:
        """Take back what `saved` gave. `anew`: but idle and noise, to be learned again; the count of cuts, which names them, goes on."""
        state = np.frombuffer(saved.state, dtype=np.float64)
        table = np.frombuffer(saved.table, dtype=np.float64)
        if state.shape != self._state.shape or table.size != self._table.size:
            return
        if not anew:
            self._state = state.copy()
            self._table = table.reshape(self._table.shape).copy()
            self._quantum = saved.quantum
        self._ordinal = dict(saved.ordinal)
        self._places.restore(saved.places)
        self._part = saved.part
        self._context = (*saved.context, saved.part)
        self.cuts = saved.cuts

    def _step(self, frame: Frame) -> None:
        good = frame.load[frame.ok]
        if not len(good):
            return
        steps = np.empty(len(good))
        steps[0] = good[0] - self._last_load
        np.subtract(good[1:], good[:-1], out=steps[1:])
        np.abs(steps, out=steps)
        self._last_load = float(good[-1])
        steps = steps[steps > 0.0]
        if len(steps):
            least = float(steps.min())
            self._quantum = min(self._quantum, least) if self._quantum > 0.0 else least

    def _gaps(self, frame: Frame) -> list[float]:
        """Times at which the load is seen again after it was not seen for too long."""
        seen = frame.time[frame.ok]
        if not len(seen):
            return []
        if len(self._first) == PERIOD_READINGS and math.isinf(frame.gap):
            # On change: how often it is told may change with what reads it.
            self._first = []
        if len(self._first) < PERIOD_READINGS:
            self._first.extend(seen[: PERIOD_READINGS - len(self._first)].tolist())
            if len(self._first) == PERIOD_READINGS:
                self._period = float(np.median(np.diff(self._first)))
                self._longest = max(BLINK, PERIODS * self._period)
        limit = frame.gap if math.isinf(frame.gap) else self._longest
        before, self._seen = self._seen, float(seen[-1])
        dark = seen[1:][seen[1:] - seen[:-1] > limit].tolist()
        return [float(seen[0]), *dark] if seen[0] - before > limit else dark

    def _begin(self, frame: Frame) -> Cut:
        section = frame.section
        named = bool(frame.program or frame.tool)
        opened = float(self._state[kernel.T_OPEN])
        if not section and frame.part >= 0:
            section = self._places.opened(opened, self._period)
        elif not section and named:
            ordinal = self._ordinal.get(frame.tool, 0) + 1
            self._ordinal[frame.tool] = ordinal
            section = str(ordinal)
        revision = self.revision(frame.program)
        operation = Operation(spindle=self.spindle, program=frame.program, revision=revision, tool=frame.tool, section=section)
        self.cuts += 1
        held = frame.held
        if not held and opened - self._blind < AFTER_DARK:
            held = "lost"
        times, loads = ring.latest(self._state, opened)
        self._open = _Open(operation, frame.part, held, f"{self.spindle}-{self.cuts}", opened, times, loads)
        self._opened_last = (self._open.id, operation.key)
        return self._cut("opened")

    def _close(self, now: float) -> Cut:
        """`now`: of the row that closes it; the cut ended in the dark if its latest reading is too old for that."""
        self._state[kernel.OPEN] = 0.0
        if self._open is not None and now - float(self._state[kernel.LAST_TIME]) > self._longest and not self._open.held:
            self._open.held = "lost"
        cut = self._cut("closed")
        through = self._places.closed(cut.features.duration)
        self._open = None
        return msgspec.structs.replace(cut, through=through) if through else cut

    def _cut(self, phase: Phase, *, picture: bool = False) -> Cut:
        now = self._open
        assert now is not None
        features = cut_features(self._state)
        if phase == "closed":
            features = msgspec.structs.replace(features, update=update_period(now.times, now.loads), step=self._quantum)
        curve = cut_curve(now.times, now.loads, now.opened, now.opened + features.duration) if phase == "closed" or picture else ()
        return Cut(
            id=now.id,
            phase=phase,
            operation=now.operation,
            part=now.part,
            opened=now.opened,
            time=float(self._state[kernel.T_LAST]),
            features=features,
            held=now.held or ("" if self._state[kernel.SURE] >= SURE * self._state[kernel.SETTLED] else "idle_unknown"),
            curve=curve,
            grid=GRID,
        )
