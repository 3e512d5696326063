"""Why an alert may be believed, gathered by the whole pass on a hand-made lathe: at the moment, bounded, over a restart."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest

from agent.commands import FalseAlarm, ToolChanged
from agent.detect.trend import FLOOR
from agent.explained import Explanation, Picture
from agent.maintenance import plan
from agent.model import Alert, Event, Finding, Indicator
from agent.monitor import Monitor
from agent.monitor.pictures import POINTS
from agent.monitor.reasons import MOST
from agent.paths import DataPaths
from agent.settings import MachineSettings
from tests.support import keeping
from tests.support.lathe import CUTS, PART, START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
BROKEN = Faults(broken={4: (7, 0.5, 99)})
WORN = Faults(wear={4: (25, 0.02)})


def run(parts: int, faults: Faults, machine: MachineSettings | None = None) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(rows(parts, faults), itertools.repeat(23)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def of(monitor: Monitor, kind: str) -> tuple[Alert, Explanation]:
    snapshot = monitor.snapshot()
    alert = next(alert for alert in snapshot.alerts if alert.kind == kind)
    return alert, next(why for why in snapshot.explanations if why.alert == alert.id)


def drawn(why: Explanation) -> Picture:
    assert why.picture is not None
    return why.picture


def test_a_break_keeps_the_cut_in_which_it_came_and_the_band_it_left() -> None:
    monitor, _ = run(8, BROKEN)
    alert, why = of(monitor, "breakage")
    picture = drawn(why)
    assert picture.shape == "cut"
    assert picture.n >= 5
    assert len(picture.high) == len(picture.low) <= POINTS
    fall = 0.5 * CUTS[4][1]
    assert picture.at == pytest.approx(fall, abs=0.3)
    assert picture.spoke is not None
    assert fall < picture.spoke < CUTS[4][1]
    before, after = picture.y[int(0.3 / picture.grid)], picture.y[int((fall + 0.25) / picture.grid)]
    assert before > 40.0
    assert after < 15.0
    assert (why.against, why.n, why.basis) == ("good_cuts", alert.evidence["n_baseline"], "rule")
    assert why.baseline_since == pytest.approx(START + CUTS[4][0], abs=1.0)
    assert why.first == "T03.tool"
    assert why.causes[0].key == "T03.no_part"
    assert "slow" in why.unseen
    assert why.rate == pytest.approx(20.0, rel=0.1)


def test_the_picture_is_there_at_once_and_filled_up_when_the_cut_has_ended() -> None:
    monitor = Monitor(settings(), PLAN)
    early: list[Picture] = []
    for piece in pieces(rows(8, BROKEN), itertools.repeat(1)):
        raised = any(isinstance(event, Alert) and event.kind == "breakage" for event in monitor.feed(piece))
        if raised and not early:
            early.append(drawn(of(monitor, "breakage")[1]))
    monitor.finish()
    [first] = early
    assert first.cut
    assert len(first.y) > 0.4 * len(first.high)
    assert first.y[-1] < 15.0
    whole = drawn(of(monitor, "breakage")[1])
    assert not whole.cut
    assert len(whole.y) >= len(first.y)
    assert whole.spoke == first.spoke


def test_wear_keeps_every_cut_since_the_tool_was_new() -> None:
    monitor, _ = run(45, WORN)
    alert, why = of(monitor, "wear")
    picture = drawn(why)
    assert picture.shape == "trend"
    assert (picture.axis, picture.unit, picture.base) == ("part", "%", 0.0)
    assert picture.limit == alert.evidence["limit_pct"]
    assert list(picture.x) == sorted(picture.x)
    assert picture.x[0] <= 5.0
    assert picture.at == alert.evidence["since_part"] == why.since_part
    assert max(abs(y) for x, y in zip(picture.x, picture.y, strict=True) if x < 24) < 6.0
    assert sorted(picture.y[-3:])[1] == pytest.approx(alert.evidence["change_pct"], abs=0.2)
    assert (why.against, why.basis) == ("new_tool", "chance")
    assert why.chance == monitor.watch.signals.share(monitor.watch.p)
    assert why.since == pytest.approx(START + PART * float(why.since_part or 0) + CUTS[4][0], abs=PART)
    shared = {cause.key: cause.likely for cause in why.causes}
    assert shared["T01.program"]
    assert not shared["T01.material"]


def test_a_cut_that_did_not_come_shows_the_band_alone() -> None:
    monitor, _ = run(21, Faults(missing={2: range(20, 21)}))
    _, why = of(monitor, "missing")
    picture = drawn(why)
    assert picture.y == ()
    assert len(picture.high) > 10
    assert why.basis == "state"


def test_all_tools_together_are_shown_side_by_side() -> None:
    monitor, _ = run(45, Faults(batch=(30, 1.5)))
    _, why = of(monitor, "process")
    picture = drawn(why)
    assert picture.shape == "bars"
    assert sorted(picture.names) == ["1", "2", "4"]
    assert picture.y == tuple(sorted(picture.y, reverse=True))
    assert all(40.0 < value < 60.0 for value in picture.y)
    assert (why.against, why.basis) == ("new_tool", "state")


def test_all_of_it_outlives_a_restart_and_stays_small() -> None:
    monitor, _ = run(45, WORN)
    before = monitor.snapshot().explanations
    state = monitor.state()
    again = Monitor(settings(), PLAN)
    again.restore(state)
    assert again.snapshot().explanations == before
    saved = monitor.desk.reasons.saved()
    assert all(len(msgspec.msgpack.encode(one)) < 6500 for one in saved.explanations.values())
    assert len(msgspec.msgpack.encode(saved.trends)) < 3 * 1600


def test_a_state_of_before_has_no_explanations_and_is_taken_all_the_same() -> None:
    monitor, _ = run(10, Faults())
    old = msgspec.msgpack.decode(monitor.state())
    del old["reasons"]
    again = Monitor(settings(), PLAN)
    again.restore(msgspec.msgpack.encode(old))
    assert again.snapshot().explanations == ()


def test_a_verdict_is_counted_the_next_time_that_this_limit_speaks() -> None:
    monitor = Monitor(settings(), PLAN)
    told: list[tuple[int, float]] = []
    for piece in pieces(rows(60, WORN), itertools.repeat(23)):
        for event in monitor.feed(piece):
            if isinstance(event, Alert) and event.kind == "wear" and event.transition == "raised":
                why = next(one for one in monitor.snapshot().explanations if one.alert == event.id)
                told.append((why.judged_false, why.width))
                monitor.do(FalseAlarm(alert=event.id, by="page"), event.updated)
    assert [count for count, _ in told[:2]] == [0, 1]
    assert told[0][1] == 1.0
    assert told[1][1] > 1.0


def test_a_new_tool_begins_its_trend_anew() -> None:
    monitor, _ = run(45, WORN)
    key = of(monitor, "wear")[0].operation
    assert f"{key}|work_ratio" in monitor.desk.reasons.saved().trends
    monitor.do(ToolChanged(id="1", tool="4", spindle="S1", by="page"), START + 45 * PART)
    assert f"{key}|work_ratio" not in monitor.desk.reasons.saved().trends


def test_explanations_of_cleared_alerts_are_bounded() -> None:
    monitor, _ = run(8, BROKEN)
    reasons = monitor.desk.reasons
    one = monitor.snapshot().explanations[0]
    state = reasons.saved()
    state.explanations = {**{f"old{i}": msgspec.structs.replace(one, alert=f"old{i}") for i in range(MOST + 9)}, **state.explanations}
    reasons.restore(state)
    reasons.trim(monitor.desk.alerts.open)
    kept = reasons.saved().explanations
    assert len(kept) == MOST
    assert one.alert in kept
    assert "old0" not in kept


def test_the_installer_sees_what_every_operation_can_see() -> None:
    monitor, _ = run(30, Faults())
    views = {view.tool: view for view in monitor.snapshot().operations}
    assert sorted(views) == ["1", "2", "4"]
    for view in views.values():
        assert (view.word, view.reason) == ("MONITORING", "")
        assert (view.rise_cuts, view.fall_cuts) == (3, 35)
        assert view.n >= 25
        assert view.rate == pytest.approx(20.0, rel=0.15)
        assert view.smallest_change is not None
        assert 0.0 < view.smallest_change < 0.3
        assert view.undercut is not None
        assert 0.3 <= view.undercut <= 0.6
        assert view.overload is not None
        assert view.overload >= 0.45
        assert view.widened == 1.0
    assert monitor.snapshot().operations is not None
    first, second = monitor.snapshot().operations, monitor.snapshot().operations
    assert all(a is b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("reason", "basis"), [("no_signal", "state"), ("sensor_slow", "state"), ("sensor_stuck", "rule"), ("sensor_noisy", "rule")]
)
def test_what_is_counted_of_a_sensor_is_a_state_and_what_is_inferred_a_rule(reason: str, basis: str) -> None:
    monitor = Monitor(settings(), PLAN)
    monitor.desk.take([keeping.finding(kind="sensor", channel="load", operation="", tool="", evidence={"reason": reason})])
    [why] = monitor.snapshot().explanations
    assert (why.basis, why.chance) == (basis, 0.0)


def spoke(**changes: object) -> Finding:
    base = {"time": 50.0, "kind": "spindle", "channel": "vibration", "operation": "", "tool": "", "score": 1.9, "threshold": 1.6}
    base["evidence"] = {"baseline": 1.1, "unit": "mm/s", "n_baseline": 20}
    return keeping.finding(**(base | changes))


@pytest.mark.parametrize(
    ("changes", "name", "limit", "basis"),
    [
        ({"chance": 1e-6}, "velocity_rms", 1.6 * 1.1, "chance"),
        (
            {"chance": 1e-6, "evidence": {"indicator": "velocity_rms", "several": True, "baseline": 1.1, "n_looks": 20}},
            "condition_score",
            math.log(1.6) / FLOOR,
            "chance",
        ),
        ({"evidence": {"indicator": "bearing", "outer": True}, "threshold": math.exp(6.0)}, "bearing_outer", 6.0, "rule"),
        ({"kind": "process", "evidence": {"group": True}, "threshold": 3.0}, "group_score", 3.0, "rule"),
        ({"chance": 1e-6, "evidence": {"indicator": "kurtosis"}}, None, None, "chance"),
    ],
)
def test_a_slow_change_without_a_cut_shows_the_figure_that_spoke(
    changes: dict[str, object], name: str | None, limit: float | None, basis: str
) -> None:
    monitor = Monitor(settings(), PLAN)
    for i in range(30):
        for figure in ("velocity_rms", "condition_score", "bearing_outer", "group_score"):
            value = 1.1 + 0.02 * i
            one = Indicator(time=20.0 + i, channel="vibration", operation="", tool="", name=figure, value=value, unit="mm/s")
            monitor.desk.take([one])
    monitor.desk.take([spoke(**changes)])
    [why] = monitor.snapshot().explanations
    assert (why.against, why.basis) == ("well", basis)
    if name is None:
        assert why.picture is None
        return
    picture = drawn(why)
    assert (picture.name, picture.axis) == (name, "time")
    evidence = spoke(**changes).evidence
    assert picture.limit == pytest.approx(limit)
    assert picture.base == (0.0 if name.endswith("_score") else evidence.get("baseline"))
    assert why.baseline_since == 20.0
