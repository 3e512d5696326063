"""How other threads wake the publisher's thread out of its wait for the broker."""

from __future__ import annotations

import contextlib
import os
import threading


class Wake:
    """An eventfd that can be signalled at any time, also after it was closed: then nothing happens."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()

    def signal(self) -> None:
        """End the present wait, or the next."""
        with self._lock:
            if self.fd >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        """Called by the thread that was woken."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.fd)

    def close(self) -> None:
        """Once the thread has ended."""
        with self._lock:
            if self.fd >= 0:
                os.close(self.fd)
            self.fd = -1
