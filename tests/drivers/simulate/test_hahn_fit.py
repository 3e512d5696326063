"""The simulated production lathe against the recorded one, by the same yardstick (benchmarks/fit_hahn.py)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fit_hahn import (
    MAIN_TOOLS,
    TICK,
    TRANSFER,
    Figures,
    Trace,
    fit_acceleration,
    fit_cuts,
    fit_idle,
    fit_spread,
    load_part,
    measure,
)
from drivers.simulate import hahn
from drivers.simulate.machine import Machine

PLACES = (os.environ.get("BROCHE_DATA", ""), "data", "../shared/data")
FOLDER = next((p / "hahn_lathe" for p in map(Path, PLACES) if (p / "hahn_lathe" / "one_part_1khz.npz").is_file()), None)

needs_data = pytest.mark.skipif(FOLDER is None, reason="needs data: hahn_lathe below BROCHE_DATA, data or ../shared/data")
SEEDS = (1, 2, 3, 4)


def simulate(seed: int) -> Figures:
    machine = Machine(hahn.cycle(), seed)
    states = [machine.advance((k + 1) * TICK) for k in range(int(TRANSFER / TICK))]
    current = np.array([s.current * 100.0 for s in states])
    speed = np.array([s.speed for s in states])
    return measure(Trace(current, current, speed, np.array([s.cut >= 0 for s in states]), np.array([s.tool for s in states])))


@pytest.fixture(scope="module")
def simulated() -> list[Figures]:
    return [simulate(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def recorded() -> Figures:
    assert FOLDER is not None
    return measure(load_part(FOLDER))


def idle_at(figures: Figures, rpm: float) -> float:
    return float(np.mean([current for speed, current, _ in figures.idle if abs(speed - rpm) < 50.0]))


@needs_data
def test_idle_against_speed_within_4_percent(recorded: Figures, simulated: list[Figures]) -> None:
    for rpm in (800.0, 1800.0, 2000.0, 2400.0, 3000.0):
        mean = np.mean([idle_at(f, rpm) for f in simulated])
        assert mean == pytest.approx(idle_at(recorded, rpm), rel=0.04), rpm


@needs_data
def test_noise_within_20_percent_and_autocorrelation_within_0_05(recorded: Figures, simulated: list[Figures]) -> None:
    assert np.mean([f.noise for f in simulated]) == pytest.approx(recorded.noise, rel=0.2)
    assert np.mean([f.lag1 for f in simulated]) == pytest.approx(recorded.lag1, abs=0.05)


@needs_data
def test_ripple_has_the_ratio_and_after_smoothing_the_size(recorded: Figures, simulated: list[Figures]) -> None:
    def smoothed(rpm: float, ratio: float) -> float:
        return float(1.0 / np.hypot(1.0, 2.0 * np.pi * ratio * rpm / 60.0 * 0.05))

    real = [amplitude * smoothed(rpm, ratio) for rpm, ratio, amplitude in recorded.ripple if rpm > 2900.0]
    ours = [(ratio, amplitude) for f in simulated for rpm, ratio, amplitude in f.ripple if rpm > 2900.0]
    assert np.mean([ratio for ratio, _ in ours]) == pytest.approx(0.273, abs=0.001)
    assert np.mean([amplitude for _, amplitude in ours]) == pytest.approx(np.mean(real), rel=0.1)


@needs_data
def test_number_of_cuts_and_their_mean_current(recorded: Figures, simulated: list[Figures]) -> None:
    assert {f.cuts for f in simulated} == {recorded.cuts} == {31}
    middle = np.mean([f.mean_in_cut for f in simulated], axis=0)
    deviation = np.abs(middle / np.array(recorded.mean_in_cut) - 1.0)
    assert np.median(deviation) < 0.03
    assert deviation.max() < 0.12
    assert np.mean([f.largest for f in simulated]) == pytest.approx(recorded.largest, rel=0.02)


@needs_data
def test_spread_from_part_to_part_within_20_percent() -> None:
    assert FOLDER is not None
    real, n = fit_spread(FOLDER)
    assert n > 3000
    machine = Machine(hahn.cycle(), 5)
    factors = []
    for part in range(300):
        machine._part = part
        machine._begin_part()
        factors += machine._factors
    drawn = np.percentile(np.abs(np.array(factors) - 1.0), [50, 75, 90, 95, 99])
    assert drawn == pytest.approx(real, rel=0.2)


@needs_data
def test_the_constants_are_those_that_the_fit_prints(recorded: Figures) -> None:
    assert FOLDER is not None
    trace = load_part(FOLDER)
    idle, _ = fit_idle(recorded)
    assert idle == pytest.approx(hahn.IDLE, abs=0.01)
    gain, _, n = fit_acceleration(trace, idle)
    assert (round(gain, 2), n) == (hahn.ACCELERATION, 856)
    assert round(recorded.largest) == hahn.LIMIT
    cuts = fit_cuts(trace, idle, hahn.RIPPLE_RATIO, gain)
    assert [(tool, round(at, 2), round(length, 2)) for tool, at, length, _ in cuts] == [cut[:3] for cut in hahn.CUTS]


def test_the_cycle_is_that_of_the_recording() -> None:
    cycle = hahn.cycle()
    assert cycle.period == 177.0
    assert {plan.tool for plan in cycle.cuts} <= set(MAIN_TOOLS)
    assert len(cycle.cuts) == 31
    assert [plan.section for plan in cycle.cuts] == list(range(1, 32))
