"""Faults on the wire, byte by byte: raw sockets and ptys, a clock that stands."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from drivers.simulate.modbus import rtu_frame
from drivers.simulate.script import load_script
from drivers.stream import encode_frame
from tests.support.shop import SerialClient, TcpClient, shop_here


def read(start: int, count: int, function: int = 3) -> bytes:
    return struct.pack(">BHH", function, start, count)


def registers(pdu: bytes) -> tuple[int, ...]:
    assert pdu[1] == len(pdu) - 2
    return struct.unpack(f">{pdu[1] // 2}H", pdu[2:])


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def command(shop: Any, line: str) -> None:
    assert shop.command(line.encode())["ok"] is True, line


def test_the_machine_answers_on_tcp_and_writes_are_refused() -> None:
    async def check() -> None:
        async with shop_here() as (_, ready, clock):
            await clock.advance(1.4)
            client = await TcpClient.connect(ready)
            client.send(5, read(0, 23))
            transaction, unit, pdu = await client.reply()
            assert (transaction, unit) == (5, 1)
            values = registers(pdu)
            assert values[6:9] == (4711, 4, 1)
            assert values[13] == 2400
            assert 450 < values[11] < 600
            for function in (5, 6, 15, 16, 22, 23):
                client.send(6, bytes([function, 0, 0, 0, 1]))
                assert await client.reply() == (6, 1, bytes([function | 0x80, 1]))
            client.send(7, read(0, 4, 2))
            assert await client.reply() == (7, 1, bytes([2, 1, 0b1011]))
            client.send(8, read(0, 1), unit=9)
            assert await client.reply() == (8, 9, bytes([0x83, 11]))
            await client.close()

    run(check())


def test_reading_twice_at_one_moment_gives_the_same_and_tcp_and_rtu_agree() -> None:
    async def check() -> None:
        async with shop_here() as (_, ready, clock):
            await clock.advance(1.55)
            client, drive = await TcpClient.connect(ready), SerialClient(ready["rtu"]["port"])
            client.send(1, read(11, 3))
            client.send(2, read(11, 3, 4))
            first, second = await client.reply(), await client.reply()
            assert first[2][1:] == second[2][1:]
            drive.send(read(0, 3))
            frame = await drive.receive(11)
            assert registers(frame[1:-2]) == registers(first[2])
            drive.close()
            await client.close()

    run(check())


def test_rtu_slave_is_silent_for_foreign_units_and_bad_crcs() -> None:
    async def check() -> None:
        async with shop_here() as (_, ready, clock):
            drive = SerialClient(ready["rtu"]["port"])
            drive.send(read(0, 3), unit=7)
            drive.send(read(0, 3), unit=0)
            good = rtu_frame(2, read(0, 1))
            drive.send_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            await clock.advance(0.1)
            drive.send(read(0, 2))
            # The first and only bytes are the answer to the last request.
            frame = await drive.receive(9)
            assert frame[:3] == bytes([2, 3, 4])
            assert rtu_frame(2, frame[1:-2]) == frame
            drive.close()

    run(check())


def test_client_comes_and_goes_on_the_pty() -> None:
    async def check() -> None:
        async with shop_here() as (_, ready, _clock):
            for _ in range(3):
                drive = SerialClient(ready["rtu"]["port"])
                drive.send(read(0, 1))
                assert (await drive.receive(7))[:3] == bytes([2, 3, 2])
                drive.close()

    run(check())


def test_late_answer_comes_after_the_next_request_and_before_its_answer() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            drive = SerialClient(ready["rtu"]["port"])
            command(shop, '{"fault":"late","link":"rtu","count":1}')
            drive.send(read(0, 3))
            await clock.advance(5.0)
            drive.send(read(4, 2))
            old = await drive.receive(11)
            assert old[:3] == bytes([2, 3, 6])
            await clock.advance(0.1)
            new = await drive.receive(9)
            assert new[:3] == bytes([2, 3, 4])
            drive.send(read(0, 1))
            assert len(await drive.receive(7)) == 7
            drive.close()

    run(check())


def test_late_by_milliseconds() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            client = await TcpClient.connect(ready)
            command(shop, '{"fault":"late","link":"tcp","ms":400,"count":1}')
            client.send(1, read(0, 1))
            client.send(2, read(0, 1))
            assert (await client.reply())[0] == 2
            await clock.advance(0.41)
            assert (await client.reply())[0] == 1
            await client.close()

    run(check())


def test_silence_answers_nothing_until_it_ends() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            client, drive = await TcpClient.connect(ready), SerialClient(ready["rtu"]["port"])
            for link in ("tcp", "rtu"):
                command(shop, f'{{"fault":"silence","link":"{link}","seconds":3}}')
            client.send(1, read(0, 1))
            drive.send(read(0, 1))
            await clock.advance(2.9)
            await clock.advance(0.2)
            client.send(2, read(0, 1))
            drive.send(read(0, 2))
            assert (await client.reply())[0] == 2
            assert (await drive.receive(9))[2] == 4
            drive.close()
            await client.close()

    run(check())


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("count", lambda f: f[:3] == bytes([2, 3, 4]) and rtu_frame(2, f[1:-2]) == f),
        ("unit", lambda f: f[:3] == bytes([3, 3, 6]) and rtu_frame(3, f[1:-2]) == f),
        ("function", lambda f: f[:3] == bytes([2, 4, 6]) and rtu_frame(2, f[1:-2]) == f),
        ("check", lambda f: f[:3] == bytes([2, 3, 6]) and rtu_frame(2, f[1:-2]) != f),
        ("twice", lambda f: f[:11] == f[11:]),
        ("short", lambda f: f[:3] == bytes([2, 3, 6])),
    ],
)
def test_wrong_answers_on_the_serial_line(what: str, expected: Any) -> None:
    length = {"count": 9, "twice": 22, "short": 8}.get(what, 11)

    async def check() -> None:
        async with shop_here() as (shop, ready, _clock):
            drive = SerialClient(ready["rtu"]["port"])
            command(shop, f'{{"fault":"wrong","link":"rtu","what":"{what}","count":1}}')
            drive.send(read(0, 3))
            assert expected(await drive.receive(length)), what
            drive.send(read(0, 1))
            assert (await drive.receive(7))[:3] == bytes([2, 3, 2])
            drive.close()

    run(check())


def test_wrong_answers_on_tcp_belong_to_another_transaction() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, _clock):
            client = await TcpClient.connect(ready)
            command(shop, '{"fault":"wrong","link":"tcp","what":"check","count":1}')
            client.send(1, read(0, 1))
            assert (await client.reply())[0] == 1 ^ 0x5A5A
            client.send(2, read(0, 1))
            assert (await client.reply())[0] == 2
            await client.close()

    run(check())


def test_tcp_cable_cut_closes_refuses_and_comes_back_on_the_same_port() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            client = await TcpClient.connect(ready)
            command(shop, '{"fault":"cable_cut","link":"tcp","seconds":4}')
            assert await client.ended()
            with pytest.raises(ConnectionRefusedError):
                await TcpClient.connect(ready)
            await client.close()
            await clock.advance(4.1)
            again = await TcpClient.connect(ready)
            again.send(1, read(0, 1))
            assert (await again.reply())[0] == 1
            await again.close()

    run(check())


def test_rtu_cable_cut_passes_nothing_either_way() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            drive = SerialClient(ready["rtu"]["port"])
            command(shop, '{"fault":"cable_cut","link":"rtu"}')
            drive.send(read(0, 3))
            await clock.advance(1.0)
            command(shop, '{"fault":"cable_cut","link":"rtu","end":true}')
            drive.send(read(0, 1))
            assert (await drive.receive(7))[:3] == bytes([2, 3, 2])
            drive.close()

    run(check())


def test_unplugged_port_goes_and_comes_back_under_the_same_path() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            path = ready["rtu"]["port"]
            drive = SerialClient(path)
            command(shop, '{"fault":"cable_cut","link":"rtu","unplug":true,"seconds":2}')
            with pytest.raises((OSError, EOFError)):
                await drive.receive(1)
            with pytest.raises(FileNotFoundError):
                SerialClient(path)
            drive.close()
            await clock.advance(2.1)
            drive = SerialClient(path)
            drive.send(read(0, 1))
            assert (await drive.receive(7))[:3] == bytes([2, 3, 2])
            drive.close()

    run(check())


def test_power_off_silences_both_and_drops_old_connections_when_it_is_back() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            await clock.advance(1.0)
            client, drive = await TcpClient.connect(ready), SerialClient(ready["rtu"]["port"])
            command(shop, '{"fault":"power_off"}')
            client.send(1, read(0, 1))
            assert registers((await client.reply())[2]) == (0,)
            drive.send(read(0, 3))
            await clock.advance(1.5)
            client.send(2, read(0, 1))
            await clock.advance(1.5)
            command(shop, '{"fault":"power_off","end":true}')
            await clock.advance(0.1)
            assert await client.ended()
            drive.send(read(0, 1))
            assert (await drive.receive(7))[:3] == bytes([2, 3, 2])
            again = await TcpClient.connect(ready)
            again.send(3, read(0, 1))
            assert registers((await again.reply())[2]) == (1,)
            drive.close()
            await again.close()
            await client.close()

    run(check())


def test_vibration_is_framed_at_the_rate_of_the_sensor_and_loss_shows_in_the_sequence() -> None:
    async def check() -> None:
        async with shop_here() as (shop, ready, clock):
            port = SerialClient(ready["vibration"]["port"])
            await clock.advance(0.12)  # two chunks of 50 ms: 16 whole frames of 40 samples
            size = len(encode_frame(0, np.full((40, 3), 257, dtype=np.int16)))
            data = await port.receive(16 * (size - 2))
            frames = data.split(b"\0")
            numbers = [_sequence(frame) for frame in frames[:15]]
            assert numbers == list(range(15))
            command(shop, '{"fault":"cable_cut","link":"vibration","seconds":1}')
            await clock.advance(1.5)
            port.close()
            later = SerialClient(ready["vibration"]["port"])
            await clock.advance(0.2)
            first = (await later.receive(600)).split(b"\0")[1]
            assert _sequence(first) > 15 + 160
            later.close()

    run(check())


def _sequence(frame: bytes) -> int:
    payload, at = b"", 0
    while at < len(frame):
        code = frame[at]
        payload += frame[at + 1 : at + code] + (b"\0" if at + code < len(frame) else b"")
        at += code
    version, sequence, axes, count = struct.unpack("<BHBB", payload[:5])
    assert (version, axes, count) == (1, 3, 40)
    return int(sequence)


def test_the_machine_may_wait_for_its_first_reader() -> None:
    async def check() -> None:
        async with shop_here(wait=True) as (shop, ready, clock):
            await clock.advance(30.0)
            assert shop.state().time == 0.0
            client = await TcpClient.connect(ready)
            client.send(1, read(0, 1))
            await client.reply()
            await clock.advance(10.0)
            assert shop.state().time == pytest.approx(10.0, abs=0.02)
            await client.close()

    run(check())


def test_a_script_reaches_the_wires() -> None:
    async def check() -> None:
        script = load_script('[{"fault":"cable_cut","link":"tcp","at":2.0,"seconds":1}]')
        async with shop_here(script) as (_, ready, clock):
            client = await TcpClient.connect(ready)
            await clock.advance(1.9)
            client.send(1, read(0, 1))
            await client.reply()
            await clock.advance(0.3)
            assert await client.ended()
            await client.close()

    run(check())


def test_commands_are_answered_in_both_languages() -> None:
    async def check() -> None:
        async with shop_here() as (shop, _, clock):
            await clock.advance(7.0)
            assert shop.command(b'{"fault":"break","tool":4}') == {"ok": True, "fault": "break", "time": 7.0, "part": 2}
            refused = shop.command(b'{"fault":"break","tool":9}')
            assert (refused["ok"], refused["error"], set(refused["text"])) == (False, "tool", {"fr", "en"})
            assert "1, 2, 4" in refused["text"]["en"]
            assert shop.command(b"what?")["error"] == "not_understood"
            assert shop.command(b'{"fault":"wear","tool":1,"at_part":1}')["error"] == "past"
            assert shop.command(b'{"query":"state"}')["state"]["part"] == 2
            truth = shop.command(b'{"query":"truth"}')["truth"]
            assert [r["event"] for r in truth] == ["part", "cut", "cut", "cut", "part", "fault"]
            assert shop.command(b'{"query":"truth"}')["truth"] == []
            assert shop.command(b'{"query":"all"}')["ok"] is False

    run(check())
