from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.model import Quality, Words, word_of
from drivers.options import Register

FORMATS = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f"}


def twin(kind: str, raw: list[int], order: str) -> float:
    """What struct makes of the bytes on the wire."""
    words = raw if order == "big" else raw[::-1]
    return float(struct.unpack(">" + FORMATS[kind], b"".join(struct.pack(">H", word) for word in words))[0])


@given(
    st.sampled_from(tuple(FORMATS)),
    st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2),
    st.sampled_from(("big", "little")),
    st.sampled_from((1.0, 0.1, -2.5, 1e-3)),
    st.sampled_from((0.0, -40.0, 273.15)),
)
def test_against_struct(kind: str, raw: list[int], order: str, scale: float, offset: float) -> None:
    raw = raw[:1] if kind.endswith("16") else raw
    register = Register(name="r", type=kind, word_order=order, scale=scale, offset=offset)  # type: ignore[arg-type]
    value, quality = decode(register, raw, Words())
    right = twin(kind, raw, order) * scale + offset
    if math.isfinite(right):
        assert (value, quality) == (right, Quality.GOOD)
    else:
        assert math.isnan(value)
        assert quality == Quality.BAD


@given(st.integers(0, 0xFFFF), st.integers(0, 15))
def test_a_bit_of_a_register(raw: int, bit: int) -> None:
    assert decode(Register(name="r", bit=bit), (raw,), Words()) == (float(f"{raw:016b}"[15 - bit]), Quality.GOOD)


def test_single_bits() -> None:
    register = Register(name="r", table="coil", type="bit")
    assert [decode(register, (b,), Words())[0] for b in (0, 1)] == [0.0, 1.0]


@pytest.mark.parametrize("sentinel", [0x8000, -0x8000])
def test_a_sentinel_may_be_written_signed_or_as_bits(sentinel: int) -> None:
    register = Register(name="r", type="i16", bad=(sentinel,))
    assert decode(register, (0x8000,), Words())[1] == Quality.BAD
    assert decode(register, (0x7FFF,), Words()) == (32767.0, Quality.GOOD)


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800000, 0xFF800000, 0x7F800001])
def test_nan_and_infinite_floats_are_bad(bits: int) -> None:
    value, quality = decode(Register(name="r", type="f32"), (bits >> 16, bits & 0xFFFF), Words())
    assert math.isnan(value)
    assert quality == Quality.BAD


@pytest.mark.parametrize("bits", [0x00000001, 0x80000000, 0x00000000])
def test_denormal_and_signed_zero_floats_are_good(bits: int) -> None:
    value, quality = decode(Register(name="r", type="f32"), (bits >> 16, bits & 0xFFFF), Words())
    assert (value, quality) == (struct.unpack(">f", bits.to_bytes(4, "big"))[0], Quality.GOOD)


def test_limits_are_of_the_scaled_value_and_included() -> None:
    register = Register(name="r", type="i16", scale=0.1, min=-10.0, max=150.0)
    marks = [decode(register, (raw & 0xFFFF,), Words())[1] for raw in (-101, -100, 1500, 1501)]
    assert marks == [Quality.BAD, Quality.GOOD, Quality.GOOD, Quality.BAD]


def test_a_scale_that_overflows_is_bad() -> None:
    assert decode(Register(name="r", type="u32", scale=1e308), (0xFFFF, 0xFFFF), Words())[1] == Quality.BAD


def test_words() -> None:
    register = Register(name="mode", words={"1": "AUTOMATIC", "2": "MANUAL", "0": "-", "-1": "FAULT"}, type="i16")
    words = Words()
    values = [decode(register, (raw & 0xFFFF,), words) for raw in (2, 1, 2, 7, 0, -1)]
    assert [quality for _, quality in values] == [Quality.GOOD] * 6
    assert [word_of(value, words.seen()) for value, _ in values] == ["MANUAL", "AUTOMATIC", "MANUAL", "7", "", "FAULT"]


def test_a_word_is_of_the_raw_number() -> None:
    register = Register(name="mode", words={"3": "MEMORY"}, scale=10.0)
    words = Words()
    assert word_of(decode(register, (3,), words)[0], words.seen()) == "MEMORY"
    assert decode(register, (4,), words)[0] == 40.0
