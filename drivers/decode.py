"""Raw registers to a value and how far it may be believed. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from drivers.model import Quality, Words
from drivers.options import Register

NONE = "-"
"""The word that means 'there is none' (a context channel): NaN, and GOOD."""

_BAD = (math.nan, Quality.BAD)


def decode(register: Register, raw: Sequence[int], words: Words) -> tuple[float, Quality]:
    """Value of one register.

    Parameters
    ----------
    raw: its registers as they came, 0..65535 each (one for 16 bits, two for 32 bits), or one bit.
    words: where the texts of an enumerated register are kept.

    Returns
    -------
    The scaled value, or the code of its word, and GOOD; or NaN and BAD for a sentinel, NaN, an infinite value or one out of range.
    A sentinel may be written in the map as it is read by a human (-32768) or as the bits are (32768).
    """
    bits = raw[0]
    if register.type in {"u32", "i32", "f32"}:
        bits = (raw[0] << 16) | raw[1] if register.word_order == "big" else (raw[1] << 16) | raw[0]
    number = _number(register, bits)
    if bits in register.bad or number in register.bad:
        return _BAD
    if register.words and number.is_integer():
        word = register.words.get(str(int(number)))
        if word is not None:
            return (math.nan if word == NONE else words.code(word)), Quality.GOOD
    value = number * register.scale + register.offset
    if not math.isfinite(value):
        return _BAD
    if (register.min is not None and value < register.min) or (register.max is not None and value > register.max):
        return _BAD
    return value, Quality.GOOD


def _number(register: Register, bits: int) -> float:
    """The number that the bits are, before scale and offset."""
    if register.bit is not None:
        return float((bits >> register.bit) & 1)
    match register.type:
        case "i16":
            return float(bits - 0x10000 if bits & 0x8000 else bits)
        case "i32":
            return float(bits - 0x1_0000_0000 if bits & 0x8000_0000 else bits)
        case "f32":
            number: float = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
            return number
        case _:
            return float(bits)
