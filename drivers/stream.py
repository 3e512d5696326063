"""Raw vibration in COBS frames: the sender's side, and the way from bytes to blocks of samples with a time. Frame: docs/stream-frame.md."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from drivers.model import Quality, Readings, Waveform
from drivers.options import ChannelRoute, DeviceMap

VERSION = 1
PAYLOAD = 253
"""Most bytes of a frame before stuffing, so that COBS needs one block."""
_HEAD = struct.Struct("<BHBB")
_TAIL = struct.Struct("<H")

_LONGEST_TAIL = 1024
"""Bytes without a delimiter that are kept; far more than a frame."""
_AXES = ("x", "y", "z")


def most_samples(axes: int) -> int:
    """Samples per axis that fit into one frame: 41 of 3 axes, 123 of 1."""
    return (PAYLOAD - _HEAD.size - _TAIL.size) // (2 * axes)


def encode_frame(sequence: int, samples: NDArray[np.int16]) -> bytes:
    """One frame with its delimiter, as a sensor sends it.

    Parameters
    ----------
    sequence: number of the frame; the low 16 bits are sent.
    samples: (count, axes) int16 counts, count within `most_samples(axes)`.

    Raises
    ------
    ValueError: too many samples for one frame, or none.
    """
    count, axes = samples.shape
    if not 1 <= axes <= 255 or not 1 <= count <= most_samples(axes):
        raise ValueError(f"{count} samples of {axes} axes do not fit into one frame")
    payload = _HEAD.pack(VERSION, sequence & 0xFFFF, axes, count) + samples.astype("<i2").tobytes()
    payload += _TAIL.pack(binascii.crc_hqx(payload, 0xFFFF))
    return b"".join(bytes((len(part) + 1,)) + part for part in payload.split(b"\0")) + b"\0"


@dataclass(frozen=True, slots=True)
class Block:
    """Equally spaced samples without a gap: (n, axes) int16, time of the first one, samples missing since the block before."""

    start: float
    samples: NDArray[np.int16]
    lost: int


class SampleClock:
    """When samples were taken, told from when they arrived. The device has no clock of its own; arrival is late by an uneven delay.

    A phase-locked loop of second order with unit damping: of each block's error (arrival less prediction) a share g moves the phase and
    g**2 / 4 the period, so that jitter of the arrival is averaged over some ten blocks and a sensor whose rate is off by some percent is
    followed without a lasting error. g falls from 1 to `_GAIN` over the first 70 blocks. Source: F. M. Gardner,
    Phaselock Techniques, 3rd ed., 2005, chapter 4 (zeta = 1: integral gain a quarter of the square of the proportional gain).
    """

    _GAIN = 0.1
    _PULL = 0.1
    """The period may be off by this fraction; the output data rate of cheap accelerometers is."""

    def __init__(self, rate: float) -> None:
        self._nominal = 1.0 / rate
        self._period = self._nominal
        self._end: float | None = None
        """Time behind the last sample of the last block."""
        self._since_anchor = self._ever = 0

    def reset(self) -> None:
        """Samples are missing, it is not known exactly how many: start from the next arrival. The period is still that of the sensor."""
        self._end = None

    def start(self, count: int, arrival: float) -> float:
        """Time of the first of `count` samples, the last of which had arrived at `arrival`."""
        length = count * self._period
        if self._end is None or abs(arrival - self._end - length) > length:
            self._end = arrival
            self._since_anchor = 0
            return arrival - length
        start = self._end
        error = arrival - start - length
        self._since_anchor += 1
        self._ever += 1
        self._end = start + length + max(self._GAIN, 8 / (8 + self._since_anchor)) * error
        period = self._period + max(self._GAIN, 8 / (8 + self._ever)) ** 2 / 4 * error / count
        self._period = min(max(period, self._nominal * (1 - self._PULL)), self._nominal * (1 + self._PULL))
        return start


def block_length(rate: float) -> int:
    """Samples of a block: the smallest power of two that takes at least four periods of 10 Hz, the lowest frequency that is judged."""
    return 1 << math.ceil(math.log2(max(1.0, rate * 0.4)))


class StreamParser:
    """Bytes to blocks, with what was lost counted.

    Parameters
    ----------
    axes, rate: of the device map.
    kernels: the module drivers.frames, which whoever makes the parser has imported when the time was right.

    Attributes
    ----------
    frames, refused, duplicates, restarts: frames so far: good, damaged, come twice; times that the sequence began anew.
    lost: samples (per axis) that the sequence says are missing.
    dropped: good samples that were thrown away because a gap cut their block short.
    """

    def __init__(self, axes: int, rate: float, kernels: ModuleType) -> None:
        self._axes = axes
        self._rate = rate
        self._kernels = kernels
        self._state = np.zeros(5, np.int64)
        self._tail = b""
        self._samples = np.empty((0, axes), np.int16)
        self._frames = np.empty((0, 4), np.int64)
        self._block = np.empty((block_length(rate), axes), np.int16)
        self._filled = 0
        self._missing = 0
        self._clock = SampleClock(rate)
        self._newest = 0.0
        self.frames = self.refused = self.duplicates = self.restarts = self.lost = self.dropped = 0

    def feed(self, data: bytes, arrival: float) -> list[Block]:
        """Blocks that are whole now. `arrival`: when the last byte of `data` was here, s UTC."""
        data = self._tail + data
        self._room(len(data))
        good, done = self._kernels.cobs(np.frombuffer(data, np.uint8), self._axes, self._state, self._samples, self._frames)
        # What is cut off here was too long for a frame; what is kept is still too long, so that it is refused when it ends.
        self._tail = data[done:][-_LONGEST_TAIL:]
        self.frames += good
        self.refused, self.duplicates, self.restarts = (int(n) for n in self._state[:3])
        blocks: list[Block] = []
        total = int(self._frames[good - 1, 0] + self._frames[good - 1, 1]) if good else 0
        for first, count, missing, _ in self._frames[:good].tolist():
            if missing:
                self._gap(count, missing, arrival - (total - first) / self._rate)
            self._append(self._samples[first : first + count], total - first, arrival, blocks)
            self._newest = arrival - (total - first - count) / self._rate
        return blocks

    def cut(self) -> None:
        """The line was closed: what was left of a frame will not go on."""
        self._tail = b""

    def _room(self, size: int) -> None:
        """Space for what `size` bytes can hold: at least 2 bytes a sample, 11 a frame."""
        if size > len(self._samples):
            self._samples = np.empty((size, self._axes), np.int16)
            self._frames = np.empty((size // 11 + 1, 4), np.int64)

    def _gap(self, count: int, missing: int, taken: float) -> None:
        """Frames are missing before one that was taken at `taken`; -1: the device started anew, so the wall clock must tell.

        It also tells how often the sequence went round in a long silence.
        """
        elapsed = (taken - self._newest) * self._rate
        lost, turn = missing * count, count << 16
        lost = max(1, round(elapsed)) if missing < 0 else lost + max(0, round((elapsed - lost) / turn)) * turn
        self.lost += lost
        self.dropped += self._filled
        self._missing += lost + self._filled
        self._filled = 0
        self._clock.reset()

    def _append(self, samples: NDArray[np.int16], ahead: int, arrival: float, blocks: list[Block]) -> None:
        """Fill blocks with the samples of one frame; `ahead`: samples that had arrived with and after its first one."""
        at = 0
        while at < len(samples):
            take = min(len(samples) - at, len(self._block) - self._filled)
            self._block[self._filled : self._filled + take] = samples[at : at + take]
            self._filled += take
            at += take
            if self._filled == len(self._block):
                start = self._clock.start(self._filled, arrival - (ahead - at) / self._rate)
                blocks.append(Block(start, self._block.copy(), self._missing))
                self._filled = self._missing = 0


class WaveDecoder:
    """Raw vibration: bytes to Waveforms, one for each route. A register named x, y or z takes that axis alone, any other one all."""

    def __init__(self, source: str, device: DeviceMap, routes: Sequence[ChannelRoute], kernels: ModuleType) -> None:
        self._source = source
        self._map = device
        self._routes = [(r.channel, _AXES.index(r.register) if r.register in _AXES[: device.axes] else None) for r in routes]
        self.parser = StreamParser(device.axes, device.rate, kernels)

    def feed(self, data: bytes, arrival: float) -> list[Readings | Waveform]:
        """Whole blocks."""
        out: list[Readings | Waveform] = []
        for block in self.parser.feed(data, arrival):
            for channel, axis in self._routes:
                samples = block.samples if axis is None else np.ascontiguousarray(block.samples[:, axis : axis + 1])
                out.append(
                    Waveform(
                        self._source,
                        channel,
                        block.start,
                        self._map.rate,
                        samples,
                        self._map.scale,
                        self._map.unit,
                        Quality.GOOD,
                        block.lost,
                    )
                )
        return out

    def cut(self) -> None:
        """The line was closed."""
        self.parser.cut()

    def counts(self) -> tuple[int, int, int]:
        """Frames, refused frames, lost samples."""
        return self.parser.frames, self.parser.refused, self.parser.lost
