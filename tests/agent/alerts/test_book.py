"""The life of alerts as a state machine."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.alerts.book import AlertBook
from agent.model import Alert, Finding, Kind, Severity


def finding(
    kind: Kind = "wear", tool: str = "4", time: float = 1.7e9, severity: Severity = "warning", *, finished: bool = False
) -> Finding:
    """A finding on a tool."""
    return Finding(
        time=time,
        kind=kind,
        severity=severity,
        channel="",
        spindle="S1",
        operation=f"S1/1/r1/T{tool}/1",
        tool=tool,
        score=1.0,
        threshold=0.5,
        evidence={"part": 3},
        finished=finished,
    )


def test_one_episode_one_alert_that_escalates_to_what_tells_most() -> None:
    book = AlertBook()
    first = book.apply(finding("overload", severity="warning"))
    second = book.apply(finding("breakage", time=1.7e9 + 1, severity="urgent"))
    third = book.apply(finding("missing", time=1.7e9 + 60, severity="urgent"))
    assert first is not None
    assert second is not None
    assert third is not None
    assert {first.id, second.id, third.id} == {first.id}
    assert (second.kind, second.severity, second.transition) == ("breakage", "urgent", "escalated")
    assert (third.kind, third.transition, third.count) == ("breakage", "updated", 3)


def test_wear_and_breakage_of_one_tool_are_two_alerts() -> None:
    book = AlertBook()
    book.apply(finding("wear"))
    book.apply(finding("breakage"))
    assert len(book.open) == 2


def test_an_id_is_fit_for_a_topic_and_readable() -> None:
    book = AlertBook()
    alert = book.apply(finding(tool="4/+#é"))
    assert alert is not None
    assert alert.id == "wear-T4____-20231114T221320000"


def test_acknowledged_first_cleared_when_the_cause_is_gone() -> None:
    book = AlertBook()
    alert = book.apply(finding())
    assert alert is not None
    acknowledged = book.acknowledge(alert.id, "AB", 2.0)
    assert acknowledged is not None
    assert (acknowledged.state, acknowledged.acknowledged_by) == ("acknowledged", "AB")
    cleared = book.apply(finding(finished=True))
    assert cleared is not None
    assert (cleared.state, cleared.transition, cleared.acknowledged_by) == ("cleared", "cleared", "AB")
    assert book.open == ()


def test_the_cause_gone_first_cleared_when_acknowledged() -> None:
    book = AlertBook()
    alert = book.apply(finding())
    assert alert is not None
    returned = book.apply(finding(finished=True))
    assert returned is not None
    assert (returned.state, returned.returned) == ("active", True)
    assert book.apply(finding(finished=True)) is None
    again = book.apply(finding())
    assert again is not None
    assert (again.id, again.transition, again.returned) == (alert.id, "raised", False)
    book.apply(finding(finished=True))
    cleared = book.acknowledge(alert.id, "AB", 3.0)
    assert cleared is not None
    assert cleared.state == "cleared"


def test_nothing_to_finish_is_nothing_to_tell() -> None:
    assert AlertBook().apply(finding(finished=True)) is None


class Life(RuleBasedStateMachine):
    """Any order of findings and commands."""

    def __init__(self) -> None:
        super().__init__()
        self.book = AlertBook()
        self.now = 1.7e9
        self.told: dict[str, Alert] = {}

    def note(self, alert: Alert | None) -> None:
        if alert is not None:
            before = self.told.get(alert.id)
            assert before is None or before.state != "cleared"
            assert alert.updated >= alert.raised
            self.told[alert.id] = alert

    @rule(
        kind=st.sampled_from(["wear", "breakage", "missing", "overload", "spindle"]),
        tool=st.sampled_from(["1", "2"]),
        finished=st.booleans(),
    )
    def find(self, kind: Kind, tool: str, finished: bool) -> None:
        self.now += 1.0
        self.note(self.book.apply(finding(kind, tool, self.now, finished=finished)))

    @rule(data=st.data(), what=st.sampled_from(["acknowledge", "false_alarm", "settle"]))
    def command(self, data: st.DataObject, what: str) -> None:
        self.now += 1.0
        known = sorted(self.told) or ["nothing"]
        identity = data.draw(st.sampled_from(known))
        was = self.book.get(identity)
        alert = getattr(self.book, what)(identity, "AB", self.now)
        assert (alert is None) == (was is None)
        self.note(alert)

    @invariant()
    def the_book_holds_what_was_told_and_is_not_cleared(self) -> None:
        assert {a.id for a in self.book.open} == {a.id for a in self.told.values() if a.state != "cleared"}
        assert {a.id: a.state for a in self.book.open} == {a.id: a.state for a in self.told.values() if a.state != "cleared"}

    @invariant()
    def it_survives_a_restart(self) -> None:
        other = AlertBook()
        other.restore(self.book.saved())
        assert other.open == self.book.open


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
