"""What the run lengths are counted with: splitting changes no expected count, and plain counting is the charts of the pass."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect import drift_state
from agent.detect.drift import chart_settings
from agent.kernels import drift
from benchmarks._continue import Operations, process
from benchmarks.run_lengths import bounds

LANES, CUTS = 600, 200
SETTINGS = chart_settings(150.0, 20, 0.0)


def rates(split: tuple[tuple[float, int], ...], seed: int) -> np.ndarray:
    return Operations(np.random.default_rng(seed), 0.6, SETTINGS, LANES, 60, heavy=True).alarms(CUTS, split)


def test_splitting_changes_no_expected_count() -> None:
    plain = rates((), 1)
    error = plain.std() / math.sqrt(LANES)
    assert plain.sum() > 200
    for number, split in enumerate((((0.5, 4),), ((0.3, 5), (0.5, 5), (0.7, 5)), ((0.4, 1), (0.9, 2)))):
        counted = rates(split, 2 + number)
        assert counted.mean() == pytest.approx(plain.mean(), abs=4.0 * math.hypot(error, counted.std() / math.sqrt(LANES)))
    assert not set(counted.tolist()) <= set(range(100)), "a copy counts a half"


def test_counted_plainly_it_is_the_chart_of_the_pass() -> None:
    """The same draws, put together by hand."""
    values = process(np.random.default_rng(5), 0.6, 1, 400, heavy=False)
    state, out = drift_state.new(1), np.empty((400, drift.OUTPUTS, 1))
    drift.update(state, np.ascontiguousarray(values.T), np.ones((400, 1), np.uint8), SETTINGS, np.ones(1), out)
    told = int((out[60:, drift.EVENT] > 0.0).sum())
    assert told > 0
    operations = Operations(np.random.default_rng(5), 0.6, SETTINGS, 1, 60, heavy=False)
    assert operations.alarms(340).tolist() == [told]


def test_the_process_has_the_spread_and_the_correlation_that_it_says() -> None:
    for heavy in (False, True):
        values = (process(np.random.default_rng(6), 0.6, 500, 400, heavy=heavy) - 4.0) / 0.05
        assert values.std() == pytest.approx(1.0, abs=0.03)
        assert float((values[:, 1:] * values[:, :-1]).mean()) == pytest.approx(0.6, abs=0.03)


def test_bounds_of_equal_counts_are_those_of_poisson() -> None:
    """10 of 100: 0.0480 to 0.1839, exact."""
    low, high = bounds(np.repeat([1.0, 0.0], [10, 90]))
    assert (low, high) == pytest.approx((0.0480, 0.1839), rel=0.01)
    assert bounds(np.zeros(10))[0] == 0.0
    assert bounds(np.repeat([0.1, 0.0], [10, 90])) == pytest.approx((0.00480, 0.01839), rel=0.01)
