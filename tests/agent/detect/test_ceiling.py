"""What cutting data allow: from the first cut on, through the pass, until the operation's own cuts take over."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.commands import FalseAlarm
from agent.cutting import Expected, expected
from agent.detect.ceiling import Ceilings
from agent.maintenance import plan
from agent.model import Alert, Cut, Event, Operation
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import CuttingOptions, MachineSettings, SpindleOptions
from drivers.model import Readings
from tests.support.lathe import CUTS, PART, START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
T4 = CuttingOptions(tool=4, section=1, kind="turning", material="P2", ap=2.0, f=0.25, vc=200.0, D=42.4)
"""At 1500 rpm 6.6 kW at the motor: 55 % of the spindle below, what the hand-made lathe takes."""
SPINDLE = SpindleOptions(name="S1", rated_power=7.7, base_speed=1500.0)


def machine(*data: CuttingOptions, section: bool = True, **monitoring: float) -> MachineSettings:
    return msgspec.structs.replace(settings(section=section, **monitoring), cutting=data, spindle=(SPINDLE,))


def made(parts: int, faults: Faults | None = None, factor: float = 1.0) -> Readings:
    """The lathe with a register that says which pass is made; `factor`: of all its load above idle."""
    readings = rows(parts, faults)
    inside = (readings.time - START) % PART
    section = np.zeros(len(inside))
    for start, duration, _, _ in CUTS.values():
        section[(inside >= start) & (inside < start + duration)] = 1.0
    values = np.column_stack([readings.values, section])
    idle = 3.0 + values[:, 1] / 500.0
    values[:, 0] = idle + factor * (values[:, 0] - idle)
    quality = np.column_stack([readings.quality, np.zeros(len(inside), np.uint8)])
    return Readings("lathe", (*readings.channels, "section"), readings.time, values, quality)


def run(readings: Readings, settings: MachineSettings) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(settings, PLAN)
    events = [event for piece in pieces(readings, itertools.repeat(17)) for event in monitor.feed(piece)]
    return monitor, events + monitor.finish()


def raised(events: list[Event]) -> list[Alert]:
    return [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def test_the_data_fit_the_lathe() -> None:
    one = expected(T4, machine().channel, (SPINDLE,))
    assert isinstance(one, Expected)
    assert one.load == pytest.approx(CUTS[4][2], rel=0.2)


def test_a_lathe_that_cuts_as_its_data_say_raises_nothing() -> None:
    assert raised(run(made(25), machine(T4))[1]) == []


def test_an_overload_of_the_very_first_cut_is_told_in_that_cut() -> None:
    monitor, events = run(made(1, factor=3.0), machine(T4))
    (alert,) = raised(events)
    assert (alert.kind, alert.tool, alert.evidence["ceiling"]) == ("overload", "4", True)
    assert 0.1 <= alert.raised - START - 5.0 < 0.6
    (why,) = monitor.snapshot().explanations
    assert (why.against, why.basis) == ("cutting_data", "rule")
    assert why.picture is not None
    assert why.picture.limit == alert.evidence["limit"]
    assert raised(run(made(1, factor=3.0), machine())[1]) == [], "without the data nothing is known"


def test_a_tool_that_is_missing_in_the_very_first_part_is_told_as_its_pass_ends() -> None:
    gone = Faults(missing={4: range(9)})
    _, events = run(made(2, gone), machine(T4))
    (alert,) = raised(events)
    assert (alert.kind, alert.tool, alert.evidence["hardly"]) == ("missing", "4", True)
    assert alert.raised - START == pytest.approx(5.0 + CUTS[4][1], abs=0.3)
    assert raised(run(made(2, gone), machine())[1]) == []
    assert raised(run(made(2, gone), machine(msgspec.structs.replace(T4, section=None)))[1]) == [], "the heaviest pass, not this one"
    assert raised(run(made(2, gone), machine(T4, section=False))[1]) == [], "no register says when the pass is"


def test_a_floor_in_the_noise_is_not_held_against_a_cut() -> None:
    faint = msgspec.structs.replace(T4, ap=0.05)
    gone = Faults(missing={4: range(9)})
    assert raised(run(made(2, gone), machine(faint))[1]) == []


def test_the_operations_own_limits_take_over() -> None:
    known = Ceilings(machine(T4))
    monitor, _ = run(made(19), machine(T4))
    (baseline,) = (b for b in monitor.watch.state.baselines.values() if b.tool == "4")
    assert baseline.good == 19
    assert known.top(baseline) < 200.0
    baseline.good = 20
    assert (known.top(baseline), known.floor(baseline)) == (float("inf"), 0.0)


def test_a_floor_that_spoke_falsely_is_not_asked_again_and_that_survives_a_restart() -> None:
    light = made(12, factor=0.15)
    first, second = pieces(light, iter([round(1.2 * PART / 0.05), 10**6]))
    monitor = Monitor(machine(T4), PLAN)
    events = monitor.feed(first)
    (alert,) = raised(events)
    monitor.do(FalseAlarm(alert=alert.id, by="AB"), float(first.time[-1]))
    again = Monitor(machine(T4), PLAN)
    again.restore(monitor.state())
    for one in (monitor, again):
        later = one.feed(second) + one.finish()
        assert raised(later) == []
        assert any(isinstance(event, Cut) and event.operation.tool == "4" for event in later)


def test_the_nearest_data_are_taken() -> None:
    def of(**changes: Any) -> CuttingOptions:
        return msgspec.structs.replace(T4, **changes)

    known = Ceilings(machine(of(section=None, ap=4.0), of(ap=2.0), of(program="7", ap=1.0), of(program="7", section=None, ap=3.0)))

    def load(program: str, section: str, tool: str = "4") -> float | None:
        one = known.of(Operation(spindle="S1", program=program, revision=1, tool=tool, section=section))
        return (
            None
            if one is None
            else round(one.load / (known.of(Operation(spindle="S1", program="7", revision=1, tool="4", section="1")) or one).load)
        )

    assert (load("7", "1"), load("7", "2"), load("8", "1"), load("8", "2")) == (1, 3, 2, 4)
    assert load("7", "1", "T4") == 1, "as some controls say it"
    assert load("7", "1", "5") is None


def test_without_a_register_of_passes_the_heaviest_of_a_tool_gives_the_ceiling_of_all() -> None:
    heavy = msgspec.structs.replace(T4, section=2, ap=4.0)
    for data in ((T4, heavy), (heavy, T4)):
        known = Ceilings(machine(*data, section=False))
        both = [known.of(Operation(spindle="S1", program="", revision=1, tool="4", section=section)) for section in ("1", "2", "7")]
        alone = expected(heavy, machine().channel, (SPINDLE,))
        assert isinstance(alone, Expected)
        assert all(one is not None and (one.ceiling, one.floor) == (alone.ceiling, 0.0) for one in both)
