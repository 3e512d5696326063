"""The WIT 55 61 frame: nothing in it is proven, so only the plausible passes, and damage costs as little as can be."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers import frames
from drivers.devices import load_map
from drivers.model import Quality, Readings
from drivers.options import ChannelRoute, DeviceMap, Register
from drivers.wit import _LIMITS, WitDecoder, WitParser

Words = tuple[int, ...]
MAP = load_map(Path(__file__).parents[2] / "config" / "devices" / "wit_5561.toml")
USUAL: Words = (3, 2, 7, 100, -200, 16384, 2534, 12, 9, 31, 49, 98, 147)


def frame(words: Words = USUAL, unused: bytes = b"\0\0\0\0") -> bytes:
    return b"\x55\x61" + struct.pack("<13h", *words) + unused


def plausible(words: Words) -> bool:
    return all(low <= word <= high for word, (low, high) in zip(words, _LIMITS, strict=True))


def naive(data: bytes, quiet: bool) -> tuple[list[Words], int]:
    """Frames that begin with 55 61, are followed by another beginning or by silence, and hold nothing absurd; bytes done with."""
    found: list[Words] = []
    at = 0
    while len(data) - at >= 2:
        if data[at : at + 2] == b"\x55\x61":
            ends = quiet and len(data) - at == 32
            if len(data) - at < 34 and not ends:
                return found, at
            words = struct.unpack_from("<13h", data, at + 2)
            if (ends or data[at + 32 : at + 34] in {b"\x55\x61", b"\x55\x71"}) and plausible(words):
                found.append(words)
                at += 32
                continue
        at += 1
    return found, at


def parse(data: bytes) -> list[Words]:
    return [tuple(int(w) for w in row) for row in WitParser(frames).feed(data)]


words = st.tuples(*(st.integers(low, high) for low, high in _LIMITS))
pieces = st.one_of(
    words.map(frame),
    st.tuples(st.integers(-32768, 32767), words).map(lambda p: frame((p[0], *p[1][1:]))),
    st.binary(max_size=50),
    st.just(b"\x55\x71" + bytes(18)),
    st.just(b"\x55\x61"),
    st.just(b"\x55"),
)


@given(st.lists(pieces, max_size=20).map(b"".join), st.booleans())
@example(b"", True)
@example(b"\x55", True)
@example(frame(), False)
@example(frame(), True)
@example(frame() + b"\x55", True)
@example(b"\x55\x61" * 400, False)
def test_against_the_twin(data: bytes, quiet: bool) -> None:
    parser = WitParser(frames)
    got = [tuple(int(w) for w in row) for row in parser.feed(data, quiet)]
    found, done = naive(data, quiet)
    assert got == found
    assert parser._tail == data[done:]


@given(st.lists(words, min_size=1, max_size=30))
def test_sound_frames_come_out_once_the_next_one_begins(sent: list[Words]) -> None:
    assert parse(b"".join(frame(w) for w in sent) + b"\x55\x61") == sent
    assert parse(b"".join(frame(w) for w in sent)) == sent[:-1]


@given(st.lists(words, min_size=1, max_size=20), st.lists(st.integers(0, 700), max_size=20))
def test_reads_may_split_and_merge_frames_anywhere(sent: list[Words], cuts: list[int]) -> None:
    data = b"".join(frame(w) for w in sent) + b"\x55\x61"
    parser = WitParser(frames)
    got: list[Words] = []
    for a, b in pairwise(sorted({0, len(data), *(c for c in cuts if c < len(data))})):
        got += [tuple(int(w) for w in row) for row in parser.feed(data[a:b])]
    assert got == sent


@given(st.lists(words, min_size=4, max_size=20), st.integers(0, 31), st.integers(1, 31), st.data())
def test_a_cut_costs_the_frame_that_it_hits_and_at_most_its_neighbours(sent: list[Words], at: int, gone: int, data: st.DataObject) -> None:
    hit = data.draw(st.integers(0, len(sent) - 1))
    parts = [frame(w) for w in sent]
    parts[hit] = parts[hit][:at] + parts[hit][at + gone :]
    got = parse(b"".join(parts) + b"\x55\x61")
    before = max(0, hit - 1)  # without the header behind it, a frame is not believed
    assert got[:before] == sent[:before]
    rest = sent[hit + 1 :]
    assert got[len(got) - len(rest) + 1 :] == rest[1:] if rest else True


@given(st.binary(max_size=100), st.lists(words, min_size=3, max_size=6))
def test_behind_rubbish_at_most_one_frame_is_missed(rubbish: bytes, sent: list[Words]) -> None:
    got = parse(rubbish + b"".join(frame(w) for w in sent) + b"\x55\x61")
    assert got[len(got) - len(sent) + 1 :] == sent[1:]


@pytest.mark.parametrize("place", [*range(3), 6, *range(7, 13)])
@pytest.mark.parametrize("side", [0, 1])
def test_what_cannot_be_is_refused_and_the_next_frame_comes_out(place: int, side: int) -> None:
    absurd = list(USUAL)
    absurd[place] = _LIMITS[place][side] + (-1, 1)[side]
    parser = WitParser(frames)
    got = parser.feed(frame(tuple(absurd)) + frame() + b"\x55\x61")
    assert [tuple(row) for row in got.tolist()] == [USUAL]
    assert (parser.frames, parser.refused) == (1, 1)


def test_a_sensor_that_pauses_between_frames_is_not_kept_waiting() -> None:
    parser = WitParser(frames)
    assert len(parser.feed(frame(), quiet=True)) == 1
    assert len(parser.feed(frame()[:-1], quiet=True)) == 0
    assert len(parser.feed(frame(), quiet=True)) == 1, "one byte was lost: its neighbour is not"


def test_register_replies_between_frames_are_passed_over() -> None:
    assert parse(frame() + b"\x55\x71" + bytes(18) + frame() + b"\x55\x61") == [USUAL, USUAL]


def decoder(*routes: tuple[str, str], device: DeviceMap = MAP) -> WitDecoder:
    return WitDecoder("sensor", device, [ChannelRoute(channel=c, source="sensor", register=r) for c, r in routes], frames)


def test_rows_carry_the_routed_channels_scaled_and_uncertain() -> None:
    every = [(register.name, register.name) for register in MAP.registers]
    (readings,) = decoder(*every).feed(frame() + frame() + b"\x55\x61", 50.0)
    assert isinstance(readings, Readings)
    assert readings.channels == tuple(name for name, _ in every)
    assert readings.values.shape == (2, 13)
    assert readings.values[0].tolist() == pytest.approx(
        [3, 2, 7, 100 * 180 / 32768, -200 * 180 / 32768, 90.0, 25.34, 12, 9, 31, 49, 98, 147]
    )
    assert set(readings.quality.ravel().tolist()) == {Quality.UNCERTAIN}
    assert readings.time[0] < readings.time[1] == 50.0


def test_a_map_may_be_stricter_than_the_frame() -> None:
    device = DeviceMap(name="s", registers=(Register(name="t", address=14, type="i16", scale=0.01, max=20.0),))
    (readings,) = decoder(("temp", "t"), device=device).feed(frame() + b"\x55\x61", 50.0)
    assert isinstance(readings, Readings)
    assert readings.quality.tolist() == [[Quality.BAD]]
    assert np.isnan(readings.values).all()


def test_rows_ascend_over_reads() -> None:
    sensor = decoder(("v", "vx"))
    times: list[float] = []
    for arrival in (10.0, 10.0005, 10.001):
        for readings in sensor.feed((frame() * 5), arrival):
            assert isinstance(readings, Readings)
            times += readings.time.tolist()
    assert times == sorted(times)
    assert len(times) == 15


@pytest.mark.parametrize(
    "register", [Register(name="r", address=1), Register(name="r", address=28), Register(name="r", address=2, type="u32")]
)
def test_a_register_that_is_no_field_of_the_frame(register: Register) -> None:
    with pytest.raises(ValueError, match="no field"):
        decoder(("c", "r"), device=DeviceMap(name="s", registers=(register,)))


def test_numbers_of_the_kernel_and_of_the_room_are_the_same() -> None:
    from drivers import wit

    assert (wit.FRAME, wit.WORDS) == (frames.WIT_FRAME, frames.WIT_WORDS)
