"""T2 and SPE: what is left out, what is found, what contributes, a restart."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect.multivariate import Multivariate, MultivariateState, Options

N = 400


def unit(n: int = 1000, seed: int = 4) -> np.ndarray:
    """Two channels that go together, two of their own, one that creeps, one that stands still."""
    draw = np.random.default_rng(seed)
    common = draw.normal(size=n)
    creep = np.cumsum(draw.normal(0.0, 0.01, n)) + 30.0
    columns = [common + 0.1 * draw.normal(size=n), 5.0 * common + 0.5 * draw.normal(size=n), draw.normal(size=n), draw.normal(size=n)]
    return np.column_stack([*columns, creep, np.full(n, 7.0)])


def changes(judge: Multivariate, rows: np.ndarray) -> list[tuple[int, str]]:
    return [(i, verdict.changed) for i, row in enumerate(rows.tolist()) if (verdict := judge.take(row)).changed]


def test_what_creeps_and_what_stands_still_is_left_out_by_measure() -> None:
    judge = Multivariate(Options(learn=N))
    changes(judge, unit())
    assert judge.state.used == [True, True, True, True, False, False]


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_shift_is_told_its_channel_named_and_its_end_told(kept: float) -> None:
    rows = unit()
    rows[600:700, 2] += 8.0
    judge = Multivariate(Options(learn=N, kept=kept))
    begun, over = changes(judge, rows)
    assert begun == (begun[0], "begun")
    assert 600 < begun[0] < 615
    assert over[1] == "over"
    assert 700 <= over[0] < 730
    again = Multivariate(Options(learn=N, kept=kept))
    shares = [again.take(row).shares for row in rows[:620].tolist()][-1]
    assert int(np.argmax(shares)) == 2
    assert float(shares.sum()) == pytest.approx(1.0)


def test_a_broken_relation_is_seen_off_the_plane() -> None:
    rows = unit()
    rows[600:, 1] *= -1.0
    judge = Multivariate(Options(learn=N, kept=0.9, weight=1.0, limit=1e9))
    scores = np.array([judge.take(row).score for row in rows.tolist()])
    assert np.mean(scores[600:] > 1.5) > 20.0 * np.mean(scores[N:600] > 1.5)
    assert np.mean(scores[600:] > 1.5) > 0.2


def test_healthy_vectors_say_nothing() -> None:
    assert changes(Multivariate(Options(learn=N)), unit(6000)) == []


def test_what_is_no_value_is_left_out() -> None:
    judge = Multivariate(Options(learn=N))
    changes(judge, unit(500))
    before = msgspec.msgpack.encode(judge.state)
    for bad in (math.nan, math.inf, -math.inf):
        assert math.isnan(judge.take([0.0, bad, 0.0, 0.0, 30.0, 7.0]).score)
    judge.take([])
    assert msgspec.msgpack.encode(judge.state) == before


@pytest.mark.parametrize("cut", [150, N, 610])
def test_a_restart_changes_nothing(cut: int) -> None:
    rows = unit()
    rows[600:, 2] += 8.0
    whole = Multivariate(Options(learn=N))
    expected = [whole.take(row)[:2] for row in rows.tolist()]
    first, second = Multivariate(Options(learn=N)), Multivariate(Options(learn=N))
    for row in rows[:cut].tolist():
        first.take(row)
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=MultivariateState))
    got = [second.take(row)[:2] for row in rows[cut:].tolist()]
    assert [c for _, c in got] == [c for _, c in expected[cut:]]
    assert np.array([s for s, _ in got]) == pytest.approx(np.array([s for s, _ in expected[cut:]]), nan_ok=True)


def test_constant_channels_alone_judge_nothing_wildly() -> None:
    judge = Multivariate(Options(learn=10))
    assert changes(judge, np.ones((100, 3))) == []
