"""What benchmarks/stream.py shows of an hour, of half a minute: nothing is lost without being counted, whatever is done to the bytes."""

from __future__ import annotations

import pytest

from benchmarks import stream
from drivers import frames
from drivers.stream import StreamParser, encode_frame

FRAMES = round(30 * stream.RATE / stream.COUNT)


@pytest.mark.parametrize("seed", [2, 3])
def test_samples_lost_equal_those_counted(seed: int) -> None:
    done = stream.drive(FRAMES, seed)
    assert done.parser.lost == stream.COUNT * done.line.lost
    assert (done.parser.frames, done.parser.duplicates) == (done.line.whole, done.line.repeated)
    assert done.wrong == 0
    assert done.counted
    assert done.blocks > 10
    assert all(done.line.done[kind] for kind in stream.DAMAGE), "every kind of damage was there"


def test_a_much_worse_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "DAMAGE", dict.fromkeys(stream.DAMAGE, 0.1))
    done = stream.drive(4000, 5)
    assert done.counted
    assert done.line.lost > 1000


@pytest.mark.parametrize("off", [-1, 1])
def test_a_miscount_would_be_seen(off: int) -> None:
    class Miscounts(StreamParser):
        def cut(self) -> None:
            self.lost += off

    parser = Miscounts(stream.AXES, stream.RATE, frames)
    parser.cut()
    assert not stream.drive(500, 1, parser).counted


def test_the_peers_read_the_same_samples() -> None:
    """The plain loops that ours is measured against do the same work."""
    samples = stream.signal(7, 10 * stream.COUNT)
    sent = [encode_frame(i, samples[i * stream.COUNT : (i + 1) * stream.COUNT]) for i in range(10)]
    sent[4] = sent[4][:20] + b"\x07" + sent[4][21:]
    expected = [tuple(samples[i * stream.COUNT : (i + 1) * stream.COUNT].ravel().tolist()) for i in range(10) if i != 4]
    assert stream.plain_cobs(b"".join(sent)) == stream.helped_cobs(b"".join(sent)) == expected
    assert len(stream.plain_wit(stream.classic(9) + b"\x55" + stream.plain_frames(3))) == 12
