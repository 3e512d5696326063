"""The only door to pymodbus: one client that sends one read at a time and lets nothing through but the answer to it. What may be written at
all is said in drivers.coils; nothing else leaves here.

pymodbus checks the device of an RTU or ASCII answer and nothing else, so a late answer passes for the next one (measured with 3.16.1). So
it opens and keeps the connection and builds the requests, and every byte comes to us as it comes to it; here the answer is checked against
the request as it was sent. Its own waiting, retries and reconnection are not used: what happens after a silence is for the Bus to
decide, and its way through a request takes longer than libmodbus takes for three.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from drivers.answer import Expected, Found, NotModbus, Stray, expected_rtu, expected_tcp, find_rtu, find_tcp, strays_rtu
from drivers.answer_ascii import body, expected_ascii, find_ascii, strays_ascii
from drivers.coils import CoilOrder, NotAllowed, may_leave, pdu_of
from drivers.options import NETWORK, BusOptions, Table
from drivers.plan import Request, is_bits
from drivers.serialport import databits_of, parity_of
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer

_CONNECT = 3.0
"""Seconds for a TCP connection; a time-out fit for answers is too short for a device that just woke up."""

_BUFFER = 4096
"""Bytes of noise that are kept."""

_PDU: dict[Table, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_EXACT = 1e-6
"""s by which a timer may be early."""
_MOST_FRAMES = 1000
"""Requests of which the bytes are kept."""
_TRANSACTIONS = 65535


@dataclass(frozen=True, slots=True)
class _Frames:
    """How answers without a transaction number are found on a line; `body` is what a frame says, unit first, without its checksum."""

    expected: Callable[[bytes], Expected]
    find: Callable[[bytes, Expected], Found | None]
    strays: Callable[[bytes], tuple[Stray, ...]]
    body: Callable[[bytes], bytes]


_RTU = _Frames(expected_rtu, find_rtu, strays_rtu, lambda frame: frame[:-2])
_ASCII = _Frames(expected_ascii, find_ascii, strays_ascii, body)


class ModbusClient:
    """One open link. Must be made inside the running loop; a link that failed is closed and a new client is made.

    Attributes
    ----------
    arrived: bytes that came, ever; to see whether the line is quiet.
    answer: the last answer as it stood on the wire.
    unasked: bytes that came behind an answer or while nobody waited, since the last `strays()`.
    """

    def __init__(self, options: BusOptions) -> None:
        # It writes an error and a dump of the last frames at each time-out.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL + 1)
        self._frames = {"tcp": None, "ascii": _ASCII}.get(options.framing, _RTU)
        self._serial = options.framing not in NETWORK
        self._name = str(options.port) if self._serial else f"{options.host}:{options.port}"
        framer = {"tcp": FramerType.SOCKET, "ascii": FramerType.ASCII}.get(options.framing, FramerType.RTU)
        self._client: AsyncModbusSerialClient | AsyncModbusTcpClient
        if self._serial:
            self._client = AsyncModbusSerialClient(
                str(options.port),
                framer=framer,
                baudrate=options.baud,
                bytesize=databits_of(options),
                parity=parity_of(options),
                stopbits=options.stopbits,
                reconnect_delay=0,
                timeout=_CONNECT,
                retries=0,
                trace_packet=self._trace,
                trace_connect=self._connection,
            )
        else:
            self._client = AsyncModbusTcpClient(
                options.host,
                framer=framer,
                port=int(options.port),
                reconnect_delay=0,
                timeout=_CONNECT,
                retries=0,
                trace_packet=self._trace,
                trace_connect=self._connection,
            )
        self._client.ctx.data_received = self._received  # type: ignore[method-assign]
        self._sent: dict[tuple[int, Table, int, int], bytes] = {}
        self._transaction = 0
        self._answered: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: Expected | None = None
        self._order: CoilOrder | None = None
        self._buffer = b""
        self._stray: list[Stray] = []
        self._broken = False
        self.arrived = 0
        self.unasked = 0
        self.answer = b""

    @property
    def connected(self) -> bool:
        """Whether the link is open, as far as the system knows."""
        return self._client.connected and not self._broken

    async def connect(self) -> None:
        """Open the link.

        Raises
        ------
        LinkDown: 'cannot_open' (serial) or 'cannot_connect' (TCP).
        """
        try:
            opened = await self._client.connect()
        # A USB adapter that is half gone raises termios.error, which is no OSError; pyserial raises ValueError for a baud rate.
        except (OSError, ValueError, termios.error) as error:
            raise LinkDown("cannot_open", f"{self._name}: {error}") from error
        if not opened:
            raise LinkDown("cannot_open" if self._serial else "cannot_connect", self._name)

    async def exchange(self, unit: int, request: Request | CoilOrder, timeout: float) -> list[int]:
        """Send one read and return its registers (or bits), as many as were asked for; of an order to a coil: nothing, once it is repeated.

        Raises
        ------
        NoAnswer: not one byte came within `timeout` seconds.
        WrongAnswer: bytes came, but not the answer.
        Refused: the device answered with an exception.
        LinkDown: the link is closed, or it carries no Modbus.
        """
        self._order = request if isinstance(request, CoilOrder) else None
        frame = (
            self._frame(unit, request)
            if isinstance(request, Request)
            else self._numbered(self._client.ctx.framer.buildFrame(pdu_of(request)))
        )
        self._check()
        self._gate(frame)
        self._wanted = expected_tcp(frame) if self._frames is None else self._frames.expected(frame)
        self.answer = b""
        if self._frames is not None:
            self._buffer = b""
        before = self.arrived
        loop = asyncio.get_running_loop()
        answered = self._answered = loop.create_future()
        self._wait_until(loop, loop.time() + timeout)
        cast(asyncio.WriteTransport, self._client.ctx.transport).write(frame)
        try:
            await answered
        finally:
            self._wanted = self._answered = self._order = None
        if self.answer:
            return self._values(request)
        self._check()
        if self.arrived != before:
            raise WrongAnswer("wrong_answer", f"unit {unit}: {self.arrived - before} bytes")
        raise NoAnswer("no_answer", f"unit {unit}, {timeout:.3f} s")

    @property
    def leftover(self) -> bool:
        """Whether anything came that was no answer and was not looked at yet."""
        return bool(self._stray or (self._frames is not None and self._buffer))

    def strays(self) -> tuple[Stray, ...]:
        """Whole answers that nobody waited for since the last call; but for TCP, what else came is noise, and forgotten."""
        found = tuple(self._stray)
        self._stray.clear()
        self.unasked = 0
        if self._frames is not None:
            found = self._frames.strays(self._buffer)
            self._buffer = b""
        return found

    def close(self) -> None:
        """Close the link."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._client.close()

    def _wait_until(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """One timer for many answers: it moves on by itself, so that an answer in time costs none."""
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._late, loop)

    def _late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._answered is None:
            return
        if loop.time() < self._deadline - _EXACT:
            self._timer = loop.call_at(self._deadline, self._late, loop)
        else:
            _wake(self._answered)

    def _values(self, request: Request | CoilOrder) -> list[int]:
        """What the answer says."""
        pdu = self._frames.body(self.answer)[1:] if self._frames is not None else self.answer[7:]
        if pdu[0] & 0x80:
            raise Refused(pdu[1])
        if isinstance(request, CoilOrder):
            return []  # it is the order itself, byte by byte
        data = pdu[2:]
        if is_bits(request.table):
            return [data[i // 8] >> i % 8 & 1 for i in range(request.count)]
        return list(struct.unpack(f">{request.count}H", data))

    def _check(self) -> None:
        if self._broken:
            raise LinkDown("not_modbus", self._name)
        if not self._client.connected:
            raise LinkDown("closed", self._name)

    def _frame(self, unit: int, request: Request) -> bytes:
        """The request as it goes on the wire."""
        key = (unit, request.table, request.address, request.count)
        frame = self._sent.get(key)
        if frame is None:
            if len(self._sent) >= _MOST_FRAMES:
                self._sent.clear()
            pdu = _PDU[request.table](address=request.address, count=request.count, dev_id=unit)
            frame = self._sent[key] = self._client.ctx.framer.buildFrame(pdu)
        return self._numbered(frame)

    def _numbered(self, frame: bytes) -> bytes:
        """A TCP request gets the next number."""
        if self._frames is not None:
            return frame
        self._transaction = self._transaction % _TRANSACTIONS + 1
        return self._transaction.to_bytes(2, "big") + frame[2:]

    def _gate(self, frame: bytes) -> None:
        """The last look at what goes out, ours or that of somebody who calls pymodbus behind our back."""
        said = self._frames.body(frame) if self._frames is not None else frame[6:]
        if not may_leave(said[0], said[1:], self._order):
            raise NotAllowed(f"function {said[1]} to unit {said[0]}")

    def _connection(self, connected: bool) -> None:
        """Called by pymodbus when the connection is made or lost; whoever waits need not wait any longer."""
        if not connected and self._answered is not None:
            _wake(self._answered)

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """Called by pymodbus with what somebody sends through it; answers do not go that way."""
        if sending:
            self._gate(data)
        return data

    def _received(self, data: bytes) -> None:
        """Called by the transport with all bytes in place of pymodbus."""
        self.arrived += len(data)
        self._buffer = (self._buffer + data)[-_BUFFER:]
        if self._wanted is None:
            self.unasked += len(data)
        if (self._line_answer(self._frames) if self._frames is not None else self._tcp_answer()) or self._broken:
            self._wanted = None
            if self._answered is not None:
                _wake(self._answered)

    def _line_answer(self, frames: _Frames) -> bool:
        data, wanted = self._buffer, self._wanted
        found = frames.find(data, wanted) if wanted is not None else None
        if found is None:
            return False
        self._buffer = data[: found.start] + data[found.end :]
        self.unasked = len(data) - found.end
        self.answer = data[found.start : found.end]
        return True

    def _tcp_answer(self) -> bool:
        data = self._buffer
        try:
            found, strays, done = find_tcp(data, self._wanted)
        except NotModbus:
            self._broken = True
            return False
        self._stray += strays
        self._buffer = data[done:]
        if found is None:
            return False
        self.answer = data[found.start : found.end]
        return True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
