"""A growing cut that runs above its band, through the pass: no gross limit sees it, and the picture shows it."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np

from agent.maintenance import plan
from agent.model import Alert, Event
from agent.monitor import Monitor
from agent.paths import DataPaths
from drivers.model import Readings
from tests.support.lathe import CUTS, PART, START, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
HARD = 16


def stepped(parts: int, hard: tuple[float, float] | None) -> Readings:
    """Tool 4 takes half of its load in the second half of its cut; in part `HARD` from and to these s of it all of it."""
    readings = rows(parts)
    inside, part = (readings.time - START) % PART, (readings.time - START) // PART
    start, duration, _, _ = CUTS[4]
    light = (inside > start + 0.5 * duration) & (inside < start + duration)
    if hard is not None:
        light &= ~((part == HARD) & (inside > start + hard[0]) & (inside < start + hard[1]))
    values = readings.values.copy()
    idle = 3.0 + values[:, 1] / 500.0
    values[:, 0] = np.where(light, idle + 0.5 * (values[:, 0] - idle), values[:, 0])
    return Readings(readings.source, readings.channels, readings.time, values, readings.quality)


def run(readings: Readings) -> tuple[Monitor, list[Alert]]:
    monitor = Monitor(settings(), PLAN)
    events: list[Event] = [event for piece in pieces(readings, itertools.repeat(19)) for event in monitor.feed(piece)]
    events += monitor.finish()
    return monitor, [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def test_a_hard_spot_in_a_light_stretch_is_told_in_the_same_cut_with_its_picture() -> None:
    monitor, alerts = run(stepped(HARD + 1, (0.75, 1.5)))
    (alert,) = alerts
    assert (alert.kind, alert.tool, alert.severity, alert.evidence["band"]) == ("overload", "4", "warning", True)
    moment = alert.raised - (START + HARD * PART + CUTS[4][0])
    assert 0.9 < moment < 1.5
    (why,) = monitor.snapshot().explanations
    assert (why.against, why.n > 9) == ("good_cuts", True)
    assert why.picture is not None
    assert why.picture.low
    assert why.picture.limit == alert.evidence["limit"]


def test_good_cuts_with_a_step_and_one_that_comes_a_little_later_raise_nothing() -> None:
    assert run(stepped(HARD + 9, None))[1] == []
    assert run(stepped(HARD + 1, (0.75, 0.85)))[1] == []


def test_how_readings_come_in_pieces_does_not_matter() -> None:
    def told(piece: int) -> list[bytes]:
        monitor = Monitor(settings(), PLAN)
        events = [e for part in pieces(stepped(HARD + 2, (0.75, 1.5)), itertools.repeat(piece)) for e in monitor.feed(part)]
        return [msgspec.json.encode(event) for event in events + monitor.finish()]

    assert told(3) == told(64) == told(10**7)
