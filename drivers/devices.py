"""Reads device maps (config/devices): which registers a device has, and what they mean. Manner of a map: config/devices/README.md."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.map_checks import wrong_between, wrong_in_caution, wrong_in_map, wrong_in_register
from drivers.map_problems import MapProblem, unknown
from drivers.options import Caution, DeviceMap, Register

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class MapError(Exception):
    """A map cannot be used: mend the file at `path`. `problems` holds everything that is wrong with it; `what` and `remedy` in English."""

    def __init__(self, path: Path, problems: Sequence[MapProblem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        self.what = "; ".join(problem.what for problem in self.problems)
        self.remedy = "; ".join(dict.fromkeys(problem.remedy for problem in self.problems))
        super().__init__(f"{path}: {self.what} ({self.remedy})")


def find_map(name: str, folders: Sequence[Path]) -> Path:
    """File of the map called `name`: the first one in the order of the folders.

    Raises
    ------
    MapError: no folder has it.
    """
    for folder in folders:
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.toml")})
    raise MapError(Path(f"{name}.toml"), [unknown("", "not_found", name, known)])


def load_map(path: Path) -> DeviceMap:
    """Read a map and check it.

    Raises
    ------
    MapError: with everything that is wrong at once.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MapError(path, [MapProblem("", "unreadable", {"why": error.strerror or str(error)})]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MapError(path, [MapProblem("", "no_toml", {"why": str(error)})]) from error
    problems: list[MapProblem] = []
    values = _values(DeviceMap, document, "", problems)
    device = DeviceMap(**values) if "name" in values else None
    if device is not None:
        problems += wrong_in_map(device, bool(document.get("registers")))
        if not problems:
            problems += wrong_between(device)
    if problems or device is None:
        raise MapError(path, problems)
    return device


def _table(kind: type[_Struct], raw: Any, key: str, problems: list[MapProblem]) -> _Struct | None:
    """A struct from a TOML table; None, and what is wrong among the problems, if that cannot be."""
    if not isinstance(raw, dict):
        brackets = re.sub(r"\[\d+\]", "", key)
        many = f"[[{brackets}]], with two brackets" if key.endswith("]") else f"[{brackets}]"
        problems.append(MapProblem(key, "type", {"why": f"write {many}"}))
        return None
    before = len(problems)
    values = _values(kind, raw, key, problems)
    return None if len(problems) > before else kind(**values)


def _values(kind: type[_Struct], raw: dict[str, Any], key: str, problems: list[MapProblem]) -> dict[str, Any]:
    """The values of a TOML table that are right, by key."""
    dot = f"{key}." if key else ""
    table = re.sub(r"s?(\[\d+\])?$", "", key) or "map"
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    problems += [unknown(f"{dot}{word}", "unknown_key", word, fields, table=table) for word in raw if word not in fields]
    problems += [MapProblem(key, "missing_key", {"word": name}) for name, f in fields.items() if f.required and name not in raw]
    values: dict[str, Any] = {}
    for name in (name for name in raw if name in fields):
        before = len(problems)
        value = _value(fields[name].type, raw[name], f"{dot}{name}", problems)
        if len(problems) == before:
            values[name] = value
    return values


def _value(kind: Any, raw: Any, key: str, problems: list[MapProblem]) -> Any:
    """One value of a table, tables within it included."""
    options = [option for option in typing.get_args(kind) if option is not types.NoneType]
    struct = kind if isinstance(kind, type) else options[0] if len(options) == 1 or options[1:] == [...] else None
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
        if typing.get_origin(kind) is not tuple:
            return _table(struct, raw, key, problems)
        if not isinstance(raw, list):
            problems.append(MapProblem(key, "type", {"why": f"write [[{key}]], with two brackets"}))
            return ()
        return _rows(struct, raw, key, problems)
    words = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    if words and isinstance(raw, str) and raw not in words:
        problems.append(unknown(key, "not_listed", raw, words))
        return None
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problems.append(MapProblem(key, "type", {"why": re.sub(" - at .*", "", str(error))}))
        return None


def _rows(struct: type[_Struct], raw: list[Any], key: str, problems: list[MapProblem]) -> tuple[_Struct, ...]:
    """The rows of a list of tables that are right; registers are looked at one by one, so that everything is said at once."""
    rows: list[_Struct] = []
    names: set[str] = set()
    for number, row in enumerate(raw, 1):
        one = _table(struct, row, f"{key}[{number}]", problems)
        if one is None:
            continue
        if isinstance(one, Register):
            problems += wrong_in_register(one, f"{key}[{number}]")
            if one.name in names:
                problems.append(MapProblem(f"{key}[{number}].name", "twice", {"word": one.name}))
            names.add(one.name)
        if isinstance(one, Caution):
            problems += wrong_in_caution(one, f"{key}[{number}]")
        rows.append(one)
    return tuple(rows)
