"""Since when a spindle has turned steadily without a cut; it does not matter in what pieces the rows came."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.air import DARK, RUNS, Air
from agent.segment import Frame


def frame(time: np.ndarray, speed: float = 1500.0, gap: float = 0.0) -> Frame:
    n = len(time)
    return Frame(time, np.full(n, 5.0), np.full(n, speed), np.ones(n, dtype=bool), 1, "1", "4", "", 1, "", gap)


def runs_of(time: np.ndarray, air: np.ndarray) -> list[tuple[float, float]]:
    """The obvious twin: row by row."""
    runs: list[tuple[float, float]] = []
    goes_on = False
    for i, (t, in_air) in enumerate(zip(time.tolist(), air.tolist(), strict=True)):
        if in_air and goes_on and t - time[i - 1] <= DARK:
            runs[-1] = (runs[-1][0], t)
        elif in_air:
            runs.append((t, t))
        goes_on = in_air
    return runs[-RUNS:]


@given(
    air=st.lists(st.booleans(), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=5),
    gaps=st.lists(st.integers(1, 59), max_size=3),
)
def test_the_runs_are_those_of_the_obvious_twin_whatever_the_pieces(air: list[bool], cuts: list[int], gaps: list[int]) -> None:
    steady = np.array(air)
    time = 0.1 * np.arange(len(steady))
    for at in gaps:
        time[at:] += 1.0
    watch = Air(["S1"])
    for piece in np.split(np.arange(len(steady)), sorted(c for c in set(cuts) if c < len(steady))):
        watch.listen("S1", frame(time[piece]), steady[piece])
    expected = runs_of(time, steady)
    for first, last in expected:
        assert watch.speed_in("S1", first, last) == 1500.0
        assert watch.speed_in("S1", first - 0.01, last) is None
        assert watch.speed_in("S1", first, last + 0.01) is None
    assert watch.since("S1") == (expected[-1][0] if air[-1] else math.inf)


def test_a_load_that_only_speaks_when_it_changes_is_not_dark() -> None:
    watch = Air(["S1"])
    for t in (0.0, 10.0, 20.0):
        watch.listen("S1", frame(np.array([t]), gap=math.inf), np.array([True]))
    assert watch.since("S1") == 0.0
    assert watch.speed_in("S1", 1.0, 20.0) == 1500.0


def test_nothing_heard_is_no_air() -> None:
    watch = Air(["S1"])
    watch.listen("S1", frame(np.empty(0)), np.empty(0, dtype=bool))
    assert watch.since("S1") == math.inf
    assert math.isnan(watch.speed("S1"))
    assert watch.cut("S1") is None
    with pytest.raises(KeyError):
        watch.since("S2")
