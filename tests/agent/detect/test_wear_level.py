"""The monotone level of a signal: what it is, what a single wild value does to it, and that it stays small."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detect.wear_level import MOST, Level


def slow(values: list[float]) -> float:
    """The last value of a monotone regression is the largest mean of any tail (min-max formula; Robertson et al., 1988, theorem 1.4.4)."""
    return max(float(np.mean(values[i:])) for i in range(len(values)))


@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=MOST))
def test_it_is_the_last_value_of_the_monotone_regression(values: list[float]) -> None:
    level = Level()
    for i, value in enumerate(values):
        assert level.take(value) == pytest.approx(slow(values[: i + 1]), abs=1e-9)
    assert level.now == pytest.approx(slow(values), abs=1e-9)


def test_it_does_not_ratchet_on_one_wild_value() -> None:
    level = Level()
    for value in [0.0] * 5 + [1.0] + [0.0] * 95:
        level.take(value)
    assert level.now == pytest.approx(1.0 / 96.0)


def test_it_stays_small_and_right_through_a_long_rise() -> None:
    random = np.random.default_rng(5)
    values = (np.linspace(0.0, 0.5, 3000) + 0.02 * random.standard_normal(3000)).tolist()
    level = Level()
    for value in values:
        level.take(value)
        assert len(level.blocks) <= MOST
    assert level.now == pytest.approx(slow(values), abs=1e-9), "what lies far back does not touch the newest value"


def test_it_survives_a_restart() -> None:
    level = Level()
    assert level.now is None
    for value in (0.1, 0.3, 0.2, 0.4):
        level.take(value)
    again = msgspec.json.decode(msgspec.json.encode(level), type=Level)
    assert again.take(0.1) == level.take(0.1)
