"""One hour of raw vibration with a bad line in between, and how fast the parsers are beside a plain Python loop.

  python -m benchmarks.stream                   both
  python -m benchmarks.stream --seconds 60      less of the stream
  python -m benchmarks.stream --speed           the parsers only

The hour: 3 axes x int16 at 26.7 kHz, made and parsed in pieces of some seconds. Bits are flipped, frames cut, doubled, dropped, rubbish put
between them. Which frames can still be read is worked out from what was done to the bytes, not by a parser: one is whole if nobody touched
it and a 0x00 stands in front of it. Checked: samples lost, frames, repeated frames, and every sample of every block.
"""

from __future__ import annotations

import argparse
import binascii
import random
import statistics
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers import frames
from drivers.stream import Block, StreamParser, block_length, encode_frame, most_samples
from drivers.wit import WitParser

RATE = 26_700.0
AXES = 3
COUNT = most_samples(AXES)
PIECE = 8192
"""Frames made at once: 2 MB."""
READ = 2600
"""Bytes of a read: what gathers in 15 ms (drivers.serialport)."""
DAMAGE = {"flipped": 0.0004, "cut": 0.0003, "doubled": 0.0003, "rubbish": 0.0003, "dropped": 0.0003}
"""Share of the frames."""


def signal(first: int, n: int) -> NDArray[np.int16]:
    """Samples that tell their own number in x and y, and stir the bytes in z."""
    i = np.arange(first, first + n, dtype=np.int64)
    return np.stack((i & 0x7FFF, i >> 15, (i * 40_503) & 0xFFFF), axis=1).astype(np.uint16).view(np.int16)


def number(sample: NDArray[np.int16]) -> int:
    """Which sample of `signal` this is."""
    return int(sample[0]) + (int(sample[1]) << 15)


@dataclass
class BadLine:
    """Sends frames and damages some; knows which of them a receiver can still read."""

    seed: int
    whole: int = 0
    """Frames that can be read, repetitions not counted."""
    repeated: int = 0
    lost: int = 0
    """Frames that cannot."""
    done: Counter[str] = field(default_factory=Counter)
    _clean: bool = True

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._at = list(np.cumsum(list(DAMAGE.values())))

    def send(self, frame: bytes, sound: bool = False) -> bytes:
        """What of one frame goes over the line. `sound`: nothing happens to this one."""
        draw = self._draw
        at = 1.0 if sound else draw.random()
        kind = next((name for name, edge in zip(DAMAGE, self._at, strict=True) if at < edge), "")
        if kind:
            self.done[kind] += 1
        out = frame
        if sound:
            out = b"\0" + frame
            self._clean = True
        if kind == "dropped":
            self.lost += 1
            return b""
        if kind == "flipped":
            bits = bytearray(frame)
            # Up to three: what CRC-16 is certain to see where the stuffing was not hit.
            for place in draw.sample(range(8 * len(frame)), draw.randint(1, 3)):
                bits[place // 8] ^= 1 << place % 8
            self._clean = bits[-1] == 0
            self.lost += 1
            return bytes(bits)
        if kind == "cut":
            self.lost += 1
            place = draw.randrange(1, len(frame) - 1)
            if draw.random() < 0.5:
                self._clean = True
                return frame[place:]
            self._clean = False
            return frame[:place]
        if kind == "rubbish":
            rubbish = draw.randbytes(draw.randint(1, 600)) + (b"\0" if draw.random() < 0.5 else b"")
            self._clean = rubbish[-1] == 0
            out = rubbish + frame
        if kind == "doubled":
            # Of two the second is always behind a 0x00.
            self.repeated += self._clean
            self._clean = True
            out = frame + frame
        if self._clean:
            self.whole += 1
        else:
            self.lost += 1
        self._clean = True
        return out


@dataclass
class Outcome:
    """What came out of a stretch of stream, and whether all of it is accounted for."""

    sent: int
    """Frames."""
    wire: int
    """Bytes."""
    line: BadLine
    parser: StreamParser
    blocks: int
    wrong: int
    """Blocks whose samples or whose gap are not what was sent."""
    seconds: float
    """In the parser."""

    @property
    def counted(self) -> bool:
        """Samples lost equal those counted, and so do frames and repetitions."""
        return (self.parser.lost, self.parser.frames, self.parser.duplicates, self.wrong) == (
            COUNT * self.line.lost, self.line.whole, self.line.repeated, 0,
        )  # fmt: skip


def pieces(line: BadLine, n_frames: int) -> Iterator[tuple[bytes, int]]:
    """The stream in pieces, and how many frames were sent so far. The first and the last are sound: losses lie between."""
    for first in range(0, n_frames, PIECE):
        last = min(first + PIECE, n_frames)
        samples = signal(first * COUNT, (last - first) * COUNT)
        yield (
            b"".join(
                line.send(encode_frame(i, samples[(i - first) * COUNT : (i - first + 1) * COUNT]), sound=i in {0, n_frames - 1})
                for i in range(first, last)
            ),
            last,
        )


def drive(n_frames: int, seed: int = 1, parser: StreamParser | None = None) -> Outcome:
    """Send `n_frames` over a bad line and account for every sample."""
    line = BadLine(seed)
    parser = parser or StreamParser(AXES, RATE, frames)
    size = block_length(RATE)
    wire = blocks = wrong = 0
    spent = 0.0
    expected: int | None = None
    before = 0
    for data, sent in pieces(line, n_frames):
        wire += len(data)
        for at in range(0, len(data), READ):
            arrival = 1.8e9 + (before + (sent - before) * min(1.0, (at + READ) / len(data))) * COUNT / RATE
            began = time.perf_counter()
            found: list[Block] = parser.feed(data[at : at + READ], arrival)
            spent += time.perf_counter() - began
            for block in found:
                begins = number(block.samples[0])
                wrong += (expected is not None and begins != expected + block.lost) or not np.array_equal(
                    block.samples, signal(begins, size)
                )
                expected = begins + size
                blocks += 1
        before = sent
    return Outcome(n_frames, wire, line, parser, blocks, wrong, spent)


# ------------------------------------------------------------------------------------------------------------- speed
TABLE = [binascii.crc_hqx(bytes((byte,)), 0) for byte in range(256)]


def plain_cobs(data: bytes) -> list[tuple[int, ...]]:
    """As one writes it first: byte by byte."""
    found = []
    part = bytearray()
    for byte in data:
        if byte:
            part.append(byte)
            continue
        payload = bytearray()
        at = 0
        while at < len(part):
            code = part[at]
            payload += part[at + 1 : at + code]
            at += code
            if at < len(part):
                payload.append(0)
        crc = 0xFFFF
        for one in payload[:-2]:
            crc = (crc << 8 & 0xFF00) ^ TABLE[crc >> 8 ^ one]
        if len(payload) >= 7 and crc == payload[-2] | payload[-1] << 8:
            found.append(struct.unpack_from(f"<{(len(payload) - 7) // 2}h", payload, 5))
        part = bytearray()
    return found


def helped_cobs(data: bytes) -> list[tuple[int, ...]]:
    """With all that the standard library has in C: split, slices, crc_hqx, unpack."""
    found = []
    for part in data.split(b"\0"):
        pieces_ = []
        at = 0
        while at < len(part):
            pieces_.append(part[at + 1 : at + part[at]])
            at += part[at]
        payload = b"\0".join(pieces_)
        if len(payload) >= 7 and binascii.crc_hqx(payload[:-2], 0xFFFF) == payload[-2] | payload[-1] << 8:
            found.append(struct.unpack_from(f"<{(len(payload) - 7) // 2}h", payload, 5))
    return found


def plain_wit(data: bytes) -> list[tuple[int, ...]]:
    """Classic and 55 61 frames, byte by byte."""
    found = []
    at = 0
    while at + 11 <= len(data):
        if data[at] == 0x55 and 0x50 <= data[at + 1] <= 0x5A:
            if sum(data[at : at + 10]) & 0xFF == data[at + 10]:
                found.append(struct.unpack_from("<4h", data, at + 2))
                at += 11
                continue
        elif data[at] == 0x55 and data[at + 1] == 0x61 and at + 32 <= len(data):
            words = struct.unpack_from("<13h", data, at + 2)
            if all(0 <= word <= 1000 for word in words[:3]) and all(0 <= word <= 30000 for word in words[7:10]):
                found.append(words)
                at += 32
                continue
        at += 1
    return found


def classic(n: int) -> bytes:
    """n classic frames."""
    bodies = [bytes((0x55, 0x51 + i % 4)) + struct.pack("<4h", i % 3000, -i % 2000, 2048, 2500) for i in range(n)]
    return b"".join(body + bytes((sum(body) & 0xFF,)) for body in bodies)


def plain_frames(n: int) -> bytes:
    """n frames 55 61."""
    return b"".join(b"\x55\x61" + struct.pack("<13h4x", *(i % 900 for _ in range(13))) for i in range(n))


def clock(call: Callable[[], object], least: float = 0.02) -> float:
    """Seconds of one call."""
    n, spent = 1, 0.0
    while spent < least:
        began = time.perf_counter()
        for _ in range(n):
            call()
        spent, n = time.perf_counter() - began, 2 * n
    return spent / (n // 2)


def speed(runs: int = 7) -> list[tuple[str, int, dict[str, float]]]:
    """ns a frame, median of runs that take turns: 4, 100 and 1000 frames a call."""
    rows = []
    for n in (4, 100, 1000):
        samples = signal(0, n * COUNT)
        stream = b"".join(encode_frame(i, samples[i * COUNT : (i + 1) * COUNT]) for i in range(n))
        for name, data, peers in (
            ("COBS, 41 x 3 int16, CRC-16", stream, {"plain": plain_cobs, "helped": helped_cobs}),
            ("WIT 55 51 to 55 54", classic(n), {"plain": plain_wit}),
            ("WIT 55 61", plain_frames(n), {"plain": plain_wit}),
        ):
            calls: dict[str, Callable[[], object]] = {key: lambda call=call, data=data: call(data) for key, call in peers.items()}
            calls["ours"] = _kernel(name, data)
            calls["whole"] = _whole(name, data)
            assert len(peers["plain"](data)) == n
            took: dict[str, list[float]] = {key: [] for key in calls}
            for _ in range(runs):
                for key, call in calls.items():
                    took[key].append(clock(call))
            rows.append((name, n, {key: 1e9 * statistics.median(times) / n for key, times in took.items()}))
    return rows


def _kernel(name: str, data: bytes) -> Callable[[], object]:
    """The kernel alone, from bytes to words."""
    if name.startswith("COBS"):
        out, table, state = np.empty((len(data), AXES), np.int16), np.empty((len(data) // 11 + 1, 4), np.int64), np.zeros(5, np.int64)

        def parse() -> object:
            state[:] = 0
            return frames.cobs(np.frombuffer(data, np.uint8), AXES, state, out, table)

        return parse
    limits, words, step = WitParser(frames).limits, np.empty((len(data) // 11 + 1, 14), np.int16), np.zeros(2, np.int64)
    return lambda: frames.wit(np.frombuffer(data, np.uint8), 1, limits, step, words)


def _whole(name: str, data: bytes) -> Callable[[], object]:
    """All of what the agent does with a read: tail, counters, blocks."""
    if not name.startswith("COBS"):
        reader = WitParser(frames)
        return lambda: reader.feed(data, quiet=True)
    parser = StreamParser(AXES, RATE, frames)

    def feed() -> object:
        parser._state[frames.STARTED] = 0  # noqa: SLF001 - otherwise all of it came before
        return parser.feed(data, 1000.0)

    return feed


def main(argv: list[str] | None = None) -> int:
    """0: every sample is accounted for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of stream")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="the parsers only")
    args = parser.parse_args(argv)
    right = True
    if not args.speed:
        done = drive(round(args.seconds * RATE / COUNT), args.seed)
        right = done.counted
        print(
            f"{done.sent * COUNT / RATE:.0f} s of {AXES} axes at {RATE:.0f} Hz: {done.sent:,} frames, {done.wire / 1e6:.1f} MB on the wire"
        )
        print("damage: " + ", ".join(f"{name} {n:,}" for name, n in sorted(done.line.done.items())))
        print("| | sent | counted |\n|---|---|---|")
        print(f"| samples an axis lost | {COUNT * done.line.lost:,} | {done.parser.lost:,} |")
        print(f"| frames that can be read | {done.line.whole:,} | {done.parser.frames:,} |")
        print(f"| of them came twice | {done.line.repeated:,} | {done.parser.duplicates:,} |")
        print(f"| blocks with a wrong sample or a wrong gap | 0 | {done.wrong:,} of {done.blocks:,} |")
        share = done.seconds / (done.sent * COUNT / RATE)
        print(f"{done.seconds:.1f} s in the parser: {done.wire / done.seconds / 1e6:.0f} MB/s, {100 * share:.2f} % of a core at this rate")
        print("every sample accounted for" if right else "NOT ACCOUNTED FOR")
    if args.speed or args.seconds >= 3600.0:
        print("| frame | a call | plain Python, ns | with C helpers | ours | all of a read | plain / ours |\n|---|---|---|---|---|---|---|")
        for name, n, ns in speed():
            helped = f"{ns['helped']:,.0f}" if "helped" in ns else "-"
            ours = f"{ns['ours']:,.0f} | {ns['whole']:,.0f} | {ns['plain'] / ns['ours']:.0f}"
            print(f"| {name} | {n} | {ns['plain']:,.0f} | {helped} | {ours} |")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
