"""The WIT 55 61 frame: bytes to rows of words, those that cannot be true refused. Fields: config/devices/wit_5561.toml.

The frame has no checksum. What a row says is plausible, not proven: its quality is UNCERTAIN.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from drivers.decode import decode
from drivers.model import Quality, Readings, Waveform, Words
from drivers.options import ChannelRoute, DeviceMap, Register

FRAME = 32
FIRST = 2
"""Offset of the first word; a register's `address` is an offset into the frame."""
WORDS = 13

_LIMITS = (
    ((0, 1000),) * 3  # velocity, mm/s
    + ((-32768, 32767),) * 3  # angle: every word is an angle
    + ((-4000, 12500),)  # temperature, 0.01 degC: what the part survives
    + ((0, 30000),) * 3  # displacement, um
    + ((0, 6400),) * 3  # frequency, Hz
)
"""What can be true, by word. A guess from the physics of a sensor on a spindle (nothing moves at 1 m/s), not from the maker."""

_CHUNK = 4096
_FIRST_REFUSED = 0


class WitParser:
    """Bytes to frames.

    Attributes
    ----------
    frames: good ones so far.
    refused: headers behind which no plausible frame stood.
    """

    def __init__(self, kernels: ModuleType) -> None:
        self._kernels = kernels
        self._low = np.array([low for low, _ in _LIMITS], np.int64)
        self._high = np.array([high for _, high in _LIMITS], np.int64)
        self._state = np.zeros(1, np.int64)
        self._tail = b""
        self._words = np.empty((_CHUNK // FRAME + 2, WORDS), np.int16)
        self._ends = np.empty(_CHUNK // FRAME + 2, np.int64)
        self.frames = self.refused = 0

    def feed(self, data: bytes, quiet: bool = False) -> NDArray[np.int16]:
        """Words of the frames that are whole now, (n, 13); word i stands at offset 2 + 2 i.

        `quiet`: nothing more was on the line. Then a frame that ends with the data counts; otherwise the next one must begin behind it.
        """
        rows: list[NDArray[np.int16]] = []
        for at in range(0, len(data), _CHUNK):
            joined = self._tail + data[at : at + _CHUNK]
            bytes_ = np.frombuffer(joined, np.uint8)
            last = quiet and at + _CHUNK >= len(data)
            good, done = self._kernels.wit(bytes_, int(last), self._low, self._high, self._state, self._words, self._ends)
            self._tail = joined[done:]
            self.frames += good
            rows.append(self._words[:good].copy())
        self.refused = int(self._state[_FIRST_REFUSED])
        return np.concatenate(rows) if rows else np.empty((0, WORDS), np.int16)


class WitDecoder:
    """WIT frames: bytes to one row a frame, UNCERTAIN because the wire proves nothing."""

    def __init__(self, source: str, device: DeviceMap, routes: Sequence[ChannelRoute], kernels: ModuleType) -> None:
        by_name: dict[str, Register] = {register.name: register for register in device.registers}
        self._source = source
        self._channels = tuple(route.channel for route in routes)
        self._fields = [by_name[route.register] for route in routes]
        outside = [f.name for f in self._fields if not 0 <= f.address - FIRST < 2 * WORDS or f.address % 2 or f.type not in {"i16", "u16"}]
        if outside:
            raise ValueError(f"no field of the frame: {', '.join(outside)}")
        self._words = Words()
        self._last = 0.0
        self.parser = WitParser(kernels)

    def feed(self, data: bytes, arrival: float) -> list[Readings | Waveform]:
        """One block of rows, if a frame is whole. All of its rows arrived together; they keep their order in time."""
        rows = self.parser.feed(data, quiet=True)
        if not len(rows):
            return []
        values = np.full((len(rows), len(self._fields)), np.nan)
        quality = np.full(values.shape, Quality.BAD, np.uint8)
        for column, field in enumerate(self._fields):
            for row, word in enumerate(rows[:, (field.address - FIRST) // 2].tolist()):
                value, mark = decode(field, (word & 0xFFFF,), self._words)
                values[row, column] = value
                quality[row, column] = Quality.UNCERTAIN if mark == Quality.GOOD else mark
        first = max(self._last, arrival - 1e-3 * (len(rows) - 1))
        time = np.linspace(first, max(first, arrival), len(rows)) if len(rows) > 1 else np.array([arrival])
        self._last = float(time[-1])
        return [Readings(self._source, self._channels, time, values, quality, self._words.seen())]

    def cut(self) -> None:
        """The line was closed."""

    def counts(self) -> tuple[int, int, int]:
        """Frames, refused frames, lost samples."""
        return self.parser.frames, self.parser.refused, 0
