"""What `broche scan` found: for the person who waits, and as a machine file to start from, with comments in his language."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.cli._cautions import cautions
from agent.cli._watch_page import wire
from drivers.options import NETWORK, BusOptions, DeviceMap, Register
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
    for one in seen:
        if not one.guesses:
            lines += [*_comment(say("scan.file.unknown", unit=one.unit)), ""]
            continue
        device = maps[one.guesses[0].device]
        name = _free(device.name, names)
        if _clear(one):
            lines += _source(one, device, name, language, say)
            channels += _channels(device, name, taken, say)
        else:
            # Which of them it is, only the name plate says: nothing of it is live.
            lines += [line if line.startswith("#") or not line else f"# {line}" for line in _source(one, device, name, language, say)]
    return "\n".join([*lines, *channels]).rstrip("\n") + "\n"


def _bus(bus: BusOptions) -> list[str]:
    lines = ["[[bus]]", f"name = {_text(bus.name)}", f"framing = {_text(bus.framing)}"]
    if bus.framing in NETWORK:
        return [*lines, f"host = {_text(bus.host)}", f"port = {bus.port}"]
    lines += [f"port = {_text(str(bus.port))}", f"baud = {bus.baud}", f"parity = {_text(bus.parity)}"]
    return [*lines, f"stopbits = {bus.stopbits}"] if bus.stopbits != 1 else lines


def _source(one: Seen, device: DeviceMap, name: str, language: Language, say: Say) -> list[str]:
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
        f"name = {_text(name)}",
        f"bus = {_text(one.bus.name)}",
        f"device = {_text(device.name)}",
        f"address = {one.unit}",
        f"every = {EVERY.get(device.kind, 0.2)}",
        "",
    ]


def _channels(device: DeviceMap, source: str, taken: set[str], say: Say) -> list[str]:
    """One for each register: live where the name says what it is, else as a comment to be taken out of it."""
    roles = _roles(device)
    lines: list[str] = []
    for register in device.registers:
        role = roles.get(register.name, "")
        if role and role != "temperature" and role in taken:
            role = ""  # a spindle has one of these
        taken.add(role)
        block = ["[[channel]]", f"name = {_text(_free(f'{source}_{register.name}', taken))}", f'role = "{role or "other"}"']
        block += [f"from = {_text(f'{source}.{register.name}')}{_about(register)}"]
        if role == "spindle.load":
            lines += _comment(say("scan.file.load"))
        lines += [*(block if role else (f"# {line}" for line in block)), ""]
    return lines


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
