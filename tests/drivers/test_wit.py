"""The WIT 55 61 frame: nothing in it is proven, so only the plausible passes, and damage costs as little as can be."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from drivers import frames
from drivers.devices import load_map
from drivers.model import Quality, Readings
from drivers.options import ChannelRoute, DeviceMap, Register
from drivers.wit import _LIMITS, WitDecoder, WitParser, place_of

Words = tuple[int, ...]
Frame = tuple[int, Words]
DEVICES = Path(__file__).parents[2] / "config" / "devices"
MAP = load_map(DEVICES / "wit_5561.toml")
CLASSIC_MAP = load_map(DEVICES / "wit_classic.toml")
USUAL: Words = (3, 2, 7, 100, -200, 16384, 2534, 12, 9, 31, 49, 98, 147)


def frame(words: Words = USUAL, unused: bytes = b"\0\0\0\0") -> bytes:
    return b"\x55\x61" + struct.pack("<13h", *words) + unused


def classic(kind: int = 0x51, words: Words = (100, -200, 2048, 2534)) -> bytes:
    body = bytes((0x55, kind)) + struct.pack("<4h", *words)
    return body + bytes((sum(body) % 256,))


def encoded(sent: Frame) -> bytes:
    return frame(sent[1]) if sent[0] == 0x61 else classic(*sent)


def plausible(words: Words) -> bool:
    return all(low <= word <= high for word, (low, high) in zip(words, _LIMITS, strict=True))


HEADS = {b"\x55" + bytes((kind,)) for kind in (*range(0x50, 0x5B), 0x61, 0x71)}


def naive(data: bytes, quiet: bool, in_step: bool = False) -> tuple[list[Frame], int]:
    """Frames that hold nothing absurd or whose sum is right, and that are followed by another beginning or by silence (a classic one
    right behind a good frame need not be); bytes done with."""
    found: list[Frame] = []
    at = 0
    while len(data) - at >= 2:
        head = data[at : at + 2]
        if head not in HEADS or head == b"\x55\x71":
            in_step, at = False, at + 1
            continue
        size = 32 if head == b"\x55\x61" else 11
        if len(data) - at < size:
            return found, at
        whole, behind = data[at : at + size], data[at + size : at + size + 2]
        if not (size == 11 and in_step) and not (quiet and not behind):
            if len(behind) < 2:
                return found, at
            followed = behind in HEADS
        else:
            followed = True
        words = struct.unpack_from("<13h" if size == 32 else "<4h", whole, 2)
        if followed and (plausible(words) if size == 32 else sum(whole[:10]) % 256 == whole[10]):
            found.append((head[1], words))
            in_step, at = True, at + size
        else:
            in_step, at = False, at + 1
    return found, at


def rows_of(parser: WitParser, data: bytes, quiet: bool = False) -> list[Frame]:
    rows = [tuple(int(w) for w in row) for row in parser.feed(data, quiet)]
    return [(row[-1], row[: 13 if row[-1] == 0x61 else 4]) for row in rows]


def parse(data: bytes) -> list[Words]:
    return [words for _, words in rows_of(WitParser(frames), data)]


words = st.tuples(*(st.integers(low, high) for low, high in _LIMITS))
four = st.tuples(*(st.integers(-32768, 32767) for _ in range(4)))
classics = st.tuples(st.integers(0x50, 0x5A), four)
mixed = st.one_of(classics, st.tuples(st.just(0x61), words))
pieces = st.one_of(
    words.map(frame),
    st.tuples(st.integers(-32768, 32767), words).map(lambda p: frame((p[0], *p[1][1:]))),
    classics.map(encoded),
    st.tuples(classics.map(encoded), st.integers(0, 87)).map(lambda p: flipped(*p)),
    st.binary(max_size=50),
    st.just(b"\x55\x71" + bytes(18)),
    st.just(b"\x55\x61"),
    st.just(b"\x55\x51"),
    st.just(b"\x55"),
)


def flipped(data: bytes, bit: int) -> bytes:
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


@given(st.lists(pieces, max_size=20).map(b"".join), st.booleans())
@example(b"", True)
@example(b"\x55", True)
@example(frame(), False)
@example(frame(), True)
@example(frame() + b"\x55", True)
@example(b"\x55\x61" * 400, False)
@example(classic(), False)
@example(classic(), True)
@example(classic() + classic(), False)
@example(classic()[1:] + classic() + frame() + classic()[:5], True)
@example(b"\x55\x51" * 3000, True)
def test_against_the_twin(data: bytes, quiet: bool) -> None:
    parser = WitParser(frames)
    got = rows_of(parser, data, quiet)
    found, done = naive(data, quiet)
    assert got == found
    assert parser._tail == data[done:]


@given(st.lists(mixed, min_size=1, max_size=40), st.lists(st.integers(0, 1200), max_size=20))
def test_both_kinds_on_one_line_split_and_merged_anywhere(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encoded(one) for one in sent) + b"\x55\x61"
    parser = WitParser(frames)
    got: list[Frame] = []
    for a, b in pairwise(sorted({0, len(data), *(c for c in cuts if c < len(data))})):
        got += rows_of(parser, data[a:b])
    assert got == sent
    assert (parser.frames, parser.refused) == (len(sent), 0)


@settings(max_examples=60)
@given(st.lists(classics, min_size=1, max_size=6), st.data())
def test_one_wrong_bit_in_a_classic_frame_never_gives_a_wrong_value(sent: list[Frame], data: st.DataObject) -> None:
    hit, bit = data.draw(st.integers(0, len(sent) - 1)), data.draw(st.integers(16, 87))
    parts = [encoded(one) for one in sent]
    parts[hit] = flipped(parts[hit], bit)
    # With a header inside the words, a part of the frame can pass as one by its sum; nothing of that kind is drawn here.
    assume(b"\x55" not in b"".join(part[1:] for part in parts))
    parser = WitParser(frames)
    got = rows_of(parser, b"".join(parts) + b"\x55\x51")
    assert got == [one for i, one in enumerate(sent) if i != hit]
    assert parser.refused == 1


@settings(max_examples=60)
@given(st.lists(classics, min_size=4, max_size=8), st.integers(0, 10), st.integers(1, 10), st.data())
def test_a_cut_costs_the_classic_frame_that_it_hits_and_at_most_its_neighbours(
    sent: list[Frame], at: int, gone: int, data: st.DataObject
) -> None:
    hit = data.draw(st.integers(0, len(sent) - 1))
    parts = [encoded(one) for one in sent]
    assume(b"\x55" not in b"".join(part[1:] for part in parts))
    parts[hit] = parts[hit][:at] + parts[hit][at + gone :]
    got = rows_of(WitParser(frames), b"".join(parts) + b"\x55\x51")
    before = max(0, hit - 1)  # the first one of all is not believed without a header behind it
    assert got[:before] == sent[:before]
    rest = sent[hit + 1 :]
    assert got[len(got) - len(rest) + 1 :] == rest[1:] if rest else True


def test_golden_classic_frames() -> None:
    """Worked out by hand from the formulas of the WT901 datasheet v20-0702, 5.1.2 to 5.1.7; no capture of a real one was to be had."""
    line = bytes.fromhex(
        "5551 0004 00f8 0000 c409 6f 5552 6606 0000 9af9 c409 73 5553 0020 00e0 0040 5110 49 5556 cd8b0100 e8030000 ef".replace(" ", "")
    )
    (readings,) = decoder(
        *((name, name) for name in ("ax", "ay", "az", "temperature", "wx", "wz", "roll", "pitch", "yaw", "pressure", "height")),
        device=CLASSIC_MAP,
    ).feed(line, 9.0)
    assert isinstance(readings, Readings)
    assert readings.values.tolist() == [
        pytest.approx([0.5, -1.0, 0.0, 25.0, 1638 / 32768 * 2000, -1638 / 32768 * 2000, 45.0, -45.0, 90.0, 101325.0, 10.0])
    ]
    assert set(readings.quality.ravel().tolist()) == {Quality.GOOD}


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
        got += [words for _, words in rows_of(parser, data[a:b])]
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
    assert rows_of(parser, frame(tuple(absurd)) + frame() + b"\x55\x61") == [(0x61, USUAL)]
    assert (parser.frames, parser.refused) == (1, 1)


def test_a_sensor_that_pauses_between_frames_is_not_kept_waiting() -> None:
    parser = WitParser(frames)
    assert len(rows_of(parser, frame(), quiet=True)) == 1
    assert len(rows_of(parser, frame()[:-1], quiet=True)) == 0
    assert len(rows_of(parser, frame(), quiet=True)) == 1, "one byte was lost: its neighbour is not"


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
    "register",
    [
        Register(name="r", address=1),
        Register(name="r", address=28),
        Register(name="r", address=26, type="u32"),
        Register(name="r", address=2, type="f32"),
        Register(name="r", address=0x4F2),
        Register(name="r", address=0x5B2),
        Register(name="r", address=0x513),
        Register(name="r", address=0x510),
        Register(name="r", address=0x51A),
        Register(name="r", address=0x518, type="i32"),
    ],
)
def test_a_register_that_is_no_field_of_the_frame(register: Register) -> None:
    with pytest.raises(ValueError, match="no field"):
        decoder(("c", "r"), device=DeviceMap(name="s", registers=(register,)))


def test_numbers_of_the_kernel_and_of_the_room_are_the_same() -> None:
    from drivers import wit

    assert (wit.FRAME, wit.WORDS) == (frames.WIT_FRAME, frames.WIT_WORDS)
    assert (wit.CLASSIC_FRAME, wit.CLASSIC_WORDS) == (frames.WIT_CLASSIC, frames.WIT_CLASSIC_WORDS)


@pytest.mark.parametrize("device", [MAP, CLASSIC_MAP])
def test_every_register_of_the_maps_is_a_field(device: DeviceMap) -> None:
    assert [register.name for register in device.registers if place_of(register) is None] == []
    assert all(register.verified and register.source for register in device.registers)


def test_a_row_takes_one_frame_of_each_kind_and_says_what_is_absent() -> None:
    device = DeviceMap(name="s", registers=(*CLASSIC_MAP.registers, *MAP.registers[:1]))
    sensor = decoder(("a", "ax"), ("w", "wx"), ("v", "vx"), device=device)
    line = classic(0x51, (1, 0, 0, 0)) + classic(0x52, (2, 0, 0, 0)) + classic(0x53) + frame() + classic(0x51, (3, 0, 0, 0)) + classic(0x5A)
    (readings,) = sensor.feed(line, 4.0)
    assert isinstance(readings, Readings)
    assert readings.quality.tolist() == [[Quality.GOOD, Quality.GOOD, Quality.UNCERTAIN], [Quality.GOOD, Quality.ABSENT, Quality.ABSENT]]
    assert readings.values[0].tolist() == pytest.approx([16 / 32768, 2 * 2000 / 32768, 3])
    assert np.isnan(readings.values[1, 1:]).all()
    assert sensor.feed(classic(0x54), 5.0) == [], "nobody asked for it"
    assert sensor.counts() == (7, 0, 0)


def test_a_line_that_was_closed_begins_out_of_step() -> None:
    parser = WitParser(frames)
    assert len(rows_of(parser, classic() + classic()[:6], quiet=True)) == 1
    parser.cut()
    assert rows_of(parser, classic()[6:] + classic() + classic(), quiet=True) == [(0x51, (100, -200, 2048, 2534))] * 2
