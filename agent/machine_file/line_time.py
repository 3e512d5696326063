"""The read plan of each bus, and how much of its time that takes: whether the wire can carry what the machine file asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.machine_file.streams import carries, needs
from agent.settings import MachineSettings
from agent.toml_file.found import Found
from drivers.options import MODBUS, BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.plan import Request, plan, worthwhile_hole
from drivers.wire_time import character, characters, silence

TIGHT = 0.7
"""Share of the line's time above which a slow answer or a repeated question no longer fits in."""


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What is asked of one device, in `every` seconds; a stream is asked nothing."""

    source: SourceOptions
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class BusUse:
    """A bus with its sources.

    Attributes
    ----------
    share: of the line's time, the devices' own delay not counted; None where the wire does not set the limit (TCP, unknown stream).
    """

    bus: BusOptions
    sources: tuple[SourceUse, ...]
    share: float | None


def bus_uses(settings: MachineSettings, maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> tuple[BusUse, ...]:
    """The read plan, bus by bus, in the order of the machine file."""
    uses = []
    for bus in settings.bus:
        sources = tuple(_source_use(source, bus, maps, routes) for source in settings.source if source.bus == bus.name)
        uses.append(BusUse(bus, sources, _share(bus, sources, maps)))
    return tuple(uses)


def check_time(uses: Sequence[BusUse], found: Found) -> None:
    """A warning for each bus that is asked for more than it carries, or for nearly all of it. Streams: `agent.machine_file.streams`."""
    for i, use in enumerate(uses):
        if use.share is not None and use.bus.framing != "cobs" and use.share > TIGHT:
            found.warn(("bus", i), "bus_full" if use.share > 1.0 else "bus_tight", name=use.bus.name, percent=100.0 * use.share)


def _source_use(source: SourceOptions, bus: BusOptions, maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> SourceUse:
    device = maps[source.device]
    wanted = {route.register for route in routes if route.source == source.name}
    if bus.framing not in MODBUS or not wanted:
        return SourceUse(source, ())
    return SourceUse(source, plan([r for r in device.registers if r.name in wanted], device.max_count, worthwhile_hole(bus)))


def _share(bus: BusOptions, sources: Sequence[SourceUse], maps: Mapping[str, DeviceMap]) -> float | None:
    if bus.framing == "cobs":
        return sum(needs(maps[use.source.device]) for use in sources) / carries(bus)
    if bus.framing not in MODBUS or bus.framing == "tcp":
        return None
    return sum(_seconds(bus, use.source, request) / use.source.every for use in sources for request in use.requests)


def _seconds(bus: BusOptions, source: SourceOptions, request: Request) -> float:
    """Line time of one question and its answer, a silence after each; a device that needs a longer one has it after its answer."""
    return characters(bus, request.size) * character(bus) + silence(bus) + max(silence(bus), source.gap or 0.0)
