"""Figures of channels against their slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.kernels import health as kernel
from tests.naive.health import Channel

NAMES = """fresh bad missing span n mean spread changes top below step range noise_n noise gaps gap_sum gap_max long""".split()  # noqa: SIM905
KINDS = ("random", "steps", "constant", "broken", "clipped")


def series(kind: str, n: int, draw: np.random.Generator) -> np.ndarray:
    """Values of one channel."""
    values = draw.standard_normal(n)
    match kind:
        case "steps":
            return np.repeat(np.rint(4 * values), 3)[:n] / 4
        case "constant":
            return np.full(n, 2.5)
        case "broken":
            values[draw.random(n) < 0.2] = np.nan
            values[draw.random(n) < 0.05] = np.inf
        case "clipped":
            return np.clip(np.rint(64 * values) / 64, 0.0, 0.5)
    return values


def compare(time, values, quality, fresh, mode, spindle, period, cuts) -> None:  # type: ignore[no-untyped-def]
    """Kernel and twin over stretches that end at `cuts`."""
    channels = values.shape[1]
    carry = np.full((channels, kernel.CARRY), np.nan)
    carry[:, kernel.STILL] = 0.0
    twins = [Channel() for _ in range(channels)]
    for a, b in zip([0, *cuts], [*cuts, len(time)], strict=True):
        out = np.full((channels, kernel.WIDTH), np.nan)
        kernel.measure(time[a:b], values[a:b], quality[a:b], fresh[a:b], mode[a:b], spindle, period, carry, out)
        for c, twin in enumerate(twins):
            does = mode[a:b, spindle[c]] if spindle[c] >= 0 else np.zeros(b - a, dtype=int)
            columns = (time[a:b], values[a:b, c], quality[a:b, c], fresh[a:b, c], does)
            rows = list(zip(*(column.tolist() for column in columns), strict=True))
            told = twin.stretch(rows, float(period[c]))
            for at, name in enumerate(NAMES):
                assert out[c, at] == pytest.approx(told[name], rel=1e-9, abs=1e-9), (c, name)
            assert carry[c, kernel.STILL] == pytest.approx(twin.still)
            assert math.isnan(carry[c, kernel.CHANGED]) if twin.changed is None else carry[c, kernel.CHANGED] == twin.changed


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 120), pieces=st.integers(0, 4))
def test_as_the_twin(seed: int, n: int, pieces: int) -> None:
    draw = np.random.default_rng(seed)
    time = np.cumsum(draw.choice([0.0, 0.1, 0.1, 0.1, 0.4, 2.0, 7.0], n))
    values = np.ascontiguousarray(np.column_stack([series(kind, n, draw) for kind in KINDS]))
    quality = draw.choice(np.array([0, 0, 0, 0, 1, 2, 3], dtype=np.uint8), values.shape)
    fresh = draw.random(values.shape) < 0.8
    mode = np.repeat(draw.integers(0, 4, (n, 2)), 5, axis=0)[:n].astype(np.int8)
    spindle = np.array([0, 1, 0, 1, -1])
    period = np.array([0.1, 0.1, math.nan, 0.2, 0.1])
    cuts = sorted(draw.integers(0, n + 1, pieces).tolist())
    compare(time, values, quality, fresh, mode, spindle, period, cuts)


def test_nothing_is_nothing() -> None:
    empty = np.zeros((0, 1))
    carry, out = np.full((1, kernel.CARRY), np.nan), np.full((1, kernel.WIDTH), np.nan)
    kernel.measure(
        np.zeros(0), empty, empty.astype(np.uint8), empty.astype(bool), empty.astype(np.int8), np.zeros(1, np.int64), np.ones(1), carry, out
    )
    assert not out.any()
