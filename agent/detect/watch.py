"""Follows every operation: judges its cuts as they grow and close, learns from the good ones, looks over all tools at the end of a part."""

from __future__ import annotations

import math
from collections.abc import Collection

import msgspec

from agent.detect import coverage, feed, fusion, looks, monitorability, wear
from agent.detect.baseline import Baseline, Priors, begun, priors
from agent.detect.breakage import breakage
from agent.detect.budget import probability
from agent.detect.ceiling import Ceilings
from agent.detect.changes import Changes
from agent.detect.coverage import Words
from agent.detect.drift import Drift
from agent.detect.finding import over
from agent.detect.growing import Growing
from agent.detect.levels import of_tools
from agent.detect.missing import absent, missing
from agent.detect.outlook import Outlook
from agent.detect.overdue import Overdue
from agent.detect.sequence import PARTS, Sequence
from agent.detect.signals import Signals
from agent.detect.slow import Slow
from agent.detect.tuning import Tuning
from agent.detect.visit_work import VisitWork
from agent.detect.visits import Visits
from agent.detect.watch_state import WatchState, without
from agent.model import Alert, Cut, Finding, Indicator, Word
from agent.segment import is_visit
from agent.settings import MonitoringOptions

NORMAL = 0.75
"""Share of the usual work from which on a cut after a missing one counts as normal again."""
FEWEST = 4
"""Readings below which a cut is too short to be learned from."""
MOST = 400
"""Operations that are remembered."""


class Watch:
    """Everything that is known of the operations of a machine.

    Parameters
    ----------
    options: [monitoring].
    alarms_per_hour: the budget, of automatic running, for the whole machine.
    parts_told: the control tells one part from the next. sections_told: it says when a cut is. named: it names
    anything by which one cut is told from another.
    ceilings: what cutting data allow.
    """

    def __init__(
        self,
        options: MonitoringOptions,
        alarms_per_hour: float,
        ceilings: Ceilings | None = None,
        *,
        parts_told: bool = True,
        sections_told: bool = True,
        named: bool = True,
    ) -> None:
        self.options = options
        self._alarms_per_hour = alarms_per_hour
        self.p = probability(alarms_per_hour)
        self.state = WatchState()
        self.words = Words(options)
        self.outlook = Outlook(self)
        self.tuning = Tuning()
        self._ceilings = ceilings or Ceilings()
        self.signals = Signals(options.wear_limit)
        self.priors = Priors()
        self.drift = Drift(self.p, options.monitor_cuts, options.smallest_drift)
        self._slow = Slow(self.drift)
        self._spoiled: dict[str, str] = {}
        self._by_load = not sections_told
        self.order = Sequence(options.learn_cuts, told=parts_told)
        self.order.parts = self.state.sequences
        self.visits = Visits(options, self._known, self._absent, self.state.visits)
        self._growing = Growing(options, self.p, self._ceilings, self._passes)
        work = VisitWork(on=parts_told and not sections_told, chance=lambda: self.p, tuned=self._passes)
        work.courses = self.state.courses
        self.overdue = Overdue(self.order, self._late, self._absent, work)
        self.overdue.awaited.waits = self.state.waits
        self.changes = Changes(self.order, self.overdue, options.learn_cuts, named=named, sections_told=sections_told)
        self._part: int | None = None
        self._time = 0.0

    def baseline(self, cut: Cut) -> Baseline:
        """Of the operation of this cut; begun when it is new."""
        operation = cut.operation
        known = self.state.baselines.get(operation.key)
        if known is None:
            self._make_room()
            known = self.state.baselines[operation.key] = begun(cut)
        known.by_load = self._by_load and not is_visit(operation.section)
        return known

    def on_cut(self, cut: Cut, noise: float) -> list[Finding | Indicator]:
        """Judge a cut that opened, grew or closed; a closed one is learned from if it was good."""
        self._time = max(self._time, cut.time)
        if (cut.held == "lost" and cut.operation.key not in self.state.baselines) or self.changes.stale(cut.operation):
            return []
        baseline = self.baseline(cut)
        self.overdue.cutting(cut)
        self.order.through(msgspec.structs.replace(cut.operation, section=section).key for section in cut.through)
        baseline.used = max(baseline.used, cut.time)
        if not (cut.operation.tool or cut.operation.program or cut.part >= 0):
            baseline.seen += cut.phase == "closed"
            return []
        if cut.phase == "closed" and (cut.held == "idle_unknown" or not cut.held):
            baseline.blind = baseline.blind + 1 if cut.held else 0
        if is_visit(baseline.section):
            self.order.came(baseline.key, baseline.program)
        word = self.words.of(baseline, cut.time)
        # Idle that is not known may be known now: such cuts are judged as soon as they can be.
        if baseline.good >= coverage.SEEN and word.word is Word.NOT_MONITORABLE and word.reason != "idle_unknown":
            return self._opened(cut) if cut.phase == "opened" else self._only_learn(cut, baseline, noise)
        if cut.phase == "opened":
            return self._opened(cut)
        if cut.phase == "grown":
            return self._grown(cut, baseline, noise)
        return self._closed(cut, baseline, noise)

    def held(self, cut: Cut) -> Cut:
        """The same, held where it may be neither judged nor learned from by what is known of its operation."""
        known = self.state.baselines.get(cut.operation.key)
        if known is None or cut.phase != "closed" or cut.id in self._spoiled or monitorability.why_not(known):
            return cut
        return self.changes.closed(cut, known, self.priors.work, self.state.baselines)

    def bounds(self, cut: str, key: str) -> looks.Bounds:
        """Which looks at an open cut of this operation need not be told (`agent.detect.looks`)."""
        baseline = self.state.baselines.get(key)
        if baseline is None:
            return looks.EVERY
        return looks.NONE if cut in self._spoiled else self._growing.bounds(baseline, self.priors.peak, self.p)

    def untold(self, cut: str, key: str, time: float) -> None:
        """Looks at an open cut, the latest at `time`, at which there was nothing to judge."""
        self._time = max(self._time, time)
        self._growing.untold(cut)
        if (baseline := self.state.baselines.get(key)) is not None:
            baseline.used = max(baseline.used, time)

    def on_part(self, part: int, *, whole: bool) -> list[Finding | Indicator]:
        """A part has ended: what did not come, what wears, what moved together. `whole`: nothing of it was missed by the agent."""
        known = self.state.baselines
        out: list[Finding | Indicator] = []
        self.changes.ended(known, self._time)
        for baseline in known.values():
            watched = whole and self.order.whole and baseline.key not in self.state.bad
            if watched and baseline.program == self.order.program:
                baseline.came = [*baseline.came, baseline.key in self.order.seen][-PARTS:]
        out.extend(self._absent(self.order.ended(known, whole=whole), self._time, part))
        self.priors = priors(self.state.baselines.values())
        self.p = self.drift.retarget(probability(self._alarms_per_hour, self.state.pace.evaluations_per_hour()))
        levels = of_tools(
            self.state.baselines.values(),
            self.order.program,
            self.order.seen,
            self.state.bad,
            self.priors.step,
            self.signals.share(self.p),
            self.options.wear_limit,
        )
        good = [baseline for key, baseline in known.items() if key not in self.state.bad]
        found = fusion.decide(levels, self._time, part)
        share = self.signals.share(self.p)
        found = self._tuned(self.signals.decide(good, found, self.order.program, self.order.seen, share, self._time, part))
        self.state.worn = [finding.tool for finding in found if finding.kind == "wear"]
        together = any(finding.kind == "process" for finding in found)
        before = self.state.together or bool(self._slow.shared)
        slow = self._slow.ended(self.order.seen, known, self._time, part)
        # Together until only one of them, or none, is still half way to its limit.
        still = self.state.together and sum(level.level >= 0.5 * level.limit for level in levels.values()) >= 2
        self.state.together = together or still
        if before and not self.state.together and not self._slow.shared:
            out.append(fusion.process_over(self._time))
        out.extend([*found, *slow])
        self.order.begin()
        self.overdue.awaited.begin()
        return out

    def current(self) -> list[Baseline]:
        """Of the operations that the program makes now: those of its last two whole parts and of this one; before that, all."""
        known = self.state.baselines
        keys = self.order.recent()
        if not keys:
            return [baseline for baseline in known.values() if baseline.program == self.order.program] or list(known.values())
        its = [known[key] for key in keys if key in known]
        # Visits of a length that came once or twice may never come again.
        return [baseline for baseline in its if baseline.seen >= coverage.SEEN or not is_visit(baseline.section)]

    def begin_again(self, *, warming: bool = False) -> None:
        """The agent missed something (a lost signal, a restart): the part that runs now is not whole."""
        self.order.whole = False
        self.changes.doubt()
        self.overdue.doubt(warming=warming)
        self.visits.doubt()

    def tool_changed(self, tool: str, spindle: str, time: float) -> None:
        """A new tool or edge in this position, on the operator's word."""
        for baseline in self.state.baselines.values():
            if baseline.tool == tool and (not spindle or baseline.spindle == spindle):
                baseline.new(time)
                self.signals.new(baseline.key)
                self.drift.renew(baseline.key)
                self._slow.drop((baseline.key,))
        self.state.worn = [t for t in self.state.worn if t != tool]
        self.state.bad = [key for key in self.state.bad if self.state.baselines[key].tool != tool]

    def unmark(self, alert: Alert) -> None:
        """An alert was false: what it kept from being learned from is learned from again; what another alert says of the tool stands."""
        match alert.kind:
            case "missing" | "breakage" | "overload":
                known = self.state.baselines
                its = [key for key in self.state.bad if (known[key].tool, known[key].spindle) == (alert.tool, alert.spindle)]
                self.state.bad = [key for key in self.state.bad if key not in its]
                if alert.evidence.get("hardly") is True:
                    self.state.distrusted = [*self.state.distrusted, alert.operation]
            case "wear":
                self.state.worn = [tool for tool in self.state.worn if tool != alert.tool]
            case "drift":
                self.drift.unmark(alert.operation)

    def saved(self) -> WatchState:
        """What survives a restart."""
        baselines = {key: baseline.without_curves() for key, baseline in self.state.baselines.items()}
        return msgspec.structs.replace(
            self.state,
            baselines=baselines,
            drift=self.drift.saved(),
            changes=self.changes.saved(),
            tuning=self.tuning.state,
            **self.signals.saved(),
            **self._slow.saved(),
        )

    def restore(self, state: WatchState, anew: Collection[str] = ()) -> None:
        """Take back a saved state; of the spindles in `anew` nothing that was learned."""
        forgotten = [key for key, baseline in state.baselines.items() if baseline.spindle in anew]
        self.state = without(state, forgotten) if forgotten else state
        self.order.parts = self.state.sequences
        self.visits.past = self.state.visits
        self.overdue.awaited.waits = self.state.waits
        self.changes.restore(self.state.changes)
        self.overdue.work.restore(self.state.courses, anew)
        self.drift.restore(state.drift)
        self._slow.restore(self.state.waiting, self.state.shared)
        self.tuning.restore(state.tuning)
        self.signals.restore(self.state.signals, state.worn_by)
        for key in forgotten:
            self.drift.forget(key)
        self.priors = priors(self.state.baselines.values())
        self.p = self.drift.retarget(probability(self._alarms_per_hour, self.state.pace.evaluations_per_hour()))
        self.order.whole = False

    def _only_learn(self, cut: Cut, baseline: Baseline, noise: float) -> list[Finding | Indicator]:
        """An operation that cannot be judged is still learned: it may become visible (another drive setting, another load channel)."""
        if cut.phase == "closed":
            if cut.held == "run_up":
                self.changes.unsee(baseline.key)
            baseline.count(cut)
            if not cut.held:
                baseline.learn(cut, noise)
        return self.changes.feeds.said(cut)

    def _opened(self, cut: Cut) -> list[Finding | Indicator]:
        self.visits.opened(cut.operation.key)
        if cut.operation.key not in self.order.seen:
            self.overdue.awaited.opened(cut.operation.key, cut.operation.spindle, cut.opened)
        keys = self.order.opened(cut.operation.key, cut.operation.program, self.state.baselines)
        out = self._absent(keys, cut.opened, cut.part)
        self.changes.opened(cut)
        return out

    def _late(self) -> dict[str, Baseline]:
        """Operations of which a cut that is late may be missing: not where the control says when a cut is, nor while it may warm up."""
        return {} if self.changes.rested or not self._by_load else self.state.baselines

    def _known(self) -> dict[str, Baseline]:
        return self.state.baselines

    def _absent(self, keys: list[str], time: float, part: int) -> list[Finding | Indicator]:
        """What did not come, of the operations in which that can be told."""
        out: list[Finding | Indicator] = []
        for key in self.changes.missing(keys, time, self.state.baselines):
            baseline = self.state.baselines[key]
            # A visit of another length is another operation: that one does not come means nothing.
            if is_visit(baseline.section) or self.changes.feeds.shifts(baseline, self.order.seen, self.state.baselines):
                continue
            if not monitorability.why_not(baseline) and not monitorability.unproven(baseline):
                self._mark(key)
                out.append(absent(baseline, self.priors.work, time, part, self.p))
        return out

    def _grown(self, cut: Cut, baseline: Baseline, noise: float) -> list[Finding | Indicator]:
        finding = self._growing.look(cut, baseline, noise, self.priors.peak, self.p) if cut.id not in self._spoiled else None
        if finding is None:
            return []
        self._spoiled[cut.id] = finding.kind
        self._mark(baseline.key)
        return [finding]

    def _closed(self, cut: Cut, baseline: Baseline, noise: float) -> list[Finding | Indicator]:
        self._growing.closed(cut.id)
        self.state.pace.cut(cut.time)
        spoiled = self._spoiled.pop(cut.id, None)
        baseline.count(cut)
        out: list[Finding | Indicator] = []
        if cut.held:
            # A cut at an unknown idle was seen all the same: it came, in its place. The run-up of a spindle is no cut at all.
            self.order.whole = self.order.whole and cut.held in ("idle_unknown", "run_up", feed.HELD)
            if cut.held == "run_up":
                self.changes.unsee(baseline.key)
            return self.changes.feeds.said(cut)
        finding = None
        if spoiled is None and not monitorability.unproven(baseline):
            finding = self._passes(breakage(cut, baseline, noise)) or self._passes(
                missing(cut, baseline, self.priors.work, self.p, self.options.learn_cuts)
            )
        if spoiled is None and baseline.key not in self.state.distrusted:
            finding = finding or self._ceilings.hardly(cut, baseline, noise)
        if finding is not None:
            self._mark(baseline.key)
            return [finding]
        if spoiled is not None or cut.features.samples < FEWEST or cut.features.work <= 0.0:
            return out
        share = cut.features.work / math.exp(baseline.work.mean) if baseline.work.n else 1.0
        if baseline.key in self.state.bad and share >= NORMAL:
            self.state.bad = [key for key in self.state.bad if key != baseline.key]
            if not any(self.state.baselines[key].tool == baseline.tool for key in self.state.bad):
                out.append(over(cut, "breakage"))
        out.extend(self.signals.take(cut, learn=self._sound(baseline)))
        ratio = wear.follow(baseline, cut, self.options.wear_limit)
        if ratio is not None:
            out.append(
                Indicator(time=cut.time, channel="", operation=baseline.key, tool=baseline.tool, name="work_ratio", value=math.exp(ratio))
            )
            if baseline.tool in self.state.worn and self.signals.back(baseline):
                baseline.rise_since = -1
                self.state.worn = [tool for tool in self.state.worn if tool != baseline.tool]
                out.append(over(cut, "wear"))
        if self._sound(baseline):
            baseline.learn(cut, noise)
            width = self.tuning.width("drift", baseline.key)
            out.extend(self._slow.take(self.drift.take(baseline, math.log(cut.features.work), cut.time, cut.part, width)))
        return out

    def _passes(self, finding: Finding | None) -> Finding | None:
        """At the limit as the operator's verdicts left it."""
        return None if finding is None else self.tuning.tuned(finding)

    def _tuned(self, findings: list[Finding]) -> list[Finding]:
        return [tuned for finding in findings if (tuned := self.tuning.tuned(finding)) is not None]

    def _sound(self, baseline: Baseline) -> bool:
        """Neither broken nor worn: its cuts may be learned from."""
        return baseline.key not in self.state.bad and baseline.tool not in self.state.worn

    def _mark(self, key: str) -> None:
        """Its cuts are not learned from until one is normal again."""
        baseline = self.state.baselines[key]
        baseline.spoilt += 1
        self.overdue.work.told(baseline.spindle, baseline.tool)
        if key not in self.state.bad:
            self.state.bad = [*self.state.bad, key]

    def _make_room(self) -> None:
        """Forget the operation that was not cut for the longest time when there are too many."""
        if len(self.state.baselines) >= MOST:
            oldest = min(self.state.baselines.values(), key=lambda baseline: baseline.used)
            del self.state.baselines[oldest.key]
            self.state.bad = [key for key in self.state.bad if key != oldest.key]
            self.overdue.awaited.forget([oldest.key])
            self.drift.forget(oldest.key)
            self.signals.forget(oldest.key)
            self.changes.feeds.forget([oldest.key])
