"""The read plan of each bus, and how much of its time that takes: whether the wire can carry what the machine file asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.machine_file.streams import carries, needs
from agent.settings import MachineSettings
from drivers.options import MODBUS, BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.plan import Request, plan_device
from drivers.wire_time import character, characters, silence


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What is asked of one device; a stream is asked nothing.

    Attributes
    ----------
    requests: each with its period, the most frequent first within its table.
    share: of the line's time; 0 where the wire does not set the limit.
    """

    source: SourceOptions
    requests: tuple[Request, ...]
    share: float


@dataclass(frozen=True, slots=True)
class BusUse:
    """A bus with its sources.

    Attributes
    ----------
    share: of the line's time, the devices' own delay counted where their maps know it; None where the wire does not set the limit (TCP, a
        stream that says no rate).
    """

    bus: BusOptions
    sources: tuple[SourceUse, ...]
    share: float | None


def bus_uses(settings: MachineSettings, maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> tuple[BusUse, ...]:
    """The read plan, bus by bus, in the order of the machine file."""
    return tuple(bus_use(bus, [source for source in settings.source if source.bus == bus.name], maps, routes) for bus in settings.bus)


def bus_use(bus: BusOptions, sources: Sequence[SourceOptions], maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> BusUse:
    """The read plan of one bus that carries these sources."""
    uses = tuple(_source_use(source, bus, maps[source.device], routes) for source in sources)
    if bus.framing == "cobs":
        return BusUse(bus, uses, sum(needs(maps[source.device]) for source in sources) / carries(bus))
    return BusUse(bus, uses, sum(use.share for use in uses) if bus.framing in MODBUS and bus.framing != "tcp" else None)


def _source_use(source: SourceOptions, bus: BusOptions, device: DeviceMap, routes: Sequence[ChannelRoute]) -> SourceUse:
    every: dict[str, float] = {}
    for route in routes:
        if route.source == source.name:
            period = route.every or source.every
            every[route.register] = min(period, every.get(route.register, period))
    if bus.framing not in MODBUS or not every:
        return SourceUse(source, (), 0.0)
    wanted = [register for register in device.registers if register.name in every]
    requests = plan_device(wanted, device, bus, [every[register.name] for register in wanted])
    if bus.framing == "tcp":
        return SourceUse(source, requests, 0.0)
    return SourceUse(source, requests, sum(_seconds(bus, source, device, request) / request.every for request in requests))


def _seconds(bus: BusOptions, source: SourceOptions, device: DeviceMap, request: Request) -> float:
    """Line time of one question and its answer, a silence after each; a device that needs a longer one has it after its answer, one that
    takes its time to answer (`delay` of its map) before it."""
    silences = max(silence(bus), device.delay) + max(silence(bus), source.gap or 0.0)
    return characters(bus, request.size) * character(bus) + silences
