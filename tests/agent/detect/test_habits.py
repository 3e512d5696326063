"""What is usual for a channel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detect.habits import LONGEST, MEMORY, SHORTEST, Habits, Usual


def usual(values: list[float]) -> Usual:
    """Learned from these."""
    made = Usual()
    for value in values:
        made.learn(value)
    return made


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_mean_spread_and_ends(values: list[float]) -> None:
    made = usual(values)
    assert made.n == len(values)
    assert made.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert made.sd == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)
    assert (made.low, made.high) == (min(values), max(values))


def test_a_long_memory_follows_what_changes() -> None:
    made = usual([0.0] * MEMORY + [1.0] * 2 * MEMORY)
    assert made.n <= MEMORY
    assert made.mean > 0.8


def test_a_limit_is_beyond_all_that_was_seen_and_never_nearer_than_asked() -> None:
    made = usual([0.0, 0.1, -0.1] * 20)
    low, high = made.lowest(1e-5, 1.0, 0.5), made.highest(1e-5, 1.0, 0.5)
    assert low <= min(-1.0, -0.1 - 0.5)
    assert high >= max(1.0, 0.1 + 0.5)
    assert made.lowest(1e-5, 0.0, 0.0) < made.lowest(1e-2, 0.0, 0.0) < -0.1
    assert usual([1.0]).lowest(1e-5, 0.0, 0.0) == -math.inf


def test_how_long_a_value_may_stand() -> None:
    habits = Habits([math.nan, math.nan, math.nan, 0.0])
    habits.changed(49, 49 * 0.2, 0.4)
    assert habits.patience(1e-6) is None
    assert habits.update_period is None
    habits.changed(51, 51 * 0.2, 0.5)
    assert habits.update_period == pytest.approx(0.2)
    assert habits.patience(1e-6) == SHORTEST
    habits.changed(100, 300.0, 60.0)
    assert habits.patience(1e-6) == LONGEST * 60.0
    habits.changed(100, 3000.0, 60.0)
    assert habits.patience(1e-6) == pytest.approx(max(3320.0 / 300 * math.log(1e6), LONGEST * 60.0))
