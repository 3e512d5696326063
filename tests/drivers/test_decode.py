from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode import MOST_TEXTS, decode
from drivers.model import Quality, Words, word_of
from drivers.options import Register
from drivers.plan import width
from tests.naive import decode as naive

FORMATS = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}
WHOLE = tuple(kind for kind in FORMATS if kind[0] in "ui")
ORDERS = st.sampled_from(("big", "little"))
TELLING = st.sampled_from((0, 1, 0x7F, 0x80, 0xFF, 0x7F80, 0x7FC0, 0x7F7F, 0x7FEF, 0x7FF0, 0x7FFF, 0x8000, 0x8001, 0xFF7F, 0xFFFE, 0xFFFF))
"""Registers of which floats, sentinels and the ends of types are made."""
WORDS16 = st.one_of(st.integers(0, 0xFFFF), TELLING)


def registers_of(bits: int, kind: str, word_order: str = "big", byte_order: str = "big") -> list[int]:
    """The registers that say `bits`."""
    n = width(Register(name="r", type=kind))  # type: ignore[arg-type]
    words = [bits >> 16 * (n - 1 - i) & 0xFFFF for i in range(n)]
    words = words if word_order == "big" else words[::-1]
    return words if byte_order == "big" else [struct.unpack("<H", struct.pack(">H", word))[0] for word in words]


@st.composite
def a_register(draw: st.DrawFn) -> tuple[Register, list[int]]:
    kind = draw(st.sampled_from(tuple(FORMATS)))
    n = width(Register(name="r", type=kind))  # type: ignore[arg-type]
    raw = draw(st.lists(WORDS16, min_size=n, max_size=n))
    marks = st.lists(st.one_of(st.sampled_from(raw), st.integers(-0x8000, 0xFFFF_FFFF)), max_size=2)
    low = draw(st.one_of(st.none(), st.integers(-40_000, 40_000)))
    bit = draw(st.one_of(st.none(), st.integers(0, 15))) if kind == "u16" else None
    mask = draw(st.one_of(st.none(), st.integers(1, 2 ** (16 * n) - 1))) if kind[0] == "u" and bit is None else None
    register = Register(
        name="r",
        type=kind,  # type: ignore[arg-type]
        word_order=draw(ORDERS),
        byte_order=draw(ORDERS),
        scale=draw(st.sampled_from((1.0, 0.1, -2.5, 1e-3, 1e306))),
        offset=draw(st.sampled_from((0.0, -40.0, 273.15))),
        bad=tuple(draw(marks)),
        clips=tuple(draw(marks)),
        min=low,
        max=None if low is None else low + draw(st.integers(1, 80_000)),
        bit=bit,
        mask=mask,
    )
    return register, raw


@settings(max_examples=400)
@given(a_register())
def test_against_the_twin(case: tuple[Register, list[int]]) -> None:
    register, raw = case
    value, quality = decode(register, raw, Words())
    mark, right = naive.judge(register, raw)
    assert quality.name.lower() == mark
    assert value == right or (math.isnan(value) and math.isnan(right))


@given(st.sampled_from(tuple(FORMATS)), st.integers(0, 2**64 - 1), ORDERS, ORDERS)
def test_what_struct_packs_is_read_back(kind: str, seed: int, word_order: str, byte_order: str) -> None:
    n = width(Register(name="r", type=kind))  # type: ignore[arg-type]
    bits = seed % 2 ** (16 * n)
    right = float(struct.unpack(">" + FORMATS[kind], bits.to_bytes(2 * n, "big"))[0])
    register = Register(name="r", type=kind, word_order=word_order, byte_order=byte_order)  # type: ignore[arg-type]
    value, quality = decode(register, registers_of(bits, kind, word_order, byte_order), Words())
    if quality == Quality.BAD:
        assert math.isnan(value)
        assert math.isnan(right) or abs(right) > 2e9
    else:
        assert value == right


@given(st.integers(0, 0xFFFF), st.integers(0, 15))
def test_a_bit_of_a_register(raw: int, bit: int) -> None:
    assert decode(Register(name="r", bit=bit), (raw,), Words()) == (float(f"{raw:016b}"[15 - bit]), Quality.GOOD)


def test_a_field_of_bits_is_moved_down() -> None:
    register = Register(name="digits", mask=0xFF00)
    assert decode(register, (0x02A7,), Words()) == (2.0, Quality.GOOD)
    gear = Register(name="gear", mask=0x00F0, words={"1": "LOW", "2": "HIGH"})
    words = Words()
    assert word_of(decode(gear, (0xFF2F,), words)[0], words.seen()) == "HIGH"
    assert decode(Register(name="r", mask=0xFFFF), (0xFFFF,), Words()) == (65535.0, Quality.GOOD)


def test_single_bits() -> None:
    register = Register(name="r", table="coil", type="bit")
    assert [decode(register, (b,), Words())[0] for b in (0, 1)] == [0.0, 1.0]


@pytest.mark.parametrize("sentinel", [0x8000, -0x8000])
def test_a_sentinel_may_be_written_signed_or_as_bits(sentinel: int) -> None:
    register = Register(name="r", type="i16", bad=(sentinel,))
    assert decode(register, (0x8000,), Words())[1] == Quality.BAD
    assert decode(register, (0x7FFE,), Words()) == (32766.0, Quality.GOOD)


def test_a_sentinel_of_64_bits_is_exact() -> None:
    register = Register(name="r", type="u64", bad=(2**63 + 1,))
    assert decode(register, registers_of(2**63 + 1, "u64"), Words())[1] == Quality.BAD
    assert decode(register, registers_of(2**63, "u64"), Words())[1] == Quality.GOOD


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800000, 0xFF800000, 0x7F800001, 0x7F7FFFFF, 0xFF7FFFFF])
def test_nan_infinite_and_largest_floats_are_bad(bits: int) -> None:
    for register in (Register(name="r", type="f32"), Register(name="r", type="f32", words={"0": "AUTOMATIC"})):
        value, quality = decode(register, (bits >> 16, bits & 0xFFFF), Words())
        assert math.isnan(value)
        assert quality == Quality.BAD


@pytest.mark.parametrize("bits", [0x00000001, 0x80000000, 0x00000000])
def test_denormal_and_signed_zero_floats_are_good(bits: int) -> None:
    value, quality = decode(Register(name="r", type="f32"), (bits >> 16, bits & 0xFFFF), Words())
    assert (value, quality) == (struct.unpack(">f", bits.to_bytes(4, "big"))[0], Quality.GOOD)


@pytest.mark.parametrize(
    ("kind", "bits", "quality"),
    [
        ("u16", 0xFFFF, Quality.UNCERTAIN),
        ("u16", 0xFFFE, Quality.GOOD),
        ("u16", 0, Quality.GOOD),
        ("i16", 0x7FFF, Quality.UNCERTAIN),
        ("i16", 0x8000, Quality.UNCERTAIN),
        ("i16", 0xFFFF, Quality.GOOD),
        ("u32", 0xFFFF_FFFF, Quality.BAD),
        ("i32", 0x7FFF_FFFF, Quality.BAD),
        ("i32", 0x8000_0000, Quality.BAD),
        ("i32", 0xFFFF_FFFF, Quality.GOOD),
        ("u64", 2**64 - 1, Quality.BAD),
        ("i64", 2**63 - 1, Quality.BAD),
    ],
)
def test_the_end_of_a_short_type_is_this_or_more_that_of_a_long_one_is_no_value(kind: str, bits: int, quality: Quality) -> None:
    assert decode(Register(name="r", type=kind), registers_of(bits, kind), Words())[1] == quality  # type: ignore[arg-type]


def test_where_a_device_clips_the_value_stands_and_is_uncertain() -> None:
    current = Register(name="current", scale=0.01, clips=(0x3FFF,))
    assert decode(current, (0x3FFF,), Words()) == (163.83, Quality.UNCERTAIN)
    assert decode(current, (0x3FFE,), Words()) == (163.82, Quality.GOOD)


def test_limits_are_of_the_scaled_value_and_included() -> None:
    register = Register(name="r", type="i16", scale=0.1, min=-10.0, max=150.0)
    marks = [decode(register, (raw & 0xFFFF,), Words())[1] for raw in (-101, -100, 1500, 1501)]
    assert marks == [Quality.BAD, Quality.GOOD, Quality.GOOD, Quality.BAD]


def test_a_scale_that_overflows_is_bad() -> None:
    assert decode(Register(name="r", type="u32", scale=1e308), (0xFFFF, 0xFFF0), Words())[1] == Quality.BAD


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


def text(register: Register, data: bytes) -> tuple[str, Quality]:
    words = Words()
    raw = struct.unpack(f">{register.length}H", data.ljust(2 * register.length, b"\0"))
    if register.byte_order == "little":
        raw = struct.unpack(f"<{register.length}H", data.ljust(2 * register.length, b"\0"))
    value, quality = decode(register, raw, words)
    return word_of(value, words.seen()), quality


@pytest.mark.parametrize("byte_order", ["big", "little"])
def test_texts(byte_order: str) -> None:
    register = Register(name="program", type="string", length=4, byte_order=byte_order)  # type: ignore[arg-type]
    assert text(register, b"O1234") == ("O1234", Quality.GOOD)
    assert text(register, b"  T0303 ") == ("T0303", Quality.GOOD)
    assert text(register, b"AB\0CDEF\0") == ("AB", Quality.GOOD)
    assert text(register, b"") == text(register, b"    ") == text(register, b"-") == ("", Quality.GOOD)
    assert text(register, b"\xff\xff\xff\xff") == text(register, b"A\x07") == ("", Quality.BAD)


def test_a_register_that_says_ever_new_texts_does_not_fill_the_memory() -> None:
    register, words = Register(name="noise", type="string", length=2), Words()
    for i in range(MOST_TEXTS):
        assert decode(register, struct.unpack(">2H", b"%04d" % i), words)[1] == Quality.GOOD
    assert decode(register, struct.unpack(">2H", b"more"), words)[1] == Quality.BAD
    assert decode(register, struct.unpack(">2H", b"0007"), words)[1] == Quality.GOOD
    assert len(words.seen()) == MOST_TEXTS
