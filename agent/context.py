"""What the control says, row by row: which operation this is, whether a cut may be, and why it may not be judged.

Turns rows of the timeline into Frames: stretches of one spindle within which nothing that the control says changes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agent.model import ContextView
from agent.segment import Frame, believed, bin_rows
from agent.settings import ChannelOptions, MachineSettings, SpindleOptions
from agent.timeline import BIN, Rows, Timeline
from drivers.model import UNCERTAIN, Floats, word_of

CONTEXT_ROLES = (
    "tool",
    "program",
    "section",
    "part",
    "cycle",
    "mode",
    "execution",
    "door",
    "feed_override",
    "speed_override",
    "feed_hold",
    "single_block",
    "dry_run",
    "power_on",
)
AUTOMATIC = frozenset({"AUTOMATIC", "SEMI_AUTOMATIC"})
"""MTConnect ControllerMode words in which a production cut is made."""
HOLDING = {"FEED_HOLD": "feed_hold", "INTERRUPTED": "part_interrupted", "STOPPED": "part_interrupted"}
"""MTConnect Execution words that interrupt a cut."""
UNJUDGED = frozenset({"power_on", "door"})
"""Roles by which no cut is judged: whoever reads them no more is told so, and the machine is watched all the same."""
SWITCHING = 2.0
"""s for which the register that says 'off' may be gone while the spindle is still read: what hangs on one switch goes within that time
(`agent.detect.supply.WINDOW`)."""
FULL = 0.5
"""Percent by which an override may be off 100 %."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one spindle in released rows: those in which it was read.

    Attributes
    ----------
    gap: inf for a load that is told on change only.
    time, value, speed, ok: (m,) as in a Frame.
    places: (n + 1,) how many of the m come before each row.
    fine: some stand so close that they have to be averaged.
    """

    spindle: str
    gap: float
    time: Floats
    value: Floats
    speed: Floats
    ok: np.ndarray[tuple[int], np.dtype[np.bool_]]
    places: list[int]
    fine: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Released rows as the context sees them; `changes`: rows at which the control says something else than at the row before."""

    changes: list[int]
    loads: tuple[Load, ...]


class Said(dict[str, tuple[float, str]]):
    """Role to (number, text) of one moment; a role that is not there, or not believed, is missing."""

    def text(self, role: str) -> str:
        """As text, '' where the control does not say."""
        return self[role][1] if role in self else ""

    def number(self, role: str) -> float | None:
        """As number, None where the control does not say or says that there is none."""
        value = self[role][0] if role in self else math.nan
        return None if value != value else value

    def truth(self, role: str) -> bool | None:
        """As yes or no."""
        value = self.number(role)
        if value is None:
            return None
        if value < 0:
            return self.text(role).upper() in {"ON", "TRUE", "YES", "CLOSED", "ACTIVE"}
        return value != 0.0


class Context:
    """Follows what the control says.

    Parameters
    ----------
    settings: whose channels name the roles.
    timeline: whose words the values refer to.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline) -> None:
        self._timeline = timeline
        self._roles: dict[str, int] = {}
        for channel in settings.channel:
            if channel.role in CONTEXT_ROLES and channel.role not in self._roles:
                self._roles[channel.role] = timeline.index[channel.name]
        first = settings.spindle[0].name
        self._spindles: list[tuple[SpindleOptions, int, int | None, bool]] = []
        for spindle in settings.spindle:
            load = _channel(settings.channel, "spindle.load", spindle.name, first)
            if load is None:
                continue
            speed = _channel(settings.channel, "spindle.speed", spindle.name, first)
            on_change = load.hold is not None and math.isinf(load.hold)
            speed_index = timeline.index[speed.name] if speed is not None else None
            self._spindles.append((spindle, timeline.index[load.name], speed_index, on_change))
        self._off_value = next((c.off_value or 0.0 for c in settings.channel if c.role == "power_on"), 0.0)
        self._columns = list(self._roles.values())
        self._heard: tuple[bytes, bytes, int] | None = None
        """What the control said last, as it stood in the row, and as it was understood."""
        self._said = Said()
        self.now = Said()
        self.part = -1
        self.off = False
        self.held = ""
        self.lost = True
        """Something that the control should say is not believed, or was never said."""
        self._counted = False
        self._cycle: bool | None = None
        self._unsaid: float | None = None
        """Since when nothing says any more that the machine is off."""

    @property
    def knows_power(self) -> bool:
        """Whether a register says if the machine is on."""
        return "power_on" in self._roles

    @property
    def knows_parts(self) -> bool:
        """Whether the control tells one part from the next."""
        return "part" in self._roles or "cycle" in self._roles

    @property
    def knows_sections(self) -> bool:
        """Whether the control says when a cut is."""
        return "section" in self._roles

    @property
    def names_cuts(self) -> bool:
        """Whether the control says anything by which one cut is told from another."""
        return any(role in self._roles for role in ("tool", "program", "section", "part", "cycle"))

    @property
    def runs(self) -> bool:
        """Whether the program runs, as far as the control says."""
        return not self.held and self.now.text("execution").upper() in {"", "ACTIVE"} and self.now.truth("cycle") is not False

    @property
    def unfit(self) -> bool:
        """Whether what is made now may not be judged; a stop makes nothing."""
        return bool(self.held) and self.held not in HOLDING.values()

    @property
    def spindles(self) -> tuple[tuple[str, bool, float], ...]:
        """Of each spindle that has a load: name, whether its speed is read, rpm below which it stands."""
        return tuple((s.name, speed is not None, s.minimum_speed) for s, _, speed, _ in self._spindles)

    def see(self, rows: Rows) -> Seen:
        """What `frames` needs of released rows, worked out for all of them at once."""
        spindles = []
        for spindle, load, speed, on_change in self._spindles:
            ok = believed(rows.quality[:, load])
            if speed is not None:
                ok = ok & believed(rows.quality[:, speed])
            here = np.ones(len(rows.time), dtype=bool) if on_change else rows.fresh[:, load]
            time = rows.time[here]
            revs = rows.values[here, speed] if speed is not None else np.zeros(len(time))
            fine = len(time) > 1 and float(np.min(time[1:] - time[:-1])) < BIN
            places = [0, *np.cumsum(here).tolist()]
            spindles.append(Load(spindle.name, math.inf if on_change else 0.0, time, rows.values[here, load], revs, ok[here], places, fine))
        return Seen(self._changes(rows), tuple(spindles))

    def frames(self, rows: Rows, seen: Seen | None = None, start: int = 0, stop: int | None = None) -> Iterator[list[tuple[str, Frame]]]:
        """For each stretch of constant context: a frame of each spindle (rows in which its load was read).

        Rows start..stop are looked at. `seen`: `see(rows)`, where more of these rows are still to come.
        """
        seen = self.see(rows) if seen is None else seen
        stop = len(rows.time) if stop is None else stop
        after = bisect_right(seen.changes, start)
        changes = seen.changes[after : bisect_left(seen.changes, stop)]
        # At a row before which the control said the same, it was heard already.
        heard = self._heard is not None and start > 0 and (after == 0 or seen.changes[after - 1] != start)
        for a, b in pairwise((start, *changes, stop)):
            if a > start or not heard:
                self._listen(rows, a)
            self._doubt_off(rows, a, b)
            frames: list[tuple[str, Frame]] = []
            for load in seen.loads:
                first, last = load.places[a], load.places[b]
                if first == last:
                    continue
                time, value, revs, ok = load.time[first:last], load.value[first:last], load.speed[first:last], load.ok[first:last]
                if load.fine:
                    time, value, revs, ok = bin_rows(time, value, revs, ok)
                gate = self._gate()
                unknown = self.lost and gate == 0
                frame = Frame(
                    time=time,
                    load=value,
                    speed=revs,
                    ok=np.zeros_like(ok) if unknown else ok,
                    gate=gate,
                    program=self.now.text("program"),
                    tool=self.now.text("tool"),
                    section=self._section(),
                    part=self.part,
                    held=self.held,
                    gap=load.gap,
                    unknown=unknown,
                )
                frames.append((load.spindle, frame))
            yield frames

    def view(self) -> ContextView:
        """For the page."""
        return ContextView(
            program=self.now.text("program"),
            part=self.part,
            tool=self.now.text("tool"),
            section=self._section(),
            mode=self.now.text("mode"),
            execution=self.now.text("execution"),
            feed_override=self.now.number("feed_override"),
            cycle=self.now.truth("cycle"),
            door=self.now.text("door"),
        )

    def _changes(self, rows: Rows) -> list[int]:
        """Rows at which the control says something else than at the row before."""
        columns = self._columns
        if not columns:
            return []
        values = rows.values[:, columns]
        lost = rows.quality[:, columns] > UNCERTAIN
        same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        change = (~same | (lost[1:] != lost[:-1])).any(axis=1)
        changes: list[int] = (np.flatnonzero(change) + 1).tolist()
        return changes

    def _hear(self, rows: Rows, row: int) -> Said:
        """What the control says at one row; the same object as before where nothing has changed."""
        words = self._timeline.words.seen()
        values = rows.values[row, self._columns]
        quality = rows.quality[row, self._columns]
        heard = (values.tobytes(), quality.tobytes(), len(words))
        if heard != self._heard:
            self._heard = heard
            self._said = Said()
            for role, value, mark in zip(self._roles, values.tolist(), quality.tolist(), strict=True):
                if mark <= UNCERTAIN:
                    self._said[role] = (value, word_of(value, words))
        return self._said

    def _listen(self, rows: Rows, row: int) -> None:
        said = self._hear(rows, row)
        power = said.number("power_on")
        if power is not None:
            self.off = power == self._off_value
        self.lost = any(role not in said and role not in UNJUDGED for role in self._roles)
        if self.lost:
            # What the control said last stands, so that a cut is not ended by a cable; but nothing is judged by it.
            self.held = "lost"
            return
        self.now = said
        counter = said.number("part")
        if counter is not None and counter >= 0:
            self.part = int(counter)
            self._counted = True
        elif not self._counted:
            cycle = said.truth("cycle")
            if cycle is not None:
                if cycle and self._cycle is False:
                    self.part += 1
                elif cycle and self._cycle is None:
                    self.part = max(self.part, 0)
                self._cycle = cycle
        self.held = self._reason()

    def _doubt_off(self, rows: Rows, start: int, stop: int) -> None:
        """A register that said 'off' and is gone since is no proof that a spindle which is still read is off."""
        if not self.off or "power_on" not in self._roles or rows.quality[start, self._roles["power_on"]] <= UNCERTAIN:
            self._unsaid = None
            return
        if self._unsaid is None:
            self._unsaid = float(rows.time[start])
        columns = [column for _, load, speed, _ in self._spindles for column in (load, speed) if column is not None]
        alive = rows.fresh[start:stop, columns] & believed(rows.quality[start:stop, columns])
        if alive.any() and float(rows.time[start]) - self._unsaid > SWITCHING:
            self.off = False

    def _reason(self) -> str:
        for role in ("feed_override", "speed_override"):
            value = self.now.number(role)
            if value is not None and abs(value - 100.0) > FULL:
                return role
        for role in ("feed_hold", "single_block", "dry_run"):
            if self.now.truth(role):
                return role
        mode = self.now.text("mode").upper()
        if mode and "mode" in self.now and self.now["mode"][0] < 0 and mode not in AUTOMATIC:
            return "mode"
        return HOLDING.get(self.now.text("execution").upper(), "")

    def _gate(self) -> int:
        if self.lost and not self.now and any(role != "power_on" for role in self._roles):
            return 0
        if self.now.truth("cycle") is False:
            return 0
        if "section" in self._roles:
            return 2 if self._section() else 0
        return 1

    def _section(self) -> str:
        section = self.now.text("section")
        return "" if section == "0" else section


def _channel(channels: Sequence[ChannelOptions], role: str, spindle: str, first: str) -> ChannelOptions | None:
    return next((c for c in channels if c.role == role and (c.spindle or first) == spindle), None)
