"""The work of a whole visit: cells of turning time, idle from the visit's own air, what a missing tool leaves of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect import course
from drivers.model import Floats

RATE = 50.0
CUTS = ((1.5, 2.5), (3.0, 5.0))
"""s of turning"""


def rows(level: float, draw: np.random.Generator, *, noise: float = 5.0, extra: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """A visit of 6 s at 2,000 rpm with two cuts above an idle of 300, run up with a load of 900; `extra` s of air before the cuts."""
    time = np.arange(0.0, 7.0 + extra, 1.0 / RATE)
    speed = np.where(time < 0.5, 0.0, np.where(time < 0.9, 2000.0 * (time - 0.5) / 0.4, 2000.0))
    load = np.where((time > 0.5) & (time < 1.2), 900.0, 300.0)
    for first, last in CUTS:
        load = np.where((time - extra >= 0.5 + first) & (time - extra < 0.5 + last), 300.0 + level, load)
    return time, load + noise * draw.standard_normal(len(time)), speed


def known(levels: list[float], seed: int = 1) -> course.Course:
    draw = np.random.default_rng(seed)
    made: course.Course | None = None
    for level in levels:
        laid = course.laid_out(*rows(level, draw), made)
        if made is None:
            made = course.begun(laid)
        else:
            course.keep(made, laid)
    assert made is not None
    return made


def share(of: course.Course, visit: tuple[Floats, Floats, Floats]) -> float:
    return course.share(course.pattern(of), of, course.laid_out(*visit, of))


def test_the_run_up_is_no_work_and_idle_is_the_air_of_the_visit() -> None:
    found = course.pattern(known([150.0] * 10))
    cut = found.level > 0.0
    # Cells of 0.1 s of turning: two cuts, 3 s in all.
    assert 28 <= cut.sum() <= 32
    assert found.level[cut].mean() == pytest.approx(150.0, abs=5.0)
    assert np.nanmedian(found.idle) == pytest.approx(300.0, abs=3.0)
    assert found.contrast == pytest.approx(1.0 / 3.0, abs=0.02)


def test_a_missing_tool_leaves_nothing_and_half_a_tool_half() -> None:
    draw = np.random.default_rng(3)
    of = known([150.0] * 10)
    assert share(of, rows(0.0, draw)) == pytest.approx(0.0, abs=0.05)
    assert share(of, rows(75.0, draw)) == pytest.approx(0.5, abs=0.05)
    assert share(of, rows(165.0, draw)) == pytest.approx(1.1, abs=0.05)


def test_promised_where_visits_repeat_and_stand_out() -> None:
    said = course.standing(of := known([150.0] * 10), course.pattern(of), 1e-6)
    assert said.reason == ""
    assert course.LOWEST <= said.limit <= course.HIGHEST
    assert said.deviation is not None
    assert said.deviation < 1.0 / 3.0


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([150.0] * 7, "too_few_cuts"),
        ([20.0] * 12, "low_contrast"),
        ([0.0] * 12, "low_contrast"),
        ([150.0, 60.0, 190.0, 90.0, 210.0, 150.0, 70.0, 180.0, 60.0, 150.0, 220.0, 100.0], "too_noisy"),
    ],
)
def test_not_promised(levels: list[float], reason: str) -> None:
    of = known(levels)
    said = course.standing(of, course.pattern(of), 1e-6)
    assert said.limit == 0.0
    assert said.reason == reason


def test_air_that_wanders_as_far_as_what_stands_out_is_no_gap() -> None:
    # A load that climbs steadily over the whole visit has neither air nor cut.
    draw = np.random.default_rng(5)
    made: course.Course | None = None
    for _ in range(12):
        time, load, speed = rows(0.0, draw)
        laid = course.laid_out(time, load + 30.0 * time, speed, made)
        if made is None:
            made = course.begun(laid)
        else:
            course.keep(made, laid)
    assert made is not None
    said = course.standing(made, course.pattern(made), 1e-6)
    assert said.limit == 0.0


def test_wear_is_no_scatter() -> None:
    rising = [100.0 + 8.0 * i for i in range(course.KEPT)]
    of = known(rising)
    said = course.standing(of, course.pattern(of), 1e-6)
    assert said.reason == ""
    assert said.deviation is not None
    assert said.deviation < 0.2


def test_a_visit_that_took_longer_is_shifted_and_one_that_took_much_longer_is_another() -> None:
    draw = np.random.default_rng(7)
    of = known([150.0] * 10)
    late = rows(150.0, draw, extra=0.2)
    assert course.alike(of, course.laid_out(*late, of))
    assert share(of, late) == pytest.approx(1.0, abs=0.05)
    assert not course.alike(of, course.laid_out(*rows(150.0, draw, extra=1.0), of))


def test_too_little_known_is_said_so() -> None:
    of = known([150.0] * 10)
    laid = course.laid_out(*rows(150.0, np.random.default_rng(1)), of)
    blank = course.Laid(laid.seconds, laid.cell, np.full(len(laid.loads), math.nan), laid.speeds, laid.count)
    assert math.isnan(course.share(course.pattern(of), of, blank))


def test_no_speed_channel_is_always_turning() -> None:
    draw = np.random.default_rng(9)
    time, load, _ = rows(150.0, draw)
    laid = course.laid_out(time, load, np.full(len(time), math.nan), None)
    assert laid.seconds == pytest.approx(time[-1])
    assert np.isfinite(laid.loads).all()


def test_a_long_visit_has_no_more_cells_than_allowed() -> None:
    time = np.arange(0.0, 300.0, 0.1)
    laid = course.laid_out(time, np.full(len(time), 300.0), np.full(len(time), 2000.0), None)
    assert len(laid.loads) <= course.CELLS + 1
    assert laid.cell == pytest.approx(1.6)
