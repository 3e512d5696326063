"""A cut of the usual work in another time."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect import feed
from agent.detect.baseline import Baseline, Prior
from agent.model import Cut
from tests.support.cuts import cut

P = 2.5e-6
NOISE = 0.5
PRIOR = Prior()


def made(duration: float, work: float, **of_cut: str) -> Cut:
    one = cut(work)
    features = msgspec.structs.replace(one.features, duration=duration, samples=round(20 * duration))
    return msgspec.structs.replace(one, time=one.opened + duration, features=features, **of_cut)


def learned(n: int = 30, sd: float = 0.003) -> Baseline:
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    random = np.random.default_rng(3)
    for _ in range(n):
        baseline.learn(
            made(2.0 * float(np.exp(sd * random.standard_normal())), 50.0 * float(np.exp(0.01 * random.standard_normal()))), NOISE
        )
    return baseline


def held(one: Cut, baseline: Baseline) -> str:
    return feed.held(one, baseline, PRIOR, P, 5).held


@pytest.mark.parametrize(("duration", "work"), [(2.5, 50.0), (1.6, 50.0), (4.0, 52.0), (1.4, 48.0)])
def test_the_same_work_in_another_time_is_another_feed(duration: float, work: float) -> None:
    assert held(made(duration, work), learned()) == feed.HELD


@pytest.mark.parametrize(
    ("duration", "work"),
    [(2.0, 50.0), (2.04, 50.0), (2.5, 62.5), (1.0, 25.0), (2.0, 75.0), (1.6, 40.0), (2.5, 1.0), (2.5, 0.0)],
    ids=["usual", "within the spread", "longer way", "broken off", "worn", "shorter way", "missing", "no work"],
)
def test_what_is_no_feed_is_judged(duration: float, work: float) -> None:
    assert held(made(duration, work), learned()) == ""


def test_lengths_that_differ_by_themselves_say_nothing() -> None:
    assert held(made(2.5, 50.0), learned(sd=0.15)) == ""


def test_neither_growing_nor_unknown_nor_otherwise_held_cuts_are_touched() -> None:
    assert held(made(2.5, 50.0, phase="grown"), learned()) == ""
    assert held(made(2.5, 50.0), learned(4)) == ""
    assert held(made(2.5, 50.0, held="feed_override"), learned()) == "feed_override"


def test_five_alike_are_the_new_normal_and_the_work_stays() -> None:
    baseline = learned()
    baseline.low, baseline.high, baseline.banded, baseline.grid = (1.0, 1.0), (2.0, 2.0), 30, 0.05
    work, anchor = baseline.work, list(baseline.anchor)
    feeds: dict[str, list[feed.Changed]] = {}
    for n in range(1, feed.STAYS):
        (said,) = feed.take(made(2.5, 50.0, held=feed.HELD), baseline, feeds, P)
        assert len(feeds[baseline.key]) == n
        assert (said.name, said.operation) == (feed.HELD, baseline.key)
        assert said.value == pytest.approx(1.25, rel=0.01)
        assert baseline.expected_duration == pytest.approx(2.0, rel=0.01)
    (said,) = feed.take(made(2.5, 50.0, held=feed.HELD), baseline, feeds, P)
    assert said.value == pytest.approx(1.25, rel=0.01)
    assert feeds == {}
    assert baseline.expected_duration == pytest.approx(2.5)
    assert (baseline.low, baseline.high, baseline.banded, baseline.grid) == ((), (), 0, 0.0)
    assert (baseline.work, baseline.anchor) == (work, anchor)
    assert held(made(2.5, 50.0), baseline) == ""
    assert held(made(2.0, 50.0), baseline) == feed.HELD


def test_feeds_that_differ_among_themselves_are_counted_from_the_latest_on() -> None:
    baseline, feeds = learned(), dict[str, list[feed.Changed]]()
    for duration in (2.5, 2.5, 2.5, 2.5, 1.5):
        feed.take(made(duration, 50.0, held=feed.HELD), baseline, feeds, P)
    assert [round(math.exp(one.duration), 3) for one in feeds[baseline.key]] == [1.5]
    assert feed.take(made(2.0, 50.0, held="feed_hold"), baseline, feeds, P) == []
    assert baseline.key in feeds
    assert feed.take(made(2.0, 50.0), baseline, feeds, P) == []
    assert feeds == {}
