"""Which race: a bearing that strikes, made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect.bearing import PERSIST, BearingState, follow, verdict
from agent.passages import orders

RATE = 20_000.0
PASSAGES = orders(9, 7.94, 39.04)


def strikes(rate_of_strikes: float, noise: float = 0.3, seed: int = 3, seconds: float = 2.0) -> np.ndarray:
    """Rings at 3.1 kHz at each strike, the strikes 1 % of their distance apart in time."""
    draw = np.random.default_rng(seed)
    out = noise * draw.normal(size=int(RATE * seconds))
    ring = np.exp(-np.arange(200) / 30.0) * np.sin(2.0 * math.pi * 3100.0 / RATE * np.arange(200))
    at = draw.uniform(0.0, 1.0 / rate_of_strikes)
    while at * RATE < len(out) - 200:
        i = int(at * RATE)
        out[i : i + 200] += ring
        at += 1.0 / rate_of_strikes * (1.0 + 0.003 * draw.normal())
    return out


def test_the_orders_of_a_6205_are_those_of_the_textbook() -> None:
    assert pytest.approx((3.5848, 5.4152, 4.7135), abs=2e-3) == PASSAGES


@pytest.mark.parametrize("slip", [0.985, 1.0, 1.015])
@pytest.mark.parametrize(("defect", "order"), [("outer_race", 0), ("inner_race", 1)])
def test_a_race_that_strikes_is_named(defect: str, order: int, slip: float) -> None:
    rpm = 1800.0
    found = verdict(strikes(slip * PASSAGES[order] * rpm / 60.0), RATE, rpm, PASSAGES)
    assert found.defect == defect
    assert found.found == pytest.approx(slip * PASSAGES[order] * 30.0, rel=0.006)
    assert found.band[0] < 3100.0 < found.band[1]


@pytest.mark.parametrize("seed", range(8))
def test_noise_and_the_shaft_itself_name_nothing(seed: int) -> None:
    draw = np.random.default_rng(seed)
    t = np.arange(40_000) / RATE
    shaft = sum(np.sin(2.0 * math.pi * 30.0 * k * t) / k for k in range(1, 6))
    assert verdict(draw.normal(size=40_000) + shaft, RATE, 1800.0, PASSAGES).defect == ""


@pytest.mark.parametrize("record", [np.zeros(40_000), np.full(40_000, np.nan), np.zeros(0), np.ones(100)])
def test_what_says_nothing_says_nothing(record: np.ndarray) -> None:
    assert verdict(record, RATE, 1800.0, PASSAGES).defect == ""
    assert verdict(strikes(107.5), RATE, math.nan, PASSAGES).defect == ""


def test_a_name_must_persist_and_goes_again() -> None:
    state = BearingState()
    said = [follow(state, name) for name in ["inner_race", "", *["inner_race"] * PERSIST, *[""] * (2 * PERSIST)]]
    assert [s for s in said if s[0]] == [("begun", "inner_race"), ("over", "inner_race")]


@pytest.mark.parametrize("bearing", [(2, 8.0, 39.0, 0.0), (9, 39.0, 8.0, 0.0), (9, 8.0, 39.0, 90.0)])
def test_figures_that_no_bearing_has(bearing: tuple[int, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no bearing"):
        orders(*bearing)
