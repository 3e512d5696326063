"""What does not change is said once: a while of each fault, in a loop whose time jumps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import pytest

from drivers.links import Links
from drivers.model import Readings, Waveform
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from tests.support.bad_device import GOOD, Asked, BadTcp
from tests.support.virtual_time import LoopClock, run_virtual

METER = DeviceMap(name="m", registers=(Register(name="a", address=20), Register(name="b", address=90)))
WHILE = 100.0
"""s: some ten probes of what is lost."""


@pytest.mark.parametrize(
    ("act", "lines"),
    [
        (lambda _: GOOD, ["bus g: open", "s (bus g, unit 1): ok"]),
        (lambda _: "silent", ["bus g: open", "s (bus g, unit 1): offline no_answer"]),
        (lambda _: "11", ["bus g: open", "s (bus g, unit 1): offline refused"]),
        (lambda _: "close", ["bus g: open", "bus g: down closed", "s (bus g, unit 1): offline closed"]),
        (lambda _: "wrong_transaction", ["bus g: open", "s (bus g, unit 1): offline wrong_answer"]),
        (
            lambda asked: "2" if asked.address <= 90 < asked.address + asked.count else GOOD,
            ["bus g: open", "s (bus g, unit 1): degraded refused"],
        ),
    ],
    ids=["good", "silent", "gateway", "hangs up", "wrong", "refuses one register"],
)
def test_one_line_for_each_change(act: Callable[[Asked], str], lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        device = BadTcp(act)
        await device.start()
        await poll_for_a_while(device.port)
        assert device.number > 5
        await device.stop()

    with caplog.at_level(logging.INFO):
        run_virtual(main(), sockets=True)
    said = [record.getMessage() for record in caplog.records if record.name.startswith(("drivers", "pymodbus"))]
    assert [any(text.startswith(line) for text in said) for line in lines] == [True] * len(lines), said
    assert len(said) == len(lines), said


def test_a_link_that_does_not_open_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        device = BadTcp(lambda _: GOOD)
        await device.start()
        await device.stop()
        await poll_for_a_while(device.port)

    with caplog.at_level(logging.INFO, logger="drivers"):
        run_virtual(main(), sockets=True)
    said = [record.getMessage() for record in caplog.records]
    assert sorted(line.split(":")[0] for line in said) == ["bus g", "s (bus g, unit 1)"], said


def test_a_device_that_hangs_up_beside_one_that_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Some gateways end the connection when a unit does not answer: the others are read on, and nothing storms."""

    async def main() -> None:
        storm = asyncio.Event()

        def choose(asked: Asked) -> str:
            if asked.number > 10 * WHILE:
                storm.set()
            return "close" if asked.unit == 2 else GOOD

        device = BadTcp(choose)
        await device.start()
        clock = LoopClock()
        bus = BusOptions(name="g", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.4)
        sources = [SourceOptions(name=f"s{unit}", bus="g", device="m", address=unit, every=1.0) for unit in (1, 2)]
        routes = [ChannelRoute(channel=f"s{unit}.a", source=f"s{unit}", register="a") for unit in (1, 2)]
        rows: list[Readings | Waveform] = []
        task = asyncio.create_task(Links([bus], sources, {"m": METER}, routes, clock, rows.append).run())
        with suppress(TimeoutError):
            async with asyncio.timeout(WHILE):
                await storm.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        hung_up = sum(asked.unit == 2 for asked in device.asked)
        assert 8 <= hung_up <= 30, "a few until it is lost, then probes, ever rarer"
        assert device.connections <= hung_up + 1
        assert sum(row.source == "s1" for row in rows) >= WHILE - 5
        await device.stop()

    with caplog.at_level(logging.INFO, logger="drivers"):
        run_virtual(main(), sockets=True)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) <= 5, said
    assert sum("s2 (bus g, unit 2): offline" in line for line in said) == 1


async def poll_for_a_while(port: int) -> None:
    clock = LoopClock()
    bus = BusOptions(name="g", framing="tcp", host="127.0.0.1", port=port, timeout=0.4)
    source = SourceOptions(name="s", bus="g", device="m", every=5.0)
    routes = [ChannelRoute(channel=f"s.{name}", source="s", register=name) for name in ("a", "b")]
    task = asyncio.create_task(Links([bus], [source], {"m": METER}, routes, clock, lambda _: None).run())
    await clock.sleep(WHILE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
