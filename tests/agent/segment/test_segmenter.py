"""Sections of the control become cuts, and what was not seen from its beginning is never judged."""

from __future__ import annotations

import numpy as np
import pytest

from agent.model import Cut
from agent.segment import Frame, SpindleSegmenter

STEP = 0.05


def frame(start: float, loads: list[float], *, section: str, bad: int = 0, held: str = "") -> Frame:
    """Rows every STEP seconds; the load of the first `bad` ones may not be believed."""
    n = len(loads)
    ok = np.arange(n) >= bad
    time = start + STEP * np.arange(n)
    return Frame(time, np.array(loads), np.full(n, 1000.0), ok, 2 if section else 0, "1", "4", section, 1, held)


def segmenter() -> SpindleSegmenter:
    """One that has watched ten seconds between cuts."""
    made = SpindleSegmenter("S1", has_speed=True, minimum_speed=30.0)
    assert list(made.walk(frame(0.0, [5.0] * 200, section=""))) == []
    return made


def phases(cuts: list[Cut]) -> list[str]:
    return [cut.phase for cut in cuts if cut.phase != "grown"]


def test_a_section_is_a_cut_from_its_first_reading_on() -> None:
    watched = segmenter()
    cuts = [*watched.walk(frame(10.0, [30.0] * 20, section="1")), *watched.walk(frame(11.0, [5.0], section=""))]
    assert phases(cuts) == ["opened", "closed"]
    assert cuts[-1].opened == 10.0
    assert cuts[-1].features.samples == 20
    assert cuts[-1].features.duration == pytest.approx(19 * STEP)
    assert cuts[-1].held == ""


def test_a_section_that_is_shown_for_one_reading_is_no_cut() -> None:
    watched = segmenter()
    cuts = [
        *watched.walk(frame(10.0, [30.0], section="1")),
        *watched.walk(frame(10.05, [30.0], section="2")),
        *watched.walk(frame(10.10, [5.0] * 5, section="")),
    ]
    assert cuts == []
    assert watched.cuts == 0


def test_two_sections_that_follow_each_other_are_two_cuts() -> None:
    watched = segmenter()
    cuts = [
        *watched.walk(frame(10.0, [30.0], section="1")),
        *watched.walk(frame(10.05, [30.0] * 4, section="2")),
        *watched.walk(frame(10.25, [30.0] * 4, section="3")),
        *watched.walk(frame(10.45, [5.0] * 5, section="")),
    ]
    assert [(cut.operation.section, cut.opened) for cut in cuts if cut.phase == "closed"] == [("2", 10.05), ("3", 10.25)]


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_section_whose_beginning_was_not_seen_is_held(bad: int) -> None:
    """The load comes back in the middle of a section, within one block or at its start."""
    watched = segmenter()
    cuts = [*watched.walk(frame(13.0, [30.0] * 30, section="1", bad=bad)), *watched.walk(frame(14.5, [5.0] * 5, section=""))]
    assert phases(cuts) == ["opened", "closed"]
    assert {cut.held for cut in cuts} == {"lost"}
    assert watched.dark


def test_a_section_during_which_the_load_was_lost_is_held_and_what_follows_is_held_too() -> None:
    watched = segmenter()
    cuts = [
        *watched.walk(frame(10.0, [30.0] * 10, section="1")),
        *watched.walk(frame(12.0, [30.0] * 40, section="1", bad=25)),
        *watched.walk(frame(14.0, [5.0] * 5, section="")),
    ]
    assert phases(cuts) == ["opened", "closed", "opened", "closed"]
    assert cuts[-1].held == "lost"
    first = next(cut for cut in cuts if cut.phase == "closed")
    assert first.held == "lost"


def rows(start: float, speeds: list[float], loads: list[float], *, section: str) -> Frame:
    """Rows every STEP seconds, of which all may be believed."""
    n = len(loads)
    return Frame(
        start + STEP * np.arange(n),
        np.array(loads),
        np.array(speeds),
        np.ones(n, dtype=bool),
        2 if section else 0,
        "1",
        "4",
        section,
        1,
        "",
    )


def test_a_spindle_that_stands_within_a_section_needs_no_idle() -> None:
    """The section of a cut stands from the end of the cut before: while the spindle stands for a new part there is nothing to know."""
    watched = segmenter()
    standing, turning = 20, 30
    speeds = [0.0] * standing + [1000.0] * turning
    loads = [0.0] * standing + [5.0] * 10 + [30.0] * (turning - 10)
    cuts = [*watched.walk(rows(10.0, speeds, loads, section="1")), *watched.walk(frame(12.5, [5.0], section=""))]
    assert phases(cuts) == ["opened", "closed"]
    assert cuts[-1].held == ""
    assert cuts[-1].features.work == pytest.approx(25.0 * 20 * STEP, rel=0.1)


def test_a_speed_that_is_only_met_under_load_does_not_take_the_cut_for_idle() -> None:
    """A drive slips: at 1000 rpm in air, at 950 in the cut, which may be another bin of the table."""
    watched = segmenter()
    for turn in range(4):
        start = 10.0 + 5.0 * turn
        speeds = [1000.0] * 20 + [950.0] * 60 + [1000.0] * 20
        loads = [5.0] * 20 + [30.0] * 60 + [5.0] * 20
        closed = [cut for cut in watched.walk(rows(start, speeds, loads, section=str(turn + 1))) if cut.phase == "closed"]
        closed += [cut for cut in watched.walk(frame(start + 5.0, [5.0], section="")) if cut.phase == "closed"]
        assert len(closed) == 1
        assert closed[0].features.work == pytest.approx(25.0 * 60 * STEP, rel=0.1), turn
        idle = watched.idle(950.0)
        assert idle is not None
        assert idle < 10.0
