"""The one thing that Broche writes: a coil of an own beacon, on a list that the machine file allows. Function code 5 and no other.

Every write of the whole program is a `CoilOrder`, which cannot be made for a coil that is not on its list; `pdu_of` is the only place that
makes of it what pymodbus puts on a wire, and `may_leave` lets no other bytes out, whoever made them. Why it is like that: docs/beacon.md.
Source of the frame: Modbus Application Protocol V1.1b3, 6.5 (write single coil; the answer repeats the request).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest

from drivers.plan import FUNCTION

WRITE_COIL = 5
_ON, _OFF = 0xFF00, 0x0000
_READS = frozenset(FUNCTION.values())

FLASH_ON = 0x0200
"""Waveshare relay modules: coil address of 'on for a time' for relay 0; the value counts tenths of a second (protocol V3 of the maker)."""
FLASH_COILS = 8
"""Relays that can be asked for a time: 0x0200 to 0x0207."""
LONGEST_FLASH = 60.0
"""s; a lamp that outlives the agent by more than a minute says something that nobody stands by. The frame would carry 3276.7 s."""


class NotAllowed(Exception):
    """A coil is to be written that is not on the list: a fault of the program, never of the device."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be written: these coils of this unit, and nothing else.

    Attributes
    ----------
    manner: how a lamp falls dark when nobody speaks any more. 'timed': each order lights it for a time only (Waveshare). 'watchdog': the
        coupler has a watchdog of its own, set by who installed it, that puts its outputs out.
    """

    unit: int
    coils: frozenset[int]
    manner: Literal["timed", "watchdog"]


@dataclass(frozen=True, slots=True)
class CoilOrder:
    """One order to one coil.

    Parameters
    ----------
    seconds: for which it shall be lit if no further order comes; 0: dark. Of a coupler with a watchdog only whether it is 0 matters.

    Raises
    ------
    NotAllowed: the coil is not on the list, or the time is none that a lamp may have.
    """

    allowed: AllowList
    coil: int
    seconds: float

    def __post_init__(self) -> None:
        if self.coil not in self.allowed.coils:
            raise NotAllowed(f"coil {self.coil} of unit {self.allowed.unit} is on no list")
        if self.allowed.manner == "timed" and not 0 <= self.coil < FLASH_COILS:
            raise NotAllowed(f"coil {self.coil} cannot be lit for a time")
        if not 0.0 <= self.seconds <= LONGEST_FLASH:
            raise NotAllowed(f"{self.seconds} s")

    @property
    def lit(self) -> bool:
        """Whether the lamp shall burn."""
        return self.seconds > 0

    @property
    def address(self) -> int:
        """Wire address of the write."""
        return FLASH_ON + self.coil if self.lit and self.allowed.manner == "timed" else self.coil

    @property
    def value(self) -> int:
        """The two bytes behind the address."""
        if not self.lit:
            return _OFF
        return max(1, round(10.0 * self.seconds)) if self.allowed.manner == "timed" else _ON

    @property
    def function(self) -> int:
        """Function code."""
        return WRITE_COIL

    @property
    def size(self) -> int:
        """Bytes of the answer beyond unit, function, one byte and checksum, as of a read: it is as long as the request."""
        return 3

    @property
    def pdu(self) -> bytes:
        """Function, address, value."""
        return struct.pack(">BHH", WRITE_COIL, self.address, self.value)


class _Request(WriteSingleCoilRequest):
    """Write single coil with any value: pymodbus knows on and off only."""

    def __init__(self, order: CoilOrder) -> None:
        super().__init__(address=order.address, dev_id=order.allowed.unit)
        self._value = order.value

    def encode(self) -> bytes:
        """Address and value."""
        return struct.pack(">HH", self.address, self._value)


def pdu_of(order: CoilOrder) -> ModbusPDU:
    """The one PDU of pymodbus that writes."""
    return _Request(order)


def may_leave(unit: int, pdu: bytes, order: CoilOrder | None) -> bool:
    """Whether these bytes may go out: a read, or exactly the order that is being carried out."""
    if pdu[0] in _READS:
        return order is None
    return order is not None and unit == order.allowed.unit and pdu == order.pdu
