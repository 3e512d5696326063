"""The slow, obvious twin of drivers/decode.py: bits as a string of '0' and '1', IEEE 754 by its definition, quality by a list of rules."""

from __future__ import annotations

import math
from fractions import Fraction

from drivers.options import Register

EXPONENT = {"f32": 8, "f64": 11}


def bits_of(register: Register, raw: list[int]) -> str:
    """All bits, the most significant first."""
    registers = []
    for word in raw:
        high, low = f"{word:016b}"[:8], f"{word:016b}"[8:]
        registers.append(high + low if register.byte_order == "big" else low + high)
    return "".join(registers if register.word_order == "big" else reversed(registers))


def floating(bits: str, exponent_bits: int) -> float:
    """IEEE 754-2019, 3.4: sign, biased exponent, fraction."""
    sign = -1 if bits[0] == "1" else 1
    exponent, fraction = bits[1 : 1 + exponent_bits], bits[1 + exponent_bits :]
    bias = 2 ** (exponent_bits - 1) - 1
    part = Fraction(int(fraction, 2), 2 ** len(fraction))
    if set(exponent) == {"1"}:
        return math.nan if "1" in fraction else sign * math.inf
    if set(exponent) == {"0"}:
        return float(sign * part * Fraction(2) ** (1 - bias))
    return float(sign * (1 + part) * Fraction(2) ** (int(exponent, 2) - bias))


def number_of(register: Register, bits: str) -> float:
    """The plain number: unsigned by the place of its digits, signed by two's complement."""
    if register.type in EXPONENT:
        return floating(bits, EXPONENT[register.type])
    total = sum(2**place for place, digit in enumerate(reversed(bits)) if digit == "1")
    return total - 2 ** len(bits) if register.type[0] == "i" and bits[0] == "1" else total


def judge(register: Register, raw: list[int]) -> tuple[str, float]:
    """('bad', nan), ('uncertain' or 'good', value) for a register without words."""
    bits = bits_of(register, raw) if register.type != "bit" else f"{raw[0]:016b}"
    number = number_of(register, bits)
    if any(sentinel in (number, int(bits, 2)) for sentinel in register.bad):
        return "bad", math.nan
    mark = "good"
    if register.bit is not None:
        number = int(bits[-1 - register.bit])
    elif register.mask is not None:
        mask = f"{register.mask:0{len(bits)}b}"
        taken = ["1" if mine == wanted == "1" else "0" for mine, wanted in zip(bits, mask, strict=True)]
        zeros = len(mask) - len(mask.rstrip("0"))
        number = int("".join(taken[: len(taken) - zeros]), 2)
    else:
        whole = register.type[0] in "ui"
        at_end = whole and (set(bits) == {"1"} if register.type[0] == "u" else set(bits[1:]) in ({"0"}, {"1"}) and bits[0] != bits[1])
        exponent_bits = EXPONENT.get(register.type, 0)
        largest = not whole and bits[1:] == "1" * (exponent_bits - 1) + "0" + "1" * (len(bits) - 1 - exponent_bits)
        if largest or (at_end and len(bits) > 16):
            return "bad", math.nan
        if at_end or any(end in (number, int(bits, 2)) for end in register.clips):
            mark = "uncertain"
    value = number * register.scale + register.offset
    if math.isnan(value) or math.isinf(value):
        return "bad", math.nan
    low = -math.inf if register.min is None else register.min
    high = math.inf if register.max is None else register.max
    return (mark, value) if low <= value <= high else ("bad", math.nan)
