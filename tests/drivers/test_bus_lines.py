"""RTU frames through a TCP connection, and Modbus ASCII: against servers that are not ours, and what is special about them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.links import Links
from drivers.model import Quality, Readings
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.plan import Request
from drivers.trouble import BusTrouble, LinkDown, NoAnswer, Refused
from tests.support.aio import bounded, run, until
from tests.support.bad_device import GOOD, Asked, BadRtu, BadRtuTcp, BadTcp, register
from tests.support.libmodbus import LibModbus, holding, inputs, missing
from tests.support.ptys import Pty
from tests.support.virtual_time import LoopClock, run_virtual


@asynccontextmanager
async def device_server(pty: Pty) -> AsyncIterator[int]:
    """Bytes from a TCP connection to the far end of a pty and back: a serial device server. Gives its port."""
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(4096):
            pty.write(data)
        writer.close()

    def back() -> None:
        data = os.read(pty.fd, 4096)
        for writer in writers:
            writer.write(data)

    loop.add_reader(pty.fd, back)
    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.remove_reader(pty.fd)
        server.close()
        for writer in writers:
            await writer.wait_closed()
        await server.wait_closed()


def script(*acts: str) -> Callable[[Asked], str]:
    left = list(acts)
    return lambda _: left.pop(0) if left else GOOD


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_rtu_over_tcp_against_libmodbus(tmp_path: Path) -> None:
    """libmodbus serves RTU on one pty; another one, joined to it, is the serial side of the device server."""

    async def main(near: Pty, far: Pty) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(far.fd, lambda: os.write(near_side, os.read(far.fd, 4096)))
        loop.add_reader(near_side, lambda: far.write(os.read(near_side, 4096)))
        async with device_server(near) as port:
            bus = Bus(BusOptions(name="r", framing="rtu_tcp", host="127.0.0.1", port=port, baud=115200, timeout=1.0), SystemClock())
            await bus.open()
            assert (await bus.read(7, Request("holding", 3, 125))).values == [holding(i) for i in range(3, 128)]
            assert (await bus.read(7, Request("input", 0, 1))).values == [inputs(0)]
            assert (await bus.read(7, Request("coil", 1, 19))).values == [int(i % 3 == 0) for i in range(1, 20)]
            with pytest.raises(Refused) as caught:
                await bus.read(7, Request("holding", 290, 20))
            assert caught.value.code == 2
            with pytest.raises(NoAnswer):
                await bus.read(8, Request("holding", 0, 1))
            assert (await bus.read(7, Request("holding", 0, 1))).values == [holding(0)]
            bus.close()
        for descriptor in (far.fd, near_side):
            loop.remove_reader(descriptor)

    with Pty(tmp_path / "near") as near, Pty(tmp_path / "far") as far, LibModbus("rtu", str(far.path), "7"):
        near_side = os.open(near.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            run(main(near, far))
        finally:
            os.close(near_side)


def test_ascii_against_the_server_of_pymodbus(tmp_path: Path) -> None:
    async def main(a: Pty, b: Pty) -> None:
        loop = asyncio.get_running_loop()
        for one, other in ((a, b), (b, a)):
            loop.add_reader(one.fd, lambda one=one, other=other: other.write(os.read(one.fd, 4096)))
        registers = [SimData(0, values=[i * 7 + 1 for i in range(300)], datatype=DataType.REGISTERS)]
        server = ModbusSerialServer([SimDevice(7, registers)], port=str(b.path), framer=FramerType.ASCII, baudrate=115200)
        await server.serve_forever(background=True)
        bus = Bus(BusOptions(name="a", framing="ascii", port=str(a.path), baud=115200, timeout=2.0), SystemClock())
        await bus.open()
        assert (await bus.read(7, Request("holding", 3, 125))).values == [holding(i) for i in range(3, 128)]
        assert (await bus.read(7, Request("holding", 0x0A, 1))).values == [holding(0x0A)]
        with pytest.raises(Refused) as caught:
            await bus.read(7, Request("holding", 290, 20))
        assert caught.value.code == 2
        bus.close()
        await server.shutdown()
        for end in (a, b):
            loop.remove_reader(end.fd)

    with Pty(tmp_path / "a") as a, Pty(tmp_path / "b") as b:
        run(main(a, b), debug=False)


@pytest.mark.parametrize("fault", ["hold", "swap", "cut", "cut_held", "double", "foreign_first", "bad_crc", "echo", "noise_before"])
def test_ascii_faults_cost_a_read_and_never_give_a_wrong_value(tmp_path: Path, fault: str) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            device = BadRtu(pty, script(GOOD, fault), framing="ascii")
            device.start()
            bus = Bus(BusOptions(name="a", framing="ascii", port=str(pty.path), baud=9600, timeout=0.5), LoopClock())
            await bus.open()
            good = 0
            for _ in range(6):
                before = device.number
                try:
                    answer = await bus.read(1, Request("holding", 20, 6))
                except BusTrouble:
                    continue
                assert [v >> 8 for v in answer.values] == [20, 21, 22, 23, 24, 25]
                assert all(before < v & 0xFF <= device.number for v in answer.values)
                good += 1
            assert good >= 4, "one fault costs the read that it hits, and at most one more"
            bus.close()
            device.stop()

    run_virtual(main())


def test_an_answer_that_waits_in_the_device_server_is_not_taken_by_the_next_connection() -> None:
    async def main() -> None:
        device = BadRtuTcp(script("hold"))
        await device.start()
        bus = Bus(BusOptions(name="t", framing="rtu_tcp", host="127.0.0.1", port=device.port, timeout=0.3), SystemClock())
        await bus.open()
        reading = asyncio.create_task(bus.read(1, Request("holding", 0, 10)))
        await until(lambda: device.number == 1)
        device.hang_up()
        with pytest.raises(LinkDown):
            await bounded(reading)
        await bus.open()
        # The held answer comes when the same registers are asked for again.
        answer = await bus.read(1, Request("holding", 0, 10))
        assert [(a.address, a.count) for a in device.asked] == [(0, 10), (0, 9), (9, 1)]
        assert answer.values == [register(i, 2) for i in range(9)] + [register(9, 3)]
        assert bus.device(1).stale_replies == 1
        bus.close()
        await device.stop()

    run(main())


@pytest.mark.parametrize("manner", ["11", "silent"])
def test_a_dead_unit_behind_a_gateway_costs_the_others_its_probes(manner: str) -> None:
    """Three units on one connection: one is answered for with exception 11 (gateway target failed to respond), or not at all."""

    async def main() -> None:
        device = BadTcp(lambda asked: manner if asked.unit == 2 else GOOD)
        await device.start()
        rows: list[Readings] = []
        clock = LoopClock()
        links = Links(
            [BusOptions(name="g", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.4)],
            [SourceOptions(name=f"u{unit}", bus="g", device="m", address=unit, every=0.1) for unit in (1, 2, 3)],
            {"m": DeviceMap(name="m", registers=(Register(name="a", address=20),))},
            [ChannelRoute(channel=f"u{unit}.a", source=f"u{unit}", register="a") for unit in (1, 2, 3)],
            clock,
            rows.append,  # type: ignore[arg-type]
        )
        task = asyncio.create_task(links.run())
        await clock.sleep(30.0)
        states = {d.source: (d.state, d.error) for d in links.health()[0].devices}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert states == {"u1": ("ok", ""), "u2": ("offline", "refused" if manner == "11" else "no_answer"), "u3": ("ok", "")}
        for source in ("u1", "u3"):
            mine = [row for row in rows if row.source == source]
            assert all((row.quality == Quality.GOOD).all() for row in mine)
            assert len(mine) >= 270, "of 300 in 30 s"
            assert {int(row.values[0, 0]) >> 8 for row in mine} == {20}
        assert all((row.quality == Quality.UNAVAILABLE).all() for row in rows if row.source == "u2")
        assert device.connections == 1, "no reason to open the link again"
        await device.stop()

    run_virtual(main(), sockets=True)


def test_a_question_behind_one_that_a_gateway_still_waits_for_is_given_time() -> None:
    """The gateway asks its line one by one: the living unit's answer comes when it has given up the dead one."""

    async def main() -> None:
        device = BadTcp(lambda asked: "silent" if asked.unit == 2 else GOOD)
        await device.start()
        clock = LoopClock()
        bus = Bus(BusOptions(name="g", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.5), clock)
        await bus.open()
        request = Request("holding", 20, 3)
        for _ in range(20):
            await bus.read(1, request)
        learned = bus.device(1).replies.timeout()
        assert learned < 0.1
        with pytest.raises(NoAnswer):
            await bus.read(2, request)
        device.delay = 0.4
        assert (await bus.read(1, request)).values[0] >> 8 == 20
        assert bus.device(1).replies.timeout() == learned, "that was not its own doing"
        device.delay = 0.0
        await bus.read(1, request)
        device.delay = 0.4
        with pytest.raises(NoAnswer):
            await bus.read(1, request)
        bus.close()
        await device.stop()

    run_virtual(main(), sockets=True)


@pytest.mark.parametrize("framing", ["rtu", "tcp"])
def test_a_device_gets_the_silence_that_it_needs_before_and_after(tmp_path: Path, framing: str) -> None:
    async def main() -> None:
        clock = LoopClock()
        times: list[tuple[float, int]] = []

        def act(asked: Asked) -> str:
            times.append((clock.monotonic(), asked.unit))
            return GOOD

        with Pty(tmp_path / "line") as pty:
            device: BadRtu | BadTcp
            if framing == "tcp":
                device = BadTcp(act)
                await device.start()
                options = BusOptions(name="b", framing="tcp", host="127.0.0.1", port=device.port)
            else:
                device = BadRtu(pty, act, (1, 2))
                device.start()
                options = BusOptions(name="b", framing="rtu", port=str(pty.path), baud=115200)
            bus = Bus(options, clock)
            bus.device(2).gap = 0.05
            await bus.open()
            await clock.sleep(1.0)
            for unit in (1, 1, 2, 1, 1, 2, 2):
                await bus.read(unit, Request("holding", 0, 4))
            bus.close()
            if isinstance(device, BadTcp):
                await device.stop()
            else:
                device.stop()
        waits = [(round(b[0] - a[0], 3), a[1], b[1]) for a, b in pairwise(times)]
        for wait, before, after in waits:
            assert wait >= 0.05 - 1e-6 if 2 in {before, after} else wait < 0.01, waits

    run_virtual(main(), sockets=framing == "tcp")
