"""Equal readings of a device that updates slowly: which are new."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Quality
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.polled import PolledSource, update_of
from drivers.repeats import Repeats


def marked(repeats: Repeats, readings: list[tuple[float, float, Quality]]) -> list[Quality]:
    """What becomes of (time, value, quality) of one channel."""
    out = []
    for time, value, quality in readings:
        values, marks = np.array([value]), np.array([quality], dtype=np.uint8)
        repeats.mark(values, marks, time)
        out.append(Quality(marks[0]))
        assert math.isnan(values[0]) == (marks[0] >= Quality.BAD or math.isnan(value))
    return out


GOOD, ABSENT, BAD = Quality.GOOD, Quality.ABSENT, Quality.BAD


def test_ten_looks_at_one_update_are_one_reading() -> None:
    looks = [(i / 10, float(i // 10), GOOD) for i in range(40)]
    assert marked(Repeats([1.0], [0.1]), looks) == ([GOOD] + [ABSENT] * 9) * 4


def test_a_value_that_stays_is_a_new_reading_each_time_the_device_must_have_updated() -> None:
    looks = [(i / 10, 5.0, GOOD) for i in range(40)]
    assert marked(Repeats([1.0], [0.1]), looks) == ([GOOD] + [ABSENT] * 9) * 4


def test_another_value_is_always_new() -> None:
    assert marked(Repeats([1.0], [0.1]), [(0.0, 1.0, GOOD), (0.1, 2.0, GOOD), (0.2, 1.0, GOOD), (0.3, 1.0, GOOD)]) == [GOOD] * 3 + [ABSENT]


def test_read_no_faster_than_it_updates_nothing_is_a_repeat() -> None:
    looks = [(0.97 * i, 5.0, GOOD) for i in range(9)]
    assert marked(Repeats([1.0], [1.0]), looks) == [GOOD] * 9
    assert marked(Repeats([0.0], [0.1]), [(i / 10, 5.0, GOOD) for i in range(9)]) == [GOOD] * 9


def test_bad_is_never_a_repeat_and_what_follows_is_new() -> None:
    looks = [(0.0, 5.0, GOOD), (0.1, math.nan, BAD), (0.2, math.nan, BAD), (0.3, 5.0, GOOD), (0.4, 5.0, GOOD)]
    assert marked(Repeats([1.0], [0.1]), looks) == [GOOD, BAD, BAD, GOOD, ABSENT]


def test_after_a_loss_or_a_clock_set_back_a_reading_is_new() -> None:
    repeats = Repeats([1.0], [0.1])
    assert marked(repeats, [(100.0, 5.0, GOOD), (100.1, 5.0, GOOD)]) == [GOOD, ABSENT]
    repeats.forget()
    assert marked(repeats, [(100.2, 5.0, GOOD), (50.0, 5.0, GOOD)]) == [GOOD, GOOD]


def test_no_word_is_a_value_too() -> None:
    assert marked(Repeats([1.0], [0.1]), [(0.0, math.nan, GOOD), (0.1, math.nan, GOOD), (0.2, -1.0, GOOD)]) == [GOOD, ABSENT, GOOD]


@given(st.floats(0.3, 2.0), st.floats(0.02, 0.25), st.lists(st.integers(0, 3), min_size=2, max_size=8), st.floats(0.0, 1.0), st.integers())
def test_every_change_is_kept_and_equal_readings_are_an_update_apart(
    update: float, every: float, values: list[int], phase: float, seed: int
) -> None:
    """A device that says `values` one after another, looked at with jitter from a random phase of its update on."""
    draw, repeats = random.Random(seed), Repeats([update], [every])
    times = [(i + draw.uniform(0.0, 0.4)) * every for i in range(int((len(values) - 1) * update / every))]
    looks = [(time, float(values[int(time / update + phase)]), GOOD) for time in times if time / update + phase < len(values)]
    marks = marked(repeats, looks)
    kept = [(time, value) for (time, value, _), mark in zip(looks, marks, strict=True) if mark == GOOD]
    for i, ((_, before, _), (_, value, _)) in enumerate(pairwise(looks), 1):
        assert value == before or marks[i] == GOOD
    for (before, old), (time, value) in pairwise(kept):
        assert value != old or time - before >= update - every / 2 or every >= update


DEVICE = DeviceMap(name="m", update=1.0, registers=(Register(name="a"), Register(name="b", address=1, update=0.2)))


@pytest.mark.parametrize(
    ("options", "device", "updates"),
    [
        ({}, DEVICE, (1.0, 0.2)),
        ({"update": 0.5}, DEVICE, (0.5, 0.5)),
        ({"update": 0.0}, DEVICE, (0.0, 0.0)),
        ({}, DeviceMap(name="m", update=1.0, update_verified=False, registers=DEVICE.registers), (0.0, 0.0)),
    ],
)
def test_whose_word_counts(options: dict[str, float], device: DeviceMap, updates: tuple[float, float]) -> None:
    source = SourceOptions(name="s", bus="b", device="m", **options)  # type: ignore[arg-type]
    assert tuple(update_of(source, device, register) for register in device.registers) == updates


def polled(*every: float | None, base: float = 0.1) -> PolledSource:
    registers = tuple(Register(name=f"r{i}", address=100 * i) for i in range(len(every)))
    routes = [ChannelRoute(channel=f"r{i}", source="s", register=f"r{i}", every=e) for i, e in enumerate(every)]
    source = SourceOptions(name="s", bus="b", device="m", every=base)
    return PolledSource(source, BusOptions(name="b", framing="rtu", port="x"), DeviceMap(name="m", registers=registers), routes)


def test_each_period_has_its_own_grid_and_the_tighter_deadline_goes_first() -> None:
    source = polled(None, 1.0)
    source.begin(0.0)
    asked: list[tuple[float, int]] = []
    now = 0.0
    while now < 2.05:
        (slot,) = source.take(now)
        asked.append((round(now, 3), slot.request.address))
        source.advance(now)
        now = max(now, source.due)
    slow = [time for time, address in asked if address == 100]
    assert slow == [0.0, 1.0, 2.0]
    assert [time for time, address in asked if address == 0] == pytest.approx([i / 10 for i in range(21)])
    assert [address for time, address in asked if time == 1.0] == [0, 100], "the fast one is never held up by the slow one"
    assert source.missed == 0


def test_missed_periods_are_those_of_each_grid() -> None:
    source = polled(None, 1.0, base=0.125)
    source.begin(0.0)
    for _ in range(2):
        source.take(0.0)
        source.advance(0.0)
    source.take(0.6875)
    source.advance(0.6875)
    assert (source.missed, source.due) == (4, 0.75)
    source.take(3.25)
    source.advance(3.25, everything=True)
    assert source.missed == 4 + 20 + 2


def test_a_device_that_may_be_back_is_asked_everything() -> None:
    source = polled(None, 1.0)
    source.begin(0.0)
    source.take(0.0)
    source.advance(0.0, everything=True)
    assert len(source.take(0.05)) == 2


def test_after_a_loss_all_is_asked_but_what_is_refused_keeps_its_rest() -> None:
    source = polled(None, 60.0, 60.0)
    source.begin(0.0)
    for _ in range(2):
        source.take(0.0)
        source.advance(0.0)
    refused = source.slots[2]
    refused.unread, refused.rest_until = Quality.UNAVAILABLE, 70.0
    assert [slot.request.address for slot in source.take(5.0)] == [0]
    source.forget()
    asked = source.take(5.0)
    assert [slot.request.address for slot in asked] == [0, 100]
    asked[0].owed = False
    source.retry(asked[1], 5.0)
    source.advance(5.0)
    assert [slot.request.address for slot in source.take(6.0)] == [0], "not answered: again soon, but not at once"
    assert [slot.request.address for slot in source.take(15.0)] == [0, 100]
    asked[1].owed = False
    source.advance(15.0)
    assert [slot.request.address for slot in source.take(16.0)] == [0], "then on its own period"
