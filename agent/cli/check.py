"""`broche check MACHINE.toml`: everything that is wrong at once; else what is understood of it, and what cannot be monitored."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import Say, _check_budget, _check_cutting

if TYPE_CHECKING:
    from agent.machine_file import MachineFile
    from agent.machine_file.line_time import SourceUse
    from agent.mistakes import Mistake
    from agent.settings import ChannelOptions
    from agent.texts import Texts

UNREADABLE = {"no_file", "folder", "not_a_file", "unreadable"}
"""Mistakes of the call rather than of the file: exit status 2."""
BAND_RATE = 2106.0
"""Hz; velocity from 10 to 1000 Hz needs 2 x 1000 / 0.95 samples a second (field.md 2.1, trap 4)."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Arguments of `broche check`."""
    parser.add_argument("machine", type=Path, metavar="MACHINE.toml", help=say("check.argument.machine"))
    parser.add_argument("--json", action="store_true", help=say("check.argument.json"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0: right (there may be warnings); 1: mistakes; 2: there is no such file."""
    from agent.machine_file import MachineFileError, load
    from agent.paths import DataPaths
    from agent.texts import Texts

    paths = DataPaths.find(args.machine)
    texts = Texts.load(paths, args.lang)
    try:
        file = load(args.machine, paths=paths)
    except MachineFileError as error:
        _tell_mistakes(error.mistakes, args.machine, texts, as_json=args.json)
        return 2 if any(mistake.code in UNREADABLE for mistake in error.mistakes) else 1
    if args.json:
        _print_json(_report(file, texts))
    else:
        sys.stdout.write(_page(file, texts))
    return 0


def _tell_mistakes(mistakes: tuple[Mistake, ...], path: Path, texts: Texts, *, as_json: bool) -> None:
    if as_json:
        _print_json({"file": str(path), "ok": False, "mistakes": [_row(mistake, texts) for mistake in mistakes], "warnings": []})
        return
    print(texts.mistakes(mistakes))
    print()
    print(texts.say("check.mistakes", n=len(mistakes), file=str(path)))


def _page(file: MachineFile, texts: Texts) -> str:
    """What a person reads."""
    say = texts.say
    machine = file.settings.machine
    lines = [
        say("check.right", file=str(file.path)),
        "",
        say("check.machine", name=machine.name, kind=say(f"check.kind.{machine.kind}"), site=machine.site, area=machine.area),
        "",
        say("check.heading.wires"),
        *_wires(file, texts),
        *_beacon(file, texts),
        "",
        say("check.heading.channels"),
        *_channels(file, texts),
        *_loads(file, texts),
        "",
        say("check.heading.watch"),
    ]
    for name, possible in _watch(file).items():
        word = "yes" if possible else "no"
        lines.append(f"  {say(f'check.mark.{word}')}  {say(f'check.watch.{name}.{word}')}")
    lines += ["", say("check.heading.budget"), *(f"  {line}" for line in _check_budget.lines(file, texts))]
    if cutting := _check_cutting.lines(file, texts):
        lines += ["", say("check.heading.cutting"), *cutting]
    costs = tuple(warning for warning in file.warnings if warning.code.startswith("cost_"))
    notes = tuple(warning for warning in file.warnings if not warning.code.startswith("cost_"))
    for heading, warnings in (("costs", costs), ("notes", notes)):
        if warnings:
            lines += ["", say(f"check.heading.{heading}"), texts.mistakes(warnings)]
    return "\n".join(lines) + "\n"


def _wires(file: MachineFile, texts: Texts) -> list[str]:
    from agent.machine_file.line_time import bus_uses
    from drivers.options import NETWORK
    from drivers.wire_time import databits

    say = texts.say
    lines = []
    for use in bus_uses(file.settings, file.maps, file.routes):
        bus = use.bus
        manner = f"{bus.host}:{bus.port}" if bus.framing in NETWORK or (bus.host and bus.framing == "mdc") else str(bus.port)
        if bus.framing != "tcp" and not (bus.host and bus.framing == "mdc"):
            manner += f" {bus.baud} {databits(bus)}{bus.parity}{bus.stopbits}"
        busy = f", {say('check.busy', percent=100.0 * use.share)}" if use.share is not None else ""
        lines.append(f"  {bus.name}: {bus.framing} {manner}{busy}")
        for source in use.sources:
            lines += _source(file, bus.framing, source, texts)
    return lines or [f"  {say('check.no_wires')}"]


def _source(file: MachineFile, framing: str, use: SourceUse, texts: Texts) -> list[str]:
    """What is asked of a source, or how it streams, and below it what its device's map warns of."""
    from agent.cli._cautions import cautions

    say, options = texts.say, use.source
    told = []
    for every in sorted({request.every for request in use.requests}):
        requests = [request for request in use.requests if request.every == every]
        spans = ", ".join(f"{r.table} {r.address}–{r.address + r.count - 1}" for r in requests)
        told.append(say("check.polled", n=len(requests), device=options.device, unit=str(options.address), every=every, spans=spans))
    if framing == "mdc":
        told.append(say("check.asked", device=options.device, every=options.every, asked=_asked(file, options.name)))
    elif framing in {"wit", "cobs"}:
        told.append(say("check.stream", device=options.device, rate=file.maps[options.device].rate or None))
    warned = cautions(file.maps[options.device], texts.language) if told else []
    return [*(f"    {options.name}: {line}" for line in told), *(f"      {say('check.caution', text=text)}" for text in warned)]


def _beacon(file: MachineFile, texts: Texts) -> list[str]:
    """The only outputs, coil by coil."""
    from agent.beacon import HOLD

    say, beacon = texts.say, file.settings.beacon
    if not beacon.bus:
        return []
    told = say("check.beacon", bus=beacon.bus, unit=str(beacon.address), seconds=beacon.hold or HOLD)
    coils = [
        say("check.lamp", coil=str(coil.coil), colour=say(f"check.colour.{coil.colour}"), shows=say(f"check.shows.{coil.shows}"))
        for coil in beacon.coil
    ]
    return [f"  {told}", *(f"    {line}" for line in coils)]


def _asked(file: MachineFile, source: str) -> str:
    """The questions to a control that answers in text."""
    from drivers.mdc import questions

    device = next(file.maps[s.device] for s in file.settings.source if s.name == source)
    wanted = {route.register for route in file.routes if route.source == source}
    return ", ".join(q.line.decode().strip() for q in questions([r for r in device.registers if r.name in wanted]))


def _channels(file: MachineFile, texts: Texts) -> list[str]:
    channels = file.settings.channel
    if not channels:
        return [f"  {texts.say('check.no_channels')}"]
    name, role, source = (max(len(word) for word in words) for words in zip(*((c.name, c.role, c.source) for c in channels), strict=True))
    return [f"  {c.name:{name}}  {c.role:{role}}  {c.source:{source}}  {c.unit}".rstrip() for c in channels]


def _loads(file: MachineFile, texts: Texts) -> list[str]:
    """Which derivation each load takes, and what full load means above the base speed."""
    from agent.load import derivation, torque_limit

    lines = []
    for channel in file.settings.channel:
        how = derivation(channel, file.settings.spindle)
        if how is None:
            continue
        manner = "percent" if how.kind == "percent" else "channel" if how.channel else "fixed" if how.rated is not None else "own"
        values: dict[str, str | float] = {
            "name": channel.name,
            "unit": channel.unit or "?",
            "channel": how.channel,
            "rated": how.rated or 0.0,
        }
        lines.append(f"  {texts.say(f'check.load.{manner}', **values)}")
    for spindle in file.settings.spindle:
        if spindle.base_speed is not None and lines:
            speed = 2.0 * spindle.base_speed
            percent = 100.0 * torque_limit(speed, spindle.base_speed)
            lines.append(f"  {texts.say('check.load.base', base=spindle.base_speed, speed=speed, percent=percent)}")
    return ["", texts.say("check.heading.load"), *lines] if lines else []


def _watch(file: MachineFile) -> dict[str, bool]:
    """What can be monitored with these channels at these rates."""
    from agent.detect.bearing import LOWEST_RATE
    from agent.detect.chatter import LOWEST_RATE as CHATTER_RATE
    from agent.machine_file.costs import BREAKAGE_EVERY, CONTEXT, WEAR_EVERY

    settings = file.settings
    roles = {channel.role for channel in settings.channel}
    devices = {source.name: file.maps[source.device] for source in settings.source}
    sources = {role: {c.source.partition(".")[0] for c in settings.channel if c.role == role and c.source} for role in roles}
    loads = [_resolution(file, channel) for channel in settings.channel if channel.role == "spindle.load" and channel.source]
    load = "spindle.load" in roles and bool(roles & CONTEXT)
    fastest = max((devices[source].rate for source in sources.get("vibration", ()) if source in devices), default=0.0)
    watch = {
        "wear": load and all(seconds <= WEAR_EVERY for seconds in loads),
        "missing": load and all(seconds <= WEAR_EVERY for seconds in loads),
        "breakage": load and all(seconds <= BREAKAGE_EVERY for seconds in loads),
        "overload": load,
        "spindle": any(devices[source].rate >= BAND_RATE for source in sources.get("vibration", ()) if source in devices),
        "tool": "tool" in roles,
        "part": bool(roles & {"part", "cycle"}),
    }
    # What nobody asked for is not called missing.
    if settings.monitoring.first_cuts:
        watch["first"] = load and "section" in roles and watch["missing"]
    if "vibration" in roles:
        watch["condition"] = "spindle.load" in roles
        watch["chatter"] = "spindle.speed" in roles and fastest >= CHATTER_RATE
    if any(spindle.bearings for spindle in settings.spindle):
        watch["bearing"] = "spindle.speed" in roles and fastest >= LOWEST_RATE
    if settings.group:
        watch["group"] = True
    return watch


def _resolution(file: MachineFile, channel: ChannelOptions) -> float:
    """Seconds that a change of this channel takes to be seen: the period of the reading, or what the device itself takes."""
    from agent.machine_file.costs import slowness

    name, _, wanted = channel.source.partition(".")
    source = next(source for source in file.settings.source if source.name == name)
    device = file.maps[source.device]
    register = next((register for register in device.registers if register.name == wanted), None)
    return max(channel.every or source.every, *slowness(source, device, register))


def _report(file: MachineFile, texts: Texts) -> dict[str, Any]:
    """What a program reads."""
    from agent.cli._cautions import cautions
    from agent.machine_file.line_time import bus_uses

    settings = file.settings
    return {
        "file": str(file.path),
        "ok": True,
        "mistakes": [],
        "warnings": [_row(warning, texts) for warning in file.warnings],
        "machine": settings.machine,
        "buses": [
            {
                "name": use.bus.name,
                "framing": use.bus.framing,
                "share": use.share,
                "sources": [
                    {
                        "name": source.source.name,
                        "device": source.source.device,
                        "every": source.source.every,
                        "share": source.share,
                        "cautions": cautions(file.maps[source.source.device], texts.language),
                        "requests": [{"table": r.table, "address": r.address, "count": r.count, "every": r.every} for r in source.requests],
                    }
                    for source in use.sources
                ],
            }
            for use in bus_uses(settings, file.maps, file.routes)
        ],
        "beacon": settings.beacon if settings.beacon.bus else None,
        "channels": [{"name": c.name, "role": c.role, "from": c.source, "unit": c.unit} for c in settings.channel],
        "watch": _watch(file),
        "budget": _check_budget.budget(file),
        "cutting": _check_cutting.expectations(file),
    }


def _row(mistake: Mistake, texts: Texts) -> dict[str, Any]:
    what, remedy = texts.mistake(mistake)
    return {"path": str(mistake.path), "line": mistake.line, "key": mistake.key, "code": mistake.code, "what": what, "remedy": remedy}


def _print_json(report: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.encode(report).decode())
