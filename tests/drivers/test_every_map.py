"""Every device map that ships, read over a real wire from a device that behaves as the map says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from drivers import golden
from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.devices import load_map
from drivers.identify import identify, registers_to_read
from drivers.model import Quality, Readings, word_of
from drivers.options import BusOptions, ChannelRoute, DeviceMap, GoldenFrame, Register, SourceOptions
from drivers.plan import Request
from drivers.polled import PolledSource
from drivers.trouble import Refused
from tests.support.aio import run
from tests.support.house import ROOT
from tests.support.map_device import MapDevice, wired

MAPS = [load_map(path) for path in sorted((ROOT / "config" / "devices").glob("*.toml"))]
ASKED = [m for m in MAPS if m.registers and not m.name.startswith("wit_") and m.registers[0].table != "query"]
"""The others stream, are asked in text, or must not be asked."""
ENDS = {"u16": {0xFFFF}, "i16": {-0x8000, 0x7FFF}}


def framing_of(device: DeviceMap) -> str:
    return device.serial.framing if device.serial is not None else "rtu" if device.kind == "drive" else "tcp"


def raw_for(register: Register, i: int) -> float:
    """A raw number that is none of the special ones, different for each register."""
    if register.words:
        return int(sorted(register.words)[i % len(register.words)])
    if register.type == "bit" or register.bit is not None:
        return i % 2
    if register.mask is not None:
        return 2
    signed = register.type[0] in "if"
    low = -math.inf if register.min is None else (register.min - register.offset) / register.scale
    high = math.inf if register.max is None else (register.max - register.offset) / register.scale
    number: float = (-1) ** i * (200 + 3 * i) if signed else 200 + 3 * i
    if register.type[0] == "f":
        number += 0.25
    if not low <= number <= high:
        number = int((max(low, -1000.0) + min(high, 1000.0)) / 2) + i % 2
    assert low <= number <= high
    assert number not in {*register.bad, *register.clips}
    return number


async def polled(bus: Bus, source: PolledSource, time: float) -> Readings:
    """One row of everything; what the device refuses is asked without its holes, as the poller does it."""
    for _ in range(4):
        read, again = [], False
        for slot in list(source.slots):
            try:
                read.append((slot, (await bus.read(source.options.address, slot.request)).values))
            except Refused as trouble:
                if trouble.code not in {2, 3} or not source.split(slot, 0.0):
                    raise
                again = True
        if not again:
            return source.row(time, read)
    raise AssertionError("refused again and again")


def reader(device: DeviceMap, options: BusOptions, *, every: float = 10.0, names: Sequence[str] = ()) -> PolledSource:
    registers = [r.name for r in device.registers if not names or r.name in names]
    routes = [ChannelRoute(channel=name, source="s", register=name) for name in registers]
    source = SourceOptions(name="s", bus="wire", device=device.name, address=unit_of(device), every=every)
    return PolledSource(source, options, device, routes)


def unit_of(device: DeviceMap) -> int:
    return (device.serial.address if device.serial is not None else 0) or 1


@pytest.mark.parametrize("device", ASKED, ids=lambda d: d.name)
def test_every_register_is_read_right_from_a_device_that_behaves_as_the_map_says(device: DeviceMap, tmp_path: Path) -> None:
    far = MapDevice(device, unit_of(device))
    raw = {register.name: raw_for(register, i) for i, register in enumerate(device.registers)}
    for register in device.registers:
        far.put(register, raw[register.name])

    async def main() -> None:
        async with wired(far, framing_of(device), tmp_path) as options:
            bus = Bus(options, SystemClock())
            bus.device(unit_of(device)).max_count = device.max_count
            await bus.open()
            source = reader(device, options)
            row = await polled(bus, source, 0.0)
            for i, register in enumerate(device.registers):
                assert row.quality[0, i] == Quality.GOOD, register.name
                if register.words:
                    word = register.words[str(int(raw[register.name]))]
                    assert word_of(row.values[0, i], row.words) == word
                else:
                    assert row.values[0, i] == pytest.approx(raw[register.name] * register.scale + register.offset), register.name
            # Holes are found out once; from then on nothing is refused.
            assert set(far.refused) <= {"hole"}
            assert len(far.refused) <= len(device.registers)
            far.refused.clear()
            await polled(bus, source, 20.0)
            assert far.refused == []
            await marks(bus, options, far)
            bus.close()

    async def marks(bus: Bus, options: BusOptions, far: MapDevice) -> None:
        """Sentinels, NaN and the ends of ranges."""
        for register in device.registers:
            source = reader(device, options, names=[register.name])
            special = dict.fromkeys(register.bad, Quality.BAD)
            special |= dict.fromkeys(register.clips, Quality.UNCERTAIN)
            if register.type == "f32":
                special |= {0x7FC00000: Quality.BAD, 0xFF800000: Quality.BAD}
            elif not register.words and register.bit is None and register.mask is None:
                limited = register.max is not None or register.min is not None
                special |= {end: Quality.BAD if limited else Quality.UNCERTAIN for end in ENDS.get(register.type, ()) if end not in special}
            for bits, quality in special.items():
                far.put_bits(register, bits)
                row = await polled(bus, source, 0.0)
                assert row.quality[0, 0] == quality, (register.name, hex(bits))
                assert np.isnan(row.values[0, 0]) == (quality == Quality.BAD)
            far.put(register, raw[register.name])

    run(main())


@pytest.mark.parametrize("device", [m for m in ASKED if m.update > 0], ids=lambda d: d.name)
def test_the_update_period_of_a_map_is_honoured(device: DeviceMap, tmp_path: Path) -> None:
    """Asked ten times within one update: one reading where the period is known, ten where it is a guess."""
    far = MapDevice(device, unit_of(device))
    for i, register in enumerate(device.registers):
        far.put(register, raw_for(register, i))
    register = device.registers[0]

    async def main() -> list[int]:
        async with wired(far, framing_of(device), tmp_path) as options:
            bus = Bus(options, SystemClock())
            await bus.open()
            source = reader(device, options, every=device.update / 10, names=[register.name])
            looks = [await polled(bus, source, (i + 0.01) * device.update / 10) for i in range(20)]
            bus.close()
            return [int(row.quality[0, 0]) for row in looks]

    once = [Quality.GOOD] + [Quality.ABSENT] * 9
    assert run(main()) == (once * 2 if device.update_verified else [Quality.GOOD] * 20)


FRAMES = [(m, frame) for m in MAPS for frame in m.frames]


@pytest.mark.parametrize(("device", "frame"), FRAMES, ids=lambda x: getattr(x, "name", ""))
def test_a_golden_frame_asks_and_says_what_the_map_does(device: DeviceMap, frame: GoldenFrame, tmp_path: Path) -> None:
    known = golden.exchange(frame)
    names = [register.name for register in golden.covered(device, known)]
    assert names
    if known.data is None:
        return
    values = frame.values
    assert values
    request, response = bytes.fromhex(frame.request), bytes.fromhex(frame.response)
    far = MapDevice(device, known.unit, answers={request: response})

    async def main() -> None:
        async with wired(far, "rtu", tmp_path) as options:
            bus = Bus(options, SystemClock())
            await bus.open()
            answer = await bus.read(known.unit, Request(known.table, known.address, known.count))
            assert answer.values == list(known.data or ())
            bus.close()

    run(main())
    made = golden.values(device, known)
    for name, value in values.items():
        assert made[name] == (pytest.approx(value), Quality.GOOD)


def test_the_block_of_the_banner_sensor_is_one_read(tmp_path: Path) -> None:
    device = next(m for m in MAPS if m.name == "banner_qm30vt2")
    far = MapDevice(device, 1)
    for i, register in enumerate(device.registers):
        far.put(register, 200 + i)

    async def main() -> None:
        async with wired(far, "rtu", tmp_path) as options:
            bus = Bus(options, SystemClock())
            await bus.open()
            row = await polled(bus, reader(device, options), 0.0)
            assert row.values[0, 1] == pytest.approx(0.201)
            assert far.asked == [("holding", 5200, 22)]
            bus.close()

    run(main())


def test_the_captured_frames_of_the_witmotion_sensor_weigh_one_g() -> None:
    """At rest an accelerometer feels gravity and nothing else, however it lies: a check that owes nothing to the map's own figures."""
    device = next(m for m in MAPS if m.name == "witmotion_wtvb02")
    for frame in device.frames:
        made = golden.values(device, golden.exchange(frame))
        assert math.hypot(*(made[axis][0] for axis in ("ax", "ay", "az"))) == pytest.approx(1.0, abs=0.002)
        assert 20.0 < made["temperature"][0] < 22.0


def test_only_who_must_not_be_asked_has_no_registers() -> None:
    assert [m.name for m in MAPS if m.reading_writes] == ["huanyang_hy"]
    assert all(m.cautions for m in MAPS if m.reading_writes)


@pytest.mark.parametrize("device", [m for m in MAPS if m.cautions], ids=lambda d: d.name)
def test_both_languages_of_a_caution_say_the_same_figures(device: DeviceMap) -> None:
    """Registers, limits and names of keys are what goes wrong when a sentence is carried over."""
    for caution in device.cautions:
        figures, keys = (
            [sorted(re.findall(pattern, text)) for text in (caution.en, caution.fr)]
            for pattern in (r"\d+", r"`[^`]*`|\b(?:[A-Z]+\d+|PROFINET|ASCII|RTU)\b")
        )
        assert figures[0] == figures[1], caution
        assert set(keys[0]) <= set(keys[1]), caution
        assert caution.fr != caution.en
        # Typed with ordinary spaces, as the texts of config/texts; infinitives.
        assert not re.search(
            r"[\u00a0\u202f\u2019]|\b(tu|ton|vous|votre|vos)\b|\w[;:!?](?=\s|$)|\d%", caution.fr.replace("LOGO!", "LOGO")
        ), caution


@pytest.mark.parametrize("device", MAPS, ids=lambda d: d.name)
def test_every_register_says_where_it_is_from(device: DeviceMap) -> None:
    assert all(register.source for register in device.registers)
    assert not any(register.verified and "memory" in register.source for register in device.registers)


@pytest.mark.parametrize("device", [m for m in ASKED if m.identify is not None], ids=lambda d: d.name)
def test_a_device_passes_the_test_of_its_own_map_alone(device: DeviceMap) -> None:
    """Values in the middle of what is asked for pass; none of the registers, or one that is BAD, does not."""
    assert device.identify is not None
    values: dict[str, float] = {}
    for test in device.identify.tests:
        middle = (test.min + test.max) / 2 if test.min is not None and test.max is not None else 20.0
        values.setdefault(test.register, test.values[0] if test.values else middle)
        if test.like:
            values[test.like] = 20.0
            values[test.register] = test.factor * 20.0 + test.plus
    read = {name: (value, Quality.GOOD) for name, value in values.items()}
    assert set(read) == set(registers_to_read(device))
    assert identify(device, read) == ("certain" if device.identify.certain else "plausible")
    assert identify(device, {}) == "no"
    for name in read:
        assert identify(device, {**read, name: (math.nan, Quality.BAD)}) == "no"
        assert identify(device, {**read, name: (1e9, Quality.GOOD)}) == "no"
