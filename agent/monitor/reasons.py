"""Why an alert may be believed and where it may err: gathered at the moment at which a detector speaks, kept with its alert.

Keys and numbers only. The picture is what the detector saw then: the cut on the band of good cuts, or the values of a slow change. A cut
that was still growing is filled up to its end, so that what came after can be looked at too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from agent.budget import HOURS, alarms_per_hour
from agent.detect import wear
from agent.detect.baseline import Baseline
from agent.detect.confidence import FACTS
from agent.detect.tuning import TUNABLE, place
from agent.detect.watch import Watch
from agent.explained import Cause, Explanation, Picture
from agent.maintenance import MaintenancePlan
from agent.model import Alert, Checklist, Cut, Finding, Indicator
from agent.monitor.pictures import bars_picture, completed, cut_picture, trend_picture
from agent.monitor.trends import Trend, Trends
from agent.settings import MachineSettings

MOST = 40
"""Explanations that are kept: those of open alerts and of the latest that were cleared. At most 6 kB each."""
AXIS_RATIO = "axis_load_ratio"
"""Of each feed axis of an operation there is one."""
AGAINST = {"wear": "new_tool", "process": "new_tool", "spindle": "well", "sensor": "", "chatter": ""}
"""What a kind of finding is compared with, where that is not the good cuts of the operation."""
COUNTED = ("n_baseline", "n_looks", "lives", "measures")
"""Evidence that says on how many cuts, looks or tools a finding rests."""
SLOW = 50.0
"""Readings a second below which it is said that what is brief cannot be seen: a tool monitor of its own reads that often at the least
(field.md 1.7: 10 to 25 Hz over Modbus)."""

MATTERS = {"no_axis": ("wear", "drift"), "no_vibration": ("wear", "drift", "breakage", "overload")}
"""Kinds that the lack of another signal leaves half in the dark."""


class ReasonsState(msgspec.Struct):
    """What survives a restart."""

    trends: dict[str, Trend] = {}
    explanations: dict[str, Explanation] = {}


class Reasons:
    """Of the alerts of one machine.

    Parameters
    ----------
    settings, watch, plan: of the machine.
    growing: the open cut of a spindle with its curve so far: a cut that is handed out while it grows has none.
    """

    def __init__(self, settings: MachineSettings, watch: Watch, plan: MaintenancePlan, growing: Callable[[str], Cut | None]) -> None:
        self._growing = growing
        roles = {channel.role for channel in settings.channel}
        self._blind = tuple(f"no_{name}" for name, role in (("vibration", "vibration"), ("axis", "axis.load")) if role not in roles)
        self._per_month = (alarms_per_hour(settings.monitoring.false_alarms) or 1.0 / HOURS["month"]) * HOURS["month"]
        self._provisional = settings.monitoring.monitor_cuts
        self._watch = watch
        self._plan = plan
        self._trends = Trends()
        self._cuts: dict[str, Cut] = {}
        self._known: dict[str, Explanation] = {}

    def see(self, cut: Cut) -> None:
        """A cut opened, grew or closed; before it is judged."""
        self._cuts[cut.operation.spindle] = cut
        if cut.phase != "closed":
            return
        for identity, known in self._known.items():
            if known.picture is not None and known.picture.cut == cut.id:
                self._known[identity] = msgspec.structs.replace(known, picture=completed(known.picture, cut))

    def follow(self, indicator: Indicator) -> None:
        """One value more of something that is followed."""
        cut = next((cut for cut in self._cuts.values() if cut.operation.key == indicator.operation), None)
        self._trends.take(indicator, cut.part if cut is not None else -1)

    def explain(self, finding: Finding, alert: Alert, checklist: Checklist | None) -> None:
        """A finding has raised or changed an alert; one that the alert does not show (a lesser kind of one misfortune) adds nothing."""
        if alert.kind != finding.kind and alert.id in self._known:
            return
        baseline = self._watch.state.baselines.get(finding.operation)
        picture = self._picture(finding, baseline)
        against = _against(finding)
        since_part = _whole(finding.evidence.get("since_part"))
        tuning = self._watch.tuning
        self._known.pop(alert.id, None)
        self._known[alert.id] = Explanation(
            alert=alert.id,
            time=finding.time,
            against=against,  # type: ignore[arg-type]
            n=next((n for name in COUNTED if (n := _whole(finding.evidence.get(name)))), 0),
            baseline_since=_began(against, baseline, picture, finding),
            since=_time_of(picture, self._trends.of(finding.operation, picture.name) if picture else None, since_part),
            since_part=since_part,
            per_month=self._per_month,
            basis=_basis(finding),
            chance=finding.chance or 0.0,
            width=tuning.width(finding.kind, place(finding)) if finding.kind in TUNABLE else 1.0,
            judged_false=sum(
                1 for one in tuning.trail if (one.kind, one.where, one.verdict) == (finding.kind, place(finding), "false_alarm")
            ),
            first=next((step.key for step in checklist.steps if step.kind == "ask"), "") if checklist is not None else "",
            causes=self._causes(finding, checklist),
            unseen=self._unseen(finding, baseline),
            rate=_rate(baseline),
            picture=picture,
        )

    def of(self, alerts: Collection[Alert]) -> tuple[Explanation, ...]:
        """Of these alerts, as far as there are any."""
        return tuple(self._known[alert.id] for alert in alerts if alert.id in self._known)

    def trim(self, alerts: Collection[Alert]) -> None:
        """Let the oldest go of those that are not among the open `alerts`."""
        wanted = {alert.id for alert in alerts}
        over = max(len(self._known) - MOST, 0)
        for identity in [known for known in self._known if known not in wanted][:over]:
            del self._known[identity]

    def new_tool(self, tool: str, spindle: str) -> None:
        """A new tool or edge: its trends begin again."""
        known = self._watch.state.baselines.values()
        self._trends.forget([b.key for b in known if b.tool == tool and (not spindle or b.spindle == spindle)])

    def saved(self) -> ReasonsState:
        """What survives a restart."""
        return ReasonsState(self._trends.saved(), self._known)

    def restore(self, saved: ReasonsState) -> None:
        """Take back what `saved` gave."""
        self._trends.restore(saved.trends)
        self._known = dict(saved.explanations)

    def _picture(self, finding: Finding, baseline: Baseline | None) -> Picture | None:
        cut = self._cuts.get(finding.spindle)
        band = baseline.envelope() if baseline is not None else None
        if finding.evidence.get("absent") is True:
            return cut_picture(None, band, finding)
        if finding.kind == "process" and not finding.channel:
            return bars_picture(self._changes(), finding)
        if finding.cut and cut is not None and cut.id == finding.cut:
            now = cut if cut.phase == "closed" else self._growing(finding.spindle)
            return cut_picture(now if now is not None and now.id == cut.id else cut, band, finding)
        for name in _figures(finding):
            channel = str(finding.evidence.get("channel", "")) if name == AXIS_RATIO else ""
            trend = self._trends.of(finding.operation or finding.channel, name, channel)
            if trend is not None:
                return trend_picture(trend, name, finding)
        return None

    def _changes(self) -> dict[str, float]:
        """By tool, of the operation that moved most: % of change since it was new."""
        changes: dict[str, float] = {}
        for baseline in self._watch.current():
            level = wear.level(baseline)
            if level is not None and baseline.tool:
                changes[baseline.tool] = max(changes.get(baseline.tool, -100.0), 100.0 * math.expm1(level))
        return changes

    def _causes(self, finding: Finding, checklist: Checklist | None) -> tuple[Cause, ...]:
        """Those of the tree, the likely ones first: what would move every tool is not likely where the others are flat."""
        tree = self._plan.trees.get(checklist.tree) if checklist is not None else None
        if tree is None:
            return ()
        flat, total = finding.evidence.get("others_flat"), finding.evidence.get("others_total")
        alone = isinstance(flat, int) and isinstance(total, int) and 0 < total == flat
        causes = [Cause(key=f"{tree.id}.{other.id}", likely=not (other.shared and alone)) for other in tree.other]
        return tuple(sorted(causes, key=lambda cause: not cause.likely))

    def _unseen(self, finding: Finding, baseline: Baseline | None) -> tuple[str, ...]:
        keys: list[str] = [finding.kind]
        rate = _rate(baseline)
        if rate is not None and rate < SLOW and finding.cut:
            keys.append("slow")
        if baseline is not None and baseline.good < self._provisional:
            keys.append("provisional")
        keys += [key for key in self._blind if finding.kind in MATTERS[key]]
        return tuple(keys)


def _against(finding: Finding) -> str:
    if finding.evidence.get("due") is True:
        return "measures" if "measures" in finding.evidence else "earlier_tools"
    if by_data(finding):
        return "cutting_data"
    return "well" if finding.kind == "process" and finding.channel else AGAINST.get(finding.kind, "good_cuts")


def _basis(finding: Finding) -> Literal["chance", "rule", "state", "due"]:
    """What the limit rests on: the budget, where the detector says by which chance it speaks. Readings that are not there and cuts that did
    not come are counted. The rest are rules: a fall within the cut, a sensor that seems stuck, cutting data."""
    evidence = finding.evidence
    if evidence.get("due") is True:
        return "due"
    counted = finding.kind == "sensor" and evidence.get("reason") in FACTS
    if counted or (finding.kind == "process" and not finding.channel) or evidence.get("absent") is True:
        return "state"
    return "rule" if finding.chance is None else "chance"


def by_data(finding: Finding) -> bool:
    """Whether it was judged by the cutting data of the machine file."""
    return finding.evidence.get("ceiling") is True or finding.evidence.get("hardly") is True


def _figures(finding: Finding) -> list[str]:
    """Names of the figure that it spoke of, the most precise first."""
    evidence = finding.evidence
    if finding.kind == "process":
        return ["group_score"]
    named = evidence.get("indicator")
    if evidence.get("several") is True and not finding.operation:
        # Several figures of a sensor together: none of them passed a limit of its own.
        return ["condition_score"]
    if named:
        return [*(f"{named}_{fact}" for fact, value in evidence.items() if value is True), str(named)]
    return ["work_ratio" if finding.operation else "velocity_rms"]


def _began(against: str, baseline: Baseline | None, picture: Picture | None, finding: Finding) -> float | None:
    said = finding.evidence.get("baseline_since")
    if isinstance(said, float) and math.isfinite(said):
        return said
    if baseline is not None and against == "new_tool":
        return baseline.anchor_since
    if baseline is not None and against == "good_cuts":
        return baseline.since
    return picture.x[0] if picture is not None and picture.axis == "time" and picture.x else None


def _time_of(picture: Picture | None, trend: Trend | None, part: int | None) -> float | None:
    """Time of the first value of this part, as far as the trend remembers it."""
    if picture is None or trend is None or part is None:
        return None
    times, parts, _ = trend.points()
    return next((time for time, known in zip(times, parts, strict=True) if known >= part), None)


def _rate(baseline: Baseline | None) -> float | None:
    if baseline is None or not baseline.samples > 0.0 or not math.isfinite(baseline.expected_duration):
        return None
    return baseline.samples / baseline.expected_duration


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
