"""From cutting data on paper to the load that they make on a spindle: Kienzle's law, between two bounds.

Power at the tool: the specific cutting force kc = kc1.1 h^-mc (O. Kienzle, VDI-Z 94 (1952) 299) times the volume cut in a minute. Bounds,
not a figure: a letter like P stands for steels whose kc1.1 differ by a factor of two, and a load in percent of a drive may mean its torque
or its power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.load import derivation, shown_unit
from agent.settings import ChannelOptions, CuttingOptions, SpindleOptions

MATERIALS: Mapping[str, tuple[float, float]] = {
    "P1": (1350.0, 0.21),
    "P2": (1500.0, 0.22),
    "P3": (1675.0, 0.24),
    "P4": (1700.0, 0.24),
    "P5": (1900.0, 0.24),
    "P6": (1775.0, 0.24),
    "P7": (1675.0, 0.24),
    "P8": (1725.0, 0.24),
    "P9": (1800.0, 0.24),
    "P10": (2450.0, 0.23),
    "P11": (2500.0, 0.23),
    "P12": (1875.0, 0.21),
    "P13": (1875.0, 0.21),
    "M14": (2150.0, 0.20),
    "K15": (1150.0, 0.20),
    "K16": (1350.0, 0.28),
    "K17": (1225.0, 0.25),
    "K18": (1350.0, 0.28),
    "K19": (1225.0, 0.25),
    "K20": (1420.0, 0.30),
    "N21": (700.0, 0.25),
    "N22": (800.0, 0.25),
    "N23": (700.0, 0.25),
    "N24": (700.0, 0.25),
    "N25": (750.0, 0.25),
    "N26": (700.0, 0.27),
    "N27": (700.0, 0.27),
    "N28": (700.0, 0.27),
    "S31": (2600.0, 0.24),
    "S32": (3100.0, 0.24),
    "S33": (3300.0, 0.24),
    "S34": (3300.0, 0.24),
    "S35": (3300.0, 0.24),
    "S36": (1700.0, 0.23),
    "S37": (2110.0, 0.22),
    "H38": (4600.0, 0.24),
    "H39": (4700.0, 0.24),
    "H40": (4600.0, 0.24),
    "H41": (4500.0, 0.24),
}
"""kc1.1 (N/mm2) and mc of the groups of VDI 3323: material table of the ISCAR catalogue of 2017, page 558 (field.md 2.3). For H it gives no
mc: that of the hard steels above is taken."""
SOFTER: Mapping[str, tuple[float, float]] = {"S36": (1160.0, 0.24), "S37": (1245.0, 0.24)}
"""The same maker's catalogue of 2022 (page 111) has titanium at little more than half: the lower bound is taken from there."""
LETTERS = ("P", "M", "K", "N", "S", "H")

NEEDS: Mapping[str, tuple[str, ...]] = {
    "turning": ("ap", "f"),
    "milling": ("ap", "ae", "fz", "z", "D"),
    "drilling": ("D", "f"),
}
"""Keys that a kind needs, besides `vc` or `n`; turning by `n` needs `D`."""
SPEED = ("n", "vc", "D")
POINT = math.sin(math.radians(59.0))
"""Of a drill of 118 degrees: its two edges cut chips of f / 2 times this."""

WORN = 1.5
"""Load of a worn edge over that of a new one, at the most: +30 to +50 % (issue 5; cutting forces at the end of tool life)."""
MODEL = 0.25
"""By which Kienzle's law with a table's kc misses (field.md 2.3: rake, speed and coating are not in it)."""
LEFT = 0.3
"""Share of what is expected below which hardly anything was cut: the same as `agent.detect.missing.LOWEST`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What cutting data make of a load, above idle, in the unit in which the load is judged.

    Attributes
    ----------
    load: expected, a new edge. ceiling: what a worn edge takes at the most, the model's error included.
    floor: below it hardly anything was cut; 0 where the data stand for no pass in particular. unit: of these three.
    low, high: kW at the tool, bounds of the material.
    """

    load: float
    ceiling: float
    floor: float
    unit: str
    low: float
    high: float


def force(options: CuttingOptions) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """(kc1.1, mc) of the softest and of the hardest material that is meant; None: it is not said, or not known."""
    if options.kc11 is not None and options.mc is not None:
        return (options.kc11, options.mc), (options.kc11, options.mc)
    name = options.material
    if name in MATERIALS:
        return SOFTER.get(name, MATERIALS[name]), MATERIALS[name]
    if name not in LETTERS:
        return None
    harder = [kc for key, kc in MATERIALS.items() if key.startswith(name)]
    softer = [SOFTER.get(key, kc) for key, kc in MATERIALS.items() if key.startswith(name)]
    return min(softer), max(harder)


def specific(kc11: float, mc: float, h: float) -> float:
    """Specific cutting force kc, N/mm2, at a chip of `h` mm: kc1.1 h^-mc."""
    return float(kc11 * h**-mc)


def speed(options: CuttingOptions) -> float | None:
    """Spindle speed, rpm: n, or 1000 vc / (pi D)."""
    if options.n is not None:
        return options.n
    return 1000.0 * options.vc / (math.pi * options.D) if options.vc is not None and options.D is not None else None


def velocity(options: CuttingOptions) -> float | None:
    """Cutting speed, m/min: vc, or pi D n / 1000."""
    if options.vc is not None:
        return options.vc
    return math.pi * options.D * options.n / 1000.0 if options.n is not None and options.D is not None else None


def chip(options: CuttingOptions) -> float:
    """Mean thickness of the chip, mm. Turning: f (edge at 90 degrees). Drilling: f / 2 sin 59. Milling: fz (2 ae / D) / phi, the mean of
    fz sin over the angle of engagement phi = arccos(1 - 2 ae / D) of a cutter beside the part; a full slot has phi = pi."""
    if options.kind == "turning":
        return options.f or 0.0
    if options.kind == "drilling":
        return 0.5 * (options.f or 0.0) * POINT
    share = min(2.0 * (options.ae or 0.0) / (options.D or math.inf), 2.0)
    phi = math.acos(1.0 - share)
    return (options.fz or 0.0) * share / phi if phi > 0.0 else 0.0


def power(options: CuttingOptions) -> tuple[float, float] | None:
    """Power at the tool, kW, of the softest and of the hardest material that is meant; None: the data do not say enough.

    Turning ap f vc kc / 60000, milling ap ae vf kc / (60 10^6), drilling D f vc kc / 240000 (field.md 2.3; D f vc / 4 is the volume).
    """
    kc, h, vc, n = force(options), chip(options), velocity(options), speed(options)
    if kc is None or not h > 0.0 or vc is None:
        return None
    if options.kind == "turning":
        volume = 1000.0 * (options.ap or 0.0) * (options.f or 0.0) * vc
    elif options.kind == "drilling":
        volume = 250.0 * (options.D or 0.0) * (options.f or 0.0) * vc
    else:
        volume = (options.ap or 0.0) * (options.ae or 0.0) * (options.fz or 0.0) * (options.z or 0) * (n or 0.0)
    soft, hard = (volume * specific(*one, h) / 60e6 for one in kc)
    return soft, hard


def scale(channel: ChannelOptions, spindle: SpindleOptions, rpm: float | None) -> Callable[[float], tuple[float, float]] | str:
    """How power becomes load: from kW to the least and the most that the channel may show, in the unit in which it is judged.

    Or why it does not, a key of texts: `current` (it hardly follows a light cut, field.md 3), `own` (no unit says what it means),
    `rated_channel` (its denominator is read, not written), `no_power` (rated power of the spindle), `no_base_speed`, `no_speed`.
    """
    how = derivation(channel, (spindle,))
    if how is None or how.kind in ("own", "current"):
        return "current" if how is not None and how.kind == "current" else "own"
    if how.channel:
        return "rated_channel"
    if how.kind == "power":
        full = how.rated / 100.0 if how.rated is not None else 1.0
        factor = (1000.0 if channel.unit == "W" else 1.0) / full
        return lambda kw: (kw * factor, kw * factor)
    if rpm is None:
        return "no_speed"
    if how.kind == "torque":
        each = 9550.0 / rpm * (100.0 / how.rated if how.rated is not None else 1.0)
        return lambda kw: (kw * each, kw * each)
    if spindle.rated_power is None:
        return "no_power"
    if spindle.base_speed is None:
        return "no_base_speed"
    # Percent of the rated torque or of the rated power: the two part where the speed is not the base speed.
    torque, whole = spindle.base_speed / rpm, 100.0 / spindle.rated_power
    return lambda kw: (kw * whole * min(torque, 1.0), kw * whole * max(torque, 1.0))


def expected(options: CuttingOptions, channels: Sequence[ChannelOptions], spindles: Sequence[SpindleOptions]) -> Expected | str:
    """What these data make of the load of their spindle, or why that cannot be said: `no_load`, `no_data`, or as `scale` says."""
    first = spindles[0].name
    name = options.spindle or first
    spindle = next((one for one in spindles if one.name == name), spindles[0])
    channel = next((one for one in channels if one.role == "spindle.load" and (one.spindle or first) == name), None)
    if channel is None:
        return "no_load"
    watts = power(options)
    if watts is None:
        return "no_data"
    to_load = scale(channel, spindle, speed(options))
    if isinstance(to_load, str):
        return to_load
    low, high = watts
    most = to_load(high / spindle.efficiency)[1]
    return Expected(
        load=to_load(math.sqrt(low * high) / spindle.efficiency)[1],
        ceiling=most * WORN * (1.0 + MODEL),
        floor=to_load(low)[0] * LEFT * (1.0 - MODEL) if options.section is not None else 0.0,
        unit=shown_unit(channel, spindles),
        low=low,
        high=high,
    )
