"""The real wires: a Modbus TCP server and a Modbus RTU slave of our own.

Own framing instead of pymodbus' server: faults must happen on the wire itself (an answer that comes after the next request, a foreign unit,
half a frame), and a slave stays silent for foreign units (pymodbus 3.16 answers with exception 4, and offers no hook to answer late).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers.clock import Clock
from drivers.simulate.faults import CableCut, Late, Silence, Wrong
from drivers.simulate.line import Line
from drivers.simulate.modbus import NO_RESPONSE, RtuRequests, TcpRequests, answer, exception, rtu_frame, tcp_frame
from drivers.simulate.pty_port import PtyPort

HALF_A_REQUEST = 0.05
"""s after which bytes that are no whole request are forgotten."""

Tables = Callable[[], tuple[Sequence[int], Sequence[int]] | None]
"""(registers, bits) now; None: the device has no supply."""


class Outage:
    """Waits out a cable cut, then calls `back`; a new cut replaces the one before."""

    def __init__(self, clock: Clock, back: Callable[[], None]) -> None:
        self._clock = clock
        self._back = back
        self._task: asyncio.Task[None] | None = None

    def begin(self, seconds: float | None) -> None:
        """For so long; None: until told."""
        self.stop()
        if seconds is not None:
            self._task = asyncio.get_running_loop().create_task(self._wait(seconds), name="cable cut")

    def stop(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _wait(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._task = None
        self._back()


class _Connection(asyncio.Protocol):
    """One client of the TCP wire."""

    def __init__(self, wire: TcpWire) -> None:
        self._wire = wire
        self._requests = TcpRequests()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wire.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._wire.connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        for transaction, unit, pdu in self._requests.feed(data):
            self._wire.request(transaction, unit, pdu, self.send)
        if self._requests.broken:
            self.abort()

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class TcpWire:
    """The machine's Modbus TCP server."""

    def __init__(self, unit: int, tables: Tables, clock: Clock) -> None:
        self.connections: set[_Connection] = set()
        self.address = ("", 0)
        self._unit = unit
        self._tables = tables
        self._line = Line(clock)
        self._outage = Outage(clock, self._back)
        self._server: asyncio.Server | None = None
        self._rebind: asyncio.Task[None] | None = None
        self._dark = False

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; (host, port) that a client connects to."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        name = self._server.sockets[0].getsockname()
        self.address = (str(name[0]), int(name[1]))
        return self.address

    def request(self, transaction: int, unit: int, pdu: bytes, send: Callable[[bytes], None]) -> None:
        """One request of one client."""
        tables = self._tables()
        if tables is None:
            self._dark = True
            return
        reply = answer(pdu, *tables) if unit == self._unit else exception(pdu[0], NO_RESPONSE)
        self._line.reply(lambda u, p, spoilt: tcp_frame(transaction ^ (0x5A5A if spoilt else 0), u, p), unit, reply, send)

    def supply_is_back(self) -> None:
        """After a loss of supply the device knows none of its old connections."""
        if self._dark:
            self._dark = False
            self._abort()

    def fault(self, fault: CableCut | Silence | Late | Wrong) -> None:
        """Begin or end a fault of this link."""
        if not isinstance(fault, CableCut):
            self._line.add(fault)
        elif fault.end:
            self._outage.stop()
            self._back()
        else:
            self._outage.begin(fault.seconds)
            if self._server is not None:
                self._server.close()
                self._server = None
            self._abort()

    async def close(self) -> None:
        """Stop listening, drop everybody."""
        self._outage.stop()
        self._line.close()
        if self._rebind is not None:
            await self._rebind
        if self._server is not None:
            self._server.close()
        self._abort()

    def _abort(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()

    def _back(self) -> None:
        if self._server is None:
            self._rebind = asyncio.get_running_loop().create_task(self._listen_again(), name="cable back")

    async def _listen_again(self) -> None:
        await self.open(*self.address)


class RtuWire:
    """The drive's Modbus RTU slave on a pty; silent for foreign units and after a bad CRC, as the standard has it."""

    def __init__(self, path: Path, unit: int, tables: Tables, clock: Clock) -> None:
        self.port = PtyPort(path, self._received)
        self._unit = unit
        self._tables = tables
        self._clock = clock
        self._line = Line(clock)
        self._requests = RtuRequests()
        self._last = 0.0
        self._outage = Outage(clock, self._back)
        self._cut = False

    def fault(self, fault: CableCut | Silence | Late | Wrong) -> None:
        """Begin or end a fault of this link."""
        if not isinstance(fault, CableCut):
            self._line.add(fault)
        elif fault.end:
            self._outage.stop()
            self._back()
        else:
            self._cut = True
            if fault.unplug:
                self.port.close()
            self._outage.begin(fault.seconds)

    def close(self) -> None:
        """Unplug."""
        self._outage.stop()
        self._line.close()
        self.port.close()

    def _back(self) -> None:
        self._cut = False
        if not self.port.is_open:
            self.port.open()

    def _received(self, data: bytes) -> None:
        now = self._clock.monotonic()
        if now - self._last > HALF_A_REQUEST:
            self._requests.silence()
        self._last = now
        if self._cut:
            return
        for unit, pdu in self._requests.feed(data):
            tables = self._tables()
            if unit == self._unit and tables is not None:
                self._line.reply(_spoilable, unit, answer(pdu, *tables), self._send)

    def _send(self, data: bytes) -> None:
        if not self._cut:
            self.port.write(data)


def _spoilable(unit: int, pdu: bytes, spoilt: bool) -> bytes:
    frame = rtu_frame(unit, pdu)
    return frame[:-2] + struct.pack("<H", struct.unpack("<H", frame[-2:])[0] ^ 0x5A5A) if spoilt else frame
