"""A machine that tells its load on change, once a second and in steps: a tool that is not there is told by its visit."""

from __future__ import annotations

import math

import numpy as np

from agent.maintenance import plan
from agent.model import Alert, Cut, Word
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
    promise = monitor.watch.promise(monitor.watch.state.baselines["S1/P7/r1/T2/~1"])
    assert promise is not None
    assert promise.missing
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.PROVISIONAL


def test_a_restart_keeps_what_was_learned_of_the_visits() -> None:
    item, over = recording()
    whole = Monitor(settings(), plan(DataPaths.find(None)))
    row = int(np.searchsorted(item.time, over - 200.0))
    pieces = [
        Readings(item.source, item.channels, item.time[part], item.values[part], item.quality[part], item.words)
        for part in (slice(0, row), slice(row, None))
    ]
    whole.feed(pieces[0])
    whole.finish()
    again = Monitor(settings(), plan(DataPaths.find(None)))
    again.restore(whole.state())
    events = [*again.feed(pieces[1]), *again.finish()]
    assert [(event.kind, event.tool) for event in events if isinstance(event, Alert) and event.transition == "raised"] == [("missing", "2")]
