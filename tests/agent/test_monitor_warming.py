"""A warm-up of the spindle, through the whole pass: it is no cut, nothing is missing in it, and it is said."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agent.model import Alert, Coverage, Cut, Event, Word
from agent.monitor import Monitor
from agent.settings import MachineSettings
from drivers.model import Readings
from tests.agent.test_monitor import PLAN
from tests.support.lathe import PART, STEP, Faults, pieces, rows, settings

Steps = tuple[tuple[float, float], ...]
STEPS: Steps = ((500.0, 30.0), (1000.0, 30.0), (2000.0, 30.0), (4000.0, 60.0))
"""rpm, s: the warm-up of field.md."""
RAMP = 1.0
"""s from one speed to the next"""


def warmed(
    block: Readings,
    at: int,
    *,
    rest: float = 0.0,
    tool: float | None = None,
    cycle: bool = True,
    steps: Steps = STEPS,
) -> tuple[Readings, float, float]:
    """The same with a warm-up before part `at`, after `rest` seconds at a standstill. Returns when it begins and ends."""
    row = round(at * PART / STEP)
    speed = np.concatenate([np.full(round(s / STEP), v) for v, s in ((0.0, rest), *steps, (0.0, 20.0))])
    ramp = round(RAMP / STEP)
    speed = np.convolve(np.concatenate([np.zeros(ramp - 1), speed]), np.full(ramp, 1.0 / ramp), "valid")
    load = np.where(speed > 0.0, 3.0 + speed / 500.0, 0.5) + 0.4 * np.random.default_rng(5).standard_normal(len(speed))
    # What speeds it up is load as well.
    load += np.where(np.diff(speed, prepend=0.0) > 1.0, 20.0, 0.0)
    values = np.tile(block.values[max(row - 1, 0)], (len(speed), 1))
    values[:, 0], values[:, 1], values[:, 4] = np.round(load, 2), speed, float(cycle)
    if tool is not None:
        values[round((rest + 2.0) / STEP) :, 2] = tool
    time = np.concatenate(
        [block.time[:row], block.time[row] + STEP * np.arange(len(speed)), block.time[row:] + STEP * len(speed)],
    )
    whole = np.vstack([block.values[:row], values, block.values[row:]])
    begins = float(block.time[row]) + rest
    return Readings(block.source, block.channels, time, whole, np.zeros(whole.shape, np.uint8)), begins, begins + 150.0


def run(block: Readings, machine: MachineSettings | None = None, every: int = 23) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), PLAN)
    events = [event for piece in pieces(block, itertools.repeat(every)) for event in monitor.feed(piece)]
    return monitor, [*events, *monitor.finish()]


def raised(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.tool) for event in events if isinstance(event, Alert) and event.transition == "raised"]


@pytest.mark.parametrize("at", [0, 12])
@pytest.mark.parametrize("cycle", [True, False])
@pytest.mark.parametrize("context", [{}, {"part": False, "cycle": False}, {"part": False}], ids=["all", "tool only", "no part"])
def test_it_is_no_cut_and_it_is_said(at: int, cycle: bool, context: dict[str, bool]) -> None:
    block, begins, ends = warmed(rows(20), at, cycle=cycle)
    monitor, events = run(block, settings(**context))
    assert raised(events) == []
    cuts = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and begins <= event.opened < ends]
    # Before anything is known of idle a ripple may stand out for a moment.
    assert {cut.held for cut in cuts} <= ({"run_up"} if at else {"run_up", "idle_unknown", ""})
    assert sum(cut.features.duration for cut in cuts if cut.held != "run_up") < 1.0
    assert monitor.counters.cuts - sum(cut.held != "run_up" for cut in cuts) == 60
    words = [event for event in events if isinstance(event, Coverage) and begins <= event.time < ends + 20.0]
    (hold,) = [event for event in words if (event.word, event.reason) == (Word.HOLD, "warm_up")]
    assert 60.0 <= hold.time - begins <= 80.0
    assert next(event for event in words if event.time > hold.time).word is not Word.HOLD
    assert max(baseline.good for baseline in monitor.watch.state.baselines.values()) >= 18


@pytest.mark.parametrize("tool", [1.0, 2.0, 4.0])
def test_after_a_night_the_tool_that_is_called_for_it_is_not_missing(tool: float) -> None:
    block, _, _ = warmed(rows(20), 12, rest=900.0, tool=tool)
    _, events = run(block)
    assert raised(events) == []


def test_a_tool_that_is_missing_after_it_is_told() -> None:
    block, _, _ = warmed(rows(20, Faults(missing={2: range(13, 14)})), 12, rest=900.0)
    _, events = run(block)
    assert raised(events) == [("missing", "2")]


def test_speeds_in_short_steps_are_one_too() -> None:
    block, begins, _ = warmed(rows(20), 12, steps=((500.0, 15.0), (1000.0, 15.0), (2000.0, 15.0)))
    _, events = run(block, settings(part=False, cycle=False))
    (hold,) = [event for event in events if isinstance(event, Coverage) and event.word is Word.HOLD]
    assert hold.reason == "warm_up"
    assert hold.time < begins + 50.0
    assert raised(events) == []


def test_healthy_parts_never_look_like_one() -> None:
    _, events = run(rows(30))
    assert not any(isinstance(event, Coverage) and event.reason == "warm_up" for event in events)


def test_batches_do_not_matter_and_it_survives_a_restart() -> None:
    block, begins, _ = warmed(rows(16), 12)
    states = [run(block, every=every)[0].state() for every in (7, 23, 5000)]
    assert states[0] == states[1] == states[2]
    at = int(np.searchsorted(block.time, begins + 100.0))
    first = Monitor(settings(), PLAN)
    first.feed(Readings(block.source, block.channels, block.time[:at], block.values[:at], block.quality[:at]))
    assert [notice.kind for notice in first.snapshot().notices] == ["warm_up"]
    again = Monitor(settings(), PLAN)
    again.restore(first.state())
    assert again.state() == first.state()
    rest = Readings(block.source, block.channels, block.time[at:], block.values[at:], block.quality[at:])
    events = [event for piece in pieces(rest, itertools.repeat(23)) for event in again.feed(piece)]
    words = [event.reason for event in events if isinstance(event, Coverage)]
    assert "warm_up" in words[:2]
    assert again.snapshot().notices == ()
