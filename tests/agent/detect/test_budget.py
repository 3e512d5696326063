"""Thresholds from the budget, against scipy and against simulation."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agent.detect import budget
from agent.detect.baseline import Baseline, Prior
from agent.detect.missing import LOWEST, absent, missing
from agent.detect.overload import overload
from tests.support.cuts import cut


@given(st.integers(2, 200), st.floats(1e-9, 0.3))
def test_the_t_quantile_is_scipys(dof: int, p: float) -> None:
    assert budget.tail_factor(dof, p) / budget.WIDEN == pytest.approx(float(stats.t.isf(p, dof)), rel=1e-6)


@pytest.mark.parametrize("dof", [-1, 0, 1])
def test_too_little_is_known(dof: int) -> None:
    assert budget.tail_factor(dof, 1e-6) == math.inf


@given(st.integers(0, 250), st.sampled_from([0.01, 0.05, 0.2]))
def test_poisson_bounds_are_those_of_the_chi_square_quantiles(count: int, outside: float) -> None:
    low, high = budget.poisson_bounds(count, outside)
    assert low == pytest.approx(float(stats.chi2.ppf(outside / 2, 2 * count) / 2) if count else 0.0, rel=1e-6)
    assert high == pytest.approx(float(stats.chi2.ppf(1 - outside / 2, 2 * count + 2) / 2), rel=1e-6)


def test_fewer_cuts_give_wider_limits() -> None:
    factors = [budget.prediction_factor(n, n - 1, 2.5e-6) for n in range(3, 60)]
    assert all(a > b for a, b in itertools.pairwise(factors))
    assert budget.prediction_factor(2, 10, 1e-6) == math.inf


def test_one_a_month_shared_by_four_hundred_thousand_evaluations() -> None:
    assert budget.probability(1.0 / 160.0) == pytest.approx(2.5e-6)
    assert budget.probability(1.0 / 160.0, 10.0) == pytest.approx(2.5e-6)
    assert budget.probability(1.0 / 160.0, 25_000.0) == pytest.approx(2.5e-7)


@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_unwidened_prediction_limit_is_passed_as_often_as_it_says(n: int) -> None:
    random = np.random.default_rng(11)
    learned = random.standard_normal((200_000, n))
    following = random.standard_normal(200_000)
    factor = budget.prediction_factor(n, n - 1, 0.01) / budget.WIDEN
    passed = np.mean(following > learned.mean(axis=1) + factor * learned.std(axis=1, ddof=1))
    assert passed == pytest.approx(0.01, abs=4.0 * math.sqrt(0.01 / 200_000))


def test_the_pace_is_the_machines_own_once_it_is_faster_than_assumed() -> None:
    pace = budget.Pace()
    assert pace.evaluations_per_hour() == budget.EVALUATIONS_PER_HOUR == 2500.0
    for i in range(budget.ENOUGH):
        pace.cut(2.0 * i)
    assert pace.evaluations_per_hour() == 2500.0, "199 gaps are too few"
    pace.cut(2.0 * budget.ENOUGH)
    assert 9000.0 <= pace.evaluations_per_hour() <= 1.1 * 9000.0
    before = pace.evaluations_per_hour()
    pace.cut(2.0 * budget.ENOUGH + 8 * 3600.0)
    assert pace.evaluations_per_hour() == before, "a night is no automatic running"
    pace.cut(5.0)
    assert pace.last == 2.0 * budget.ENOUGH + 8 * 3600.0, "time does not go back"


def test_a_slow_machine_gets_no_nearer_limits() -> None:
    pace = budget.Pace()
    for i in range(400):
        pace.cut(60.0 * i)
    assert pace.evaluations_per_hour() == 2500.0


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_any_times_give_a_rate(times: list[float]) -> None:
    pace = budget.Pace()
    for time in times:
        pace.cut(time)
    assert pace.evaluations_per_hour() >= 2500.0
    assert pace.hours >= 0.0


def test_one_false_alarm_a_month_is_one_in_400_000_evaluations() -> None:
    assert 1.0 / budget.probability(1.0 / 160.0) == pytest.approx(400_000)


def operation(sd: float) -> Baseline:
    """Of 30 good cuts whose work differs by this fraction."""
    known = Baseline(key="k", spindle="S1", program="1", tool="4", section="1", since=0.0)
    for i, deviation in enumerate(np.random.default_rng(3).standard_normal(30)):
        known.learn(cut(100.0 * math.exp(sd * deviation), part=i), 0.5)
    return known


def test_a_finding_says_the_chance_of_its_limit_and_a_rule_says_none() -> None:
    p = 2.5e-6
    steady, wild = operation(0.01), operation(0.2)
    high = msgspec.structs.replace(cut(100.0, part=50), features=msgspec.structs.replace(cut(100.0).features, level=1e6))
    spoke = overload(high, steady, Prior(), p, 5)
    assert spoke is not None
    assert spoke.chance == p
    nothing = cut(0.01, part=50)
    told = [missing(nothing, known, Prior(), p, 5) for known in (steady, wild)]
    assert [one.threshold > LOWEST for one in told if one is not None] == [True, False]
    assert [one.chance for one in told if one is not None] == [p, None]
    absence = absent(steady, Prior(), 0.0, 1, p)
    assert absence.chance is None
