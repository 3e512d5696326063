"""Makes a screenshot small enough for a repository: 256 colours, best compression."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Pixels = NDArray[np.uint8]


def small(data: bytes) -> bytes:
    """The same picture of 8-bit RGB or RGBA with the 256 colours that occur most; every other becomes the nearest of them."""
    pixels = read(data)
    flat = pixels.reshape(-1, 3)
    colours, index, count = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
    kept = np.argsort(-count, kind="stable")[:256]
    distance = ((colours[:, None, :].astype(np.int32) - colours[kept][None, :, :].astype(np.int32)) ** 2).sum(axis=2)
    nearest = distance.argmin(axis=1).astype(np.uint8)
    image = nearest[index.reshape(-1)].reshape(pixels.shape[:2])
    raw = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours[kept].tobytes()), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def read(data: bytes) -> Pixels:
    """Pixels of an 8-bit RGB or RGBA picture without interlacing (PNG specification, third edition, section 9)."""
    chunks: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    size = {2: 3, 6: 4}[colour] if depth == 8 else 0
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * size)
    out = np.zeros((height + 1, width * size), np.uint8)
    for y in range(height):
        _unfilter(int(rows[y, 0]), rows[y, 1:], out[y], out[y + 1], size)
    picture: Any = out[1:].reshape(height, width, size)[:, :, :3]
    return np.ascontiguousarray(picture)


def _unfilter(kind: int, line: Pixels, above: Pixels, out: Pixels, size: int) -> None:
    if kind == 0:
        out[:] = line
    elif kind == 2:
        out[:] = line + above
    else:
        left, up, corner = [0] * size, above.tolist(), [0] * size + above.tolist()
        values = left
        for i, value in enumerate(line.tolist()):
            a, b, c = values[i], up[i], corner[i]
            guess = a if kind == 1 else (a + b) // 2 if kind == 3 else _paeth(a, b, c)
            values.append((value + guess) & 255)
        out[:] = values[size:]


def _paeth(a: int, b: int, c: int) -> int:
    guess = a + b - c
    return min((abs(guess - a), 0, a), (abs(guess - b), 1, b), (abs(guess - c), 2, c))[2]
