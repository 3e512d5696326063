"""What the drivers need to be told: structs only, read from the machine file and the device maps by `agent.machine_file`."""

from __future__ import annotations

from typing import Literal

import msgspec

Framing = Literal["tcp", "rtu", "rtu_tcp", "ascii", "wit", "cobs", "mdc"]
Table = Literal["holding", "input", "coil", "discrete", "query"]
MODBUS = frozenset({"tcp", "rtu", "rtu_tcp", "ascii"})
"""Framings that are asked registers; the others are streams, which speak when they want, or are asked in text."""
NETWORK = frozenset({"tcp", "rtu_tcp"})
"""Framings over a TCP connection; the others have a serial port."""
RegisterType = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "string", "bit"]


class BusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One physical link: a TCP connection or a serial port.

    `rtu_tcp` are RTU frames through a serial device server that knows no Modbus; `wit` and `cobs` are serial streams that carry none.
    """

    name: str
    framing: Framing
    host: str = ""
    """TCP: host name or address."""
    port: int | str = 502
    """TCP: number. Serial: path, best /dev/serial/by-id/..."""
    baud: int = 19200
    """`rtu_tcp`: of the line behind the device server."""
    parity: Literal["N", "E", "O"] = "E"
    stopbits: Literal[1, 2] = 1
    databits: Literal[7, 8] | None = None
    """Default: 7 for `ascii`, else 8."""
    timeout: float = 0.5
    """Longest wait for one answer, s. The bus shortens it to what it observes, never below 0.05 s."""
    gap: float | None = None
    """Silence between an answer and the next request, s; default: 3.5 characters at this baud rate (1.75 ms above 19200), 0 on TCP."""


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device on a bus."""

    name: str
    bus: str
    device: str
    """Name of a map in config/devices."""
    address: int = 1
    """Modbus unit; no meaning on a stream."""
    every: float = 0.1
    """Seconds between two readings (Modbus only; a stream speaks when it wants)."""
    update: float | None = None
    """Seconds between two updates inside the device, as `broche watch` measures them; default: as its map knows."""
    gap: float | None = None
    """Silence that this device needs before a request to it and after its answers, s, where it is longer than that of its bus."""
    supply: Literal["own", "machine"] = "own"
    """What feeds it: 'machine' falls silent with the main switch."""


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One register (or field of a stream's frame) of a device map."""

    name: str
    table: Table = "holding"
    address: int = 0
    """Zero-based wire address."""
    type: RegisterType = "u16"
    length: int = 0
    """Of a `string`: registers, two characters each."""
    word_order: Literal["big", "little"] = "big"
    """Of more than one register: the one that comes first holds the high (big) or the low (little) bits."""
    byte_order: Literal["big", "little"] = "big"
    """Within each register: high byte first, as Modbus says, or swapped."""
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    words: dict[str, str] = {}
    """Enumerated register: raw number (as text, a TOML key) to word; a number that is not listed stays a number."""
    bit: int | None = None
    """Of a u16: take this bit alone."""
    mask: int | None = None
    """Of an unsigned number: take these bits alone, moved down so that the lowest of them is bit 0."""
    bad: tuple[int, ...] = ()
    """Raw values that mean 'no value' (sentinels), before a mask is applied."""
    clips: tuple[int, ...] = ()
    """Raw values at which the device's own range ends: it may be more than that. The ends of a 16-bit type are such by themselves."""
    min: float | None = None
    max: float | None = None
    """Outside these (scaled) the value is BAD."""
    update: float | None = None
    """s between two updates of this register inside the device; default: that of the map."""
    smoothing: float | None = None
    """s over which the device averages this register; default: that of the map."""
    verified: bool = False
    """The address, and what stands there, was read in `source` or tried on a device. A guess says false."""
    scale_verified: bool = True
    """False: the address is known, its scale or type is a guess."""
    source: str = ""
    note: str = ""


class SerialDefaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[serial] of a device map: how the device speaks as it comes from the factory."""

    framing: Literal["rtu", "ascii", "tcp", "wit", "cobs"] = "rtu"
    baud: int = 9600
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    address: int = 1
    """Modbus unit; 0: none until one is set on the device."""
    port: int = 502
    """TCP port, where it speaks TCP."""
    verified: bool = False
    """False: not read in a manual."""
    note: str = ""


class IdentifyTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of `tests` in [identify]: what the (decoded) value of a register must be. Each key that is given must hold."""

    register: str
    """Name of a register of the same map. Read and not BAD, UNCERTAIN allowed, is the least that must hold."""
    values: tuple[float, ...] = ()
    """It is one of these."""
    min: float | None = None
    max: float | None = None
    """It lies within these."""
    like: str = ""
    """It says the same as this other register: value = factor x other + plus, give or take `within`."""
    factor: float = 1.0
    plus: float = 0.0
    within: float = 0.0


class Identify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[identify] of a device map: how `broche scan` tells this device from others. All tests must hold (`drivers.identify`)."""

    certain: bool = False
    """True: hardly any other device passes the tests (an identity register, two registers that say the same in two units)."""
    tests: tuple[IdentifyTest, ...] = ()
    note: str = ""


class GoldenFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[frames]] of a device map: an exchange that is known from a manual or a capture, and what it means."""

    request: str
    """Hexadecimal, with its checksum: an RTU read."""
    response: str = ""
    """Hexadecimal, with its checksum; empty: only the request is known."""
    values: dict[str, float] = {}
    """Register to the value that the response says."""
    source: str = ""
    note: str = ""


class Caution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[cautions]] of a device map: what who connects it must know, in both languages. `drivers.map_checks` says which one is missing."""

    en: str = ""
    fr: str = ""

    def said(self, language: Literal["fr", "en"]) -> str:
        """In this language, as it stands in the file."""
        return self.fr if language == "fr" else self.en


class DeviceMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of config/devices."""

    name: str
    vendor: str = ""
    model: str = ""
    kind: Literal["machine", "drive", "meter", "vibration", "plc"] = "machine"
    reading_writes: bool = False
    """A read with a Modbus function may command this device. Broche never asks it anything: `scan` keeps away from its bus, and a machine
    file that names it is refused."""
    serial: SerialDefaults | None = None
    """[serial]; None: not known, or not a serial device."""
    identify: Identify | None = None
    """[identify]; None: `scan` can only say that something answers."""
    max_count: int = 125
    """Most registers that one read may ask for."""
    single: bool = False
    """One register (one value) a request: the device answers for the first one alone."""
    barriers: tuple[int, ...] = ()
    """Addresses that a read which begins below must not reach: a block of the device begins there."""
    holes: bool = True
    """False: the device is known to refuse a read that touches an address which is not in the map."""
    delay: float = 0.0
    """s from the end of a question to the beginning of the answer, as far as known; counts in the bus load."""
    update: float = 0.0
    """Seconds between two updates inside the device; 0: unknown or faster than any poll."""
    update_verified: bool = True
    """False: `update` is a guess: equal readings are not taken for repeats by it (docs/decisions/0007-device-maps.md)."""
    smoothing: float = 0.0
    """Seconds over which the device averages; 0: unknown or none."""
    cautions: tuple[Caution, ...] = ()
    """[[cautions]]."""
    registers: tuple[Register, ...] = ()
    frames: tuple[GoldenFrame, ...] = ()
    rate: float = 0.0
    """A `cobs` stream: samples per second and axis."""
    axes: int = 3
    """A `cobs` stream: axes."""
    scale: float = 1.0
    """A `cobs` stream: unit per count."""
    unit: str = "g"


class ChannelRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Which register of which source feeds which channel."""

    channel: str
    source: str
    register: str
    every: float | None = None
    """Seconds between two readings of this register; None: as often as its source."""
