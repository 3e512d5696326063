"""From buses to channels: does every source hang on a bus, and does every channel come out of a register?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from agent.machine_file.checks import placed
from agent.machine_file.decode import names_in
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineSettings
from agent.toml_file.found import Found
from agent.toml_file.lines import Place
from drivers.devices import MapError, find_map, load_map
from drivers.mdc import pauses
from drivers.mdc import place_of as answer_field
from drivers.options import NETWORK, BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.polled import update_of
from drivers.wire_time import databits
from drivers.wit import place_of

STREAMS = ("wit", "cobs")
"""Framings in which the device speaks when it wants; one device a line."""

AXES = ("x", "y", "z")
"""Register names of one axis of a `cobs` stream; any other name takes all axes (`drivers.stream`)."""

_TTY = re.compile(r"/dev/tty(USB|ACM)\d+")


def check_buses(settings: MachineSettings, document: dict[str, Any], found: Found) -> None:
    """Each bus says where it is, in the manner of its framing, and no two want the same serial port."""
    ports: dict[str, str] = {}
    for bus, place in placed(settings.bus, document, "bus"):
        if bus.framing in NETWORK or (bus.framing == "mdc" and (bus.host or isinstance(bus.port, int))):
            _check_tcp(bus, place, found)
            if bus.framing == "mdc" and (*place, "port") not in found.lines:
                found.wrong(place, "mdc_port", name=bus.name)
        else:
            _check_serial(bus, place, found, ports)
        if bus.framing not in {"ascii", "mdc"} and databits(bus) == 7:
            found.wrong((*place, "databits"), "databits", framing=bus.framing)
        if bus.name not in {settings.beacon.bus, *(source.bus for source in settings.source)} and not found.partial:
            found.warn(place, "idle_bus", name=bus.name)


def check_sources(settings: MachineSettings, document: dict[str, Any], paths: DataPaths, found: Found) -> dict[str, DeviceMap]:
    """Each source hangs on a bus and has a device map; the maps by the name of the device."""
    buses = {bus.name: bus for bus in settings.bus}
    names = names_in(document, "bus")
    maps: dict[str, DeviceMap] = {}
    alone: dict[str, str] = {}
    units: dict[tuple[str, int], str] = {}
    for source, place in placed(settings.source, document, "source"):
        bus = buses.get(source.bus)
        if bus is None and source.bus not in names and not found.partial:
            meant = found.nearest(source.bus, names)
            found.wrong((*place, "bus"), "no_bus", name=found.shown(source.bus), meant=meant, known=", ".join(sorted(names)) or "–")
        device = _map(source, (*place, "device"), paths, found)
        if device is not None:
            maps[source.device] = device
        if bus is None:
            continue
        if bus.framing in STREAMS:
            if bus.name in alone:
                found.wrong((*place, "bus"), "stream_shared", bus=bus.name, framing=bus.framing, other=alone[bus.name])
            alone.setdefault(bus.name, source.name)
        elif bus.framing != "mdc":
            _check_unit(source, bus, place, units, found)
        if device is not None and not _speaks(device, bus.framing):
            found.wrong((*place, "device"), "framing", device=source.device, framing=bus.framing, bus=bus.name)
    return maps


def check_supply(settings: MachineSettings, document: dict[str, Any], found: Found) -> None:
    """Can it be told from what falls silent that the machine was switched off?

    Without a speed nobody knows that the spindle stood. Where all that the machine feeds hangs on one cable, and nothing else does, a
    pulled cable looks like the main switch.
    """
    fed = {source.bus for source in settings.source if source.supply == "machine"}
    own = {source.bus for source in settings.source if source.supply == "own"}
    if not fed:
        return
    roles = {channel.role for channel in settings.channel}
    place = next(place for source, place in placed(settings.source, document, "source") if source.supply == "machine")
    if "spindle.speed" not in roles:
        found.warn((*place, "supply"), "supply_no_speed")
    elif len(fed) == 1 and not fed & own and "power_on" not in roles:
        found.warn((*place, "supply"), "supply_one_bus", bus=next(iter(fed)))


def check_channels(
    settings: MachineSettings, document: dict[str, Any], maps: Mapping[str, DeviceMap], found: Found
) -> tuple[ChannelRoute, ...]:
    """Each channel comes out of a register that exists; the routes."""
    sources = {source.name: source for source in settings.source}
    names = names_in(document, "source")
    framings = {bus.name: bus.framing for bus in settings.bus}
    routes: list[ChannelRoute] = []
    taken: dict[tuple[str, str], str] = {}
    for channel, place in placed(settings.channel, document, "channel"):
        if not channel.source:
            if sources:
                found.warn(place, "spare_channel", name=channel.name)
            continue
        route = _route(channel, (*place, "from"), sources, names, maps, framings, found)
        if route is None:
            continue
        key = (route.source, route.register)
        if key in taken:
            found.warn((*place, "from"), "register_twice", source=channel.source, other=taken[key])
        taken.setdefault(key, channel.name)
        routes.append(route)
    used = {route.source for route in routes}
    for source, place in placed(settings.source, document, "source"):
        if source.name not in used and not found.mistakes:
            found.warn(place, "idle_source", name=source.name)
    return tuple(routes)


def unit_of(channel: ChannelOptions, settings: MachineSettings, maps: Mapping[str, DeviceMap]) -> str:
    """The unit of a channel: its own, or that of its register or stream."""
    if channel.unit or "." not in channel.source:
        return channel.unit
    name, _, register = channel.source.partition(".")
    device = next((maps.get(source.device) for source in settings.source if source.name == name), None)
    if device is None:
        return ""
    return device.unit if device.rate > 0 else next((r.unit for r in device.registers if r.name == register), "")


def hold_of(channel: ChannelOptions, settings: MachineSettings, maps: Mapping[str, DeviceMap]) -> float | None:
    """Seconds for which a value may stand: as written; without end what a busy control leaves out; three periods of the channel or the
    device, where either is slower than the source; None: the default, three periods of the source."""
    name, _, wanted = channel.source.partition(".")
    source = next((source for source in settings.source if source.name == name), None)
    device = maps.get(source.device) if source is not None else None
    if channel.hold is not None or source is None or device is None:
        return channel.hold
    register = next((register for register in device.registers if register.name == wanted), None)
    if register is not None and pauses(register):
        return math.inf
    update = update_of(source, device, register) if register is not None else 0.0
    slowest = max(channel.every or 0.0, update)
    return max(3.0 * slowest, 1.0) if slowest > source.every else None


def renewal_of(source: SourceOptions, maps: Mapping[str, DeviceMap]) -> float | None:
    """`update` of a source: as written, else that of its device where the map knows it and all registers share it; None: not known."""
    device = maps.get(source.device)
    if source.update is not None or device is None or any(register.update is not None for register in device.registers):
        return source.update
    return device.update if device.update > 0 and device.update_verified else None


def _speaks(device: DeviceMap, framing: str) -> bool:
    """Whether this is the framing for such a device."""
    asked = any(register.table == "query" for register in device.registers)
    return (device.rate > 0) == (framing == "cobs") and asked == (framing == "mdc")


def _check_tcp(bus: BusOptions, place: Place, found: Found) -> None:
    if not bus.host:
        found.wrong(place, "bus_host", name=bus.name, framing=bus.framing)
    if isinstance(bus.port, str):
        found.wrong((*place, "port"), "bus_port_number", value=found.shown(bus.port))
    elif bus.port == 0:
        found.warn((*place, "port"), "placeholder", value="0")
    elif not 0 < bus.port <= 65_535:
        found.wrong((*place, "port"), "between", value=str(bus.port), low=1, high=65_535)


def _check_serial(bus: BusOptions, place: Place, found: Found, ports: dict[str, str]) -> None:
    if isinstance(bus.port, int) or not bus.port:
        found.wrong((*place, "port") if (*place, "port") in found.lines else place, "bus_port_path", name=bus.name, framing=bus.framing)
        return
    if bus.host:
        found.warn((*place, "host"), "serial_host", name=bus.name)
    if bus.port == "demo":
        found.warn((*place, "port"), "placeholder", value=bus.port)
        return
    if bus.port in ports:
        found.wrong((*place, "port"), "port_twice", port=found.shown(bus.port), other=ports[bus.port])
    ports.setdefault(bus.port, bus.name)
    if _TTY.fullmatch(bus.port):
        found.warn((*place, "port"), "tty", port=bus.port)
    elif not bus.port.startswith("/"):
        found.wrong((*place, "port"), "bus_port_shape", value=found.shown(bus.port))


def _check_unit(source: SourceOptions, bus: BusOptions, place: Place, units: dict[tuple[str, int], str], found: Found) -> None:
    if bus.framing != "tcp" and not 1 <= source.address <= 247:
        found.wrong((*place, "address"), "unit", value=source.address)
    key = (bus.name, source.address)
    if key in units:
        found.warn((*place, "address"), "unit_twice", bus=bus.name, value=source.address, other=units[key])
    units.setdefault(key, source.name)


def _map(source: SourceOptions, place: Place, paths: DataPaths, found: Found) -> DeviceMap | None:
    known = sorted({path.stem for folder in paths.devices for path in folder.glob("*.toml")})
    if source.device not in known:
        meant = found.nearest(source.device, known)
        found.wrong(place, "no_device", name=found.shown(source.device), meant=meant, known=", ".join(known) or "–")
        return None
    try:
        device = load_map(find_map(source.device, paths.devices))
        if device.reading_writes:
            fr, en = (" ".join(caution.said(language) for caution in device.cautions) for language in ("fr", "en"))
            found.wrong(place, "reading_writes", device=device.name, model=device.model or device.name, why_fr=fr, why_en=en)
            return None
        return device
    except MapError as error:
        found.wrong(place, "map", file=str(error.path))
        for problem in error.problems:
            found.wrong_elsewhere(error.path, problem.key, f"map.{problem.code}", problem.values)
        return None


def _route(
    channel: ChannelOptions,
    place: Place,
    sources: Mapping[str, SourceOptions],
    names: set[str],
    maps: Mapping[str, DeviceMap],
    framings: Mapping[str, str],
    found: Found,
) -> ChannelRoute | None:
    name, dot, register = channel.source.partition(".")
    source = sources.get(name)
    if not dot or not register:
        found.wrong(place, "from_shape", value=found.shown(channel.source))
    elif source is None:
        if name not in names and not found.partial:
            found.wrong(place, "no_source", name=found.shown(name), meant=found.nearest(name, names), known=", ".join(sorted(names)) or "–")
    elif source.device in maps:
        device = maps[source.device]
        known = [known.name for known in device.registers] + [axis for axis in AXES[: device.axes] if device.rate > 0]
        if register in known or (device.rate > 0 and not device.registers):
            if device.rate > 0 and channel.role != "vibration":
                found.wrong(place, "stream_role", name=channel.name, role=channel.role)
                return None
            if framings.get(source.bus) == "wit" and not all(place_of(known) for known in device.registers if known.name == register):
                found.wrong(place, "no_wit_field", name=found.shown(register), device=source.device)
                return None
            if framings.get(source.bus) == "mdc" and not all(answer_field(known) for known in device.registers if known.name == register):
                found.wrong(place, "no_mdc_field", name=found.shown(register), device=source.device)
                return None
            if channel.every is not None and channel.every < source.every:
                found.wrong(
                    (*place[:-1], "every"), "channel_every", name=channel.name, every=channel.every, source=name, source_every=source.every
                )
                return None
            return ChannelRoute(channel=channel.name, source=name, register=register, every=channel.every)
        meant = found.nearest(register, known)
        found.wrong(place, "no_register", name=found.shown(register), device=source.device, meant=meant, known=", ".join(known))
    return None
