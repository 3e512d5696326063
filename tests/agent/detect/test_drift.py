"""A slow fall of the work, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect import budget
from agent.detect.baseline import Baseline
from agent.detect.drift import SLACK, Drift, limit
from agent.model import Finding
from tests.support.cuts import cut

P = budget.probability(1.0 / 160.0)


def follow(values: np.ndarray, drift: Drift | None = None) -> list[Finding]:
    """Findings over the log work of so many cuts."""
    drift = drift or Drift(P, 20)
    baseline = Baseline(key="k", spindle="S1", program="1", tool="4", section="1", since=0.0)
    found = []
    for i, value in enumerate(values):
        baseline.learn(cut(math.exp(value), part=i), 0.5)
        finding = drift.take(baseline, value, 7.0 * i, i)
        found += [finding] if finding is not None else []
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_operation_does_not_drift(seed: int) -> None:
    assert follow(5.0 + 0.02 * np.random.default_rng(seed).standard_normal(2000)) == []


def test_a_fall_is_told_once_with_its_size_and_its_end() -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal(160)
    step = np.zeros(160)
    step[60:120] = -0.06
    found = follow(5.0 + noise + step)
    assert [finding.finished for finding in found] == [False, True]
    assert 60 < found[0].evidence["part"] < 80
    assert -8.0 < found[0].evidence["change_pct"] < -3.0
    assert abs(found[0].evidence["since_part"] - 60) <= 8


def test_a_rise_is_the_business_of_wear() -> None:
    assert follow(5.0 + 0.01 * np.random.default_rng(1).standard_normal(100) + 0.002 * np.arange(100)) == []


def test_the_limit_has_the_run_length_of_the_budget() -> None:
    h = limit(P) / budget.WIDEN
    b = h + 1.166
    assert (math.exp(2 * SLACK * b) - 2 * SLACK * b - 1) / (2 * SLACK**2) == pytest.approx(1 / P, rel=1e-6)
    assert limit(1 / 931.0) / budget.WIDEN == pytest.approx(5.0, abs=0.05)


def test_a_restart_and_a_new_tool() -> None:
    noise = 5.0 + 0.01 * np.random.default_rng(3).standard_normal(80)
    first = Drift(P, 20)
    follow(noise, first)
    second = Drift(P, 20)
    second.restore(first.saved())
    assert second.saved() == first.saved()
    second.forget("k")
    assert follow(noise[:30] - 0.3, second) == []


def test_a_widened_limit_tells_the_same_fall_later_and_at_its_own_threshold() -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal(160)
    values = 5.0 + noise + np.where(np.arange(160) >= 60, -0.06, 0.0)
    told = {}
    for width in (1.0, 1.5):
        drift, baseline = Drift(P, 20), Baseline(key="k", spindle="S1", program="1", tool="4", section="1", since=0.0)
        for i, value in enumerate(values):
            baseline.learn(cut(math.exp(value), part=i), 0.5)
            finding = drift.take(baseline, value, 7.0 * i, i, width)
            if finding is not None:
                told.setdefault(width, finding)
    assert told[1.5].time > told[1.0].time
    assert told[1.5].threshold == pytest.approx(1.5 * told[1.0].threshold)


def test_what_was_false_may_be_told_again() -> None:
    values = 5.0 + 0.01 * np.random.default_rng(1).standard_normal(140) + np.where(np.arange(140) >= 60, -0.06, 0.0)
    for false in (False, True):
        drift = Drift(P, 20)
        assert len(follow(values[:100], drift)) == 1
        if false:
            drift.unmark("k")
        assert [finding.finished for finding in follow(values[100:], drift)] == [False] * false
