"""What can go wrong, as typed structs: of the machine, and on its wires. Read from a script or from a line on stdin.

`{"fault": "break", "tool": 4, "at_part": 8, "at_s_in_cut": 0.6}`. Every fault may say when: `at` (s of machine time), or `at_part` (from
the start of that part; the first part is 1), or neither: now. Every fault that lasts ends after `seconds`, after `parts`, or by the same
line with `"end": true`. Seconds are the machine's; on a wire they are the wall's.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Link = Literal["tcp", "rtu", "vibration"]
ModbusLink = Literal["tcp", "rtu"]


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """Common manner: when it begins and when it ends."""

    at: Annotated[float, Meta(ge=0)] | None = None
    at_part: Count | None = None
    seconds: Positive | None = None
    parts: Count | None = None
    end: bool = False


class Wear(_Fault, frozen=True, tag="wear"):
    """The cutting load of a tool rises by `per_part` of its new level a part, up to `limit`; it ends with a new tool."""

    tool: int
    per_part: Positive = 0.05
    limit: Positive = 0.45


class Break(_Fault, frozen=True, tag="break"):
    """The tool breaks `at_s_in_cut` s into its next cut (of `at_part`), rubs to the end of that cut and is missing from then on."""

    tool: int
    at_s_in_cut: Annotated[float, Meta(ge=0)] = 0.5


class Missing(_Fault, frozen=True, tag="missing"):
    """No tool in the position: it cuts nothing."""

    tool: int


class NewTool(_Fault, frozen=True, tag="new_tool"):
    """The operator puts a new tool or edge: the load is back at the new level. `stop`: s for which the
    machine stands with its door open before the next part."""

    tool: int
    stop: Annotated[float, Meta(ge=0)] = 0.0


class Material(_Fault, frozen=True, tag="material"):
    """Another batch of material: every cutting load times `factor`."""

    factor: Annotated[float, Meta(gt=0, le=3)] = 1.12


class WarmUp(_Fault, frozen=True, tag="warm_up"):
    """A cold spindle: the idle load is higher by `rise` and comes down within about 20 min."""

    rise: Annotated[float, Meta(gt=0, le=2)] = 0.35


class Unbalance(_Fault, frozen=True, tag="unbalance"):
    """1x acceleration, g at 3000 rpm, growing with the square of the speed."""

    g: Annotated[float, Meta(gt=0, le=8)] = 0.15


class Bearing(_Fault, frozen=True, tag="bearing"):
    """Outer-race damage: impulses of `g` at the ball pass frequency, ringing at 2.5 kHz."""

    g: Annotated[float, Meta(gt=0, le=8)] = 0.8


class Override(_Fault, frozen=True, tag="override"):
    """The operator turns the feed or speed override, %; the registers say so."""

    feed: Annotated[float, Meta(ge=10, le=150)] = 60.0
    speed: Annotated[float, Meta(ge=50, le=120)] = 100.0


class FeedHold(_Fault, frozen=True, tag="feed_hold"):
    """Feed hold for `seconds` (3 unless said)."""


class PowerOff(_Fault, frozen=True, tag="power_off"):
    """The machine is switched off for `seconds` or until it is ended.

    announced: power_on goes to 0 one second before everything falls silent. sudden: silence at once. io_alive: the registers live on a
    supply of their own and go on saying power_on = 0, only the drive falls silent. Afterwards the part begins anew.
    """

    manner: Literal["announced", "sudden", "io_alive"] = "announced"


class CableCut(_Fault, frozen=True, tag="cable_cut"):
    """tcp: connections closed and refused. rtu, vibration: no byte passes; with `unplug` the port itself goes and comes back."""

    link: Link
    unplug: bool = False


class Silence(_Fault, frozen=True, tag="silence"):
    """The device does not answer (or does not send)."""

    link: Link


class Late(_Fault, frozen=True, tag="late"):
    """Answers come late: after `ms`, or (without it) only when the client has sent its next request, and before that one's answer."""

    link: ModbusLink
    ms: Positive | None = None
    count: Count | None = None


class Wrong(_Fault, frozen=True, tag="wrong"):
    """Answers are wrong: a register too few, another unit or function, a bad CRC (tcp: a foreign transaction), sent twice, cut short."""

    link: ModbusLink
    what: Literal["count", "unit", "function", "check", "twice", "short"] = "count"
    count: Count | None = None


MachineFault = Wear | Break | Missing | NewTool | Material | WarmUp | Unbalance | Bearing | Override | FeedHold | PowerOff
WireFault = CableCut | Silence | Late | Wrong
Fault = MachineFault | WireFault

WIRE_FAULTS = (CableCut, Silence, Late, Wrong)


def name_of(fault: Fault) -> str:
    """Its word in a script: 'wear', 'break', ..."""
    return str(fault.__struct_config__.tag)


def decode(line: bytes | str) -> Fault:
    """One fault from one JSON object. Raises msgspec.ValidationError or msgspec.DecodeError, which say where."""
    fault: Fault = msgspec.json.decode(line, type=Fault)
    return fault


def encode(fault: Fault) -> dict[str, object]:
    """Its JSON object without what was not said."""
    plain: dict[str, object] = msgspec.to_builtins(fault)
    return {key: value for key, value in plain.items() if value is not None and not (key == "end" and value is False)}
