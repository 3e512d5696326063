"""Medians and what is made of them, against numpy's own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect.middle import band, winsorised


def spread(values: list[float], floor: float) -> tuple[float, float, float]:
    """Twin of `winsorised`."""
    latest = np.array(values)
    middle = float(np.median(latest))
    robust = max(1.4826 * float(np.median(np.abs(latest - middle))), floor)
    latest = np.clip(latest, middle - 3.0 * robust, middle + 3.0 * robust)
    return float(latest.mean()), max(float(latest.std(ddof=1)) if len(latest) > 1 else 0.0, floor), robust


def shape(curves: list[np.ndarray], floor: float) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Twin of `band`."""
    length = int(np.median([len(curve) for curve in curves]))
    matrix = np.full((len(curves), length), np.nan)
    for row, curve in zip(matrix, curves, strict=True):
        row[: len(curve)] = curve[:length]
    matrix = matrix[:, : int((np.isfinite(matrix).sum(axis=0) >= 3).sum())]
    if matrix.shape[1] < 2:
        return None
    middle = np.nanmedian(matrix, axis=0)
    half = np.maximum(3.0 * 1.4826 * np.nanmedian(np.abs(matrix - middle), axis=0), floor * float(np.max(np.abs(middle))))
    return tuple(np.round(middle - half, 3).tolist()), tuple(np.round(middle + half, 3).tolist())


@pytest.mark.parametrize("n", range(1, 61))
def test_a_spread_to_the_last_bit(n: int) -> None:
    rng = np.random.default_rng(n)
    for scale in (1e-5, 0.02, 3.0):
        values = rng.standard_t(2, n) * scale + 4.0
        assert winsorised(values.tolist(), 0.01) == spread(values.tolist(), 0.01)
        assert winsorised([values[0]] * n, 0.01) == spread([values[0]] * n, 0.01)


def test_a_spread_of_what_is_no_number() -> None:
    assert all(math.isnan(x) for x in winsorised([1.0, math.nan, 2.0], 0.01)[:1])


@pytest.mark.parametrize("seed", range(200))
def test_a_band_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    length = int(rng.integers(2, 120))
    curves = [rng.normal(30.0, 4.0, max(1, length + int(rng.integers(-9, 10)))) for _ in range(int(rng.integers(3, 26)))]
    if seed % 7 == 0:
        curves[0][0] = math.inf
    if seed % 11 == 0:
        curves[1][0] = math.nan
    with np.errstate(invalid="ignore"):
        assert repr(band(curves, 0.03)) == repr(shape(curves, 0.03))


def test_too_few_points_make_no_band() -> None:
    assert band([np.ones(1), np.ones(1), np.ones(1)], 0.03) is None
    assert band([np.ones(9), np.ones(9)], 0.03) is None
