"""Finds the answer to a request among the characters of a Modbus ASCII line. Pure.

A frame is a colon, two hexadecimal figures a byte, the checksum, CR and LF. The checksum (LRC) is one byte: it catches every error within
one byte of the frame, two errors that make up for each other it does not; so the parity of the characters should be on.
Source: Modbus over Serial Line V1.02, 2.5.2.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from drivers.answer import TABLE_OF, Expected, Found, Stray, is_echo
from drivers.plan import data_size

_START = b":"
_END = b"\r\n"


def lrc(data: bytes) -> int:
    """Checksum of ASCII frames: what makes the sum of all bytes zero."""
    return -sum(data) & 0xFF


def expected_ascii(request: bytes) -> Expected:
    """From a read request: unit, function, address (2), count (2), LRC, each byte as two figures."""
    frame = body(request)
    function = frame[1]
    return Expected(frame[0], function, data_size(TABLE_OF[function], int.from_bytes(frame[4:6], "big")), None, request)


def find_ascii(data: bytes, wanted: Expected) -> Found | None:
    """The first whole answer to `wanted`, what stands before it skipped."""
    for start, end, frame in _frames(data):
        if frame[0] != wanted.unit or frame[1] & 0x7F != wanted.function:
            continue
        right = len(frame) == 3 if frame[1] & 0x80 else len(frame) == wanted.size + 3 and frame[2] == wanted.size
        if right and not is_echo(data, start, end, wanted):
            return Found(start, end)
    return None


def strays_ascii(data: bytes) -> tuple[Stray, ...]:
    """Every whole and sound answer to a read in characters that nobody waited for, in order."""
    strays: list[Stray] = []
    for start, end, frame in _frames(data):
        plain = frame[1] & 0x7F
        if plain in TABLE_OF and (frame[1] & 0x80 or len(frame) == frame[2] + 3):
            strays.append(Stray(frame[0], plain, 0 if frame[1] & 0x80 else frame[2], data[start:end]))
    return tuple(strays)


def body(frame: bytes) -> bytes:
    """The bytes that a frame says, without its checksum."""
    return binascii.unhexlify(frame[1:-4])


def _frames(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and bytes of each sound frame. A colon always begins a new one: it stands in no other place."""
    end = 0
    while (tail := data.find(_END, end)) >= 0:
        start = data.rfind(_START, end, tail)
        end = tail + len(_END)
        if start < 0:
            continue
        try:
            said = binascii.unhexlify(data[start + 1 : tail])
        except binascii.Error:
            continue
        if len(said) >= 4 and not sum(said) & 0xFF:
            yield start, end, said[:-1]
