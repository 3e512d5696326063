"""The change-point score of SKAB: a silent detector has 0, a perfect one 100, and a window's worth falls from left to right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection._bearings import auc
from benchmarks.detection._skab import TAUGHT, Unit, tally, worth


def unit(changes: list[int], n: int = 1000) -> Unit:
    change = np.zeros(n, bool)
    change[changes] = True
    return Unit("1", "g", np.arange(n, dtype=float), ("a",), np.zeros((n, 1)), np.cumsum(change) % 2 == 1, change)


def test_silence_is_0_and_perfection_100() -> None:
    one = unit([500, 700])
    silent, perfect = tally([one], [np.zeros(1000, bool)]), tally([one], [one.anomaly])
    assert silent.nab() == pytest.approx(0.0)
    assert perfect.nab() == pytest.approx(100.0)
    assert (perfect.f1, perfect.far) == (1.0, 0.0)
    assert (silent.missed, silent.points) == (2, 2)


def test_an_alarm_elsewhere_costs_and_the_taught_rows_do_not_count() -> None:
    one = unit([500, 700])
    state = one.anomaly.copy()
    state[900:950] = True
    state[10:20] = True
    got = tally([one], [state])
    assert got.false == 2
    assert got.nab() == pytest.approx(100.0 * (2.0 - 0.22 + 2.0) / 4.0)
    assert got.fp == 50
    assert TAUGHT == 400


def test_later_is_worth_less() -> None:
    values = [worth(at, 1.0, -0.11) for at in np.linspace(0.0, 1.0, 50)]
    assert values[0] == pytest.approx(1.0)
    assert values[-1] == pytest.approx(-0.11)
    assert values == sorted(values, reverse=True)


def test_area_under_the_curve_of_ties_is_half() -> None:
    assert auc([1.0, 2.0], [3.0, 4.0]) == 1.0
    assert auc([1.0], [1.0]) == 0.5
