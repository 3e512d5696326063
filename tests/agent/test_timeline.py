"""Order, lateness, holding and words of the timeline, against a slow twin."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settings import ChannelOptions
from agent.timeline import Rows, Timeline
from drivers.model import Quality, Readings, Waveform, word_of

CHANNELS = tuple(ChannelOptions(name=name, role="other") for name in ("a", "b", "c"))
HOLDS = (1.0, 2.0, math.inf)


def block(source: str, channels: tuple[str, ...], rows: list[tuple[float, ...]], quality: int = 0, words: tuple[str, ...] = ()) -> Readings:
    """Rows of (time, value, ...)."""
    data = np.array(rows, dtype=float)
    return Readings(source, channels, data[:, 0], data[:, 1:], np.full(data[:, 1:].shape, quality, dtype=np.uint8), words)


def taken(timeline: Timeline, now: float | None = None, *, end: bool = False) -> list[Rows | Waveform]:
    """What is released."""
    return list(timeline.release(now, all_of_it=end))


def times(items: list[Rows | Waveform]) -> list[float]:
    """Of all rows."""
    return [float(t) for item in items if isinstance(item, Rows) for t in item.time]


def test_rows_of_two_sources_are_merged_in_the_order_of_their_time() -> None:
    timeline = Timeline(CHANNELS, 0.5, HOLDS)
    timeline.push(block("x", ("a",), [(1.0, 1.0), (1.2, 2.0), (1.4, 3.0)]))
    timeline.push(block("y", ("b",), [(1.1, 10.0), (1.3, 20.0), (3.0, 30.0)]))
    items = taken(timeline)
    assert times(items) == [1.0, 1.1, 1.2, 1.3, 1.4]
    values = np.vstack([item.values for item in items if isinstance(item, Rows)])
    assert values[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 3.0]
    assert math.isnan(values[0, 1])
    assert values[1:, 1].tolist() == [10.0, 10.0, 20.0, 20.0]


def test_nothing_is_released_before_its_lateness_has_passed() -> None:
    timeline = Timeline(CHANNELS, 0.5, HOLDS)
    timeline.push(block("x", ("a",), [(1.0, 1.0)]))
    assert times(taken(timeline)) == []
    assert times(taken(timeline, now=1.4)) == []
    assert times(taken(timeline, now=1.6)) == [1.0]


def test_a_row_that_comes_too_late_is_refused_and_counted() -> None:
    timeline = Timeline(CHANNELS, 0.5, HOLDS)
    timeline.push(block("x", ("a",), [(5.0, 1.0)]))
    taken(timeline, now=6.0)
    timeline.push(block("y", ("b",), [(4.0, 2.0)]))
    assert timeline.refused == 1
    assert times(taken(timeline, end=True)) == []


def test_a_value_stands_for_as_long_as_it_may_and_is_unavailable_then() -> None:
    timeline = Timeline(CHANNELS, 0.0, HOLDS)
    timeline.push(block("x", ("a", "b", "c"), [(0.0, 1.0, 2.0, 3.0)]))
    timeline.push(block("y", ("b",), [(0.9, 4.0), (1.5, 5.0), (9.0, 6.0)]))
    (rows,) = [item for item in taken(timeline, end=True) if isinstance(item, Rows)]
    assert rows.quality[:, 0].tolist() == [0, 0, Quality.UNAVAILABLE, Quality.UNAVAILABLE]
    assert np.isnan(rows.values[2:, 0]).all()
    assert rows.values[:, 2].tolist() == [3.0] * 4
    latest = timeline.latest()
    latest.take(rows)
    assert latest.held("b", 10.0) == (6.0, 9.0, 0)
    assert latest.held("b", 11.5)[2] == Quality.UNAVAILABLE


def test_a_lost_source_is_lost_at_once() -> None:
    timeline = Timeline(CHANNELS, 0.0, HOLDS)
    timeline.push(block("x", ("c",), [(0.0, 1.0)]))
    timeline.push(block("x", ("c",), [(0.1, math.nan)], quality=Quality.UNAVAILABLE))
    (rows,) = [item for item in taken(timeline, end=True) if isinstance(item, Rows)]
    assert rows.quality[:, 2].tolist() == [0, Quality.UNAVAILABLE]


def test_words_of_different_sources_keep_their_text() -> None:
    timeline = Timeline(CHANNELS, 0.0, HOLDS)
    timeline.push(block("x", ("a",), [(0.0, -1.0)], words=("MANUAL",)))
    timeline.push(block("y", ("b",), [(0.1, -1.0), (0.2, -2.0), (0.3, 7.0), (0.4, -2.5)], words=("AUTOMATIC", "MANUAL")))
    (rows,) = [item for item in taken(timeline, end=True) if isinstance(item, Rows)]
    seen = timeline.words.seen()
    assert word_of(float(rows.values[0, 0]), seen) == "MANUAL"
    assert [word_of(float(v), seen) for v in rows.values[1:, 1]] == ["AUTOMATIC", "MANUAL", "7", "-2.5"]


def test_a_waveform_comes_after_the_rows_that_are_not_later_than_its_end() -> None:
    timeline = Timeline(CHANNELS, 0.0, HOLDS)
    timeline.push(block("x", ("a",), [(0.1 * i, i) for i in range(10)]))
    timeline.push(Waveform("v", "vibration", 0.2, 1000.0, np.zeros((300, 3), np.int16), 1.0, "g", Quality.GOOD, 0))
    order = [item if isinstance(item, Waveform) else len(item.time) for item in taken(timeline, end=True)]
    assert order[0] == 6
    assert isinstance(order[1], Waveform)
    assert order[2] == 4


def test_a_channel_that_the_machine_file_does_not_name_is_noted_and_left_out() -> None:
    timeline = Timeline(CHANNELS, 0.0, HOLDS)
    timeline.push(block("x", ("a", "strange"), [(0.0, 1.0, 2.0)]))
    assert timeline.unknown == {"strange"}
    assert times(taken(timeline, end=True)) == [0.0]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_how_rows_are_batched_does_not_matter(data: st.DataObject) -> None:
    sources = [("x", ("a",)), ("y", ("b", "c"))]
    blocks: list[tuple[float, Readings]] = []
    for name, channels in sources:
        steps = data.draw(st.lists(st.floats(0.02, 0.4), min_size=1, max_size=40))
        time = np.cumsum(steps)
        quality = np.array(data.draw(st.lists(st.sampled_from([0, 0, 0, 2, 3, 4]), min_size=len(time), max_size=len(time))), dtype=np.uint8)
        values = np.where(quality[:, None] > 1, np.nan, np.arange(len(time), dtype=float)[:, None]) + np.zeros((1, len(channels)))
        at = 0
        while at < len(time):
            n = data.draw(st.integers(1, 7))
            part = slice(at, at + n)
            marks = np.repeat(quality[part][:, None], len(channels), axis=1)
            blocks.append((float(time[part][-1]), Readings(name, channels, time[part], values[part], marks)))
            at += n
    blocks.sort(key=lambda item: item[0])
    live = Timeline(CHANNELS, 3.0, HOLDS)
    out: list[Rows] = []
    for _, readings in blocks:
        live.push(readings)
        out.extend(item for item in live.release(None) if isinstance(item, Rows))
    out.extend(item for item in live.release(None, all_of_it=True) if isinstance(item, Rows))
    whole = Timeline(CHANNELS, 3.0, HOLDS)
    for name, _ in sources:
        for _, readings in blocks:
            if readings.source == name:
                whole.push(readings)
    (rows,) = [item for item in whole.release(None, all_of_it=True) if isinstance(item, Rows)]
    assert live.refused == 0
    order = np.argsort(rows.time, kind="stable")
    assert np.array_equal(np.concatenate([item.time for item in out]), rows.time[order])
    if len(np.unique(rows.time)) == len(rows.time):
        assert np.array_equal(np.vstack([item.values for item in out]), rows.values, equal_nan=True)
        assert np.array_equal(np.vstack([item.quality for item in out]), rows.quality)
