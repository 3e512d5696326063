"""Parts left: an interval that holds what it claims, and none where the data support none."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect.clock import Clock, Life, Measure
from agent.detect.life import FEWEST_PARTS, LEVEL, Left, Rise, by_lives, by_trend, carried, crossing, due, learned, left
from agent.detect.wear_curve import DUE, SCATTER
from agent.detect.wear_level import Level


def measured(*pairs: tuple[float, float]) -> tuple[Measure, ...]:
    """(s of cutting, mm)"""
    return tuple(Measure(vb=vb, seconds=seconds, cuts=int(seconds), parts=int(seconds), time=seconds) for seconds, vb in pairs)


def lived(*parts: int, reason: str = "worn") -> list[Life]:
    return [Life(cuts=n, parts=n, seconds=float(n), reason=reason, ended=0.0) for n in parts]  # type: ignore[arg-type]


def standing(parts: int, *lives: Life, **more: object) -> Clock:
    """A tool that has made so many parts of 1 s each since it was new, after these."""
    return Clock(cuts=parts, parts=parts, seconds=float(parts), whole=True, lives=list(lives), **more)  # type: ignore[arg-type]


def by(clock: Clock) -> Left | None:
    return by_lives(clock, 0.3, learned(clock.lives, 0.3))


def test_one_earlier_life_gives_a_wide_interval_and_more_of_them_a_narrower_one() -> None:
    one, four = by(standing(10, *lived(100))), by(standing(10, *lived(95, 100, 105, 100)))
    assert one is not None
    assert four is not None
    assert (one.basis, one.n, one.level, four.n) == ("lives", 1, LEVEL, 4)
    assert one.low < four.low < 90 < four.high < one.high


@pytest.mark.parametrize("reason", ["planned", "broken"])
def test_what_was_not_worn_says_nothing_by_its_end_but_by_its_measures(reason: str) -> None:
    lives = lived(100, 120, reason=reason)
    assert learned(lives, 0.3) is None
    measured_too = [msgspec.structs.replace(life, measures=list(measured((50, 0.15)))) for life in lives]
    found = by(standing(10, *measured_too))
    assert found is not None
    assert found.low < 90 < found.high, "0.15 mm after 50 s: 0.3 mm after 100 s"


def test_a_measure_at_the_end_counts_for_the_end() -> None:
    (life,) = lived(100)
    life = msgspec.structs.replace(life, measures=list(measured((100, 0.15))))
    found = by(standing(10, life))
    assert found is not None
    assert found.low < 190 < found.high, "changed at half the limit: it might have lasted twice as long"


def test_of_a_tool_that_has_outlived_all_others_or_was_not_new_nothing_is_said() -> None:
    assert by(standing(5000, *lived(100, 120, 110))) is None
    clock = standing(50, *lived(100, 120, 110))
    clock.whole = False
    assert by(clock) is None
    assert due(clock, 0.3, learned(clock.lives, 0.3)) is None


def test_the_interval_of_earlier_lives_holds_at_least_what_it_claims() -> None:
    """At a random age of a tool that is still there; lives spread as is assumed, which four of them are too few to be sure of."""
    random = np.random.default_rng(7)
    hits = []
    for _ in range(1500):
        lives = np.ceil(400.0 * random.lognormal(0.0, SCATTER, 5)).astype(int).tolist()
        age = max(int(random.uniform(0.0, 0.9) * lives[-1]), FEWEST_PARTS)
        found = by(standing(age, *lived(*lives[:-1])))
        if found is not None:
            hits.append(found.low <= lives[-1] - age <= found.high)
    assert len(hits) > 1400
    assert LEVEL - 0.03 < np.mean(hits) < LEVEL + 0.1


def test_a_change_is_due_when_one_in_five_of_such_tools_would_be_worn() -> None:
    lives = lived(95, 100, 105, 100)
    curve = learned(lives, 0.3)
    assert curve is not None
    first = next(parts for parts in range(3, 200) if due(standing(parts, *lives), 0.3, curve) is not None)
    assert curve.chance(first, 0.3) < DUE <= curve.chance(first + 1.0, 0.3), "with the part that comes next"
    said = due(standing(first, *lives), 0.3, curve)
    assert said is not None
    assert said.n == 4
    assert DUE <= said.chance < 0.3


def test_still_good_or_a_low_measure_puts_it_off_and_two_measures_speak_for_themselves() -> None:
    lives = lived(95, 100, 105, 100)
    curve = learned(lives, 0.3)
    (looked,) = measured((110, 0.2))
    assert due(standing(110, *lives), 0.3, curve) is not None
    assert due(standing(110, *lives, good=msgspec.structs.replace(looked, vb=0.0)), 0.3, curve) is None
    assert due(standing(110, *lives, measures=[looked]), 0.3, curve) is None
    assert due(standing(150, *lives, measures=[looked]), 0.3, curve) is not None
    assert due(standing(150, *lives, measures=[looked, *measured((130, 0.2))]), 0.3, curve) is None


def test_by_two_typed_measures_a_change_is_due_at_the_near_end_of_their_interval() -> None:
    measures = list(measured((100, 0.1), (200, 0.17), (300, 0.24)))
    ends = crossing(tuple(measures), 0.3)
    assert ends is not None
    before, after = int(ends[0]) - 3, int(ends[0]) + 1
    assert due(standing(before, measures=measures), 0.3, None) is None
    said = due(standing(after, measures=measures), 0.3, None)
    assert said is not None
    assert (said.basis, said.n, said.chance) == ("measures", 3, pytest.approx(0.1))
    assert due(standing(after, measures=measures, good=msgspec.structs.replace(measures[-1], seconds=float(after))), 0.3, None) is not None
    assert due(standing(320, measures=[*measures[:1], *measured((310, 0.1))]), 0.3, None) is None, "it hardly wears"


def test_signals_that_told_earlier_tools_apart_move_the_day() -> None:
    """Six tools whose signal at the end was the higher the shorter they lived, and one that was measured on the way."""
    lives = []
    for parts in (60, 80, 100, 120, 140, 160):
        rise = math.log(100.0 / parts)
        way = [
            msgspec.structs.replace(one, levels=(("z", 0.1 * one.vb + 0.3 * rise),))
            for one in measured((0.3 * parts, 0.09), (0.6 * parts, 0.18), (0.9 * parts, 0.27))
        ]
        lives.append(Life(parts, parts, float(parts), "worn", 0.0, measures=way, levels={"z": 0.03 + 0.3 * rise}))
    curve = learned(lives, 0.3)
    assert curve is not None
    assert curve.excess["z"].weight > 0.3
    assert by_lives(standing(30, *lives), 0.3, curve) == by_lives(standing(30, *lives, levels={}), 0.3, curve)
    fast, slow = (Level(blocks=[(level, 1)]) for level in (0.15, -0.12))
    soon, late = (by_lives(standing(30, *lives, levels={"z@S1/1/r1/T4/-": level}), 0.3, curve) for level in (fast, slow))
    assert soon is not None
    assert late is not None
    assert soon.high < late.high


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
    assert left(clock, 0.3, rise, learned(clock.lives, 0.3)).basis == "lives"  # type: ignore[union-attr]
    clock.measures = list(measured((100, 0.1), (200, 0.15), (300, 0.19)))
    found = left(clock, 0.3, rise)
    assert found is not None
    assert (found.basis, found.n) == ("measures", 3)
    assert found.low < 250 < found.high
    clock.whole = False
    assert left(clock, 0.3, rise).basis == "trend"  # type: ignore[union-attr]
