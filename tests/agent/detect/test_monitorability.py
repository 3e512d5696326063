"""What is promised of an operation, and what is not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect import monitorability
from agent.detect.baseline import Baseline
from agent.detect.coverage import of_operation
from agent.detect.watch import Watch
from agent.kernels.segment import THRESHOLD_NOISE
from agent.model import Finding, Word
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


def by_load(works: list[float], noise: float = 0.5, came: int = 10) -> Baseline:
    """Where the load alone says when a cut is."""
    return msgspec.structs.replace(learned(works, noise), by_load=True, came=[True] * came)


def test_a_cut_that_would_not_be_missed_is_not_promised_where_the_load_alone_makes_cuts() -> None:
    assert monitorability.promise(by_load(spread(0.02)), 0.1, expected=True) == monitorability.promise(learned(spread(0.02)), 0.1)
    for came, reason in ((10, "irregular"), (4, "too_few_cuts")):
        promise = monitorability.promise(by_load(spread(0.02), came=came), 0.1, expected=False)
        assert promise is not None
        assert (promise.missing, promise.reason, promise.breakage, promise.smallest_change) == (False, reason, True, 0.1)
    told = monitorability.promise(learned(spread(0.02)), 0.1, expected=False)
    assert told is not None
    assert told.missing, "a section without its cut is a cut of no work"


def test_a_cut_that_fades_below_what_opens_one_is_not_promised() -> None:
    # Work 50 in 2 s: a load of 25 above idle. Less the p99.9 of 2 %, it opens above five standard deviations of 4.
    assert monitorability.why_not(by_load(spread(0.02), noise=4.0)) == ""
    fading = [work * 0.99**i for i, work in enumerate(spread(0.01, 30))]
    assert monitorability.faintest(by_load(fading, noise=4.0)) < monitorability.OPENS
    assert monitorability.why_not(by_load(fading, noise=4.0)) == "low_contrast"
    assert monitorability.why_not(learned(fading, noise=4.0)) == "", "where a register says when a cut is, none has to open"
    assert monitorability.faintest(by_load(fading[:5])) == float("inf")


def test_it_is_the_threshold_of_the_kernel_that_opens_a_cut() -> None:
    assert monitorability.OPENS == THRESHOLD_NOISE


@pytest.mark.parametrize("sections_told", [True, False])
def test_the_pass_promises_a_missing_tool_once_its_order_expects_the_cut_and_keeps_it_twice(sections_told: bool) -> None:
    watch = Watch(MonitoringOptions(), 1.0 / 160.0, sections_told=sections_told)
    said = []
    for part in range(1, 15):
        closed = cut(50.0 * (1.0 + 0.01 * (part % 3)), 100.0 * part, part)
        watch.on_cut(msgspec.structs.replace(closed, phase="opened"), 0.1)
        watch.on_cut(closed, 0.1)
        promise = watch.outlook.promise(watch.baseline(closed))
        said.append(promise is not None and promise.missing)
        if part == 9:
            watch.begin_again()
        watch.on_part(part, whole=True)
    # The first part and the ninth are not whole.
    assert said == [False] * 7 + [True] * 7
    gone = cut(50.0)
    watch.on_part(15, whole=True)
    assert watch.outlook.promise(watch.baseline(gone)) is not None
    other = msgspec.structs.replace(gone, operation=msgspec.structs.replace(gone.operation, tool="9"))
    for part, told in ((16, 1), (17, 1), (18, 0)):
        promise = watch.outlook.promise(watch.baseline(gone))
        assert promise is not None
        # Told twice as promised. Where a register says when a cut is, a section that never came was not run: a missing tool leaves one
        # without work, which is judged as it closes.
        assert promise.missing is (sections_told or bool(told))
        watch.on_cut(msgspec.structs.replace(other, phase="opened", opened=100.0 * part, part=part), 0.1)
        found = [item for item in watch.on_part(part, whole=True) if isinstance(item, Finding) and item.kind == "missing"]
        assert len(found) == (0 if sections_told else told)


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


def test_a_cut_that_alone_does_not_show_a_missing_tool_is_promised_by_its_visit() -> None:
    promise = monitorability.promise(learned(spread(0.5)), None)
    assert promise is not None
    assert not promise.missing
    assert monitorability.by_visit(promise, told=False) == promise
    told = monitorability.by_visit(promise, told=True)
    assert told is not None
    assert (told.missing, told.breakage, told.by_visit, told.reason) == (True, False, True, "")
    assert monitorability.by_visit(None, told=True) is None
    sure = monitorability.promise(learned(spread(0.02)), 0.1)
    assert monitorability.by_visit(sure, told=True) == sure


def test_what_the_load_alone_cuts_out_and_is_broken_more_often_than_good_is_no_operation() -> None:
    baseline = learned(spread(0.02, n=10))
    baseline.by_load, baseline.spoilt = True, 10
    assert monitorability.why_not(baseline) == ""
    baseline.spoilt = 11
    assert monitorability.why_not(baseline) == "too_noisy"
    baseline.by_load = False
    assert monitorability.why_not(baseline) == ""


def test_what_the_load_alone_cuts_out_and_is_seldom_an_example_is_irregular() -> None:
    baseline = learned(spread(0.02, n=5))
    baseline.by_load, baseline.seen = True, 15
    assert monitorability.why_not(baseline) == ""
    baseline.seen = 16
    assert monitorability.why_not(baseline) == "irregular"
    known = learned(spread(0.02, n=8))
    known.by_load, known.seen = True, 100
    assert monitorability.why_not(known) == ""
