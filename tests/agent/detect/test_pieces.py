"""Broken tools by the pieces of a visit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agent.detect import course
from agent.detect.pieces import HIGHEST, LATE, START, Piece, broken, fell, pieces
from tests.agent.detect.test_course import CUTS, known, rows

P = 1e-6


def taught(levels: list[float] | None = None) -> tuple[course.Course, course.Pattern, tuple[Piece, ...]]:
    of = known(levels or [150.0] * 14)
    found = course.pattern(of)
    return of, found, pieces(of, found, P)


def visit(
    of: course.Course, level: float = 150.0, *, gone: tuple[float, float] | None = None, extra: float = 0.0, seed: int = 4
) -> course.Laid:
    """`gone`: s of turning between which there is no tool."""
    time, load, speed = rows(level, np.random.default_rng(seed), extra=extra)
    if gone is not None:
        load = np.where((time - 0.5 >= gone[0]) & (time - 0.5 < gone[1]), 300.0, load)
    return course.laid_out(time, load, speed, of)


def test_each_cut_is_a_piece_with_what_is_promised_of_it() -> None:
    of, _, made = taught()
    assert len(made) == len(CUTS)
    for piece, (first, last) in zip(made, CUTS, strict=True):
        assert piece.first * of.cell == pytest.approx(first, abs=0.15)
        assert piece.last * of.cell == pytest.approx(last, abs=0.15)
        assert all(window.limit <= HIGHEST for window in piece.windows)
    # Of the first nothing comes before it that would show that the visit runs as ever.
    assert made[0].since == pytest.approx(START / (made[0].last - made[0].first))
    assert made[1].since == 0.0
    assert made[1].until > 0.65


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.65])
@pytest.mark.parametrize("seed", range(5))
def test_a_promised_break_is_told(share: float, seed: int) -> None:
    of, found, made = taught()
    first, last = CUTS[1]
    assert made[1].since <= share <= made[1].until
    laid = visit(of, gone=(first + share * (last - first), 9.0), seed=seed)
    assert broken(made[0], found, laid, ()) is None
    said = broken(made[1], found, laid, made[:1])
    assert said is not None
    assert said[0] < said[1]
    assert fell(made[1], found, laid) * of.cell == pytest.approx(share * (last - first), abs=0.15)


@pytest.mark.parametrize("seed", range(20))
def test_good_visits_say_nothing_a_cell_late_or_not(seed: int) -> None:
    of, found, made = taught()
    for extra in (0.0, 0.06):
        laid = visit(of, extra=extra, seed=seed)
        assert all(broken(piece, found, laid, made[:i]) is None for i, piece in enumerate(made))


def test_one_that_does_not_begin_may_be_late_and_is_left_to_the_end_of_the_visit() -> None:
    of, found, made = taught()
    assert broken(made[0], found, visit(of, gone=(0.0, 9.0)), ()) is None
    laid = visit(of, extra=3.0)
    assert all(broken(piece, found, laid, made[:i]) is None for i, piece in enumerate(made))


def test_no_piece_where_cuts_do_not_repeat_or_do_not_stand_out() -> None:
    assert taught([150.0, 60.0, 190.0, 90.0, 210.0, 150.0, 70.0, 180.0, 60.0, 150.0, 220.0, 100.0])[2] == ()
    assert taught([25.0] * 14)[2] == ()


def test_what_is_not_known_of_a_visit_is_not_judged() -> None:
    of, found, made = taught()
    laid = visit(of, gone=(3.5, 9.0))
    loads = laid.loads.copy()
    loads[made[1].first : made[1].last + LATE] = np.nan
    assert broken(made[1], found, dataclasses.replace(laid, loads=loads), made[:1]) is None
