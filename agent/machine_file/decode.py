"""From the document of a machine file to MachineSettings."""

from __future__ import annotations

import math
import typing
from typing import Any

import msgspec

from agent.settings import MachineOptions, MachineSettings
from agent.toml_file.decode import list_of, table_of
from agent.toml_file.found import Found

LIMITS: dict[tuple[str, str], tuple[float, float]] = {
    ("spindle", "rated_power"): (0.01, 1000.0),
    ("spindle", "base_speed"): (1.0, 100_000.0),
    ("spindle", "efficiency"): (0.3, 1.0),
    ("spindle", "minimum_speed"): (0.0, 100_000.0),
    ("bearings", "n"): (3, 200),
    ("bearings", "d"): (0.1, 1000.0),
    ("bearings", "D"): (1.0, 5000.0),
    ("bearings", "angle"): (0.0, 89.0),
    ("bearings", "bpfo"): (0.5, 100_000.0),
    ("bearings", "bpfi"): (0.5, 100_000.0),
    ("bearings", "bsf"): (0.1, 100.0),
    ("bearings", "ftf"): (0.05, 0.6),
    ("group", "every"): (0.5, 3600.0),
    ("group", "learn"): (100, 100_000),
    ("tool", "number"): (0, 99_999_999),
    ("tool", "life_parts"): (1, 10_000_000),
    ("tool", "vb_limit"): (0.01, 5.0),
    ("cutting", "tool"): (0, 99_999_999),
    ("cutting", "section"): (1, 99_999_999),
    ("cutting", "kc11"): (100.0, 10_000.0),
    ("cutting", "mc"): (0.0, 0.6),
    ("cutting", "ap"): (0.005, 500.0),
    ("cutting", "ae"): (0.005, 1000.0),
    ("cutting", "f"): (0.001, 20.0),
    ("cutting", "fz"): (0.0005, 10.0),
    ("cutting", "z"): (1, 100),
    ("cutting", "D"): (0.05, 5000.0),
    ("cutting", "n"): (1.0, 200_000.0),
    ("cutting", "vc"): (0.5, 10_000.0),
    ("bus", "baud"): (300, 4_000_000),
    ("bus", "timeout"): (0.01, 60.0),
    ("bus", "gap"): (0.0, 5.0),
    ("source", "gap"): (0.0, 5.0),
    ("source", "address"): (0, 255),
    ("source", "every"): (0.005, 3600.0),
    ("source", "update"): (0.0, 3600.0),
    ("channel", "rated"): (1e-6, 1e9),
    ("channel", "every"): (0.005, 3600.0),
    ("channel", "hold"): (0.01, math.inf),
    ("channel", "off_value"): (-1e9, 1e9),
    ("monitoring", "lateness"): (0.0, 10.0),
    ("monitoring", "wear_limit"): (0.01, 10.0),
    ("monitoring", "smallest_drift"): (0.0, 0.9),
    ("monitoring", "learn_cuts"): (2, 1000),
    ("monitoring", "monitor_cuts"): (2, 10_000),
    ("broker", "keepalive"): (1, 10),
    ("broker", "telemetry_every"): (0.1, 3600.0),
    ("display", "port"): (0, 65_535),
    ("beacon", "address"): (1, 255),
    ("beacon", "hold"): (2.0, 60.0),
    ("store", "telemetry_bytes"): (1024 * 1024, 2**40),
    ("store", "telemetry_age"): (60.0, 3650 * 86_400.0),
}
"""What a number may be. Keep-alive: a dead agent is known within 1.5 of them (DESIGN.md, decision 3)."""


def decode(document: dict[str, Any], found: Found) -> MachineSettings:
    """The settings as far as they are right: where something is wrong its default stands, so that the rest can be checked as well."""
    values: dict[str, Any] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(MachineSettings)}
    for key in document:
        if key not in fields:
            found.wrong((key,), "unknown_table", name=found.shown(key), meant=found.nearest(key, fields), known=", ".join(fields))
    for key, field in fields.items():
        many = typing.get_origin(field.type) is tuple
        table = typing.get_args(field.type)[0] if many else field.type
        if key not in document:
            if key == "machine" and not found.partial:
                found.wrong((), "no_machine")
            continue
        raw = document[key]
        if many:
            items = tuple(item for item in list_of(table, raw, key, (key,), found) if item is not None)
            if items:  # `spindle = []` is as good as none: the default stands
                values[key] = items
        elif isinstance(raw, list):
            found.wrong((key,), "one_table", name=key)
        else:
            one = table_of(table, raw, key, (key,), found)
            if one is not None:
                values[key] = one
    values.setdefault("machine", MachineOptions(name="machine"))
    return MachineSettings(**values)


def names_in(document: dict[str, Any], table: str) -> set[str]:
    """Every name that stands in a list of tables, also where the rest of that table is wrong."""
    raw = document.get(table)
    items = raw if isinstance(raw, list) else []
    return {item["name"] for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}
