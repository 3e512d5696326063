"""A serial port of the shop: a pty whose slave side the client opens by a stable path, as often as it likes."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path

READ = 4096


class PtyPort:
    """`path` is a symbolic link to the slave side. `received` gets what the client sends, on the loop."""

    def __init__(self, path: Path, received: Callable[[bytes], None]) -> None:
        self.path = path
        self._received = received
        self._master = self._slave = -1

    @property
    def is_open(self) -> bool:
        """Plugged in."""
        return self._master >= 0

    def open(self) -> None:
        """Plug in: on the running loop. One descriptor of the slave side stays open, so that no client's going hangs the line up."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))

    def close(self) -> None:
        """Unplug: the client sees its port hang up."""
        if not self.is_open:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> bool:
        """Send; False where the client does not read and not all of it found room (what found room is gone: a line keeps nothing)."""
        if not self.is_open:
            return False
        try:
            return os.write(self._master, data) == len(data)
        except BlockingIOError:
            return False

    def forget(self) -> None:
        """Drop what no client has read: a sensor's old samples are not kept for whoever comes next."""
        if self.is_open:
            termios.tcflush(self._slave, termios.TCIFLUSH)

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ)
        except BlockingIOError:
            return
        if data:
            self._received(data)
