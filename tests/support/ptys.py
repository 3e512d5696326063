"""The far end of a serial line: a pty whose near end keeps its path when it is pulled out and put back."""

from __future__ import annotations

import asyncio
import os
import tty
from pathlib import Path
from typing import Self


class Pty:
    """`path` is what the code under test opens; `fd` is the device's side, non-blocking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1
        self._slave = -1
        self.plug()

    def plug(self) -> None:
        """Put it (back) in."""
        self.fd, self._slave = os.openpty()
        tty.setraw(self.fd)
        tty.setraw(self._slave)
        os.set_blocking(self.fd, False)
        aside = self.path.with_name(f"{self.path.name}.new")
        aside.symlink_to(os.ttyname(self._slave))
        aside.replace(self.path)

    def unplug(self) -> None:
        """Pull it out: whoever has it open sees it hang up, and the path leads nowhere."""
        if self.fd >= 0:
            os.close(self._slave)
            os.close(self.fd)
            self.path.unlink(missing_ok=True)
        self.fd = self._slave = -1

    def write(self, data: bytes) -> None:
        """Send all of it; no more than the line takes at once."""
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                continue

    async def send(self, data: bytes) -> None:
        """As fast as the near end, on the same loop, takes it."""
        while data:
            try:
                data = data[os.write(self.fd, data[:1024]) :]
                await asyncio.sleep(0)
            except BlockingIOError:
                await asyncio.sleep(0.002)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
