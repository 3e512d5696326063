"""A trend stays small, keeps its order, and its newest values whole."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from agent.model import Indicator
from agent.monitor.trends import MOST, OLD, RECENT, SCALE, Trend, Trends


def indicator(value: float, time: float = 0.0, operation: str = "op", channel: str = "", name: str = "work_ratio") -> Indicator:
    return Indicator(time=time, channel=channel, operation=operation, tool="4", name=name, value=value)


@pytest.mark.parametrize("count", [1, 2, RECENT, RECENT + 1, OLD + RECENT + 1, 1000, 5003])
def test_a_trend_is_bounded_ordered_and_ends_with_what_came_last(count: int) -> None:
    trend = Trend()
    values = [random.Random(count).random() for _ in range(count)]
    for i, value in enumerate(values):
        trend.take(float(i), i, value)
        assert len(trend.values) <= OLD
    times, parts, kept = trend.points()
    assert len(times) == len(parts) == len(kept) <= OLD + RECENT + 1
    assert list(times) == sorted(set(times))
    assert parts[-1] == count - 1
    last = min(count, RECENT)
    assert kept[-last:] == pytest.approx(values[-last:], abs=0.6 / SCALE)


def test_older_points_are_means_and_nothing_is_left_out() -> None:
    trend = Trend()
    values = [random.Random(3).random() for _ in range(3000)]
    for i, value in enumerate(values):
        trend.take(float(i), i, value)
    total = SCALE * sum(values[: len(values) - RECENT])
    kept = sum(trend.span * value for value in trend.values) + sum(value for _, _, value in trend.waiting)
    assert kept == pytest.approx(total, rel=2e-4)
    covered = len(trend.values) * trend.span + len(trend.waiting) + len(trend.recent)
    assert covered == len(values)


def test_a_step_is_still_a_step_after_a_long_time() -> None:
    trend = Trend()
    for i in range(4000):
        trend.take(float(i), i, 1.0 if i < 2000 else 1.2)
    times, _, values = trend.points()
    low = [v for t, v in zip(times, values, strict=True) if t < 1900]
    high = [v for t, v in zip(times, values, strict=True) if t > 2100]
    assert max(low) == 1.0
    assert min(high) == 1.2


def test_nothing_that_is_no_number_and_no_more_figures_than_may_be() -> None:
    trends = Trends()
    for bad in (math.nan, math.inf, -math.inf, 1e300):
        trends.take(indicator(bad), 1)
    assert trends.of("op", "work_ratio") is None
    for i in range(MOST + 5):
        trends.take(indicator(1.0, time=float(i), operation=f"op{i}"), i)
    assert trends.of("op4", "work_ratio") is None
    assert trends.of(f"op{MOST + 4}", "work_ratio") is not None
    assert len(trends.saved()) == MOST


def test_a_new_tool_begins_anew_and_a_restart_does_not() -> None:
    trends = Trends()
    for i in range(200):
        trends.take(indicator(1.0 + i / 1000, time=float(i)), i)
        trends.take(indicator(2.0, time=float(i), operation="other"), i)
    before = trends.of("op", "work_ratio")
    assert before is not None
    points = before.points()
    raw = msgspec.msgpack.encode(trends.saved())
    assert len(raw) < 2 * 1600
    again = Trends()
    again.restore(msgspec.msgpack.decode(raw, type=dict[str, Trend]))
    after = again.of("op", "work_ratio")
    assert after is not None
    assert after.points() == points
    again.forget(["op"])
    assert again.of("op", "work_ratio") is None
    assert again.of("other", "work_ratio") is not None


def test_each_axis_of_an_operation_has_a_trend_of_its_own() -> None:
    trends = Trends()
    for channel, value in (("x_load", 1.1), ("z_load", 1.4), ("z_load", 1.5)):
        trends.take(indicator(value, channel=channel, name="axis_load_ratio"), 1)
    x, z = (trends.of("op", "axis_load_ratio", channel) for channel in ("x_load", "z_load"))
    assert x is not None
    assert z is not None
    assert (len(x.points()[2]), len(z.points()[2])) == (1, 2)
    assert trends.of("op", "axis_load_ratio") is None
    trends.forget(["op"])
    assert trends.of("op", "axis_load_ratio", "z_load") is None
