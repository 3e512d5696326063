"""A cut of the usual work in another time."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect import breakage, feed
from agent.detect.baseline import Baseline, Prior
from agent.model import Cut
from tests.support.cuts import cut

NOISE = 0.5
PRIOR = Prior()
SECONDS, WORK, IDLE = 2.0, 50.0, 5.0


def made(duration: float, work: float, *, peak: float | None = None, curve: bool = True, **of_cut: str) -> Cut:
    """A flat cut; `peak` above idle: 1.2 times its level where none is given."""
    one = cut(work)
    level = work / duration
    features = msgspec.structs.replace(
        one.features,
        duration=duration,
        samples=round(20 * duration),
        idle=IDLE,
        mean=level + IDLE,
        peak=IDLE + (1.2 * level if peak is None else peak),
    )
    line = (IDLE + level,) * round(duration / 0.05) if curve else ()
    return msgspec.structs.replace(one, time=one.opened + duration, features=features, curve=line, grid=0.05, **of_cut)


def learned(n: int = 30, sd: float = 0.003, *, curve: bool = True) -> Baseline:
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    random = np.random.default_rng(3)
    for _ in range(n):
        duration = SECONDS * float(np.exp(sd * random.standard_normal()))
        baseline.learn(made(duration, WORK * float(np.exp(0.01 * random.standard_normal())), curve=curve), NOISE)
    return baseline


@pytest.mark.parametrize("curve", [True, False])
@pytest.mark.parametrize(("duration", "work"), [(2.5, 50.0), (1.6, 50.0), (2.9, 54.0), (1.5, 47.0)])
def test_the_same_work_in_another_time_is_another_feed(duration: float, work: float, curve: bool) -> None:
    known = learned(curve=curve)
    assert feed.changed(made(duration, work, curve=curve), known, PRIOR) == pytest.approx(SECONDS / duration, rel=0.01)


@pytest.mark.parametrize(
    ("duration", "work", "peak"),
    [
        (2.0, 50.0, None),
        (2.04, 50.0, None),
        (2.5, 62.5, None),
        (1.0, 25.0, None),
        (2.0, 75.0, None),
        (1.6, 40.0, None),
        (2.5, 1.0, None),
        (2.5, 0.0, None),
    ],
    ids=["usual", "within the spread", "longer way", "broken off", "worn", "shorter way", "missing", "no work"],
)
def test_what_is_no_feed_is_judged(duration: float, work: float, peak: float | None) -> None:
    assert feed.changed(made(duration, work, peak=peak), learned(), PRIOR) == 1.0


def test_a_faint_end_makes_a_cut_longer_and_is_no_feed() -> None:
    longer = made(2.0, 50.0)
    features = msgspec.structs.replace(longer.features, duration=2.4, work=50.5)
    longer = msgspec.structs.replace(longer, features=features, curve=(*longer.curve, *(IDLE + 1.0,) * 8))
    assert feed.changed(longer, learned(), PRIOR) == 1.0


def test_lengths_that_differ_by_themselves_say_nothing() -> None:
    assert feed.changed(made(2.5, 50.0), learned(sd=0.15), PRIOR) == 1.0


def test_neither_growing_nor_unknown_nor_otherwise_held_cuts_are_touched() -> None:
    assert feed.changed(made(2.5, 50.0, phase="grown"), learned(), PRIOR) == 1.0
    assert feed.changed(made(2.5, 50.0), learned(9), PRIOR) == 1.0
    assert feed.changed(made(2.5, 50.0, held="feed_override"), learned(), PRIOR) == 1.0


def test_it_is_noted_while_it_lasts_and_gone_with_the_first_cut_as_usual() -> None:
    feeds, known = feed.Feeds(), learned()
    for n in (1, 2, 3):
        one = feeds.see(msgspec.structs.replace(made(2.5, 50.0), operation=cut(1.0).operation), known, PRIOR)
        assert one.held == feed.HELD
        assert feeds.now[known.key].n == n
        assert feeds.now[known.key].ratio == pytest.approx(0.8, rel=0.01)
    # Held for another reason: nobody knows, and it stands.
    feeds.see(made(2.0, 50.0, held="feed_hold"), known, PRIOR)
    assert known.key in feeds.now
    assert feeds.see(made(2.0, 50.0), known, PRIOR).held == ""
    assert feeds.now == {}


def fallen(at: float, work: float, *, phase: str = "closed") -> Cut:
    """A cut whose load fell away `at` s after its opening, having taken this work."""
    one = made(at + 0.1, work, phase=phase)
    before = work / at
    features = msgspec.structs.replace(one.features, fall_at=at, fall_before=before, largest_fall=0.95 * before, level=0.05 * before)
    return msgspec.structs.replace(one, features=features, time=one.opened + at + 0.3)


def test_an_end_that_comes_early_with_all_its_work_is_no_break() -> None:
    known = learned()
    known.end = SECONDS
    assert breakage.breakage(fallen(1.5, 49.0), known, NOISE) is None
    assert breakage.breakage(fallen(1.5, 49.0, phase="grown"), known, NOISE) is None


@pytest.mark.parametrize("at", [0.4, 0.8, 1.2, 1.5])
def test_a_break_lacks_the_work_of_the_rest(at: float) -> None:
    known = learned()
    known.end = SECONDS
    assert breakage.breakage(fallen(at, WORK * at / SECONDS), known, NOISE) is not None
