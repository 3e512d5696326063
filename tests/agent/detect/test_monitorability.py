"""What is promised of an operation, and what is not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect import monitorability
from agent.detect.baseline import Baseline
from agent.detect.coverage import of_operation
from agent.model import Word
from agent.segment.figures import update_period
from agent.settings import MonitoringOptions
from tests.support.cuts import cut


def learned(works: list[float], noise: float = 0.5, **features: float) -> Baseline:
    """An operation whose good cuts took this work above idle in two seconds."""
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    for i, work in enumerate(works):
        one = cut(work, 10.0 * i, i)
        baseline.learn(msgspec.structs.replace(one, features=msgspec.structs.replace(one.features, **features)), noise)
    return baseline


def spread(sd: float, n: int = 30, work: float = 50.0) -> list[float]:
    return (work * np.exp(sd * np.random.default_rng(7).standard_normal(n))).tolist()


def test_a_cut_that_repeats_and_stands_out_promises_everything() -> None:
    baseline = learned(spread(0.02))
    promise = monitorability.promise(baseline, 0.1)
    assert promise is not None
    assert (promise.missing, promise.breakage, promise.reason, promise.smallest_change) == (True, True, "", 0.1)
    assert promise.contrast == pytest.approx(25.0 / 30.0, abs=0.01)
    assert promise.presence == pytest.approx(25.0 / 0.5, rel=0.02)
    assert promise.deviation is not None
    assert 0.06 < promise.deviation < 0.2
    assert promise.until > 0.85


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        (learned(spread(0.02), noise=12.0), "low_contrast"),
        (learned(spread(0.02), samples=5.0), "rate_too_low"),
        (learned(spread(0.02), update=0.5), "register_slow"),
        (learned(spread(0.10)), "too_noisy"),
    ],
    ids=["contrast", "rate", "register", "noise"],
)
def test_what_cannot_be_promised_is_said_with_its_reason_and_is_the_word_of_coverage(baseline: Baseline, reason: str) -> None:
    promise = monitorability.promise(baseline, 0.1)
    assert promise is not None
    assert (promise.missing, promise.breakage, promise.smallest_change, promise.reason) == (False, False, None, reason)
    said = of_operation(baseline, MonitoringOptions(), 400.0)
    assert (said.word, said.reason) == (Word.NOT_MONITORABLE, reason)


def test_contrast_three_times_the_deviation_is_where_the_promise_ends() -> None:
    assert monitorability.FAR * 0.05 < monitorability.THIRD < monitorability.FAR * 0.06
    assert monitorability.why_not(learned(spread(0.04))) == ""
    assert monitorability.why_not(learned(spread(0.07))) == "too_noisy"


def test_one_odd_cut_takes_no_promise_back_and_two_do() -> None:
    works = spread(0.02)
    assert monitorability.why_not(learned([*works[:10], 20.0, *works[10:]])) == ""
    assert monitorability.why_not(learned([*works[:10], 20.0, *works[10:20], 20.0, *works[20:]])) == "too_noisy"


def test_wear_is_no_noise() -> None:
    rising = [work * 1.01**i for i, work in enumerate(spread(0.01, 60))]
    assert monitorability.why_not(learned(rising)) == ""


def test_nothing_is_said_before_three_good_cuts_and_noise_is_not_before_eight() -> None:
    assert monitorability.promise(learned(spread(0.02, 2)), None) is None
    assert monitorability.why_not(learned([50.0, 20.0, 50.0, 20.0, 50.0])) == ""


def test_before_it_has_spoken_for_itself_only_a_plain_cut_is_judged() -> None:
    assert not monitorability.unproven(learned(spread(0.02, 5)))
    assert monitorability.unproven(learned(spread(0.02, 5), idle=100.0))
    assert not monitorability.unproven(learned(spread(0.02, 8), idle=100.0))


def test_least_is_the_operation_that_promises_least() -> None:
    good = monitorability.promise(learned(spread(0.02)), 0.1)
    poor = monitorability.promise(learned(spread(0.10)), 0.1)
    assert good is not None
    assert poor is not None
    assert monitorability.least([good, poor]) is poor
    assert monitorability.least([]) is None


@pytest.mark.parametrize("period", [2, 5, 10])
def test_a_register_that_changes_more_rarely_than_it_is_read(period: int) -> None:
    times = (0.05 * np.arange(200)).tolist()
    loads = np.repeat(np.random.default_rng(period).standard_normal(200 // period), period).tolist()
    assert update_period(times, loads) == pytest.approx(0.05 * period)


def test_a_coarse_register_is_not_a_slow_one_and_a_still_one_says_nothing() -> None:
    times = (0.05 * np.arange(200)).tolist()
    loads = [*([5.0] * 20), 12.0, 25.0, 31.0, *([33.0] * 150), 20.0, 8.0, *([5.0] * 25)]
    assert update_period(times, loads) == pytest.approx(0.05)
    assert update_period(times, [5.0] * 200) == 0.0
    assert update_period([], []) == 0.0
