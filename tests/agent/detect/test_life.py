"""Parts left: an interval that holds what it claims, and none where the data support none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect.clock import Clock, Life, Measure
from agent.detect.life import LEVEL, Left, Rise, by_lives, by_trend, carried, crossing, left


def measured(*pairs: tuple[float, float]) -> tuple[Measure, ...]:
    """(s of cutting, mm)"""
    return tuple(Measure(vb=vb, seconds=seconds, cuts=int(seconds), parts=int(seconds), time=seconds) for seconds, vb in pairs)


def lived(*parts: int, reason: str = "worn") -> list[Life]:
    return [Life(cuts=n, parts=n, seconds=float(n), reason=reason, ended=0.0) for n in parts]  # type: ignore[arg-type]


def test_lives_need_three_that_lasted_longer() -> None:
    assert by_lives(lived(100, 120), 10) is None
    assert by_lives(lived(100, 120, 110), 10) == Left(90, 110, "lives", 3, 0.5)
    assert by_lives(lived(100, 120, 110), 105) is None
    assert by_lives(lived(100, 120, 110, 140), 105) == Left(5, 35, "lives", 3, 0.5)
    assert by_lives(lived(100, 120, 110, reason="planned"), 10) is None
    assert by_lives(lived(100, 120, 110), 10, whole=False) is None


def test_the_interval_of_lives_holds_what_it_claims() -> None:
    """Of lives from a skew distribution, at a random age: the claim of order statistics does not depend on either."""
    random = np.random.default_rng(7)
    hits, claimed = [], []
    for _ in range(4000):
        lives = np.ceil(random.lognormal(4.0, 0.4, 9)).astype(int).tolist()
        age = int(random.uniform(0.0, 0.9) * lives[-1])
        found = by_lives(lived(*lives[:-1]), age)
        if found is not None:
            hits.append(found.low <= lives[-1] - age <= found.high)
            claimed.append(found.level)
    assert len(hits) > 3000
    assert np.mean(hits) == pytest.approx(np.mean(claimed), abs=0.03)


def test_one_measure_gives_no_interval_and_two_wide_ones_none_that_is_bounded() -> None:
    assert crossing(measured((100, 0.1)), 0.3) is None
    assert crossing(measured((100, 0.05), (200, 0.05)), 0.3) is None
    assert crossing((), 0.3) is None
    assert crossing(measured((100, 0.1), (100, 0.12)), 0.3) is None


def test_measures_that_grow_are_bounded_and_close_in() -> None:
    few = crossing(measured((100, 0.1), (200, 0.15), (300, 0.19)), 0.3)
    more = crossing(measured((100, 0.1), (200, 0.15), (300, 0.19), (400, 0.235), (500, 0.27)), 0.3)
    assert few is not None
    assert more is not None
    assert few[0] < 550.0 < few[1]
    assert more[0] < 570.0 < more[1]
    assert more[1] - more[0] < few[1] - few[0]


def test_still_good_moves_the_interval_behind_that_moment() -> None:
    measures = measured((100, 0.1), (200, 0.17), (300, 0.24))
    without, told = crossing(measures, 0.3), crossing(measures, 0.3, good=430.0)
    assert without is not None
    assert told is not None
    assert without[0] < 430.0 <= told[0]
    assert told[1] >= without[1]


@pytest.mark.parametrize("p", [0.6, 1.0, 1.6])
def test_the_interval_of_measures_holds_at_least_what_it_claims(p: float) -> None:
    """Growth b + a t^p with a random walk about it and a reading error, measured four times before the end."""
    random = np.random.default_rng(11)
    hits = []
    for _ in range(250):
        t = np.arange(1.0, 401.0)
        walk = np.cumsum(random.standard_normal(400)) * 0.3 * 0.1 / math.sqrt(200.0)
        wear = random.uniform(0.02, 0.08) + 0.22 * (t / random.uniform(150.0, 300.0)) ** p + walk
        if not (wear >= 0.3).any():
            continue
        end = float(t[int(np.argmax(wear >= 0.3))])
        at = [int(end * share) for share in (0.2, 0.4, 0.6, 0.8)]
        read = [(float(k), max(float(wear[k - 1]) + 0.01 * float(random.standard_normal()), 0.0)) for k in at if k]
        found = crossing(measured(*read), 0.3)
        if found is not None:
            hits.append(found[0] <= end <= found[1])
    assert len(hits) > 100
    assert np.mean(hits) > LEVEL - 0.08


def test_wear_is_carried_forward_and_never_falls() -> None:
    assert carried((), 0.3, 10.0) is None
    assert carried(measured((100, 0.1)), 0.3, 500.0) == 0.1
    grown = carried(measured((100, 0.1), (200, 0.15)), 0.3, 300.0)
    assert grown is not None
    assert 0.16 < grown < 0.22
    assert carried(measured((100, 0.2), (200, 0.15)), 0.3, 200.0) >= 0.15  # type: ignore[operator]


@pytest.mark.parametrize(
    ("slope", "level", "expected"),
    [
        ((0.001, 0.002), 0.1, Left(20, 41, "trend", 40, 0.95)),
        ((-0.001, 0.002), 0.1, None),
        ((0.0, 0.002), 0.1, None),
        ((0.0001, 0.002), 0.1, None),
        ((0.001, 0.002), 0.2, None),
    ],
)
def test_a_slope_counts_only_where_its_flattest_end_reaches_the_limit(
    slope: tuple[float, float], level: float, expected: Left | None
) -> None:
    assert by_trend(Rise(level=level, limit=0.1401 if level < 0.14 else 0.14, slope=slope, cuts=40, cuts_a_part=1.0)) == expected


def test_typed_measures_speak_before_lives_and_lives_before_the_slope() -> None:
    rise = Rise(level=0.1, limit=0.14, slope=(0.001, 0.002), cuts=40, cuts_a_part=1.0)
    clock = Clock(cuts=300, parts=300, seconds=300.0, whole=True)
    assert left(clock, 0.3) is None
    assert left(clock, 0.3, rise).basis == "trend"  # type: ignore[union-attr]
    clock.lives = lived(400, 420, 500)
    assert left(clock, 0.3, rise).basis == "lives"  # type: ignore[union-attr]
    clock.measures = list(measured((100, 0.1), (200, 0.15), (300, 0.19)))
    found = left(clock, 0.3, rise)
    assert found is not None
    assert (found.basis, found.n) == ("measures", 3)
    assert found.low < 250 < found.high
    clock.whole = False
    assert left(clock, 0.3, rise).basis == "trend"  # type: ignore[union-attr]
