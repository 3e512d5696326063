"""How long things take on a serial line. Pure.

Source: Modbus over Serial Line V1.02, 2.5.1 (RTU: frame, 11 bits a character, 3.5 characters of silence, a fixed 1.75 ms above 19200 baud)
and 2.5.2 (ASCII: two characters a byte, a colon before, CR and LF behind).
"""

from __future__ import annotations

from drivers.options import BusOptions

_FAST = 19200
"""Baud above which the silence is fixed."""
_FIXED = 0.00175
"""That silence, s."""


def databits(bus: BusOptions) -> int:
    """Data bits of one character."""
    if bus.databits is not None:
        return bus.databits
    return 7 if bus.framing == "ascii" else 8


def character(bus: BusOptions) -> float:
    """Seconds that one character takes: start bit, data, parity, stop bits."""
    return (1 + databits(bus) + (bus.parity != "N") + bus.stopbits) / bus.baud


def silence(bus: BusOptions) -> float:
    """Silence between an answer and the next request, s: as told, else what the standard says for RTU; none on TCP.

    ASCII knows no silence; the same one is kept, so that the drivers of the line can turn round.
    """
    if bus.gap is not None:
        return bus.gap
    if bus.framing == "tcp":
        return 0.0
    return _FIXED if bus.baud > _FAST else 3.5 * character(bus)


def characters(bus: BusOptions, size: int) -> int:
    """Characters of one read and its answer of `size` bytes of data."""
    return 28 + 2 * size if bus.framing == "ascii" else 13 + size
