"""A device that behaves as its map says, on a real wire: its limits, its holes, its barriers, its word order, and only reads."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drivers.options import BusOptions, DeviceMap, Register
from tests.support.bad_device import wrap_ascii, wrap_rtu
from tests.support.ptys import Pty

FUNCTION = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
FORMAT = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}
SIZE = {"bit": 1, "string": 0, **{kind: struct.calcsize(f">{code}") // 2 for kind, code in FORMAT.items()}}


def size(register: Register) -> int:
    return register.length or SIZE[register.type]


def words_of(register: Register, number: float) -> list[int]:
    """The registers as the device holds them, made with struct: big-endian bytes, then turned as the map says."""
    if register.type == "bit":
        return [int(number)]
    if register.bit is not None:
        return [int(number) << register.bit]
    if register.mask is not None:
        shift = f"{register.mask:b}"[::-1].index("1")
        return [int(number) << shift]
    packed = struct.pack(f">{FORMAT[register.type]}", number if register.type[0] == "f" else int(number))
    words = [packed[i : i + 2] for i in range(0, len(packed), 2)]
    words = words if register.word_order == "big" else words[::-1]
    return [int.from_bytes(word if register.byte_order == "big" else word[::-1], "big") for word in words]


@dataclass
class MapDevice:
    """Tables of one device. `refused` says of each exception why it was given."""

    device: DeviceMap
    unit: int
    held: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: dict[bytes, bytes] = field(default_factory=dict)
    """Whole frames (RTU) that are answered as captured."""

    def put(self, register: Register, number: float) -> None:
        """Make a register say a raw number; bits of one register are put side by side."""
        part = register.bit is not None or register.mask is not None
        for i, word in enumerate(words_of(register, number)):
            key = (register.table, register.address + i)
            keep = self.held.get(key, 0) & ~(1 << register.bit if register.bit is not None else register.mask or 0) if part else 0
            self.held[key] = keep | word

    def put_bits(self, register: Register, bits: int) -> None:
        """Make a register say these bits, sentinels of floats included."""
        whole = Register(name="bits", type={1: "u16", 2: "u32", 4: "u64"}[size(register)], word_order=register.word_order)  # type: ignore[arg-type]
        for i, word in enumerate(words_of(whole, bits % 2 ** (16 * size(register)))):
            self.held[register.table, register.address + i] = word

    def pdu(self, pdu: bytes) -> bytes:
        """The answer to a request without framing."""
        table = FUNCTION.get(pdu[0])
        address, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        why, code = self._wrong(table, address, count)
        if why or table is None:
            self.refused.append(why)
            return bytes((pdu[0] | 0x80, code))
        self.asked.append((table, address, count))
        values = [self.held[table, address + i] for i in range(count)]
        if table in {"coil", "discrete"}:
            data = bytes(sum(bit << k for k, bit in enumerate(values[i : i + 8])) for i in range(0, count, 8))
        else:
            data = struct.pack(f">{count}H", *values)
        return bytes((pdu[0], len(data))) + data

    def _wrong(self, table: str | None, address: int, count: int) -> tuple[str, int]:
        if table is None or table not in {register.table for register in self.device.registers}:
            return "function", 1
        own = [register for register in self.device.registers if register.table == table]
        whole = any((register.address, size(register)) == (address, count) for register in own)
        most = self.device.max_count * (16 if table in {"coil", "discrete"} else 1)
        if not whole and (count > most or self.device.single):
            return "count", 3
        if any(address < barrier < address + count for barrier in self.device.barriers):
            return "barrier", 2
        if any((table, address + i) not in self.held for i in range(count)):
            return "hole", 2
        return "", 0

    def frame(self, frame: bytes) -> bytes:
        """An RTU frame to its answer; nothing for another unit."""
        if frame in self.answers:
            return self.answers[frame]
        assert wrap_rtu(frame[:-2]) == frame
        return wrap_rtu(frame[:1] + self.pdu(frame[1:-2])) if frame[0] == self.unit else b""


@asynccontextmanager
async def wired(device: MapDevice, framing: str, folder: Path) -> AsyncIterator[BusOptions]:
    """The device on a wire of its framing; the options of the bus that reaches it."""
    if framing == "tcp":
        async with _tcp(device) as port:
            yield BusOptions(name="wire", framing="tcp", host="127.0.0.1", port=port, timeout=10.0)
        return
    buffer = bytearray()

    def readable() -> None:
        buffer.extend(os.read(pty.fd, 4096))
        if framing == "ascii":
            while b"\r\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\r\n")
                buffer[:] = rest
                said = bytes.fromhex(line[1:].decode())[:-1]
                if said[0] == device.unit:
                    pty.write(wrap_ascii(said[:1] + device.pdu(said[1:])))
        while framing == "rtu" and len(buffer) >= 8:
            frame = bytes(buffer[:8])
            del buffer[:8]
            pty.write(device.frame(frame))

    with Pty(folder / "port") as pty:
        asyncio.get_running_loop().add_reader(pty.fd, readable)
        try:
            # A pty has no parity: the C library refuses to set one.
            yield BusOptions(name="wire", framing=framing, port=str(pty.path), baud=115_200, parity="N", databits=8, timeout=10.0)  # type: ignore[arg-type]
        finally:
            asyncio.get_running_loop().remove_reader(pty.fd)


@asynccontextmanager
async def _tcp(device: MapDevice) -> AsyncIterator[int]:
    done = asyncio.Event()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
                answer = device.pdu(pdu)
                writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:7] + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            done.set()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.wait_for(done.wait(), 20.0)
        await server.wait_closed()
