"""What `broche scan` found: for the person who waits, and as a machine file to start from, with comments in his language."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.cli._cautions import cautions
from agent.cli._watch_page import wire
from agent.machine_file.fit import TIGHT, slower
from agent.machine_file.line_time import bus_use
from drivers.options import NETWORK, BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.scan import Seen

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.settings import Language

LOADS = ("load", "torque", "power", "current")
"""Registers of a drive that can stand for the load of its spindle, best first (docs/wire.md)."""
CONTEXT = (
    "tool",
    "program",
    "section",
    "part",
    "cycle",
    "mode",
    "execution",
    "door",
    "feed_hold",
    "feed_override",
    "speed_override",
    "power_on",
)
"""Registers of a control whose name says what they are."""
EVERY = {"drive": 0.1, "meter": 0.5, "vibration": 0.5, "plc": 0.2, "machine": 0.2}
"""s between two readings, to start with."""


def found_lines(seen: Sequence[Seen], say: Say) -> list[str]:
    """One line a device, and one for what else it may be."""
    lines = []
    for one in seen:
        what = _named(one, say) if one.guesses else say("scan.unknown")
        lines.append(say("scan.found", wire=wire(one.bus), framing=one.bus.framing, unit=one.unit, what=what))
        if one.also:
            lines.append(f"    {say('scan.also', units=', '.join(map(str, one.also)))}")
    return lines


def _named(one: Seen, say: Say) -> str:
    if one.guesses[0].certain:
        return say("scan.certain", device=one.guesses[0].device)
    return say("scan.plausible" if _clear(one) else "scan.one_of", device=", ".join(guess.device for guess in one.guesses))


def _clear(one: Seen) -> bool:
    """Whether one map stands out among those that fit."""
    return one.guesses[0].certain or len(one.guesses) == 1


def machine_file(seen: Sequence[Seen], maps: Mapping[str, DeviceMap], where: str, now: float, language: Language, say: Say) -> str:
    """A machine file that `broche check` accepts: the bus, a source for each device that a map fits, channels for what their names say.

    Parameters
    ----------
    where: as it was asked for.
    now: s UTC.
    language: of the cautions; that of `say`.
    """
    date = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%d")
    lines = [*_comment(say("scan.file.head", date=date, where=where)), ""]
    lines += ["[machine]", f'name = "machine"{" " * 23}# {say("scan.file.name")}', f'kind = "lathe"{" " * 25}# {say("scan.file.kind")}', ""]
    lines += [*_bus(seen[0].bus), ""]
    names: set[str] = set()
    taken: set[str] = set()
    channels: list[str] = []
    routes: list[ChannelRoute] = []
    sources = {i: _options(one, maps[one.guesses[0].device], names) for i, one in enumerate(seen) if one.guesses}
    for i, source in sources.items():
        if _clear(seen[i]):
            told, fed = _channels(maps[source.device], source.name, taken, say)
            channels += told
            routes += fed
    slowed = _slowed(seen[0].bus, [source for i, source in sources.items() if _clear(seen[i])], maps, routes)
    for i, one in enumerate(seen):
        if not one.guesses:
            lines += [*_comment(say("scan.file.unknown", unit=one.unit)), ""]
            continue
        source = sources[i]
        told = _source(one, maps[source.device], source, slowed.get(source.name), language, say)
        # Which of several it is, only the name plate says: nothing of it is live.
        lines += told if _clear(one) else [line if line.startswith("#") or not line else f"# {line}" for line in told]
    return "\n".join([*lines, *channels]).rstrip("\n") + "\n"


def _bus(bus: BusOptions) -> list[str]:
    lines = ["[[bus]]", f"name = {_text(bus.name)}", f"framing = {_text(bus.framing)}"]
    if bus.framing in NETWORK:
        return [*lines, f"host = {_text(bus.host)}", f"port = {bus.port}"]
    lines += [f"port = {_text(str(bus.port))}", f"baud = {bus.baud}", f"parity = {_text(bus.parity)}"]
    return [*lines, f"stopbits = {bus.stopbits}"] if bus.stopbits != 1 else lines


def _options(one: Seen, device: DeviceMap, names: set[str]) -> SourceOptions:
    every = EVERY.get(device.kind, 0.2)
    return SourceOptions(name=_free(device.name, names), bus=one.bus.name, device=device.name, address=one.unit, every=every)


def _slowed(
    bus: BusOptions, sources: Sequence[SourceOptions], maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]
) -> dict[str, float]:
    """`every` by name of source, of those that must be read less often for the line to carry all: as `broche check` would propose it."""
    use = bus_use(bus, sources, maps, routes)
    return slower(use, maps, routes) if use.share is not None and use.share > TIGHT else {}


def _source(one: Seen, device: DeviceMap, source: SourceOptions, slowed: float | None, language: Language, say: Say) -> list[str]:
    if _clear(one):
        key = "scan.file.certain" if one.guesses[0].certain else "scan.file.plausible"
        head = [say(key, device=f"{device.vendor} {device.model}".strip())]
    else:
        head = [say("scan.file.one_of", unit=one.unit, names=", ".join(guess.device for guess in one.guesses))]
    if one.also:
        head.append(say("scan.also", units=", ".join(map(str, one.also))))
    head += cautions(device, language) if _clear(one) else ()
    return [
        *_comment("\n".join(head)),
        "[[source]]",
        f"name = {_text(source.name)}",
        f"bus = {_text(source.bus)}",
        f"device = {_text(source.device)}",
        f"address = {source.address}",
        f"every = {source.every}" if slowed is None else f"every = {slowed:g}  # {say('scan.file.slower')}",
        "",
    ]


def _channels(device: DeviceMap, source: str, taken: set[str], say: Say) -> tuple[list[str], list[ChannelRoute]]:
    """One for each register: live where the name says what it is, else as a comment to be taken out of it. And the live ones as routes.

    One drive turns the spindle. Where another one has given it a load or a speed, nothing of this one is mixed with that.
    """
    roles = _roles(device)
    spindled = any(word.startswith("spindle.") for word in taken)
    lines: list[str] = []
    routes: list[ChannelRoute] = []
    for register in device.registers:
        role = roles.get(register.name, "")
        if role != "temperature" and (role in taken or (spindled and role.startswith("spindle."))):
            role = ""  # a spindle has one of these
        taken.add(role)
        name = _free(f"{source}_{register.name}", taken)
        if role:
            routes.append(ChannelRoute(channel=name, source=source, register=register.name))
        block = ["[[channel]]", f"name = {_text(name)}", f'role = "{role or "other"}"']
        block += [f"from = {_text(f'{source}.{register.name}')}{_about(register)}"]
        if role == "spindle.load":
            lines += _comment(say("scan.file.load"))
        lines += [*(block if role else (f"# {line}" for line in block)), ""]
    return lines, routes


def _roles(device: DeviceMap) -> dict[str, str]:
    names = [register.name for register in device.registers]
    roles: dict[str, str] = {}
    if device.kind == "drive":
        load = next((name for name in LOADS if name in names), "")
        roles = {load: "spindle.load"} if load else {}
        if any(register.name == "speed" and register.unit == "rpm" for register in device.registers):
            roles["speed"] = "spindle.speed"
    if device.kind in ("plc", "machine"):
        roles |= {name: name for name in CONTEXT if name in names}
    return roles | ({"temperature": "temperature"} if "temperature" in names else {})


def _about(register: Register) -> str:
    """Unit and note behind the line."""
    said = ", ".join(word for word in (register.unit, register.note) if word)
    return f"  # {said}" if said and said.isprintable() else ""


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    taken.add(free)
    return free


def _text(value: str) -> str:
    """A TOML string; its escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]
