"""A slow fall of the work, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect import budget, drift, drift_state
from agent.detect.baseline import Baseline
from agent.detect.drift import Drift
from agent.kernels import drift as charts
from agent.model import Finding
from tests.support.cuts import cut

P = budget.probability(1.0 / 160.0)


def operation(key: str = "k") -> Baseline:
    return Baseline(key=key, spindle="S1", program="1", tool="4", section="1", since=0.0)


def follow(values: np.ndarray, chart: Drift | None = None, baseline: Baseline | None = None) -> list[Finding]:
    """Findings over the log work of so many cuts."""
    chart, baseline = chart or Drift(P, 20), baseline or operation()
    found = []
    for i, value in enumerate(values):
        baseline.learn(cut(math.exp(value), part=i), 0.5)
        finding = chart.take(baseline, value, 7.0 * i, i)
        found += [finding] if finding is not None else []
    return found


def falls(n: int, seed: int, by: float, at: int, until: int | None = None, sd: float = 0.01) -> np.ndarray:
    """A fall by a fraction from one cut to another."""
    place = np.arange(n)
    inside = (place >= at) & (place < (n if until is None else until))
    return 5.0 + sd * np.random.default_rng(seed).standard_normal(n) + np.where(inside, math.log1p(-by), 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_operation_does_not_drift(seed: int) -> None:
    assert follow(5.0 + 0.02 * np.random.default_rng(seed).standard_normal(2000)) == []


def test_a_fall_is_told_once_with_its_size_and_its_end() -> None:
    found = follow(falls(160, 1, 0.10, 60, 120))
    assert [finding.finished for finding in found] == [False, True]
    assert 60 < found[0].evidence["part"] < 80
    assert -11.0 < found[0].evidence["change_pct"] < -5.0
    assert abs(found[0].evidence["since_part"] - 60) <= 8
    assert found[0].score > found[0].threshold == 1.0


def test_a_slow_fall_is_told_before_it_is_complete() -> None:
    creep = math.log(0.9) * np.clip((np.arange(700) - 300) / 300.0, 0.0, 1.0)
    found = follow(5.0 + 0.02 * np.random.default_rng(1).standard_normal(700) + creep)
    assert [finding.finished for finding in found] == [False]
    assert 380 < found[0].evidence["part"] < 600


def test_a_fall_that_asks_for_nothing_is_no_alert() -> None:
    values = falls(400, 1, 0.03, 100)
    assert follow(values) == []
    assert len(follow(values, Drift(P, 20, 0.0))) >= 1, "it is seen all the same"
    assert len(follow(values, Drift(P, 20, 0.02))) >= 1


def test_a_rise_is_the_business_of_wear() -> None:
    assert follow(5.0 + 0.01 * np.random.default_rng(1).standard_normal(100) + 0.002 * np.arange(100)) == []


def wanders(n: int, seed: int, phi: float, sd: float = 0.02) -> np.ndarray:
    """Values that follow each other."""
    shocks = sd * math.sqrt(1.0 - phi * phi) * np.random.default_rng(seed).standard_normal(n)
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + shocks[i]
    return 5.0 + out


@pytest.mark.parametrize(("phi", "sd"), [(0.0, 0.04), (0.3, 0.04), (0.3, 0.02), (0.6, 0.04)])
def test_a_fall_that_is_said_to_be_seen_is_told_in_time_in_about_half_of_the_cases(phi: float, sd: float) -> None:
    told = 0
    for seed in range(30):
        chart, baseline, shift, since = Drift(P, 20), operation(), 0.0, -1
        for i, value in enumerate(wanders(900, 100 + seed, phi, sd)):
            if since < 0 and math.isfinite(chart.sees("k")):
                since, shift = i, math.log1p(-chart.sees("k"))
            finding = chart.take(baseline, value + shift, 7.0 * i, i)
            if since >= 0 and finding is not None:
                told += i - since < 1.5 * drift.WITHIN
                break
            if since >= 0 and i - since >= 1.5 * drift.WITHIN:
                break
    assert 12 <= told <= 30


def test_what_an_operation_sees_grows_with_its_cuts_and_is_nothing_where_each_follows_the_one_before() -> None:
    chart = Drift(P, 20)
    assert chart.sees("k") == math.inf, "nothing is known of it"
    seen = []
    for i, value in enumerate(wanders(300, 3, 0.0)):
        chart.take(operation(), value, 7.0 * i, i)
        seen.append(chart.sees("k"))
    assert seen[5] == math.inf
    assert 0.05 < seen[-1] < seen[100] < 0.09
    chart = Drift(P, 20)
    for i, value in enumerate(wanders(300, 3, 0.95)):
        chart.take(operation(), value, 7.0 * i, i)
    assert chart.sees("k") == math.inf


def test_each_chart_speaks_with_its_own_share_of_the_budget() -> None:
    def shares(values: np.ndarray) -> list[float]:
        return [round((finding.chance or math.nan) / P, 9) for finding in follow(values) if not finding.finished]

    slow = [share for seed in range(4) for share in shares(falls(400, seed, 0.06, 300, sd=0.03))]
    assert slow
    assert set(slow) <= {charts.SHARES[0], charts.SHARES[1]}
    (gross,) = shares(falls(80, 1, 0.5, 60))
    assert gross in charts.SHARES


def test_a_restart_gives_the_same_bytes() -> None:
    values = falls(160, 3, 0.10, 80, 150)
    one, baseline, found = Drift(P, 20), operation(), []
    for i, value in enumerate(values):
        baseline.learn(cut(math.exp(value), part=i), 0.5)
        finding = one.take(baseline, value, 7.0 * i, i)
        found += [finding] if finding is not None else []
        again = Drift(P, 20)
        again.restore(one.saved())
        assert again.saved() == one.saved()
        one = again
    whole = Drift(P, 20)
    assert follow(values, whole) == found
    assert whole.saved() == one.saved()
    assert len(found) == 2


def test_a_state_of_another_layout_is_left_alone() -> None:
    chart = Drift(P, 20)
    chart.restore(drift.DriftState(["k"], b"\0" * 72, ["k"]))
    assert chart.saved() == drift.DriftState()


def test_a_new_tool_begins_at_its_own_level_with_what_is_known_of_the_spread() -> None:
    chart, baseline = Drift(P, 20), operation()
    follow(falls(100, 4, 0.0, 0), chart, baseline)
    chart.renew("k")
    assert follow(falls(60, 5, 0.0, 0) - 0.3, chart, baseline) == []
    assert len(follow(falls(60, 6, 0.10, 0) - 0.3, chart, baseline)) == 1


def test_an_operation_that_is_forgotten_gives_its_column_to_the_next() -> None:
    chart = Drift(P, 20)
    for key in ("a", "b"):
        follow(falls(40, 4, 0.0, 0), chart, operation(key))
    chart.forget("a")
    follow(falls(40, 5, 0.0, 0), chart, operation("c"))
    assert chart.saved().keys == ["b", "c"]
    fresh = Drift(P, 20)
    follow(falls(40, 4, 0.0, 0), fresh, operation("b"))
    follow(falls(40, 5, 0.0, 0), fresh, operation("c"))
    assert chart.saved() == fresh.saved()


def test_a_widened_limit_tells_the_same_fall_later_and_at_its_own_threshold() -> None:
    values = falls(400, 1, 0.06, 300, sd=0.03)
    told = {}
    for width in (1.0, 2.5):
        chart, baseline = Drift(P, 20), operation()
        for i, value in enumerate(values):
            baseline.learn(cut(math.exp(value), part=i), 0.5)
            finding = chart.take(baseline, value, 7.0 * i, i, width)
            if finding is not None:
                told.setdefault(width, finding)
    assert told[2.5].time > told[1.0].time
    assert told[2.5].threshold == 2.5 * told[1.0].threshold
    assert told[2.5].score > told[2.5].threshold


def test_what_was_false_may_be_told_again() -> None:
    values = falls(240, 1, 0.10, 100)
    for false in (False, True):
        chart, baseline = Drift(P, 20), operation()
        assert len(follow(values[:120], chart, baseline)) == 1
        if false:
            chart.unmark("k")
        assert [finding.finished for finding in follow(values[120:], chart, baseline)] == [False] * false


def test_what_a_run_length_asks_of_the_number_of_cuts() -> None:
    assert drift.supported(100, 0.6, 2000.0)
    assert drift.supported(300, 0.6, 4e5)
    assert not drift.supported(30, 0.6, 4e5), "30 such cuts are worth 7 and 4.2 standard errors, 4.6 are needed"
    assert not drift.supported(300, 0.9, 4e5)
    for phi in (0.0, 0.3, 0.6):
        seen = [drift.visible(n, phi, 4e5) for n in (50, 100, 300, 1000)]
        assert seen == sorted(seen, reverse=True)
        assert drift.visible(300, phi, 2000.0) < drift.visible(300, phi, 4e5)


def test_what_the_others_know_of_the_autocorrelation_is_used() -> None:
    rng = np.random.default_rng(9)
    chart = Drift(P, 20)
    for number in range(8):
        x, values = 0.0, []
        for _ in range(120):
            x = 0.6 * x + 0.8 * rng.standard_normal()
            values.append(5.0 + 0.03 * x)
        follow(np.array(values), chart, operation(str(number)))
    alone = Drift(P, 20)
    follow(np.array(values[:100]), chart, operation("new"))
    follow(np.array(values[:100]), alone, operation("new"))
    limits = [np.frombuffer(c.saved().state).reshape(charts.FIELDS, -1)[charts.LIMIT, -1] for c in (chart, alone)]
    assert limits[0] < limits[1]


def test_the_class_and_the_kernel_alone_are_the_same_chart() -> None:
    """benchmarks/run_lengths.py scores the kernel in blocks."""
    values = falls(200, 11, 0.0, 0, sd=0.03)
    chart = Drift(P, 20, 0.0)
    assert follow(values, chart) == []
    state, out = drift_state.new(1), np.empty((len(values), charts.OUTPUTS, 1))
    charts.update(state, values[:, None].copy(), np.ones((200, 1), np.uint8), drift.chart_settings(1.0 / P, 20, 0.0), np.ones(1), out)
    assert chart.saved().state == state.tobytes()
