"""The sentences that go with a snapshot, made by the text catalogue in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.explained import Explanation, OperationView
from agent.load import shown_unit
from agent.model import Alert, Checklist, Coverage, Snapshot, ToolView, Word
from agent.plot import Size, picture_svg
from agent.realised import Realised
from agent.settings import MachineSettings
from agent.texts import NoticeText, RealisedText, Texts
from agent.texts.alerts import evidence_rows
from agent.texts.explanation import TOLD, CauseText


class AlertSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in words; `evidence` as rows of a name and a value."""

    title: str
    text: str
    others: str
    todo: str
    evidence: list[tuple[str, str]]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One alert explained, in words; `version` changes with its picture."""

    alert: str
    version: str
    text: str
    rows: list[tuple[str, str]]
    evidence: list[tuple[str, str]]
    chance: list[str]
    first: str
    causes: list[CauseText]
    unseen: list[str]
    picture: str


class OperationSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the installer's table, in words."""

    name: str
    about: str
    word: str
    means: str
    helps: str


class CoverageSaid(msgspec.Struct, frozen=True, kw_only=True):
    """The word, why, and what would help ('' where nothing needs to be done)."""

    word: str
    means: str
    helps: str


class ChecklistSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One checklist in words; steps by id."""

    title: str
    safety: str
    steps: dict[str, str]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in words; `tools`, `vibrations` and `notices` in the order of the snapshot, the rest by id."""

    coverage: CoverageSaid
    tools: list[CoverageSaid]
    vibrations: list[str]
    alerts: dict[str, AlertSaid]
    checklists: dict[str, ChecklistSaid]
    notices: list[NoticeText] = []


class Speaker:
    """Speaks one language about one machine."""

    def __init__(self, texts: Texts, settings: MachineSettings) -> None:
        self.texts = texts
        self._tools = settings.tool
        self._zone = settings.machine.timezone
        self._units = {channel.name: shown_unit(channel, settings.spindle) for channel in settings.channel}

    def say(self, snapshot: Snapshot) -> Said:
        """All sentences of one snapshot."""
        return Said(
            coverage=self._coverage(snapshot.coverage),
            tools=[self._coverage(_coverage_of(tool)) for tool in snapshot.tools],
            vibrations=[self.texts.say(f"reason.{v.validity}.means") if v.validity else "" for v in snapshot.vibrations],
            alerts=self.alerts(snapshot.alerts),
            checklists={checklist.id: self._checklist(checklist) for checklist in snapshot.checklists},
            notices=[self.texts.notice(notice, self._tools) for notice in snapshot.notices],
        )

    def alerts(self, alerts: Iterable[Alert]) -> dict[str, AlertSaid]:
        """By alert id."""
        return {alert.id: self._alert(alert) for alert in alerts}

    def explain(self, alert: Alert, known: Explanation) -> Explained:
        """Why an alert may be believed, in words."""
        told = self.texts.explanation(alert, known, self._zone)
        rows = evidence_rows(self.texts, alert, "", self._units.get(alert.channel, ""), without=TOLD)
        return Explained(
            alert=alert.id,
            version=f"{known.time:.3f}-{len(known.picture.y) if known.picture is not None else 0}",
            rows=told.rows,
            evidence=rows,
            chance=told.chance,
            first=told.first,
            causes=told.causes,
            unseen=told.unseen,
            picture=told.picture,
            text=self.texts.alert(alert, self._tools, self._units).text,
        )

    def picture(self, alert: Alert, known: Explanation, size: Size) -> str:
        """What the detector saw, as SVG; '' where there is none."""
        if known.picture is None:
            return ""
        told = self.explain(alert, known)
        unit = self._units.get(alert.channel, "")
        urgent = alert.severity == "urgent"
        return picture_svg(known.picture, self.texts, told.picture, told.text, unit, size, self._zone, urgent=urgent)

    def operations(self, snapshot: Snapshot) -> list[OperationSaid]:
        """How well each operation is watched, in words; in the order of the snapshot."""
        return [self._operation(view) for view in snapshot.operations]

    def realised(self, known: Realised) -> RealisedText:
        """What became of the false-alarm budget, in words."""
        return self.texts.realised(known)

    def _operation(self, view: OperationView) -> OperationSaid:
        cover = Coverage(time=0.0, scope=f"operation/{view.key}", word=Word(view.word), reason=view.reason, n=view.n, of=view.of)
        word, means = self.texts.coverage(cover)
        return OperationSaid(
            name=self.texts.tool(view.tool, self._tools) or self.texts.say("common.none"),
            about=self.texts.scope(f"operation/{view.key}"),
            word=word,
            means=means,
            helps=self.texts.helps(cover),
        )

    def _alert(self, alert: Alert) -> AlertSaid:
        told = self.texts.alert(alert, self._tools, self._units)
        rows = self.texts.evidence(alert, self._units)
        return AlertSaid(title=told.title, text=told.text, others=told.others, todo=told.todo, evidence=rows)

    def _coverage(self, coverage: Coverage) -> CoverageSaid:
        word, means = self.texts.coverage(coverage)
        return CoverageSaid(word=word, means=means, helps=self.texts.helps(coverage))

    def _checklist(self, checklist: Checklist) -> ChecklistSaid:
        safety = next((step.key for step in checklist.steps if step.kind == "safety"), f"safety.{checklist.safety}")
        return ChecklistSaid(
            title=self.texts.tree(checklist.tree),
            safety=self.texts.step(safety) if checklist.safety else "",
            steps={step.id: self.texts.step(step.key) for step in checklist.steps},
        )


Speakers = Mapping[str, Speaker]
"""By language code."""


def topic(snapshot: Snapshot) -> tuple[object, ...]:
    """What the words depend on: equal topics, equal words."""
    return (
        _gist(snapshot.coverage),
        tuple((t.tool, t.word, t.reason, t.n, t.of) for t in snapshot.tools),
        tuple(v.validity for v in snapshot.vibrations),
        snapshot.alerts,
        snapshot.notices,
        tuple((c.id, tuple((s.id, s.key) for s in c.steps)) for c in snapshot.checklists),
    )


def _gist(coverage: Coverage) -> tuple[object, ...]:
    return (coverage.scope, coverage.word, coverage.reason, coverage.n, coverage.of)


def _coverage_of(tool: ToolView) -> Coverage:
    return Coverage(time=0.0, scope=f"tool/{tool.tool}", word=tool.word, reason=tool.reason, n=tool.n, of=tool.of)
