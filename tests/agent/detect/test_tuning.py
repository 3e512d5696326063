"""The operator's word moves one limit, within bounds, and can be taken back."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detect.tuning import MOST, STEP, TUNABLE, WIDEST, Tuning, TuningState, distance, score_at
from agent.model import Alert, Finding, Kind
from tests.support import keeping

SPOKE: dict[Kind, tuple[float, float]] = {
    "missing": (0.42, 0.5),
    "breakage": (0.62, 0.55),
    "overload": (52.0, 50.0),
    "wear": (0.24, 0.2),
    "drift": (21.0, 20.0),
    "spindle": (1.7, 1.6),
    "chatter": (0.6, 0.5),
}
"""Score and threshold of a finding that has just spoken, by kind."""


def finding(kind: Kind, score: float, threshold: float, operation: str = "S1/1/r1/T4/2") -> Finding:
    return keeping.finding(time=100.0, kind=kind, operation=operation, score=score, threshold=threshold)


def alert(kind: Kind, score: float, threshold: float, operation: str = "S1/1/r1/T4/2") -> Alert:
    return Alert(
        id=f"{kind}-T4",
        kind=kind,
        severity="warning",
        state="active",
        returned=False,
        raised=100.0,
        updated=100.0,
        transition="raised",
        channel="",
        spindle="S1",
        operation=operation,
        tool="4",
        score=score,
        threshold=threshold,
        count=1,
        evidence={},
        checklist="",
    )


@pytest.mark.parametrize("kind", sorted(TUNABLE))
def test_the_same_is_silent_after_a_false_alarm_and_something_clearly_worse_is_told(kind: Kind) -> None:
    score, threshold = SPOKE[kind]
    tuning = Tuning()
    change = tuning.false_alarm(alert(kind, score, threshold), "AB", 100.0)
    assert change is not None
    assert 1.0 == change.before < change.after <= STEP
    assert tuning.tuned(finding(kind, score, threshold)) is None
    worse = score_at(kind, 2.0 * distance(kind, score))
    told = tuning.tuned(finding(kind, worse, threshold))
    assert told is not None
    assert distance(kind, told.threshold) == pytest.approx(change.after * distance(kind, threshold))


@pytest.mark.parametrize("kind", sorted(TUNABLE))
def test_only_the_limit_that_spoke_moves(kind: Kind) -> None:
    score, threshold = SPOKE[kind]
    tuning = Tuning()
    tuning.false_alarm(alert(kind, score, threshold), "AB", 100.0)
    elsewhere = finding(kind, score, threshold, "S1/1/r1/T5/1")
    assert tuning.tuned(elsewhere) == elsewhere
    for other in TUNABLE - {kind}:
        spoke = finding(other, *SPOKE[other])  # type: ignore[index, arg-type]
        assert tuning.tuned(spoke) == spoke


@pytest.mark.parametrize("kind", sorted(TUNABLE))
def test_no_number_of_verdicts_blinds_a_limit(kind: Kind) -> None:
    score, threshold = SPOKE[kind]
    tuning = Tuning()
    far = distance(kind, score)
    for round_ in range(50):
        width = tuning.width(kind, "S1/1/r1/T4/2")
        far = min(1.5 * far, 20.0) if kind in ("wear", "spindle") else 1.5 * far
        tuning.false_alarm(alert(kind, score_at(kind, far), score_at(kind, width * distance(kind, threshold))), "AB", 100.0 + round_)
    assert tuning.width(kind, "S1/1/r1/T4/2") <= MOST * (1 + 1e-9)
    if kind in WIDEST:
        worst = 1e-6 if kind == "missing" else 1.0
        assert tuning.tuned(finding(kind, worst, threshold)) is not None


def test_no_work_at_all_is_told_whatever_was_said_before() -> None:
    tuning = Tuning()
    for _ in range(9):
        tuning.false_alarm(alert("missing", 0.05, 0.6), "AB", 1.0)
    told = tuning.tuned(finding("missing", 0.29, 0.6))
    assert told is not None
    assert told.threshold == pytest.approx(WIDEST["missing"])


def test_a_threshold_that_the_budget_puts_beyond_the_widest_stays() -> None:
    tuning = Tuning()
    assert tuning.false_alarm(alert("missing", 0.1, 0.3), "AB", 1.0) is None
    spoke = finding("missing", 0.2, 0.3)
    assert tuning.tuned(spoke) == spoke


def test_correct_takes_half_of_a_widening_back_and_never_goes_below_the_budget() -> None:
    tuning = Tuning()
    assert tuning.correct(alert("wear", 0.3, 0.2), "AB", 1.0) is None
    tuning.false_alarm(alert("wear", 0.25, 0.2), "AB", 2.0)
    width = tuning.width("wear", "S1/1/r1/T4/2")
    change = tuning.correct(alert("wear", 0.4, 0.25), "AB", 3.0)
    assert change is not None
    assert change.after == pytest.approx(math.sqrt(width))
    for round_ in range(9):
        tuning.correct(alert("wear", 0.4, 0.25), "AB", 4.0 + round_)
    assert tuning.width("wear", "S1/1/r1/T4/2") == 1.0


def test_a_change_is_undone_once_and_only_while_it_is_the_latest() -> None:
    tuning = Tuning()
    first = tuning.false_alarm(alert("wear", 0.25, 0.2), "AB", 1.0)
    second = tuning.false_alarm(
        alert("wear", 0.4, score_at("wear", tuning.width("wear", "S1/1/r1/T4/2") * distance("wear", 0.2))), "AB", 2.0
    )
    assert first is not None
    assert second is not None
    assert tuning.standing() == (second,)
    assert tuning.undo(first.id, "CD", 3.0) is None
    undone = tuning.undo(second.id, "CD", 3.0)
    assert undone is not None
    assert (undone.verdict, undone.by, undone.after) == ("undo", "CD", second.before)
    assert tuning.width("wear", "S1/1/r1/T4/2") == second.before
    assert tuning.undo(second.id, "CD", 4.0) is None
    assert tuning.undo("tuning-99", "CD", 4.0) is None
    assert [change.id for change in tuning.trail] == [first.id, second.id, undone.id]


def test_a_cut_that_did_not_come_has_no_limit_that_a_word_moves() -> None:
    tuning = Tuning()
    absent = msgspec.structs.replace(alert("missing", 0.0, 0.5), evidence={"absent": True})
    assert tuning.false_alarm(absent, "AB", 1.0) is None
    assert tuning.tuned(finding("missing", 0.42, 0.5)) == finding("missing", 0.42, 0.5)


@pytest.mark.parametrize("kind", ["sensor", "process"])
def test_a_lost_signal_has_no_limit_that_a_word_moves(kind: Kind) -> None:
    tuning = Tuning()
    assert tuning.false_alarm(alert(kind, 9.0, 5.0), "AB", 1.0) is None
    assert tuning.trail == ()


def test_the_end_of_an_episode_passes_any_limit() -> None:
    tuning = Tuning()
    tuning.false_alarm(alert("wear", 0.25, 0.2), "AB", 1.0)
    over = msgspec.structs.replace(finding("wear", 0.0, 0.0), finished=True)
    assert tuning.tuned(over) == over


def test_widths_and_trail_survive_a_restart() -> None:
    tuning = Tuning()
    tuning.false_alarm(alert("wear", 0.25, 0.2), "AB", 1.0)
    again = Tuning()
    again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(tuning.state), type=TuningState))
    assert again.trail == tuning.trail
    assert again.tuned(finding("wear", 0.25, 0.2)) is None


@given(kind=st.sampled_from(sorted(TUNABLE)), far=st.floats(0.0, 10.0))
def test_a_score_is_where_its_distance_says(kind: str, far: float) -> None:
    assert distance(kind, score_at(kind, far)) == pytest.approx(far, rel=1e-6, abs=1e-6)


@given(kind=st.sampled_from(sorted(TUNABLE)), score=st.floats(allow_nan=False), threshold=st.floats(0.01, 0.99), rounds=st.integers(1, 5))
def test_any_score_leaves_a_width_within_bounds(kind: Kind, score: float, threshold: float, rounds: int) -> None:
    tuning = Tuning()
    for _ in range(rounds):
        tuning.false_alarm(alert(kind, score, threshold), "AB", 1.0)
    assert 1.0 <= tuning.width(kind, "S1/1/r1/T4/2") <= MOST
