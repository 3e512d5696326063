from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.answer import Expected, Stray, expected_rtu, find_rtu
from drivers.answer_ascii import body, expected_ascii, find_ascii, lrc, strays_ascii
from tests.support.bad_device import Asked, answer_pdu, framed, rtu, spoiled, wrap_ascii, wrap_rtu

ASKED = Asked(7, 3, 3, 100, 10)
WANTED = Expected(3, 3, 20, None)
GOOD = framed(ASKED, wrap_ascii)


def exception(code: int, *, unit: int = 3, function: int = 3) -> bytes:
    return wrap_ascii(bytes((unit, function | 0x80, code)))


def test_checksum_of_a_printed_frame() -> None:
    # The example of the Delta VFD-M manual (P 92, ASCII mode): two registers from 0x2102 of drive 1.
    assert lrc(bytes.fromhex("01 03 21 02 00 02")) == 0xD7
    assert expected_ascii(b":010321020002D7\r\n") == Expected(1, 3, 4, None)


@given(st.binary(min_size=1, max_size=60))
def test_checksum_against_the_twin(said: bytes) -> None:
    assert wrap_ascii(said)[-4:-2] == f"{lrc(said):02X}".encode()
    assert body(wrap_ascii(said)) == said


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_the_answer_is_found_whatever_stands_around_it(before: bytes, behind: bytes) -> None:
    data = before + GOOD + behind
    found = find_ascii(data, WANTED)
    assert found is not None
    assert data[found.start : found.end] == GOOD


@pytest.mark.parametrize(
    "other",
    [
        framed(ASKED, wrap_ascii, unit=4),
        framed(ASKED, wrap_ascii, function=4),
        framed(ASKED, wrap_ascii, count=9),
        framed(ASKED, wrap_ascii, count=11),
        GOOD[:-1],
        GOOD[1:],
        GOOD[:9] + GOOD[11:],
        exception(2, unit=4),
        exception(2, function=4),
        wrap_ascii(bytes((3, 3, 18)) + answer_pdu(ASKED)[2:]),
        b":\r\n:03\r\n::\r\n",
        b"",
    ],
)
def test_nothing_else_is_an_answer(other: bytes) -> None:
    assert find_ascii(other, WANTED) is None


@given(st.integers(0, 10_000))
def test_one_wrong_byte_is_always_seen(seed: int) -> None:
    assert find_ascii(spoiled(GOOD, random.Random(seed)), WANTED) is None


@given(st.integers(1, len(GOOD) - 3), st.integers(0, 6))
def test_one_wrong_bit_is_never_a_wrong_value(place: int, bit: int) -> None:
    other = GOOD[:place] + bytes((GOOD[place] ^ 1 << bit,)) + GOOD[place + 1 :]
    found = find_ascii(other, WANTED)
    assert found is None or body(other[found.start : found.end]) == body(GOOD), "at most a small letter for a capital one"


def test_an_exception_is_an_answer() -> None:
    found = find_ascii(GOOD[:7] + exception(6), WANTED)
    assert found is not None
    assert (found.start, found.end) == (7, 18)


def test_strays_are_whole_answers() -> None:
    other = framed(Asked(2, 9, 4, 5, 3), wrap_ascii)
    data = b"\x00" + GOOD + b":0" + exception(2) + other + GOOD[:-3]
    assert strays_ascii(data) == (Stray(3, 3, 20), Stray(3, 3, 0), Stray(9, 4, 6))


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from((GOOD, GOOD[:-3], GOOD[3:], exception(2), b":"))), max_size=8).map(b"".join)
)
def test_strays_of_anything_are_pieces_of_it_in_order(data: bytes) -> None:
    strays, place = strays_ascii(data), 0
    for stray in strays:
        place = data.index(stray.frame, place) + len(stray.frame)
        assert body(stray.frame)[0] == stray.unit
    assert [stray.frame for stray in strays].count(GOOD) == data.count(GOOD)


@pytest.mark.parametrize(("wrap", "expect", "find"), [(wrap_rtu, expected_rtu, find_rtu), (wrap_ascii, expected_ascii, find_ascii)])
def test_the_echo_of_a_request_that_looks_like_its_answer_is_none(wrap, expect, find) -> None:  # type: ignore[no-untyped-def]
    """24 coils from 0x0300: unit, function 1, 3, and three bytes more, as the answer has them."""
    request = wrap(bytes((1, 1, 3, 0, 0, 24)))
    wanted = expect(request)
    assert wanted.size == 3
    assert find(request, wanted) is None
    answer = wrap(bytes((1, 1, 3, 0xAA, 0x55, 0x0F)))
    found = find(request + answer, wanted)
    assert (found.start, found.end) == (len(request), len(request) + len(answer))
    again = find(request + request, wanted)
    assert again.start == len(request), "the same bytes a second time are the answer"


def test_rtu_frames_are_none() -> None:
    assert find_ascii(rtu(ASKED), WANTED) is None
