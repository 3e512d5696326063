from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.answer import Expected, NotModbus, Stray, crc16, expected_rtu, expected_tcp, find_rtu, find_tcp, strays_rtu
from tests.support.bad_device import Asked, answer_pdu, crc, mbap, rtu, rtu_exception

ASKED = Asked(7, 3, 3, 100, 10)
WANTED = Expected(3, 3, 20, None)


@given(st.binary(max_size=300))
def test_checksum_against_the_flow_chart(data: bytes) -> None:
    assert crc16(data).to_bytes(2, "little") == crc(data)


def test_checksum_of_captured_frames() -> None:
    # A request of an accelerometer's data sheet, and one of a vibration sensor's manual whose printed checksum is wrong.
    assert crc16(bytes.fromhex("01 03 14 50 00 06")) == 0x29C0
    assert crc16(bytes.fromhex("50 06 00 65 00 64")) == 0xBF95


def test_what_is_expected_is_read_from_the_request() -> None:
    head = bytes.fromhex("03 03 00 64 00 0A")
    assert expected_rtu(head + crc(head)) == WANTED
    assert expected_rtu(bytes.fromhex("01 01 00 00 00 09 00 00")) == Expected(1, 1, 2, None)
    assert expected_tcp(bytes.fromhex("0102 0000 0006 03 03 0064 000A")) == Expected(3, 3, 20, 0x0102)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_the_answer_is_found_whatever_stands_around_it(before: bytes, behind: bytes) -> None:
    good = rtu(ASKED)
    found = find_rtu(before + good + behind, WANTED)
    assert found is not None
    assert (before + good + behind)[found.start : found.end] in {good} | {rtu_exception(ASKED, code) for code in range(256)}


@pytest.mark.parametrize(
    "other",
    [
        rtu(ASKED, unit=4),
        rtu(ASKED, function=4),
        rtu(ASKED, count=9),
        rtu(ASKED, count=11),
        rtu(ASKED)[:-1],
        rtu(ASKED)[:-1] + b"\0",
        rtu_exception(Asked(1, 4, 3, 0, 1), 2),
        rtu_exception(Asked(1, 3, 4, 0, 1), 2),
        b"",
    ],
)
def test_nothing_else_is_an_answer(other: bytes) -> None:
    assert find_rtu(other, WANTED) is None


@given(st.integers(0, 8 * 25 - 1), st.integers(0, 8 * 25 - 1), st.integers(0, 8 * 25 - 1))
def test_up_to_three_wrong_bits_are_always_seen(a: int, b: int, c: int) -> None:
    good = rtu(ASKED)
    bits = int.from_bytes(good, "big")
    for place in {a, b, c}:
        bits ^= 1 << place
    found = find_rtu(bits.to_bytes(len(good), "big"), WANTED)
    assert found is None


def test_an_exception_is_an_answer() -> None:
    found = find_rtu(rtu_exception(ASKED, 6), WANTED)
    assert found is not None
    assert (found.start, found.end) == (0, 5)


def test_strays_are_whole_answers() -> None:
    other = Asked(2, 9, 4, 5, 3)
    data = b"\x00" + rtu(ASKED) + b"\xff\xff" + rtu_exception(ASKED, 2) + rtu(other) + rtu(ASKED)[:-2]
    assert strays_rtu(data) == (Stray(3, 3, 20), Stray(3, 3, 0), Stray(9, 4, 6))
    assert strays_rtu(b"") == ()


@given(st.binary(max_size=200))
def test_strays_of_anything_end(data: bytes) -> None:
    """No byte is told twice: address, function, length or code, checksum, and the data."""
    assert sum(stray.size + 5 for stray in strays_rtu(data)) <= len(data)


def test_tcp_answers_are_told_by_their_transaction() -> None:
    asked = Asked(1, 3, 3, 100, 10, transaction=5)
    wanted = Expected(3, 3, 20, 5)
    late = mbap(asked, answer_pdu(asked), transaction=4)
    good = mbap(asked, answer_pdu(asked))
    found, strays, done = find_tcp(late + good + late, wanted)
    assert found is not None
    assert (late + good + late)[found.start : found.end] == good
    assert (strays, done) == ((Stray(3, 3, 20),), len(late + good))


@pytest.mark.parametrize(
    "other",
    [
        mbap(ASKED, answer_pdu(ASKED), transaction=6),
        mbap(ASKED, answer_pdu(ASKED), transaction=5, unit=4),
        mbap(ASKED, answer_pdu(ASKED, count=11), transaction=5),
        mbap(ASKED, answer_pdu(ASKED, function=4), transaction=5),
        mbap(ASKED, b"\x83\x02\x00", transaction=5),
    ],
)
def test_no_other_tcp_message_is_an_answer(other: bytes) -> None:
    found, strays, done = find_tcp(other, Expected(3, 3, 20, 5))
    assert found is None
    assert len(strays) == 1
    assert done == len(other)


def test_half_a_tcp_message_waits_for_the_rest() -> None:
    good = mbap(ASKED, answer_pdu(ASKED), transaction=5)
    for cut in range(len(good)):
        assert find_tcp(good[:cut], Expected(3, 3, 20, 5)) == (None, (), 0)


@pytest.mark.parametrize("other", [b"HTTP/1.1 400 Bad Request\r\n", b"\0\1\0\0\0\2\1\3\0", b"\0\1\0\0\1\xff\1\3\0"])
def test_what_is_no_modbus_is_said(other: bytes) -> None:
    with pytest.raises(NotModbus):
        find_tcp(other, None)
