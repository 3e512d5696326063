"""Decimal numbers of a text, thousands at a time and right to the last bit.

A recording's worth of numbers passes through here before a replay can begin; one `float()` a cell would take longer than the whole pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Eights = NDArray[np.uint64]

PAD = 16
"""Bytes that stand in front of the first cell, so that eight or sixteen bytes before the end of any cell are there."""

_U = np.uint64
ZEROS = _U(0x3030303030303030)
"""Eight digits 0; a digit xor this is its value."""
LAST = np.array([0] + [((1 << (8 * k)) - 1) << (64 - 8 * k) for k in range(1, 9)], dtype=np.uint64)
"""Mask of the last k of eight bytes."""
_TENS = np.array([float(10**k) for k in range(17)])


def eights(text: Bytes) -> Eights:
    """Every eight neighbouring bytes of a text as one number, the first of them lowest; entry i begins at byte i."""
    return np.ndarray((len(text) - 7,), "<u8", text.tobytes(), strides=(1,))


def not_digits(word: Eights) -> Eights:
    """Not zero where one of the eight bytes (xor `ZEROS`) is above nine."""
    return ((word + _U(0x7676767676767676)) | word) & _U(0x8080808080808080)


def eight_digits(word: Eights) -> Eights:
    """The value of eight digits, the first of them in the lowest byte, each as 0 to 9.

    Source: D. Lemire, "Quickly parsing eight digits" (2018): neighbours are joined by one multiplication for all pairs.
    """
    pairs = word * _U(10) + (word >> _U(8))
    low = (pairs & _U(0x000000FF000000FF)) * _U(0x000F424000000064)
    high = ((pairs >> _U(16)) & _U(0x000000FF000000FF)) * _U(0x0000271000000001)
    return (low + high) >> _U(32)


class Cells:
    """The cells of a text, each of which ends with a comma or a newline.

    Attributes
    ----------
    text: with `PAD` bytes in front.
    starts, ends: of the cells.
    newline: whether a newline ends the cell.
    """

    def __init__(self, text: bytes) -> None:
        self.text = np.frombuffer(b"0" * PAD + text, np.uint8)
        newline = self.text == ord("\n")
        point = self.text == ord(".")
        marks = np.flatnonzero(newline | point | (self.text == ord(",")))
        pointed = point[marks]
        self._points = marks[pointed]
        ending = ~pointed
        self.ends = marks[ending]
        self.starts = np.empty_like(self.ends)
        self.starts[:1] = PAD
        self.starts[1:] = self.ends[:-1] + 1
        self.newline = newline[self.ends]
        self._points_before = np.cumsum(pointed)[ending]
        self._digits = eights(self.text[~point])

    def numbers(self, which: Places) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Convert some of the cells.

        A cell of the form [-]digits[.digits] with at most 16 digits that, read as a whole number, stay below 2**53 is converted exactly:
        that number and the power of ten are both exact, so that their quotient is the nearest float64 (W. D. Clinger, "How to read floating
        point numbers accurately", PLDI 1990). Returns the values and, for each, whether the cell was of that form; values of other cells
        mean nothing.
        """
        starts, ends, points = self.starts[which], self.ends[which], self._points_before[which]
        inside = points - np.where(which > 0, self._points_before[which - 1], 0)
        negative = self.text[starts] == ord("-")
        decimals = np.zeros(len(which), np.int64)
        if len(self._points):
            decimals = np.where(inside == 1, ends - self._points[points - 1] - 1, 0)
        digits = ends - starts - inside - negative
        stops = ends - points
        last = (self._digits[stops - 8] ^ ZEROS) & LAST[np.minimum(digits, 8)]
        wrong = not_digits(last)
        whole = eight_digits(last)
        long = np.flatnonzero(digits > 8)
        if len(long):
            first = (self._digits[stops[long] - 16] ^ ZEROS) & LAST[np.minimum(digits[long] - 8, 8)]
            wrong[long] |= not_digits(first)
            whole[long] += eight_digits(first) * _U(100_000_000)
        values = whole.astype(np.float64)
        values /= _TENS[np.minimum(decimals, 16)]
        np.negative(values, out=values, where=negative)
        plain = (wrong == 0) & (digits > 0) & (digits <= 16) & (inside <= 1) & (whole <= _U(1 << 53))
        return values, plain
