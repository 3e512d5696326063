"""What no type can say about a device map: numbers that cannot be, names that must meet, frames that must say what the map says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from drivers import golden
from drivers.map_problems import MapProblem, unknown
from drivers.options import Caution, DeviceMap, Register
from drivers.plan import MOST_REGISTERS, WIDTH, is_bits, width

_LAST_ADDRESS = 65535
_FASTEST = 100_000.0
_MOST_AXES = 8
_SLOWEST = 3600.0

_WHOLE = ("u16", "u32", "u64")


def wrong_in_register(register: Register, key: str) -> list[MapProblem]:
    """About one register; `key` is where it stands."""
    problems: list[MapProblem] = []

    def wrong(name: str, code: str, **values: str | float) -> None:
        problems.append(MapProblem(f"{key}.{name}", code, values))

    if (register.type == "string") != (register.length > 0) or not 0 <= register.length <= MOST_REGISTERS:
        wrong("length", "length", value=register.length, type=register.type, last=MOST_REGISTERS)
    else:
        last = _LAST_ADDRESS + 1 - width(register)
        if not 0 <= register.address <= last:
            wrong("address", "address", value=register.address, last=last)
    if (register.type == "bit") != is_bits(register.table):
        wrong("type", "bits_type", value=register.type)
    if register.bit is not None and (register.type != "u16" or not 0 <= register.bit <= 15):
        wrong("bit", "bit", value=register.bit, type=register.type)
    if register.mask is not None and not _fits(register.mask, register):
        wrong("mask", "mask", value=register.mask, type=register.type)
    if register.type == "string":
        for name in ("words", "bad", "clips", "min", "max"):
            if getattr(register, name) not in ({}, (), None):
                wrong(name, "string", word=name)
    for number in register.words:
        if not re.fullmatch(r"-?(0|[1-9]\d*)", number):
            wrong("words", "word", value=number)
    low, high = _range(register)
    for name in ("bad", "clips"):
        for value in getattr(register, name):
            if not low <= value <= high:
                wrong(name, "sentinel", value=value, type=register.type)
    if register.scale == 0 or not math.isfinite(register.scale) or not math.isfinite(register.offset):
        wrong("scale", "scale", value=register.scale)
    if register.min is not None and register.max is not None and not register.min < register.max:
        wrong("min", "limits", low=register.min, high=register.max)
    for name in ("update", "smoothing"):
        seconds = getattr(register, name)
        if seconds is not None and not 0 <= seconds <= _SLOWEST:
            wrong(name, "seconds", value=seconds, last=_SLOWEST)
    return problems


def wrong_in_caution(caution: Caution, key: str) -> list[MapProblem]:
    """A caution is said in both languages, or half of the shops do not read it; `key` is where it stands."""
    said = {"en": caution.en, "fr": caution.fr}
    return [MapProblem(key, "caution", {"word": language}) for language, text in said.items() if not text.strip()]


def wrong_in_map(device: DeviceMap, registers: bool) -> list[MapProblem]:
    """About the map as a whole; `registers`: whether its file has some, right or wrong."""
    problems: list[MapProblem] = []

    def wrong(name: str, code: str, **values: str | float) -> None:
        problems.append(MapProblem(name, code, values))

    if not 1 <= device.max_count <= MOST_REGISTERS:
        wrong("max_count", "count", value=device.max_count, last=MOST_REGISTERS)
    if not 0 <= device.rate <= _FASTEST:
        wrong("rate", "rate", value=device.rate, last=_FASTEST)
    if not 1 <= device.axes <= _MOST_AXES:
        wrong("axes", "axes", value=device.axes, last=_MOST_AXES)
    if device.scale == 0 or not math.isfinite(device.scale):
        wrong("scale", "scale", value=device.scale)
    for name in ("delay", "update", "smoothing"):
        if not 0 <= getattr(device, name) <= _SLOWEST:
            wrong(name, "seconds", value=getattr(device, name), last=_SLOWEST)
    for address in device.barriers:
        if not 0 <= address <= _LAST_ADDRESS:
            wrong("barriers", "address", value=address, last=_LAST_ADDRESS)
    if device.serial is not None and not 0 <= device.serial.address <= 247:
        wrong("serial.address", "unit", value=device.serial.address)
    if device.reading_writes:
        if registers or device.frames or device.identify or device.rate:
            wrong("", "not_asked")
    elif not registers and device.rate == 0:
        wrong("", "empty")
    return problems


def wrong_between(device: DeviceMap) -> list[MapProblem]:
    """Where the parts of a map that is right by itself do not meet: tests of registers that are not there, frames that say otherwise."""
    return _wrong_in_tests(device) + _wrong_in_frames(device)


def _wrong_in_tests(device: DeviceMap) -> list[MapProblem]:
    if device.identify is None:
        return []
    if not device.identify.tests:
        return [MapProblem("identify", "no_test")]
    names = [register.name for register in device.registers]
    wanted = [(i, key, getattr(test, key)) for i, test in enumerate(device.identify.tests, 1) for key in ("register", "like")]
    return _unnamed((f"identify.tests[{i}].{key}", word, names) for i, key, word in wanted if word)


def _wrong_in_frames(device: DeviceMap) -> list[MapProblem]:
    problems: list[MapProblem] = []
    names = [register.name for register in device.registers]
    for number, frame in enumerate(device.frames, 1):
        key = f"frames[{number}]"
        try:
            known = golden.exchange(frame)
        except ValueError as error:
            problems.append(MapProblem(key, "frame_hex", {"why": str(error)}))
            continue
        if not golden.covered(device, known):
            problems.append(MapProblem(key, "frame_request", {"why": f"{known.table} {known.address}, {known.count}"}))
            continue
        problems += _unnamed((f"{key}.values", word, names) for word in frame.values)
        made = golden.values(device, known)
        for word, said in frame.values.items():
            if word in names and (word not in made or not golden.same(said, made[word][0])):
                shown = made[word][0] if word in made else "-"
                problems.append(MapProblem(f"{key}.values", "frame_value", {"word": word, "frame": said, "made": shown}))
    return problems


def _unnamed(wanted: Iterable[tuple[str, str, list[str]]]) -> list[MapProblem]:
    return [unknown(key, "no_such_register", word, names) for key, word, names in wanted if word not in names]


def _fits(mask: int, register: Register) -> bool:
    return register.type in _WHOLE and register.bit is None and 0 < mask < 1 << 16 * WIDTH[register.type]


def _range(register: Register) -> tuple[int, int]:
    """What a sentinel can be; a signed one may also be written as its bits, that of a float as a whole number or as its bits."""
    bits = 1 if register.type == "bit" else 16 * WIDTH[register.type]
    signed = register.type[0] in "if"
    return (-(1 << bits - 1) if signed else 0), (1 << bits) - 1
