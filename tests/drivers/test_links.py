"""Everything that is connected, seen from above: what is delivered while devices come and go."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from drivers.clock import Clock, SystemClock
from drivers.health import BusHealth, DeviceHealth
from drivers.links import Links, load_kernels
from drivers.model import Quality, Readings, Waveform, word_of
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.polled import PolledSource
from drivers.stream import encode_frame
from tests.support.aio import bounded, ended, run, until
from tests.support.bad_device import GOOD, Asked, BadRtu, BadTcp, register
from tests.support.libmodbus import LibModbus, holding, missing
from tests.support.ptys import Pty
from tests.support.virtual_time import LoopClock, run_virtual

LATHE = DeviceMap(
    name="lathe",
    registers=(
        Register(name="speed", address=20, scale=2.0),
        Register(name="load", address=10, scale=0.5, unit="%"),
        Register(name="mode", address=12, words={str(register(12, n)): "AUTOMATIC" for n in range(0, 256, 2)}),
        Register(name="far", address=90),
    ),
)


class Shop:
    """Collects what is delivered."""

    def __init__(self) -> None:
        self.items: list[Readings | Waveform] = []

    def deliver(self, item: Readings | Waveform) -> None:
        self.items.append(item)

    def rows(self, source: str = "", *, lost: bool | None = None) -> list[Readings]:
        rows = [r for r in self.items if isinstance(r, Readings) and (not source or r.source == source)]
        return rows if lost is None else [r for r in rows if is_lost(r) == lost]

    def waves(self) -> list[Waveform]:
        return [w for w in self.items if isinstance(w, Waveform)]


def is_lost(row: Readings) -> bool:
    return bool((row.quality == Quality.UNAVAILABLE).all())


def rtu_bus(pty: Pty, timeout: float = 0.3) -> BusOptions:
    return BusOptions(name="line", framing="rtu", port=str(pty.path), baud=1_000_000, timeout=timeout)


def source(name: str = "s", address: int = 1, every: float = 0.02, device: str = "lathe", bus: str = "line") -> SourceOptions:
    return SourceOptions(name=name, bus=bus, device=device, address=address, every=every)


def routes(*names: str, source: str = "s") -> list[ChannelRoute]:
    return [ChannelRoute(channel=f"{source}_{name}", source=source, register=name) for name in names]


@asynccontextmanager
async def running(links: Links) -> AsyncIterator[Links]:
    task = asyncio.create_task(links.run())
    try:
        yield links
        assert not task.done(), task.exception()
    finally:
        await ended(task)


@asynccontextmanager
async def rtu_shop(
    tmp_path: Path,
    choose: Callable[[Asked], str],
    sources: list[SourceOptions],
    wanted: list[ChannelRoute],
    units: tuple[int, ...] = (1,),
    clock: Clock | None = None,
) -> AsyncIterator[tuple[Shop, BadRtu, Links]]:
    with Pty(tmp_path / "line") as pty:
        device = BadRtu(pty, choose, units)
        device.start()
        shop = Shop()
        links = Links([rtu_bus(pty)], sources, {"lathe": LATHE}, wanted, clock or SystemClock(), shop.deliver)
        async with running(links):
            yield shop, device, links
        device.stop()


def only(health: tuple[BusHealth, ...]) -> DeviceHealth:
    ((device,),) = (bus.devices for bus in health)
    return device


def test_one_row_a_poll_under_the_channels_names(tmp_path: Path) -> None:
    async def main() -> None:
        async with rtu_shop(tmp_path, lambda _: GOOD, [source()], routes("load", "mode", "speed")) as (shop, device, links):
            await until(lambda: len(shop.rows()) >= 10)
            for row in shop.rows()[:10]:
                assert (row.source, row.channels, row.values.shape) == ("s", ("s_load", "s_mode", "s_speed"), (1, 3))
                assert (row.quality == Quality.GOOD).all()
                number = int(row.values[0, 0] * 2) & 0xFF
                assert row.values[0, 0] == register(10, number) * 0.5
                assert row.values[0, 2] == register(20, number) * 2.0
                assert word_of(row.values[0, 1], row.words) == ("AUTOMATIC" if number % 2 == 0 else str(register(12, number)))
            assert {(a.address, a.count) for a in device.asked} == {(10, 11)}, "one request, holes read along"
            times = [row.time[0] for row in shop.rows()]
            assert times == sorted(times)
            assert (only(links.health()).state, links.health()[0].state) == ("ok", "open")

    run(main())


def test_a_dead_unit_costs_the_live_one_no_more_than_its_probes(tmp_path: Path) -> None:
    async def main() -> None:
        sources = [source("live", 1), source("dead", 2)]
        wanted = routes("load", source="live") + routes("load", source="dead")
        async with rtu_shop(tmp_path, lambda _: GOOD, sources, wanted, clock=LoopClock()) as (shop, device, links):
            await until(lambda: len(shop.rows("dead", lost=True)) >= 4, 60.0)
            offline = shop.items.index(shop.rows("dead", lost=True)[0])
            live = [i for i, item in enumerate(shop.items) if item.source == "live" and i > offline]
            told = [i for i, item in enumerate(shop.items) if item.source == "dead" and i > offline]
            between = [sum(a < i < b for i in live) for a, b in pairwise([offline, *told])]
            assert len(between) >= 3
            # A probe costs 0.3 s, and 16 times that pass until the next: 240 polls of 20 ms.
            assert all(n >= 230 for n in between), between
            assert len(shop.rows("dead")) == len(shop.rows("dead", lost=True))
            assert not shop.rows("live", lost=True)
            states = {d.source: d.state for d in links.health()[0].devices}
            assert states == {"live": "ok", "dead": "offline"}
            probes = device.heard.count(2)
            assert probes <= len(told) + 20

    run_virtual(main())


def test_a_device_that_goes_and_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with rtu_shop(tmp_path, lambda _: GOOD, [source()], routes("load"), clock=LoopClock()) as (shop, device, links):
            await until(lambda: len(shop.rows(lost=False)) >= 5)
            device.units = ()
            await until(lambda: len(shop.rows(lost=True)) >= 3)
            gone = only(links.health())
            assert (gone.state, gone.error) == ("offline", "no_answer")
            device.units = (1,)
            back = len(shop.rows(lost=False))
            await until(lambda: len(shop.rows(lost=False)) >= back + 5)
            assert only(links.health()).state == "ok"
            assert only(links.health()).missed_periods > 0
            assert all(row.channels == ("s_load",) for row in shop.rows())

    with caplog.at_level(logging.INFO, logger="drivers"):
        run_virtual(main())
    told = [r.getMessage() for r in caplog.records if "unit 1" in r.getMessage()]
    assert len(told) == 3, f"ok, offline, ok: once each, {told}"


def test_pulled_out_and_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with rtu_shop(tmp_path, lambda _: GOOD, [source()], routes("load")) as (shop, device, links):
            await until(lambda: len(shop.rows(lost=False)) >= 3)
            device.stop()
            device.pty.unplug()
            await until(lambda: len(shop.rows(lost=True)) >= 1)
            await until(lambda: links.health()[0].state == "down")
            assert links.health()[0].error in {"closed", "cannot_open"}
            back = len(shop.rows(lost=False))
            device.pty.plug()
            device.start()
            await until(lambda: len(shop.rows(lost=False)) >= back + 3)
            assert links.health()[0].opened == 2

    run(main())


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_tcp_server_that_is_killed_and_comes_back() -> None:
    async def main(server: LibModbus) -> None:
        shop = Shop()
        bus = BusOptions(name="line", framing="tcp", host="127.0.0.1", port=server.port, timeout=0.2)
        again = LibModbus("tcp", str(server.port))
        try:
            async with running(Links([bus], [source()], {"lathe": LATHE}, routes("load", "far"), SystemClock(), shop.deliver)):
                await until(lambda: len(shop.rows(lost=False)) >= 3)
                assert shop.rows()[0].values.tolist() == [[holding(10) * 0.5, holding(90)]]
                server.kill()
                await until(lambda: len(shop.rows(lost=True)) >= 1)
                back = len(shop.rows(lost=False))
                again.start()
                await until(lambda: len(shop.rows(lost=False)) >= back + 3)
        finally:
            again.kill()

    server = LibModbus("tcp").start()
    try:
        run(main(server))
    finally:
        server.kill()


def test_a_device_that_hangs_up_is_not_stormed() -> None:
    async def main() -> None:
        device = BadTcp(lambda _: "close")
        await device.start()
        shop = Shop()
        bus = BusOptions(name="line", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.2)
        async with running(Links([bus], [source()], {"lathe": LATHE}, routes("load"), SystemClock(), shop.deliver)):
            await until(lambda: len(shop.rows(lost=True)) >= 4)
        assert len(shop.rows(lost=False)) == 0
        assert device.connections <= 8
        await device.stop()

    run(main())


def test_an_address_that_is_refused_costs_only_its_own_channels() -> None:
    async def main() -> None:
        device = BadTcp(lambda asked: "2" if asked.address <= 90 < asked.address + asked.count else GOOD)
        await device.start()
        shop = Shop()
        bus = BusOptions(name="line", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.5)
        async with running(
            Links([bus], [source()], {"lathe": LATHE}, routes("load", "far", "speed"), SystemClock(), shop.deliver)
        ) as links:
            await until(lambda: len(shop.rows()) >= 5)
            row = shop.rows()[-1]
            assert row.quality.tolist() == [[Quality.GOOD, Quality.UNAVAILABLE, Quality.GOOD]]
            assert np.isnan(row.values[0, 1])
            assert (only(links.health()).state, only(links.health()).error) == ("degraded", "refused")
        assert device.asked[0].count == 81, "first all in one"
        assert sum(a.address <= 90 < a.address + a.count for a in device.asked) == 2, "and not again until it has rested"
        await device.stop()

    run(main())


def test_a_device_that_is_busy_for_ever_is_lost() -> None:
    async def main() -> None:
        device = BadTcp(lambda _: "6")
        await device.start()
        shop = Shop()
        bus = BusOptions(name="line", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.1)
        async with running(Links([bus], [source()], {"lathe": LATHE}, routes("load"), SystemClock(), shop.deliver)) as links:
            await until(lambda: len(shop.rows(lost=True)) >= 2)
            assert only(links.health()).exceptions > 0
            assert device.connections == 1, "no reason to open the link again"
        await device.stop()

    run(main())


def test_one_request_of_several_that_is_never_answered() -> None:
    async def main() -> None:
        device = BadTcp(lambda asked: "silent" if asked.function == 4 else GOOD)
        await device.start()
        shop = Shop()
        two = DeviceMap(name="two", registers=(Register(name="a", table="input", address=1), Register(name="b", address=2)))
        bus = BusOptions(name="line", framing="tcp", host="127.0.0.1", port=device.port, timeout=0.4)
        links = Links([bus], [source(device="two")], {"two": two}, routes("a", "b"), SystemClock(), shop.deliver)
        async with running(links):
            await until(lambda: any(r.quality.tolist() == [[Quality.UNAVAILABLE, Quality.GOOD]] for r in shop.rows()))
            assert not shop.rows(lost=True)
            assert only(links.health()).state == "degraded"
        await device.stop()

    run(main())


def test_cancelled_while_an_answer_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            device = BadRtu(pty, lambda _: "silent")
            device.start()
            shop = Shop()
            links = Links([rtu_bus(pty, 0.3)], [source()], {"lathe": LATHE}, routes("load"), SystemClock(), shop.deliver)
            task = asyncio.create_task(links.run())
            await until(lambda: device.number == 1)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            await bounded(asyncio.gather(task, return_exceptions=True))
            assert task.cancelled()
            assert device.number == 1
            device.stop()

    run(main())


def test_periods_that_passed_are_missed_and_the_grid_stays() -> None:
    polled = PolledSource(source(every=1.0), BusOptions(name="line", framing="tcp"), LATHE, routes("load"))
    polled.begin(10.0)
    polled.advance(10.01)
    assert (polled.due, polled.missed) == (11.0, 0)
    polled.advance(10.3)
    assert (polled.due, polled.missed) == (11.0, 0), "asked again within the period: the grid is not moved"
    polled.advance(13.5)
    assert (polled.due, polled.missed) == (14.0, 2)


@pytest.mark.parametrize(
    ("sources", "wanted"),
    [
        ([source(bus="other")], routes("load")),
        ([source()], routes("none")),
        ([source("a"), source("b")], routes("x", source="a") + routes("x", source="b")),
    ],
)
def test_what_cannot_be_connected_is_said_at_once(sources: list[SourceOptions], wanted: list[ChannelRoute]) -> None:
    framing = "cobs" if len(sources) == 2 else "rtu"
    bus = BusOptions(name="line", framing=framing, port="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no bus|no register|one stream"):
        Links([bus], sources, {"lathe": LATHE}, wanted, SystemClock(), lambda _: None)


def test_nothing_connected_waits() -> None:
    async def main() -> None:
        task = asyncio.create_task(Links([], [], {}, [], SystemClock(), lambda _: None).run())
        await asyncio.sleep(0)
        assert not task.done()
        await ended(task)

    run(main())


# ------------------------------------------------------------------------------------------------------------- streams
VIBRATION = DeviceMap(name="vibration", kind="vibration", rate=6667.0, axes=3, scale=0.001, unit="g")
WIT = DeviceMap(name="wit", kind="vibration", registers=(Register(name="vx", address=2, type="i16", unit="mm/s"),))


def stream_links(
    pty: Pty, framing: str, device: DeviceMap, wanted: list[ChannelRoute], shop: Shop, load: Callable[[], object] | None = None
) -> Links:
    bus = BusOptions(name="line", framing=framing, port=str(pty.path), baud=921600, parity="N", timeout=0.2)  # type: ignore[arg-type]
    more = {} if load is None else {"load": load}
    return Links([bus], [source(device=device.name)], {device.name: device}, wanted, SystemClock(), shop.deliver, **more)  # type: ignore[arg-type]


def vibration_frames(first: int, n: int) -> bytes:
    rng = np.random.default_rng(first)
    return b"".join(encode_frame(first + i, rng.integers(-3000, 3000, (41, 3)).astype(np.int16)) for i in range(n))


def test_raw_vibration_over_a_pty_that_is_pulled_out_and_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        shop = Shop()
        with Pty(tmp_path / "line") as pty:
            async with running(stream_links(pty, "cobs", VIBRATION, routes("xyz"), shop)) as links:
                await until(lambda: links.health()[0].state == "open")
                sent = 0
                while not shop.waves():
                    await pty.send(vibration_frames(sent, 20))
                    sent += 20
                wave = shop.waves()[0]
                assert (wave.channel, wave.samples.shape, wave.scale, wave.unit, wave.lost) == ("s_xyz", (4096, 3), 0.001, "g", 0)
                assert wave.quality == Quality.GOOD
                pty.unplug()
                await until(lambda: len(shop.rows(lost=True)) >= 1)
                await until(lambda: links.health()[0].state == "down")
                await until(lambda: only(links.health()).state == "offline" and len(shop.rows(lost=True)) >= 1)
                pty.plug()
                await until(lambda: links.health()[0].state == "open")
                seen = len(shop.waves())
                while len(shop.waves()) < seen + 2:
                    await pty.send(vibration_frames(sent + 50, 20))
                    sent += 20
                assert (only(links.health()).state, only(links.health()).error) == ("degraded", "samples_lost")
                # What was in the line when it was pulled is lost as well; nothing is lost without being counted.
                await until(lambda: 41 * only(links.health()).frames + only(links.health()).lost_samples == 41 * (sent + 50))
                assert only(links.health()).lost_samples >= 50 * 41
                assert shop.waves()[seen].lost >= 50 * 41

    run(main())


def test_a_port_that_opens_and_dies_at_once_is_opened_ever_more_rarely(tmp_path: Path) -> None:
    async def never() -> ModuleType:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        clock = LoopClock()
        bus = BusOptions(name="line", framing="cobs", port=str(tmp_path / "line"), baud=921600, parity="N", timeout=0.2)
        with Pty(tmp_path / "line") as pty:
            links = Links([bus], [source(device="vibration")], {"vibration": VIBRATION}, routes("xyz"), clock, lambda _: None, load=never)
            async with running(links):
                end = clock.monotonic() + 60.0
                while clock.monotonic() < end:
                    if links.health()[0].state == "open":
                        pty.write(b"x")
                        await clock.sleep(0.05)
                        pty.unplug()
                        pty.plug()
                    await clock.sleep(0.02)
                assert 10 <= links.health()[0].opened <= 20

    run_virtual(main())


def test_lost_samples_are_shown_and_forgiven_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        shop = Shop()
        sent = 23

        async def send_until(condition: Callable[[DeviceHealth], bool]) -> None:
            nonlocal sent
            while not condition(only(links.health())):
                await pty.send(vibration_frames(sent, 1))
                sent += 1

        with Pty(tmp_path / "line") as pty:
            async with running(stream_links(pty, "cobs", VIBRATION, routes("xyz"), shop)) as links:
                await until(lambda: links.health()[0].state == "open")
                await pty.send(vibration_frames(0, 20))
                await until(lambda: only(links.health()).frames == 20)
                assert only(links.health()).lost_samples == 0
                monkeypatch.setattr("drivers.listen._CALM", 1e9)
                await send_until(lambda device: (device.state, device.error) == ("degraded", "samples_lost"))
                assert only(links.health()).lost_samples == 3 * 41
                monkeypatch.setattr("drivers.listen._CALM", 0.0)
                await send_until(lambda device: (device.state, device.error) == ("ok", ""))
                assert only(links.health()).lost_samples == 3 * 41, "counted for good"

    run(main())


def test_bytes_wait_for_the_kernels(tmp_path: Path) -> None:
    async def main() -> None:
        shop = Shop()
        allowed = asyncio.Event()

        async def load() -> ModuleType:
            await allowed.wait()
            return await load_kernels()

        with Pty(tmp_path / "line") as pty:
            async with running(stream_links(pty, "cobs", VIBRATION, routes("xyz"), shop, load)) as links:
                await until(lambda: links.health()[0].state == "open")
                await pty.send(vibration_frames(0, 220))
                for _ in range(20):
                    await asyncio.sleep(0.01)
                assert not shop.waves()
                allowed.set()
                await until(lambda: len(shop.waves()) == 2)
                assert [w.lost for w in shop.waves()] == [0, 0]
                assert only(links.health()).dropped_bytes == 0

    run(main())


def test_a_wit_sensor_over_a_pty(tmp_path: Path) -> None:
    async def main() -> None:
        from tests.drivers.test_wit import frame

        shop = Shop()
        with Pty(tmp_path / "line") as pty:
            async with running(stream_links(pty, "wit", WIT, routes("vx"), shop)) as links:
                await until(lambda: links.health()[0].state == "open")
                while len(shop.rows(lost=False)) < 3:
                    pty.write(b"\x00\x55" + frame() + frame())
                    await asyncio.sleep(0.005)
                row = shop.rows(lost=False)[0]
                assert row.channels == ("s_vx",)
                assert row.values[0, 0] == 3.0
                assert set(row.quality.ravel().tolist()) == {Quality.UNCERTAIN}
                await until(lambda: len(shop.rows(lost=True)) >= 2)  # it fell silent
                assert only(links.health()).error == "silent"

    run(main())


def test_rubbish_on_the_line_is_no_sensor(tmp_path: Path) -> None:
    async def main() -> None:
        shop = Shop()
        with Pty(tmp_path / "line") as pty:
            async with running(stream_links(pty, "cobs", VIBRATION, routes("xyz"), shop)) as links:
                while only(links.health()).error != "no_frames":
                    pty.write(b"\x33" * 64)
                    await asyncio.sleep(0.01)
                assert shop.rows(lost=True)

    run(main())


def test_importing_the_links_imports_no_compiler() -> None:
    code = "import sys, drivers.links; print([m for m in ('numba', 'llvmlite', 'drivers.frames', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"
