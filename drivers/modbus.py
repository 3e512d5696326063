"""The only door to pymodbus: one client that sends one read at a time and lets nothing through but the answer to it.

pymodbus checks the device of an RTU or ASCII answer and nothing else, so a late answer passes for the next one (measured with 3.16.1). Its
trace hook sees every byte before its framer does; there the answer is checked against the request as it was sent, and only the bytes of
that answer are handed on. pymodbus' own retries and reconnection are off: what happens after a silence is for the Bus to decide.
"""

from __future__ import annotations

import logging
import struct
import termios
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from drivers.answer import Expected, Found, NotModbus, Stray, expected_rtu, expected_tcp, find_rtu, find_tcp, strays_rtu
from drivers.answer_ascii import body, expected_ascii, find_ascii, strays_ascii
from drivers.options import NETWORK, BusOptions, Table
from drivers.plan import Request, is_bits
from drivers.serialport import databits_of, parity_of
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer

_CONNECT = 3.0
"""Seconds for a TCP connection; a time-out fit for answers is too short for a device that just woke up."""

_BUFFER = 4096
"""pymodbus throws its receive buffer away above 264 bytes, which two answers in one read exceed."""


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
            )
        # Otherwise pymodbus closes a TCP connection after a few silences; whether to do so is for the Bus to say.
        self._client.set_max_no_responses(1 << 62)
        self._client.ctx.max_buffer_size = _BUFFER
        client = self._client
        self._calls = cast(
            dict[Table, Callable[..., Awaitable[ModbusPDU]]],
            {
                "coil": client.read_coils,
                "discrete": client.read_discrete_inputs,
                "holding": client.read_holding_registers,
                "input": client.read_input_registers,
            },
        )
        self._wanted: Expected | None = None
        self._kept = 0
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
        self._client.ctx.comm_params.timeout_connect = _CONNECT
        try:
            opened = await self._client.connect()
        # A USB adapter that is half gone raises termios.error, which is no OSError; pyserial raises ValueError for a baud rate.
        except (OSError, ValueError, termios.error) as error:
            raise LinkDown("cannot_open", f"{self._name}: {error}") from error
        if not opened:
            raise LinkDown("cannot_open" if self._serial else "cannot_connect", self._name)

    async def exchange(self, unit: int, request: Request, timeout: float) -> list[int]:
        """Send one read and return its registers (or bits), as many as were asked for.

        Raises
        ------
        NoAnswer: not one byte came within `timeout` seconds.
        WrongAnswer: bytes came, but not the answer.
        Refused: the device answered with an exception.
        LinkDown: the link is closed, or it carries no Modbus.
        """
        before = self.arrived
        self._client.ctx.comm_params.timeout_connect = timeout
        try:
            pdu = await self._calls[request.table](request.address, count=request.count, device_id=unit)
        except ModbusIOException:
            self._check()
            if self.answer:
                # It came between the time-out and here, in a loop that was held up.
                return self._values(request)
            if self.arrived != before:
                raise WrongAnswer("wrong_answer", f"unit {unit}: {self.arrived - before} bytes") from None
            raise NoAnswer("no_answer", f"unit {unit}, {timeout:.3f} s") from None
        except ConnectionException:
            raise LinkDown("closed", self._name) from None
        finally:
            self._wanted = None
        self._check()
        if pdu.isError():
            raise Refused(pdu.exception_code)
        values = [int(bit) for bit in pdu.bits[: request.count]] if is_bits(request.table) else list(pdu.registers)
        if (pdu.function_code, pdu.dev_id, len(values)) != (request.function, unit, request.count):
            raise WrongAnswer("wrong_answer", f"unit {pdu.dev_id}, function {pdu.function_code}, {len(values)} values")
        return values

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
        self._client.close()

    def _values(self, request: Request) -> list[int]:
        """The answer read without pymodbus."""
        pdu = self._frames.body(self.answer)[1:] if self._frames is not None else self.answer[7:]
        if pdu[0] & 0x80:
            raise Refused(pdu[1])
        data = pdu[2:]
        if is_bits(request.table):
            return [data[i // 8] >> i % 8 & 1 for i in range(request.count)]
        return list(struct.unpack(f">{request.count}H", data))

    def _check(self) -> None:
        if self._broken:
            raise LinkDown("not_modbus", self._name)
        if not self._client.connected:
            raise LinkDown("closed", self._name)

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """Called by pymodbus with each request, and with all bytes that it keeps each time that some arrive."""
        if sending:
            self._wanted = self._frames.expected(data) if self._frames is not None else expected_tcp(data)
            self._kept = 0
            self.answer = b""
            if self._frames is not None:
                self._buffer = b""
            return data
        fresh = data[self._kept :] if len(data) >= self._kept else data
        self.arrived += len(fresh)
        self._buffer = (self._buffer + fresh)[-_BUFFER:]
        if self._wanted is None:
            self.unasked += len(fresh)
        passed = self._line_answer(self._frames) if self._frames is not None else self._tcp_answer()
        self._kept = len(data) - len(passed)
        return passed

    def _line_answer(self, frames: _Frames) -> bytes:
        data, wanted = self._buffer, self._wanted
        found = frames.find(data, wanted) if wanted is not None else None
        if found is None:
            return b""
        self._wanted = None
        self._buffer = data[: found.start] + data[found.end :]
        self.unasked = len(data) - found.end
        self.answer = data[found.start : found.end]
        return self.answer

    def _tcp_answer(self) -> bytes:
        data = self._buffer
        try:
            found, strays, done = find_tcp(data, self._wanted)
        except NotModbus:
            self._broken = True
            return b""
        self._stray += strays
        self._buffer = data[done:]
        if found is None:
            return b""
        self._wanted = None
        self.answer = data[found.start : found.end]
        return self.answer
