"""A load that is told slowly and in steps: the visit of a tool is its cut."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
import pytest

from agent.model import Cut
from agent.segment import Frame, VisitSegmenter, is_visit
from agent.segment.lengths import LENGTHS, Lengths, of_visit
from agent.segment.visit import MOST

EVERY = 1.0


def frame(
    time: Iterable[float],
    load: Iterable[float],
    *,
    tool: str,
    speed: float = 900.0,
    held: str = "",
    gap: float = math.inf,
    section: str = "",
) -> Frame:
    at = np.array(list(time))
    return Frame(
        time=at, load=np.array(list(load), dtype=np.float64), speed=np.full(len(at), speed), ok=np.ones(len(at), dtype=bool), gate=1,
        program="7", tool=tool, section=section, part=-1, held=held, gap=gap,
    )  # fmt: skip


def segmenter() -> VisitSegmenter:
    return VisitSegmenter("S1", has_speed=True, minimum_speed=50.0)


def visits(loads: dict[str, list[float]], parts: int, **more: str) -> list[Frame]:
    """So many parts, one reading a second; the first tool is in for a minute before."""
    out = [frame(np.arange(60.0), np.zeros(60), tool="0")]
    now = 60.0
    for _ in range(parts):
        for tool, load in loads.items():
            out.append(frame(now + EVERY * np.arange(len(load)), load, tool=tool, **more))
            now += EVERY * len(load)
    return [*out, frame([now], [0.0], tool="0")]


def cuts(frames: Iterable[Frame], by: VisitSegmenter | None = None) -> list[Cut]:
    by = by or segmenter()
    return [cut for each in frames for cut in by.walk(each)]


FIRST, SECOND = [1.0] * 4 + [3.0] * 12 + [1.0] * 4, [2.0] * 30
"""A tool that takes two steps more for twelve of its twenty seconds, and one whose load stands still."""


def test_a_visit_is_a_cut_with_the_work_above_its_own_idle() -> None:
    found = cuts(visits({"1": FIRST, "2": SECOND}, 3))
    assert [cut.operation.key for cut in found] == ["S1/7/r1/T1/~1", "S1/7/r1/T2/~1"] * 3
    assert all(cut.phase == "closed" and is_visit(cut.operation.section) and not cut.held for cut in found)
    one = found[2].features
    assert one.idle == 1.0
    assert one.work == pytest.approx(24.0)
    assert one.samples == 20
    assert (found[2].opened, found[2].time) == (110.0, 130.0)


def test_a_load_that_stands_still_shows_next_to_nothing_and_a_missing_tool_the_same() -> None:
    found = cuts(
        [*visits({"1": FIRST, "2": SECOND}, 2)[:-1], frame(160.0 + np.arange(20.0), [1.0] * 20, tool="1"), frame([180.0], [0.0], tool="0")]
    )
    still, gone = found[3].features, found[4].features
    assert still.work / still.duration == pytest.approx(0.1 * 1.0)
    assert gone.work / gone.duration == pytest.approx(0.1 * 1.0)
    assert found[4].operation == found[2].operation


def test_however_the_rows_are_batched_the_visits_are_the_same() -> None:
    whole = visits({"1": FIRST, "2": SECOND}, 3)
    single = [
        dataclasses.replace(f, time=f.time[i : i + 1], load=f.load[i : i + 1], speed=f.speed[i : i + 1], ok=f.ok[i : i + 1])
        for f in whole
        for i in range(len(f.time))
    ]
    assert cuts(single) == cuts(whole)


def test_a_run_up_is_not_counted() -> None:
    begins = [frame(np.arange(60.0), np.zeros(60), tool="0")]
    up = frame([60.0, 61.0, 62.0], [119.0, 80.0, 90.0], tool="1", speed=300.0)
    turns = frame(63.0 + np.arange(20.0), [60.0, 1.0, *[1.0] * 18], tool="1")
    (found,) = cuts([*begins, up, turns, frame([83.0], [0.0], tool="0")])
    assert found.features.peak < 10.0


def test_the_load_that_brakes_before_the_speed_is_told_is_not_counted() -> None:
    begins = [frame(np.arange(60.0), np.zeros(60), tool="0")]
    turns = frame(60.0 + np.arange(20.0), [*[1.0] * 19, 80.0], tool="1")
    stands = frame([80.0, 81.0], [0.0, 0.0], tool="1", speed=0.0)
    for frames in ([turns, stands, frame([82.0], [0.0], tool="0")], [turns, frame([80.0], [0.0], tool="0", speed=0.0)]):
        (found,) = cuts([*begins, *frames])
        assert found.features.peak < 10.0
        assert found.features.samples == 19


@pytest.mark.parametrize(("held", "judged"), [("feed_override", False), ("lost", False), ("feed_hold", True), ("part_interrupted", True)])
def test_what_may_not_be_judged_holds_the_visit_and_a_stop_counts_as_no_time(held: str, judged: bool) -> None:
    begins = frame(np.arange(60.0), np.zeros(60), tool="0")
    first = frame(60.0 + np.arange(10.0), [1.0] * 4 + [3.0] * 6, tool="1")
    pause = frame(70.0 + np.arange(100.0), [9.0] * 100, tool="1", held=held)
    rest = frame(170.0 + np.arange(10.0), [3.0] * 6 + [1.0] * 4, tool="1")
    (found,) = cuts([begins, first, pause, rest, frame([180.0], [0.0], tool="0")])
    assert found.held == ("" if judged else held)
    if judged:
        assert found.features.samples == 20
        assert found.features.work == pytest.approx(24.0)


@pytest.mark.parametrize("other", [{"gap": 0.0}, {"section": "4"}])
def test_a_polled_load_and_a_control_that_names_its_cuts_are_left_to_the_load(other: dict[str, float]) -> None:
    by = segmenter()
    frames = visits({"1": FIRST, "2": SECOND}, 2, **other)  # type: ignore[arg-type]
    assert not any(is_visit(cut.operation.section) for cut in cuts(frames, by))


def test_a_load_that_is_told_ten_times_a_second_is_left_to_the_load() -> None:
    by = segmenter()
    quick = [frame(f.time / 10.0, f.load, tool=f.tool) for f in visits({"1": FIRST, "2": SECOND}, 2)]
    assert not any(is_visit(cut.operation.section) for cut in cuts(quick, by))


def test_what_was_learned_survives_a_restart_but_the_visit_that_goes_on_has_no_beginning_then() -> None:
    by = segmenter()
    cuts(visits({"1": FIRST, "2": SECOND}, 2), by)
    other = segmenter()
    other.restore(by.saved())
    after = [frame(np.arange(9.0), [1.0] * 4 + [3.0] * 5, tool="2"), frame(9.0 + np.arange(39.0), [1.0] * 9 + [3.0] * 30, tool="1")]
    again = cuts([*after, frame(48.0 + np.arange(30.0), SECOND, tool="2"), frame([78.0], [0.0], tool="0")], other)
    assert [(cut.operation.tool, cut.operation.section) for cut in again] == [("1", "~2"), ("2", "~1")]


def test_what_goes_on_for_days_is_no_visit_and_takes_no_more_room() -> None:
    by = segmenter()
    cuts([frame(np.arange(60.0), np.zeros(60), tool="0")], by)
    for k in range(600):
        cuts([frame(60.0 + 300.0 * k + np.arange(300.0), FIRST * 15, tool="1")], by)
    assert sum(rows.shape[1] for rows in by._rows) < MOST
    assert cuts([frame([180060.0], [0.0], tool="0")], by) == []
    longer = segmenter()
    cuts([frame(np.arange(60.0), np.zeros(60), tool="0")], longer)
    for k in range(4000):
        cuts([frame([60.0 + k], [FIRST[k % 20]], tool="1")], longer)
    (found,) = cuts([frame([4060.0], [0.0], tool="0")], longer)
    assert found.features.samples == 4000


def test_lengths_that_are_alike_are_one_and_the_oldest_makes_room() -> None:
    known: Lengths = {}

    def number(seconds: float, now: float, *, learn: bool = True) -> int:
        return of_visit(known, "7|1", seconds, now, period=1.0, learn=learn).number

    assert [number(30.0, 1.0), number(33.0, 2.0), number(60.0, 3.0), number(31.0, 4.0)] == [1, 1, 2, 1]
    assert number(2.0, 5.0) == 3
    assert number(3.4, 6.0) == 3
    before = known["7|1"][0].seconds
    assert number(33.0, 7.0, learn=False) == 1
    assert known["7|1"][0].seconds == before
    for i in range(LENGTHS):
        number(100.0 * 2.0**i, 10.0 + i)
    assert len(known["7|1"]) == LENGTHS
    assert number(60.0, 99.0) > 3
