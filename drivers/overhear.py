"""Listens on a serial line without sending a byte: does somebody talk there already? Modbus has one master a line.

Source of the frames: Modbus over Serial Line V1.02, 2.5.1; of the Huanyang HY's, which look alike and are not: LinuxCNC, hy_comm.c
(knowledge of its protocol only; map huanyang_hy).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.answer import crc16
from drivers.clock import Clock
from drivers.options import BusOptions
from drivers.serialport import SerialPort

LEAST = 5.0
"""s to listen at each rate at least: a slow master asks every second or two, a display every few."""
NOISE = 3
"""Bytes that may be a glitch of the line as a port is opened; the shortest frame of a Modbus line has 4."""
_MOST = 8192
"""Bytes that are looked at; a talking line has said enough by then."""
_LONGEST = 16
"""Bytes before what is new in which a frame of these kinds may have begun."""
_REQUEST = 8
"""Bytes of a request of functions 1 to 6."""
_HUANYANG = {0x01: (3, 8), 0x02: (3, 8), 0x03: (1, 6), 0x04: (3, 8), 0x05: (2, 7)}
"""Function to its length byte and the length of the frame."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was on the line.

    Attributes
    ----------
    size: bytes.
    asked: (unit, function) of each whole Modbus request, in order of the first.
    huanyang: units to which, or from which, frames of a Huanyang HY were heard.
    """

    size: int
    asked: tuple[tuple[int, int], ...] = ()
    huanyang: tuple[int, ...] = ()

    @property
    def quiet(self) -> bool:
        """Whether nobody talks."""
        return self.size <= NOISE and not self.known

    @property
    def known(self) -> bool:
        """Whether it is understood who asks whom."""
        return bool(self.asked or self.huanyang)


def judge(data: bytes) -> Heard:
    """What bytes of a line are, at the rate at which they were heard; at another rate they are bytes all the same."""
    asked: dict[tuple[int, int], None] = {}
    huanyang: dict[int, None] = {}
    seen = data[:_MOST]
    for at in range(len(seen) - 5):
        unit, function, third = seen[at : at + 3]
        length, size = _HUANYANG.get(function, (0, 0))
        if third == length and _sound(seen, at, size) and (size != _REQUEST or seen[at + 4 : at + 6] == b"\0\0"):
            # A Modbus request with these bytes would ask for no value at all: nobody does.
            huanyang[unit] = None
        elif 1 <= function <= 6 and _sound(seen, at, _REQUEST) and _counts(function, seen[at + 4 : at + 6]):
            asked[unit, function] = None
    return Heard(len(data), tuple(asked), tuple(huanyang))


async def overhear(options: BusOptions, clock: Clock, seconds: float) -> Heard:
    """Listen for so long, or until it is understood who talks.

    Raises
    ------
    LinkDown: the port cannot be opened, or went away.
    """
    port = SerialPort(options, clock)
    data = b""
    end = clock.monotonic() + seconds
    try:
        while (left := end - clock.monotonic()) > 0 and len(data) < _MOST:
            try:
                async with asyncio.timeout(left):
                    fresh = await port.read()
            except TimeoutError:
                break
            data += fresh
            if judge(data[-len(fresh) - _LONGEST :]).known:
                break
    finally:
        port.close()
    return judge(data)


def loudest(heard: Sequence[tuple[BusOptions, Heard]]) -> tuple[BusOptions, Heard] | None:
    """At which setting it was understood best who talks; None: nobody does at any."""
    talking = [pair for pair in heard if not pair[1].quiet]
    return max(talking, key=lambda pair: (bool(pair[1].huanyang), len(pair[1].asked), pair[1].size), default=None)


def _counts(function: int, words: bytes) -> bool:
    """Whether a read asks for a number of values that can be."""
    count = int.from_bytes(words, "big")
    return 1 <= count <= 2000 if function <= 2 else 1 <= count <= 125 if function <= 4 else True


def _sound(data: bytes, at: int, size: int) -> bool:
    return at + size <= len(data) and crc16(data[at : at + size - 2]) == data[at + size - 2] | data[at + size - 1] << 8
