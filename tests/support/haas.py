"""A Haas control with Machine Data Collection, as the facts describe it: a TCP server for two clients that answers everything to both.

What it does wrong is decided by a function of the question, never by time. Every byte that it ever received is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

ANSWERS = {
    "?Q100": "SERIAL NUMBER, 1234567",
    "?Q104": "MODE, (MEM)",
    "?Q201": "USING TOOL, 4",
    "?Q402": "M30 #1, 380",
    "?Q403": "M30 #2, 12",
    "?Q500": "PROGRAM, O01234, IDLE, PARTS, 380",
    "?Q600 1098": "MACRO, 41.5",
    "?Q600 3027": "MACRO, 1200.0",
}
Choose = Callable[[str, int], bytes | None]
"""Question and its running number to what is sent to all; None: silence."""


def ngc(text: str) -> bytes:
    """As a newer control sends a line."""
    return f">{text}\r\n".encode()


def framed(text: str) -> bytes:
    """As an older one does: between STX and ETB, then the prompt."""
    return b"\x02" + text.encode() + b"\x17\r\n>"


def usual(question: str, _number: int = 0) -> bytes:
    return ngc(ANSWERS.get(question, "UNKNOWN"))


class Haas:
    """`async with Haas(choose) as haas: haas.port`."""

    def __init__(self, choose: Choose = usual, *, deaf: int = 0, clients: int = 2) -> None:
        self.choose = choose
        self.deaf = deaf
        """First questions of a connection that are not heard."""
        self.most = clients
        self.received = b""
        self.asked: list[str] = []
        self.accepted = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def say(self, data: bytes) -> None:
        """To everybody, unasked: what another client's question leads to."""
        for writer in self._writers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= self.most:
            writer.close()
            return
        self._writers.append(writer)
        self.accepted += 1
        heard = 0
        try:
            while line := await reader.readline():
                self.received += line
                question = line.decode("latin-1").strip()
                self.asked.append(question)
                heard += 1
                if heard <= self.deaf:
                    continue
                answer = self.choose(question, len(self.asked))
                if answer is not None:
                    self.say(answer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if writer in self._writers:
                self._writers.remove(writer)
            writer.close()
