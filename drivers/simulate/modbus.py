"""The answering side of Modbus, pure: PDUs, CRC and the two framings. Read functions only: whoever writes gets exception 1.

Sources: MODBUS Application Protocol V1.1b3 (sections 6.1 to 6.4, 7), MODBUS over Serial Line V1.02 (2.5.1.2 and appendix B, CRC-16),
MODBUS Messaging on TCP/IP V1.0b (3.1.3, MBAP).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_RESPONSE = 1, 2, 3, 11
MAX_REGISTERS, MAX_BITS = 125, 2000
MBAP = 7
_FIXED = 8
"""Bytes of a serial request of functions 1 to 6."""
_COUNTED = (15, 16)
"""Functions whose request carries its own byte count at 6."""


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0xA001 reflected, start 0xFFFF; sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """Unit, PDU, CRC."""
    body = bytes([unit]) + pdu
    return body + struct.pack("<H", crc16(body))


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """MBAP header and PDU."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def exception(function: int, code: int) -> bytes:
    """PDU that refuses."""
    return bytes([function | 0x80, code])


def answer(pdu: bytes, registers: Sequence[int], bits: Sequence[int]) -> bytes:
    """PDU that answers request `pdu` from these tables (holding = input, coils = discrete)."""
    function = pdu[0]
    if function not in (1, 2, 3, 4):
        return exception(function, ILLEGAL_FUNCTION)
    if len(pdu) != 5:
        return exception(function, ILLEGAL_VALUE)
    start, count = struct.unpack(">HH", pdu[1:])
    table, most = (bits, MAX_BITS) if function <= 2 else (registers, MAX_REGISTERS)
    if not 1 <= count <= most:
        return exception(function, ILLEGAL_VALUE)
    if start + count > len(table):
        return exception(function, ILLEGAL_ADDRESS)
    values = table[start : start + count]
    if function >= 3:
        return bytes([function, 2 * count]) + struct.pack(f">{count}H", *values)
    packed = bytes(sum(bit << i for i, bit in enumerate(values[at : at + 8])) for at in range(0, count, 8))
    return bytes([function, len(packed)]) + packed


def request_length(buffer: bytes) -> int | None:
    """Length of the serial request that `buffer` begins with; None: not enough bytes to know."""
    if len(buffer) < 2:
        return None
    if buffer[1] in _COUNTED:
        return 9 + buffer[6] if len(buffer) > 6 else None
    return _FIXED


class RtuRequests:
    """Cuts a serial line's bytes into requests. A request with a bad CRC is dropped together with all that came with it (the real slave
    waits for silence; on a pty there is none to measure, and the master sends nothing while it waits)."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(unit, PDU) of every whole request."""
        self._buffer += data
        out: list[tuple[int, bytes]] = []
        while (length := request_length(self._buffer)) is not None and len(self._buffer) >= length:
            frame, self._buffer = self._buffer[:length], self._buffer[length:]
            if struct.pack("<H", crc16(frame[:-2])) != frame[-2:]:
                self._buffer = b""
                break
            out.append((frame[0], frame[1:-2]))
        return out

    def silence(self) -> None:
        """The line was silent: half a request is none."""
        self._buffer = b""


class TcpRequests:
    """Cuts a connection's bytes into requests. `broken` once the peer does not speak Modbus."""

    def __init__(self) -> None:
        self._buffer = b""
        self.broken = False

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(transaction, unit, PDU) of every whole request."""
        self._buffer += data
        out: list[tuple[int, int, bytes]] = []
        while len(self._buffer) > MBAP and not self.broken:
            transaction, protocol, length, unit = struct.unpack(">HHHB", self._buffer[:MBAP])
            if protocol != 0 or not 2 <= length <= 254:
                self.broken = True
            elif len(self._buffer) < MBAP - 1 + length:
                break
            else:
                out.append((transaction, unit, self._buffer[MBAP : MBAP - 1 + length]))
                self._buffer = self._buffer[MBAP - 1 + length :]
        return out
