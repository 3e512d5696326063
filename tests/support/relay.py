"""A relay module as Waveshare's protocol V3 describes it, that keeps every request it ever got: over TCP or on a pty, in its own thread.

It also answers every read with zeros, so that anything may be polled on it.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from drivers.simulate.modbus import RtuRequests, TcpRequests, rtu_frame, tcp_frame
from tests.support.ptys import Pty

VERSION = 200
PATIENCE = 60.0


class Relay:
    """The module itself.

    Parameters
    ----------
    firmware: False: it refuses to tell its version, as a drive would.
    unit: the one that has relays; others answer reads only.
    obeys: whether a relay does what it is told.

    Attributes
    ----------
    refuses: coils whose orders are refused.
    """

    def __init__(self, unit: int = 3, *, firmware: bool = True, obeys: bool = True, value: int = 0) -> None:
        self.unit = unit
        self.firmware = firmware
        self.obeys = obeys
        self.value = value
        self.refuses: set[int] = set()
        self.asked: list[tuple[int, bytes]] = []
        self._until: dict[int, float] = {}
        self.news = threading.Condition()

    def lit(self, coil: int) -> bool:
        """Whether the lamp burns now."""
        return time.monotonic() < self._until.get(coil, 0.0)

    def wait(self, what: Callable[[], object], why: str) -> None:
        """Until something is so; told at each request, and looked at now and then for what time alone does."""
        end = time.monotonic() + PATIENCE
        with self.news:
            while not what():
                assert time.monotonic() < end, f"{why}; asked: {self.asked[-6:]}"
                self.news.wait(0.05)

    def writes(self) -> list[tuple[int, bytes]]:
        """Everything that was no read."""
        return [(unit, pdu) for unit, pdu in list(self.asked) if pdu[0] not in (1, 2, 3, 4)]

    def answer(self, unit: int, pdu: bytes) -> bytes:
        with self.news:
            self.asked.append((unit, pdu))
            self.news.notify_all()
        function, address, value = pdu[0], *struct.unpack(">HH", pdu[1:5])
        if function == 5 and address & 0xFF in self.refuses:
            return bytes((function | 0x80, 2))
        if function == 5 and unit == self.unit:
            if address >= 0x0200:
                self._until[address - 0x0200] = time.monotonic() + value / 10.0 if self.obeys else 0.0
            else:
                self._until[address] = (1e12 if value == 0xFF00 else 0.0) if self.obeys else 0.0
            return pdu
        if function in (1, 2):
            bits = [self.lit(address + i) and unit == self.unit for i in range(value)]
            packed = bytes(sum(bit << k for k, bit in enumerate(bits[i : i + 8])) for i in range(0, value, 8))
            return bytes((function, len(packed))) + packed
        if function in (3, 4):
            if address >= 0x8000 and not self.firmware:
                return bytes((function | 0x80, 2))
            return bytes((function, 2 * value)) + struct.pack(">H", VERSION if address == 0x8000 else self.value) * value
        return bytes((function | 0x80, 1))


class TcpRelay(Relay):
    """Over Modbus TCP on loopback."""

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for one in self._open:
            one.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._open.append(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        requests = TcpRequests()
        with client:
            while True:
                try:
                    data = client.recv(4096)
                except OSError:
                    return
                if not data:
                    return
                for transaction, unit, pdu in requests.feed(data):
                    client.sendall(tcp_frame(transaction, unit, self.answer(unit, pdu)))


class RtuRelay(Relay):
    """On the far end of a pty; only its own unit answers. `hears_itself`: the adapter echoes what it sends, as two-wire ones may."""

    def __init__(self, path: Path, unit: int = 3, *, hears_itself: bool = False, dead: bool = False, **more: bool) -> None:
        super().__init__(unit, **more)
        self.pty = Pty(path)
        self.hears_itself = hears_itself
        self.dead = dead

    def __enter__(self) -> Self:
        self._wake, self._end = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        self._thread.join(PATIENCE)
        os.close(self._wake)
        self.pty.unplug()

    def _run(self) -> None:
        requests = RtuRequests()
        while True:
            ready, _, _ = select.select([self.pty.fd, self._wake], [], [])
            if self._wake in ready:
                return
            data = os.read(self.pty.fd, 4096)
            if self.hears_itself:
                self.pty.write(data)
            for unit, pdu in requests.feed(data):
                if unit == self.unit and not self.dead:
                    self.pty.write(rtu_frame(unit, self.answer(unit, pdu)))
                else:
                    self.asked.append((unit, pdu))
