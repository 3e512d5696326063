"""What is told on change only goes on until the next word, and is counted as long as it does."""

from __future__ import annotations

import math
import tracemalloc

import msgspec
import numpy as np
import pytest

from agent.maintenance import plan
from agent.model import Cut
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.segment import Fill
from agent.segment.fill import MOST
from agent.settings import ChannelOptions, MachineOptions, MachineSettings, SpindleOptions
from agent.timeline import Rows, Timeline
from drivers.model import Quality, Readings


def settings(hold: float | None = math.inf) -> MachineSettings:
    """A spindle whose load and speed are told on change."""
    channels = (
        ChannelOptions(name="load", role="spindle.load", hold=hold),
        ChannelOptions(name="speed", role="spindle.speed", hold=hold),
        ChannelOptions(name="tool", role="tool", hold=math.inf),
    )
    return MachineSettings(machine=MachineOptions(name="essai"), spindle=(SpindleOptions(name="S1"),), channel=channels)


def rows(*events: tuple[float, float, float]) -> Rows:
    """Time, load, speed."""
    table = np.array(events)
    values = np.column_stack([table[:, 1:], np.ones(len(table))])
    return Rows(table[:, 0], values, np.zeros(values.shape, np.uint8), np.ones(values.shape, dtype=bool))


def filled(given: MachineSettings, *pieces: Rows) -> list[tuple[float, float, bool]]:
    """Time, load and whether it was told, over all pieces."""
    fill = Fill(given, Timeline(given.channel, 0.0, [math.inf] * 3, given.spindle))
    out = [fill.rows(piece) for piece in pieces]
    return [(t, v, bool(f)) for r in out for t, v, f in zip(r.time.tolist(), r.values[:, 0].tolist(), r.fresh.any(axis=1), strict=True)]


def test_a_turning_spindle_is_filled_once_a_second_with_what_was_said_before() -> None:
    got = filled(settings(), rows((0.0, 5.0, 900.0), (3.2, 30.0, 900.0), (4.0, 5.0, 900.0)))
    assert got == [(0.0, 5.0, True), (1.0, 5.0, False), (2.0, 5.0, False), (3.2, 30.0, True), (4.0, 5.0, True)]


def test_a_standing_one_is_not_and_neither_is_one_that_is_polled() -> None:
    still = rows((0.0, 5.0, 0.0), (9.0, 30.0, 900.0))
    assert [told for _, _, told in filled(settings(), still)] == [True, True]
    turning = rows((0.0, 5.0, 900.0), (9.0, 30.0, 900.0))
    assert [told for _, _, told in filled(settings(10.0), turning)] == [True, True]


def test_a_load_that_is_not_believed_is_not_filled() -> None:
    gone = rows((0.0, 5.0, 900.0), (9.0, 30.0, 900.0))
    gone.quality[0, 0] = Quality.UNAVAILABLE
    assert len(filled(settings(), gone)) == 2


def test_a_night_is_not_filled_to_its_end() -> None:
    assert len(filled(settings(), rows((0.0, 5.0, 900.0), (50_000.0, 5.0, 900.0)))) == MOST + 2


def test_the_pieces_do_not_matter_and_the_step_follows_the_source() -> None:
    time = np.cumsum(np.tile([4.1, 4.1, 12.3, 4.1], 64))
    events = [(float(t), float(i % 7), 900.0) for i, t in enumerate(time)]
    whole = filled(settings(), rows(*events))
    assert whole == filled(settings(), *(rows(event) for event in events))
    assert whole == filled(settings(), *(rows(*events[a : a + 50]) for a in range(0, len(events), 50)))
    late = [t for t, _, told in whole if not told and t > time[100]]
    assert np.diff(late).min() == pytest.approx(4.1)


def test_rows_that_lie_months_apart_take_no_more_room_than_a_night() -> None:
    given = settings()
    monitor = Monitor(given, plan(DataPaths.find(None)))
    time = np.array([0.0, 1.0, 2.0, 2.0e7, 2.0e7 + 1.0])
    values = np.column_stack([np.ones(5), np.full(5, 900.0), np.ones(5)])
    tracemalloc.start()
    monitor.feed(Readings("x", ("load", "speed", "tool"), time, values, np.zeros(values.shape, np.uint8)))
    monitor.finish()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50e6


def test_the_work_of_a_constant_cut_is_its_height_times_its_length() -> None:
    """Idle 1, a cut of 31 told by two values 40 s apart, twenty times."""
    events: list[tuple[float, float]] = []
    for part in range(20):
        start = 100.0 * part
        events += [(start + 0.5 * k, 1.0 + 0.25 * (k % 2)) for k in range(20)]
        events += [(start + 40.0, 31.0), (start + 80.0, 1.0)]
    events += [(2000.0 + 0.5 * k, 1.0 + 0.25 * (k % 2)) for k in range(20)]
    time = np.array([t for t, _ in events])
    values = np.column_stack([[x for _, x in events], np.full(len(events), 900.0), np.ones(len(events))])
    given = settings()
    monitor = Monitor(msgspec.structs.replace(given), plan(DataPaths.find(None)))
    marks = np.zeros(values.shape, np.uint8)
    told = monitor.feed(Readings("x", ("load", "speed", "tool"), time, values, marks)) + monitor.finish()
    cuts = [event for event in told if isinstance(event, Cut) and event.phase == "closed"]
    assert len(cuts) == 20
    assert [cut.features.work for cut in cuts[3:]] == [pytest.approx(30.0 * 40.0, rel=0.06)] * 17
