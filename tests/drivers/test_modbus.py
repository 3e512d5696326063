"""Modbus over TCP and RTU against a server that is not ours (libmodbus), and TCP against one that misbehaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.options import BusOptions
from drivers.plan import Request
from drivers.trouble import BusTrouble, LinkDown, NoAnswer, Refused, WrongAnswer
from tests.support.aio import run, until
from tests.support.bad_device import GOOD, Asked, BadTcp, register
from tests.support.libmodbus import LibModbus, holding, inputs, missing
from tests.support.ptys import Pty

needs_libmodbus = pytest.mark.skipif(bool(missing()), reason=missing())


@contextmanager
def cable(tmp_path: Path) -> Iterator[tuple[Pty, Pty]]:
    """Two ptys whose far ends are joined: a serial cable."""
    with Pty(tmp_path / "a") as a, Pty(tmp_path / "b") as b:
        yield a, b


def join(a: Pty, b: Pty) -> Callable[[], None]:
    loop = asyncio.get_running_loop()
    for one, other in ((a, b), (b, a)):
        loop.add_reader(one.fd, lambda one=one, other=other: other.write(os.read(one.fd, 4096)))
    return lambda: [loop.remove_reader(p.fd) for p in (a, b)] and None


async def check_all_tables(bus: Bus, unit: int) -> None:
    assert (await bus.read(unit, Request("holding", 3, 125))).values == [holding(i) for i in range(3, 128)]
    assert (await bus.read(unit, Request("input", 0, 1))).values == [inputs(0)]
    assert (await bus.read(unit, Request("coil", 1, 19))).values == [int(i % 3 == 0) for i in range(1, 20)]
    assert (await bus.read(unit, Request("discrete", 0, 8))).values == [int(i % 5 == 0) for i in range(8)]
    with pytest.raises(Refused) as caught:
        await bus.read(unit, Request("holding", 290, 20))
    assert caught.value.code == 2
    assert (await bus.read(unit, Request("holding", 299, 1))).values == [holding(299)]


@needs_libmodbus
def test_tcp_against_libmodbus() -> None:
    async def main(port: int) -> None:
        bus = Bus(BusOptions(name="t", framing="tcp", host="127.0.0.1", port=port, timeout=2.0), SystemClock())
        await bus.open()
        await check_all_tables(bus, 1)
        bus.close()

    with LibModbus("tcp") as server:
        run(main(server.port))


@needs_libmodbus
def test_rtu_against_libmodbus(tmp_path: Path) -> None:
    async def main(near: Pty, far: Pty) -> None:
        part = join(near, far)
        bus = Bus(BusOptions(name="r", framing="rtu", port=str(near.path), baud=115200, timeout=2.0), SystemClock())
        await bus.open()
        await check_all_tables(bus, 7)
        with pytest.raises(NoAnswer):
            await bus.read(8, Request("holding", 0, 1))
        assert (await bus.read(7, Request("holding", 0, 1))).values == [holding(0)]
        bus.close()
        part()

    with cable(tmp_path) as (near, far), LibModbus("rtu", str(far.path), "7"):
        run(main(near, far))


@needs_libmodbus
def test_a_server_that_is_killed_and_comes_back() -> None:
    async def main(server: LibModbus) -> None:
        bus = Bus(BusOptions(name="t", framing="tcp", host="127.0.0.1", port=server.port, timeout=2.0), SystemClock())
        await bus.open()
        await bus.read(1, Request("holding", 0, 4))
        server.kill()
        with pytest.raises(LinkDown):
            await bus.read(1, Request("holding", 0, 4))
        with pytest.raises(LinkDown) as caught:
            await bus.open()
        assert caught.value.key == "cannot_connect"
        again = LibModbus("tcp", str(server.port))
        try:
            again.start()
            await bus.open()
            assert (await bus.read(1, Request("holding", 0, 1))).values == [holding(0)]
        finally:
            again.kill()
        bus.close()

    server = LibModbus("tcp").start()
    try:
        run(main(server))
    finally:
        server.kill()


@asynccontextmanager
async def tcp(choose: Callable[[Asked], str], clients: int = 8) -> AsyncIterator[tuple[Bus, BadTcp]]:
    device = BadTcp(choose, clients)
    await device.start()
    bus = Bus(BusOptions(name="t", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.3), SystemClock(), floor=0.03)
    try:
        await bus.open()
        yield bus, device
    finally:
        bus.close()
        await device.stop()


def script(*acts: str) -> Callable[[Asked], str]:
    left = list(acts)
    return lambda _: left.pop(0) if left else GOOD


async def good(bus: Bus, device: BadTcp) -> None:
    answer = await bus.read(1, Request("holding", 20, 3))
    assert answer.values == [register(20 + i, device.number) for i in range(3)]


@pytest.mark.parametrize("fault", ["silent", "hold", "wrong_transaction", "wrong_unit", "wrong_count", "wrong_function", "double"])
def test_tcp_faults_never_give_a_wrong_value(fault: str) -> None:
    async def main() -> None:
        async with tcp(script(GOOD, fault)) as (bus, device):
            await good(bus, device)
            if fault != "double":
                with pytest.raises((NoAnswer, WrongAnswer)):
                    await bus.read(1, Request("holding", 20, 3))
            for _ in range(4):
                await good(bus, device)
            assert device.connections == 1
            if fault == "hold":
                assert bus.device(1).stale_replies == 1

    run(main())


@pytest.mark.parametrize("code", [1, 2, 4, 6, 10, 11])
def test_tcp_exceptions(code: int) -> None:
    async def main() -> None:
        async with tcp(script(str(code))) as (bus, device):
            with pytest.raises(Refused) as caught:
                await bus.read(1, Request("holding", 20, 3))
            assert caught.value.code == code
            await good(bus, device)

    run(main())


@pytest.mark.parametrize(("fault", "key"), [("garbage", "not_modbus"), ("close", "closed")])
def test_a_tcp_link_that_is_of_no_more_use_is_opened_again(fault: str, key: str) -> None:
    async def main() -> None:
        async with tcp(script(fault), clients=1) as (bus, device):
            with pytest.raises(LinkDown) as caught:
                await bus.read(1, Request("holding", 20, 3))
            assert caught.value.key == key
            assert not bus.connected
            await bus.open()
            await until(lambda: device.connections == 2 or device.turned_away > 0)
            if device.turned_away:  # the old connection's end was not yet seen over there
                await bus.open()
            await good(bus, device)

    run(main())


def test_a_device_that_takes_one_client_is_given_back_before_it_is_taken_again() -> None:
    async def main() -> None:
        async with tcp(script(), clients=1) as (bus, device):
            await good(bus, device)
            for _ in range(3):
                await bus.open()
                try:
                    await good(bus, device)
                except LinkDown:
                    continue
            assert device.most == 1

    run(main())


def test_tcp_reads_go_on_after_many_silences_on_the_same_connection() -> None:
    # pymodbus by itself closes the connection after a few.
    async def main() -> None:
        async with tcp(script(*["silent"] * 8)) as (bus, device):
            for _ in range(8):
                with pytest.raises(NoAnswer):
                    await bus.read(1, Request("holding", 20, 3))
            await good(bus, device)
            assert device.connections == 1

    run(main())


def test_a_count_that_no_device_gives() -> None:
    async def main() -> None:
        async with tcp(script()) as (bus, _):
            with pytest.raises(ValueError, match="126"):
                await bus.read(1, Request("holding", 0, 126))

    run(main())


def test_a_closed_bus() -> None:
    async def main() -> None:
        async with tcp(script()) as (bus, _):
            bus.close()
            with pytest.raises(BusTrouble) as caught:
                await bus.read(1, Request("holding", 0, 1))
            assert isinstance(caught.value, LinkDown)

    run(main())
