"""Powers of the bins, and what is done to samples before: against a slow twin, and against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.kernels.centre import centre
from agent.kernels.fft import Powers, aligned
from tests.naive.fft import powers as naive

RNG = np.random.default_rng(77)


def signal(kind: str, n: int) -> np.ndarray:
    i = np.arange(n)
    return {
        "random": RNG.normal(size=n),
        "constant": np.full(n, 0.7),
        "step": np.where(i < n // 3, -1.0, 1.0),
        "impulse": np.where(i == n // 2, 1.0, 0.0),
        "tone": np.sin(2 * np.pi * 0.123 * i),
        "saturated": np.clip(RNG.normal(size=n) * 2, -1.0, 1.0),
        "nothing": np.zeros(n),
        "small": RNG.normal(size=n) * 1e-15,
    }[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["random", "constant", "step", "impulse", "tone", "saturated", "nothing", "small"])
@pytest.mark.parametrize("n", [1, 2, 3, 32, 63, 64, 128, 256, 512, 1000, 1024, 2048, 4096])
def test_agrees_with_the_slow_twin(kind: str, n: int) -> None:
    """All ways through the passes: with one of radix 2 in the end and without. Amplitudes to 1e-6 of the largest."""
    rows = np.stack([signal(kind, n), signal("random", n), signal(kind, n)[::-1]])
    told = Powers(3, n).of(rows)
    for mine, row in zip(told, rows, strict=True):
        slow = naive(row)
        assert np.sqrt(mine) == pytest.approx(np.sqrt(slow), abs=1e-6 * math.sqrt(slow.max()) + 1e-30)
        assert mine.sum() == pytest.approx(slow.sum(), rel=1e-5, abs=1e-30)


@pytest.mark.parametrize("n", [256, 8192, 16384])
def test_parseval(n: int) -> None:
    """sum_i (u x)^2 = (|X_0|^2 + 2 sum |X_k|^2 + |X_(n/2)|^2) / n."""
    row = RNG.normal(size=(1, n)).astype(np.float32)
    powers = Powers(1, n)
    told = powers.of(row)[0].astype(np.float64)
    expected = np.sum((row[0].astype(np.float64) * powers.window) ** 2)
    assert (told[0] + 2 * told[1:-1].sum() + told[-1]) / n == pytest.approx(expected, rel=1e-6)


def test_a_row_that_is_not_finite_spoils_itself_alone() -> None:
    rows = RNG.normal(size=(3, 512)).astype(np.float32)
    good = Powers(3, 512).of(rows).copy()
    rows[1, 5] = math.nan
    told = Powers(3, 512).of(rows)
    assert np.isnan(told[1]).all()
    assert np.array_equal(told[[0, 2]], good[[0, 2]])


def test_rows_that_begin_anywhere_in_memory() -> None:
    whole = RNG.normal(size=2 * 512 + 1).astype(np.float32)
    aside = whole[1:].reshape(2, 512)
    inside = aligned(2, 512)
    inside[:] = aside
    assert inside.ctypes.data % 64 == 0
    assert np.array_equal(Powers(2, 512).of(aside), Powers(2, 512).of(inside))


@pytest.mark.parametrize("n", [64, 512, 1000])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_power_of_a_row_that_is_not_finite_is_a_number(n: int, bad: float) -> None:
    rows = RNG.normal(size=(2, n)).astype(np.float32)
    rows[0, n // 3] = bad
    told = Powers(2, n).of(rows)
    assert not np.isfinite(told[0]).any()
    assert np.isfinite(told[1]).all()


@pytest.mark.parametrize("kind", ["random", "step", "impulse", "tone", "saturated"])
def test_centred_rows_of_every_kind(kind: str) -> None:
    rows = np.stack([signal(kind, 300), signal(kind, 300)[::-1]])
    lanes, told = np.zeros((2, 300), np.float32), np.zeros((2, 3))
    centre(rows, rows.view(np.int32), lanes, told)
    exact = rows.astype(np.float64)
    off = exact - exact.mean(axis=1)[:, None]
    assert told[:, 1] == pytest.approx(np.abs(off).max(axis=1), rel=1e-9)
    assert lanes == pytest.approx(off / np.abs(off).max(axis=1)[:, None], abs=1e-6)


@pytest.mark.parametrize("size", [1e-45, 1e-38, 1.0, 1e30, 3e38])
def test_centred_rows_are_between_minus_one_and_one(size: float) -> None:
    rows = (RNG.uniform(-1, 1, size=(2, 300)) * size).astype(np.float32)
    lanes, told = np.zeros((2, 300), np.float32), np.zeros((2, 3))
    centre(rows, rows.view(np.int32), lanes, told)
    exact = rows.astype(np.float64)
    mean = exact.mean(axis=1)
    peak = np.abs(exact - mean[:, None]).max(axis=1)
    assert told[:, 0] == pytest.approx(mean, rel=1e-9)
    assert told[:, 1] == pytest.approx(peak, rel=1e-9)
    assert told[:, 2].tolist() == np.abs(exact).max(axis=1).tolist()
    assert lanes == pytest.approx((exact - mean[:, None]) / peak[:, None], abs=1e-6)


@pytest.mark.parametrize(
    ("value", "peak"), [(2.5, 0.0), (math.nan, math.nan), (math.inf, math.nan), (-math.inf, math.nan), (-math.nan, math.nan)]
)
def test_a_row_that_is_constant_or_not_finite_is_told_so(value: float, peak: float) -> None:
    rows = np.full((1, 64), 2.5, np.float32)
    rows[0, 9] = value
    lanes, told = np.ones((1, 64), np.float32), np.zeros((1, 3))
    centre(rows, rows.view(np.int32), lanes, told)
    assert told[0, 1] == pytest.approx(peak, nan_ok=True)
    assert not lanes.any()
