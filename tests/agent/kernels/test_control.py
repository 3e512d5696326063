"""Charts with given mean and deviation: against a slow twin, against river, and against the run lengths of field.md 2.5."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from agent.kernels import control
from tests.naive.control import Control
from tests.support.series import series

BITS = {
    "ewma up": control.EWMA_ALARM_UP,
    "ewma down": control.EWMA_ALARM_DOWN,
    "cusum up": control.CUSUM_ALARM_UP,
    "cusum down": control.CUSUM_ALARM_DOWN,
    "rise": control.PH_ALARM_RISE,
    "fall": control.PH_ALARM_FALL,
}
# Odd figures, so that no sum meets its limit to the last digit.
LIMITS = {
    "weight": 0.23,
    "width": 1.9137,
    "slack": 0.4871,
    "interval": 3.0173,
    "delta": 0.0513,
    "fading": 0.991,
    "fewest": 8,
    "threshold": 4.0471,
}
SERIES = series(90)


def run(values: np.ndarray, state: np.ndarray, limits: np.ndarray) -> np.ndarray:
    alarms = np.full(values.shape, 255, np.uint8)
    control.update(state, limits, values, alarms)
    return alarms


def plain(channels: int) -> np.ndarray:
    return control.new(np.zeros(channels), np.ones(channels))


@pytest.mark.parametrize("clip", [math.inf, 2.511])
@pytest.mark.parametrize("name", SERIES)
def test_agrees_with_the_slow_twin(name: str, clip: float) -> None:
    """Two channels of one series that have different figures."""
    values = SERIES[name]
    given = ((0.0, 1.0), (0.31, 0.57))
    state = control.new(np.array([g[0] for g in given]), np.array([g[1] for g in given]))
    alarms = run(np.column_stack([values, values]), state, control.settings(clip=clip, **LIMITS))
    for channel, (mean, deviation) in enumerate(given):
        slow = Control(mean, deviation, clip=clip, **LIMITS)
        for i, value in enumerate(values.tolist()):
            assert {key for key, bit in BITS.items() if alarms[i, channel] & bit} == slow.take(value), (i, channel)
        assert state[control.UP, channel] == pytest.approx(slow.largest_sum(slow.since["up"], 1), rel=1e-9, abs=1e-9)
        assert state[control.DOWN, channel] == pytest.approx(slow.largest_sum(slow.since["down"], -1), rel=1e-9, abs=1e-9)


def test_every_alarm_comes_at_least_once() -> None:
    """The comparison above is one of alarms, not of silence."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(300, 6)) + np.where(np.arange(300)[:, None] % 100 > 60, np.array([2, -2, 1, -1, 4, -4]), 0)
    alarms = run(values, plain(6), control.settings(**LIMITS))
    assert all((alarms & bit).any() for bit in BITS.values())


@pytest.mark.parametrize("single", ["cusum", "ewma"])
@pytest.mark.parametrize("channels", [1, 3, 8, 33])
def test_a_chart_alone_is_the_same_as_among_the_others(single: str, channels: int) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(200, channels)) * 1.3
    values[rng.random(values.shape) < 0.1] = math.nan
    limits = control.settings(**LIMITS, clip=2.7)
    whole, alone = plain(channels), plain(channels)
    alarms = run(values, whole, limits)
    mine = np.empty_like(alarms)
    getattr(control, single)(alone, limits, values, mine)
    rows = (control.UP, control.DOWN) if single == "cusum" else (control.EWMA, control.EWMA_LEFT)
    bits = 12 if single == "cusum" else 3
    assert np.array_equal(mine, alarms & bits)
    assert mine.any()
    assert alone[rows, :] == pytest.approx(whole[rows, :], rel=1e-12, abs=1e-12)
    others = [row for row in range(control.FIELDS) if row not in rows]
    assert np.array_equal(alone[others], plain(channels)[others])


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.one_of(st.floats(-9, 9), st.sampled_from([math.nan, -math.inf, 0.0, 1e200])), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=3),
)
def test_in_blocks_of_any_size_and_through_a_restart(values: list[float], cuts: list[int]) -> None:
    block = np.array(values, dtype=np.float64)[:, None]
    limits = control.settings(**LIMITS)
    state = plain(1)
    expected = run(block, state, limits)
    again, told = plain(1), []
    for part in np.split(block, sorted(min(cut, len(block)) for cut in cuts)):
        told.append(run(part, again, limits))
        again = np.frombuffer(bytearray(again.tobytes())).reshape(control.FIELDS, 1)
    assert np.array_equal(np.concatenate(told), expected)
    assert again.tobytes() == state.tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_page_hinkley_alarms_with_the_same_value_as_river(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=4000) * rng.choice([0.3, 1.0, 3.0])
    for place in rng.integers(0, 4000, size=4):
        values[place:] += rng.normal() * 2
    theirs = drift.PageHinkley()
    expected = []
    for i, value in enumerate(values.tolist()):
        theirs.update(value)
        if theirs.drift_detected:
            expected.append(i)
    alarms = run(values[:, None], plain(1), control.settings(width=math.inf, interval=math.inf))
    found = np.flatnonzero(alarms[:, 0])
    assert found.tolist() == expected
    assert expected


def test_restart_leaves_what_was_given() -> None:
    state = control.new(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    fresh = state.copy()
    run(np.random.default_rng(0).normal(size=(20, 2)), state, control.settings())
    before = state.copy()
    control.restart(state, np.array([True, False]))
    assert np.array_equal(state[:, 0], fresh[:, 0])
    assert np.array_equal(state[:, 1], before[:, 1])


def test_powers_that_vanish_become_nothing() -> None:
    """A processor takes a hundred times as long for numbers near 1e-308."""
    state = plain(1)
    run(np.zeros((4000, 1)), state, control.settings())
    assert state[control.EWMA_LEFT, 0] == 0.0


@pytest.mark.parametrize(
    "wrong", [{"weight": 0.0}, {"weight": 1.1}, {"width": 0.0}, {"interval": -1.0}, {"threshold": math.nan}, {"clip": 0.0}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        control.settings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mean", "deviation"), [(math.nan, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, math.inf)])
def test_wrong_figures_are_refused(mean: float, deviation: float) -> None:
    with pytest.raises(ValueError, match="deviation above 0"):
        control.new(np.array([mean]), np.array([deviation]))


# ---- run lengths
def run_length(chart: str, shift: float, runs: int, **limits: float) -> tuple[float, float]:
    """Mean number of Gaussian values until the first alarm, and its standard error."""
    rng = np.random.default_rng(1)
    kernel = control.cusum if chart == "cusum" else control.ewma
    wanted = control.settings(**limits)  # type: ignore[arg-type]
    state, places, lengths = plain(runs), np.arange(runs), np.zeros(runs)
    # The table of the EWMA has the limit of the long run from the start; the kernel's own is closer at first.
    state[control.EWMA_LEFT] = 0.0
    start = 0
    while len(places) and start < 20_000:
        values = rng.normal(size=(50, len(places))) + shift
        alarms = np.empty(values.shape, np.uint8)
        kernel(state, wanted, values, alarms)
        found = (alarms != 0).any(axis=0)
        lengths[places] = np.where(found, start + (alarms != 0).argmax(axis=0) + 1, math.nan)
        state, places = np.ascontiguousarray(state[:, ~found]), places[~found]
        start += 50
    return float(lengths.mean()), float(lengths.std() / math.sqrt(runs))


SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
TABLE: list[tuple[str, dict[str, float], tuple[float, ...]]] = [
    ("cusum", {"slack": 0.5, "interval": 4.0}, (168, 74, 26.6, 13.3, 8.4, 4.7, 3.3, 2.2)),
    ("cusum", {"slack": 0.5, "interval": 5.0}, (465, 140, 38.0, 17.0, 10.4, 5.7, 4.0, 2.6)),
    ("cusum", {"slack": 0.5, "interval": 4.77}, (369, 121, 35, 16, 9.9, 5.5, 3.9, 2.5)),
    ("cusum", {"slack": 0.25, "interval": 8.0}, (368, 84, 28.8, 16.4, 11.4, 7.1, 5.2, 3.5)),
    ("ewma", {"weight": 0.05, "width": 2.615}, (500, 84, 28.8, 16.4, 11.4, 7.1, 5.2, 3.5)),
    ("ewma", {"weight": 0.1, "width": 2.814}, (500, 106, 31.3, 15.8, 10.3, 6.1, 4.4, 2.9)),
    ("ewma", {"weight": 0.2, "width": 2.962}, (500, 150, 41.8, 18.1, 10.5, 5.5, 3.7, 2.4)),
]
"""field.md 2.5, all cells."""


@pytest.mark.parametrize(
    ("chart", "limits", "shift", "expected"),
    [(chart, limits, shift, value) for chart, limits, row in TABLE for shift, value in zip(SHIFTS, row, strict=True)],
)
def test_run_lengths_are_those_of_the_table(chart: str, limits: dict[str, float], shift: float, expected: float) -> None:
    """Within three standard errors, and the last digit of the table."""
    mean, error = run_length(chart, shift, 2000, **limits)
    assert abs(mean - expected) < 3 * error + 0.005 * expected + 0.05
