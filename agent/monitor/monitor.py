"""The whole pass without I/O, thread or clock: readings in, cuts, indicators, findings, alerts, checklists and coverage out.

The daemon and `replay` both drive it: live and replay are the same pass with another source and another clock.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from agent import __version__
from agent.axes import AxisWatch
from agent.budget import alarms_per_hour
from agent.commands import Command, CommandResult
from agent.conditions import Conditions
from agent.context import Context, Seen
from agent.detect import coverage
from agent.detect.ceiling import Ceilings
from agent.detect.health import Health
from agent.detect.recurring import Recurring, RecurringState
from agent.detect.sensor import Sensors
from agent.detect.supply import Supply
from agent.detect.watch import Watch
from agent.load import basis
from agent.maintenance import MaintenancePlan
from agent.model import Counters, Coverage, Cut, Event, Indicator, Snapshot
from agent.monitor.calm import LOOK, SILENCE, Calm, spells
from agent.monitor.desk import Desk
from agent.monitor.doubt import Doubt
from agent.monitor.holds import holds
from agent.monitor.lives import ToolLives
from agent.monitor.names import named
from agent.monitor.orders import obey
from agent.monitor.overview import Overview
from agent.monitor.realised import Tally
from agent.monitor.reasons import Reasons
from agent.monitor.state import MonitorState
from agent.monitor.warming import Warming
from agent.segment import Fill, Frame, SpindleSegmenter, VisitSegmenter, is_visit
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline
from agent.vibration import VibrationWatch
from drivers.model import Readings, Waveform


class Monitor:
    """Drives the pass.

    Parameters
    ----------
    settings: the machine file.
    plan: which checklist goes with which alert.
    """

    def __init__(self, settings: MachineSettings, plan: MaintenancePlan) -> None:
        self._settings = settings
        self.timeline = Timeline(settings.channel, settings.monitoring.lateness, holds(settings), settings.spindle)
        self.latest = self.timeline.latest()
        self.context = Context(settings, self.timeline)
        self._fill = Fill(settings, self.timeline)
        self.segmenters = {
            name: VisitSegmenter(name, has_speed=has_speed, minimum_speed=minimum) for name, has_speed, minimum in self.context.spindles
        }
        budget = alarms_per_hour(settings.monitoring.false_alarms) or 1.0 / 160.0
        told = {"parts_told": self.context.knows_parts, "sections_told": self.context.knows_sections, "named": self.context.names_cuts}
        self.watch = Watch(settings.monitoring, budget, Ceilings(settings), **told)
        self.sensors = Sensors(settings)
        self.health = Health(settings, self.timeline, self.watch.p)
        self.supply = Supply(settings)
        self.vibration = VibrationWatch(settings, self.watch.p, self.watch.tuning.width)
        self.conditions = Conditions(settings, self.timeline, self.watch.p, self.vibration.air, self.watch.tuning.width)
        self.axes = AxisWatch(settings, self.timeline)
        self.recurring = Recurring() if not self.context.names_cuts else None
        self.lives = ToolLives(settings)
        self.counters = Counters(parts=0, cuts=0, cutting_time=0.0, rows=0, dropped=0)
        self.coverage: Coverage | None = None
        self.warming = Warming([name for name, turns, _ in self.context.spindles if turns], self.vibration.air, self.watch)
        self._part: int | None = None
        self._looked = -math.inf
        self._was_lost = False
        self._part_seen: set[str] = set()
        self.last_cut: dict[str, Cut] = {}
        self._calm = Calm(
            self.timeline,
            self.latest,
            self.context,
            self.segmenters,
            sensors=self.sensors,
            supply=self.supply,
            vibration=self.vibration,
        )
        for segmenter in self.segmenters.values():
            segmenter.listened(self.warming.bounds)
            segmenter.revision = self.watch.changes.revision.number
        self._overview = Overview(self)
        first = settings.spindle[0].name
        loads = {c.spindle or first: c for c in reversed(settings.channel) if c.role == "spindle.load"}
        channels, known = {spindle: c.name for spindle, c in loads.items()}, settings.monitoring.monitor_cuts
        reasons = Reasons(settings, self.watch, plan, lambda spindle: self.segmenters[spindle].current())
        self.desk = Desk(plan, channels, reasons, Tally(budget), known)
        self._doubt = Doubt(self.health, self.latest, self.segmenters, channels)
        self._spindle_loads = {spindle: basis(c, settings.spindle) for spindle, c in loads.items()}
        self._axis_loads = {c.name: basis(c, settings.spindle) for c in settings.channel if c.role == "axis.load"}

    @property
    def settings(self) -> MachineSettings:
        """The machine file."""
        return self._settings

    @property
    def off(self) -> bool:
        """Whether the machine is switched off: a register says so, or all that it feeds has gone quiet together."""
        return self.context.off or self.supply.off

    def feed(self, item: Readings | Waveform) -> list[Event]:
        """Take a block in; returns what it made known."""
        self.timeline.push(item)
        return self._release(None)

    def tick(self, now: float) -> list[Event]:
        """Time has passed (live only): what waits is released, and what has fallen silent is noticed."""
        out = self._release(now)
        out.extend(self._look_until(now - self._settings.monitoring.lateness))
        return out

    def finish(self) -> list[Event]:
        """The end of a replay: everything that waits is released."""
        return self._release(None, all_of_it=True)

    def do(self, command: Command, now: float) -> tuple[CommandResult, list[Event]]:
        """Obey one command of the page or of MQTT."""
        vibration, conditions, health = self.vibration, self.conditions, self.health
        answer = obey(
            command, now, desk=self.desk, watch=self.watch, vibration=vibration, conditions=conditions, lives=self.lives, health=health
        )
        self._doubt.carry_out()
        return answer

    def snapshot(self) -> Snapshot:
        """Everything that an outlet shows, at this moment."""
        return self._overview.snapshot()

    def dropped(self) -> None:
        """The compute thread could not take a batch: a gap, never silent."""
        self.counters = msgspec.structs.replace(self.counters, dropped=self.counters.dropped + 1)
        self.desk.tally.gap()
        self.watch.begin_again()

    def state(self) -> bytes:
        """What survives a restart, as msgpack."""
        return msgspec.msgpack.encode(
            MonitorState(
                version=__version__,
                segmenters={name: segmenter.saved() for name, segmenter in self.segmenters.items()},
                watch=self.watch.saved(),
                vibration=self.vibration.saved(),
                alerts=self.desk.alerts.saved(),
                checklists=self.desk.checklists,
                counters=self.counters,
                off=self.off,
                axes=self.axes.saved(),
                conditions=self.conditions.saved(),
                spindle_loads=self._spindle_loads,
                axis_loads=self._axis_loads,
                reasons=self.desk.reasons.saved(),
                lives=self.lives.saved(),
                recurring=self.recurring.state if self.recurring is not None else RecurringState(),
                health=self.health.saved(),
                warming=self.warming.saved(),
                episodes=self.desk.alerts.episodes,
                realised=self.desk.tally.state,
            )
        )

    def restore(self, saved: bytes) -> tuple[str, ...]:
        """Take back what `state` gave.

        Returns
        -------
        Spindles and axis channels for which learning begins again: their load is taken over something else than when it was learned
        (`rated`, `rated_channel`, `rated_power` or the unit was changed), and every limit would be off by the ratio of the two.

        Raises
        ------
        msgspec.DecodeError: it is not a state of this kind; nothing was changed.
        """
        state = msgspec.msgpack.decode(saved, type=MonitorState)
        spindles = [name for name, now in self._spindle_loads.items() if not now.takes_over(state.spindle_loads.get(name))]
        axes = [name for name, now in self._axis_loads.items() if not now.takes_over(state.axis_loads.get(name))]
        # A spindle that the machine file leaves out for a while keeps what was learned, and so on which basis.
        self._spindle_loads = {**state.spindle_loads, **self._spindle_loads}
        for name, segmenter in self.segmenters.items():
            if name in state.segmenters:
                segmenter.restore(state.segmenters[name], anew=name in spindles)
        self.watch.restore(state.watch, spindles)
        self.vibration.restore(state.vibration)
        self.conditions.restore(state.conditions)
        self.axes.restore(state.axes, axes)
        self.watch.signals.forget_channels(axes)
        self.lives.restore(state.lives, spindles)
        if self.recurring is not None:
            self.recurring.restore(state.recurring, spindles)
        self.health.restore(state.health)
        self.warming.restore(state.warming)
        self._doubt.carry_out()
        self.desk.alerts.restore(state.alerts, state.episodes)
        told = (alert.channel for alert in state.alerts.values() if alert.kind == "sensor" and not alert.returned)
        self.sensors.resume(channel for channel in told if channel not in self.health.faults)
        self.desk.checklists = dict(state.checklists)
        self.desk.reasons.restore(state.reasons)
        self.desk.tally.restore(state.realised)
        self.counters = state.counters
        if state.off and not self.context.knows_power:
            self.supply.resume()
        else:
            self.context.off = state.off
        learned = {baseline.spindle for baseline in state.watch.baselines.values()} | state.segmenters.keys() | state.axes.keys()
        return tuple(name for name in (*spindles, *axes) if name in learned)

    def _release(self, now: float | None, *, all_of_it: bool = False) -> list[Event]:
        out: list[Event] = []
        for item in self.timeline.release(now, all_of_it=all_of_it):
            if isinstance(item, Rows):
                for spell in spells(self._fill.rows(item)):
                    out.extend(self._rows(spell))
            else:
                out.extend(self.desk.take(self.vibration.take(item)))
        return out

    def _rows(self, rows: Rows) -> list[Event]:
        """Rows in pieces that end where there is something to look at, so that it does not matter how they were batched."""
        out: list[Event] = []
        self.counters = msgspec.structs.replace(self.counters, rows=self.counters.rows + len(rows.time))
        at, n = 0, len(rows.time)
        seen, axes = self.context.see(rows), self.axes.see(rows)
        ahead = self._calm.see(rows, seen)
        while at < n:
            before = self._looked
            out.extend(self._look_until(float(rows.time[at])))
            if self._looked > before:
                # The looks before `calm` would see nothing: they are left out.
                due = min([self.health.due, self.warming.next(self._looked), *self.desk.alerts.episodes.ending.values()])
                calm = min(self._calm.until(rows, seen, ahead, at, self._looked, due), self.watch.overdue.awaits(self._looked, LOOK))
                self._looked = max(self._looked, calm - LOOK)
            stop = max(int(np.searchsorted(rows.time, self._looked + LOOK, side="left")), at + 1)
            self.axes.take(axes, at, stop)
            out.extend(self._piece(rows, seen, at, stop))
            at = stop
        return out

    def _piece(self, rows: Rows, seen: Seen, start: int, stop: int) -> list[Event]:
        out: list[Event] = []
        for frames in self.context.frames(rows, seen, start, stop):
            if self.context.knows_parts:
                out.extend(self._follow_part(self.context.part))
            if self.context.lost or self._was_lost:
                self.watch.begin_again()
            self._was_lost = self.context.lost
            if frames and not self.context.knows_parts:
                out.extend(self._follow_tool(float(frames[0][1].time[0])))
            for name, frame in frames:
                out.extend(self._frame(name, frame))
        piece = rows.part(start, stop)
        self.latest.take(piece)
        self.health.take(piece)
        out.extend(self.desk.take(self.conditions.take(self.health.without(piece), off=self.off)))
        return out

    def _look_until(self, now: float) -> list[Event]:
        """Look at sensors and coverage at every multiple of `LOOK` up to `now`, at all of them or, after a long silence, at the first."""
        out: list[Event] = []
        last = math.floor(now / LOOK) * LOOK
        if self._looked == -math.inf:
            self._looked = last
        ends = self._looked + SILENCE
        while self._looked < last:
            self._looked = last if self._looked >= ends else round((self._looked + LOOK) / LOOK) * LOOK
            cutting = any(segmenter.opened is not None for segmenter in self.segmenters.values())
            self.supply.look(self._looked, self._held, cutting=cutting)
            out.extend(self._doubt.look(self._looked, self.vibration.validities, self.desk))
            undecided, named = self.supply.undecided, self.health.faults
            out.extend(self.desk.take(self.sensors.look(self._looked, self._held, off=self.off, undecided=undecided, named=named)))
            if self.sensors.lost():
                self.watch.begin_again()
            self.warming.look(self._looked, cutting=cutting)
            out.extend(self.desk.take(self.watch.overdue.on_look(self._looked, self.context.part)))
            out.extend(self.desk.tick(self._looked))
            out.extend(self._cover(self._looked))
        return out

    def _held(self, name: str, now: float) -> tuple[float, float, int]:
        """Value, time and quality of a channel now; of a waveform its latest block counts."""
        if name in self.vibration.names and self.vibration.fed(name):
            return self.vibration.held(name, now)
        return self.latest.held(name, now)

    def _frame(self, name: str, frame: Frame) -> list[Event]:
        out: list[Event] = []
        segmenter = self.segmenters[name]
        self.warming.on_tool(name, frame)
        out.extend(self.desk.take(self.watch.overdue.on_tool(name, frame)))
        frame = self.health.believed(name, frame)
        for cut in segmenter.walk(frame):
            self._between(segmenter)
            if self.recurring is not None:
                cut = named(cut, segmenter, self.recurring)
                if self.recurring.doubt:
                    self.recurring.doubt = False
                    self.watch.begin_again()
            key = cut.operation.key
            indicators: list[Indicator] = []
            if cut.phase == "opened" or is_visit(cut.operation.section):
                if not self.context.knows_parts and key in self._part_seen and (self.recurring is None or cut.operation.tool):
                    out.extend(self._end_part(self.counters.parts + 1))
                self._part_seen.add(key)
            if cut.phase == "closed":
                cut, indicators = self.axes.of_cut(name, self.vibration.of_cut(name, self.watch.held(cut)), self.health.faults)
                self.last_cut[name] = cut
                self.desk.tally.cut(cut)
                if cut.held != "run_up":
                    self.lives.on_cut(cut)
                    seconds = self.counters.cutting_time + cut.features.duration
                    self.counters = msgspec.structs.replace(self.counters, cuts=self.counters.cuts + 1, cutting_time=seconds)
            self.health.on_cut(cut)
            self.warming.on_cut(cut)
            self.desk.reasons.see(cut)
            out.append(cut)
            out.extend(self.desk.take(indicators))
            out.extend(self.desk.take(self.vibration.follow(name, cut)))
            said = self.watch.on_cut(cut, segmenter.noise)
            segmenter.hold(self.watch.changes.unfit(cut.id))
            self.lives.hear(said, cut)
            out.extend(self.desk.take(said))
        self._between(segmenter)
        self.watch.overdue.on_air(name, frame, segmenter.air)
        self.vibration.listen(name, frame, segmenter.air)
        self.axes.listen(name, frame, segmenter.air, segmenter.opened)
        return out

    def _between(self, segmenter: SpindleSegmenter) -> None:
        """Looks at an open cut that were not told; and where the load was not seen for a while, a cut may have come and gone: this part is
        not whole."""
        if (looked := segmenter.untold()) is not None:
            self.watch.untold(*looked)
        if segmenter.dark:
            segmenter.dark = False
            if self.recurring is not None:
                self.recurring.break_off()
            self.watch.begin_again()

    def _follow_tool(self, time: float) -> list[Event]:
        said, context = self.context.now, self.context
        return self.desk.take(
            self.watch.visits.on_tool(said.text("program"), said.text("tool"), time, held=context.unfit, runs=context.runs)
        )

    def _follow_part(self, part: int) -> list[Event]:
        if part == self._part:
            return []
        ended, self._part = self._part, part
        return self._end_part(ended) if ended is not None else []

    def _end_part(self, part: int) -> list[Event]:
        self._part_seen.clear()
        self.counters = msgspec.structs.replace(self.counters, parts=self.counters.parts + 1)
        found = self.watch.on_part(part, whole=not self.sensors.lost())
        return self.desk.take([*found, *self.lives.on_part(self.watch.state.worn, part)])

    def _cover(self, now: float) -> list[Event]:
        operations = [self.watch.outlook.cover(baseline, now) for baseline in self.watch.current()]
        machine = coverage.of_machine(
            operations,
            off=self.off,
            lost=self.sensors.lost() or ("no_signal" if self.context.lost else ""),
            held=self.context.held or self.health.holds() or self.warming.why or self.watch.changes.why(self.context.now.text("program")),
            unwatched="" if self.segmenters else "no_load_channel",
            time=now,
        )
        before = self.coverage
        self.coverage = machine
        self.desk.tally.look(now, machine.word)
        if before is None or (before.word, before.reason, before.n) != (machine.word, machine.reason, machine.n):
            return [machine]
        return []
