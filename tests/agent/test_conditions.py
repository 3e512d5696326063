"""Polled vibration figures and groups of slow channels: when they are looked at, what they say, and what survives a restart."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from agent.maintenance import plan
from agent.model import Alert, Checklist, Event, Finding, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, GroupOptions, MachineOptions, MachineSettings
from agent.texts import Texts
from drivers.model import Quality, Readings

PLAN = plan(DataPaths.find(None))
FIGURES = ("velocity", "peak", "kurtosis", "hf")
UNIT = ("pressure", "flow", "current", "temperature")


def settings(*, vibration: bool = True, group: bool = True, speed: bool = True) -> MachineSettings:
    channels = [ChannelOptions(name="load", role="spindle.load", unit="%", hold=2.0)]
    if speed:
        channels.append(ChannelOptions(name="speed", role="spindle.speed", hold=2.0))
    if vibration:
        channels += [ChannelOptions(name=name, role="vibration", hold=15.0) for name in FIGURES]
    if group:
        channels += [ChannelOptions(name=name, role="other", unit="bar", hold=15.0) for name in UNIT]
    groups = (GroupOptions(name="arrosage", channels=UNIT, learn=200),) if group else ()
    return MachineSettings(machine=MachineOptions(name="essai"), channel=tuple(channels), group=groups)


def rows(n: int, seed: int = 1, speed: float = 1500.0) -> Readings:
    """Rows at 4 Hz of a spindle in air, its vibration, and a unit whose channels belong together."""
    draw = np.random.default_rng(seed)
    pump = draw.standard_normal(n)
    vibration = np.exp(draw.normal(0.0, 0.03, (n, len(FIGURES))))
    unit = 10.0 + 0.1 * pump[:, None] * (1.0, 0.8, -0.5, 0.3) + 0.03 * draw.standard_normal((n, len(UNIT)))
    values = np.column_stack([np.full(n, 5.0) + 0.05 * draw.standard_normal(n), np.full(n, speed), vibration, unit])
    return Readings("s", ("load", "speed", *FIGURES, *UNIT), 100.0 + 0.25 * np.arange(n), values, np.zeros(values.shape, np.uint8))


def pieces(given: Readings, sizes: itertools.repeat[int] | itertools.cycle[int]) -> list[Readings]:
    out, at = [], 0
    for size in sizes:
        if at >= len(given.time):
            return out
        part = slice(at, at + size)
        out.append(Readings(given.source, given.channels, given.time[part], given.values[part], given.quality[part]))
        at += size
    return out


def replay(monitor: Monitor, given: list[Readings]) -> list[Event]:
    return [event for block in given for event in monitor.feed(block)] + monitor.finish()


def findings(events: list[Event], kind: str) -> list[Finding]:
    return [event for event in events if isinstance(event, Finding) and event.kind == kind]


def test_figures_that_a_sensor_measures_itself_are_followed_in_air() -> None:
    given = rows(2400)
    given.values[1600:, 2:6] *= 3.0
    events = replay(Monitor(settings(group=False), PLAN), [given])
    (found,) = findings(events, "spindle")
    assert found.channel == "velocity"
    assert found.evidence["indicator"] in FIGURES
    assert float(found.evidence["change_pct"] or 0) > 100.0
    assert 500.0 < found.time < 700.0
    raised = [event for event in events if isinstance(event, Alert)]
    assert raised[0].kind == "spindle"
    assert any(isinstance(event, Checklist) and event.tree == "T05" for event in events)


@pytest.mark.parametrize("sizes", [itertools.repeat(7), itertools.cycle([1, 50, 3, 400])])
def test_it_does_not_matter_in_what_pieces_rows_come(sizes: itertools.cycle[int]) -> None:
    given = rows(2000)
    given.values[1100:, 2:6] *= 6.0
    given.values[1500:, 6] -= 1.0
    whole = replay(Monitor(settings(), PLAN), [given])
    assert replay(Monitor(settings(), PLAN), pieces(given, sizes)) == whole
    assert {finding.kind for finding in whole if isinstance(finding, Finding)} == {"spindle", "process"}


def test_while_the_spindle_cuts_or_stands_its_figures_are_not_looked_at() -> None:
    given = rows(2400)
    given.values[200:, 0] = np.where(np.arange(2200) % 16 < 8, 60.0, 5.0)  # 2 s cuts, 2 s of air: never settled
    monitor = Monitor(settings(group=False), PLAN)
    replay(monitor, [given])
    assert monitor.conditions.polled[0].condition.looks()[0] <= 5
    standing = Monitor(settings(group=False), PLAN)
    replay(standing, [rows(2400, speed=0.0)])
    assert standing.conditions.polled[0].condition.looks()[0] == 0


def test_a_unit_that_behaves_unusually_is_told_with_the_channel_that_leads_and_a_checklist() -> None:
    given = rows(2400)
    given.values[1600:, 6] -= 1.0
    monitor = Monitor(settings(vibration=False), PLAN)
    events = replay(monitor, [given])
    (found,) = findings(events, "process")
    assert (found.channel, found.evidence["channel"], found.evidence["group"]) == ("arrosage", "pressure", True)
    assert float(found.evidence["share_pct"] or 0) > 50.0
    assert 500.0 <= found.time < 510.0
    alert = next(event for event in events if isinstance(event, Alert))
    assert any(isinstance(event, Checklist) and event.tree == "T30" for event in events)
    english = Texts.load(DataPaths.find(None), "en").alert(alert)
    assert "arrosage" in english.title
    assert "pressure" in english.text
    words = {cover.scope: cover.word for cover in monitor.snapshot().coverages}
    assert words["group/arrosage"] is Word.MONITORING


def test_a_healthy_unit_says_nothing_and_one_that_lacks_a_value_is_not_judged() -> None:
    monitor = Monitor(settings(vibration=False), PLAN)
    assert findings(replay(monitor, [rows(8000)]), "process") == []
    given = rows(1200)
    given.quality[:, 7] = Quality.UNAVAILABLE
    given.values[:, 7] = np.nan
    monitor = Monitor(settings(vibration=False), PLAN)
    replay(monitor, [given])
    (cover,) = [cover for cover in monitor.snapshot().coverages if cover.scope == "group/arrosage"]
    assert (cover.word, cover.reason) == (Word.NOT_MONITORABLE, "group_missing")


def test_a_unit_is_learned_only_while_the_spindle_turns_where_its_speed_is_read() -> None:
    for speed, learned in ((True, 0), (False, 200)):
        monitor = Monitor(settings(vibration=False, speed=speed), PLAN)
        replay(monitor, [rows(850, speed=0.0)])
        assert len(monitor.conditions.groups[0].judge.state.learned) + 200 * monitor.conditions.groups[0].judge.ready == learned


def test_a_false_alarm_makes_what_is_now_the_usual() -> None:
    given = rows(4000)
    given.values[1600:, 6] -= 1.0
    monitor = Monitor(settings(vibration=False), PLAN)
    first, second = pieces(given, itertools.repeat(2000))
    events = list(monitor.feed(first))
    assert len(findings(events, "process")) == 1
    monitor.conditions.unmark("arrosage")
    assert findings([*monitor.feed(second), *monitor.finish()], "process") == []


def test_a_restart_changes_nothing() -> None:
    given = rows(2400)
    given.values[1600:, 2:6] *= 3.0
    given.values[1700:, 6] -= 1.0
    whole = Monitor(settings(), PLAN)
    expected = [event for event in replay(whole, pieces(given, itertools.repeat(1500))) if isinstance(event, Finding)]
    first, second = Monitor(settings(), PLAN), Monitor(settings(), PLAN)
    before, after = pieces(given, itertools.repeat(1500))
    begun = [event for event in [*first.feed(before), *first.finish()] if isinstance(event, Finding)]
    second.restore(first.state())
    rest = [event for event in [*second.feed(after), *second.finish()] if isinstance(event, Finding)]
    assert [(f.kind, f.channel, f.finished) for f in begun + rest] == [(f.kind, f.channel, f.finished) for f in expected]
    assert len(expected) == 2
    saved = msgspec.msgpack.encode(second.conditions.saved().groups)
    assert msgspec.msgpack.encode(whole.conditions.saved().groups) == saved


def test_a_group_of_other_channels_is_learned_again() -> None:
    monitor = Monitor(settings(vibration=False), PLAN)
    replay(monitor, [rows(1200)])
    fewer = msgspec.structs.replace(settings(vibration=False), group=(GroupOptions(name="arrosage", channels=UNIT[:2], learn=200),))
    other = Monitor(fewer, PLAN)
    other.restore(monitor.state())
    assert not other.conditions.groups[0].judge.ready


def test_a_polled_figure_is_shown_among_the_values_not_as_a_lost_stream() -> None:
    monitor = Monitor(settings(group=False), PLAN)
    replay(monitor, [rows(40)])
    snapshot = monitor.snapshot()
    assert snapshot.vibrations == ()
    assert set(FIGURES) <= set(snapshot.values)
