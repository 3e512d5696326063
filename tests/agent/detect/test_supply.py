"""Off, or lost? The whole pass over a lathe whose drive and control hang on the main switch, and whose meter does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from agent.maintenance import plan
from agent.model import Alert, Coverage, Event, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from drivers.model import Quality, Readings, lost_row
from drivers.options import BusOptions, SourceOptions

PLAN = plan(DataPaths.find(None))
START = 1_700_000_000.0
CUT = START + 25.0
STOP = START + 40.0
"""The main switch; a cut lasts from 20 to 30 s."""


@dataclass(frozen=True)
class Source:
    name: str
    every: float
    channels: tuple[str, ...]
    supply: str = "machine"
    lost_at: float = STOP
    told: float = 0.5
    """s after which its driver says that it is lost."""
    back: float = float("inf")


DRIVE = Source("drive", 0.1, ("load", "speed"))
CONTROL = Source("control", 0.5, ("tool", "cycle"), told=1.0)
PROBES = (0.0, 0.5, 1.5, 3.5, 7.5, 15.5)
METER = Source("meter", 1.0, ("power",), "own", float("inf"))
ROLES = {"load": "spindle.load", "speed": "spindle.speed", "tool": "tool", "cycle": "cycle", "power": "other", "power_on": "power_on"}


def value(channel: str, t: float, turning: bool) -> float:
    cut = 20.0 <= t < 30.0
    return {
        "load": 40.0 if cut else 3.0,
        "speed": 1500.0 if turning or 10.0 <= t < 33.0 else 0.0,
        "tool": 1.0,
        "cycle": float(15.0 <= t < 32.0),
        "power": 2.0,
        "power_on": 1.0,
    }[channel]


def run(*sources: Source, turning: bool = False, until: float = 70.0) -> tuple[Monitor, list[Event]]:
    settings = MachineSettings(
        machine=MachineOptions(name="m"),
        bus=tuple(BusOptions(name=s.name, framing="tcp", host="h") for s in sources),
        source=tuple(SourceOptions(name=s.name, bus=s.name, device="d", every=s.every, supply=s.supply) for s in sources),  # type: ignore[arg-type]
        channel=tuple(
            ChannelOptions(name=c, role=ROLES[c], source=f"{s.name}.{c}")  # type: ignore[arg-type]
            for s in sources
            for c in s.channels
        ),
    )
    rows: list[tuple[float, Readings]] = []
    for s in sources:
        for k in range(int(until / s.every)):
            t = START + k * s.every
            if t < s.lost_at or t >= s.back:
                values = np.array([[value(c, t - START, turning) for c in s.channels]])
                rows.append((t, Readings(s.name, s.channels, np.array([t]), values, np.zeros(values.shape, np.uint8))))
        if s.lost_at < START + until:
            rows += [
                (s.lost_at + s.told + k, lost_row(s.name, s.channels, s.lost_at + s.told + k)) for k in (0.0, 0.5, 1.5, 3.5, 7.5, 15.5)
            ]
    monitor = Monitor(settings, PLAN)
    events: list[Event] = []
    at = START
    for t, row in sorted(((t, row) for t, row in rows if not t >= _back(sources, row.source) or _good(row)), key=lambda pair: pair[0]):
        while at + 0.5 <= t:
            at += 0.5
            events += monitor.tick(at)
        events += monitor.feed(row)
    events += monitor.tick(START + until)
    return monitor, events


def _back(sources: tuple[Source, ...], name: str) -> float:
    return next(s.back for s in sources if s.name == name)


def _good(row: Readings) -> bool:
    return bool((row.quality == Quality.GOOD).all())


def told(events: list[Event]) -> list[str]:
    return [event.kind for event in events if isinstance(event, Alert) and event.transition == "raised"]


def words(events: list[Event]) -> list[Word]:
    """From the switch on."""
    return [event.word for event in events if isinstance(event, Coverage) and event.time >= STOP]


def test_all_of_it_gone_together_while_idle_is_off_without_an_alert() -> None:
    monitor, events = run(DRIVE, CONTROL, METER)
    assert words(events)[-1] is Word.OFF
    assert monitor.snapshot().coverage.reason == "machine_off"
    off = next(event.time for event in events if isinstance(event, Coverage) and event.word is Word.OFF)
    assert off - STOP <= 2.0
    assert told(events) == []


def test_a_slow_one_that_must_first_be_missed_is_waited_for_without_an_alert() -> None:
    slow = Source("control", 5.0, ("tool", "cycle"), told=10.0)
    monitor, events = run(DRIVE, slow, METER)
    assert words(events)[-1] is Word.OFF
    assert told(events) == []
    assert monitor.off


@dataclass(frozen=True)
class Fault:
    sources: tuple[Source, ...]
    turning: bool = False


CONTROL_STAYS = Source("control", 0.5, ("tool", "cycle"), lost_at=float("inf"))
FAULTS = {
    "only the drive": Fault((DRIVE, CONTROL_STAYS, METER)),
    "the control much later": Fault((DRIVE, Source("control", 0.5, ("tool", "cycle"), lost_at=STOP + 8.0), METER)),
    "while the spindle turns": Fault((DRIVE, CONTROL, METER), turning=True),
    "while cutting": Fault(
        (
            Source("drive", 0.1, ("load", "speed"), lost_at=START + 25.0),
            Source("control", 0.5, ("tool", "cycle"), lost_at=START + 25.0),
            METER,
        )
    ),
    "with what has a supply of its own": Fault((DRIVE, CONTROL, Source("meter", 1.0, ("power",), "own", STOP))),
    "nothing is said to be on its supply": Fault((Source("drive", 0.1, ("load", "speed"), "own"), METER)),
    "a register says that it is on": Fault((DRIVE, CONTROL, Source("io", 0.5, ("power_on",), "own", float("inf")))),
    "one was never there": Fault((DRIVE, Source("control", 0.5, ("tool", "cycle"), lost_at=START - 1.0), METER)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_anything_else_is_lost_and_somebody_is_told(fault: Fault) -> None:
    monitor, events = run(*fault.sources, turning=fault.turning)
    assert words(events)[-1:] in ([Word.LOST], [])
    assert monitor.snapshot().coverage.word is Word.LOST
    assert Word.OFF not in [event.word for event in events if isinstance(event, Coverage)]
    assert "sensor" in told(events)


def test_switched_on_again_it_is_watched_again_and_a_slow_start_is_no_loss() -> None:
    drive = Source("drive", 0.1, ("load", "speed"), back=STOP + 20.0)
    control = Source("control", 0.5, ("tool", "cycle"), told=1.0, back=STOP + 32.0)
    monitor, events = run(drive, control, METER, until=90.0)
    assert Word.OFF in words(events)
    assert words(events)[-1] not in {Word.OFF, Word.LOST}
    assert told(events) == []
    assert not monitor.off


def test_off_outlives_a_restart_until_something_is_heard() -> None:
    before, _ = run(DRIVE, CONTROL, METER)
    after = Monitor(before.settings, PLAN)
    after.restore(before.state())
    later = START + 1000.0
    after.feed(lost_row("drive", DRIVE.channels, later))
    after.tick(later + 60.0)
    assert after.snapshot().coverage.word is Word.OFF
    assert not after.alerts.open
    values = np.array([[3.0, 0.0]])
    for k in range(20):
        after.feed(Readings("drive", DRIVE.channels, np.array([later + 61.0 + 0.1 * k]), values, np.zeros((1, 2), np.uint8)))
    after.tick(later + 64.0)
    assert not after.off


def test_how_the_rows_are_batched_does_not_matter() -> None:
    """What is looked at is the same at the same times."""
    monitor, events = run(DRIVE, CONTROL, METER)
    again, twice = run(METER, CONTROL, DRIVE)
    assert words(events) == words(twice)
    assert monitor.off
    assert again.off
