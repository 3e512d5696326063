"""The monotone level of one signal, and the cutting clock."""

from __future__ import annotations

import math

import pytest

from agent.detect.clock import Clock
from agent.detect.evidence import Evidence
from agent.detect.life import Calibration, Life, Measure, Point


def test_a_level_that_falls_again_is_taken_back() -> None:
    signal = Evidence()
    for value in [1.0] * 5 + [1.5] * 5:
        signal.take(value)
    high = signal.level
    for value in [1.0] * 20:
        signal.take(value)
    assert high == pytest.approx(math.log(1.5))
    assert signal.level is not None
    assert signal.level < 0.25 * math.log(1.5)


def test_lives_give_an_interval_from_three_on() -> None:
    clock = Clock()
    for parts in (100, 120):
        clock.parts = parts
        clock.changed()
    assert clock.interval() is None
    clock.parts = 110
    clock.changed()
    clock.parts = 30
    assert clock.interval() == (70, 90)
    assert clock.expected_parts(None) == 110


def test_a_signal_that_says_nothing_weighs_nothing() -> None:
    lives = [
        Life([Measure(0.1 * t**0.5, Point(time=float(t), levels={"noise": float((7 * t * k) % 5)})) for t in range(1, 20)])
        for k in (1, 2, 3, 4)
    ]
    made = Calibration(lives)
    assert made.names == ("clock",)
    assert made.predict([Point(time=9.0)])[0] == pytest.approx(0.3)
