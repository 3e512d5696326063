"""NAB's score, against what its definition gives by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.detection._nab import probation, score, sigmoid

N = 1000
WINDOWS = [(300, 399), (700, 799)]


def test_silent_is_0_and_both_at_the_left_edge_100() -> None:
    assert score(N, WINDOWS, []) == 0.0
    assert score(N, WINDOWS, [300, 700]) == pytest.approx(100.0)


def test_only_the_earliest_of_a_window_counts_and_late_is_worth_less() -> None:
    assert score(N, WINDOWS, [300, 350, 399, 700]) == pytest.approx(100.0)
    late = sigmoid(-(399 - 390 + 1) / 100) / sigmoid(-1.0)
    assert 0.0 < late < 0.3
    assert score(N, WINDOWS, [390]) == pytest.approx(100.0 * (late - 1.0 + 2.0) / 4.0)


def test_what_comes_outside_costs_by_how_far_it_comes_after() -> None:
    just, far = score(N, WINDOWS, [400]), score(N, WINDOWS, [690])
    assert just == pytest.approx(100.0 * 0.11 * sigmoid(1.0 / 99.0) / 4.0)
    assert far is not None
    assert just is not None
    assert far < just < 0.0
    assert score(N, WINDOWS, [200]) == pytest.approx(-100.0 * 0.11 / 4.0), "before the first window: all of it"
    assert score(N, WINDOWS, [200], "low_fp") == pytest.approx(-100.0 * 0.22 / 4.0)


def test_probation_is_not_scored_and_a_file_without_windows_has_no_score() -> None:
    assert (probation(1000), probation(22_695)) == (150, 750)
    assert score(N, WINDOWS, [10, 149]) == 0.0
    assert score(N, [], [500]) is None
    assert score(N, [(20, 60)], [30]) is None


def test_the_sigmoid() -> None:
    assert sigmoid(0.0) == 0.0
    assert sigmoid(-1.0) == pytest.approx(math.tanh(2.5))
    assert sigmoid(3.1) == -1.0
