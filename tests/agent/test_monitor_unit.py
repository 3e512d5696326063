"""The load changes its unit between two runs: what was learned in the old one is no limit in the new one."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from agent.maintenance import plan
from agent.model import Alert, Cut, Event, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineSettings
from drivers.model import Readings
from tests.support import lathe
from tests.support.lathe import PART, STEP, Faults

PLAN = plan(DataPaths.find(None))
LEARNED = 8
"""Parts that are made before the machine file is changed; then four more."""


def machine(spindles: int = 1, *, rated_power: float | None = None, unit: str = "kW", **load: float | str) -> MachineSettings:
    """The lathe with its load in `unit`; a second spindle takes the same load."""
    base = lathe.settings()
    channels = [msgspec.structs.replace(base.channel[0], unit=unit, spindle="S1", **load), *base.channel[1:]]
    first = msgspec.structs.replace(base.spindle[0], rated_power=rated_power)
    channels.append(ChannelOptions(name="rated", role="other", hold=1.0))
    if spindles == 2:
        channels.append(ChannelOptions(name="load2", role="spindle.load", unit="%", spindle="S2", hold=1.0))
        channels.append(ChannelOptions(name="speed2", role="spindle.speed", spindle="S2", hold=1.0))
        return msgspec.structs.replace(
            base, channel=tuple(channels), spindle=(first, msgspec.structs.replace(first, name="S2", rated_power=None))
        )
    return msgspec.structs.replace(base, channel=tuple(channels), spindle=(first,))


def halves(faults: Faults | None = None) -> tuple[Readings, Readings]:
    """Readings of the parts before and after."""
    base = lathe.rows(LEARNED + 4, faults)
    values = np.column_stack([base.values, np.full(len(base.time), 50.0), base.values[:, :2]])
    both = Readings(base.source, (*base.channels, "rated", "load2", "speed2"), base.time, values, np.zeros(values.shape, np.uint8))
    first, second = lathe.pieces(both, itertools.chain([round(LEARNED * PART / STEP)], itertools.repeat(len(base.time))))
    return first, second


def learned(settings: MachineSettings, first: Readings) -> Monitor:
    monitor = Monitor(settings, PLAN)
    monitor.feed(first)
    monitor.finish()
    return monitor


def goes_on(monitor: Monitor, second: Readings) -> list[Event]:
    return [event for piece in lathe.pieces(second, itertools.repeat(31)) for event in monitor.feed(piece)] + monitor.finish()


def word(monitor: Monitor) -> Word:
    assert monitor.coverage is not None
    return monitor.coverage.word


CHANGES = {
    "rated_power": (machine(), machine(rated_power=22.0)),
    "rated": (machine(), machine(rated=22.0)),
    "rated is right now": (machine(rated=50.0), machine(rated=20.0)),
    "rated_channel": (machine(), machine(rated_channel="rated")),
    "rated is gone": (machine(rated=20.0), machine()),
}


@pytest.mark.parametrize(("before", "now"), CHANGES.values(), ids=CHANGES)
def test_a_load_in_another_unit_is_learned_again(before: MachineSettings, now: MachineSettings) -> None:
    first, second = halves()
    old = learned(before, first)
    assert word(old) is Word.PROVISIONAL
    new = Monitor(now, PLAN)
    assert new.restore(old.state()) == ("S1",)
    assert new.segmenters["S1"].idle(1500.0) is None
    assert new.counters == old.counters
    events = goes_on(new, second)
    assert [event for event in events if isinstance(event, Alert)] == []
    assert word(new) is Word.LEARNING
    assert {baseline.key for baseline in new.watch.current()} == set(old.watch.state.baselines)
    closed = [event for event in events if isinstance(event, Cut) and event.phase == "closed"]
    assert min(int(cut.id.removeprefix("S1-")) for cut in closed) > old.segmenters["S1"].cuts, "no name is given twice"
    assert Monitor(now, PLAN).restore(new.state()) == (), "once"


@pytest.mark.parametrize("settings", [machine(), machine(rated_power=22.0), machine(rated=22.0), machine(rated_channel="rated")])
def test_in_the_same_unit_nothing_is_lost(settings: MachineSettings) -> None:
    first, second = halves()
    old = learned(settings, first)
    new = Monitor(settings, PLAN)
    assert new.restore(old.state()) == ()
    assert new.state() == old.state()
    assert [event for event in goes_on(new, second) if isinstance(event, Alert)] == []
    assert word(new) is Word.PROVISIONAL


def test_a_state_from_before_units_were_kept() -> None:
    """It was learned from the load as it was read."""
    first, _ = halves()
    old = learned(machine(), first)
    fields = msgspec.msgpack.decode(old.state())
    del fields["spindle_loads"], fields["axis_loads"]
    state = msgspec.msgpack.encode(fields)
    same, other = Monitor(machine(), PLAN), Monitor(machine(rated_power=22.0), PLAN)
    assert same.restore(state) == ()
    assert same.state() == old.state()
    assert other.restore(state) == ("S1",)
    assert other.watch.state.baselines == {}


def test_another_spindle_keeps_what_it_learned() -> None:
    first, second = halves()
    old = learned(machine(2), first)
    new = Monitor(machine(2, rated_power=22.0), PLAN)
    assert new.restore(old.state()) == ("S1",)
    assert set(new.watch.state.baselines) == {key for key in old.watch.state.baselines if key.startswith("S2/")}
    (parts,) = new.watch.state.sequences.values()
    assert {key.partition("/")[0] for part in parts for key in part} == {"S2"}
    assert new.segmenters["S2"].saved() == old.segmenters["S2"].saved()
    assert new.watch.saved().drift.keys == [key for key in old.watch.saved().drift.keys if key.startswith("S2/")]
    assert [event for event in goes_on(new, second) if isinstance(event, Alert)] == []
    good = {key: baseline.good for key, baseline in new.watch.state.baselines.items()}
    assert all((n > LEARNED) == key.startswith("S2/") for key, n in good.items())


def test_a_spindle_that_was_left_out_for_a_while_is_judged_by_the_unit_of_its_time() -> None:
    first, _ = halves()
    old = learned(machine(2), first)
    away = Monitor(machine(1), PLAN)
    away.restore(old.state())
    back = machine(2)
    other = tuple(msgspec.structs.replace(c, unit="A") if c.name == "load2" else c for c in back.channel)
    assert Monitor(back, PLAN).restore(away.state()) == ()
    assert Monitor(msgspec.structs.replace(back, channel=other), PLAN).restore(away.state()) == ("S2",)


def test_alerts_and_checklists_stay() -> None:
    first, second = halves(Faults(broken={4: (LEARNED - 1, 0.5, LEARNED)}, wear={2: (2, 0.12)}))
    old = learned(machine(), first)
    assert {alert.kind for alert in old.desk.alerts.open} == {"breakage", "wear"}
    assert old.watch.state.bad
    assert old.watch.state.worn
    new = Monitor(machine(rated_power=22.0), PLAN)
    new.restore(old.state())
    assert new.desk.alerts.open == old.desk.alerts.open
    assert new.desk.checklists == old.desk.checklists
    assert (new.watch.state.bad, new.watch.state.worn, new.watch.state.sequences) == ([], [], {})
    known = {alert.id for alert in old.desk.alerts.open}
    assert {event.id for event in goes_on(new, second) if isinstance(event, Alert)} <= known
