"""The curve of earlier tools: a law that is known comes back, a signal counts only where it helped, and the chance is what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from agent.detect.wear_curve import SCATTER, SCATTER_DOF, Curve, Trace, fit

LIMIT = 0.3
NONE: Mapping[str, np.ndarray] = {}


def tool(
    random: np.random.Generator, spread: float, *, signal: float = 0.0, noise: float = 0.01, power: float = 0.7
) -> tuple[Trace, float]:
    """A tool whose log wear is off the law by a deviation, with a signal that knows that deviation or does not; and the deviation."""
    off = spread * random.standard_normal()
    t = np.linspace(60.0, 3000.0, 40)
    wear = 0.3 * (t / 2000.0) ** power * np.exp(off)
    level = 0.1 * t / 2000.0 + signal * off + noise * random.standard_normal(len(t))
    return Trace(t, wear, {"z": level}), off


def test_a_known_law_comes_back_and_its_crossing_too() -> None:
    curve = fit([tool(np.random.default_rng(k), 0.0)[0] for k in range(4)], LIMIT)
    assert curve is not None
    assert curve.exponent == pytest.approx(0.7, abs=1e-6)
    assert curve.expected(np.array([2000.0]), NONE)[0] == pytest.approx(0.3)
    assert curve.reached(0.5, LIMIT) == pytest.approx(2000.0)
    assert curve.n == 4


def test_nothing_is_made_of_nothing() -> None:
    assert fit([], LIMIT) is None
    nothing = Trace(np.array([100.0, 200.0]), np.array([math.nan, 0.0]), {})
    assert fit([nothing], LIMIT) is None
    assert fit([Trace(np.zeros(0), np.zeros(0), {})], LIMIT) is None


def test_a_signal_that_knows_the_tool_is_believed_and_helps() -> None:
    better, weights = [], []
    for seed in range(30):
        random = np.random.default_rng(seed)
        known = [tool(random, 0.3, signal=0.2)[0] for _ in range(6)]
        one, _ = tool(random, 0.3, signal=0.2)
        with_it, alone = fit(known, LIMIT), fit([Trace(k.seconds, k.wear, {}) for k in known], LIMIT)
        assert with_it is not None
        assert alone is not None
        weights.append(sum(excess.weight for excess in with_it.excess.values()))
        better.append(rmse(with_it, one) / rmse(alone, one))
    assert np.median(weights) > 0.5
    assert np.median(better) < 0.7


def test_a_signal_that_knows_nothing_costs_next_to_nothing() -> None:
    with_it, alone, weights = [], [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        known = [tool(random, 0.3, noise=0.03)[0] for _ in range(4)]
        one, _ = tool(random, 0.3, noise=0.03)
        curve, clock = fit(known, LIMIT), fit([Trace(k.seconds, k.wear, {}) for k in known], LIMIT)
        assert curve is not None
        assert clock is not None
        weights.append(sum(excess.weight for excess in curve.excess.values()))
        with_it.append(rmse(curve, one) ** 2)
        alone.append(rmse(clock, one) ** 2)
    assert np.mean([weight == 0.0 for weight in weights]) > 0.6
    assert math.sqrt(np.mean(with_it) / np.mean(alone)) < 1.05


def test_with_two_earlier_tools_no_signal_is_believed() -> None:
    random = np.random.default_rng(1)
    curve = fit([tool(random, 0.3, signal=0.2)[0] for _ in range(2)], LIMIT)
    assert curve is not None
    assert not curve.excess


def test_a_burst_is_not_believed_beyond_what_the_earlier_tools_showed() -> None:
    random = np.random.default_rng(3)
    known = [tool(random, 0.3, signal=0.2)[0] for _ in range(6)]
    curve = fit(known, LIMIT)
    assert curve is not None
    excess = curve.excess["z"]
    t = np.array([1000.0])
    wild = curve.expected(t, {"z": np.array([50.0])})[0] / curve.expected(t, NONE)[0]
    assert math.log(wild) == pytest.approx(excess.weight * excess.slope * excess.most)
    assert curve.expected(t, {"z": np.array([math.nan])})[0] == curve.expected(t, NONE)[0], "a dead sensor leaves the clock"


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_so_many_of_such_tools_are_worn_as_the_chance_says(n: int) -> None:
    """Of tools whose life spreads as is assumed; each known by its end alone, as 'changed: worn' tells it."""
    random = np.random.default_rng(8)
    worn = []
    for _ in range(1500):
        lives = 2000.0 * np.exp(SCATTER * random.standard_normal(n + 1))
        curve = fit([Trace(np.array([life]), np.array([LIMIT]), {}) for life in lives[:-1]], LIMIT)
        assert curve is not None
        worn.append(lives[-1] <= curve.reached(0.2, LIMIT))
    assert np.mean(worn) == pytest.approx(0.2, abs=0.04)


def test_the_chance_is_students() -> None:
    lives = [1800.0, 2000.0, 2300.0]
    curve = fit([Trace(np.array([life]), np.array([LIMIT]), {}) for life in lives], LIMIT)
    assert curve is not None
    logs = np.log(lives)
    dof = SCATTER_DOF + 2
    spread = math.sqrt((SCATTER_DOF * SCATTER**2 + float(np.sum((logs - logs.mean()) ** 2))) / dof * (1.0 + 1.0 / 3.0))
    for seconds in (1000.0, 2000.0, 2600.0):
        expected = stats.t.cdf((math.log(seconds) - logs.mean()) / spread, dof)
        assert curve.chance(seconds, LIMIT) == pytest.approx(expected, abs=1e-9)
        assert curve.reached(float(expected), LIMIT) == pytest.approx(seconds, rel=1e-6)


def rmse(curve: Curve, one: Trace) -> float:
    return float(np.sqrt(np.mean((curve.expected(one.seconds, one.levels) - one.wear) ** 2)))
