"""WIT frames: bytes to rows, what cannot be believed refused. Fields: config/devices/wit_5561.toml and wit_classic.toml.

55 61 (32 bytes) has no checksum: what it says is plausible, not proven, and its quality is UNCERTAIN. The classic frames 55 50 to 55 5A
(11 bytes) end with the sum of their bytes: GOOD. A line may carry both.
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
"""Offset of the first word; the `address` of a field of 55 61 is its offset in the frame."""
WORDS = 13
CLASSIC_FRAME = 11
CLASSIC_WORDS = 4
CLASSIC_KINDS = range(0x50, 0x5B)
"""Second byte of a classic frame; the `address` of its field is 16 times that plus the offset: 0x512 is offset 2 of 55 51."""
_UNPROVEN = 0x61

_LIMITS = (
    ((0, 1000),) * 3  # velocity, mm/s
    + ((-32768, 32767),) * 3  # angle: every word is an angle
    + ((-4000, 12500),)  # temperature, 0.01 degC: what the part survives
    + ((0, 30000),) * 3  # displacement, um
    + ((0, 6400),) * 3  # frequency, Hz
)
"""What can be true of 55 61, by word. A guess from the physics of a sensor on a spindle (nothing moves at 1 m/s), not from the maker."""

_CHUNK = 4096
_MOST = (_CHUNK + FRAME) // CLASSIC_FRAME + 1


class WitParser:
    """Bytes to frames.

    Attributes
    ----------
    frames: good ones so far.
    refused: headers behind which no frame stood that can be believed.
    limits: (2, 13) int64, lowest and highest value of each word of a 55 61 frame.
    """

    def __init__(self, kernels: ModuleType) -> None:
        self._kernels = kernels
        self.limits = np.array(_LIMITS, np.int64).T.copy()
        self._state = np.zeros(2, np.int64)
        self._tail = b""
        self._words = np.empty((_MOST, WORDS + 1), np.int16)
        self.frames = self.refused = 0

    def feed(self, data: bytes, quiet: bool = False) -> NDArray[np.int16]:
        """The frames that are whole now, (n, 14): word i stands at offset 2 + 2 i, a classic frame has 4; last the second byte.

        `quiet`: nothing more was on the line. Then a frame that ends with the data counts; otherwise the next one must begin behind it,
        unless its checksum is right and the frame before it was good.
        """
        rows: list[NDArray[np.int16]] = []
        for at in range(0, len(data), _CHUNK):
            joined = self._tail + data[at : at + _CHUNK]
            bytes_ = np.frombuffer(joined, np.uint8)
            last = quiet and at + _CHUNK >= len(data)
            good, done = self._kernels.wit(bytes_, int(last), self.limits, self._state, self._words)
            self._tail = joined[done:]
            self.frames += good
            rows.append(self._words[:good].copy())
        self.refused = int(self._state[self._kernels.REFUSED])
        return np.concatenate(rows) if rows else np.empty((0, WORDS + 1), np.int16)

    def cut(self) -> None:
        """The line was closed: what was left of a frame will not go on."""
        self._tail = b""
        self._state[self._kernels.IN_STEP] = 0


def place_of(field: Register) -> tuple[int, int] | None:
    """Second byte of the frame and index of the first word of a field; None: no WIT frame has such a field."""
    words = {"i16": 1, "u16": 1, "i32": 2, "u32": 2}.get(field.type, 0)
    kind, offset, most = _UNPROVEN, field.address, WORDS
    if field.address >= CLASSIC_KINDS.start * 16:
        (kind, offset), most = divmod(field.address, 16), CLASSIC_WORDS
        if kind not in CLASSIC_KINDS:
            return None
    index = (offset - FIRST) // 2
    return None if not words or offset % 2 or not 0 <= index <= most - words else (kind, index)


class WitDecoder:
    """WIT frames: bytes to rows.

    A sensor sends its frames one kind after the other: a row takes one of each kind, and a kind that comes again begins the next row. What
    no frame of the row says is ABSENT.
    """

    def __init__(self, source: str, device: DeviceMap, routes: Sequence[ChannelRoute], kernels: ModuleType) -> None:
        by_name: dict[str, Register] = {register.name: register for register in device.registers}
        self._source = source
        self._channels = tuple(route.channel for route in routes)
        self._fields = [by_name[route.register] for route in routes]
        places = [place_of(field) for field in self._fields]
        outside = [field.name for field, place in zip(self._fields, places, strict=True) if place is None]
        if outside:
            raise ValueError(f"no field of the frame: {', '.join(outside)}")
        self._places = [place for place in places if place is not None]
        self._words = Words()
        self._last = 0.0
        self.parser = WitParser(kernels)

    def feed(self, data: bytes, arrival: float) -> list[Readings | Waveform]:
        """One block of rows, if a frame is whole that says something. All of its rows arrived together; they keep their order in time."""
        rows = self.parser.feed(data, quiet=True)
        wanted = {kind for kind, _ in self._places}
        groups: list[dict[int, list[int]]] = []
        for row in rows.tolist():
            kind = row[WORDS]
            if kind not in wanted:
                continue
            if not groups or kind in groups[-1]:
                groups.append({})
            groups[-1][kind] = row
        if not groups:
            return []
        values = np.full((len(groups), len(self._fields)), np.nan)
        quality = np.full(values.shape, Quality.ABSENT, np.uint8)
        for column, (field, (kind, index)) in enumerate(zip(self._fields, self._places, strict=True)):
            for line, group in enumerate(groups):
                if kind not in group:
                    continue
                raw = [word & 0xFFFF for word in group[kind][index : index + (2 if field.type in {"i32", "u32"} else 1)]]
                value, mark = decode(field, raw, self._words)
                values[line, column] = value
                quality[line, column] = Quality.UNCERTAIN if mark == Quality.GOOD and kind == _UNPROVEN else mark
        first = max(self._last, arrival - 1e-3 * (len(groups) - 1))
        time = np.linspace(first, max(first, arrival), len(groups)) if len(groups) > 1 else np.array([max(self._last, arrival)])
        self._last = float(time[-1])
        return [Readings(self._source, self._channels, time, values, quality, self._words.seen())]

    def cut(self) -> None:
        """The line was closed."""
        self.parser.cut()

    def counts(self) -> tuple[int, int, int]:
        """Frames, refused frames, lost samples."""
        return self.parser.frames, self.parser.refused, 0
