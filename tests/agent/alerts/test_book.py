"""The life of alerts as a state machine."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.alerts.book import FLAPS, QUIET, RANK, SHIFT, AlertBook, Episodes
from agent.detect.confidence import CLASSES
from agent.model import Alert, Finding, Kind, Severity
from tests.support import keeping


def finding(
    kind: Kind = "wear", tool: str = "4", time: float = 1.7e9, severity: Severity = "warning", *, finished: bool = False
) -> Finding:
    """A finding on a tool."""
    place = {"operation": f"S1/1/r1/T{tool}/1", "tool": tool}
    return keeping.finding(
        **place, time=time, kind=kind, severity=severity, score=1.0, threshold=0.5, evidence={"part": 3}, finished=finished
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


def test_what_comes_and_goes_is_told_three_times_and_then_stands() -> None:
    book = AlertBook()
    told = []
    for k in range(20):
        told.append(book.apply(finding("sensor", time=1.7e9 + 600.0 * k)))
        told.append(book.apply(finding("sensor", time=1.7e9 + 600.0 * k + 40.0, finished=True)))
        told.extend(book.tick(1.7e9 + 600.0 * k + 300.0))
    transitions = [alert.transition for alert in told if alert is not None]
    assert transitions.count("raised") == FLAPS
    assert transitions.count("returned") == FLAPS - 1
    last = 1.7e9 + 600.0 * 19 + 40.0
    assert book.tick(last + QUIET - 1.0) == []
    (returned,) = book.tick(last + QUIET)
    assert (returned.transition, returned.count) == ("returned", 20)
    assert book.tick(last + 2 * QUIET) == []


def test_once_a_shift_it_may_come_and_go() -> None:
    book = AlertBook()
    for k in range(9):
        alert = book.apply(finding("sensor", time=1.7e9 + SHIFT * k))
        assert alert is not None
        assert alert.transition == "raised"
        assert book.apply(finding("sensor", time=1.7e9 + SHIFT * k + 40.0, finished=True)) is not None


def test_a_change_of_all_tools_that_was_called_false_is_not_told_again_each_part() -> None:
    book = AlertBook()
    alert = book.apply(finding("process", tool=""))
    assert alert is not None
    assert book.false_alarm(alert.id, "AB", 1.7e9 + 5.0) is not None
    assert [book.apply(finding("process", tool="", time=1.7e9 + 60.0 * k)) for k in range(1, 100)] == [None] * 99
    worse = msgspec.structs.replace(finding("process", tool="", time=1.7e9 + 6000.0), score=1.6)
    assert book.apply(worse) is not None


def test_silence_ends_with_its_cause_or_with_the_shift() -> None:
    for later, finish in ((SHIFT + 10.0, False), (600.0, True)):
        book = AlertBook()
        alert = book.apply(finding("process", tool=""))
        assert alert is not None
        book.false_alarm(alert.id, "AB", 1.7e9 + 5.0)
        if finish:
            assert book.apply(finding("process", tool="", time=1.7e9 + 300.0, finished=True)) is None
        assert book.apply(finding("process", tool="", time=1.7e9 + later)) is not None


def test_a_false_breakage_silences_nothing() -> None:
    book = AlertBook()
    alert = book.apply(finding("breakage"))
    assert alert is not None
    book.false_alarm(alert.id, "AB", 1.7e9 + 5.0)
    assert book.apply(finding("breakage", time=1.7e9 + 60.0)) is not None


def test_found_again_and_again_it_is_surer_and_never_less_sure() -> None:
    book = AlertBook()
    classes = []
    for k, said in enumerate(("provisional", "likely", "provisional", "likely", "provisional")):
        found = msgspec.structs.replace(finding(time=1.7e9 + k), evidence={"confidence": said})
        alert = book.apply(found)
        assert alert is not None
        classes.append(alert.evidence["confidence"])
    assert classes == ["provisional", "likely", "likely", "sure", "sure"]


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
            if before is not None:
                # An episode escalates and never falls back; its beginning stands.
                assert RANK[alert.severity] >= RANK[before.severity]
                assert CLASSES.index(str(alert.evidence["confidence"])) >= CLASSES.index(str(before.evidence["confidence"]))
                assert (alert.raised, alert.tool) == (before.raised, before.tool)
                assert alert.count >= before.count
            self.told[alert.id] = alert

    @rule(
        kind=st.sampled_from(["wear", "breakage", "missing", "overload", "spindle", "drift", "process", "sensor"]),
        tool=st.sampled_from(["1", "2"]),
        severity=st.sampled_from(["advice", "warning", "urgent"]),
        said=st.sampled_from(CLASSES),
        finished=st.booleans(),
    )
    def find(self, kind: Kind, tool: str, severity: Severity, said: str, finished: bool) -> None:
        self.now += 1.0
        found = msgspec.structs.replace(finding(kind, tool, self.now, severity, finished=finished), evidence={"confidence": said})
        silent = bool(self.book.episodes.silenced)
        before = [alert for alert in self.book.open if alert.tool == tool]
        alert = self.book.apply(found)
        self.note(alert)
        if not finished and kind in {"breakage", "missing", "overload"}:
            # These never wait, and nothing silences them.
            assert alert is not None
        if not finished and not silent:
            assert alert is not None
        if alert is not None and not finished:
            family = [a for a in self.book.open if (a.tool, a.kind) == (alert.tool, alert.kind)]
            assert family == [alert]
            assert RANK[alert.severity] >= RANK[severity] or alert.kind != kind
        if alert is not None and finished:
            assert any(was.id == alert.id for was in before)
            assert alert.transition in {"returned", "cleared"}

    @rule(after=st.sampled_from([1.0, 600.0, QUIET, SHIFT]))
    def wait(self, after: float) -> None:
        self.now += after
        for alert in self.book.tick(self.now):
            assert alert.returned
            self.note(alert)

    @rule(data=st.data(), what=st.sampled_from(["acknowledge", "false_alarm", "correct", "settle"]))
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
        saved = msgspec.msgpack.encode((self.book.saved(), self.book.episodes))
        alerts, episodes = msgspec.msgpack.decode(saved, type=tuple[dict[str, Alert], Episodes])
        other.restore(alerts, episodes)
        assert (other.open, other.episodes) == (self.book.open, self.book.episodes)

    @invariant()
    def only_open_alerts_wait_for_their_end(self) -> None:
        assert len(self.book.episodes.ending) <= sum(not alert.returned for alert in self.book.open)


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
