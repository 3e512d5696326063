"""The reference sender of docs/examples says what docs/stream-frame.md says: it is read by the parser, byte for byte like our own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import frames
from drivers.stream import StreamParser, encode_frame, most_samples
from tests.support.house import ROOT

FILE = ROOT / "docs" / "examples" / "stream_sender.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stream_sender", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SENDER = load()


def test_the_check_value_of_the_checksum() -> None:
    assert SENDER.crc16(b"123456789") == 0x29B1


@given(st.integers(1, 4), st.integers(0, 70000), st.integers(0, 2**32 - 1), st.data())
def test_it_sends_the_bytes_of_our_own_encoder(axes: int, sequence: int, seed: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, most_samples(axes)))
    random = np.random.default_rng(seed)
    samples = random.choice(np.array([-32768, 32767, 0, 0, -1, 255, 256, 7], np.int16), (count, axes))
    sender = SENDER.Sender(axes, count)
    sender.sequence = sequence & 0xFFFF
    sent = b"".join(sender.sample(*row) for row in samples.tolist())
    assert sent == encode_frame(sequence, samples)
    assert sender.sequence == (sequence + 1) & 0xFFFF


def test_a_frame_has_its_limits() -> None:
    with pytest.raises(ValueError, match="1 to 41"):
        SENDER.Sender(3, 42)
    assert (SENDER.Sender(3).count, SENDER.Sender(1).count) == (41, 123)


def test_what_the_sensor_itself_lost_is_counted() -> None:
    sender, parser = SENDER.Sender(3), StreamParser(3, 26700.0, frames)
    for n in range(41 * 20):
        if n == 41 * 10 + 5:
            sender.missed(3)
        parser.feed(sender.sample(n, 0, -n), 100.0)
    assert parser.frames == 19, "five samples were thrown away with the FIFO, and 36 are still waiting"
    assert parser.lost == 3 * 41


def test_as_a_program(tmp_path_factory: pytest.TempPathFactory) -> None:
    done = subprocess.run(
        [sys.executable, str(FILE), "-", "--rate", "200000", "--seconds", "0.05"], capture_output=True, timeout=60, check=True
    )
    parser = StreamParser(3, 2000.0, frames)
    (block, *more) = parser.feed(done.stdout, 50.0)
    assert (parser.frames, parser.refused, parser.lost) == (10_000 // 41, 0, 0)
    joined = np.concatenate([block.samples, *(b.samples for b in more)])
    expected = [round(1000.0 * np.sin(2 * np.pi * 160.0 * n / 200_000 + axis)) for n in range(len(joined)) for axis in range(3)]
    assert joined.ravel().tolist() == expected
