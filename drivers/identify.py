"""Whether what was read from an unknown device is what a map says that its device gives. Pure; `broche scan` asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from drivers.model import Quality
from drivers.options import DeviceMap, IdentifyTest

Match = Literal["no", "plausible", "certain"]


def registers_to_read(device: DeviceMap) -> tuple[str, ...]:
    """Names of the registers that the tests of this map need, in the order of the map; empty: it cannot be told from others."""
    if device.identify is None or device.reading_writes:
        return ()
    wanted = {name for test in device.identify.tests for name in (test.register, test.like) if name}
    return tuple(register.name for register in device.registers if register.name in wanted)


def identify(device: DeviceMap, read: Mapping[str, tuple[float, Quality]]) -> Match:
    """How well the device that was read fits the map.

    Parameters
    ----------
    read: decoded value and quality by name of register; a register that the device refused is not in it.

    Returns
    -------
    'no' if a test fails or there is none; else 'certain' or 'plausible', as the map says of its tests.
    """
    if not registers_to_read(device) or device.identify is None:
        return "no"
    if not all(_holds(test, read) for test in device.identify.tests):
        return "no"
    return "certain" if device.identify.certain else "plausible"


def _holds(test: IdentifyTest, read: Mapping[str, tuple[float, Quality]]) -> bool:
    value, quality = read.get(test.register, (0.0, Quality.UNAVAILABLE))
    if quality > Quality.UNCERTAIN or value != value:
        return False
    if test.values and value not in test.values:
        return False
    if (test.min is not None and value < test.min) or (test.max is not None and value > test.max):
        return False
    if not test.like:
        return True
    other, quality = read.get(test.like, (0.0, Quality.UNAVAILABLE))
    return quality <= Quality.UNCERTAIN and abs(value - (test.factor * other + test.plus)) <= test.within
