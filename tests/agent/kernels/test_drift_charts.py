"""The drift charts: against a slow twin, their limits against simulation, their state over a restart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect import drift_state
from agent.kernels import drift
from tests.naive.drift import Chart, behind, left_over

RNG = np.random.default_rng(81)


def correlated(n: int, phi: float, rng: np.random.Generator, channels: int = 1) -> np.ndarray:
    """AR(1) with a standard deviation of 0.05 about 4."""
    values = np.empty((n, channels))
    x = rng.standard_normal(channels)
    for i in range(n):
        values[i] = x
        x = phi * x + math.sqrt(1 - phi * phi) * rng.standard_normal(channels)
    return 4.0 + 0.05 * values


WALK = correlated(220, 0.7, RNG)[:, 0]
SERIES = {
    "random": RNG.normal(4, 0.05, 220),
    "heavy": 4 + 0.03 * RNG.standard_t(3, 220),
    "correlated": WALK,
    "alternating": 4 + 0.05 * (-1.0) ** np.arange(80) + RNG.normal(0, 0.01, 80),
    "step": RNG.normal(4, 0.05, 220) - np.where(np.arange(220) > 150, 0.2, 0.0),
    "creep": RNG.normal(4, 0.02, 400) - np.clip(np.arange(400) - 200, 0, None) * 0.001,
    "wears": RNG.normal(4, 0.02, 220) + 0.002 * np.arange(220),
    "one odd cut": RNG.normal(4, 0.05, 120) - np.where(np.arange(120) == 60, 9.0, 0.0),
    "missing": np.where(RNG.random(160) < 0.2, np.nan, RNG.normal(4, 0.05, 160)),
    "infinite": np.where(RNG.random(160) < 0.2, -np.inf, RNG.normal(4, 0.05, 160)),
    "constant": np.full(60, 4.5),
    "nothing but NaN": np.full(20, math.nan),
    "beyond": np.where(np.arange(60) % 9 == 5, 1e200, RNG.normal(4, 0.05, 60)),
    "empty": np.array([]),
    "one": np.array([4.0]),
    "three": np.array([4.0, 4.1, 4.2]),
}


def run(
    values: np.ndarray, settings: np.ndarray, learn: np.ndarray | None = None, wider: float = 1.0, state: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """State and outputs after a block."""
    state = drift_state.new(values.shape[1]) if state is None else state
    out = np.empty((len(values), drift.OUTPUTS, values.shape[1]))
    flags = np.ones(values.shape, np.uint8) if learn is None else learn
    drift.update(state, np.ascontiguousarray(values), flags, settings, np.full(values.shape[1], wider), out)
    return state, out


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize(("length", "smallest", "wider"), [(500.0, 0.0, 1.0), (4e5, 0.05, 1.4)])
def test_agrees_with_the_slow_twin(name: str, length: float, smallest: float, wider: float) -> None:
    values = SERIES[name]
    settings = drift_state.settings(length, 20, 0.01, smallest=smallest)
    learn = (np.arange(len(values)) % 17 != 3).astype(np.uint8)
    twin = Chart(length, 20, 0.01, smallest, 0.5, 0.04, 3.0, (drift.PRIOR_MEAN, drift.PRIOR_SPREAD))
    state = drift_state.new(1)
    for i, value in enumerate(values.tolist()):
        if i == len(values) // 2:
            drift_state.renew(state, 0)
            twin.renew()
        _, out = run(np.array([[value]]), settings, learn[i : i + 1, None], wider, state)
        assert out[0, :, 0].tolist() == pytest.approx(twin.take(value, bool(learn[i]), wider), rel=1e-6, abs=1e-8, nan_ok=True), i
        assert state[[drift.PHI, drift.RATIO, drift.LIMIT, drift.WIDTH, drift.GROSS], 0].tolist() == pytest.approx(
            [twin.phi, twin.ratio, twin.limit, twin.width, twin.gross], rel=1e-6
        )


def test_what_whitening_leaves() -> None:
    for phi in (0.0, 0.3, 0.6, 0.8, 0.95):
        for used in (0.0, 0.4, 0.6):
            assert drift.ratio(phi, used) == pytest.approx(left_over(phi, used), rel=1e-9)
            assert drift.ahead(phi, used) == pytest.approx(behind(phi, used), rel=1e-9)


def test_the_sum_has_the_run_length_of_the_table() -> None:
    """One-sided, k 0.5, h 5: 931 (field.md 2.5, exact)."""
    assert 1.0 / drift.sum_rate(5.0, 0.5, 1.0, drift.ahead(0.0, 0.0), 0.0) == pytest.approx(931.0, rel=0.02)


@pytest.mark.parametrize(("phi", "used", "h"), [(0.6, 0.3, 12.0), (0.75, 0.6, 12.0), (0.9, 0.6, 40.0)])
def test_the_sum_of_scores_that_are_left_correlated_passes_its_limit_as_often_as_the_formula_says(
    phi: float, used: float, h: float
) -> None:
    """With R alone (1.166 for `ahead`) the formula says 3, 6 and 7 times as many."""
    rng, lanes, k, n, passed = np.random.default_rng(15), 4000, 0.5, 3000, 0
    sd = math.sqrt(1 + used * used - 2 * used * phi)
    x, down = rng.standard_normal(lanes), np.zeros(lanes)
    for i in range(n):
        x, before = phi * x + math.sqrt(1 - phi * phi) * rng.standard_normal(lanes), x
        down = np.maximum(down - (x - used * before) / sd - k, 0.0)
        over = down > h
        passed += int(over.sum()) if i >= 500 else 0
        down[over] = 0.0
    rate = drift.sum_rate(h, k, drift.ratio(phi, used), drift.ahead(phi, used), 0.0)
    assert passed / (lanes * (n - 500)) == pytest.approx(rate, rel=0.25)


@pytest.mark.parametrize("width", [0.35, 0.4])
def test_the_wave_passes_its_width_as_often_as_the_formula_says(width: float) -> None:
    rng, w, passed, n, lanes = np.random.default_rng(5), 0.04, 0, 3000, 2000
    wave = math.sqrt(w / (2 - w)) * rng.standard_normal(lanes)
    for _ in range(n):
        wave += w * (rng.standard_normal(lanes) - wave)
        over = wave > width
        passed += int(over.sum())
        wave[over] = 0.0
    assert passed / (n * lanes) == pytest.approx(drift.wave_rate(width, w, 1.0), rel=0.15)


def test_one_by_one_and_over_a_restart_gives_the_same_bytes() -> None:
    values = correlated(300, 0.5, np.random.default_rng(3), 3)
    settings = drift_state.settings(2000.0, 20, 1e-6)
    state, out = run(values, settings)
    again = drift_state.new(3)
    for i in range(len(values)):
        again, one = run(values[i : i + 1], settings, state=again)
        assert one.tobytes() == out[i : i + 1].tobytes()
        again = np.frombuffer(bytearray(again.tobytes())).reshape(drift.FIELDS, 3)
    assert again.tobytes() == state.tobytes()


def test_a_short_baseline_widens_and_what_the_others_know_narrows_it() -> None:
    settings = drift_state.settings(2000.0, 20, 1e-6)
    limits = {}
    for n in (30, 100, 300):
        values = correlated(n, 0.6, np.random.default_rng(4), 200)
        state, _ = run(values, settings)
        limits[n] = float(np.median(state[drift.LIMIT]))
        state = drift_state.new(200)
        state[drift.PRIOR], state[drift.PRIOR_VARIANCE] = math.asin(0.6), 0.001
        state, _ = run(values, settings, state=state)
        assert np.median(state[drift.LIMIT]) < limits[n]
    assert limits[30] > 2 * limits[100] > 2.2 * limits[300]


def test_a_new_tool_begins_the_mean_again_and_keeps_the_rest() -> None:
    settings = drift_state.settings(2000.0, 20, 1e-6)
    state, _ = run(correlated(200, 0.5, np.random.default_rng(6)), settings)
    before = state.copy()
    drift_state.renew(state, 0)
    kept = [drift.PHI, drift.LIMIT, drift.WIDTH, drift.SPREAD]
    assert state[kept, 0].tolist() == before[kept, 0].tolist()
    state, out = run(correlated(60, 0.5, np.random.default_rng(7)) + 0.5, settings, state=state)
    assert not out[:, drift.EVENT].any(), "another level is no drift"
    assert state[drift.NOW, 0] == pytest.approx(4.5, abs=0.05)


@pytest.mark.parametrize(("n", "phi"), [(30, 0.6), (100, 0.3)])
def test_the_first_cuts_after_a_teach_in_keep_the_budget(n: int, phi: float) -> None:
    """The whole of it is benchmarks/run_lengths.py; here 1,000 teach-ins: 256 alarms are the budget, so 304 are three standard errors."""
    settings = drift_state.settings(1000.0, 20, 1e-6)
    rng = np.random.default_rng(8)
    values = correlated(n + 256, phi, rng, 1000)
    state, _ = run(values[:n], settings)
    _, out = run(values[n:], settings, state=state)
    assert 0 < (out[:, drift.EVENT] > 0).sum() <= 304


def test_one_odd_value_that_dies_away_slowly_is_no_gross_fall() -> None:
    """AR 0.9: of a fall of 20 standard deviations 13 are left after four more values. A lasting one of the same size is told."""
    settings = drift_state.settings(4e5, 20, 1e-6)
    state, _ = run(correlated(600, 0.9, np.random.default_rng(16)), settings)
    state[drift.LIMIT] = state[drift.WIDTH] = np.inf
    after = correlated(10, 0.9, np.random.default_rng(17))
    _, out = run(after - 1.0 * 0.9 ** np.arange(10)[:, None], settings, state=state.copy())
    assert not out[:, drift.EVENT].any()
    _, out = run(after - 1.0, settings, state=state.copy())
    assert out[:, drift.EVENT].max() == 3.0


@pytest.mark.parametrize("wrong", [{"run_length": 1.0}, {"weight": 0.0}, {"slack": 0.0}])
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above"):
        drift_state.settings(**{"run_length": 10.0, "fewest": 1, "floor": 0.1, **wrong})  # type: ignore[arg-type]
