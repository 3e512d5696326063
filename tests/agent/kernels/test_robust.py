"""Median and MAD of the newest values: against a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.kernels import robust
from tests.naive.robust import Robust
from tests.support.series import series

SERIES = series(60)


def run(values: np.ndarray, window: int, learn: np.ndarray, floor: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    state = robust.new(values.shape[1], window)
    out = np.empty((len(values), robust.OUTPUTS, values.shape[1]))
    robust.update(state, values, learn, np.full(values.shape[1], floor), out)
    return state, out


def agree(values: list[float], learn: list[bool], window: int, floor: float) -> None:
    _, out = run(np.array(values, dtype=np.float64)[:, None], window, np.array(learn, dtype=np.uint8)[:, None], floor)
    slow = Robust(window, floor)
    for i, (value, flag) in enumerate(zip(values, learn, strict=True)):
        assert out[i, :, 0] == pytest.approx(slow.take(value, flag), rel=1e-9, abs=1e-320, nan_ok=True), i


@pytest.mark.parametrize(("window", "floor"), [(3, 0.0), (4, 0.5), (31, 0.0)])
@pytest.mark.parametrize("name", SERIES)
def test_agrees_with_the_slow_twin(name: str, window: int, floor: float) -> None:
    values = SERIES[name].tolist()
    learn = (np.random.default_rng(8).random(len(values)) < 0.8).tolist()
    agree(values, learn, window, floor)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6), st.just(math.nan)), max_size=25),
    window=st.integers(3, 9),
)
def test_any_values(values: list[float], window: int) -> None:
    """Small whole numbers, so that many are equal."""
    agree(values, [True] * len(values), window, 1.0)


def test_half_of_the_values_may_be_wild() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(10, 1, size=(31, 1))
    values[::2][:15] = 1e9
    state, _ = run(values, 31, np.ones((31, 1), np.uint8))
    out = np.empty((1, robust.OUTPUTS, 1))
    robust.update(state, np.array([[10.0]]), np.zeros((1, 1), np.uint8), np.zeros(1), out)
    assert out[0, robust.LOCATION, 0] < 15


def test_one_vector_at_a_time_is_the_same_as_a_block_and_survives_a_restart() -> None:
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(size=(80, 5)), 1)
    learn = (rng.random(values.shape) < 0.7).astype(np.uint8)
    state, out = run(values, 8, learn)
    again, one = robust.new(5, 8), np.empty((1, robust.OUTPUTS, 5))
    for i in range(80):
        robust.update(again, values[i : i + 1], learn[i : i + 1], np.zeros(5), one)
        assert np.array_equal(one[0], out[i], equal_nan=True)
        again = np.frombuffer(bytearray(again.tobytes())).reshape(5, -1)
    assert again.tobytes() == state.tobytes()


def test_a_window_without_a_spread_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        robust.new(4, 2)
