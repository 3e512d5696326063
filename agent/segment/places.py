"""Names of cuts by their place in the part, where the control names only the tool.

A cut is known by when it begins: after how many seconds of turning since its tool was called, for the n-th time in the part. Counted
instead, each faint cut that comes and goes would rename those after it. Of a program that is run a little faster or slower the later places
move with the earlier ones. The first part names them 1, 2, 3 as they come; one that is found later gets the next number, wherever it lies.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from agent.segment.frame import Frame
from drivers.model import Floats

NEAR, FARTHEST = 0.25, 1.0
"""s by which a cut may begin beside its place: half the way to the next place, within these bounds (and a period of the readings more)."""
FOLLOWED = 8
"""Cuts over which place and length are taken: older ones fade."""
MISSED = 10
"""Visits without it after which a place is given up."""
MOST, VISITS = 60, 400
"""Places of a tool, and tools of programs, that are remembered."""
FOLD = 5_000
"""Rows after which the turning time of the older ones is kept as a sum."""
SILENT = 10.0
"""s between two readings beyond which nobody knows whether it turned."""


class Place(msgspec.Struct):
    """Where a cut begins."""

    name: str
    visit: int
    """Of its tool in the part, from 1; 0: the tool was in when the part began"""
    at: float
    """s of turning since the call"""
    length: float = 0.0
    """s"""
    seen: int = 0
    missed: int = 0
    """Latest visits, one behind the other, without it"""


class PlacesState(msgspec.Struct):
    """What survives a restart."""

    known: dict[str, list[Place]] = {}
    """By program and tool"""
    key: str = ""
    part: int = -1
    visit: int = 0
    visits: dict[str, int] = {}
    """Of this part, by program and tool: how often it was called"""
    taken: dict[str, list[str]] = {}
    """... names of the cuts that came"""


class Places:
    """Follows the tool of one spindle.

    Parameters
    ----------
    minimum_speed: rpm below which the spindle stands.
    """

    def __init__(self, minimum_speed: float) -> None:
        self._minimum_speed = minimum_speed
        self.state = PlacesState()
        self._offset = 0.0
        self._base = 0.0
        self._times: list[Floats] = []
        self._turns: list[Floats] = []
        self._rows = 0
        self._last = math.nan
        self._called = False
        """The beginning of this visit was seen"""
        self._now: Place | None = None

    def follow(self, frame: Frame) -> None:
        """Rows that come now; before their cuts are named."""
        state, key = self.state, f"{frame.program}|{frame.tool}"
        if key != state.key or frame.part != state.part:
            if frame.part != state.part:
                self._end_part()
            self._called = bool(state.key)
            visit = state.visits.get(key, 0) + (key != state.key)
            visits = {place.visit for place in state.known.get(key, [])}
            if visit == 0 and 1 in visits and 0 not in visits:
                # In as the part began, which it never was: the part before was stopped at this tool, and nobody saw it called.
                visit, self._called = 1, False
            state.visits[key] = state.visit = visit
            state.key, state.part = key, frame.part
            self._offset, self._base = 0.0, 0.0
            self._times, self._turns, self._rows = [], [], 0
        if not len(frame.time):
            return
        steps = np.diff(frame.time, prepend=frame.time[0] if math.isnan(self._last) else self._last)
        standing = np.abs(frame.speed) < self._minimum_speed
        self._times.append(frame.time)
        self._turns.append(np.where(standing | (steps < 0.0) | (steps > SILENT), 0.0, steps))
        self._last = float(frame.time[-1])
        self._rows += len(frame.time)
        if self._rows > FOLD:
            self._fold()

    def opened(self, time: float, period: float) -> str:
        """Name of a cut that began at this time. `period`: s between two readings, 0 where it is not known."""
        state = self.state
        taken = state.taken.setdefault(state.key, [])
        known = state.known.setdefault(state.key, [])
        here = [place for place in known if place.visit == state.visit]
        free = [place for place in here if place.name not in taken]
        at = self._at(time)
        if not self._called:
            # Begun in the middle: the next in order, and those after it by their distance.
            self._called = bool(here)
            after = [place for place in free if place.at > max((one.at for one in here if one.name in taken), default=-1.0)]
            if not after:
                taken.append(str(len(taken) + 1))
                return taken[-1]
            self._offset = at - min(place.at for place in after)
        expected = at - self._offset
        near = [place for place in free if abs(at - place.at) <= NEAR + period]
        if near:
            # Where it always begins: what began early or late before it is no reason to look elsewhere.
            expected = at
        else:
            near = [place for place in free if abs(expected - place.at) <= self._reach(place, here) + period]
        inside = [place for place in free if 0.0 <= expected - place.at < place.length]
        found = min(near or inside, key=lambda place: abs(expected - place.at), default=None)
        if found is None:
            found = Place(str(max((int(place.name) for place in known), default=0) + 1), state.visit, expected)
            known.append(found)
            if len(known) > MOST:
                known.remove(min(known[:-1], key=lambda place: place.seen - place.missed))
        elif near:
            self._offset = at - found.at
            found.at += (at - found.at) / min(found.seen + 1, FOLLOWED)
        found.seen += 1
        taken.append(found.name)
        self._now = found
        return found.name

    def closed(self, seconds: float) -> tuple[str, ...]:
        """The cut that was named last has ended after so long. Returns the names of those whose place it ran through: one cut with it."""
        place, self._now = self._now, None
        if place is None:
            return ()
        place.length += (seconds - place.length) / min(max(place.seen, 1), FOLLOWED)
        first, taken = place.at + NEAR, self.state.taken[self.state.key]
        last = place.at + seconds - NEAR
        through = [
            one for one in self.state.known[self.state.key] if one.visit == place.visit and first < one.at < last and one.name not in taken
        ]
        taken.extend(one.name for one in through)
        return tuple(one.name for one in sorted(through, key=lambda one: one.at))

    def undone(self) -> None:
        """The cut that was named last was none."""
        place, self._now = self._now, None
        if place is None:
            return
        self.state.taken[self.state.key].remove(place.name)
        place.seen -= 1
        if place.seen == 0:
            self.state.known[self.state.key].remove(place)

    def saved(self) -> PlacesState:
        """What survives a restart; an open cut does not."""
        taken = {
            key: [name for name in names if key != self.state.key or self._now is None or name != self._now.name]
            for key, names in self.state.taken.items()
        }
        return msgspec.structs.replace(self.state, taken=taken)

    def restore(self, saved: PlacesState) -> None:
        """Take back what `saved` gave: the visit that runs was not seen from its beginning."""
        self.state = saved
        self._called, self._now = False, None

    def _end_part(self) -> None:
        """What came may come again, and what did not was missed."""
        state = self.state
        for key, names in state.taken.items():
            for place in state.known.get(key, []):
                place.missed = 0 if place.name in names else place.missed + 1
            state.known[key] = [place for place in state.known.pop(key, []) if place.missed <= MISSED]
        while len(state.known) > VISITS:
            del state.known[next(iter(state.known))]
        state.taken, state.visits = {}, {}

    def _at(self, time: float) -> float:
        """S of turning up to a time since the tool was called."""
        times, turns = np.concatenate(self._times), np.concatenate(self._turns)
        return self._base + float(np.cumsum(turns)[max(int(np.searchsorted(times, time, side="right")) - 1, 0)])

    def _fold(self) -> None:
        old = self._turns[:-1]
        self._base += float(np.cumsum(np.concatenate(old))[-1]) if old else 0.0
        self._times, self._turns = self._times[-1:], self._turns[-1:]
        self._rows = len(self._times[0])

    @staticmethod
    def _reach(place: Place, here: list[Place]) -> float:
        gaps = [abs(other.at - place.at) for other in here if other is not place]
        return min(max(0.5 * min(gaps, default=math.inf), NEAR), FARTHEST)
