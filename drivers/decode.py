"""Raw registers to a value and how far it may be believed. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from drivers.model import Quality, Words
from drivers.options import Register

NONE = "-"
"""The word that means 'there is none' (a context channel): NaN, and GOOD."""

MOST_TEXTS = 2000
"""Different texts of one source that are kept. A `string` register that says ever new things is no context: BAD from there on."""

_BAD = (math.nan, Quality.BAD)

CLIPS: dict[str, tuple[int, ...]] = {"u16": (0xFFFF,), "i16": (-0x8000, 0x7FFF)}
"""Ends of the short types. A measure can get there, and drives clip it there instead of letting it wrap (SINAMICS G120, Function Manual
Fieldbuses A5E34229197B, p. 134): the true value is this or more. UNCERTAIN, so that an overload is still seen. A device that means
'no value' by it says so in its map (`bad`)."""

OUT_OF_REACH: dict[str, tuple[int, ...]] = {
    "u32": (0xFFFF_FFFF,),
    "i32": (-0x8000_0000, 0x7FFF_FFFF),
    "u64": (0xFFFF_FFFF_FFFF_FFFF,),
    "i64": (-0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF),
}
"""Ends of the long types. No load, current or speed gets there at any scale in use: a device that says so has no value. BAD."""

_LARGEST = {"f32": struct.unpack(">f", b"\x7f\x7f\xff\xff")[0], "f64": struct.unpack(">d", b"\x7f\xef" + b"\xff" * 6)[0]}
"""Largest finite floats: as the ends of the long types."""


def decode(register: Register, raw: Sequence[int], words: Words) -> tuple[float, Quality]:
    """Value of one register.

    Parameters
    ----------
    raw: its registers as they came, 0..65535 each (`drivers.plan.width` of them), or one bit.
    words: where the texts of an enumerated register are kept.

    Returns
    -------
    The scaled value, or the code of its word, and GOOD; UNCERTAIN where the device's range ends (`CLIPS`, `Register.clips`); or NaN and
    BAD for a sentinel, NaN, an infinite value or one out of range. Whole numbers of 64 bits are exact up to 2^53.
    A sentinel may be written in the map as it is read by a human (-32768) or as the bits are (32768).
    """
    if register.byte_order == "little":
        raw = [(word & 0xFF) << 8 | word >> 8 for word in raw]
    if register.type == "string":
        return _text(raw, words)
    bits = raw[0]
    if len(raw) > 1:
        bits = 0
        for part in raw if register.word_order == "big" else raw[::-1]:
            bits = bits << 16 | part
    number = _number(register.type, bits)
    if bits in register.bad or number in register.bad:
        return _BAD
    quality = Quality.GOOD
    if register.bit is not None:
        number = (bits >> register.bit) & 1
    elif register.mask is not None:
        number = (bits & register.mask) >> _lowest(register.mask)
    elif number in OUT_OF_REACH.get(register.type, ()) or abs(number) == _LARGEST.get(register.type):
        return _BAD
    elif number in register.clips or bits in register.clips or number in CLIPS.get(register.type, ()):
        quality = Quality.UNCERTAIN
    if register.words and math.isfinite(number) and int(number) == number:
        word = register.words.get(str(int(number)))
        if word is not None:
            return (math.nan if word == NONE else words.code(word)), Quality.GOOD
    value = number * register.scale + register.offset
    if not math.isfinite(value):
        return _BAD
    if (register.min is not None and value < register.min) or (register.max is not None and value > register.max):
        return _BAD
    return value, quality


def _number(kind: str, bits: int) -> float:
    """The number that the bits are, before scale and offset; a whole one stays whole."""
    match kind:
        case "i16":
            return bits - 0x10000 if bits & 0x8000 else bits
        case "i32":
            return bits - (1 << 32) if bits & 0x8000_0000 else bits
        case "i64":
            return bits - (1 << 64) if bits & 0x8000_0000_0000_0000 else bits
        case "f32":
            short: float = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
            return short
        case "f64":
            long: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
            return long
        case _:
            return bits


def _lowest(mask: int) -> int:
    """Number of the lowest bit that is set."""
    return (mask & -mask).bit_length() - 1


def _text(raw: Sequence[int], words: Words) -> tuple[float, Quality]:
    """Code of a text, two characters a register, up to the first NUL; an empty one is 'none'."""
    data = b"".join(word.to_bytes(2, "big") for word in raw).partition(b"\0")[0].strip()
    if not data:
        return math.nan, Quality.GOOD
    text = data.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        return _BAD
    if text == NONE:
        return math.nan, Quality.GOOD
    if not words.knows(text) and len(words.seen()) >= MOST_TEXTS:
        return _BAD
    return words.code(text), Quality.GOOD
