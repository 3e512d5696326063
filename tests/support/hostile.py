"""A line on which a share of the answers is spoiled, a client that reads through it, and a judge who knows what is right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from drivers.bus import Answer, Bus
from drivers.clock import Clock
from drivers.options import BusOptions, Table
from drivers.plan import Request
from drivers.trouble import BusTrouble, LinkDown, NoAnswer, Refused
from tests.support.bad_device import FAULTS, GOOD, NOISE, Asked, BadRtu, BadRtuTcp
from tests.support.ptys import Pty

IN_ORDER = 10.0
"""s; docs/decisions/0002-bus.md: an answer that keeps its turn may be this late."""
OVERTAKING = 1.0
"""s; and one that comes out of turn."""

Device = BadRtu | BadRtuTcp


class Reader(Protocol):
    async def read(self, unit: int, request: Request) -> Answer: ...


class Judge:
    """Reads, and proves each value: right address, right number of them, an answer to a request that was sent during this very read."""

    def __init__(self, bus: Reader, device: Device) -> None:
        self.bus, self.device = bus, device
        self.count: Counter[str] = Counter()

    async def read(self, address: int, count: int, table: Table = "holding", unit: int = 1) -> Answer | None:
        before = self.device.number
        try:
            answer = await self.bus.read(unit, Request(table, address, count))
        except BusTrouble as trouble:
            self.count[type(trouble).__name__] += 1
            return None
        during = {number & 0xFF for number in range(before + 1, self.device.number + 1)}
        right = [v >> 8 == (address + i) & 0xFF and v & 0xFF in during for i, v in enumerate(answer.values)]
        self.count["delivered" if len(answer.values) == count and all(right) else "wrong"] += 1
        return answer


class Bare:
    """pymodbus as its manual uses it."""

    def __init__(self, options: BusOptions, retries: int) -> None:
        framer = FramerType.ASCII if options.framing == "ascii" else FramerType.RTU
        more: dict[str, Any] = {"framer": framer, "timeout": options.timeout, "retries": retries}
        self._client: AsyncModbusSerialClient | AsyncModbusTcpClient = (
            AsyncModbusTcpClient(options.host, port=int(options.port), **more)
            if options.framing == "rtu_tcp"
            else AsyncModbusSerialClient(str(options.port), baudrate=options.baud, **more)
        )

    async def open(self) -> None:
        assert await self._client.connect()

    def close(self) -> None:
        self._client.close()

    async def read(self, unit: int, request: Request) -> Answer:
        client = self._client
        call = client.read_holding_registers if request.table == "holding" else client.read_input_registers
        try:
            pdu = await call(request.address, count=request.count, device_id=unit)
        except ModbusException as error:
            raise NoAnswer("no_answer", str(error)) from None
        # What a framer trips over in the middle of the loop.
        except (ValueError, IndexError, AttributeError) as error:
            raise NoAnswer("fault", repr(error)) from None
        if pdu.isError():
            raise Refused(pdu.exception_code)
        return Answer(list(pdu.registers), 0.0)


@asynccontextmanager
async def hostile_line(folder: Path, framing: str, **more: Any) -> AsyncIterator[tuple[BusOptions, Device]]:
    """A device that misbehaves as told (`tests.support.bad_device`), and how to reach it."""
    common: dict[str, Any] = {"name": "line", "framing": framing, "baud": 1_000_000, "parity": "N"}
    if framing == "rtu_tcp":
        server = BadRtuTcp(**more)
        await server.start()
        try:
            yield BusOptions(host="127.0.0.1", port=server.port, **common), server
        finally:
            await server.stop()
        return
    with Pty(folder / "line") as pty:
        device = BadRtu(pty, framing=framing, **more)
        device.start()
        try:
            yield BusOptions(port=str(pty.path), **common), device
        finally:
            device.stop()


def spoil(share: float, seed: int, acts: tuple[str, ...] = (*FAULTS, *NOISE, "late", "slow")) -> Callable[[Asked], str]:
    """One of `acts` for a share of the answers."""
    draw = random.Random(seed)
    return lambda _: draw.choice(acts) if draw.random() < share else GOOD


def delays(overtaking: tuple[float, float], in_order: tuple[float, float]) -> Callable[[str, random.Random], float]:
    """Seconds by which answers are `late` or `slow`, from the first to the second, evenly spread over their orders of magnitude."""
    spans = {"late": overtaking, "slow": in_order}

    def draw_delay(act: str, draw: random.Random) -> float:
        shortest, longest = spans[act]
        return shortest * (longest / shortest) ** draw.random()

    return draw_delay


async def ask(judge: Judge, clock: Clock, requests: int, seed: int) -> None:
    """Read until the device has seen so many requests: half of them the same registers again and again, as a poll does."""
    draw = random.Random(seed)
    while judge.device.number < requests:
        if draw.random() < 0.5:
            await judge.read(100, 6)
        else:
            await judge.read(draw.randrange(1000), draw.randrange(1, 21), draw.choice(("holding", "input")))
        bus = judge.bus
        if isinstance(bus, Bus) and not bus.connected:
            try:
                await bus.open()
            except LinkDown:
                await clock.sleep(0.1)
        await clock.sleep(0.02 * draw.random())
