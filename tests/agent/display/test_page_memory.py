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
    history, pictures = memory.history_version, memory.pictures_version
    memory.see(snapshots.worn(NOW))
    assert (memory.history_version, memory.pictures_version) == (history, pictures)


def test_the_newest_stands_first() -> None:
    memory = Memory()
    memory.see(snapshots.broken(NOW))
    assert [episode.alert.id for episode in memory.history()] == ["a2", "a1", "a3"]


def test_the_picture_is_the_cut_in_which_the_tool_broke() -> None:
    memory = Memory()
    broken = snapshots.broken(NOW)
    memory.see(broken)
    memory.see(
        snapshots.snapshot(NOW + 6.0, alerts=broken.alerts, spindles=[snapshots.spindle(NOW, view=snapshots.cut(NOW + 6.0, tool="2"))])
    )
    picture = memory.pictures()["a2"]
    assert picture == broken.spindles[0].cut
    assert min(picture.curve[25:]) < 8.0


def test_a_picture_grows_with_its_cut() -> None:
    memory = Memory()
    early = snapshots.cut(NOW, at=0.6)
    late = msgspec.structs.replace(early, curve=snapshots.load_curve(1.8), open=False)
    one = snapshots.alert(NOW, "overload")
    for view in (early, late):
        memory.see(snapshots.snapshot(NOW, alerts=[one], spindles=[snapshots.spindle(NOW, view=view)]))
    assert memory.pictures()["a1"] == late


def test_the_wear_of_a_tool_shows_its_last_cut_although_another_tool_is_in_now() -> None:
    memory = Memory()
    mine = snapshots.cut(NOW, tool="4", at=None)
    memory.see(snapshots.snapshot(NOW, spindles=[snapshots.spindle(NOW, view=mine)]))
    memory.see(snapshots.snapshot(NOW + 3.0, spindles=[snapshots.spindle(NOW, view=snapshots.cut(NOW + 3.0, tool="1"))]))
    memory.see(snapshots.snapshot(NOW + 4.0, alerts=[snapshots.alert(NOW)], spindles=[snapshots.spindle(NOW)]))
    assert memory.pictures()["a1"] == mine


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
