"""Periods of their own and slow devices, through the poller and over a real wire; time jumps when nothing is under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivers.links import Links
from drivers.model import Quality, Readings, Waveform
from drivers.options import ChannelRoute, DeviceMap, Register, SourceOptions
from tests.support.map_device import MapDevice, wired
from tests.support.virtual_time import LoopClock, run_virtual

SECONDS = 20.0


def polled(device: MapDevice, folder: Path, routes: list[ChannelRoute], every: float) -> list[Readings]:
    rows: list[Readings] = []

    def take(item: Readings | Waveform) -> None:
        assert isinstance(item, Readings)
        rows.append(item)

    async def main() -> None:
        async with wired(device, "rtu", folder) as bus:
            source = SourceOptions(name="s", bus="wire", device=device.device.name, every=every)
            links = Links([bus], [source], {device.device.name: device.device}, routes, LoopClock(), take)
            task = asyncio.create_task(links.run())
            await asyncio.sleep(SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            (health,) = links.health()
            assert health.devices[0].missed_periods == 0

    run_virtual(main())
    return rows


def test_a_temperature_every_five_seconds_beside_a_load_every_fiftieth(tmp_path: Path) -> None:
    registers = (Register(name="load", address=0), Register(name="speed", address=1), Register(name="temperature", address=40))
    far = MapDevice(DeviceMap(name="drive", registers=registers), 1)
    for register in registers:
        far.put(register, 300)
    routes = [ChannelRoute(channel=r.name, source="s", register=r.name, every=5.0 if r.name == "temperature" else None) for r in registers]
    rows = polled(far, tmp_path, routes, 0.05)
    fast = [asked for asked in far.asked if asked == ("holding", 0, 2)]
    slow = [asked for asked in far.asked if asked == ("holding", 40, 1)]
    assert len(far.asked) == len(fast) + len(slow)
    assert 395 <= len(fast) <= 402
    assert 4 <= len(slow) <= 5
    read = np.vstack([row.quality for row in rows]) == Quality.GOOD
    assert (read.sum(axis=0) == [len(fast), len(fast), len(slow)]).all()
    times = np.concatenate([row.time for row in rows])[read[:, 0]]
    assert np.diff(times).max() < 0.05 + 0.03, "no slow read holds up the fast one for longer than itself"


def test_a_meter_that_updates_once_a_second_gives_one_reading_a_second(tmp_path: Path) -> None:
    meter = DeviceMap(name="meter", update=1.0, registers=(Register(name="power"),))
    far = MapDevice(meter, 1)
    far.put(meter.registers[0], 7)
    rows = polled(far, tmp_path, [ChannelRoute(channel="power", source="s", register="power")], 0.1)
    assert 195 <= len(far.asked) <= 201
    assert 19 <= len(rows) <= 21
    assert all(row.quality[0, 0] == Quality.GOOD and row.values[0, 0] == 7.0 for row in rows)
    assert np.diff([row.time[0] for row in rows]).min() > 0.94


@dataclass
class Mute(MapDevice):
    """Falls silent altogether, then does not answer the first questions for register 40."""

    silent: bool = False
    deaf: int = 0

    def frame(self, frame: bytes) -> bytes:
        if self.silent:
            return b""
        if self.deaf and int.from_bytes(frame[2:4], "big") == 40:
            self.deaf -= 1
            return b""
        return super().frame(frame)


@pytest.mark.parametrize(("outage", "deaf", "soon"), [(2.0, 0, 0.0), (2.0, 1, 10.5), (500.0, 0, 0.0), (500.0, 1, 2.0)])
def test_all_channels_are_back_with_the_device_whatever_their_period(outage: float, deaf: int, soon: float, tmp_path: Path) -> None:
    """What is read every 200 s is not missing for 200 s because a cable was out for two. `soon`: most s from the first answer to its own;
    500 s are longer than its patience, too."""
    registers = (Register(name="load", address=0), Register(name="rated", address=40), Register(name="none", address=80))
    far = Mute(DeviceMap(name="drive", registers=registers), 1)
    for register in registers[:2]:
        far.put(register, 300)
    routes = [ChannelRoute(channel=r.name, source="s", register=r.name, every=None if r.name == "load" else 200.0) for r in registers]
    rows: list[Readings] = []

    def take(item: Readings | Waveform) -> None:
        assert isinstance(item, Readings)
        rows.append(item)

    async def main() -> None:
        async with wired(far, "rtu", tmp_path) as bus:
            source = SourceOptions(name="s", bus="wire", device="drive", every=0.5)
            links = Links([msgspec.structs.replace(bus, timeout=0.2)], [source], {"drive": far.device}, routes, LoopClock(), take)
            task = asyncio.create_task(links.run())
            await asyncio.sleep(12.0)
            far.silent, far.deaf = True, deaf
            await asyncio.sleep(outage)
            far.silent = False
            await asyncio.sleep(45.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())
    lost = max(i for i, row in enumerate(rows) if (row.quality == Quality.UNAVAILABLE).all())
    back = [row for row in rows[lost + 1 :] if row.quality[0, 0] == Quality.GOOD]
    rated = [row for row in rows[lost + 1 :] if row.quality[0, 1] == Quality.GOOD]
    assert back
    assert rated
    assert rated[0].time[0] - back[0].time[0] <= soon
    assert len(rated) == 1, "once, then on its own period again"
    assert len(back) >= 40, "the fast one goes on as before"
