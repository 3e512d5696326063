"""What the page remembers of alerts that are over, and of the cuts they were seen in."""

from __future__ import annotations

import msgspec

from agent.display.memory import HISTORY, Memory
from tests.support import snapshots

NOW = 1_750_000_000.0


def test_an_alert_is_remembered_after_it_has_left() -> None:
    memory = Memory()
    memory.see(snapshots.worn(NOW))
    memory.see(snapshots.monitoring(NOW + 60.0))
    [episode] = memory.history()
    assert episode.alert.state == "cleared"
    assert episode.ended == NOW + 60.0


def test_what_its_last_event_said_wins_whichever_comes_first() -> None:
    for noted_first in (True, False):
        memory = Memory()
        open_ = snapshots.worn(NOW)
        gone = msgspec.structs.replace(open_.alerts[0], state="cleared", false_alarm=True, updated=NOW + 9.0)
        memory.see(open_)
        if noted_first:
            memory.note(gone)
            memory.see(open_)
        else:
            memory.see(snapshots.monitoring(NOW + 10.0))
            memory.note(gone)
        memory.see(snapshots.monitoring(NOW + 11.0))
        [episode] = memory.history()
        assert episode.alert.false_alarm
        assert episode.ended == NOW + 9.0


def test_nothing_new_is_no_new_version() -> None:
    memory = Memory()
    memory.see(snapshots.worn(NOW))
    history = memory.history_version
    memory.see(snapshots.worn(NOW))
    assert memory.history_version == history


def test_the_newest_stands_first() -> None:
    memory = Memory()
    memory.see(snapshots.broken(NOW))
    assert [episode.alert.id for episode in memory.history()] == ["a2", "a1", "a3"]


def test_why_an_alert_could_be_believed_is_remembered_when_it_is_over() -> None:
    memory = Memory()
    broken = snapshots.broken(NOW)
    memory.see(broken)
    memory.see(snapshots.monitoring(NOW + 6.0))
    known = memory.explained("a2")
    assert known is not None
    alert, why = known
    assert (alert.id, alert.state, why.alert) == ("a2", "cleared", "a2")
    assert why.picture is not None
    assert min(why.picture.y[25:]) < 8.0
    assert memory.explained("never") is None


def test_the_history_is_bounded_and_what_is_open_stays() -> None:
    memory = Memory()
    first = snapshots.alert(NOW, id="open")
    for i in range(HISTORY + 20):
        one = snapshots.alert(NOW + i, id=f"n{i}")
        memory.see(snapshots.snapshot(NOW + i, alerts=[first, one]))
    ids = [episode.alert.id for episode in memory.history()]
    assert len(ids) == HISTORY
    assert "open" in ids
    assert f"n{HISTORY + 19}" in ids
    assert memory.explained("n0") is None
    assert memory.explained("open") is not None
