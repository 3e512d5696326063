"""How much cuts resemble their neighbours, and what follows for the limit of wear."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect import wear
from agent.detect.baseline import Baseline, Prior
from agent.detect.neighbours import MEDIAN, Neighbours, of_mean
from agent.model import Cut, CutFeatures, Operation

P = 2.5e-6


def walk(phi: float, n: int, seed: int) -> list[float]:
    """Of standard deviation 0.05."""
    random, now, out = np.random.default_rng(seed), 0.0, []
    for _ in range(n + 100):
        now = phi * now + math.sqrt(1.0 - phi * phi) * 0.05 * float(random.standard_normal())
        out.append(now)
    return out[100:]


def told(values: list[float]) -> tuple[int | None, Baseline]:
    """Value at which wear is told at the default budget, and what was learned up to there."""
    baseline = Baseline(key="k", spindle="S1", program="1", tool="1", section="1", since=0.0)
    operation = Operation(spindle="S1", program="1", revision=1, tool="1", section="1")
    for i, value in enumerate(values):
        work = 80.0 * math.exp(value)
        features = CutFeatures(samples=40, duration=2.0, mean=work / 2, peak=work, idle=0.0, work=work, largest_rise=9.0, largest_fall=9.0)
        cut = Cut(id="c", phase="closed", operation=operation, part=i, opened=7.0 * i, time=7.0 * i + 2.0, features=features)
        wear.follow(baseline, cut, 0.2)
        judged = wear.judged(baseline, Prior(), P, 0.2)
        if judged is not None and judged[0] > judged[1]:
            return i, baseline
        baseline.learn(cut, 0.5)
    return None, baseline


@pytest.mark.parametrize(("phi", "alike"), [(0.0, False), (0.6, True)])
def test_resemblance_and_spread_are_known_and_a_steady_rise_does_not_touch_them(phi: float, *, alike: bool) -> None:
    for slope in (0.0, 0.01):
        known = Neighbours()
        for i, value in enumerate(walk(phi, 600, 1)):
            known.take(value + slope * i)
        assert known.alike is alike
        assert known.phi == pytest.approx(phi, abs=0.12)
        assert 0.045 < known.sd < 0.07


def test_how_far_cuts_stray_is_seldom_taken_for_less_where_they_are_very_alike() -> None:
    """At 0.9 the cuts four apart are alike as well: by those alone one in ten came out below 0.7 of what a median of 15 strays by."""
    true = 0.05 * math.sqrt(of_mean(0.9, 15))
    said = []
    for seed in range(25):
        known = Neighbours()
        for i, value in enumerate(walk(0.9, 900, seed)):
            known.take(value)
            if i in (300, 500, 700, 899):
                said.append(known.sd * math.sqrt(of_mean(round(known.careful, 2), 15)) / true)
    assert np.quantile(said, 0.1) > 0.85
    assert np.quantile(said, 0.9) < 1.8


def test_a_rise_that_begins_is_not_taken_for_straying_either() -> None:
    known = Neighbours()
    for i, value in enumerate(walk(0.0, 400, 5)):
        known.take(value + 0.3 * max(i - 340, 0) / 60, rising=i > 355)
    assert known.phi == pytest.approx(0.0, abs=0.2)
    assert known.sd < 0.065


def test_few_cuts_tell_nothing_and_the_onset_of_wear_is_no_resemblance() -> None:
    known = Neighbours()
    assert (known.phi, known.alike) == (None, False)
    quiet = np.random.default_rng(2).standard_normal(40) * 0.01
    at, baseline = told([float(v) + 0.13 * max(i - 24, 0) for i, v in enumerate(quiet)])
    assert at is not None
    assert at <= 28
    assert not baseline.neighbours.alike


def test_the_variance_of_a_mean_of_neighbours_is_that_of_its_matrix() -> None:
    for phi in (0.0, 0.3, 0.9):
        for n in (1, 3, 15):
            lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
            assert of_mean(phi, n) == pytest.approx(float((phi**lags).sum()) / n**2)
    medians = np.median([np.array(walk(0.6, 15, seed)) for seed in range(800)], axis=1)
    assert float(medians.var()) / (0.05**2 * of_mean(0.6, 15)) == pytest.approx(MEDIAN, abs=0.2)


@pytest.mark.parametrize("seed", [11, 12])
def test_no_wear_in_four_thousand_healthy_cuts_that_resemble_each_other(seed: int) -> None:
    at, baseline = told(walk(0.6, 4000, seed))
    assert at is None
    assert baseline.neighbours.alike
    assert len(baseline.anchor) == 9


def test_a_rise_of_a_quarter_is_told_though_cuts_resemble_each_other() -> None:
    delays = [
        told([v + math.log(1.25) * min(max(i - 120, 0) / 50, 1.0) for i, v in enumerate(walk(0.6, 420, 100 + k))])[0] for k in range(9)
    ]
    seen = [at for at in delays if at is not None]
    assert len(seen) >= 6
    assert min(seen) > 120


def test_a_new_tool_keeps_the_resemblance_and_it_survives_a_restart() -> None:
    known = Neighbours()
    for value in walk(0.6, 200, 3):
        known.take(value)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(known), type=Neighbours)
    assert (again, again.sd, again.dof) == (known, known.sd, known.dof)
    known.begin()
    assert (known.first, known.last, known.phi) == ([], [], again.phi)
