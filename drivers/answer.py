"""Finds the one answer that belongs to a request among the bytes that came. Pure.

An answer counts only if unit, function, byte count and checksum (RTU, ASCII) or transaction number (TCP) are those of the request.
Sources: Modbus Application Protocol V1.1b3 (6.1 to 6.4, 7: exceptions), Modbus over Serial Line V1.02 (2.5.1.2: CRC), Modbus Messaging
on TCP/IP V1.0b (3.1.3: MBAP header). ASCII: drivers.answer_ascii.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.coils import WRITE_COIL
from drivers.plan import FUNCTION, data_size

TABLE_OF = {function: table for table, function in FUNCTION.items()}
_LARGEST_PDU = 253


class NotModbus(Exception):
    """The bytes of a TCP connection are no Modbus: where one message ends is lost, so close it and open it again."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the answer to a request must look like; read from the request as it was sent. A write is answered by its own bytes."""

    unit: int
    function: int
    size: int
    transaction: int | None
    """None: RTU and ASCII."""
    request: bytes = field(default=b"", compare=False)
    """As it was sent: its echo has the shape of the answer to a read of 17 to 24 bits from 0x0300 to 0x03FF."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer is bytes[start:end]."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stray:
    """A whole and sound answer that nobody waits for."""

    unit: int
    function: int
    size: int
    frame: bytes = field(default=b"", compare=False)
    """As it stood on the wire."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes) -> int:
    """Checksum of RTU frames; sent low byte first."""
    crc = 0xFFFF
    table = _CRC
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def expected_rtu(request: bytes) -> Expected:
    """From a request with its checksum: unit, function, address (2), count or a coil's value (2), CRC (2)."""
    function = request[1]
    if function == WRITE_COIL:
        return Expected(request[0], function, len(request) - 5, None, request)
    return Expected(request[0], function, data_size(TABLE_OF[function], int.from_bytes(request[4:6], "big")), None, request)


def expected_tcp(request: bytes) -> Expected:
    """From a request with its header: transaction (2), 0 (2), length (2), unit, function, address (2), count or a coil's value (2)."""
    function = request[7]
    if function == WRITE_COIL:
        return Expected(request[6], function, len(request) - 9, int.from_bytes(request[0:2], "big"), request)
    size = data_size(TABLE_OF[function], int.from_bytes(request[10:12], "big"))
    return Expected(request[6], function, size, int.from_bytes(request[0:2], "big"))


def find_rtu(data: bytes, wanted: Expected) -> Found | None:
    """The first whole answer to `wanted`, what stands before it skipped (a glitch of the line, an echo, a late answer)."""
    writes = wanted.function == WRITE_COIL
    # The answer to a write repeats it to the last byte. An adapter that hears itself is found out by reading the coil back: drivers.lamps.
    answer = wanted.request if writes else bytes((wanted.unit, wanted.function, wanted.size))
    refusal = bytes((wanted.unit, wanted.function | 0x80))
    found: Found | None = None
    for head, length in ((answer, wanted.size + 5), (refusal, 5)):
        at = data.find(head)
        while at >= 0 and at + length <= len(data):
            if (
                (found is None or at < found.start)
                and _sound(data, at, at + length)
                and (writes or not is_echo(data, at, at + length, wanted))
            ):
                found = Found(at, at + length)
                break
            at = data.find(head, at + 1)
    return found


def strays_rtu(data: bytes) -> tuple[Stray, ...]:
    """Every whole and sound answer to a read in bytes that nobody waited for, in order."""
    strays: list[Stray] = []
    at = 0
    while at + 5 <= len(data):
        function = data[at + 1]
        plain = function & 0x7F
        length = 5 if function & 0x80 else data[at + 2] + 5
        if plain in TABLE_OF and length > (0 if function & 0x80 else 5) and _sound(data, at, at + length):
            strays.append(Stray(data[at], plain, 0 if function & 0x80 else data[at + 2], data[at : at + length]))
            at += length
        else:
            at += 1
    return tuple(strays)


def find_tcp(data: bytes, wanted: Expected | None) -> tuple[Found | None, tuple[Stray, ...], int]:
    """The answer to `wanted` (None: nobody waits) in a stream of messages.

    Returns
    -------
    The answer, the messages that were none, and how many bytes are done with if there is no answer.

    Raises
    ------
    NotModbus: the stream is out of step.
    """
    strays: list[Stray] = []
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 6], "big")
        if data[at + 2] or data[at + 3] or not 3 <= length <= _LARGEST_PDU + 1:
            raise NotModbus
        end = at + 6 + length
        if end > len(data):
            break
        function = data[at + 7]
        if wanted is not None and _is_answer(data[at:end], wanted):
            return Found(at, end), tuple(strays), end
        strays.append(Stray(data[at + 6], function & 0x7F, data[at + 8] if function < 0x80 else 0))
        at = end
    return None, tuple(strays), at


def _is_answer(message: bytes, wanted: Expected) -> bool:
    """Whether one TCP message is the answer, or an exception in its place."""
    function = message[7]
    if (message[6], function & 0x7F, int.from_bytes(message[:2], "big")) != (wanted.unit, wanted.function, wanted.transaction):
        return False
    if function == WRITE_COIL:
        return message == wanted.request
    return len(message) == 9 if function & 0x80 else len(message) == wanted.size + 9 and message[8] == wanted.size


def is_echo(data: bytes, start: int, end: int, wanted: Expected) -> bool:
    """Whether this is the request itself, which the line's own driver heard; a second time it is an answer."""
    return data[start:end] == wanted.request and data.find(wanted.request) == start


def _sound(data: bytes, start: int, end: int) -> bool:
    return end <= len(data) and crc16(data[start : end - 2]) == data[end - 2] | data[end - 1] << 8
