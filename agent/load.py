"""From what a drive or a meter says to a load in percent: which derivation, and over what. Stated by the machine file, never guessed.

| kind | load | denominator |
|---|---|---|
| percent | as the device says it, of its rated torque or power | the device's own |
| power | kW (W) over rated kW (W) | `rated`, `rated_channel`, or `rated_power` of the spindle |
| current | A over rated A | `rated` or `rated_channel` |
| torque | Nm over rated Nm | `rated` or `rated_channel` |
| own | as it stands, in its own unit | none |

A load without a denominator is judged all the same: every limit is a ratio to the good cuts of the same operation, and scale does not
matter to a ratio (docs/decisions/0007-device-maps.md). What it lacks is a number that two machines have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from agent.settings import ChannelOptions, SpindleOptions
from drivers.model import Floats, Marks, Quality

Kind = Literal["percent", "power", "current", "torque", "own"]

ROLES = ("spindle.load", "axis.load")
KIND_OF: dict[str, Kind] = {"%": "percent", "kW": "power", "W": "power", "A": "current", "Nm": "torque"}


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one load channel becomes the load that is judged and shown.

    Attributes
    ----------
    rated: 100 %, in the unit of the register; None: no number is stated.
    channel: name of the channel that says it instead; ''.
    """

    kind: Kind
    rated: float | None = None
    channel: str = ""

    @property
    def derived(self) -> bool:
        """Whether the load is in percent of a denominator of ours."""
        return self.rated is not None or bool(self.channel)


def derivation(channel: ChannelOptions, spindles: Sequence[SpindleOptions]) -> Derivation | None:
    """That of a channel, whose unit is known; None: it is no load."""
    if channel.role not in ROLES:
        return None
    kind = KIND_OF.get(channel.unit, "own")
    if kind == "percent":
        return Derivation(kind)
    if channel.rated is not None or channel.rated_channel:
        return Derivation(kind, channel.rated, channel.rated_channel)
    if kind == "power" and channel.role == "spindle.load":
        spindle = next((s for s in spindles if s.name == channel.spindle), spindles[0]) if spindles else None
        if spindle is not None and spindle.rated_power is not None:
            return Derivation(kind, spindle.rated_power * (1000.0 if channel.unit == "W" else 1.0))
    return Derivation(kind)


def shown_unit(channel: ChannelOptions, spindles: Sequence[SpindleOptions]) -> str:
    """The unit of what the pass makes of a channel."""
    how = derivation(channel, spindles)
    return "%" if how is not None and how.derived else channel.unit


class Basis(msgspec.Struct, frozen=True):
    """What the figures of a load mean. What was learned on one basis says nothing about a load on another."""

    unit: str
    """In which the load is judged and shown"""
    rated: float | None = None
    """100 %, in the unit of the register; None: no number is stated"""
    channel: str = ""
    """Name of the channel that says it instead; ''"""

    def takes_over(self, saved: Basis | None) -> bool:
        """Whether what was learned on a saved basis holds on this one. None: saved before there was a basis, when a load stood as it was
        read."""
        return self == saved if saved is not None else self.rated is None and not self.channel


def basis(channel: ChannelOptions, spindles: Sequence[SpindleOptions]) -> Basis:
    """That of a load channel, as the machine file stands now."""
    how = derivation(channel, spindles)
    unit = shown_unit(channel, spindles)
    return Basis(unit, how.rated, how.channel) if how is not None else Basis(unit)


def share_of_rated(value: float, rated: float) -> float:
    """Load in percent: 100 value / rated, both in one unit; NaN where `rated` is not above zero."""
    return 100.0 * value / rated if rated > 0 else math.nan


def torque_limit(speed: float, base_speed: float) -> float:
    """Torque that the spindle can give at `speed` (rpm), as a fraction of its rated torque.

    1 up to the base speed. Above it the drive weakens the field and holds the power instead: P = 2 pi n M is constant, so that
    M / M_rated = n_base / n. Source: mechanics of the constant-power range; the base speed is that of the spindle's power diagram.
    """
    return 1.0 if abs(speed) <= base_speed else base_speed / abs(speed)


class Loads:
    """Derives the load columns of rows, in the order of the channels.

    Parameters
    ----------
    channels: of the machine file, their units known.
    """

    def __init__(self, channels: Sequence[ChannelOptions], spindles: Sequence[SpindleOptions], index: Mapping[str, int]) -> None:
        self._fixed: list[tuple[int, float]] = []
        self._read: list[tuple[int, int]] = []
        self._without: list[int] = []
        for channel in channels:
            how = derivation(channel, spindles)
            if how is None or not how.derived:
                continue
            if how.channel:
                if how.channel in index:
                    self._read.append((index[channel.name], index[how.channel]))
                else:  # a recording without that column
                    self._without.append(index[channel.name])
            elif how.rated is not None:
                self._fixed.append((index[channel.name], how.rated))

    def derive(self, values: Floats, quality: Marks) -> tuple[Floats, Marks]:
        """(n, channels) as read to (n, channels) as judged. A load whose denominator is not there is not there; over one that is not above
        zero it is BAD."""
        if not self._fixed and not self._read and not self._without:
            return values, quality
        values, quality = values.copy(), quality.copy()
        for column, rated in self._fixed:
            values[:, column] = 100.0 * values[:, column] / rated
        for column, over in self._read:
            rated_ = values[:, over]
            marks = np.maximum(quality[:, column], quality[:, over])
            known = marks <= Quality.UNCERTAIN
            marks[known & ~(rated_ > 0.0)] = Quality.BAD
            known = marks <= Quality.UNCERTAIN
            values[:, column] = np.divide(100.0 * values[:, column], rated_, out=np.full(len(values), np.nan), where=known)
            quality[:, column] = marks
        for column in self._without:
            values[:, column], quality[:, column] = np.nan, Quality.UNAVAILABLE
        return values, quality
