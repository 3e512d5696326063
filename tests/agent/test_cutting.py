"""From cutting data to power and load: catalogue examples, slow twins, and what cannot be said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cutting import MATERIALS, MODEL, WORN, Expected, chip, expected, force, power, speed
from agent.paths import DataPaths
from agent.settings import ChannelOptions, CuttingOptions, SpindleOptions
from agent.texts import LANGUAGES, Texts

TURNING = {"kind": "turning", "kc11": 3100.0, "mc": 0.0, "ap": 3.0, "f": 0.2, "vc": 120.0}
MILLING = {"kind": "milling", "material": "P2", "ap": 3.0, "ae": 8.0, "fz": 0.1, "z": 4, "D": 20.0, "n": 2000.0}
DRILLING = {"kind": "drilling", "material": "P2", "D": 10.0, "f": 0.2, "n": 2000.0}
PERCENT = ChannelOptions(name="load", role="spindle.load", unit="%")
SPINDLE = SpindleOptions(name="S1", rated_power=10.0, base_speed=1500.0)


def data(base: dict[str, Any], **changes: Any) -> CuttingOptions:
    return CuttingOptions(tool=1, **{**base, **changes})


def test_the_worked_example_of_a_catalogue() -> None:
    """Mitsubishi, formulas for cutting power: 3 mm, 0.2 mm, 120 m/min, 3100 N/mm2, efficiency 0.8: 4.65 kW."""
    low, high = power(data(TURNING)) or (math.nan, math.nan)
    assert low == high == pytest.approx(0.8 * 4.65, rel=1e-3)


def test_turning_by_speed_and_diameter_is_turning_by_cutting_speed() -> None:
    rpm = 1000.0 * 120.0 / (math.pi * 50.0)
    assert power(data(TURNING, vc=None, n=rpm, D=50.0)) == pytest.approx(power(data(TURNING)))
    assert speed(data(TURNING, D=50.0)) == pytest.approx(rpm)
    assert speed(data(TURNING)) is None


@given(ae=st.floats(0.5, 20.0), fz=st.floats(0.01, 0.5))
def test_the_mean_chip_of_a_cutter_by_going_round_it(ae: float, fz: float) -> None:
    """Twin: the thickness fz sin(phi), averaged over the angles at which an edge is in the part."""
    angles = np.linspace(0.0, math.pi, 200_001)
    inside = 10.0 * (1.0 - np.cos(angles)) <= ae
    assert chip(data(MILLING, ae=ae, fz=fz)) == pytest.approx(float(np.mean(fz * np.sin(angles[inside]))), rel=2e-3)


def test_drilling_is_the_sum_of_its_rings() -> None:
    """Twin: force on each ring of the hole at its own speed."""
    one = data(DRILLING)
    kc = 1500.0 * (0.1 * math.sin(math.radians(59.0))) ** -0.22
    radii = (np.arange(10_000) + 0.5) * 5.0 / 10_000
    watts = float(np.sum(kc * 0.2 * (5.0 / 10_000) * 2.0 * math.pi * radii / 1000.0 * 2000.0 / 60.0))
    assert power(one) == pytest.approx((watts / 1000.0, watts / 1000.0), rel=1e-6)


def test_a_letter_has_bounds_and_titanium_those_of_both_catalogues() -> None:
    for letter in "PMKNSH":
        soft, hard = force(data(MILLING, material=letter)) or ((0.0, 0.0), (0.0, 0.0))
        for name, one in MATERIALS.items():
            if name.startswith(letter):
                assert soft <= one <= hard
    assert force(data(MILLING, material="S37")) == ((1245.0, 0.24), (2110.0, 0.22))
    assert force(data(MILLING, material="X")) is None
    assert force(data(MILLING, kc11=1000.0, mc=0.2)) == ((1000.0, 0.2), (1000.0, 0.2)), "one's own goes before the table"


def of(channel: ChannelOptions = PERCENT, spindle: SpindleOptions = SPINDLE, **changes: Any) -> Expected | str:
    return expected(data({**TURNING, "n": 1500.0, "D": 25.5, "vc": None}, **changes), (channel,), (spindle,))


def loaded(channel: ChannelOptions = PERCENT, spindle: SpindleOptions = SPINDLE, **changes: Any) -> Expected:
    one = of(channel, spindle, **changes)
    assert isinstance(one, Expected)
    return one


def test_percent_at_the_base_speed_is_power_over_rated_power() -> None:
    one = loaded(section=2)
    assert one.load == pytest.approx(46.5, rel=2e-3)
    assert one.ceiling == pytest.approx(one.load * WORN * (1.0 + MODEL))
    assert one.floor == pytest.approx(0.3 * 0.75 * 0.8 * one.load)
    assert loaded().floor == 0.0, "without its pass the data stand for the heaviest one"


def test_percent_away_from_the_base_speed_takes_the_wider_of_torque_and_power() -> None:
    at_base, below, above = (loaded(section=1, vc=120.0, n=rpm, D=None) for rpm in (1500.0, 750.0, 3000.0))
    assert below.ceiling == pytest.approx(2.0 * at_base.ceiling), "half the speed: twice the torque"
    assert below.floor == pytest.approx(at_base.floor), "... or the same power"
    assert above.ceiling == pytest.approx(at_base.ceiling)
    assert above.floor == pytest.approx(0.5 * at_base.floor)


def test_loads_of_other_units() -> None:
    kilowatts = loaded(ChannelOptions(name="load", role="spindle.load", unit="kW"), SpindleOptions(name="S1"))
    assert (kilowatts.unit, kilowatts.load) == ("kW", pytest.approx(4.65, rel=2e-3))
    watts = loaded(ChannelOptions(name="load", role="spindle.load", unit="W"), SpindleOptions(name="S1"))
    assert watts.load == pytest.approx(1000.0 * kilowatts.load)
    share = loaded(ChannelOptions(name="load", role="spindle.load", unit="W"), SPINDLE)
    assert (share.unit, share.load) == ("%", pytest.approx(46.5, rel=2e-3))
    torque = loaded(ChannelOptions(name="load", role="spindle.load", unit="Nm", rated=63.7), SPINDLE)
    assert torque.load == pytest.approx(46.5, rel=2e-3)
    assert loaded(spindle=SpindleOptions(name="S1", rated_power=10.0, base_speed=1500.0, efficiency=1.0)).load == pytest.approx(
        37.2, rel=2e-3
    )


@pytest.mark.parametrize(
    ("channel", "spindle", "changes", "why"),
    [
        ({"unit": "A", "rated": 20.0}, {}, {}, "current"),
        ({"unit": ""}, {}, {}, "own"),
        ({"unit": "kW", "rated_channel": "rated"}, {}, {}, "rated_channel"),
        ({}, {"rated_power": None}, {}, "no_power"),
        ({}, {"base_speed": None}, {}, "no_base_speed"),
        ({}, {}, {"n": None, "D": None, "vc": 120.0}, "no_speed"),
        ({"role": "axis.load"}, {}, {}, "no_load"),
        ({}, {}, {"kc11": None}, "no_data"),
    ],
)
def test_what_cannot_be_said_says_why(channel: dict[str, Any], spindle: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    one = ChannelOptions(**{"name": "load", "role": "spindle.load", "unit": "%", **channel})
    assert of(one, SpindleOptions(**{"name": "S1", "rated_power": 10.0, "base_speed": 1500.0, **spindle}), **changes) == why
    for language in LANGUAGES:
        # Data that lack something are a mistake of their own.
        assert why == "no_data" or Texts.load(DataPaths.find(None), language).has(f"mistake.cutting_{why}.remedy")
