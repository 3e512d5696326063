"""Vibration of a spindle that does not cut, against what it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect.spindle import LEARN, RECENT, SpindleVibration
from agent.model import Finding


def follow(levels: list[float], rpm: float = 1500.0, judge: SpindleVibration | None = None) -> list[Finding]:
    """Findings over blocks with these velocities."""
    judge = judge or SpindleVibration("vibration", "S1", 2.5e-6)
    found = [judge.judge(0.6 * i, rpm, level) for i, level in enumerate(levels)]
    return [finding for finding in found if finding is not None]


def noisy(level: float, n: int, seed: int = 1) -> list[float]:
    """Blocks that differ by 5 %."""
    return (level * np.exp(0.05 * np.random.default_rng(seed).standard_normal(n))).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_spindle_raises_nothing(seed: int) -> None:
    assert follow(noisy(0.8, 3000, seed)) == []


def test_twice_the_vibration_is_told_once_and_its_end_too() -> None:
    found = follow([*noisy(0.8, LEARN + 30), *noisy(1.7, 60, 2), *noisy(0.8, 40, 3)])
    assert [finding.finished for finding in found] == [False, True]
    assert found[0].kind == "spindle"
    assert found[0].evidence["change_pct"] == pytest.approx(100.0, abs=20.0)
    assert found[0].evidence["baseline"] == pytest.approx(0.8, rel=0.05)
    assert found[0].evidence["unit"] == "mm/s"


def test_each_speed_has_its_own_baseline() -> None:
    judge = SpindleVibration("vibration", "S1", 2.5e-6)
    assert follow(noisy(0.5, 60), 900.0, judge) == []
    assert follow(noisy(2.0, 60), 3000.0, judge) == []
    assert judge.baseline(900.0) == pytest.approx(0.5, rel=0.05)
    assert judge.baseline(3000.0) == pytest.approx(2.0, rel=0.05)
    assert judge.baseline(1500.0) is None


@pytest.mark.parametrize("level", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_velocity_is_not_learned(level: float) -> None:
    judge = SpindleVibration("vibration", "S1", 2.5e-6)
    assert follow([level] * (LEARN + RECENT + 5), judge=judge) == []
    assert judge.baseline(1500.0) is None


def test_a_widened_limit_is_silent_at_what_was_false_and_tells_what_is_worse() -> None:
    judge = SpindleVibration("vibration", "S1", 2.5e-6)
    (first,) = follow([*noisy(0.8, LEARN + 30), *noisy(1.5, 60, 2)], judge=judge)
    width = 1.2 * math.log(1.5 / 0.8) / math.log(first.threshold)
    judge.unmark()
    same = [judge.judge(60.0 + i, 1500.0, level, width) for i, level in enumerate(noisy(1.5, 60, 4))]
    assert not any(same)
    worse = [found for i, level in enumerate(noisy(4.0, 60, 5)) if (found := judge.judge(120.0 + i, 1500.0, level, width)) is not None]
    assert [found.finished for found in worse] == [False]
    assert math.log(worse[0].threshold) == pytest.approx(width * math.log(first.threshold))
