"""Sensors that answer and lie, through the room that names them and through the whole pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agent.commands import FalseAlarm
from agent.model import Alert, Coverage, Cut, Event, Finding, Word
from agent.monitor import Monitor
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from drivers.model import Quality, Readings
from tests.agent.test_monitor import PLAN

RATE = 20.0
PART = 30.0
CHANNELS = (
    ("load", "spindle.load", "%"),
    ("speed", "spindle.speed", "rpm"),
    ("x", "axis.load", "%"),
    ("vib1", "vibration", "mm/s"),
    ("vib2", "vibration", "mm/s"),
    ("oil", "temperature", "degC"),
    ("tool", "tool", ""),
    ("section", "section", ""),
    ("part", "part", ""),
)
NAMES = tuple(name for name, _, _ in CHANNELS)
Values = dict[str, np.ndarray]
Spoil = Callable[[np.ndarray, Values, np.ndarray], None]
"""Time from the start, values by name, quality; changed in place."""


def settings() -> MachineSettings:
    """Of a mill with two vibration sensors."""
    return MachineSettings(
        machine=MachineOptions(name="essai", kind="mill"),
        channel=tuple(ChannelOptions(name=name, role=role, unit=unit) for name, role, unit in CHANNELS),  # type: ignore[arg-type]
    )


def nothing(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
    """A machine that is well."""


def rows(parts: int, spoil: Spoil = nothing, seed: int = 1) -> Readings:
    """Parts of 30 s: 3 s of standstill, 4 s in air, 20 s of cut, 3 s in air."""
    draw = np.random.default_rng(seed)
    n = round(parts * PART * RATE)
    time = np.arange(n) / RATE
    inside = time % PART
    turns, cuts = inside >= 3.0, (inside >= 7.0) & (inside < 27.0)
    wave = 1.0 + 0.3 * draw.standard_normal(n)
    values: Values = {
        "load": np.rint(10.0 * (np.where(turns, 6.0, 0.2) + 30.0 * cuts + 0.5 * draw.standard_normal(n))) / 10.0,
        "speed": np.where(turns, 1500.0, 0.0),
        "x": np.rint(8.0 + 4.0 * cuts + draw.standard_normal(n)),
        "vib1": np.where(cuts, 2.0 * wave, 0.05 * wave),
        "vib2": np.where(cuts, 3.0 * wave, 0.05) + 0.02 * draw.standard_normal(n),
        "oil": np.full(n, 41.5),
        "tool": np.full(n, 4.0),
        "section": cuts.astype(float),
        "part": time // PART,
    }
    quality = np.zeros((n, len(NAMES)), dtype=np.uint8)
    spoil(time, values, quality)
    matrix = np.column_stack([values[name] for name in NAMES])
    quality[~np.isfinite(matrix)] = np.maximum(quality[~np.isfinite(matrix)], Quality.BAD)
    return Readings("mill", NAMES, 1.7e9 + time, matrix, quality)


def feed(monitor: Monitor, readings: Readings, piece: int = 500) -> list[Event]:
    """In pieces of so many rows."""
    out: list[Event] = []
    for a in range(0, len(readings.time), piece):
        part = slice(a, a + piece)
        out.extend(monitor.feed(Readings("mill", NAMES, readings.time[part], readings.values[part], readings.quality[part])))
    return out


def run(parts: int, spoil: Spoil = nothing, piece: int = 500, seed: int = 1) -> tuple[Monitor, list[Event]]:
    """A whole run."""
    monitor = Monitor(settings(), PLAN)
    events = feed(monitor, rows(parts, spoil, seed), piece) + monitor.finish()
    return monitor, events


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    """Channel, reason and what became of it."""
    alerts = [e for e in events if isinstance(e, Alert) and e.kind == "sensor"]
    return [(a.channel, str(a.evidence["reason"]), a.transition) for a in alerts if a.transition in {"raised", "returned"}]


def kinds(events: list[Event]) -> set[str]:
    """Kinds of alerts."""
    return {e.kind for e in events if isinstance(e, Alert)}


@pytest.mark.parametrize("seed", range(3))
def test_a_machine_that_is_well_has_no_fault(seed: int) -> None:
    monitor, events = run(24, seed=seed)
    assert told(events) == []
    assert monitor.health.faults == {}
    assert monitor.health.update_period_s("load") == pytest.approx(1.0 / RATE, rel=0.5)
    assert monitor.health.update_period_s("nobody") is None


def test_a_register_that_changes_once_in_forty_rows_is_slow_and_not_stuck() -> None:
    def slowly(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        for name in ("load", "x"):
            values[name] = values[name][np.arange(len(time)) // 40 * 40]

    monitor, events = run(24, slowly)
    assert told(events) == []
    period = monitor.health.update_period_s("load")
    assert period is not None
    assert 1.5 < period < 4.0


def stuck(name: str, since: float, until: float) -> Spoil:
    """The value does not change between."""

    def spoil(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        here = (time >= since) & (time < until)
        values[name][here] = values[name][np.flatnonzero(here)[0] - 1]

    return spoil


def test_a_load_that_is_stuck_is_named_lost_held_and_told_when_it_is_well_again() -> None:
    monitor, events = run(30, stuck("load", 608.0, 750.0))
    assert told(events) == [("load", "sensor_stuck", "raised"), ("load", "sensor_stuck", "returned")]
    raised = next(e for e in events if isinstance(e, Alert))
    assert 608.0 < raised.raised - 1.7e9 < 608.0 + 60.0
    assert raised.severity == "warning"
    words = [(e.word, e.reason) for e in events if isinstance(e, Coverage) and e.scope == "machine"]
    assert (Word.LOST, "sensor_stuck") in words
    assert kinds(events) == {"sensor"}
    baseline = next(iter(monitor.watch.state.baselines.values()))
    assert baseline.good <= 30 - 5
    assert monitor.coverage is not None
    assert monitor.coverage.word is not Word.LOST


def test_a_stuck_axis_gives_no_figures_to_cuts() -> None:
    _, events = run(30, stuck("x", 608.0, 2000.0))
    assert told(events) == [("x", "sensor_stuck", "raised")]
    closed = [e for e in events if isinstance(e, Cut) and e.phase == "closed"]
    assert all("x" in cut.features.axis_load for cut in closed[2:19])
    assert all("x" not in cut.features.axis_load for cut in closed[23:])


def test_a_temperature_that_stands_for_hours_is_not_stuck() -> None:
    _, events = run(40, stuck("oil", 0.1, 5000.0))
    assert told(events) == []


def test_a_sensor_that_is_dead_from_the_first_row_is_named_by_its_sister() -> None:
    def dead(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        off = time < 300.0
        values["vib1"][off] = 0.001 * (values["vib1"][off] - 1.0)

    monitor, events = run(16, dead)
    assert told(events) == [("vib1", "sensor_dead", "raised"), ("vib1", "sensor_dead", "returned")]
    finding = next(e for e in events if isinstance(e, Finding) and e.kind == "sensor")
    assert finding.evidence["sister"] == "vib2"
    assert finding.time - 1.7e9 <= 60.0
    covers = [(e.scope, e.word) for e in events if isinstance(e, Coverage) and e.scope != "machine"]
    assert covers == [("channel/vib1", Word.LOST), ("channel/vib1", Word.MONITORING)]
    assert monitor.health.coverage(0.0) == []


def test_both_vibration_sensors_gone_while_the_load_cuts_as_ever() -> None:
    def dead(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        off = time >= 600.0
        for name in ("vib1", "vib2"):
            values[name][off] = 0.02 * values[name][off]

    _, events = run(30, dead)
    assert sorted(told(events)) == [("vib1", "sensor_dead", "raised"), ("vib2", "sensor_dead", "raised")]


def test_a_missing_tool_is_no_dead_sensor() -> None:
    def missing(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        gone = (time >= 600.0) & (time % PART >= 7.0) & (time % PART < 27.0)
        values["load"][gone] -= 30.0
        for name in ("vib1", "vib2"):
            values[name][gone] = 0.05 + 0.02 * (values[name][gone] - 2.0)

    _, events = run(30, missing)
    assert told([e for e in events if not (isinstance(e, Alert) and e.kind != "sensor")]) == []
    assert kinds(events) & {"missing", "breakage"}


def test_numbers_that_are_none() -> None:
    def holes(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        values["vib2"][(time >= 300.0) & (time < 420.0) & (np.arange(len(time)) % 5 == 0)] = np.nan

    _, events = run(16, holes)
    assert told(events) == [("vib2", "sensor_nan", "raised"), ("vib2", "sensor_nan", "returned")]


def test_a_block_of_no_numbers_is_told_once() -> None:
    def holes(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        values["vib2"][(time >= 303.0) & (time < 314.0)] = np.inf

    _, events = run(16, holes)
    assert told(events) == [("vib2", "sensor_bad", "raised"), ("vib2", "sensor_bad", "returned")]


def test_a_signal_that_is_cut_off() -> None:
    def clip(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        values["vib1"] = np.minimum(values["vib1"], np.where(time >= 600.0, 2.3, 1e9))

    _, events = run(30, clip)
    assert told(events) == [("vib1", "sensor_saturated", "raised")]


def test_noise_while_it_stands() -> None:
    def noise(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        loud = time >= 1500.0
        values["load"][loud] += 10.0 * np.random.default_rng(3).standard_normal(int(loud.sum()))

    monitor, events = run(60, noise)
    assert ("load", "sensor_noisy", "raised") in told(events)
    held = {e.held for e in events if isinstance(e, Cut) and e.phase == "closed" and e.opened - 1.7e9 > 1600.0}
    assert "sensor_noisy" in held
    assert kinds(events) <= {"sensor", "overload", "breakage"}
    assert monitor.coverage is not None
    assert (monitor.coverage.word, monitor.coverage.reason) == (Word.HOLD, "sensor_noisy")


def test_most_of_the_readings_are_missing() -> None:
    def gone(time: np.ndarray, values: Values, quality: np.ndarray) -> None:
        drop = (time >= 300.0) & (np.arange(len(time)) % 20 >= 6)
        quality[drop, NAMES.index("vib1")] = Quality.ABSENT
        quality[(time >= 300.0) & (np.arange(len(time)) % 20 < 6), NAMES.index("vib1")] = Quality.GOOD

    _, events = run(16, gone)
    assert told(events) == [("vib1", "sensor_gaps", "raised")]


def test_it_does_not_matter_how_rows_come_and_a_restart_keeps_what_was_told() -> None:
    spoil = stuck("load", 608.0, 750.0)
    _, whole = run(30, spoil)
    _, single = run(30, spoil, piece=7)
    assert [e for e in whole if isinstance(e, Alert)] == [e for e in single if isinstance(e, Alert)]
    readings = rows(30, spoil)
    first, second = Monitor(settings(), PLAN), Monitor(settings(), PLAN)
    at = round(700.0 * RATE)
    before, after = (
        Readings("mill", NAMES, readings.time[part], readings.values[part], readings.quality[part])
        for part in (slice(0, at), slice(at, None))
    )
    events = feed(first, before)
    second.restore(first.state())
    assert second.health.faults == {"load": "sensor_stuck"}
    events += feed(second, after) + second.finish()
    assert told(events) == [("load", "sensor_stuck", "raised"), ("load", "sensor_stuck", "returned")]


def test_a_false_alarm_is_learned_from_again() -> None:
    monitor, events = run(30, stuck("x", 608.0, 2000.0))
    alert = next(e for e in events if isinstance(e, Alert))
    result, _ = monitor.do(FalseAlarm(id="1", alert=alert.id, by="AB"), 1.7e9 + 900.0)
    assert result.accepted
    assert monitor.health.faults == {}
    assert monitor.latest.doubted == frozenset()
