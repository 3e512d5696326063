"""The condition of a spindle by the trend of one sensor's figures in air: each speed against its own healthy start.

One look in 10 s (`agent.looks`, `agent.conditions`). A speed is the same as long as it lies within `SAME` of that at which it was first
seen.
Zones of ISO 20816-3 are told beside it where the machine file names group and support: what they are worth on a machine tool is open (its
scope is machines above 15 kW, and a machine under cut is outside it), so they inform and never alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agent.detect.trend import FIRST, FLOOR, LIMIT, Rise, Trend, TrendState
from agent.model import Evidence, Finding, Indicator

SAME = math.log(1.04)
"""Log ratio of two speeds that are one: a drive under a belt gives way by 2 to 3 %."""
MOST = 16
"""Speeds of a sensor that are remembered; the one that was not turned at for the longest time goes first."""

ZONES = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
"""mm/s RMS, 10 to 1000 Hz: boundaries A/B, B/C, C/D of ISO 20816-3 (field.md 2.1)."""


class Figure(NamedTuple):
    """One figure of a sensor: `name` a key under [figure] of the text catalogue or a channel, `axis` '' or x, y, z."""

    name: str
    axis: str
    unit: str


class SpeedState(msgspec.Struct):
    """Of one speed."""

    rpm: float
    since: float
    """Time of the first look"""
    used: float
    """... and of the latest"""
    trend: TrendState


class ConditionState(msgspec.Struct):
    """What survives a restart."""

    speeds: list[SpeedState] = []


class Condition:
    """Follows the figures of one sensor.

    Parameters
    ----------
    channel, spindle: names.
    p: chance that one look may be a false alarm.
    limit: widths, at least (`detect.trend`).
    """

    def __init__(self, channel: str, spindle: str, p: float, limit: float = LIMIT) -> None:
        self.channel = channel
        self.spindle = spindle
        self.limit = limit
        self._p = p
        self._trends: list[tuple[SpeedState, Trend]] = []
        self._latest: SpeedState | None = None
        self._score = math.nan

    @property
    def told(self) -> bool:
        """Whether a rise stands at any speed."""
        return any(trend.state.told for _, trend in self._trends)

    def looks(self) -> tuple[int, int]:
        """Looks learned at the speed of the latest, and how many it needs before it judges."""
        return (0 if self._latest is None else min(self._latest.trend.n, FIRST)), FIRST

    def take(self, time: float, rpm: float, figures: Sequence[Figure], values: Sequence[float], width: float = 1.0) -> Finding | None:
        """One look: logarithms `values` of `figures` at a steady speed (rpm). `width`: of the limit, by the operator's word."""
        at, trend = self._at(time, rpm)
        before = trend.state
        rise = trend.take(values, width)
        if trend.state is not before:
            at.trend, at.since = trend.state, time
        at.used = time
        self._latest, self._score = at, rise.score
        if rise.changed == "begun":
            return self._finding(time, at, trend, rise, figures, finished=False)
        if rise.changed == "over" and not self.told:
            return self._finding(time, at, trend, rise, figures, finished=True)
        return None

    def indicator(self, time: float) -> list[Indicator]:
        """What the latest look at `time` came to, of all figures together, in widths; nothing while it is learned."""
        if not math.isfinite(self._score):
            return []
        return [Indicator(time=time, channel=self.channel, operation="", tool="", name="condition_score", value=self._score)]

    def unmark(self) -> None:
        """What was told was false: it may be told again."""
        for _, trend in self._trends:
            trend.state.told = False
            trend.state.above = 0

    def saved(self) -> ConditionState:
        """What survives a restart."""
        return ConditionState([at for at, _ in self._trends])

    def restore(self, state: ConditionState) -> None:
        """Take back what `saved` gave."""
        self._trends = [(at, self._trend(at.trend)) for at in state.speeds]

    def _trend(self, state: TrendState) -> Trend:
        trend = Trend(self._p, self.limit)
        trend.restore(state)
        return trend

    def _at(self, time: float, rpm: float) -> tuple[SpeedState, Trend]:
        """The trend of this speed; begun where it is new."""
        speed = max(abs(rpm), 1.0)
        known = min(self._trends, key=lambda pair: abs(math.log(speed / pair[0].rpm)), default=None)
        if known is not None and abs(math.log(speed / known[0].rpm)) <= SAME:
            return known
        if len(self._trends) >= MOST:
            self._trends.remove(min(self._trends, key=lambda pair: pair[0].used))
        begun = SpeedState(speed, time, time, TrendState())
        self._trends.append((begun, self._trend(begun.trend)))
        return self._trends[-1]

    def _finding(self, time: float, at: SpeedState, trend: Trend, rise: Rise, figures: Sequence[Figure], *, finished: bool) -> Finding:
        middle, _ = trend.baseline()
        leads = figures[rise.leading]
        evidence: Evidence = {
            "several": True,
            "indicator": leads.name,
            "axis": leads.axis,
            "change_pct": 100.0 * math.expm1(rise.change),
            "value": math.exp(float(middle[rise.leading]) + rise.change),
            "baseline": math.exp(float(middle[rise.leading])),
            "unit": leads.unit,
            "figures": rise.high,
            "figures_of": len(figures),
            "rpm": at.rpm,
            "n_looks": at.trend.n,
            "baseline_since": at.since,
        }
        return Finding(
            time=time,
            kind="spindle",
            severity="warning",
            channel=self.channel,
            spindle=self.spindle,
            operation="",
            tool="",
            # As a ratio of a figure that repeats as well as can be believed, for the operator's word (`detect.tuning`).
            score=math.exp(FLOOR * rise.score),
            threshold=math.exp(FLOOR * rise.limit),
            evidence=evidence,
            finished=finished,
            chance=self._p,
        )


def zone(velocity_rms: float, group: int, support: str) -> str:
    """A to D of ISO 20816-3 for a velocity in mm/s RMS, 10 to 1000 Hz."""
    return "ABCD"[sum(velocity_rms > edge for edge in ZONES[group, support])]
