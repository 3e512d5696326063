"""Looks that are left out, and looks at growing cuts that are not told, change nothing: whole batches against batches of few rows.

Few rows span less than two looks, so that no look is left out; and the segmenter of the second monitor tells each look.
"""

from __future__ import annotations

import dataclasses
import itertools

import msgspec
import numpy as np
import pytest

from agent.detect import looks
from agent.maintenance import plan
from agent.model import Cut, Event
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineSettings, SpindleOptions
from drivers.model import Quality, Readings
from drivers.options import BusOptions, SourceOptions
from tests.agent.test_monitor_warming import warmed
from tests.support.lathe import START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
FAULTS = {
    "none": Faults(),
    "broken": Faults(broken={4: (7, 0.5, 10)}),
    "wear": Faults(wear={2: (5, 0.08)}),
    "missing": Faults(missing={1: range(8, 11)}),
    "heavy": Faults(batch=(8, 1.9)),
    "override": Faults(override=range(7, 10)),
    "lost": Faults(lost=(50.0, 62.0)),
}


def told(machine: MachineSettings, readings: Readings, length: int, *, every: bool = False) -> tuple[list[Event], bytes, int]:
    """Events without looks at growing cuts, the state at the end, and how often was looked."""
    monitor = Monitor(machine, PLAN)
    looked = 0
    plain = monitor.sensors.look

    def look(*given: object, **named: object) -> object:
        nonlocal looked
        looked += 1
        return plain(*given, **named)  # type: ignore[arg-type]

    monitor.sensors.look = look  # type: ignore[method-assign, assignment]
    if every:
        for segmenter in monitor.segmenters.values():
            segmenter.listened(lambda cut, key: looks.EVERY)
    events: list[Event] = []
    for piece in pieces(readings, itertools.repeat(length)):
        events.extend(monitor.feed(piece))
    events.extend(monitor.finish())
    return [event for event in events if not (isinstance(event, Cut) and event.phase == "grown")], monitor.state(), looked


def both(machine: MachineSettings, readings: Readings) -> tuple[int, int]:
    """How often was looked in one batch and in small ones, which told the same."""
    events, state, looked = told(machine, readings, len(readings.time))
    few = int(0.45 / float(np.median(np.diff(readings.time))))
    slowly, expected, each = told(machine, readings, few, every=True)
    assert events == slowly
    assert msgspec.msgpack.decode(state) == msgspec.msgpack.decode(expected)
    return looked, each


@pytest.mark.parametrize("slower", [1.0, 3.0])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("context", [{}, {"part": False, "cycle": False}, {"speed": False}], ids=["all", "no cycle", "no speed"])
def test_the_same_is_told(fault: str, context: dict[str, bool], slower: float) -> None:
    """A part of the hand-made lathe has hardly a calm second; three times slower it has many."""
    readings = rows(12, FAULTS[fault], seed=3)
    readings = dataclasses.replace(readings, time=START + slower * (readings.time - START))
    looked, each = both(settings(**context), readings)
    assert looked < each if slower == 1.0 else looked < 0.7 * each


@pytest.mark.parametrize("at", [0, 12])
@pytest.mark.parametrize("context", [{}, {"part": False, "cycle": False}], ids=["all", "no cycle"])
def test_a_warm_up_ends_at_the_same_look(context: dict[str, bool], at: int) -> None:
    """It ends with the first cut, while that grows: then no look at it may go untold."""
    readings, _, _ = warmed(rows(16, seed=3), at)
    readings = dataclasses.replace(readings, time=START + 3.0 * (readings.time - START))
    looked, each = both(settings(**context), readings)
    assert looked < 0.7 * each


def test_two_spindles_an_axis_and_sources_of_their_own() -> None:
    """The second spindle cuts elsewhere; its load and the axis are read half as often; the drive falls silent for a while."""
    first, second = rows(12, Faults(broken={4: (7, 0.5, 10)}), seed=3), rows(12, seed=4)
    n = len(first.time)
    later = np.roll(second.values[:, 0], 31)
    axis = 2.0 + 0.2 * later + np.random.default_rng(1).normal(0.0, 0.05, n)
    odd = np.arange(n) % 2 == 1
    values = np.column_stack([first.values, later, axis])
    quality = np.column_stack([first.quality, np.where(odd, 0, Quality.ABSENT), np.where(odd, 0, Quality.ABSENT)]).astype(np.uint8)
    gone = (first.time - START > 40.0) & (first.time - START < 48.0)
    quality[gone] = np.where(quality[gone] == Quality.ABSENT, quality[gone], Quality.UNAVAILABLE)
    values[quality != 0] = np.nan
    names = (*first.channels, "load2", "z")
    base = settings()
    source = {"load": "drive.load", "speed": "drive.speed", "load2": "drive.load2", "z": "drive.z"}
    more = (
        ChannelOptions(name="load2", role="spindle.load", spindle="S2", unit="%", hold=1.0),
        ChannelOptions(name="z", role="axis.load", spindle="S2", unit="A", hold=1.0),
    )
    channel = tuple(msgspec.structs.replace(c, source=source.get(c.name, f"control.{c.name}"), hold=1.0) for c in (*base.channel, *more))
    machine = msgspec.structs.replace(
        base,
        spindle=(SpindleOptions(name="S1"), SpindleOptions(name="S2")),
        bus=(BusOptions(name="b", framing="tcp", host="127.0.0.1"),),
        source=tuple(
            SourceOptions(name=name, bus="b", device="d", address=1, every=0.05, supply="machine") for name in ("drive", "control")
        ),
        channel=channel,
    )
    looked, each = both(machine, Readings("lathe", names, first.time, values, quality))
    assert looked < each


def test_an_axis_that_is_read_between_the_loads() -> None:
    first = rows(6, seed=3)
    n = len(first.time)
    time = np.sort(np.concatenate([first.time, first.time + 0.025]))
    values, quality = (
        np.full((2 * n, first.values.shape[1] + 1), np.nan),
        np.full((2 * n, first.values.shape[1] + 1), Quality.ABSENT, np.uint8),
    )
    values[0::2, :-1], quality[0::2, :-1] = first.values, first.quality
    values[1::2, -1], quality[1::2, -1] = 3.0, 0
    base = settings()
    channel = (*base.channel, ChannelOptions(name="z", role="axis.load", unit="A", hold=1.0))
    looked, each = both(msgspec.structs.replace(base, channel=channel), Readings("lathe", (*first.channels, "z"), time, values, quality))
    assert looked < each
