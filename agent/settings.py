"""The machine file as typed structs. Reading one, with every mistake named at once, is the job of `agent.machine_file`."""

from __future__ import annotations

from typing import Literal

import msgspec

from drivers.options import BusOptions, SourceOptions

Language = Literal["fr", "en"]
Role = Literal[
    "spindle.load",
    "spindle.speed",
    "spindle.temperature",
    "axis.load",
    "vibration",
    "temperature",
    "pressure",
    "level",
    "tool",
    "program",
    "section",
    "part",
    "cycle",
    "door",
    "mode",
    "execution",
    "feed",
    "feed_override",
    "speed_override",
    "feed_hold",
    "single_block",
    "dry_run",
    "power_on",
    "other",
]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common manner of every table of the machine file."""


class MachineOptions(_Table, frozen=True, kw_only=True):
    """[machine]"""

    name: str
    kind: Literal["lathe", "mill"] = "lathe"
    site: str = "site"
    area: str = "area"
    language: Language = "fr"
    timezone: str = "Europe/Paris"


class BearingOptions(_Table, frozen=True, kw_only=True):
    """One of `bearings` of a [[spindle]]: its geometry, or passages a turn as its maker gives them."""

    name: str = ""
    n: int | None = None
    """Balls or rollers of a row."""
    d: float | None = None
    """mm, of a ball."""
    D: float | None = None
    """mm, of the circle on which their centres run."""
    angle: float = 0.0
    """Degrees, of contact."""
    bpfo: float | None = None
    """Passages a turn over a point of the outer race."""
    bpfi: float | None = None
    """... of the inner race."""
    bsf: float | None = None
    """Turns of a ball about itself a turn of the shaft."""
    ftf: float | None = None
    """Turns of the cage a turn of the shaft; nothing is judged by it."""


class SpindleOptions(_Table, frozen=True, kw_only=True):
    """[[spindle]]"""

    name: str = "S1"
    rated_power: float | None = None
    """kW, S1."""
    base_speed: float | None = None
    """rpm above which the drive holds the power instead of the torque."""
    efficiency: float = 0.8
    """Power at the tool over power of the motor above idling; for what [[cutting]] expects."""
    minimum_speed: float = 30.0
    """rpm below which the spindle counts as standing."""
    bearings: tuple[BearingOptions, ...] = ()
    """Whose races are looked for in raw vibration of 10 kHz and more."""
    iso_group: Literal[1, 2] | None = None
    """ISO 20816-3: 1 above 300 kW, 2 from 15 to 300 kW. Declared, never inferred."""
    iso_support: Literal["", "rigid", "flexible"] = ""


class ToolOptions(_Table, frozen=True, kw_only=True):
    """[[tool]]; all of it optional, each key says what it makes possible."""

    number: int
    name: str = ""
    name_en: str = ""
    life_parts: int | None = None
    vb_limit: float | None = None
    """mm of flank wear at which it is changed."""


class CuttingOptions(_Table, frozen=True, kw_only=True):
    """[[cutting]]: what a tool, or one pass of it, is meant to cut. Which keys a kind needs: `agent.cutting.NEEDS`."""

    tool: int
    kind: Literal["turning", "milling", "drilling"]
    section: int | None = None
    """The pass of that tool; without it the data stand for its heaviest one, and no lack of load is told."""
    program: str = ""
    """As the control says it; empty: every one."""
    spindle: str = ""
    """Empty: the first one."""
    material: str = ""
    """A letter of ISO 513 (P, M, K, N, S, H), or with a group of VDI 3323: P2."""
    kc11: float | None = None
    """N/mm2, cutting force of a chip of 1 mm x 1 mm, in place of `material`; with `mc`."""
    mc: float | None = None
    ap: float | None = None
    """mm, depth of cut (turning, milling)."""
    ae: float | None = None
    """mm, width of cut (milling)."""
    f: float | None = None
    """mm a turn (turning, drilling)."""
    fz: float | None = None
    """mm a tooth (milling)."""
    z: int | None = None
    """Teeth (milling)."""
    D: float | None = None
    """mm: the part's largest (turning), the tool's (milling, drilling)."""
    n: float | None = None
    """rpm."""
    vc: float | None = None
    """m/min."""


class ChannelOptions(_Table, frozen=True, kw_only=True):
    """[[channel]]"""

    name: str
    role: Role
    source: str = msgspec.field(default="", name="from")
    """'source.register'; may be empty for a machine file that is only replayed."""
    spindle: str = ""
    """Which spindle it belongs to; empty: the first one."""
    unit: str = ""
    rated: float | None = None
    """A load in kW, W, A or Nm: what 100 % is, in the unit of the register."""
    rated_channel: str = ""
    """... or the channel that says so, read from the device."""
    every: float | None = None
    """Seconds between two readings, where it may be read more rarely than its source; default: as often as that."""
    hold: float | None = None
    """Seconds for which a value may stand until the next; default: three periods of its source, at least 1 s. `inf` for on-change."""
    off_value: float | None = None
    """role power_on only: the value that means that the machine's own supply is off (default 0)."""


class GroupOptions(_Table, frozen=True, kw_only=True):
    """[[group]]: slow channels of one unit (coolant, hydraulics, lubrication) that are judged together."""

    name: str
    channels: tuple[str, ...]
    """One to sixteen; numbers all."""
    every: float = 1.0
    """s between two looks."""
    learn: int = 1800
    """Looks of the teach-in, while the machine runs well."""


class MonitoringOptions(_Table, frozen=True, kw_only=True):
    """[monitoring]"""

    false_alarms: str = "1 per month"
    """Budget for the whole machine; a month is 160 h of automatic running."""
    lateness: float = 0.3
    """Seconds by which rows of different sources may arrive out of order."""
    wear_limit: float = 0.20
    """Rise of the work above idle against the new tool at which wear is alerted, as a fraction (log ratio ln(1 + x))."""
    smallest_drift: float = 0.05
    """Fall of the work below what an operation usually takes that is worth an alert, as a fraction: a smaller one asks for no action."""
    first_cuts: bool = True
    """Whether a break is told in a cut of which nothing is known yet, where a `section` register says when it is (`detect.first`)."""
    learn_cuts: int = 5
    """Good cuts before gross limits are set: PROVISIONAL."""
    monitor_cuts: int = 20
    """Good cuts before slow drift is judged, and an operation may count as MONITORING."""


class BrokerOptions(_Table, frozen=True, kw_only=True):
    """[[broker]]"""

    url: str
    """mqtt://host:port"""
    prefix: str = "broche"
    username: str = ""
    password_file: str = ""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    commands: bool = False
    """Whether commands that come over MQTT are obeyed (acknowledge, tool changed, ...)."""
    keepalive: int = 10
    telemetry_every: float = 1.0


class DisplayOptions(_Table, frozen=True, kw_only=True):
    """[display]"""

    bind: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    """Further host names under which the page may be reached; IP addresses, localhost and this host's own name always may."""


class StoreOptions(_Table, frozen=True, kw_only=True):
    """[store]"""

    folder: str = ""
    """Default: $STATE_DIRECTORY, or ~/.local/state/broche/<machine>."""
    telemetry_bytes: int = 64 * 1024 * 1024
    telemetry_age: float = 7 * 86400.0


class BeaconCoil(_Table, frozen=True, kw_only=True):
    """[[beacon.coil]]: one lamp."""

    coil: int
    """Wire address of the coil, from 0."""
    shows: Literal["warning", "urgent", "lost"]
    """What it burns for; `warning` burns for urgent, too."""
    colour: str
    """amber or blue."""


class BeaconOptions(_Table, frozen=True, kw_only=True):
    """[beacon]: own lamps on an own coupler; none unless a bus is named. The coils listed are all that is ever written: docs/beacon.md."""

    bus: str = ""
    address: int = 1
    """Modbus unit of the coupler."""
    coupler: Literal["waveshare", "watchdog"] = "waveshare"
    """How the lamps fall dark without the agent: relays that are lit for a time only, or a coupler whose own watchdog was set."""
    hold: float | None = None
    """Seconds after which the coupler puts the lamps out by itself; `watchdog`: as it was set there. Default with `waveshare`: 6."""
    coil: tuple[BeaconCoil, ...] = ()


class MachineSettings(_Table, frozen=True, kw_only=True):
    """The whole machine file."""

    machine: MachineOptions
    spindle: tuple[SpindleOptions, ...] = (SpindleOptions(),)
    tool: tuple[ToolOptions, ...] = ()
    cutting: tuple[CuttingOptions, ...] = ()
    bus: tuple[BusOptions, ...] = ()
    source: tuple[SourceOptions, ...] = ()
    channel: tuple[ChannelOptions, ...] = ()
    group: tuple[GroupOptions, ...] = ()
    monitoring: MonitoringOptions = MonitoringOptions()
    broker: tuple[BrokerOptions, ...] = ()
    display: DisplayOptions = DisplayOptions()
    beacon: BeaconOptions = BeaconOptions()
    store: StoreOptions = StoreOptions()
