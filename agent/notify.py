"""Tells systemd how the service is (sd_notify(3)): one datagram a message; nothing at all when nobody asked."""

from __future__ import annotations

import contextlib
import os
import socket


class Notify:
    """The socket that systemd named.

    Parameters
    ----------
    address: of NOTIFY_SOCKET; '' sends nothing. A leading '@' is the abstract name space.
    """

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls) -> Notify:
        """As systemd set it."""
        return cls(os.environ.get("NOTIFY_SOCKET", ""))

    def send(self, message: str) -> None:
        """READY=1, WATCHDOG=1, STOPPING=1, STATUS=...; a socket that does not take it changes nothing here."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # The loop must not wait for a manager that does not listen.
            sender.setblocking(False)
            sender.connect(self._address)
            sender.sendall(message.encode())
