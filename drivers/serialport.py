"""A serial port that is only listened to, without blocking the loop."""

from __future__ import annotations

import asyncio
import os
import termios

import serial

from drivers.clock import Clock
from drivers.options import BusOptions
from drivers.trouble import LinkDown
from drivers.wire_time import databits

GATHER = 0.015
"""Seconds for which bytes are left to gather once the first is there: a wake-up costs more than the bytes (160 kB/s are 2400 bytes)."""

_READ = 4096
_MOST = 16
"""Reads at one wake-up; the loop has other things to do."""


class SerialPort:
    """An open port.

    Raises
    ------
    LinkDown: 'cannot_open'. Try again later.
    """

    def __init__(self, options: BusOptions, clock: Clock) -> None:
        self._clock = clock
        self._name = str(options.port)
        try:
            self._port = serial.Serial(
                self._name,
                options.baud,
                bytesize=databits_of(options),
                parity=parity_of(options),
                stopbits=options.stopbits,
                timeout=0,
                exclusive=True,
            )
        # A USB adapter that is half gone raises termios.error, which is no OSError; pyserial raises ValueError for a baud rate.
        except (OSError, ValueError, termios.error) as error:
            raise LinkDown("cannot_open", f"{self._name}: {error}") from error
        self._fd: int = self._port.fileno()

    async def read(self) -> bytes:
        """Wait for bytes, let some more gather, and return them.

        Raises
        ------
        LinkDown: 'closed'. The other end, or the adapter, is gone.
        """
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            # Left in place, it would fire all the time while bytes gather.
            loop.remove_reader(self._fd)
        await self._clock.sleep(GATHER)
        parts: list[bytes] = []
        for _ in range(_MOST):
            try:
                part = os.read(self._fd, _READ)
            except BlockingIOError:
                break
            except OSError as error:
                raise LinkDown("closed", f"{self._name}: {error}") from error
            if not part and not parts:
                raise LinkDown("closed", f"{self._name}: end of file")
            parts.append(part)
            if len(part) < _READ:
                break
        return b"".join(parts)

    def fileno(self) -> int:
        """Its descriptor, non-blocking."""
        return self._fd

    def close(self) -> None:
        """Close it; a port that is gone already is no trouble."""
        try:
            self._port.close()
        except (OSError, termios.error):
            return


def parity_of(options: BusOptions) -> str:
    """Parity to open the port with. A pty has none, and the C library refuses to set it (EINVAL)."""
    return "N" if _is_pty(options) else options.parity


def databits_of(options: BusOptions) -> int:
    """Data bits to open the port with. A pty has 8, and the C library refuses 7 (EINVAL)."""
    return 8 if _is_pty(options) else databits(options)


def _is_pty(options: BusOptions) -> bool:
    return os.path.realpath(str(options.port)).startswith("/dev/pts/")
