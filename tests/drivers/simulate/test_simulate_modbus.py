from __future__ import annotations

import struct

import pytest

from drivers.simulate.modbus import RtuRequests, TcpRequests, answer, crc16, rtu_frame, tcp_frame

REGISTERS = list(range(100, 130))
BITS = [1, 0, 1, 1, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("frame", "crc"),
    [
        # Golden: Banner QM30VT2 request `01 03 14 50 00 06 C0 29` and WitMotion `50 03 00 30 00 17`, `50 06 00 65 00 64 95 BF`
        # (knowledge/devices).
        ("010314500006", "C029"),
        ("500600650064", "95BF"),
        ("02070000"[:4], "4112"),
    ],
)
def test_crc_of_known_frames(frame: str, crc: str) -> None:
    data = bytes.fromhex(frame)
    assert struct.pack("<H", crc16(data)).hex().upper() == crc
    assert rtu_frame(data[0], data[1:]) == data + bytes.fromhex(crc)


def test_crc_against_a_slow_obvious_twin() -> None:
    def twin(data: bytes) -> int:
        bits = 0xFFFF
        for byte in data:
            bits ^= byte
            for _ in range(8):
                carry = bits & 1
                bits >>= 1
                if carry:
                    bits ^= 0xA001
        return bits

    for data in (b"", b"\0", b"\xff" * 9, bytes(range(256))):
        assert crc16(data) == twin(data)
    assert crc16(b"123456789") == 0x4B37  # check value of CRC-16/MODBUS


def test_registers_and_bits() -> None:
    assert answer(bytes.fromhex("0300020003"), REGISTERS, BITS) == bytes.fromhex("0306") + struct.pack(">3H", 102, 103, 104)
    assert answer(bytes.fromhex("0400000001"), REGISTERS, BITS) == bytes.fromhex("04020064")
    assert answer(bytes.fromhex("010000000a"), REGISTERS, BITS) == bytes.fromhex("01020d03")
    assert answer(bytes.fromhex("0200020002"), REGISTERS, BITS) == bytes.fromhex("020103")


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        ("0300000000", 3),
        ("030000007e", 3),
        ("03001d0002", 2),
        ("03ffff0001", 2),
        ("0100000ff0", 3),
        ("03000000", 3),
        ("0500000000", 1),
        ("0600000000", 1),
        ("0f0000000101ff", 1),
        ("10000000010200ff", 1),
        ("1600000000ffff", 1),
        ("2b0e0100", 1),
    ],
)
def test_refusals(pdu: str, code: int) -> None:
    data = bytes.fromhex(pdu)
    assert answer(data, REGISTERS, BITS) == bytes([data[0] | 0x80, code])


def test_serial_requests_in_any_pieces() -> None:
    frames = (
        rtu_frame(2, bytes.fromhex("0300000003"))
        + rtu_frame(9, bytes.fromhex("1000000001020001"))
        + rtu_frame(2, bytes.fromhex("0600010002"))
    )
    for size in (1, 3, 8, 64):
        requests = RtuRequests()
        got = [r for i in range(0, len(frames), size) for r in requests.feed(frames[i : i + size])]
        assert [(unit, pdu[0]) for unit, pdu in got] == [(2, 3), (9, 16), (2, 6)]


def test_a_bad_crc_is_no_request_and_silence_ends_half_of_one() -> None:
    requests = RtuRequests()
    good = rtu_frame(2, bytes.fromhex("0300000003"))
    assert requests.feed(good[:-1] + b"\0") == []
    assert len(requests.feed(good)) == 1
    assert requests.feed(good[:4]) == []
    requests.silence()
    assert len(requests.feed(good)) == 1


def test_tcp_requests_in_any_pieces() -> None:
    frames = tcp_frame(7, 1, bytes.fromhex("0300000003")) + tcp_frame(8, 1, bytes.fromhex("2b0e0100"))
    for size in (1, 5, 64):
        requests = TcpRequests()
        got = [r for i in range(0, len(frames), size) for r in requests.feed(frames[i : i + size])]
        assert [(transaction, unit, pdu[0]) for transaction, unit, pdu in got] == [(7, 1, 3), (8, 1, 0x2B)]
        assert not requests.broken


def test_who_speaks_no_modbus_is_not_answered() -> None:
    requests = TcpRequests()
    assert requests.feed(b"GET / HTTP/1.1\r\n\r\n") == []
    assert requests.broken
