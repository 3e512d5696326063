"""The curve of a cut: against slow twins, and against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.kernels import dtw as kernel
from agent.kernels import signature
from tests.naive import signature as naive
from tests.support.series import series

SERIES = series(40)
INF = math.inf


# ---- resampling
def resample(time: np.ndarray, values: np.ndarray, first: float, step: float, positions: int, longest: float = INF) -> np.ndarray:
    out = np.full((positions, values.shape[1]), -1.0)
    signature.resample(time, values, first, step, longest, out)
    return out


@pytest.mark.parametrize("longest", [INF, 0.15])
@pytest.mark.parametrize("name", SERIES)
def test_resampling_agrees_with_the_slow_twin(name: str, longest: float) -> None:
    values = SERIES[name]
    time = np.cumsum(np.random.default_rng(2).choice([0.0, 0.05, 0.1, 0.25], size=len(values)))
    both = np.column_stack([values, -2 * values])
    wanted = [-0.3 + k * 0.0625 for k in range(60)]  # a step that is no rounding in binary
    out = resample(time, both, -0.3, 0.0625, 60, longest)
    for c in range(2):
        expected = naive.resampled(time.tolist(), both[:, c].tolist(), wanted, longest)
        assert out[:, c] == pytest.approx(expected, rel=1e-9, abs=1e-9 * np.nanmax(np.abs(both), initial=1e-290), nan_ok=True)


def test_a_straight_line_stays_one_and_ends_stay_ends() -> None:
    time = np.array([0.0, 0.3, 1.0, 4.0])
    out = resample(time, (2 * time + 1)[:, None], 0.0, 0.5, 9)
    assert out[:, 0] == pytest.approx(1 + np.arange(9.0))
    assert math.isnan(resample(time, time[:, None], 0.0, 0.5, 10)[9, 0])


# ---- envelope
@pytest.mark.parametrize("cuts", [0, 1, 2, 3, 10, 31])
def test_envelope_agrees_with_the_slow_twin(cuts: int) -> None:
    rng = np.random.default_rng(3)
    curves = np.round(rng.normal(size=(cuts, 17, 2)), 1)
    curves[rng.random(curves.shape) < 0.2] = math.nan
    curves[rng.random(curves.shape) < 0.02] = math.inf
    curves[:, 3, 1] = math.nan
    curves[:, 4, 0] = 7.25
    centre, spread, count = np.empty((17, 2)), np.empty((17, 2)), np.empty((17, 2), np.int64)
    signature.envelope(curves, centre, spread, count)
    for k in range(17):
        for c in range(2):
            told = (centre[k, c], spread[k, c], count[k, c])
            assert told == pytest.approx(naive.envelope_at(curves[:, k, c].tolist()), rel=1e-12, abs=1e-12, nan_ok=True)


def exceed(
    curve: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
    *,
    up: float = 3.0,
    down: float = INF,
    persistence: int = 3,
    parts: tuple[int, ...] = (),
    floor: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Told and state of one channel, handed in in parts."""
    state = np.zeros((signature.EXCEED_FIELDS, 1))
    told, first = [], 0
    for part in np.split(curve[:, None], parts):
        mine = np.full(part.shape, 255, np.uint8)
        block = np.ascontiguousarray(part)
        signature.exceed(
            state, centre[:, None].copy(), spread[:, None].copy(), np.array([floor]), block, first, up, down, persistence, mine
        )
        state = np.frombuffer(bytearray(state.tobytes())).reshape(signature.EXCEED_FIELDS, 1)
        told.append(mine[:, 0])
        first += len(part)
    return np.concatenate(told), state[:, 0]


@pytest.mark.parametrize(("up", "down"), [(1.13, INF), (INF, 1.13), (0.71, 0.93)])
@pytest.mark.parametrize("persistence", [1, 2, 4])
@pytest.mark.parametrize("name", SERIES)
def test_exceeding_agrees_with_the_slow_twin(name: str, persistence: int, up: float, down: float) -> None:
    """Handed in in parts: it makes no difference where they end. The envelope is shorter than the longest of the curves."""
    curve = SERIES[name]
    rng = np.random.default_rng(5)
    centre, spread = rng.normal(size=35) * 0.2, rng.uniform(0.0, 1.5, size=35)
    centre[9] = math.nan
    told, _ = exceed(curve, centre, spread, up=up, down=down, persistence=persistence, parts=(1, 7, 8, 20), floor=0.4)
    wide = np.maximum(spread, 0.4).tolist()
    names = {0: "", signature.ABOVE: "above", signature.BELOW: "below"}
    assert [names[value] for value in told.tolist()] == naive.outside(curve.tolist(), centre.tolist(), wide, up, down, persistence)


def test_a_spike_is_none_a_worn_tool_is_one_and_one_side_is_one_side() -> None:
    centre, spread = np.full(50, 40.0), np.full(50, 2.0)
    spike, worn = centre.copy(), centre.copy()
    spike[20] = 90.0
    worn[30:] = 47.0
    assert not exceed(spike, centre, spread)[0].any()
    told, state = exceed(worn, centre, spread)
    assert np.flatnonzero(told).tolist() == list(range(32, 50))
    assert state[signature.HIGHEST] == 3.5
    assert not exceed(80 - worn, centre, spread)[0].any()
    assert (exceed(80 - worn, centre, spread, down=3.0)[0][32:] == signature.BELOW).all()


# ---- warping
def dtw(a: list[float], b: list[float], band: int) -> tuple[float, float, np.ndarray]:
    first, second = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    out = np.full(len(b), -1.0)
    full = signature.align(first, second, band, np.empty((max(len(a), 1), max(len(b), 1))), out)
    return kernel.dtw(first, second, band, np.empty((2, max(len(b), 1)))), full, out


@settings(max_examples=150, deadline=None)
@given(
    a=st.lists(st.floats(-100, 100), min_size=1, max_size=12),
    b=st.lists(st.floats(-100, 100), min_size=1, max_size=12),
    band=st.integers(0, 12),
)
def test_distance_agrees_with_the_slow_twin(a: list[float], b: list[float], band: int) -> None:
    distance, full, _ = dtw(a, b, band)
    expected, _ = naive.warped(a, b, band)
    assert distance == pytest.approx(expected, rel=1e-9)
    assert full == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (5, 1), (9, 9), (9, 14), (14, 9), (6, 13)])
@pytest.mark.parametrize("band", [1, 2, 20])
def test_alignment_agrees_with_the_slow_twin(n: int, m: int, band: int) -> None:
    rng = np.random.default_rng(n * 100 + m)
    a, b = rng.normal(size=n).tolist(), rng.normal(size=m).tolist()
    distance, _, out = dtw(a, b, band)
    expected, way = naive.warped(a, b, band)
    assert distance == pytest.approx(expected)
    for j in range(m):
        beside = [a[i] for i, k in way if k == j]
        assert out[j] == pytest.approx(np.mean(beside) if beside else math.nan, nan_ok=True)


def test_no_band_is_the_plain_difference_and_a_narrow_one_may_leave_no_way() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=30), rng.normal(size=30)
    assert dtw(a.tolist(), b.tolist(), 0)[0] == pytest.approx(np.abs(a - b).sum())
    assert dtw([0.0] * 3, [0.0] * 30, 1)[0] == INF
    assert dtw([0.0] * 3, [0.0] * 30, 15)[0] == 0.0


@pytest.mark.parametrize(("a", "b"), [([], [1.0]), ([1.0], []), ([1.0, math.nan], [1.0]), ([1.0], [math.inf, 2.0])])
def test_nothing_to_warp_is_no_number(a: list[float], b: list[float]) -> None:
    distance, full, out = dtw(a, b, 5)
    assert math.isnan(distance)
    assert math.isnan(full)
    assert np.isnan(out).all()


def test_a_cut_that_ran_slower_lies_on_the_other_once_aligned() -> None:
    """The same cut at 80 % of the feed: 25 % more readings."""

    def cut(n: int) -> np.ndarray:
        x = np.linspace(0, 1, n)
        return 40 * (np.clip(x * 8, 0, 1) - np.clip((x - 0.8) * 8, 0, 1)) + 5 * np.sin(6 * np.pi * x)

    slow, usual = cut(250), cut(200)
    distance, _, out = dtw(slow.tolist(), usual.tolist(), 10)
    assert np.abs(out - usual).max() < 1.0
    assert distance / 450 < 0.2
    other, _, _ = dtw((1.2 * slow).tolist(), usual.tolist(), 10)
    assert other > 5 * distance


# ---- area and slopes
def grown(time: list[float], values: list[float], level: float, longest: float, parts: tuple[int, ...] = ()) -> list[float]:
    state = signature.opened()
    for moments, part in zip(np.split(np.array(time), parts), np.split(np.array(values), parts), strict=True):
        signature.grow(state, moments.astype(np.float64), part.astype(np.float64), level, longest)
        state = np.frombuffer(bytearray(state.tobytes()))
    return state[signature.AREA :].tolist()


@pytest.mark.parametrize("longest", [INF, 0.15])
@pytest.mark.parametrize("name", SERIES)
def test_area_and_slopes_agree_with_the_slow_twin(name: str, longest: float) -> None:
    values = SERIES[name].tolist()
    values = [value if abs(value) < 1e150 else math.inf for value in values]
    time = np.cumsum(np.random.default_rng(2).choice([0.0, 0.05, 0.1, 0.25], size=len(values))).tolist()
    expected = naive.growth(time, values, 0.25, longest)
    size = max([abs(v) for v in values if math.isfinite(v)], default=1.0)
    assert grown(time, values, 0.25, longest, (1, 13)) == pytest.approx(expected, rel=1e-9, abs=1e-9 * size)


def test_area_of_a_triangle() -> None:
    """From 0 up to 10 in 2 s and back: 20 unit s; above 5 a quarter of it; 5 units a second."""
    assert grown([0.0, 2.0, 4.0], [0.0, 10.0, 0.0], 0.0, INF) == pytest.approx([20.0, 20.0, 5.0, -5.0])
    assert grown([0.0, 2.0, 4.0], [0.0, 10.0, 0.0], 5.0, INF) == pytest.approx([0.0, 5.0, 5.0, -5.0])


def test_nothing_is_counted_across_a_gap() -> None:
    assert grown([0.0, 1.0, 9.0, 10.0], [4.0, 4.0, 8.0, 8.0], 0.0, 2.0) == [12.0, 12.0, 0.0, 0.0]


# ---- limits
@pytest.mark.parametrize("name", SERIES)
def test_limits_of_area_and_slopes(name: str) -> None:
    values = np.clip(SERIES[name], -1e150, 1e150)
    state = signature.opened()
    signature.grow(state, 0.05 * np.arange(len(values)), values, 0.25, INF)
    figures = state[signature.AREA :].tolist()
    rng = np.random.default_rng(len(values))
    for _ in range(40):
        around = np.array(figures)[:, None] + np.array([-1.0, 1.0]) * rng.choice([-1.0, 0.0, 1.0, INF], size=(4, 2))
        around[rng.integers(4), rng.integers(2)] = rng.choice([math.nan, 0.0, 1e308])
        expected = set()
        for i, (figure, (low, high)) in enumerate(zip(figures, around.tolist(), strict=True)):
            expected |= {2 * i} if figure < low else set()
            expected |= {2 * i + 1} if figure > high else set()
        told = signature.beyond(state, around)
        assert {bit for bit in range(16) if told >> bit & 1} == expected


@pytest.mark.parametrize("name", [name for name, values in series(12).items() if np.isfinite(values).all() and len(values)])
def test_warping_series_of_every_kind(name: str) -> None:
    a = np.clip(series(12)[name], -1e150, 1e150).tolist()
    b = np.clip(series(9, seed=5)[name], -1e150, 1e150).tolist()
    expected, _ = naive.warped(a, b, 4)
    distance, full, _ = dtw(a, b, 4)
    assert distance == pytest.approx(expected, rel=1e-9)
    assert full == pytest.approx(expected, rel=1e-9)
