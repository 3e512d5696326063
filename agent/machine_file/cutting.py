"""Cutting data: is everything there that its kind needs, do they agree, and can the load of that spindle be held against them?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agent.cutting import LETTERS, MATERIALS, NEEDS, SPEED, expected
from agent.machine_file.decode import names_in
from agent.machine_file.wires import unit_of
from agent.settings import ChannelOptions, CuttingOptions, MachineSettings, SpindleOptions
from agent.toml_file.found import Found
from agent.toml_file.lines import Place
from drivers.options import DeviceMap

OWN = ("tool", "kind", "section", "program", "spindle", "material", "kc11", "mc")
"""Keys that every kind has."""
AGREE = 0.1
"""By which a cutting speed may lie off what speed and diameter give: rounded on paper, or taken at another diameter."""
MUCH = 150.0
"""% of the rated load from which on the data are more likely a slip than a plan (S6 of a spindle is 1.3 to 1.5 times its S1)."""


def check_cutting(settings: MachineSettings, document: dict[str, Any], maps: Mapping[str, DeviceMap], found: Found) -> None:
    """Every [[cutting]]: mistakes, and a warning where it is right and yet of no use."""
    channels = tuple(msgspec.structs.replace(channel, unit=unit_of(channel, settings, maps)) for channel in settings.channel)
    spindles = names_in(document, "spindle") or {spindle.name for spindle in settings.spindle}
    tools = {tool.number for tool in settings.tool}
    seen: dict[tuple[object, ...], int] = {}
    for data, i in _placed(settings.cutting, document):
        place: Place = ("cutting", i)
        raw = document["cutting"][i]
        if data.spindle and data.spindle not in spindles:
            meant = found.nearest(data.spindle, spindles)
            found.wrong((*place, "spindle"), "no_spindle", name=found.shown(data.spindle), meant=meant, known=", ".join(sorted(spindles)))
            continue
        key = (data.spindle or settings.spindle[0].name, data.program, data.tool, data.section)
        if key in seen:
            found.wrong(
                (*place, "tool"), "cutting_twice", tool=str(data.tool), first=str(found.lines.get(("cutting", seen[key], "tool"), 0))
            )
        seen.setdefault(key, i)
        if tools and data.tool not in tools:
            found.warn((*place, "tool"), "cutting_tool", tool=str(data.tool), known=", ".join(str(number) for number in sorted(tools)))
        if _whole(data, raw, place, found) and _agrees(data, place, found):
            _useful(data, channels, settings.spindle, place, found)


def _placed(items: tuple[CuttingOptions, ...], document: dict[str, Any]) -> list[tuple[CuttingOptions, int]]:
    """Each that was understood, and its number in the file: some of its neighbours may not have been."""
    raw = document.get("cutting")
    tables = raw if isinstance(raw, list) else []
    pairs, at = [], 0
    for item in items:
        while at < len(tables) - 1 and not (isinstance(tables[at], dict) and _is(tables[at], item)):
            at += 1
        pairs.append((item, at))
        at += 1
    return pairs


def _is(table: dict[str, Any], item: CuttingOptions) -> bool:
    return table.get("tool") == item.tool and table.get("kind") == item.kind


def _whole(data: CuttingOptions, raw: dict[str, Any], place: Place, found: Found) -> bool:
    """Whether all is there; what was refused already is not called missing as well."""
    before = len(found.mistakes)
    words = (*LETTERS, *MATERIALS)
    if ("kc11" in raw) != ("mc" in raw):
        found.wrong(place, "cutting_half")
    elif "material" in raw and data.material not in words:
        meant = found.nearest(data.material, words)
        found.wrong((*place, "material"), "cutting_material", value=found.shown(data.material), meant=meant)
    elif "kc11" not in raw and "material" not in raw:
        found.wrong(place, "cutting_no_material", tool=str(data.tool))
    needs = NEEDS[data.kind]
    missing = [key for key in needs if key not in raw]
    kind = f"@check.cutting.kind.{data.kind}"
    if not ("n" in raw or "vc" in raw):
        missing.append("vc")
    elif data.kind == "turning" and "vc" not in raw and "D" not in raw:
        missing.append("D")
    if missing:
        found.wrong((*place, "kind"), "cutting_missing", kind=kind, missing=", ".join(missing))
    for key in raw:
        if key not in (*OWN, *needs, *SPEED) and key in CuttingOptions.__struct_fields__:
            found.wrong((*place, key), "cutting_unused", kind=kind, word=key, known=", ".join(dict.fromkeys((*needs, *SPEED))))
    refused = any(getattr(data, key) is None for key in (*needs, *SPEED) if key in raw)
    return len(found.mistakes) == before and not refused


def _agrees(data: CuttingOptions, place: Place, found: Found) -> bool:
    if data.kind == "milling" and data.ae is not None and data.D is not None and data.ae > data.D:
        found.wrong((*place, "ae"), "cutting_width", ae=data.ae, D=data.D)
        return False
    if data.vc is not None and data.n is not None and data.D is not None:
        turns = 1000.0 * data.vc / (math.pi * data.D)
        if abs(turns / data.n - 1.0) > AGREE:
            found.wrong((*place, "n"), "cutting_speed", n=data.n, turns=turns, vc=data.vc, D=data.D)
            return False
    return True


def _useful(
    data: CuttingOptions, channels: Sequence[ChannelOptions], spindles: Sequence[SpindleOptions], place: Place, found: Found
) -> None:
    one = expected(data, channels, spindles)
    if isinstance(one, str):
        found.warn(place, f"cutting_{one}", tool=str(data.tool), spindle=data.spindle or spindles[0].name)
    elif one.unit == "%" and one.load > MUCH:
        found.warn(place, "cutting_much", tool=str(data.tool), percent=one.load)
