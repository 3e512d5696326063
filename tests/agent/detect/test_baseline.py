"""What is learned of an operation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detect.baseline import MEMORY, SPREAD_FLOOR, Baseline, Prior, Spread, priors
from tests.support.cuts import cut


def baseline() -> Baseline:
    """Of a new operation."""
    return Baseline(key="k", spindle="S1", program="1", tool="4", section="1", since=0.0)


@given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=150))
def test_without_outliers_the_spread_is_mean_and_standard_deviation(values: list[float]) -> None:
    spread = Spread()
    for value in values:
        spread.learn(value)
    latest = np.array(values[-MEMORY:])
    middle = np.median(latest)
    scale = max(1.4826 * np.median(np.abs(latest - middle)), SPREAD_FLOOR)
    latest = np.clip(latest, middle - 3 * scale, middle + 3 * scale)
    assert spread.n == len(values)
    assert spread.mean == pytest.approx(latest.mean())
    assert spread.sd == pytest.approx(max(latest.std(ddof=1), SPREAD_FLOOR))


def test_one_odd_first_cut_does_not_blind_the_limits() -> None:
    spread = Spread()
    for value in [2.0, *np.linspace(-0.02, 0.02, 15)]:
        spread.learn(float(value))
    assert spread.sd < 0.03


def test_the_anchor_is_of_the_first_cuts_and_needs_three() -> None:
    known = baseline()
    for work in (100.0, 101.0):
        known.learn(cut(work), 0.5)
    assert known.new_tool is None
    for work in (99.0, 100.0, 100.0, 150.0, 200.0):
        known.learn(cut(work), 0.5)
    assert known.new_tool == pytest.approx(math.log(100.0))
    assert known.ratio(cut(125.0)) == pytest.approx(math.log(1.25))
    known.new(9.0)
    assert known.new_tool is None
    assert known.good == 7


def test_a_steady_rise_is_no_lack_of_repeatability() -> None:
    known = baseline()
    for i in range(30):
        known.learn(cut(100.0 * math.exp(0.05 * i)), 0.5)
    assert known.repeatability == SPREAD_FLOOR
    assert known.work.sd > 0.3


def test_repeatability_of_random_cuts() -> None:
    known = baseline()
    random = np.random.default_rng(2)
    for value in random.normal(0.0, 0.04, 60):
        known.learn(cut(100.0 * math.exp(value)), 0.5)
    assert known.repeatability == pytest.approx(0.04, rel=0.35)


def test_the_band_is_there_after_three_curves_and_holds_them() -> None:
    known = baseline()
    shape = 40.0 * np.sin(np.linspace(0.0, math.pi, 41))
    for i in range(6):
        known.learn(cut(100.0, curve=tuple((shape * (1 + 0.01 * (i - 2))).tolist())), 0.5)
        assert (known.envelope() is None) == (i < 2)
    band = known.envelope()
    assert band is not None
    assert band.n == 6
    assert all(low <= value <= high for low, value, high in zip(band.low, shape, band.high, strict=True))


def test_cuts_without_work_teach_nothing() -> None:
    known = baseline()
    known.learn(cut(0.0), 0.5)
    known.learn(cut(-3.0), 0.5)
    assert known.good == 0


def test_priors_borrow_from_the_neighbours_and_yield_to_the_operation_itself() -> None:
    assert priors([]).work.dof == 0
    known = [baseline() for _ in range(3)]
    for b in known:
        for i in range(5):
            b.learn(cut(100.0 + i), 0.5)
    prior = priors(known)
    assert prior.work.dof == 10
    sd, dof = Prior(0.02, 10).with_own(0.08, 59)
    assert dof == 69
    assert 0.07 < sd < 0.08
    assert Prior().with_own(0.05, 0) == (0.05, 0)


def test_a_long_cut_keeps_few_points_and_its_band_survives_a_restart() -> None:
    known = baseline()
    curve = tuple(np.linspace(10.0, 50.0, 2400).tolist())
    for _ in range(6):
        known.learn(cut(100.0, curve=curve), 0.5)
    assert known.grid == pytest.approx(0.8)
    assert len(known.low) == 150
    kept = known.without_curves()
    assert kept.envelope() == known.envelope()
    bands = []
    for _ in range(9):
        kept.learn(cut(100.0, curve=tuple(0.5 * x for x in curve)), 0.5)
        band = kept.envelope()
        assert band is not None
        bands.append(band.n)
    assert bands == [6] * 5 + [6, 7, 8, 9]
