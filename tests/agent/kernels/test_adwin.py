"""ADWIN: against a slow twin that keeps every value, and against river."""

from __future__ import annotations

import math

import numpy as np
import pytest
from river import drift

from agent.kernels import adwin
from tests.naive.adwin import Adwin
from tests.support.series import series

SERIES = series(400)


def run(
    values: np.ndarray, *, clock: int = 32, shortest: float = 5.0, grace: float = 10.0, restart: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    state = adwin.new(values.shape[1])
    alarms = np.full(values.shape, 255, np.uint8)
    adwin.update(state, values, 0.002, clock, shortest, grace, restart, alarms)
    return state, alarms


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("name", SERIES)
def test_agrees_with_the_slow_twin(name: str, restart: bool) -> None:
    values = SERIES[name]
    state, alarms = run(values[:, None], clock=8, restart=restart)
    slow = Adwin(clock=8, restart=restart)
    assert [bool(alarm) for alarm in alarms[:, 0]] == [slow.take(value) for value in values.tolist()]
    window = slow.window
    assert state[0, adwin.WIDTH] == len(window)
    if window:
        # The window's figures are running sums: after an impulse of 1e6 they keep the digits of it.
        size = max(abs(value) for value in values if math.isfinite(value) and abs(value) < 1e150)
        assert adwin.means(state)[0] == pytest.approx(np.mean(window), rel=1e-9, abs=1e-9 * size)
        spread = float(np.var(window)) * len(window)
        assert state[0, adwin.SQUARES] == pytest.approx(spread, rel=1e-6, abs=1e-9 * size * size + 1e-9)
    else:
        assert math.isnan(adwin.means(state)[0])


@pytest.mark.parametrize("at", range(300, 308))
def test_a_step_so_large_that_the_shortest_part_decides(at: int) -> None:
    values = np.where(np.arange(400) < at, 0.0, 100.0) + np.random.default_rng(at).normal(size=400) * 0.01
    _, alarms = run(values[:, None], clock=1, restart=False)
    slow = Adwin(clock=1, restart=False)
    assert [bool(alarm) for alarm in alarms[:, 0]] == [slow.take(value) for value in values.tolist()]
    assert int(alarms[:, 0].argmax()) in (at, at + 1, at + 2)


def test_some_of_these_series_raise_alarms() -> None:
    told = {name: bool(run(values[:, None], clock=8)[1].any()) for name, values in SERIES.items()}
    assert told["step"]
    assert told["trend"]
    assert not told["random"]
    assert not told["constant"]


def changing(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=5000) * rng.choice([0.01, 0.3, 1.0, 3.0])
    for place in rng.integers(0, 5000, size=5):
        values[place:] += rng.normal() * 2
    return values


@pytest.mark.parametrize("settings", [{}, {"clock": 1}, {"clock": 16, "shortest": 20, "grace": 100}])
@pytest.mark.parametrize("seed", range(4))
def test_alarms_with_the_same_value_as_river(seed: int, settings: dict[str, int]) -> None:
    values = changing(seed)
    names = {"shortest": "min_window_length", "grace": "grace_period"}
    theirs = drift.ADWIN(**{names.get(name, name): value for name, value in settings.items()})
    expected = []
    for i, value in enumerate(values.tolist()):
        theirs.update(value)
        if theirs.drift_detected:
            expected.append(i)
    _, alarms = run(values[:, None], **settings)  # type: ignore[arg-type]
    assert np.flatnonzero(alarms[:, 0]).tolist() == expected
    assert expected


def test_a_step_is_found_where_performance_md_says() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 1)) * 0.3
    values[2000:] += 1.0
    state, alarms = run(values, restart=False)
    first = int(np.flatnonzero(alarms[:, 0])[0])
    assert 2000 < first < 2100
    assert state[0, adwin.WIDTH] < 2100
    assert adwin.means(state)[0] == pytest.approx(1.0, abs=0.05)


def test_one_vector_at_a_time_is_the_same_as_a_block_and_survives_a_restart() -> None:
    values = np.column_stack([changing(seed)[:1500] for seed in range(3)])
    values[np.random.default_rng(0).random(values.shape) < 0.05] = math.nan
    state, alarms = run(values)
    again, one = adwin.new(3), np.empty((1, 3), np.uint8)
    for i in range(len(values)):
        adwin.update(again, values[i : i + 1], 0.002, 32, 5.0, 10.0, True, one)
        assert np.array_equal(one[0], alarms[i])
        if i % 100 == 0:
            again = np.frombuffer(bytearray(again.tobytes())).reshape(3, adwin.FIELDS)
    assert again.tobytes() == state.tobytes()


def test_a_long_window_keeps_few_buckets() -> None:
    n = 200_000
    state, _ = run(np.random.default_rng(1).normal(size=(n, 1)) * 0.1, clock=1024)
    assert state[0, adwin.WIDTH] == n
    assert state[0, adwin.SIZES] == math.floor(math.log2(n / 5)) + 1
