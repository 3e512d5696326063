"""Modbus devices that misbehave, driven by events: what they do, they do when they see a request, never after a time.

A register's value tells its address (high byte) and the running number of the request that it answers (low byte), so that a value from
another answer can be proven wrong.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.support.ptys import Pty


def crc(data: bytes) -> bytes:
    """Bit by bit, as the standard's flow chart has it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


def register(address: int, number: int) -> int:
    return (address & 0xFF) << 8 | number & 0xFF


@dataclass(frozen=True)
class Asked:
    number: int
    unit: int
    function: int
    address: int
    count: int
    transaction: int = 0


def answer_pdu(asked: Asked, *, function: int | None = None, count: int | None = None) -> bytes:
    n = asked.count if count is None else count
    function = asked.function if function is None else function
    if asked.function in {1, 2}:
        bits = [(asked.address + i + asked.number) & 1 for i in range(n)]
        data = bytes(sum(bit << k for k, bit in enumerate(bits[i : i + 8])) for i in range(0, n, 8))
    else:
        data = b"".join(register(asked.address + i, asked.number).to_bytes(2, "big") for i in range(n))
    return bytes((function, len(data) & 0xFF)) + data


Wrap = Callable[[bytes], bytes]
"""From what a frame says, unit first, to the frame."""


def wrap_rtu(said: bytes) -> bytes:
    return said + crc(said)


def wrap_ascii(said: bytes) -> bytes:
    total = 0
    for byte in said:
        total = (total + byte) % 256
    return b":" + (said + bytes(((256 - total) % 256,))).hex().upper().encode() + b"\r\n"


def framed(asked: Asked, wrap: Wrap, *, unit: int | None = None, function: int | None = None, count: int | None = None) -> bytes:
    return wrap(bytes((asked.unit if unit is None else unit,)) + answer_pdu(asked, function=function, count=count))


def rtu(asked: Asked, *, unit: int | None = None, function: int | None = None, count: int | None = None) -> bytes:
    return framed(asked, wrap_rtu, unit=unit, function=function, count=count)


def rtu_exception(asked: Asked, code: int) -> bytes:
    return wrap_rtu(bytes((asked.unit, asked.function | 0x80, code)))


GOOD = "good"
FAULTS = (
    "silent",
    "hold",  # the answer comes when the next request is seen
    "swap",  # the answer comes behind that to the next request
    "cut",
    "cut_held",  # the rest comes when the next request is seen
    "hold_long",  # three requests later, among other answers
    "double",
    "double_hold",  # the second one comes when the next request is seen
    "foreign_unit",
    "foreign_first",
    "wrong_count",
    "wrong_function",
    "exception",
    "garbage",
    "garbage_hold",
    "bad_crc",
)
NOISE = ("noise_before", "noise_behind", "echo")
"""Not the device's fault, and no reason to refuse its answer."""


class _BadLine:
    """One or more units on a line without transaction numbers, whatever carries it.

    Parameters
    ----------
    choose: what to do with a request, one of GOOD, FAULTS, NOISE, or with `delay` seconds (drawn for each): `late`, this answer alone
        comes late; `slow`, so do all behind it, as from a device that does one thing at a time. Units that are not in `units` are silent.
    framing: rtu, ascii.
    character: seconds that each takes on the line, the request's and the answer's; all of an answer comes with its last one.
    turn: seconds from the end of a request to the beginning of its answer.
    """

    def __init__(
        self,
        choose: Callable[[Asked], str],
        units: tuple[int, ...] = (1,),
        seed: int = 0,
        framing: str = "rtu",
        delay: Callable[[str, random.Random], float] = lambda *_: 0.0,
        character: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        self.choose = choose
        self.units = units
        self.delay = delay
        self.number = 0
        self.frozen = False
        """Answer always the same: registers do not tell the number of the request any more."""
        self.asked: list[Asked] = []
        self.heard: list[int] = []
        """Units that were asked, in order, silent ones too."""
        self.did: dict[str, int] = {}
        self.character = character
        self.turn = turn
        self._ascii = framing == "ascii"
        self._wrap = wrap_ascii if self._ascii else wrap_rtu
        self._random = random.Random(seed)
        self._held: list[bytes] = []
        self._behind: list[bytes] = []
        self._long: list[tuple[int, bytes]] = []
        self._buffer = b""
        self._busy_until = 0.0

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Bytes came from the bus."""
        self._buffer += data
        for frame in self._ascii_frames() if self._ascii else self._rtu_frames():
            self.heard.append(frame[0])
            if frame[0] in self.units:
                self._request(frame)

    def _rtu_frames(self) -> Iterator[bytes]:
        while len(self._buffer) >= 8:
            frame = self._buffer[:8]
            if crc(frame[:6]) != frame[6:]:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[8:]
            yield frame

    def _ascii_frames(self) -> Iterator[bytes]:
        while b"\r\n" in self._buffer:
            line, self._buffer = self._buffer.split(b"\r\n", 1)
            said = bytes.fromhex(line.rpartition(b":")[2].decode())
            if wrap_ascii(said[:-1]) == line + b"\r\n":
                yield said

    def _request(self, frame: bytes) -> None:
        self.number += 1
        asked = Asked(self.number, frame[0], frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big"))
        self.asked.append(asked)
        held, self._held = self._held, []
        behind, self._behind = self._behind, []
        held += [late for number, late in self._long if number + 3 <= self.number]
        self._long = [(number, late) for number, late in self._long if number + 3 > self.number]
        for late in held:
            self._send(late)
        act = self.choose(asked)
        self.did[act] = self.did.get(act, 0) + 1
        self._act(act, asked, self._wrap(frame[:-1] if self._ascii else frame[:-2]))
        for late in behind:
            self._send(late)

    def _send(self, data: bytes, delay: float = 0.0) -> None:
        """In turn behind what a slow device is busy with."""
        loop = asyncio.get_running_loop()
        wait = max(delay, self._busy_until - loop.time()) + self.turn + self.character * ((17 if self._ascii else 8) + len(data))
        if wait > 0:
            loop.call_later(wait, self.write, data)
        else:
            self.write(data)

    def _act(self, act: str, asked: Asked, frame: bytes) -> None:
        good = framed(replace(asked, number=0) if self.frozen else asked, self._wrap)
        draw = self._random
        if act in {"late", "slow"}:
            delay = self.delay(act, draw)
            if act == "slow":
                self._busy_until = max(self._busy_until, asyncio.get_running_loop().time() + delay)
            self._send(good, delay)
            return
        cut = draw.randrange(1, len(good) - 1)
        junk = bytes(draw.randrange(256) for _ in range(draw.randrange(5, 40)))
        noise = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 4)))
        count = max(1, asked.count + draw.choice((-1, 1)))
        code = draw.choice((1, 2, 4, 6))
        send: dict[str, bytes] = {
            "good": good,
            "cut": good[:cut],
            "cut_held": good[:cut],
            "double": good + good,
            "foreign_unit": framed(asked, self._wrap, unit=asked.unit + 1),
            "foreign_first": framed(asked, self._wrap, unit=asked.unit + 1) + good,
            "wrong_count": framed(asked, self._wrap, count=count),
            "wrong_function": framed(asked, self._wrap, function=4 if asked.function == 3 else 3),
            "exception": self._wrap(bytes((asked.unit, asked.function | 0x80, code))),
            "illegal": self._wrap(bytes((asked.unit, asked.function | 0x80, 2))),
            "garbage": junk,
            "garbage_hold": junk,
            "bad_crc": spoiled(good, draw) if self._ascii else damaged(good, draw),
            "noise_before": noise + good,
            "noise_behind": good + noise,
            "echo": frame + good,
        }
        if act in {"hold", "garbage_hold", "double_hold"}:
            self._held.append(good)
        if act == "hold_long":
            self._long.append((asked.number, good))
        if act == "swap":
            self._behind.append(good)
        if act == "cut_held":
            self._held.append(good[cut:])
        if act == "double_hold":
            self._send(good)
        if act in send:
            self._send(send[act])


def damaged(frame: bytes, draw: random.Random) -> bytes:
    """What CRC-16 is certain to catch: an odd number of wrong bits, two of them, or any within a burst of 16 (its polynomial has the factor
    x + 1, the order 32,767, and the degree 16)."""
    bits = int.from_bytes(frame, "big")
    width = 8 * len(frame)
    kind = draw.choice(("odd", "two", "burst"))
    if kind == "burst":
        length = draw.randrange(1, 17)
        pattern = draw.getrandbits(length) | 1 | 1 << (length - 1)
        return (bits ^ pattern << draw.randrange(width - length + 1)).to_bytes(len(frame), "big")
    for place in draw.sample(range(width), 2 if kind == "two" else draw.choice((1, 3, 5, 7, 9))):
        bits ^= 1 << place
    return bits.to_bytes(len(frame), "big")


def spoiled(frame: bytes, draw: random.Random) -> bytes:
    """What the checksum of ASCII frames is certain to catch: one wrong byte, here a figure of it or both."""
    at = 1 + 2 * draw.randrange((len(frame) - 3) // 2)
    value = int(frame[at : at + 2], 16) ^ draw.randrange(1, 256)
    return frame[:at] + f"{value:02X}".encode() + frame[at + 2 :]


class BadRtu(_BadLine):
    """On the far end of a pty; RTU, or ASCII if told so."""

    def __init__(self, pty: Pty, choose: Callable[[Asked], str], units: tuple[int, ...] = (1,), seed: int = 0, **more: Any) -> None:
        super().__init__(choose, units, seed, **more)
        self.pty = pty

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self.pty.fd, self._readable)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self.pty.fd)

    def write(self, data: bytes) -> None:
        if self.pty.fd >= 0:
            self.pty.write(data)

    def _readable(self) -> None:
        try:
            data = os.read(self.pty.fd, 4096)
        except OSError:
            self.stop()
            return
        self.feed(data)


class BadRtuTcp(_BadLine):
    """Behind a serial device server: frames go through a TCP connection as they are. What comes while nobody is connected waits for the
    next one."""

    def __init__(self, choose: Callable[[Asked], str], units: tuple[int, ...] = (1,), seed: int = 0, **more: Any) -> None:
        super().__init__(choose, units, seed, **more)
        self.port = 0
        self.connections = 0
        self._kept = b""
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def write(self, data: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            self._kept += data
        else:
            self._writer.write(data)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.hang_up()
        self._writer = writer
        kept, self._kept = self._kept, b""
        writer.write(kept)
        try:
            while data := await reader.read(4096):
                self.feed(data)
        except ConnectionError:
            return
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
            self._tasks.discard(task)


class BadTcp:
    """A Modbus TCP device that misbehaves.

    Parameters
    ----------
    choose: what to do with a request: good, silent, hold, wrong_transaction, wrong_unit, wrong_count, wrong_function, double, garbage,
        close, or the number of an exception.
    clients: connections that it takes; a further one is closed at once.
    """

    def __init__(self, choose: Callable[[Asked], str], clients: int = 8) -> None:
        self.choose = choose
        self.clients = clients
        self.delay = 0.0
        """s after which every answer comes, the next request waiting behind it."""
        self.number = 0
        self.asked: list[Asked] = []
        self.connections = 0
        self.most = 0
        self.turned_away = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if len(self._open) > self.clients:
                self.turned_away += 1
                return
            self.connections += 1
            self.most = max(self.most, len(self._open))
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._open.discard(writer)
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        while True:
            frame = await reader.readexactly(12)
            self.number += 1
            asked = Asked(
                self.number,
                frame[6],
                frame[7],
                int.from_bytes(frame[8:10], "big"),
                int.from_bytes(frame[10:12], "big"),
                int.from_bytes(frame[:2], "big"),
            )
            self.asked.append(asked)
            writer.write(held)
            held = b""
            act = self.choose(asked)
            good = mbap(asked, answer_pdu(asked))
            if self.delay:
                await asyncio.sleep(self.delay)
            if act == "hold":
                held = good
            elif act == "close":
                return
            elif act.isdigit():
                writer.write(mbap(asked, bytes((asked.function | 0x80, int(act)))))
            elif act != "silent":
                writer.write(
                    {
                        "good": good,
                        "double": good + good,
                        "wrong_transaction": mbap(asked, answer_pdu(asked), transaction=asked.transaction + 1),
                        "wrong_unit": mbap(asked, answer_pdu(asked), unit=asked.unit + 1),
                        "wrong_count": mbap(asked, answer_pdu(asked, count=asked.count + 1)),
                        "wrong_function": mbap(asked, answer_pdu(asked, function=4)),
                        "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
                    }[act]
                )
            await writer.drain()


def mbap(asked: Asked, pdu: bytes, *, transaction: int | None = None, unit: int | None = None) -> bytes:
    head = (asked.transaction if transaction is None else transaction).to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big")
    return head + bytes((asked.unit if unit is None else unit,)) + pdu
