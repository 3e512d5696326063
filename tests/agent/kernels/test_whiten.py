"""AR(1) pre-whitening: against a slow twin, and against series whose coefficient is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.kernels import whiten
from tests.naive.whiten import Whitener
from tests.support.series import series

SERIES = series(60)


def run(values: np.ndarray, learn: np.ndarray | None = None, floor: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    state = whiten.new(values.shape[1])
    out = np.empty((len(values), whiten.OUTPUTS, values.shape[1]))
    flags = np.ones(values.shape, np.uint8) if learn is None else learn
    whiten.update(state, values, flags, np.full(values.shape[1], floor), out)
    return state, out


def ar1(phi: float, n: int, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + noise[i]
    return out


@pytest.mark.parametrize("floor", [0.0, 0.7])
@pytest.mark.parametrize("name", SERIES)
def test_agrees_with_the_slow_twin(name: str, floor: float) -> None:
    values = SERIES[name]
    if name == "denormal":
        # Squares of denormal values are 0: no spread is known, and the coefficient is 0.
        _, out = run(values[:, None], floor=floor)
        assert set(out[4:, whiten.PHI, 0]) == {0.0}
        assert np.abs(out[4:, whiten.SCORE, 0]).max() == (0.0 if floor else 37.0) or floor
        return
    learn = (np.random.default_rng(8).random((len(values), 1)) < 0.8).astype(np.uint8)
    _, out = run(values[:, None], learn, floor)
    slow = Whitener(floor)
    for i, (value, flag) in enumerate(zip(values.tolist(), learn[:, 0].tolist(), strict=True)):
        score, innovation, phi = slow.take(value, bool(flag))
        assert out[i, whiten.PHI, 0] == pytest.approx(phi, rel=1e-6, abs=1e-9, nan_ok=True), i
        assert out[i, whiten.INNOVATION, 0] == pytest.approx(innovation, rel=1e-6, abs=1e-6, nan_ok=True), i
        if name in ("constant", "zero"):
            assert out[i, whiten.SCORE, 0] == 0.0 or math.isnan(score)
        else:
            assert out[i, whiten.SCORE, 0] == pytest.approx(score, rel=1e-5, abs=1e-6, nan_ok=True), i


@pytest.mark.parametrize("phi", [-0.6, 0.0, 0.5, 0.9])
def test_coefficient_is_found_and_what_is_left_is_white(phi: float) -> None:
    """Standard error of the coefficient: sqrt((1 - phi^2) / n)."""
    n = 8000
    _, out = run(ar1(phi, n)[:, None])
    assert out[-1, whiten.PHI, 0] == pytest.approx(phi, abs=4 * math.sqrt((1 - phi * phi) / n))
    scores = out[1000:, whiten.SCORE, 0]
    assert np.corrcoef(scores[1:], scores[:-1])[0, 1] == pytest.approx(0.0, abs=0.05)
    assert scores.std() == pytest.approx(1.0, abs=0.04)


def test_a_missing_value_breaks_the_chain() -> None:
    values = ar1(0.8, 40)
    values[20] = math.nan
    state, out = run(values[:, None])
    assert np.isnan(out[20:22, whiten.SCORE, 0]).all()
    assert np.isfinite(out[22:, whiten.SCORE, 0]).all()
    assert state[whiten.N, 0] == 37


def test_one_vector_at_a_time_is_the_same_as_a_block_and_survives_a_restart() -> None:
    values = np.random.default_rng(1).normal(size=(40, 5))
    state, out = run(values)
    again, one = whiten.new(5), np.empty((1, whiten.OUTPUTS, 5))
    for i in range(40):
        whiten.update(again, values[i : i + 1], np.ones((1, 5), np.uint8), np.zeros(5), one)
        assert np.array_equal(one[0], out[i], equal_nan=True)
        again = np.frombuffer(bytearray(again.tobytes())).reshape(whiten.FIELDS, 5)
    assert again.tobytes() == state.tobytes()
