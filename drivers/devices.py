"""Reads device maps (config/devices): which registers a device has, and what they mean. Manner of a map: config/devices/README.md."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.options import DeviceMap, Register
from drivers.plan import MOST_REGISTERS, is_bits, width

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_LAST_ADDRESS = 65535
_RAW = {"u16": (0, 0xFFFF), "i16": (-0x8000, 0xFFFF), "u32": (0, 0xFFFF_FFFF), "i32": (-0x8000_0000, 0xFFFF_FFFF), "bit": (0, 1)}
"""What a sentinel can be; a signed one may also be written as its bits."""

_WHAT = {
    "unreadable": ("cannot be read: {why}", "check the path and the rights of the file"),
    "no_toml": ("is not TOML: {why}", "put texts in quotes, close every bracket, one key a line"),
    "unknown_key": ("'{word}' is no key of a {table}", "did you mean '{meant}'?"),
    "unknown_key_far": ("'{word}' is no key of a {table}", "take one of: {known}"),
    "not_listed": ("'{word}' is not known here", "did you mean '{meant}'?"),
    "not_listed_far": ("'{word}' is not known here", "take one of: {known}"),
    "missing_key": ("'{word}' is missing", "add it"),
    "type": ("is not what it should be: {why}", "write it as config/devices/README.md shows"),
    "twice": ("the name '{word}' stands for two registers", "give each register its own name"),
    "address": ("address {value} is out of range", "use the wire address, 0 to {last}: the manual's 40001 is 0 of the holding registers"),
    "count": ("{value} registers in one read", "a read takes 1 to {last}"),
    "bits_type": ("'{value}' in a table of single bits", 'use type = "bit" with coil and discrete, and with nothing else'),
    "bit": ("bit {value} of a '{type}'", "take a bit of 0 to 15 out of a u16 in the holding or input table"),
    "word": ("'{value}' is no number", 'the left side of words is the raw number in quotes: "3" = "MEMORY"'),
    "sentinel": ("{value} can never be read from a '{type}'", "write the raw value as the device sends it"),
    "scale": ("the scale is {value}", "the scale is what a raw count is worth; it cannot be 0 or infinite"),
    "limits": ("min {low} is not below max {high}", "exchange them, or take one away"),
    "rate": ("{value} samples a second", "a stream's rate is above 0 and at most {last} Hz"),
    "axes": ("{value} axes", "a stream has 1 to {last} axes"),
    "empty": ("has neither registers nor a rate", "add at least one [[registers]], or rate = ... for a stream"),
    "not_found": ("no map is called '{word}'", "did you mean '{meant}'?"),
    "not_found_far": ("no map is called '{word}'", "there are: {known}"),
}
"""English, for logs and tests; config/texts/devices.*.toml says the same in both languages, under [map.CODE]."""

_FASTEST = 100_000.0
_MOST_AXES = 8


@dataclass(frozen=True, slots=True)
class MapProblem:
    """One thing that is wrong with a map.

    Attributes
    ----------
    key: where, such as 'registers[3].type', counted from 1 as people do; '' for the file as a whole.
    code: what: [map.CODE] of the text catalogue.
    values: what the sentences fill in.
    """

    key: str
    code: str
    values: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What is wrong, in English."""
        text = _WHAT[self.code][0].format(**self.values)
        return f"{self.key}: {text}" if self.key else text

    @property
    def remedy(self) -> str:
        """What helps, in English."""
        return _WHAT[self.code][1].format(**self.values)


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
    raise MapError(Path(f"{name}.toml"), [_unknown("", "not_found", name, known)])


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
    rows = document.pop("registers", [])
    top = _table(DeviceMap, document, "", "map", problems)
    registers: list[Register] = []
    if isinstance(rows, list):
        for number, row in enumerate(rows, 1):
            register = _table(Register, row, f"registers[{number}]", "register", problems)
            if register is None:
                continue
            problems += _wrong_in(register, f"registers[{number}]")
            if register.name in {before.name for before in registers}:
                problems.append(MapProblem(f"registers[{number}].name", "twice", {"word": register.name}))
            registers.append(register)
    else:
        problems.append(MapProblem("registers", "type", {"why": "write [[registers]], with two brackets"}))
    if top is not None:
        problems += _wrong_in_map(top, bool(rows))
    if problems or top is None:
        raise MapError(path, problems)
    return msgspec.structs.replace(top, registers=tuple(registers))


def _table(kind: type[_Struct], raw: Any, key: str, table: str, problems: list[MapProblem]) -> _Struct | None:
    """A struct from a TOML table; None, and what is wrong among the problems, if that cannot be."""
    if not isinstance(raw, dict):
        problems.append(MapProblem(key, "type", {"why": "write [[registers]], with two brackets"}))
        return None
    dot = f"{key}." if key else ""
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    before = len(problems)
    problems += [_unknown(f"{dot}{word}", "unknown_key", word, fields, table=table) for word in raw if word not in fields]
    problems += [MapProblem(key, "missing_key", {"word": name}) for name, f in fields.items() if f.required and name not in raw]
    for name, value in raw.items():
        if name not in fields:
            continue
        words = typing.get_args(fields[name].type) if typing.get_origin(fields[name].type) is typing.Literal else ()
        if words and isinstance(value, str) and value not in words:
            problems.append(_unknown(f"{dot}{name}", "not_listed", value, words))
        else:
            try:
                msgspec.convert(value, fields[name].type)
            except msgspec.ValidationError as error:
                problems.append(MapProblem(f"{dot}{name}", "type", {"why": re.sub(" - at .*", "", str(error))}))
    return None if len(problems) > before else msgspec.convert(raw, kind)


def _wrong_in(register: Register, key: str) -> list[MapProblem]:
    """What no type can say about one register."""
    problems: list[MapProblem] = []

    def wrong(name: str, code: str, **values: str | float) -> None:
        problems.append(MapProblem(f"{key}.{name}", code, values))

    last = _LAST_ADDRESS + 1 - width(register)
    if not 0 <= register.address <= last:
        wrong("address", "address", value=register.address, last=last)
    if (register.type == "bit") != is_bits(register.table):
        wrong("type", "bits_type", value=register.type)
    if register.bit is not None and (register.type != "u16" or not 0 <= register.bit <= 15):
        wrong("bit", "bit", value=register.bit, type=register.type)
    for number in register.words:
        if not re.fullmatch(r"-?(0|[1-9]\d*)", number):
            wrong("words", "word", value=number)
    low, high = _RAW.get(register.type, (0, 0xFFFF_FFFF))
    for value in register.bad:
        if not low <= value <= high:
            wrong("bad", "sentinel", value=value, type=register.type)
    if register.scale == 0 or not math.isfinite(register.scale) or not math.isfinite(register.offset):
        wrong("scale", "scale", value=register.scale)
    if register.min is not None and register.max is not None and not register.min < register.max:
        wrong("min", "limits", low=register.min, high=register.max)
    return problems


def _wrong_in_map(device: DeviceMap, registers: bool) -> list[MapProblem]:
    """What no type can say about the map as a whole."""
    problems: list[MapProblem] = []
    if not 1 <= device.max_count <= MOST_REGISTERS:
        problems.append(MapProblem("max_count", "count", {"value": device.max_count, "last": MOST_REGISTERS}))
    if not 0 <= device.rate <= _FASTEST:
        problems.append(MapProblem("rate", "rate", {"value": device.rate, "last": _FASTEST}))
    if not 1 <= device.axes <= _MOST_AXES:
        problems.append(MapProblem("axes", "axes", {"value": device.axes, "last": _MOST_AXES}))
    if device.scale == 0 or not math.isfinite(device.scale):
        problems.append(MapProblem("scale", "scale", {"value": device.scale}))
    if not registers and device.rate == 0:
        problems.append(MapProblem("", "empty"))
    return problems


def _unknown(key: str, code: str, word: str, known: Iterable[str], **values: str) -> MapProblem:
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return MapProblem(key, code, {"word": word, "meant": close[0], **values})
    return MapProblem(key, f"{code}_far", {"word": word, "known": ", ".join(options) or "-", **values})
