"""The nouns that leave the ground floor: Readings, Waveform, Quality, Words.

One Readings object is a block of rows of one source on one time axis: one row when live, thousands in a replay. There is no object per
value anywhere on the pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Marks = NDArray[np.uint8]


class Quality(IntEnum):
    """How far a value may be believed; larger is worse. Only GOOD and UNCERTAIN values may be judged."""

    GOOD = 0
    UNCERTAIN = 1
    """Plausible, but the wire could not prove it (a frame without a checksum)."""
    BAD = 2
    """The device answered, and the answer is not a value: sentinel, NaN, infinite, out of range."""
    UNAVAILABLE = 3
    """The device or the source is lost, or said that it has no value."""
    ABSENT = 4
    """Nothing was read at this time. Says nothing about the channel: the value read before still holds for as long as it may."""


UNCERTAIN = int(Quality.UNCERTAIN)
"""The worst quality that may be judged, as a bare number: an array compares with it in a third of the time."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Rows of one source.

    Attributes
    ----------
    source: name of the source in the machine file (a recording: its folder's name).
    channels: names, one a column.
    time: (n,) seconds, ascending; UTC since 1970 when live, as written when replayed.
    values: (n, channels) in the unit of the channel; NaN wherever quality is worse than UNCERTAIN. A context channel holds either a
        number or a word: word i of `words` is stored as -(i + 1); 'there is none' is NaN with quality GOOD.
    quality: (n, channels) of `Quality`.
    words: texts that context values refer to; a source only ever appends to them.
    """

    source: str
    channels: tuple[str, ...]
    time: Floats
    values: Floats
    quality: Marks
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waveform:
    """A block of equally spaced samples of one vibration channel.

    Attributes
    ----------
    source, channel: where it comes from; the channel's name in the machine file.
    start: time of the first sample, same axis as Readings.time.
    rate: samples per second and axis, Hz.
    samples: (n, axes) int16 counts or float32.
    scale: `unit` per count (1.0 for float32).
    unit: "g" or "m/s2".
    quality: of the whole block.
    lost: samples missing between the block before and this one (0: none).
    """

    source: str
    channel: str
    start: float
    rate: float
    samples: NDArray[np.int16] | NDArray[np.float32]
    scale: float
    unit: str
    quality: Quality
    lost: int


class Words:
    """The texts of one source, in the order in which they were first seen."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        self._words = list(words)
        self._code = {word: -float(i + 1) for i, word in enumerate(words)}
        self._seen = words

    def code(self, word: str) -> float:
        """The number that stands for `word` in Readings.values."""
        code = self._code.get(word)
        if code is None:
            self._words.append(word)
            code = self._code[word] = -float(len(self._words))
        return code

    def knows(self, word: str) -> bool:
        """Whether `word` was seen before."""
        return word in self._code

    def seen(self) -> tuple[str, ...]:
        """All words so far, to go into Readings.words."""
        if len(self._seen) != len(self._words):
            self._seen = tuple(self._words)
        return self._seen


def word_of(value: float, words: tuple[str, ...]) -> str:
    """A context value as text: its word, its number without a needless fraction, or '' where there is none."""
    if value != value:
        return ""
    if value < 0 and float(value).is_integer() and -int(value) <= len(words):
        return words[-int(value) - 1]
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def lost_row(source: str, channels: tuple[str, ...], time: float, words: tuple[str, ...] = ()) -> Readings:
    """One row that says: every channel of this source is unavailable from `time` on."""
    shape = (1, len(channels))
    return Readings(
        source,
        channels,
        np.array([time]),
        np.full(shape, np.nan),
        np.full(shape, Quality.UNAVAILABLE, dtype=np.uint8),
        words,
    )
