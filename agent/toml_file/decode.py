"""From a TOML table to a struct, key by key, so that one mistake does not hide the next."""

from __future__ import annotations

import math
import re
import types
import typing
from enum import StrEnum
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from agent.toml_file.found import Found
from agent.toml_file.lines import Place

T = TypeVar("T")

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

LARGEST = 1e15
"""Of a number that has no limits of its own."""


def list_of(table: type[T], raw: Any, name: str, place: Place, found: Found) -> list[T | None]:
    """Each table of a list of tables; None in the place of one that lacks what it must have."""
    if not isinstance(raw, list):
        found.wrong(place, "many_tables", name=_header(place))
        return []
    fields = _fields(table)
    return [_decode(table, fields, item, name, (*place, i), found) for i, item in enumerate(raw) if not found.full]


def table_of(table: type[T], raw: Any, name: str, place: Place, found: Found) -> T | None:
    """One table as a struct; a wrong value gives way to its default. None: a required key is missing or wrong."""
    return _decode(table, _fields(table), raw, name, place, found)


def _fields(table: type[Any]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(table)}


def _decode(table: type[T], fields: dict[str, FieldInfo], raw: Any, name: str, place: Place, found: Found) -> T | None:
    if not isinstance(raw, dict):
        found.wrong(place, "no_table_in_list" if isinstance(place[-1], int) else "no_table", name=_header(place))
        return None
    values: dict[str, Any] = {}
    whole = True
    for key, value in raw.items():
        if found.full:
            return None
        if key not in fields:
            meant = found.nearest(key, fields)
            found.wrong((*place, key), "unknown_key", name=name, word=found.shown(key), meant=meant, known=", ".join(fields))
            continue
        nested = _nested(fields[key].type)
        if nested is not None:
            values[fields[key].name] = tuple(item for item in list_of(nested, value, key, (*place, key), found) if item is not None)
        elif _fits(fields[key].type, value, name, (*place, key), found):
            values[fields[key].name] = msgspec.convert(value, fields[key].type)
        elif fields[key].required:
            whole = False
    for key, field in fields.items():
        if field.required and key not in raw:
            whole = False
            if not found.partial:
                found.wrong(place, f"missing_{key}" if key in ("from", "role") else "missing_key", name=name, word=key)
    return table(**values) if whole else None


def _header(place: Place) -> str:
    """What stands between the brackets: 'beacon.coil'."""
    return ".".join(part for part in place if isinstance(part, str))


def _nested(kind: Any) -> type[msgspec.Struct] | None:
    """The struct of a list of tables; None for any other kind of value."""
    inner = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None
    return inner if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else None


def _fits(kind: Any, value: Any, table: str, place: Place, found: Found) -> bool:
    """Whether a value has the type and stands within the limits of its key; says so where it does not."""
    if typing.get_origin(kind) in (tuple, dict):
        return _plain(kind, value, place, found)
    union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    kinds = [k for k in (typing.get_args(kind) if union else (kind,)) if k is not type(None)]
    for one in kinds:
        if isinstance(one, type) and issubclass(one, StrEnum):
            return _listed(tuple(str(word) for word in one), value, place, found)
        if typing.get_origin(one) is Literal:
            return _listed(typing.get_args(one), value, place, found)
    if not any(_is(one, value) for one in kinds):
        expected = "@mistake.type.words." + "_or_".join(one.__name__ for one in kinds)
        found.wrong(place, _wrong_kind(kinds, value), expected=expected, value=found.shown(value))
        return False
    if isinstance(value, (str, bool)):
        return _speakable(value, place, found)
    low, high = found.limits.get((table, str(place[-1])), (-LARGEST, LARGEST))
    if low <= value <= high:
        return True
    found.wrong(place, "above" if high == math.inf else "between", value=found.shown(value), low=_limit(low), high=_limit(high))
    return False


def _limit(value: float) -> float | str:
    """A limit as a sentence takes it; one that three decimals would show as 0 is given as it may be typed: '1e-06'."""
    return f"{value:g}" if 0.0 < abs(value) < 0.001 else value


def _wrong_kind(kinds: list[Any], value: Any) -> str:
    """Quotes too many, quotes too few, or something else altogether."""
    if str not in kinds and isinstance(value, str):
        return "type_quoted" if _NUMBER.fullmatch(value.strip()) else "type_text"
    return "type_unquoted" if str in kinds and isinstance(value, (int, float)) and not isinstance(value, bool) else "type"


def _plain(kind: Any, value: Any, place: Place, found: Found) -> bool:
    """A list of texts, or a table of plain values."""
    if typing.get_origin(kind) is dict:
        right = isinstance(value, dict) and all(isinstance(item, (str, int, float)) for item in value.values())
        expected = "table"
    else:
        right = isinstance(value, list) and all(isinstance(item, str) for item in value)
        expected = "list"
    if not right:
        found.wrong(place, "type", expected=f"@mistake.type.words.{expected}", value=found.shown(value))
    return right


def _is(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is kind


def _listed(options: tuple[Any, ...], value: Any, place: Place, found: Found) -> bool:
    if any(type(value) is type(option) and value == option for option in options):
        return True
    words = [str(option) for option in options if option != ""]
    found.wrong(place, "not_listed", value=found.shown(value), meant=found.nearest(str(value)[:80], words), known=", ".join(words))
    return False


def _speakable(value: str | bool, place: Place, found: Found) -> bool:
    if isinstance(value, str) and not all(letter.isprintable() for letter in value):
        found.wrong(place, "control", value=found.shown(value))
        return False
    return True
