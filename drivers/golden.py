"""Golden frames of a device map: an exchange that is known from a manual or a capture, read with the map. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.answer import crc16
from drivers.decode import decode
from drivers.model import Quality, Words
from drivers.options import DeviceMap, GoldenFrame, Register, Table
from drivers.plan import FUNCTION, is_bits, width

_TABLE: dict[int, Table] = {function: table for table, function in FUNCTION.items()}
_NEAR = 1e-6
"""Relative difference up to which two values are the same: a scale of 0.1 is no binary fraction."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A read as it stood on an RTU line. `data` is None where only the question is known."""

    unit: int
    table: Table
    address: int
    count: int
    data: tuple[int, ...] | None
    """`count` registers or bits."""


def exchange(frame: GoldenFrame) -> Exchange:
    """The frame taken apart.

    Raises
    ------
    ValueError: it is no read, or a checksum, a length or the two halves do not fit; says which.
    """
    request = _sound(frame.request, "request")
    if len(request) != 6 or request[1] not in _TABLE:
        raise ValueError("the request is no read (unit, function 1 to 4, address, count, checksum)")
    unit, table = request[0], _TABLE[request[1]]
    address, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    if not frame.response:
        return Exchange(unit, table, address, count, None)
    response = _sound(frame.response, "response")
    size = (count + 7) // 8 if is_bits(table) else 2 * count
    if response[:3] != bytes((unit, request[1], size)) or len(response) != 3 + size:
        raise ValueError("the response is not that to the request (unit, function, byte count)")
    body = response[3:]
    if is_bits(table):
        return Exchange(unit, table, address, count, tuple(body[i // 8] >> i % 8 & 1 for i in range(count)))
    return Exchange(unit, table, address, count, tuple(int.from_bytes(body[i : i + 2], "big") for i in range(0, size, 2)))


def covered(device: DeviceMap, known: Exchange) -> tuple[Register, ...]:
    """Registers of the map that this read takes whole."""
    end = known.address + known.count
    return tuple(r for r in device.registers if r.table == known.table and known.address <= r.address and r.address + width(r) <= end)


def values(device: DeviceMap, known: Exchange) -> dict[str, tuple[float, Quality]]:
    """What the map makes of the answer, by name of register; empty where the answer is not known."""
    data, words = known.data, Words()
    if data is None:
        return {}
    at = known.address
    return {r.name: decode(r, data[r.address - at : r.address - at + width(r)], words) for r in covered(device, known)}


def same(said: float, made: float) -> bool:
    """Whether the value that a frame says and the one that the map makes of it are the same; `nan` says that it is BAD."""
    return math.isclose(said, made, rel_tol=_NEAR, abs_tol=1e-12) or (math.isnan(said) and math.isnan(made))


def _sound(text: str, which: str) -> bytes:
    """The bytes of a frame without its checksum."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f"the {which} is not hexadecimal") from error
    if len(data) < 5 or crc16(data[:-2]) != data[-2] | data[-1] << 8:
        raise ValueError(f"the checksum of the {which} is wrong")
    return data[:-2]
