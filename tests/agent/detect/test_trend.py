"""The trend of several figures: agrees with the obvious twin, speaks of a common rise only, survives a restart."""

from __future__ import annotations

import math
import statistics

import msgspec
import numpy as np
import pytest

from agent.detect import trend
from agent.detect.trend import FIRST, MOST, Trend, TrendState

P = 2.5e-6


def looks(n: int, rise: float = 0.0, at: int = 10**9, figures: int = 5, of: int = 5, seed: int = 1) -> np.ndarray:
    out = np.random.default_rng(seed).normal(0.0, 0.05, (n, figures))
    out[at:, :of] += rise
    return out


def changes(judge: Trend, rows: np.ndarray) -> list[tuple[int, str]]:
    return [(i, rise.changed) for i, row in enumerate(rows.tolist()) if (rise := judge.take(row)).changed]


def test_a_common_rise_is_told_once_and_its_end_once() -> None:
    rows = np.vstack([looks(200, 1.5, 120), looks(80, seed=2)])
    begun, over = changes(Trend(P), rows)
    assert begun[1] == "begun"
    assert 120 + trend.PERSIST <= begun[0] < 160
    assert over[1] == "over"
    assert over[0] > 200


@pytest.mark.parametrize("of", [1, 2])
def test_fewer_figures_than_agree_say_nothing(of: int) -> None:
    assert changes(Trend(P), looks(300, 5.0, 120, of=of)) == []


def test_a_rise_below_the_floor_says_nothing() -> None:
    assert changes(Trend(P), looks(400, 0.5, 120)) == []


def test_healthy_looks_say_nothing() -> None:
    assert changes(Trend(P), looks(4000)) == []


def test_the_score_is_that_of_the_obvious_twin() -> None:
    rows = looks(60, 0.3, 40).tolist()
    judge = Trend(P)
    learned, smooth = rows[:FIRST], [statistics.median(r[j] for r in rows[FIRST - 10 : FIRST]) for j in range(5)]
    for row in rows[:FIRST]:
        assert math.isnan(judge.take(row).score)
    for row in rows[FIRST:]:
        got = judge.take(row)
        smooth = [s + trend.WEIGHT * (x - s) for s, x in zip(smooth, row, strict=True)]
        z = []
        for j in range(5):
            middle = statistics.median(r[j] for r in learned)
            width = trend.MAD * statistics.median(abs(r[j] - middle) for r in learned)
            z.append((smooth[j] - middle) / max(width, trend.FLOOR))
        assert got.score == pytest.approx(sorted(z)[-3], abs=1e-6), "learned looks are kept in single precision"
        if got.score < 0.5 * got.limit and len(learned) < MOST:
            learned = [*learned, row]


def test_what_is_no_value_is_left_out_and_another_sensor_begins_anew() -> None:
    judge = Trend(P)
    changes(judge, looks(30))
    before = msgspec.msgpack.encode(judge.state)
    for bad in (math.nan, math.inf):
        assert math.isnan(judge.take([0.0, bad, 0.0, 0.0, 0.0]).score)
    assert judge.take([]).changed == ""
    assert msgspec.msgpack.encode(judge.state) == before
    judge.take([0.0, 0.0])
    assert not judge.ready


def test_a_restart_changes_nothing() -> None:
    rows = looks(200, 1.5, 120)
    whole = Trend(P)
    expected = [whole.take(row)[:3] for row in rows.tolist()]
    first = Trend(P)
    for row in rows[:130].tolist():
        first.take(row)
    second = Trend(P)
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=TrendState))
    assert [second.take(row)[:3] for row in rows[130:].tolist()] == expected[130:]
