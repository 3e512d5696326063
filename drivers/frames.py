"""Parser kernels of the serial streams: COBS frames with a checksum, and WIT frames: 55 50 to 55 5A with one, 55 61 without.

Both look at all bytes that are there and say how many they are done with; the caller keeps the rest and puts the next bytes behind it.
Formats: docs/stream-frame.md; config/devices/wit_5561.toml and wit_classic.toml. Importing this module compiles or loads machine
code: do it in a thread.
"""

from __future__ import annotations

from drivers import jit  # isort: skip  # before numba

import numba as nb
import numpy as np

BAD, DUPLICATE, RESTART, EXPECTED, STARTED = range(5)
"""Places in the state of `cobs`, which the caller starts as zeros and otherwise only reads: damaged frames, frames that came twice, jumps
back of the sequence (the device started anew), next sequence number, whether there was a frame yet."""

REFUSED, IN_STEP = range(2)
"""Places in the state of `wit`, which the caller starts as zeros: frames that were refused as implausible, damaged or cut; whether a frame
ended right where the bytes go on."""

VERSION = 1
LONGEST = 254
"""Bytes of the longest COBS frame without its delimiter: 253 of payload and one code byte."""

REPEATS = 16
"""Frames by which a sequence number may lie back and still be a repetition rather than a new start."""

WIT_FRAME = 32
WIT_WORDS = 13
"""int16 words of a 55 61 frame that mean something, from offset 2 on."""
WIT_CLASSIC = 11
WIT_CLASSIC_WORDS = 4
"""Bytes of a frame 55 50 to 55 5A: header, four int16 words, and the sum of these ten bytes."""

_BYTES = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_COBS = nb.types.UniTuple(nb.int64, 2)(_BYTES, nb.int64, nb.int64[::1], nb.int16[:, ::1], nb.int64[:, ::1])  # type: ignore[no-untyped-call]
_WIT = nb.types.UniTuple(nb.int64, 2)(_BYTES, nb.int64, nb.int64[:, ::1], nb.int64[::1], nb.int16[:, ::1])  # type: ignore[no-untyped-call]


def _crc_tables() -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Row r: what a byte does to the checksum when r more bytes follow it."""
    tables = np.zeros((4, 256), np.uint16)
    for byte in range(256):
        crc = byte << 8
        for row in range(4):
            for _ in range(8):
                crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
            tables[row, byte] = crc
    return tables


_CRC = _crc_tables()


@nb.njit([nb.int64(nb.uint8[::1], nb.int64)], **jit.options())
def _crc16(data, n):  # type: ignore[no-untyped-def]
    """CRC-16/CCITT-FALSE of the first n bytes, four at a time."""
    crc = np.int64(0xFFFF)
    k = 0
    while k + 4 <= n:
        high = np.int64(data[k]) ^ (crc >> 8)
        low = np.int64(data[k + 1]) ^ (crc & 0xFF)
        crc = np.int64(_CRC[3, high] ^ _CRC[2, low] ^ _CRC[1, data[k + 2]] ^ _CRC[0, data[k + 3]])
        k += 4
    while k < n:
        crc = ((crc << 8) & 0xFFFF) ^ np.int64(_CRC[0, (crc >> 8) ^ np.int64(data[k])])
        k += 1
    return crc


@nb.njit([_COBS], **jit.options())
def cobs(data, axes, state, samples, frames):  # type: ignore[no-untyped-def]
    """Take the good frames out of `data`.

    Parameters
    ----------
    data: (n,) uint8, all bytes since the last delimiter that was done with.
    axes: that a frame must have.
    state: (5,) int64; see BAD ... STARTED.
    samples: (m, axes) int16, out: samples of all good frames end to end; m >= n / 2.
    frames: (k, 4) int64, out, one row a good frame: first row in `samples`, samples per axis, frames missing before it (-1: the device
        started anew), index in `data` behind its delimiter; k >= n / 11.

    Returns
    -------
    Good frames, and bytes done with (up to and with the last delimiter).

    Source of the frame: docs/stream-frame.md. CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, most significant bit first.
    """
    payload = np.empty(LONGEST, np.uint8)
    n = data.shape[0]
    start = 0
    good = 0
    filled = 0
    for i in range(n):
        if data[i] != 0:
            continue
        length = i - start
        first = start
        start = i + 1
        if length == 0:
            continue
        if length > LONGEST:
            state[BAD] += 1
            continue
        # Unstuff: each code byte says how far the next zero is; the last points at the delimiter.
        m = 0
        at = first
        while at < i:
            stop = at + int(data[at])
            if stop > i:
                break
            for k in range(at + 1, stop):
                payload[m] = data[k]
                m += 1
            at = stop
            if at < i:
                payload[m] = 0
                m += 1
        if at != i or m < 7:
            state[BAD] += 1
            continue
        count = int(payload[4])
        if payload[0] != VERSION or int(payload[3]) != axes or count == 0 or m != 7 + 2 * axes * count:
            state[BAD] += 1
            continue
        if _crc16(payload, m - 2) != np.int64(payload[m - 2]) + 256 * np.int64(payload[m - 1]):
            state[BAD] += 1
            continue
        sequence = int(payload[1]) + 256 * int(payload[2])
        missing = 0
        if state[STARTED] != 0:
            missing = int(sequence - state[EXPECTED]) & 0xFFFF
            if missing >= 0x10000 - REPEATS:
                state[DUPLICATE] += 1
                continue
            if missing >= 0x8000:
                missing = -1
                state[RESTART] += 1
        state[STARTED] = 1
        state[EXPECTED] = (sequence + 1) & 0xFFFF
        k = 5
        for row in range(filled, filled + count):
            for axis in range(axes):
                samples[row, axis] = np.int16(np.int64(payload[k]) + 256 * np.int64(payload[k + 1]))
                k += 2
        frames[good, 0] = filled
        frames[good, 1] = count
        frames[good, 2] = missing
        frames[good, 3] = i + 1
        filled += count
        good += 1
    return good, start


@nb.njit([nb.boolean(_BYTES, nb.int64)], **jit.options())
def _header(data, at):  # type: ignore[no-untyped-def]
    """Whether a frame of this family begins at `at`; 55 71 is the answer to a question that somebody else asked."""
    kind = data[at + 1]
    return data[at] == 0x55 and (0x50 <= kind <= 0x5A or kind == 0x61 or kind == 0x71)


@nb.njit([_WIT], **jit.options())
def wit(data, quiet, limits, state, words):  # type: ignore[no-untyped-def]
    """Take the frames that can be believed out of `data`; both kinds may come on one line.

    55 61 has no checksum: such a frame counts if every word lies within its limits, and if the next frame begins right behind it or the
    line fell silent there. 55 50 to 55 5A have the sum of their bytes, which 1 damage in 256 passes: behind a frame that counted the sum
    is enough; out of step the next frame must begin behind it as well, or the line be silent.

    Parameters
    ----------
    data: (n,) uint8, all bytes that were not done with.
    quiet: 1: behind the last byte the line was silent, as far as one knows; 0: it was not.
    limits: (2, 13) int64, lowest and highest value of each word of a 55 61 frame as it is written (signed), both included.
    state: (2,) int64; see REFUSED and IN_STEP.
    words: (m, 14) int16, out, one row a frame: its words, of which a classic one has four, and last its second byte; m >= n / 11. (One
        array for both: unpacking an argument costs as much as a frame.)

    Returns
    -------
    Frames, and bytes done with.
    """
    n = data.shape[0]
    at = 0
    good = 0
    while at + 1 < n:
        kind = np.int64(data[at + 1])
        classic = 0x50 <= kind <= 0x5A
        if data[at] != 0x55 or not (classic or kind == 0x61):
            state[IN_STEP] = 0
            at += 1
            continue
        end = at + (WIT_CLASSIC if classic else WIT_FRAME)
        if end > n:
            break
        if (classic and state[IN_STEP] != 0) or (end == n and quiet != 0):
            plausible = True
        elif end + 1 >= n:
            break
        else:
            plausible = _header(data, end)
        if classic:
            total = np.int64(0)
            for k in range(at, end - 1):
                total += np.int64(data[k])
            plausible = plausible and (total & 0xFF) == data[end - 1]
            for k in range(WIT_CLASSIC_WORDS):
                words[good, k] = np.int16(np.int64(data[at + 2 + 2 * k]) + 256 * np.int64(data[at + 3 + 2 * k]))
        else:
            for k in range(WIT_WORDS):
                word = np.int16(np.int64(data[at + 2 + 2 * k]) + 256 * np.int64(data[at + 3 + 2 * k]))
                words[good, k] = word
                plausible = plausible and limits[0, k] <= word <= limits[1, k]
        if not plausible:
            state[REFUSED] += 1
            state[IN_STEP] = 0
            at += 1
            continue
        state[IN_STEP] = 1
        words[good, WIT_WORDS] = kind
        good += 1
        at = end
    # A frame of another kind, or half a header, may be the beginning of one of ours.
    return good, at
