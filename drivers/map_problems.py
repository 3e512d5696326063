"""What can be wrong with a device map, and how it is said."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

WHAT = {
    "unreadable": ("cannot be read: {why}", "check the path and the rights of the file"),
    "no_toml": ("is not TOML: {why}", "put texts in quotes, close every bracket, one key a line"),
    "unknown_key": ("'{word}' is no key of a {table}", "did you mean '{meant}'?"),
    "unknown_key_far": ("'{word}' is no key of a {table}", "take one of: {known}"),
    "not_listed": ("'{word}' is not known here", "did you mean '{meant}'?"),
    "not_listed_far": ("'{word}' is not known here", "take one of: {known}"),
    "missing_key": ("'{word}' is missing", "add it"),
    "caution": ("the caution has no '{word}'", "say it in both languages: en = ... and fr = ..."),
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
    "mask": ("mask {value} of a '{type}'", "take bits out of a u16, u32 or u64 that has them, and write either 'bit' or 'mask'"),
    "length": ("length {value} of a '{type}'", "a string takes 1 to {last} registers; everything else knows its own length"),
    "string": ("a string has no '{word}'", "take it away: a string is taken as it stands"),
    "seconds": ("{value} s", "write seconds, 0 to {last}"),
    "unit": ("address {value}", "a Modbus unit is 1 to 247; 0 says that none is set when it leaves the factory"),
    "no_such_register": ("no register is called '{word}'", "did you mean '{meant}'?"),
    "no_such_register_far": ("no register is called '{word}'", "take one of: {known}"),
    "no_test": ("[identify] tests nothing", "add at least one row to tests, or take [identify] away"),
    "not_asked": (
        "reading_writes stands beside registers",
        "a device that must not be asked has none: take the registers, identify and frames away",
    ),
    "frame_hex": ("is no frame: {why}", "write the bytes in hexadecimal as they stood on the wire, unit address and checksum included"),
    "frame_request": ("the request reads what the map does not have: {why}", "correct the frame, or the table and address in the map"),
    "frame_value": ("the frame says {frame} for '{word}', the map makes {made} of it", "correct the type, word order, scale or address"),
    "empty": ("has neither registers nor a rate", "add at least one [[registers]], or rate = ... for a stream"),
    "not_found": ("no map is called '{word}'", "did you mean '{meant}'?"),
    "not_found_far": ("no map is called '{word}'", "there are: {known}"),
}
"""English, for logs and tests; config/texts/devices.*.toml says the same in both languages, under [map.CODE]."""


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
        text = WHAT[self.code][0].format(**self.values)
        return f"{self.key}: {text}" if self.key else text

    @property
    def remedy(self) -> str:
        """What helps, in English."""
        return WHAT[self.code][1].format(**self.values)


def unknown(key: str, code: str, word: str, known: Iterable[str], **values: str) -> MapProblem:
    """Something that is not among the known words: `code` with the nearest of them, or `code`_far with all."""
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return MapProblem(key, code, {"word": word, "meant": close[0], **values})
    return MapProblem(key, f"{code}_far", {"word": word, "known": ", ".join(options) or "-", **values})
