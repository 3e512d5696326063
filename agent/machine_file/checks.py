"""What no single table can know: names that meet, values that a person fills in wrongly, files that must be there."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.budget import alarms_per_hour
from agent.machine_file.decode import names_in
from agent.settings import BrokerOptions, MachineSettings
from agent.toml_file.found import Found
from agent.toml_file.lines import Place

ONCE = (
    "spindle.load",
    "spindle.speed",
    "spindle.temperature",
    "tool",
    "program",
    "section",
    "part",
    "cycle",
    "mode",
    "execution",
    "door",
    "feed_override",
    "speed_override",
    "feed_hold",
    "single_block",
    "dry_run",
    "power_on",
)
"""Roles of which a spindle may have one channel; axes, vibration, temperatures, pressures and levels may be several."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_NAME = {"channel": re.compile(r"[^\W_][^/@,;\"'\s]*"), "other": re.compile(r"[^\W_][\w-]*")}
_TOPIC = re.compile(r"[^/+#$\s][^/+#]*")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")


def check_names(document: dict[str, Any], found: Found) -> None:
    """Every name is there once, and can stand in a topic, a recording's header and 'source.register'."""
    for table in ("spindle", "bus", "source", "channel", "tool", "group"):
        key = "number" if table == "tool" else "name"
        items = document.get(table)
        seen: dict[Any, int] = {}
        for i, item in enumerate(items if isinstance(items, list) else ()):
            name = item.get(key) if isinstance(item, dict) else None
            if not isinstance(name, (str, int)) or isinstance(name, bool):
                continue
            place = (table, i, key)
            if name in seen:
                first = found.lines.get((table, seen[name], key), 0)
                found.wrong(place, "name_twice", name=found.shown(name), table=table, first=str(first))
            seen.setdefault(name, i)
            if isinstance(name, str) and not _NAME.get(table, _NAME["other"]).fullmatch(name):
                found.wrong(place, "name_channel" if table == "channel" else "name_plain", name=found.shown(name))
            elif table == "channel" and name == "time":
                found.wrong(place, "name_time")


def check_machine(settings: MachineSettings, found: Found) -> None:
    """[machine] and [monitoring]."""
    for key in ("name", "site", "area"):
        value = getattr(settings.machine, key)
        if not _TOPIC.fullmatch(value):
            found.wrong(("machine", key), "name_topic", name=found.shown(value))
        elif not _PLAIN.fullmatch(value):
            found.warn(("machine", key), "name_not_plain", name=found.shown(value))
    _check_timezone(settings.machine.timezone, found)
    monitoring = settings.monitoring
    if alarms_per_hour(monitoring.false_alarms) is None:
        found.wrong(("monitoring", "false_alarms"), "budget", value=found.shown(monitoring.false_alarms))
    if monitoring.monitor_cuts < monitoring.learn_cuts:
        found.wrong(("monitoring", "monitor_cuts"), "monitor_cuts", value=monitoring.monitor_cuts, learn=monitoring.learn_cuts)


def check_roles(settings: MachineSettings, document: dict[str, Any], found: Found) -> None:
    """Channels belong to a spindle that exists, and a spindle has one channel for what can be only one."""
    spindles = names_in(document, "spindle") or {spindle.name for spindle in settings.spindle}
    first = settings.spindle[0].name if settings.spindle else ""
    seen: dict[tuple[str, str], str] = {}
    for channel, place in _channels(settings, document):
        if channel.spindle and channel.spindle not in spindles:
            meant = found.nearest(channel.spindle, spindles)
            found.wrong((*place, "spindle"), "no_spindle", name=found.shown(channel.spindle), meant=meant, known=_known(spindles))
        if channel.off_value is not None and channel.role != "power_on":
            found.warn((*place, "off_value"), "off_value", role=channel.role)
        key = (channel.role, channel.spindle or first)
        if channel.role in ONCE and key in seen:
            found.wrong((*place, "role"), "role_twice", role=channel.role, spindle=key[1], other=found.shown(seen[key]))
        seen.setdefault(key, channel.name)


def check_outlets(settings: MachineSettings, folder: Path, found: Found) -> None:
    """[[broker]] and [display]: addresses that can be, passwords that only their owner reads, no open door unsaid."""
    for i, broker in enumerate(settings.broker):
        place: Place = ("broker", i)
        _check_url(broker, place, found)
        if i > 0:
            found.warn((*place, "url"), "one_broker", url=_without_user(broker.url))
        if re.search(r"[+#]|^\$|^/|/$|//", broker.prefix) or not broker.prefix:
            found.wrong((*place, "prefix"), "prefix", value=found.shown(broker.prefix))
        if broker.username and not broker.password_file:
            found.warn((*place, "username"), "no_password", name=found.shown(broker.username))
        if broker.password_file:
            _check_password(folder / broker.password_file, (*place, "password_file"), found)
        if broker.commands and not broker.username and urllib.parse.urlsplit(broker.url).hostname not in LOOPBACK:
            found.warn((*place, "commands"), "commands_open")
    bind = settings.display.bind
    try:
        loopback = bind == "localhost" or ipaddress.ip_address(bind).is_loopback
    except ValueError:
        found.wrong(("display", "bind"), "bind", value=found.shown(bind))
    else:
        if not loopback:
            found.warn(("display", "bind"), "bind_public", value=bind)


def _channels(settings: MachineSettings, document: dict[str, Any]) -> list[tuple[Any, Place]]:
    """Each channel that was understood, and where it stands in the file."""
    return placed(settings.channel, document, "channel")


def placed(items: Sequence[Any], document: dict[str, Any], table: str) -> list[tuple[Any, Place]]:
    """Each item that was understood beside its place in the file: some of its neighbours may not have been."""
    raw = document.get(table)
    names = [item.get("name") if isinstance(item, dict) else None for item in raw] if isinstance(raw, list) else []
    pairs: list[tuple[Any, Place]] = []
    at = 0
    for item in items:
        while at < len(names) and names[at] != item.name:
            at += 1
        pairs.append((item, (table, min(at, max(len(names) - 1, 0)))))
        at += 1
    return pairs


def _known(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "–"


def _check_timezone(name: str, found: Found) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        if known:  # a system without tzdata cannot tell
            found.wrong(("machine", "timezone"), "timezone", value=found.shown(name), meant=found.nearest(name, known))


def _check_url(broker: BrokerOptions, place: Place, found: Found) -> None:
    place = (*place, "url")
    try:
        url = urllib.parse.urlsplit(broker.url)
        port = url.port
    except ValueError:
        found.wrong(place, "broker_url", value=_without_user(broker.url))
        return
    if url.scheme == "mqtts":
        found.wrong(place, "broker_tls")
    elif url.scheme != "mqtt" or not url.hostname or url.path not in ("", "/"):
        found.wrong(place, "broker_url", value=_without_user(broker.url))
    elif url.password is not None or url.username is not None:
        found.wrong(place, "broker_user")
    elif port == 0:
        found.warn(place, "placeholder", value="port 0")


def _without_user(url: str) -> str:
    """The address as it may be repeated on a screen."""
    return Found.shown(re.sub(r".*@", "…@", url))


def _check_password(path: Path, place: Place, found: Found) -> None:
    try:
        mode = path.stat().st_mode
        path.read_bytes()
    except FileNotFoundError:
        found.wrong(place, "no_password_file", file=str(path))
    except OSError as error:
        found.wrong(place, "password_unreadable", file=str(path), why=error.strerror or str(error))
    else:
        if mode & 0o077:
            found.wrong(place, "password_open", file=str(path), mode=f"{mode & 0o777:04o}")
