"""What a machine file leaves out, and what that costs: nothing here is wrong, but nobody shall be surprised later."""

from __future__ import annotations

from collections.abc import Mapping

from agent.settings import ChannelOptions, MachineSettings, Role
from agent.toml_file.found import Found
from drivers.options import DeviceMap, Register, SourceOptions

BREAKAGE_EVERY = 0.25
"""s between two readings of the load above which a break within a cut of 1 to 2 s has too few readings to be told (8 a cut)."""
WEAR_EVERY = 1.0
"""s between two readings of the load above which cuts themselves are hard to tell apart (field.md 1.7)."""

CONTEXT: frozenset[Role] = frozenset({"tool", "program", "section"})
"""Roles of which one is needed to know which operation a cut belongs to."""
PER_SPINDLE: tuple[Role, ...] = ("spindle.load", "spindle.speed", "tool", "program", "section", "axis.load")
PER_MACHINE: tuple[Role, ...] = (
    *("part", "cycle", "feed_override", "speed_override", "feed_hold", "single_block", "dry_run", "mode", "door", "power_on", "vibration"),
)
INSTEAD: dict[Role, Role] = {"part": "cycle", "cycle": "section", "feed_hold": "execution"}
"""What stands in for a role."""


def costs(settings: MachineSettings, maps: Mapping[str, DeviceMap], found: Found) -> None:
    """A warning for each signal that the monitor could use and does not get, and for each that comes too rarely or is a guess."""
    first = settings.spindle[0].name if settings.spindle else ""
    for spindle in settings.spindle:
        roles = {channel.role for channel in settings.channel if (channel.spindle or first) == spindle.name}
        for role in PER_SPINDLE:
            if role in roles or (role in CONTEXT and role != "tool" and not CONTEXT & roles):
                continue
            code = "context" if role == "tool" and not CONTEXT & roles else role.replace(".", "_")
            found.warn((), f"cost_{code}", spindle=spindle.name)
    roles = {channel.role for channel in settings.channel}
    for role in PER_MACHINE:
        fed = role == "power_on" and any(source.supply == "machine" for source in settings.source)
        if role not in roles and INSTEAD.get(role) not in roles and not fed:
            found.warn((), f"cost_{role}")
    for i, channel in enumerate(settings.channel):
        _look_at_source(settings, channel, i, maps, found)


def _look_at_source(settings: MachineSettings, channel: ChannelOptions, i: int, maps: Mapping[str, DeviceMap], found: Found) -> None:
    name, _, register_name = channel.source.partition(".")
    source = next((source for source in settings.source if source.name == name), None)
    device = maps.get(source.device) if source else None
    if source is None or device is None or device.rate > 0:
        return
    register: Register | None = next((known for known in device.registers if known.name == register_name), None)
    if register is not None and not (register.verified and register.scale_verified):
        found.warn(("channel", i, "from"), "unverified", register=register.name, device=device.name)
    asked = channel.every or source.every
    update, smoothing = slowness(source, device, register)
    every = max(asked, update, smoothing)
    if update > asked and channel.role in ("spindle.load", "axis.load"):
        found.warn(("channel", i, "from"), "slow_device", name=channel.name, update=update, every=asked)
        if source.update is None and not device.update_verified:
            found.warn(("channel", i, "from"), "update_guessed", name=channel.name, update=update, source=source.name, device=device.name)
    if channel.role == "spindle.load" and every > WEAR_EVERY:
        found.warn(("channel", i, "from"), "load_very_slow", every=every)
    elif channel.role == "spindle.load" and every > BREAKAGE_EVERY:
        found.warn(("channel", i, "from"), "load_slow", every=every)


def slowness(source: SourceOptions, device: DeviceMap, register: Register | None) -> tuple[float, float]:
    """How slow the device itself is with a register, guesses included: s between two updates, s over which it averages."""
    update = device.update if register is None or register.update is None else register.update
    smoothing = device.smoothing if register is None or register.smoothing is None else register.smoothing
    return update if source.update is None else source.update, smoothing
