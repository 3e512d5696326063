"""Bearings, zones and groups of slow channels: figures that no bearing has, groups that cannot be judged."""

from __future__ import annotations

import math
from typing import Any

from agent.machine_file.checks import placed
from agent.settings import BearingOptions, GroupOptions, MachineSettings
from agent.toml_file.found import Found
from agent.toml_file.lines import Place

MOST = 16
"""Channels of a group (`agent.detect.multivariate.MOST`)."""
WHOLE = 0.02
"""By which the sum of both races' passages may lie off a whole number: makers give three or four digits."""
BALLS = 200
"""Balls of a row at the most, as `n` has it: a larger sum of passages is in hertz."""
SCOPE = 15.0
"""kW below which ISO 20816-3 does not apply."""
NO_NUMBER = frozenset({"tool", "program", "section", "part", "cycle", "door", "mode", "execution", "vibration"})
"""Roles whose channels no group takes: words and states, and what is judged by the spindle."""


def check_condition(settings: MachineSettings, document: dict[str, Any], found: Found) -> None:
    """What [[spindle]] says of bearings and zones, and every [[group]]."""
    for spindle, place in placed(settings.spindle, document, "spindle"):
        for i, bearing in enumerate(spindle.bearings):
            _check_bearing(bearing, (*place, "bearings", i), document, found)
        written = _written(document, place)
        if ("iso_group" in written) != bool(written.get("iso_support", "")):
            found.wrong(place, "iso_half", name=spindle.name)
        elif spindle.iso_group is not None and spindle.rated_power is not None and spindle.rated_power <= SCOPE:
            found.wrong((*place, "iso_group"), "iso_power", name=spindle.name, power=spindle.rated_power, scope=SCOPE)
        elif spindle.iso_group is not None and spindle.rated_power is None:
            found.warn((*place, "iso_group"), "iso_power_unknown", name=spindle.name, scope=SCOPE)
    for group, place in placed(settings.group, document, "group"):
        _check_group(group, place, settings, found)


def _written(document: dict[str, Any], place: Place) -> dict[str, Any]:
    """What stands at a place, wrong values too: what was refused is not called missing as well."""
    raw: Any = document
    for step in place:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):  # a default that nobody wrote
            return {}
    return raw if isinstance(raw, dict) else {}


def _check_bearing(bearing: BearingOptions, place: Place, document: dict[str, Any], found: Found) -> None:
    written = _written(document, place)
    name = found.shown(bearing.name or f"{place[-2]}[{int(place[-1]) + 1}]")
    if "bpfo" in written or "bpfi" in written:
        if not ("bpfo" in written and "bpfi" in written):
            found.wrong(place, "bearing_half", name=name)
        elif bearing.bpfo is None or bearing.bpfi is None:
            return  # refused, and told
        elif bearing.bpfo >= bearing.bpfi:
            found.wrong((*place, "bpfo"), "bearing_order", name=name, bpfo=bearing.bpfo, bpfi=bearing.bpfi)
        elif bearing.bpfo + bearing.bpfi > BALLS or abs(bearing.bpfo + bearing.bpfi - round(bearing.bpfo + bearing.bpfi)) > WHOLE:
            found.wrong((*place, "bpfi"), "bearing_sum", name=name, bpfo=bearing.bpfo, bpfi=bearing.bpfi, sum=bearing.bpfo + bearing.bpfi)
        return
    missing = [key for key in ("n", "d", "D") if key not in written]
    if missing:
        found.wrong(place, "bearing_missing", name=name, missing=", ".join(missing))
        return
    if bearing.n is None or bearing.d is None or bearing.D is None:
        return  # refused, and told
    balls, ball, pitch = bearing.n, bearing.d, bearing.D
    most = int(math.pi * pitch / max(ball, 1e-9))
    if ball >= pitch:
        found.wrong((*place, "d"), "bearing_swapped", name=name, d=ball, D=pitch)
    elif balls > most:
        found.wrong((*place, "n"), "bearing_full", name=name, n=balls, d=ball, D=pitch, most=most)


def _check_group(group: GroupOptions, place: Place, settings: MachineSettings, found: Found) -> None:
    roles = {channel.name: channel.role for channel in settings.channel}
    at = (*place, "channels")
    if not 1 <= len(group.channels) <= MOST:
        found.wrong(at, "group_size", name=group.name, n=len(group.channels), most=MOST)
        return
    for i, channel in enumerate(group.channels):
        if channel not in roles:
            found.wrong(at, "group_channel", name=group.name, channel=found.shown(channel), meant=found.nearest(channel, roles))
        elif channel in group.channels[:i]:
            found.wrong(at, "group_twice", name=group.name, channel=channel)
        elif roles[channel] in NO_NUMBER:
            found.wrong(at, "group_role", name=group.name, channel=channel, role=roles[channel])
