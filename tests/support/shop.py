"""The simulated shop for a test: as a process of its own, or in this loop with a clock that stands."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from drivers.simulate import demo
from drivers.simulate.modbus import rtu_frame, tcp_frame
from drivers.simulate.script import Listed, Script
from drivers.simulate.shop import Shop
from tests.support.held_clock import HeldClock

ROOT = Path(__file__).parents[2]
SECONDS = 20.0


class ShopProcess:
    """`python -m drivers.simulate`; `ready` is its first line."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.ready = self.read()

    def read(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        return dict(json.loads(line)) if line else {}

    def ask(self, **message: Any) -> dict[str, Any]:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(message) + "\n")
        self.child.stdin.flush()
        return self.read()

    def end(self) -> int:
        """Close its standard input and wait."""
        if self.child.stdin is not None and not self.child.stdin.closed:
            self.child.stdin.close()
        return self.child.wait(SECONDS)


@contextmanager
def shop_process(*arguments: str) -> Iterator[ShopProcess]:
    command = [sys.executable, "-P", "-m", "drivers.simulate", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, cwd="/") as child:
        try:
            yield ShopProcess(child)
        finally:
            if child.poll() is None:
                child.kill()


@asynccontextmanager
async def shop_here(
    script: Script | None = None, seed: int = 1, speed: float = 1.0, wait: bool = False
) -> AsyncIterator[tuple[Shop, dict[str, Any], HeldClock]]:
    clock = HeldClock()
    shop = Shop(demo.cycle(), seed, script or Listed(), clock, speed=speed, wait=wait)
    ready = await shop.open("127.0.0.1", 0)
    running = asyncio.create_task(shop.run())
    try:
        yield shop, ready, clock
    finally:
        shop.stop()
        await clock.advance(1.0)
        await running
        await shop.close()


class TcpClient:
    """Raw Modbus TCP: what is sent and what comes back, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, ready: dict[str, Any]) -> TcpClient:
        return cls(*await asyncio.open_connection(ready["tcp"]["host"], ready["tcp"]["port"]))

    def send(self, transaction: int, pdu: bytes, unit: int = 1) -> None:
        self._writer.write(tcp_frame(transaction, unit, pdu))

    async def reply(self) -> tuple[int, int, bytes]:
        """(transaction, unit, PDU)"""
        async with asyncio.timeout(SECONDS):
            transaction, protocol, length, unit = struct.unpack(">HHHB", await self._reader.readexactly(7))
            assert protocol == 0
            return transaction, unit, await self._reader.readexactly(length - 1)

    async def ended(self) -> bool:
        """The peer has closed or reset the connection."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


class SerialClient:
    """The client's end of a pty, raw."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        termios.tcflush(self.fd, termios.TCIOFLUSH)
        os.set_blocking(self.fd, False)

    def send(self, pdu: bytes, unit: int = 2) -> None:
        os.write(self.fd, rtu_frame(unit, pdu))

    def send_bytes(self, data: bytes) -> None:
        os.write(self.fd, data)

    async def receive(self, count: int) -> bytes:
        """Exactly so many bytes."""
        loop = asyncio.get_running_loop()
        data = b""
        async with asyncio.timeout(SECONDS):
            while len(data) < count:
                there: asyncio.Future[None] = loop.create_future()
                loop.add_reader(self.fd, lambda f=there: f.done() or f.set_result(None))
                try:
                    await there
                finally:
                    loop.remove_reader(self.fd)
                piece = os.read(self.fd, count - len(data))
                if not piece:
                    raise EOFError
                data += piece
        return data

    def close(self) -> None:
        os.close(self.fd)
