"""Loads and what they are taken over: is every denominator there, and does it fit?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agent.load import KIND_OF, ROLES, derivation
from agent.machine_file.checks import placed
from agent.machine_file.wires import unit_of
from agent.settings import ChannelOptions, MachineSettings
from agent.toml_file.found import Found
from drivers.options import DeviceMap


def check_loads(settings: MachineSettings, document: dict[str, Any], maps: Mapping[str, DeviceMap], found: Found) -> None:
    """Mistakes: a denominator of what is no load or is in percent already, or one that is not there or in another unit. A warning where a
    load has none: it is judged in its own unit."""
    units = {channel.name: unit_of(channel, settings, maps) for channel in settings.channel}
    for channel, place in placed(settings.channel, document, "channel"):
        unit = units[channel.name]
        key = "rated_channel" if channel.rated_channel else "rated"
        if channel.rated is not None or channel.rated_channel:
            if channel.role not in ROLES:
                found.wrong((*place, key), "rated_role", name=channel.name, role=channel.role)
            elif unit == "%":
                found.wrong((*place, key), "rated_percent", name=channel.name)
            elif channel.rated is not None and channel.rated_channel:
                found.wrong((*place, key), "rated_twice", name=channel.name)
            elif channel.rated_channel:
                _check_channel(channel, unit, (*place, key), units, found)
        known = channel.source and (not settings.source or unit)
        how = derivation(msgspec.structs.replace(channel, unit=unit), settings.spindle)
        if known and how is not None and not how.derived and how.kind in set(KIND_OF.values()) - {"percent"}:
            found.warn((*place, "role"), "load_relative", name=channel.name, unit=unit)


def _check_channel(channel: ChannelOptions, unit: str, place: tuple[str | int, ...], units: Mapping[str, str], found: Found) -> None:
    other = channel.rated_channel
    if other == channel.name or other not in units:
        meant = found.nearest(other, [name for name in units if name != channel.name])
        found.wrong(place, "rated_no_channel", name=channel.name, other=found.shown(other), meant=meant)
    elif units[other] != unit:
        found.wrong(place, "rated_unit", name=channel.name, unit=unit, other=other, other_unit=units[other])
