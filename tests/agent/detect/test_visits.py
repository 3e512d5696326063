"""A tool that came, ran as long as ever and cut nothing, where nobody counts the parts."""

from __future__ import annotations

import pytest

from agent.detect.baseline import Baseline
from agent.detect.visits import Visit, Visits
from agent.settings import MonitoringOptions

KEY = "S1/1/r1/T4/1"
KNOWN = {KEY: Baseline(key=KEY, spindle="S1", program="1", tool="4", section="1", since=0.0, good=9)}


def made(fewest: int, past: dict[str, list[Visit]] | None = None) -> Visits:
    """Nothing is asked of them here that needs the rest of the pass."""
    return Visits(MonitoringOptions(learn_cuts=fewest), lambda: KNOWN, lambda _keys, _time, _part: [], past or {})


def run(visits: Visits, seconds: float, start: float, *, cut: bool, held: bool = False, stop: float = 0.0) -> tuple[float, list[str]]:
    """Tool 4 for so long, with a stop in between that counts as nothing, then tool 9; returns the time and what was absent."""
    assert visits.at("1", "4", start, held=held, runs=True, known=KNOWN) == []
    if cut:
        visits.opened(KEY)
    visits.at("1", "4", start + 0.5 * seconds, held=held, runs=False, known=KNOWN)
    visits.at("1", "4", start + 0.5 * seconds + stop, held=held, runs=True, known=KNOWN)
    end = start + seconds + stop
    return end + 5.0, visits.at("1", "9", end, held=False, runs=True, known=KNOWN)


def taught(fewest: int = 5, good: int = 6) -> tuple[Visits, float]:
    visits, now = made(fewest), 10.0
    visits.at("1", "9", 0.0, held=False, runs=True, known=KNOWN)
    for _ in range(good):
        now, absent = run(visits, 30.0, now, cut=True)
        assert absent == []
    return visits, now


def test_the_cut_that_did_not_come_is_told_and_forgotten_as_an_example() -> None:
    visits, now = taught()
    for _ in range(3):
        now, absent = run(visits, 31.0, now, cut=False)
        assert absent == [KEY]
    assert run(visits, 30.0, now, cut=True)[1] == []


def test_a_stop_in_between_makes_a_visit_no_longer() -> None:
    visits, now = taught()
    assert run(visits, 30.0, now, cut=False, stop=500.0)[1] == [KEY]


@pytest.mark.parametrize(
    ("seconds", "held", "doubt"), [(12.0, False, False), (60.0, False, False), (30.0, True, False), (30.0, False, True)]
)
def test_another_length_a_held_visit_or_one_not_watched_whole_says_nothing(seconds: float, held: bool, doubt: bool) -> None:
    visits, now = taught()
    if doubt:
        visits.at("1", "4", now, held=False, runs=True, known=KNOWN)
        visits.doubt()
    assert run(visits, seconds, now, cut=False, held=held)[1] == []


def test_too_few_visits_or_one_of_them_without_the_cut_expect_nothing() -> None:
    visits, now = taught(good=4)
    assert run(visits, 30.0, now, cut=False)[1] == []
    visits, now = taught()
    visits.past["1|4"][-2].keys.clear()
    assert run(visits, 30.0, now, cut=False)[1] == []


def test_what_is_learned_survives_a_restart() -> None:
    visits, now = taught()
    again = made(5, visits.past)
    again.at("1", "9", now - 1.0, held=False, runs=True, known=KNOWN)
    assert run(again, 30.0, now, cut=False)[1] == [KEY]


def test_a_visit_is_expected_to_have_its_cut_once_enough_alike_had_it() -> None:
    visits, _ = taught(good=4)
    assert not visits.expects(KEY, "1", "4")
    visits, now = taught(good=5)
    assert visits.expects(KEY, "1", "4")
    assert not visits.expects(KEY, "1", "5")
    run(visits, 90.0, now, cut=True)
    assert not visits.expects(KEY, "1", "4"), "one of another length: something else went on"
