"""Eight units on one RTU line that goes at its rate, polled as the agent does, one of them dead from some moment on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from drivers.clock import Clock
from drivers.health import BusHealth
from drivers.links import Links
from drivers.model import Quality, Readings, Waveform
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.wire_time import character
from tests.support.bad_device import GOOD, BadRtu
from tests.support.ptys import Pty

UNITS = range(1, 9)
METER = DeviceMap(name="meter", registers=tuple(Register(name=f"r{i}", address=100 + i) for i in range(10)))


@dataclass(frozen=True)
class Outcome:
    before: dict[int, float]
    """Unit to readings a second while all are alive."""
    after: dict[int, float]
    """The same from the moment at which one dies."""
    silent: float
    """s from the last good row of the dead one to the row that says that it is lost."""
    busy: float
    """Share of the line that the plan takes."""
    health: BusHealth


async def eight(
    folder: Path, clock: Clock, *, baud: int, every: float, timeout: float, dead: int, seconds: float, from_start: bool
) -> Outcome:
    """Poll for so many `seconds` before and after unit `dead` falls silent; with `from_start` it never spoke."""
    options = BusOptions(name="line", framing="rtu", baud=baud, timeout=timeout, port=str(folder / "line"))
    turn = 0.005
    with Pty(folder / "line") as pty:
        all_units = tuple(UNITS)
        rest = tuple(unit for unit in UNITS if unit != dead)
        device = BadRtu(pty, lambda _: GOOD, rest if from_start else all_units, character=character(options), turn=turn)
        device.start()
        rows: list[Readings] = []

        def deliver(item: Readings | Waveform) -> None:
            assert isinstance(item, Readings)
            rows.append(item)

        sources = [SourceOptions(name=f"u{unit}", bus="line", device="meter", address=unit, every=every) for unit in UNITS]
        routes = [ChannelRoute(channel=f"u{unit}.{r.name}", source=f"u{unit}", register=r.name) for unit in UNITS for r in METER.registers]
        links = Links([options], sources, {"meter": METER}, routes, clock, deliver)
        task = asyncio.create_task(links.run())
        await clock.sleep(0.0 if from_start else seconds)
        cut = len(rows)
        device.units = rest
        await clock.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        device.stop()
    lost = next(row for row in rows if row.source == f"u{dead}" and (row.quality == Quality.UNAVAILABLE).all())
    spoke = [row.time[0] for row in rows if row.source == lost.source and (row.quality == Quality.GOOD).all()]
    begin = rows[0].time[0] if from_start else spoke[-1]
    return Outcome(
        {unit: _rate(rows[:cut], unit, seconds) for unit in UNITS},
        {unit: _rate(rows[cut:], unit, seconds) for unit in UNITS},
        float(lost.time[0] - begin),
        len(UNITS) * (33 * character(options) + turn + 2 * 3.5 * character(options)) / every,
        links.health()[0],
    )


def _rate(rows: list[Readings], unit: int, seconds: float) -> float:
    return sum(row.source == f"u{unit}" and bool((row.quality == Quality.GOOD).all()) for row in rows) / seconds
