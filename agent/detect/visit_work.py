"""Missing and broken tools by the work of a whole visit: all that was cut while the tool was in, whatever its cuts are called.

A visit is the time over which the control names one program, one tool and one part; the n-th of its tool in the part. When its tool
leaves, its work is held against the latest visits of the same name (`agent.detect.course`). Nothing is said of a visit that was held, not
seen whole, or that turned for another time than usual: something else went on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
import numpy as np

from agent.detect import course
from agent.detect.course import Course, Laid, Pattern, Standing
from agent.detect.finding import about
from agent.detect.pieces import LATE, Piece, broken, fell, pieces
from agent.model import Evidence, Finding, Operation
from agent.segment import Frame

SHORTEST = 1.0
"""s of turning below which a tool only passed through."""
LONGEST = 1.5
"""s between two readings, or three of their periods, beyond which nobody knows what the spindle did."""
BELIEVED, FEWEST = 0.95, 4
"""Of the readings; readings of a visit."""
MOST_ROWS = 100_000
"""Rows of a visit; one that is longer is no visit (a spindle left turning)."""
SURE = 3
"""Visits in a row after which it must have been sure to be told, for it to be promised: what repeats well by chance does not."""
NORMAL = 0.75
"""Of the usual work: below it a visit is no example of what comes (as `Watch` takes a cut after a missing one)."""
ODD = 3
"""Visits in a row that are no example: the program was changed, and learning begins again."""
GONE = 2
"""Visits in a row told to be missing: the same."""
MOST = 400
"""Visits that are remembered; the one that did not come for the longest time makes room."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What follows from the visits that are remembered."""

    pattern: Pattern
    standing: Standing
    pieces: tuple[Piece, ...]


@dataclass(slots=True)
class _Open:
    program: str
    tool: str
    part: int
    number: int
    sound: bool
    began: float
    told: bool = False
    broke: bool = False
    judged: int = 0
    """Of its pieces"""
    ready: float = 0.0
    """Time before which the next has not ended"""
    frames: list[Frame] = field(default_factory=list)
    rows: int = 0


class VisitWork:
    """Follows the tools of a machine whose control tells its parts, and leaves it to the load when a cut is.

    Parameters
    ----------
    on: whether there is anything to do: such a machine.
    chance: that one evaluation may be a false alarm, now.
    tuned: the finding at the limit as the operator's verdicts left it; None where it does not pass that.
    """

    def __init__(
        self,
        *,
        on: bool,
        chance: Callable[[], float],
        tuned: Callable[[Finding], Finding | None],
    ) -> None:
        self._on = on
        self._chance = chance
        self._tuned = tuned
        self.courses: dict[str, Course] = {}
        """By spindle, program, tool and number of the visit; survives a restart"""
        self._known: dict[str, _Known] = {}
        self._first: dict[str, int] | None = None
        """Number of the first visit of each tool; asked of every operation at every look"""
        self._open: dict[str, _Open] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def on_tool(self, spindle: str, frame: Frame) -> list[Finding]:
        """Before the rows of a frame are looked at: the tool, or the part, may be another."""
        if not self._on:
            return []
        now = self._open.get(spindle)
        if now is not None and (now.program, now.tool, now.part) == (frame.program, frame.tool, frame.part):
            now.sound = now.sound and not frame.held
            return []
        number = 0
        if now is not None and now.part != frame.part:
            self._numbers = {key: n for key, n in self._numbers.items() if key[0] != spindle}
        if now is None or now.tool != frame.tool:
            # One that stays in over the end of a part was not called in the next.
            number = self._numbers[spindle, frame.tool] = self._numbers.get((spindle, frame.tool), 0) + 1
        sound, began = now is not None and not frame.held, float(frame.time[0])
        self._open[spindle] = _Open(frame.program, frame.tool, frame.part, number, sound, began)
        return self._ended(spindle, now, float(frame.time[0])) if now is not None and now.tool and now.number else []

    def take(self, spindle: str, frame: Frame) -> None:
        """Rows of a spindle, as far as they may be believed."""
        now = self._open.get(spindle)
        if now is None or not now.sound:
            return
        now.frames.append(frame)
        now.rows += len(frame.time)
        if now.rows > MOST_ROWS:
            now.sound, now.frames = False, []

    def awaits(self) -> float:
        """Time before which `on_look` has nothing to do."""
        due = math.inf
        for spindle, now in self._open.items():
            for piece in self._next(spindle, now)[:1]:
                due = min(due, max(now.ready, now.began + (piece.last + LATE) * self.courses[_key(spindle, now)].cell))
        return due

    def on_look(self, time: float) -> list[Finding]:
        """Twice a second: cuts of the visit that should have ended by now, and did not go on to their end."""
        return [finding for spindle, now in self._open.items() for finding in self._look(spindle, now, time)]

    def told(self, spindle: str, tool: str) -> None:
        """Something else told that this tool is broken or missing: its visit need not say so again."""
        now = self._open.get(spindle)
        if now is not None and now.tool == tool:
            now.told = True

    def doubt(self) -> None:
        """Something was missed: the visits that go on now say nothing."""
        for now in self._open.values():
            now.sound, now.frames = False, []

    def standing(self, spindle: str, program: str, tool: str) -> Standing | None:
        """What can be promised of a tool by its first visit of a part; None: not known yet."""
        key = f"{spindle}|{program}|{tool}"
        if self._first is None:
            self._first = {}
            for known in self.courses:
                name, _, number = known.rpartition("|")
                self._first[name] = min(int(number), self._first.get(name, int(number)))
        return self._standing(f"{key}|{self._first[key]}") if key in self._first else None

    def tells(self, spindle: str, program: str, tool: str) -> bool:
        """Whether this tool would be told to be missing by the work of its whole visit, when it leaves."""
        standing = self.standing(spindle, program, tool)
        return standing is not None and standing.limit > 0.0

    def breaks(self, spindle: str, program: str, tool: str, number: int) -> list[tuple[float, float, float, float]]:
        """Stretches of a visit, s of turning since the call, and the shares of each between which a break is told."""
        key = f"{spindle}|{program}|{tool}|{number}"
        known = self.courses.get(key)
        if known is None or known.sure < SURE:
            return []
        return [(piece.first * known.cell, piece.last * known.cell, piece.since, piece.until) for piece in self._learned(key).pieces]

    def restore(self, courses: dict[str, Course], anew: Collection[str]) -> None:
        """Take back what was saved; nothing of the spindles in `anew`."""
        for key in [key for key in courses if key.partition("|")[0] in anew]:
            del courses[key]
        self.courses = courses
        self._known.clear()
        self._first = None

    def _ended(self, spindle: str, now: _Open, time: float) -> list[Finding]:
        key = _key(spindle, now)
        known = self.courses.get(key)
        laid = _laid_out(now, known)
        if laid is None:
            return []
        if known is None:
            while len(self.courses) >= MOST:
                self._forget(min(self.courses, key=lambda one: self.courses[one].used))
            self.courses[key] = msgspec.structs.replace(course.begun(laid), used=time)
            self._first = None
            return []
        known.used = time
        learned, alike = self._learned(key), course.alike(known, laid)
        share = course.share(learned.pattern, known, laid) if alike else math.nan
        place, limit = _place(spindle, now), self._standing(key).limit
        said: Finding | None = None
        if limit > 0.0 and share < limit:
            evidence: Evidence = {"work_pct": 100.0 * max(share, 0.0), "n_baseline": len(known.seconds), "absent": False, "part": now.part}
            said = self._tuned(about(place, time, "missing", max(share, 0.0), limit, evidence))
        if said is not None or now.broke:
            known.told += 1
            if known.told >= GONE:
                self._forget(key)
            return [said] if said is not None and not now.told else []
        # Where there is no work to compare, any course of like length is one more to learn from.
        if not alike or share < NORMAL:
            known.odd += 1
            if known.odd >= ODD:
                self._forget(key)
            return []
        over = bool(known.told)
        known.odd = known.told = 0
        course.keep(known, laid)
        self._known.pop(key)
        known.sure = known.sure + 1 if self._learned(key).standing.limit > 0.0 else 0
        return [about(place, time, "missing", share, 0.0, {}, severity="advice", finished=True)] if over else []

    def _look(self, spindle: str, now: _Open, time: float) -> list[Finding]:
        out: list[Finding] = []
        for piece in self._next(spindle, now):
            key = _key(spindle, now)
            known, learned = self.courses[key], self._learned(key)
            due = (piece.last + LATE) * known.cell
            if time < max(now.ready, now.began + due) or (laid := _laid_out(now, known)) is None:
                break
            if laid.seconds < due:
                now.ready = time + due - laid.seconds
                break
            before, now.judged = learned.pieces[: now.judged], now.judged + 1
            found = broken(piece, learned.pattern, laid, before)
            said = None if found is None else self._tuned(self._breakage(spindle, now, time, piece, laid, *found))
            if said is not None:
                now.told = now.broke = True
                out.append(said)
        return out

    def _breakage(self, spindle: str, now: _Open, time: float, piece: Piece, laid: Laid, share: float, limit: float) -> Finding:
        key = _key(spindle, now)
        known, pattern = self.courses[key], self._learned(key).pattern
        work = course.share_of(course.within(pattern, piece.first, piece.last), laid.loads)
        evidence: Evidence = {
            "short": True,
            "at_s": fell(piece, pattern, laid) * known.cell,
            "expected_s": (piece.last - piece.first) * known.cell,
            "work_pct": 100.0 * max(work, 0.0) if math.isfinite(work) else 0.0,
            "n_baseline": len(known.seconds),
            "part": now.part,
        }
        return about(_place(spindle, now), time, "breakage", 1.0 - share, 1.0 - limit, evidence)

    def _next(self, spindle: str, now: _Open) -> tuple[Piece, ...]:
        """Pieces of a visit that are still to be judged."""
        key = _key(spindle, now)
        known = self.courses.get(key)
        if known is None or known.sure < SURE or now.told or not now.sound:
            return ()
        return self._learned(key).pieces[now.judged :]

    def _learned(self, key: str) -> _Known:
        """As it was after the latest visit that was learned from."""
        learned = self._known.get(key)
        if learned is None:
            known, p = self.courses[key], self._chance()
            found = course.pattern(known)
            whole = course.standing(known, found, p)
            learned = self._known[key] = _Known(found, whole, pieces(known, found, p) if whole.limit > 0.0 else ())
        return learned

    def _standing(self, key: str) -> Standing:
        standing = self._learned(key).standing
        if standing.limit > 0.0 and self.courses[key].sure < SURE:
            return dataclasses.replace(standing, limit=0.0, reason="too_few_cuts")
        return standing

    def _forget(self, key: str) -> None:
        del self.courses[key]
        self._known.pop(key, None)
        self._first = None


def _key(spindle: str, now: _Open) -> str:
    return f"{spindle}|{now.program}|{now.tool}|{now.number}"


def _place(spindle: str, now: _Open) -> Operation:
    """All that a tool does in a visit is one operation without a section."""
    return Operation(spindle=spindle, program=now.program, revision=1, tool=now.tool, section="")


def _laid_out(now: _Open, like: Course | None) -> Laid | None:
    """The rows of a visit; None where they cannot be believed, or it hardly turned."""
    if not now.sound or not now.frames:
        return None
    time = np.concatenate([frame.time for frame in now.frames])
    ok = np.concatenate([frame.ok for frame in now.frames])
    if len(time) < FEWEST or ok.mean() < BELIEVED:
        return None
    steps = np.diff(time[ok])
    if steps.max() > max(LONGEST, 3.0 * float(np.median(steps))):
        return None
    load, speed = (np.concatenate([getattr(frame, name) for frame in now.frames]) for name in ("load", "speed"))
    laid = course.laid_out(time[ok], load[ok], speed[ok], like)
    return laid if laid.seconds >= SHORTEST else None
