"""The sentences that go with a snapshot, made by the text catalogue in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.load import shown_unit
from agent.model import Alert, Checklist, Coverage, Snapshot, ToolView
from agent.settings import MachineSettings
from agent.texts import Texts


class AlertSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in words; `evidence` as rows of a name and a value."""

    title: str
    text: str
    others: str
    todo: str
    evidence: list[tuple[str, str]]


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
    """Everything in words; `tools` and `vibrations` in the order of the snapshot, the rest by id."""

    coverage: CoverageSaid
    tools: list[CoverageSaid]
    vibrations: list[str]
    alerts: dict[str, AlertSaid]
    checklists: dict[str, ChecklistSaid]


class Speaker:
    """Speaks one language about one machine."""

    def __init__(self, texts: Texts, settings: MachineSettings) -> None:
        self.texts = texts
        self._tools = settings.tool
        self._units = {channel.name: shown_unit(channel, settings.spindle) for channel in settings.channel}

    def say(self, snapshot: Snapshot) -> Said:
        """All sentences of one snapshot."""
        return Said(
            coverage=self._coverage(snapshot.coverage),
            tools=[self._coverage(_coverage_of(tool)) for tool in snapshot.tools],
            vibrations=[self.texts.say(f"reason.{v.validity}.means") if v.validity else "" for v in snapshot.vibrations],
            alerts=self.alerts(snapshot.alerts),
            checklists={checklist.id: self._checklist(checklist) for checklist in snapshot.checklists},
        )

    def alerts(self, alerts: Iterable[Alert]) -> dict[str, AlertSaid]:
        """By alert id."""
        return {alert.id: self._alert(alert) for alert in alerts}

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
        tuple((c.id, tuple((s.id, s.key) for s in c.steps)) for c in snapshot.checklists),
    )


def _gist(coverage: Coverage) -> tuple[object, ...]:
    return (coverage.scope, coverage.word, coverage.reason, coverage.n, coverage.of)


def _coverage_of(tool: ToolView) -> Coverage:
    return Coverage(time=0.0, scope=f"tool/{tool.tool}", word=tool.word, reason=tool.reason, n=tool.n, of=tool.of)
