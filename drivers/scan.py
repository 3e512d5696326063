"""Finds out who is on a bus: asks each unit only what the maps' own identification names, with read functions 3 and 4.

What can be known this way, and what cannot: docs/scan.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from drivers.bus import Bus
from drivers.decode import decode
from drivers.identify import identify, registers_to_read
from drivers.model import Quality, Words
from drivers.options import NETWORK, BusOptions, DeviceMap
from drivers.plan import Request, plan
from drivers.trouble import NoAnswer, Refused, WrongAnswer
from drivers.wire_time import character, characters, silence

RATES = (9600, 19200, 38400, 57600, 115_200)
PARITIES = ("N", "E", "O")
TCP_UNITS = (1, 0, 255, 247)
"""What controls and couplers answer to over TCP: 1 by habit, 0 and 255 by the standard (Messaging on TCP/IP V1.0b, 4.4.1.2), 247."""
TIMEOUT = 0.25
"""s to wait for an answer; the slowest devices of the maps take a fifth of a second."""
_GATEWAY = frozenset({10, 11})
"""Exceptions of a gateway behind which nobody answers (Modbus Application Protocol V1.1b3, 7)."""
_TABLES = ("holding", "input")
_Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Guess:
    """A map that fits; certain: hardly another device would."""

    device: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A unit that answers.

    Attributes
    ----------
    guesses: maps that fit, best first; none: some device, not recognised.
    also: further units that say the same to every question (TCP: a device that does not look at the unit).
    """

    bus: BusOptions
    unit: int
    guesses: tuple[Guess, ...]
    answers: Mapping[_Key, tuple[int, ...] | None] = field(repr=False)
    also: tuple[int, ...] = ()


class Questions:
    """What may be asked: the reads that the maps' identifications need, and nothing beside them."""

    def __init__(self, maps: Iterable[DeviceMap]) -> None:
        self.maps: list[DeviceMap] = []
        self._requests: dict[str, tuple[Request, ...]] = {}
        for device in maps:
            names = registers_to_read(device)
            wanted = [register for register in device.registers if register.name in names]
            if not wanted or any(register.table not in _TABLES for register in wanted):
                continue
            # No hole is read: only what the map names.
            requests = plan(wanted, device.max_count, 0.0, barriers=device.barriers, single=device.single)
            self.maps.append(device)
            self._requests[device.name] = requests

    @property
    def all(self) -> tuple[Request, ...]:
        """Every read, each once, input registers first: a device that has none says so, and is found."""
        found = {_key(r): bare(r) for requests in self._requests.values() for r in requests}
        return tuple(sorted(found.values(), key=lambda r: (_TABLES[::-1].index(r.table), r.count, r.address)))

    def presence(self, bus: BusOptions, unit: int) -> tuple[Request, ...]:
        """Reads that show whether anybody is there: one of each table, and those of the devices that are set so by their maker."""
        first = {request.table: request for request in reversed(self.all)}
        chosen = {_key(request): request for request in first.values()}
        for device in self.maps:
            serial = device.serial
            if serial is None or bus.framing in NETWORK or (serial.baud, serial.parity, serial.address) != (bus.baud, bus.parity, unit):
                continue
            for request in self._requests[device.name]:
                chosen[_key(request)] = bare(request)
        return tuple(chosen.values())

    def guesses(self, answers: Mapping[_Key, tuple[int, ...] | None]) -> tuple[Guess, ...]:
        """Maps that fit these answers, certain ones first."""
        found: list[Guess] = []
        for device in self.maps:
            match = identify(device, self._read(device, answers))
            if match != "no":
                found.append(Guess(device.name, match == "certain"))
        return tuple(sorted(found, key=lambda guess: not guess.certain))

    def _read(self, device: DeviceMap, answers: Mapping[_Key, tuple[int, ...] | None]) -> dict[str, tuple[float, Quality]]:
        names = registers_to_read(device)
        wanted = [register for register in device.registers if register.name in names]
        words, read = Words(), {}
        for request in self._requests[device.name]:
            raw = answers.get(_key(request))
            if raw is None:
                continue
            for item in request.items:
                register = wanted[item.index]
                read[register.name] = decode(register, raw[item.offset : item.offset + item.width], words)
        return read


def bare(request: Request) -> Request:
    """The bare read, without which of whose registers it serves."""
    return Request(request.table, request.address, request.count)


async def ask(bus: Bus, unit: int, questions: Questions) -> Seen | None:
    """One unit; None: nobody answers.

    Raises
    ------
    LinkDown: the link is gone, or was closed by the other end.
    """
    # A read is never made longer here: what stands beside a register of an unknown device is nobody's business.
    bus.device(unit).may_pad = False
    answers: dict[_Key, tuple[int, ...] | None] = {}
    for request in questions.presence(bus.options, unit):
        await _one(bus, unit, request, answers)
    if not answers:
        return None
    for request in questions.all:
        if _key(request) not in answers:
            await _one(bus, unit, request, answers)
    return Seen(bus.options, unit, questions.guesses(answers), answers)


async def _one(bus: Bus, unit: int, request: Request, answers: dict[_Key, tuple[int, ...] | None]) -> None:
    """A silence, and what is no answer (a disturbed line, two devices at one address), leave no trace."""
    try:
        answers[_key(request)] = tuple((await bus.read(unit, request)).values)
    except Refused as refused:
        if refused.code not in _GATEWAY:
            answers[_key(request)] = None
    except (NoAnswer, WrongAnswer):
        return


def settings(maps: Iterable[DeviceMap], port: str, rates: Sequence[int], parities: Sequence[str], timeout: float) -> tuple[BusOptions, ...]:
    """How a serial line may be set, what most makers' devices are set to first.

    Every rate with every parity, one stop bit, in RTU; and further ways in which a device of the maps comes from its maker (ASCII, two stop
    bits), at these rates and parities.
    """
    makers = Counter(
        (serial.framing, serial.baud, serial.parity, serial.stopbits)
        for device in maps
        if (serial := device.serial) is not None and serial.framing in ("rtu", "ascii") and device.identify is not None
    )
    known = [way for way, _ in makers.most_common() if way[1] in rates and way[2] in parities]
    ways = dict.fromkeys([*known, *(("rtu", rate, parity, 1) for rate in rates for parity in parities)])
    return tuple(
        msgspec.convert(
            {"name": "line", "framing": framing, "port": port, "baud": baud, "parity": parity, "stopbits": stop, "timeout": timeout},
            BusOptions,
        )
        for framing, baud, parity, stop in ways
    )


def seconds(bus: BusOptions, units: Sequence[int], questions: Questions) -> float:
    """How long it takes if nobody answers: after each time-out the line is given as long again to fall silent."""
    line = 0.0 if bus.framing in NETWORK else characters(bus, 2) * character(bus)
    waits = 1 if bus.framing == "tcp" else 2
    return sum(len(questions.presence(bus, unit)) * (waits * bus.timeout + line + silence(bus)) for unit in units)


def _key(request: Request) -> _Key:
    return request.table, request.address, request.count
