"""What the machine is like at one moment, and what surrounds it: temperatures, pressures, coolant."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the machine; words are MTConnect's (ControllerMode, Execution, DoorState)."""

    time: float
    """s, machine time"""
    made: int
    """parts finished"""
    part: int
    """running number of the part on the machine, from 1"""
    program: int
    tool: int
    section: int
    load: float
    """% of rated torque, as the register shows it"""
    current: float
    """A"""
    speed: float
    """rpm"""
    feed: float
    """mm/min"""
    feed_override: float
    """%"""
    speed_override: float
    """%"""
    feed_hold: bool
    mode: str
    execution: str
    door: str
    cycle: bool
    power_on: bool
    silent: bool
    """The registers of the machine have lost their supply."""
    cut: int
    """Index of the cut in the program, -1: none. Truth; not on any wire."""
    spindle_temperature: float
    """degree C"""
    ambient_temperature: float
    air_pressure: float
    """bar"""
    hydraulic_pressure: float
    """bar"""
    coolant_level: float
    """% of the tank"""


class Moment(NamedTuple):
    """One tick, for the vibration: rpm, % of cutting load, wear of the tool (fraction), unbalance and bearing damage (g)."""

    tick: int
    speed: float
    work: float
    wear: float
    unbalance: float
    bearing: float


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """The truth about one event: part, cut, fault, ended, broken. Never on a wire, never in a recording."""

    event: str
    time: float
    """s, machine time (a cut: its end)"""
    part: int
    tool: int = 0
    section: int = 0
    began: float = 0.0
    fault: str = ""


class Services:
    """Temperatures, pressures and coolant; they move once a second. Made up: a warm spindle at 34 to 38 degree C in a shop at 21."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 4])
        self._time = 0
        self.ambient = 21.0
        self.spindle = 35.0
        self.air = 6.1
        self.hydraulic = 45.0
        self.coolant = 86.0

    def second(self, speed: float, cutting: bool, on: bool) -> None:
        """One second of machine time at this speed (rpm)."""
        self._time += 1
        a, b, c = self._rng.standard_normal(3).tolist()
        self.ambient = 21.0 + 0.8 * float(np.sin(2 * np.pi * self._time / 5400.0)) + 0.03 * a
        heat = 21.0 * (speed / 2400.0) ** 1.5 * (1.15 if cutting else 1.0) if on else 0.0
        self.spindle += (self.ambient + heat - self.spindle) / 900.0
        self.air += 0.3 * (6.1 + 0.04 * b - (0.12 if cutting else 0.0) - self.air)
        self.hydraulic += 0.4 * (45.0 + 0.25 * c - self.hydraulic)

    def part(self) -> None:
        """A part carries coolant away; a low tank is filled up."""
        self.coolant = self.coolant - 0.05 if self.coolant > 62.0 else 95.0

    def cold(self) -> None:
        """The spindle has stood over night."""
        self.spindle = self.ambient + 0.5
