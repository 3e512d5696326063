"""What the drivers need to be told: structs only, read from the machine file and the device maps by `agent.machine_file`."""

from __future__ import annotations

from typing import Literal

import msgspec

Framing = Literal["tcp", "rtu", "wit", "cobs", "mdc"]
Table = Literal["holding", "input", "coil", "discrete", "query"]
RegisterType = Literal["u16", "i16", "u32", "i32", "f32", "bit"]


class BusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One physical link: a TCP connection or a serial port. `wit` and `cobs` are serial streams that carry no Modbus."""

    name: str
    framing: Framing
    host: str = ""
    """TCP: host name or address."""
    port: int | str = 502
    """TCP: number. Serial: path, best /dev/serial/by-id/..."""
    baud: int = 19200
    parity: Literal["N", "E", "O"] = "E"
    stopbits: Literal[1, 2] = 1
    timeout: float = 0.5
    """Longest wait for one answer, s. The bus shortens it to what it observes, never below 0.05 s."""
    gap: float | None = None
    """Silence between an answer and the next request, s; default: 3.5 characters at this baud rate (at least 1.75 ms) on RTU, 0 on TCP."""


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


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One register (or field of a stream's frame) of a device map."""

    name: str
    table: Table = "holding"
    address: int = 0
    """Zero-based wire address."""
    type: RegisterType = "u16"
    word_order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    words: dict[str, str] = {}
    """Enumerated register: raw number (as text, a TOML key) to word; a number that is not listed stays a number."""
    bit: int | None = None
    """Of a u16: take this bit alone."""
    bad: tuple[int, ...] = ()
    """Raw values that mean 'no value' (sentinels)."""
    min: float | None = None
    max: float | None = None
    """Outside these (scaled) the value is BAD."""
    verified: bool = False
    source: str = ""
    note: str = ""


class DeviceMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of config/devices."""

    name: str
    vendor: str = ""
    model: str = ""
    kind: Literal["machine", "drive", "meter", "vibration", "plc"] = "machine"
    max_count: int = 125
    """Most registers that one read may ask for."""
    update: float = 0.0
    """Seconds between two updates inside the device; 0: unknown or faster than any poll."""
    registers: tuple[Register, ...] = ()
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
