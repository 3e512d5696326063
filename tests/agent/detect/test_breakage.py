"""A break within a cut: the load falls away, or the cut ends too early."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect import breakage
from agent.detect.baseline import Baseline
from agent.model import Cut
from tests.support.cuts import cut

NOISE = 0.5


def made(duration: float, work: float, **features: float) -> Cut:
    one = cut(work)
    changed = msgspec.structs.replace(one.features, duration=duration, samples=round(20 * duration), **features)
    return msgspec.structs.replace(one, time=one.opened + duration, features=changed)


def learned(n: int, sd: float = 0.003) -> Baseline:
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    random = np.random.default_rng(3)
    for _ in range(n):
        baseline.learn(made(2.0 * float(np.exp(sd * random.standard_normal())), 50.0), NOISE)
    return baseline


@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
def test_a_cut_that_ends_early_without_its_work_is_a_break(share: float) -> None:
    finding = breakage.breakage(made(2.0 * share, 50.0 * share), learned(30), NOISE)
    assert finding is not None
    assert finding.kind == "breakage"
    assert finding.evidence["short"] is True
    assert finding.score == pytest.approx(1.0 - share, abs=0.01)
    assert finding.score > finding.threshold


def test_the_same_work_in_less_time_is_a_higher_feed() -> None:
    assert breakage.breakage(made(1.6, 50.0), learned(30), NOISE) is None
    assert breakage.breakage(made(1.6, 48.0), learned(30), NOISE) is None


def test_a_usual_length_is_none() -> None:
    assert breakage.breakage(made(1.95, 48.0), learned(30), NOISE) is None


def test_what_has_no_work_is_a_missing_tool_and_no_break() -> None:
    assert breakage.breakage(made(1.0, 1.0), learned(30), NOISE) is None


def test_a_held_cut_and_an_unknown_operation_are_not_judged() -> None:
    early = made(1.0, 25.0)
    assert breakage.breakage(early, learned(2), NOISE) is None
    assert breakage.breakage(msgspec.structs.replace(early, held="feed_override"), learned(30), NOISE) is None
    assert breakage.breakage(msgspec.structs.replace(early, phase="grown"), learned(30), NOISE) is None


def test_few_cuts_and_lengths_that_vary_give_a_lower_end() -> None:
    many, few = breakage.ends(learned(40)), breakage.ends(learned(4))
    assert 0.0 < few < many < 2.0 * breakage.MOST_SHORT + 1e-9
    assert breakage.ends(learned(40, sd=0.05)) < many
    assert breakage.ends(learned(2)) == 0.0


def test_good_cuts_are_not_called_short_more_often_than_stated() -> None:
    baseline = learned(30, sd=0.02)
    lengths = 2.0 * np.exp(0.02 * np.random.default_rng(8).standard_normal(100_000))
    assert np.mean(lengths < breakage.ends(baseline)) < breakage.LENGTH_P


def late(at: float, work: float) -> Cut:
    """A cut of usually 2 s and a work of 50 whose load has fallen away at `at`, and stays away."""
    return msgspec.structs.replace(made(2.0, work, largest_fall=24.0, fall_at=at, fall_before=25.0, level=0.5), phase="grown")


def test_a_break_late_in_a_cut_is_told_where_good_cuts_have_shown_when_they_end() -> None:
    unknown = learned(30)
    unknown.end = 0.0
    known = learned(30)
    known.end = 1.96
    assert breakage.breakage(late(1.7, 43.0), unknown, NOISE) is None
    found = breakage.breakage(late(1.7, 43.0), known, NOISE)
    assert found is not None
    assert found.kind == "breakage"
    assert breakage.breakage(late(1.8, 43.0), known, NOISE) is None


def test_a_cut_that_ends_early_with_its_work_is_a_higher_feed_though_the_section_goes_on() -> None:
    known = learned(30)
    known.end = 1.96
    assert breakage.breakage(late(1.7, 50.0 * 1.15**-0.25), known, NOISE) is None


def test_a_late_break_of_a_worn_tool_is_measured_by_its_own_latest_cuts() -> None:
    worn = learned(30)
    worn.end = 1.96
    for _ in range(3):
        worn.learn(made(2.0, 60.0), NOISE)
    assert breakage.breakage(late(1.7, 0.85 * 60.0), worn, NOISE) is not None
    worn.new(0.0)
    assert breakage.breakage(late(1.7, 0.85 * 50.0), worn, NOISE) is None, "what a new tool does is not known yet"
