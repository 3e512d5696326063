"""From bytes to blocks: nothing lost without being counted, and times that do not jump."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers import frames
from drivers.model import Quality, Waveform
from drivers.options import ChannelRoute, DeviceMap
from drivers.stream import Block, SampleClock, StreamParser, WaveDecoder, block_length, encode_frame

RATE = 6667.0
COUNT = 41
SIZE = block_length(RATE)


def counting(n: int) -> NDArray[np.int16]:
    """Three axes that tell the number of the sample."""
    i = np.arange(n)
    return np.stack((i & 0x7FFF, i >> 15, -(i & 0x7FFF)), axis=1).astype(np.int16)


def number(sample: NDArray[np.int16]) -> int:
    return int(sample[0]) + (int(sample[1]) << 15)


def send(n_frames: int) -> list[bytes]:
    samples = counting(n_frames * COUNT)
    return [encode_frame(i, samples[i * COUNT : (i + 1) * COUNT]) for i in range(n_frames)]


def reads(frames_: list[bytes], per_read: int = 3) -> list[tuple[bytes, float]]:
    """Bytes as they arrive, each as soon as its last sample is taken."""
    return [(b"".join(frames_[i : i + per_read]), 1000.0 + (i + per_read) * COUNT / RATE) for i in range(0, len(frames_), per_read)]


def feed(parser: StreamParser, arrivals: list[tuple[bytes, float]]) -> list[Block]:
    return [block for data, arrival in arrivals for block in parser.feed(data, arrival)]


@pytest.mark.parametrize(("rate", "length"), [(6667.0, 4096), (26700.0, 16384), (3200.0, 2048), (100.0, 64), (1.0, 1), (4096.0, 2048)])
def test_a_block_takes_four_periods_of_10_hz_and_no_more_than_twice_that(rate: float, length: int) -> None:
    assert block_length(rate) == length
    assert rate < 4 or 0.4 <= length / rate < 0.8


def test_nothing_is_lost_of_a_sound_stream() -> None:
    parser = StreamParser(3, RATE, frames)
    blocks = feed(parser, reads(send(600)))
    joined = np.concatenate([b.samples for b in blocks])
    assert len(blocks) == 600 * COUNT // SIZE
    assert (joined == counting(len(joined))).all()
    assert [b.lost for b in blocks] == [0] * len(blocks)
    assert (parser.frames, parser.refused, parser.lost, parser.dropped) == (600, 0, 0, 0)
    for a, b in pairwise(blocks):
        assert b.start - a.start == pytest.approx(SIZE / RATE, rel=1e-3)
    assert blocks[0].start == pytest.approx(1000.0, abs=0.01)


def test_what_is_lost_is_counted_and_blocks_have_no_gap_inside() -> None:
    draw = random.Random(3)
    sent = send(3000)
    damaged = [frame if draw.random() > 0.01 else draw.choice((b"", frame[:-7], bytes(len(frame)))) for frame in sent]
    damaged[-1] = sent[-1]
    parser = StreamParser(3, RATE, frames)
    blocks = feed(parser, reads(damaged))
    assert parser.frames * COUNT + parser.lost == 3000 * COUNT
    first = number(blocks[0].samples[0])
    expected = first
    for block in blocks:
        expected += block.lost if block is not blocks[0] else 0
        assert number(block.samples[0]) == expected
        assert (block.samples == counting(expected + SIZE)[expected:]).all()
        expected += SIZE
    assert sum(b.lost for b in blocks[1:]) > 0


def test_repeated_frames_are_dropped() -> None:
    sent = send(200)
    twice = [frame for i in range(0, 200, 8) for frame in (*sent[i : i + 8], *sent[i : i + 8])]
    parser = StreamParser(3, RATE, frames)
    blocks = feed(parser, [(b"".join(twice), 1010.0)])
    assert parser.duplicates == 200
    assert (np.concatenate([b.samples for b in blocks]) == counting(SIZE * len(blocks))).all()


def test_a_device_that_starts_anew_is_told_by_the_clock() -> None:
    parser = StreamParser(3, RATE, frames)
    sent = send(200)
    arrivals = reads(sent[150:180])
    feed(parser, arrivals)
    restarted = [(data, arrival + 20.0) for data, arrival in reads(sent[:100])]
    blocks = feed(parser, restarted)
    assert parser.restarts == 1
    assert parser.lost == pytest.approx((20.0 - 30 * COUNT / RATE) * RATE, abs=3 * COUNT)
    assert blocks[0].lost == parser.lost + parser.dropped


def test_a_silence_in_which_the_sequence_went_round_is_told_by_the_clock() -> None:
    parser = StreamParser(3, RATE, frames)
    sent = send(20)
    feed(parser, reads(sent[:10]))
    turn = 65536 * COUNT
    late = 1000.0 + (20 * COUNT + turn) / RATE
    parser.feed(b"".join(sent[15:20]), late)
    assert parser.lost == 5 * COUNT + turn


def test_a_gap_in_the_very_first_read_is_no_wrapped_sequence() -> None:
    parser = StreamParser(3, RATE, frames)
    sent = send(20)
    parser.feed(b"".join(sent[:5] + sent[8:]), 1.8e9)
    assert parser.lost == 3 * COUNT


def test_rubbish_without_end_does_not_pile_up() -> None:
    parser = StreamParser(3, RATE, frames)
    for _ in range(50):
        assert parser.feed(b"\x37" * 4096, 1.0) == []
    assert len(parser._tail) <= 1024
    assert parser.feed(b"\0" + send(1)[0], 1.0) == []
    assert (parser.frames, parser.refused) == (1, 1)


@pytest.mark.parametrize("off", [-0.04, -0.001, 0.0, 0.002, 0.05])
def test_the_clock_follows_a_sensor_whose_rate_is_off(off: float) -> None:
    draw = random.Random(1)
    clock = SampleClock(RATE)
    length = SIZE / RATE / (1 + off)
    errors, starts = [], []
    for i in range(250):
        start = clock.start(SIZE, 500.0 + (i + 1) * length + draw.uniform(0, 0.02))
        starts.append(start)
        errors.append(start - (500.0 + i * length))
    assert max(abs(e) for e in errors[50:]) < 0.03, "about as good as the jitter of the arrival"
    steps = [b - a for a, b in pairwise(starts[70:])]
    assert max(steps) - min(steps) < 0.006, "smooth"


def test_the_clock_starts_anew_when_it_is_a_block_off() -> None:
    clock = SampleClock(RATE)
    for i in range(10):
        clock.start(SIZE, 10.0 + (i + 1) * SIZE / RATE)
    assert clock.start(SIZE, 99.0) == pytest.approx(99.0 - SIZE / RATE)


def test_waveforms_for_each_route() -> None:
    device = DeviceMap(name="v", kind="vibration", rate=RATE, axes=3, scale=0.00025, unit="g")
    routes = [ChannelRoute(channel=c, source="vib", register=r) for c, r in (("all", "xyz"), ("only_y", "y"))]
    decoder = WaveDecoder("vib", device, routes, frames)
    out = [wave for data, arrival in reads(send(120)) for wave in decoder.feed(data, arrival)]
    assert [type(w) for w in out] == [Waveform, Waveform]
    both = [w for w in out if isinstance(w, Waveform)]
    assert [(w.source, w.channel, w.rate, w.scale, w.unit, w.quality, w.lost) for w in both] == [
        ("vib", channel, RATE, 0.00025, "g", Quality.GOOD, 0) for channel in ("all", "only_y")
    ]
    assert both[0].samples.shape == (SIZE, 3)
    assert (both[1].samples[:, 0] == both[0].samples[:, 1]).all()
    assert both[1].samples.flags.c_contiguous
