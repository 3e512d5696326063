"""A machine that tells its load on change, once a second and in steps: a tool that is not there is told by its visit."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from agent.maintenance import plan
from agent.model import Alert, Coverage, Cut, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineOptions, MachineSettings, SpindleOptions
from drivers.model import Quality, Readings, Words

PARTS, GONE, SEED = 20, 15, 7
EVERY = 1.0
NAMES = ("load", "speed", "tool", "program")


def settings() -> MachineSettings:
    channels = (
        ChannelOptions(name="load", role="spindle.load", hold=math.inf),
        ChannelOptions(name="speed", role="spindle.speed", hold=math.inf),
        ChannelOptions(name="tool", role="tool", hold=math.inf),
        ChannelOptions(name="program", role="program", hold=math.inf),
    )
    return MachineSettings(machine=MachineOptions(name="essai"), spindle=(SpindleOptions(name="S1"),), channel=channels)


def recording() -> tuple[Readings, float]:
    """`PARTS` parts of two tools; tool 2 is not there in part `GONE`. With the time at which its visit ends."""
    random = np.random.default_rng(SEED)
    rows: list[tuple[float, float, float, float]] = []
    now, over = 0.0, 0.0
    for part in range(PARTS):
        for tool, height in ((1.0, 14.0), (2.0, 30.0)):
            for k in range(40):
                cutting = 8 <= k < 32 and not (tool == 2.0 and part == GONE)
                load = 2.0 + random.integers(0, 2) + (round(height + random.normal(0.0, 1.0)) if cutting else 0.0)
                rows.append((now, load, 900.0, tool))
                now += EVERY
            over = now if tool == 2.0 and part == GONE else over
    table = np.array(rows)
    values = np.column_stack([table[:, 1:], np.full(len(table), -1.0)])
    words = Words()
    assert words.code("P7") == -1.0
    return Readings("log", NAMES, table[:, 0], values, np.full(values.shape, Quality.GOOD, np.uint8), words.seen()), over


def part(item: Readings, start: int, stop: int) -> Readings:
    """Some of the rows."""
    its = slice(start, stop)
    return Readings(item.source, item.channels, item.time[its], item.values[its], item.quality[its], item.words)


def test_a_missing_tool_is_told_as_its_visit_ends_and_nothing_else_is() -> None:
    monitor = Monitor(settings(), plan(DataPaths.find(None)))
    item, over = recording()
    events = [*monitor.feed(item), *monitor.finish()]
    cuts = [event for event in events if isinstance(event, Cut)]
    visits = [cut for cut in cuts if cut.operation.section.startswith("~")]
    assert len(visits) >= 2 * PARTS - 3
    assert {cut.operation.key for cut in visits} == {"S1/P7/r1/T1/~1", "S1/P7/r1/T2/~1"}
    alerts = [event for event in events if isinstance(event, Alert) and event.transition == "raised"]
    assert [(alert.kind, alert.tool) for alert in alerts] == [("missing", "2")]
    assert abs(alerts[0].raised - over) <= EVERY
    promise = monitor.watch.outlook.promise(monitor.watch.state.baselines["S1/P7/r1/T2/~1"])
    assert promise is not None
    assert promise.missing
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.PROVISIONAL


def test_a_restart_keeps_what_was_learned_of_the_visits() -> None:
    item, over = recording()
    whole = Monitor(settings(), plan(DataPaths.find(None)))
    row = int(np.searchsorted(item.time, over - 200.0))
    whole.feed(part(item, 0, row))
    whole.finish()
    again = Monitor(settings(), plan(DataPaths.find(None)))
    again.restore(whole.state())
    events = [*again.feed(part(item, row, len(item.time))), *again.finish()]
    assert [(event.kind, event.tool) for event in events if isinstance(event, Alert) and event.transition == "raised"] == [("missing", "2")]


def test_a_weekend_of_silence_changes_nothing_however_the_rows_are_batched() -> None:
    """Rows of which the first after a silence says that cuts may not be judged, and a later one that they may."""
    item, _ = recording()
    n = len(item.time)
    words = Words()
    assert [words.code(word) for word in ("P7", "MANUAL", "AUTOMATIC")] == [-1.0, -2.0, -3.0]
    later, back = n // 2 + 5, n // 2 + 25
    mode = np.where((np.arange(n) >= later) & (np.arange(n) < back), -2.0, -3.0)
    time = item.time + np.where(np.arange(n) >= later, 3 * 86400.0, 0.0)
    values = np.column_stack([item.values, mode])
    readings = Readings("log", (*NAMES, "mode"), time, values, np.full(values.shape, Quality.GOOD, np.uint8), words.seen())
    given = settings()
    given = msgspec.structs.replace(given, channel=(*given.channel, ChannelOptions(name="mode", role="mode", hold=math.inf)))
    told = []
    for size in (n, 64, 1):
        monitor = Monitor(given, plan(DataPaths.find(None)))
        events = [event for at in range(0, n, size) for event in monitor.feed(part(readings, at, at + size))]
        told.append([*events, *monitor.finish()])
    assert any(isinstance(event, Coverage) and event.reason == "mode" for event in told[0])
    assert told[0] == told[1] == told[2]
