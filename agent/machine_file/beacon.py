"""[beacon]: an own lamp in amber or blue, on a coupler of its own, that falls dark with the agent (DESIGN.md, decision 14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.machine_file.decode import names_in
from agent.settings import MachineSettings
from agent.toml_file.found import Found
from drivers.coils import FLASH_COILS
from drivers.options import NETWORK, BusOptions, DeviceMap

COLOURS = ("amber", "blue")
REFUSED = {"red": "beacon_red", "green": "beacon_green"}
"""Colours with a meaning that Broche may not claim: danger, and all is well (IEC 60204-1, 10.3.2)."""
SYNONYMS = {"ambre": "amber", "orange": "amber", "jaune": "amber", "yellow": "amber", "bleu": "blue", "rouge": "red", "vert": "green"}

FRAMINGS = {"waveshare": ("tcp", "rtu", "rtu_tcp"), "watchdog": ("tcp",)}
"""By coupler. Without timed relays only a coupler with an address of its own will do: there is nothing to recognise it by."""


def check_beacon(settings: MachineSettings, document: dict[str, Any], maps: Mapping[str, DeviceMap], found: Found) -> None:
    """Everything about the only outputs that Broche has."""
    if "beacon" not in document:
        return
    beacon = settings.beacon
    buses = {bus.name: bus for bus in settings.bus}
    bus = buses.get(beacon.bus)
    if not beacon.bus:
        found.wrong(("beacon",), "missing_key", name="beacon", word="bus")
    elif bus is None:
        names = names_in(document, "bus")
        if beacon.bus not in names and not found.partial:
            meant = found.nearest(beacon.bus, names)
            found.wrong(("beacon", "bus"), "no_bus", name=found.shown(beacon.bus), meant=meant, known=", ".join(sorted(names)) or "–")
    else:
        _check_bus(settings, bus, maps, found)
    if beacon.coupler == "watchdog" and beacon.hold is None:
        found.wrong(("beacon",), "beacon_hold")
    if not beacon.coil and not found.partial:
        found.wrong(("beacon",), "beacon_no_coil")
    _check_coils(settings, found)


def _check_bus(settings: MachineSettings, bus: BusOptions, maps: Mapping[str, DeviceMap], found: Found) -> None:
    beacon = settings.beacon
    if bus.framing not in FRAMINGS[beacon.coupler]:
        known = ", ".join(FRAMINGS[beacon.coupler])
        found.wrong(("beacon", "bus"), "beacon_framing", bus=bus.name, framing=bus.framing, coupler=beacon.coupler, known=known)
    elif bus.framing not in NETWORK and beacon.address > 247:
        found.wrong(("beacon", "address"), "unit", value=beacon.address)
    for source in settings.source:
        device = maps.get(source.device)
        same = source.bus == bus.name and (source.address == beacon.address or beacon.coupler == "watchdog")
        if same and device is not None and device.kind != "plc":
            found.wrong(("beacon", "address"), "beacon_unit", bus=bus.name, value=beacon.address, other=source.name, device=source.device)


def _check_coils(settings: MachineSettings, found: Found) -> None:
    beacon = settings.beacon
    seen: set[int] = set()
    for i, coil in enumerate(beacon.coil):
        place = ("beacon", "coil", i)
        if coil.coil in seen:
            found.wrong((*place, "coil"), "beacon_coil_twice", value=coil.coil)
        seen.add(coil.coil)
        last = FLASH_COILS - 1 if beacon.coupler == "waveshare" else 65_535
        if not 0 <= coil.coil <= last:
            found.wrong((*place, "coil"), "between", value=str(coil.coil), low=0, high=last)
        colour = coil.colour.casefold().strip()
        colour = SYNONYMS.get(colour, colour)
        if colour in REFUSED:
            found.wrong((*place, "colour"), REFUSED[colour], value=found.shown(coil.colour))
        elif coil.colour not in COLOURS:
            meant = colour if colour in COLOURS else found.nearest(coil.colour, COLOURS)
            found.wrong((*place, "colour"), "not_listed", value=found.shown(coil.colour), meant=meant, known=", ".join(COLOURS))
