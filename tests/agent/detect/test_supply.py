"""Off, or lost? The whole pass over a lathe whose drive and control hang on the main switch, and whose meter does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from agent.detect.supply import DECIDED
from agent.maintenance import plan
from agent.model import Alert, Coverage, Event, Word
from agent.monitor import Monitor
from agent.monitor.monitor import LOOK
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
    back: float = math.inf
    again: float = math.inf
    """It is lost a second time, after `back`."""
    update: float | None = None
    rarely: dict[str, float] = field(default_factory=dict)
    """Channels with an `every` of their own, s."""
    step: float = 0.0
    """s between two of its values; default: `every`."""
    hold: float | None = None
    unbelieved: tuple[str, ...] = ()
    """Channels that are BAD for the last 5 s before the switch."""

    def there(self, t: float) -> bool:
        return t < self.lost_at or self.back <= t < self.again


DRIVE = Source("drive", 0.1, ("load", "speed"))
CONTROL = Source("control", 0.5, ("tool", "cycle"), told=1.0)
PROBES = (0.0, 0.5, 1.5, 3.5, 7.5, 15.5)
METER = Source("meter", 1.0, ("power",), "own", float("inf"))
ROLES = {"load": "spindle.load", "speed": "spindle.speed", "tool": "tool", "cycle": "cycle", "power": "other", "power_on": "power_on"}


def value(channel: str, t: float, turning: float) -> float:
    cut = 20.0 <= t < 30.0
    return {
        "load": 40.0 if cut else 3.0,
        "speed": 1500.0 if t >= turning or 10.0 <= t < 33.0 else 0.0,
        "tool": 1.0,
        "cycle": float(15.0 <= t < 32.0),
        "power": 2.0,
        "power_on": 1.0,
    }[channel]


def run(*sources: Source, turning: float = math.inf, until: float = 70.0) -> tuple[Monitor, list[Event]]:
    """`turning`: s from the start after which the spindle turns whatever the program says."""
    settings = MachineSettings(
        machine=MachineOptions(name="m"),
        bus=tuple(BusOptions(name=s.name, framing="tcp", host="h") for s in sources),
        source=tuple(
            SourceOptions(name=s.name, bus=s.name, device="d", every=s.every, supply=s.supply, update=s.update)  # type: ignore[arg-type]
            for s in sources
        ),
        channel=tuple(
            ChannelOptions(
                name=c,
                role=ROLES[c],  # type: ignore[arg-type]
                source=f"{s.name}.{c}",
                every=s.rarely.get(c),
                hold=s.hold,
            )
            for s in sources
            for c in s.channels
        ),
    )
    rows: list[tuple[float, Readings]] = []
    for s in sources:
        step = s.step or s.every
        for t in (START + k * step for k in range(math.ceil(until / step))):
            if s.there(t):
                values = np.array([[value(c, t - START, turning) for c in s.channels]])
                quality = np.array([[Quality.BAD if c in s.unbelieved and t >= STOP - 5.0 else Quality.GOOD for c in s.channels]], np.uint8)
                rows.append((t, Readings(s.name, s.channels, np.array([t]), values, quality)))
        missed = [at + s.told + after for at in (s.lost_at, s.again) for after in PROBES if at < START + until]
        rows += [(t, lost_row(s.name, s.channels, t)) for t in missed if not s.there(t)]
    monitor = Monitor(settings, PLAN)
    events: list[Event] = []
    at = START
    for t, row in sorted(rows, key=lambda pair: pair[0]):
        while at + 0.5 <= t:
            at += 0.5
            events += monitor.tick(at)
        events += monitor.feed(row)
    events += monitor.tick(START + until)
    return monitor, events


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


@pytest.mark.parametrize("every", [3.0, 5.0])
def test_a_slow_one_that_must_first_be_missed_is_waited_for_without_an_alert(every: float) -> None:
    slow = Source("control", every, ("tool", "cycle"), told=2.0 * every)
    monitor, events = run(DRIVE, slow, METER)
    assert words(events)[-1] is Word.OFF
    assert told(events) == []
    assert monitor.off


def test_one_that_is_missed_later_than_that_is_told_and_taken_back_once_it_is_off() -> None:
    monitor, events = run(DRIVE, Source("control", 2.0, ("tool", "cycle"), told=10.0, hold=30.0), METER)
    assert told(events) == ["sensor"]
    assert words(events)[-1] is Word.OFF
    assert all(alert.returned for alert in monitor.desk.alerts.open)


RARE = {
    "its only channel is asked rarely": Source("control", 0.5, ("tool",), told=4.0, rarely={"tool": 20.0}, step=20.0, hold=60.0),
    "it renews its values rarely": Source("control", 0.5, ("tool",), update=15.0, step=15.0, hold=60.0),
}


@pytest.mark.parametrize("rare", RARE.values(), ids=RARE.keys())
def test_what_says_something_rarely_went_with_the_others_all_the_same(rare: Source) -> None:
    _, events = run(DRIVE, rare, METER)
    assert words(events)[-1] is Word.OFF
    assert told(events) == []


@pytest.mark.parametrize("hold", [1800.0, math.inf])
def test_one_that_may_say_nothing_for_long_does_not_keep_a_loss_from_being_told(hold: float) -> None:
    there = Source("control", 0.5, ("tool",), lost_at=math.inf, rarely={"tool": 600.0}, step=600.0, hold=hold)
    _, events = run(DRIVE, there, METER)
    alert = next(event for event in events if isinstance(event, Alert))
    assert alert.raised <= STOP + DRIVE.told + DECIDED + 2 * LOOK


AGAIN = {
    "the drive is first": (Source("drive", 0.1, DRIVE.channels, back=STOP + 20.0, again=STOP + 40.0), CONTROL, METER),
    "the control is first": (DRIVE, Source("control", 0.5, CONTROL.channels, told=1.0, back=STOP + 20.0, again=STOP + 40.0), METER),
}


@pytest.mark.parametrize("sources", AGAIN.values(), ids=AGAIN.keys())
def test_off_again_before_all_of_it_was_up_is_off_without_an_alert(sources: tuple[Source, ...]) -> None:
    monitor, events = run(*sources, until=120.0)
    assert [word for word in words(events) if word is Word.OFF] == [Word.OFF, Word.OFF]
    assert monitor.off
    assert told(events) == []


def test_lost_while_it_turns_before_all_of_it_was_up_is_no_switch() -> None:
    monitor, events = run(*AGAIN["the drive is first"], turning=70.0, until=120.0)
    assert words(events)[-1] is Word.LOST
    assert not monitor.off
    assert "sensor" in told(events)


@dataclass(frozen=True)
class Fault:
    sources: tuple[Source, ...]
    turning: float = math.inf


CONTROL_STAYS = Source("control", 0.5, ("tool", "cycle"), lost_at=float("inf"))
FAULTS = {
    "only the drive": Fault((DRIVE, CONTROL_STAYS, METER)),
    "the control much later": Fault((DRIVE, Source("control", 0.5, ("tool", "cycle"), lost_at=STOP + 8.0), METER)),
    "while the spindle turns": Fault((DRIVE, CONTROL, METER), turning=0.0),
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
    "the control much later, and another of its channels is rare": Fault(
        (DRIVE, Source("control", 0.5, CONTROL.channels, lost_at=STOP + 8.0, rarely={"cycle": 20.0}), METER)
    ),
    "its speed is not believed": Fault((Source("drive", 0.1, ("load", "speed"), unbelieved=("speed",)), CONTROL, METER)),
    "nobody says its speed": Fault((Source("drive", 0.1, ("load",)), CONTROL, METER)),
    "its speed was lost while it turned": Fault((Source("drive", 0.1, ("load", "speed"), "own", START + 30.0), CONTROL)),
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
    assert not after.desk.alerts.open
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


def test_off_again_after_a_restart_before_all_of_it_was_up() -> None:
    before, _ = run(DRIVE, CONTROL, METER)
    after = Monitor(before.settings, PLAN)
    after.restore(before.state())
    later = START + 1000.0
    for name, channels in (("drive", DRIVE.channels), ("control", CONTROL.channels)):
        after.feed(lost_row(name, channels, later))
    after.tick(later + 60.0)
    for k in range(200):
        time = np.array([later + 60.0 + 0.1 * k])
        after.feed(Readings("drive", DRIVE.channels, time, np.array([[3.0, 0.0]]), np.zeros((1, 2), np.uint8)))
    assert not after.off
    after.feed(lost_row("drive", DRIVE.channels, later + 80.5))
    for k in range(120):
        after.tick(later + 81.0 + 0.5 * k)
    assert after.snapshot().coverage.word is Word.OFF
    assert not after.desk.alerts.open
