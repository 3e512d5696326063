"""The spindle without a cut: velocity of vibration at one speed against what this machine showed there when it was well.

A machine tool under cut is outside the intent of ISO 20816-3, so only blocks without a cut and at steady speed are judged, against the
machine's own baseline at that speed; zones of the standard are not claimed (field.md 2.1).
"""

from __future__ import annotations

import math

import msgspec

from agent.detect.baseline import Spread
from agent.detect.budget import prediction_factor
from agent.detect.middle import median
from agent.model import Finding

LEARN = 20
"""Blocks without a cut at one speed before that speed is judged."""
RECENT = 9
"""Blocks of which the median is judged."""
RISE = math.log(1.6)
"""Log ratio that is asked at the least. ISO 20816-1 calls a change by 25 % of zone boundary B/C significant; a baseline well inside zone A
may grow by far more before it gets there, so the floor is set on the ratio."""
WIDTH = math.log(1.08)
"""Width of a speed bin, log."""


class SpeedBaseline(msgspec.Struct):
    """Of one vibration channel at one speed."""

    rpm: float
    level: Spread = msgspec.field(default_factory=Spread)
    """of log(velocity RMS in mm/s)"""
    recent: list[float] = []
    told: bool = False


class SpindleVibration:
    """Follows one vibration channel.

    Parameters
    ----------
    channel, spindle: names.
    p: chance that one judgement may be false.
    """

    def __init__(self, channel: str, spindle: str, p: float) -> None:
        self.channel = channel
        self.spindle = spindle
        self._p = p
        self.speeds: dict[str, SpeedBaseline] = {}

    def baseline(self, rpm: float) -> float | None:
        """Learned velocity RMS at this speed, mm/s; None before `LEARN` blocks."""
        known = self.speeds.get(_bin(rpm))
        return math.exp(known.level.mean) if known is not None and known.level.n >= LEARN else None

    @property
    def told(self) -> bool:
        """Whether a rise stands at any speed."""
        return any(speed.told for speed in self.speeds.values())

    def unmark(self) -> None:
        """What was told was false: it may be told again."""
        for speed in self.speeds.values():
            speed.told = False

    def judge(self, time: float, rpm: float, velocity_rms: float, width: float = 1.0) -> Finding | None:
        """Take one block without a cut at steady speed (rpm) in. `width`: of the limit, by the operator's word."""
        if not (math.isfinite(velocity_rms) and velocity_rms > 0.0):
            return None
        known = self.speeds.setdefault(_bin(rpm), SpeedBaseline(rpm))
        value = math.log(velocity_rms)
        if known.level.n < LEARN:
            known.level.learn(value)
            return None
        known.recent = [*known.recent, value][-RECENT:]
        if len(known.recent) < RECENT:
            return None
        change = median(known.recent) - known.level.mean
        limit = width * max(RISE, prediction_factor(known.level.n, known.level.n - 1, self._p) * known.level.sd)
        if change <= 0.5 * limit and not known.told:
            known.level.learn(value)
            return None
        if change > limit and not known.told:
            known.told = True
            return self._finding(time, known, change, limit, finished=False)
        if change <= 0.5 * limit and known.told:
            known.told = False
            if not self.told:
                return self._finding(time, known, change, limit, finished=True)
        return None

    def _finding(self, time: float, known: SpeedBaseline, change: float, limit: float, *, finished: bool) -> Finding:
        return Finding(
            time=time,
            kind="spindle",
            severity="warning",
            channel=self.channel,
            spindle=self.spindle,
            operation="",
            tool="",
            score=math.exp(change),
            threshold=math.exp(limit),
            evidence={
                "change_pct": 100.0 * math.expm1(change),
                "value": math.exp(known.level.mean + change),
                "baseline": math.exp(known.level.mean),
                "unit": "mm/s",
                "rpm": known.rpm,
                "n_baseline": known.level.n,
            },
            finished=finished,
            chance=self._p,
        )


def _bin(rpm: float) -> str:
    return str(round(math.log(max(abs(rpm), 1.0)) / WIDTH))


TELLING = ("velocity", "trend", "bearing")
"""What may speak for a spindle, from the least to the most telling."""


class Spoken:
    """One cause, one alert: all that speaks of one sensor is one episode, which ends when nothing speaks any more.

    What is less telling is silent while something more telling stands: that the velocity rises as well says nothing new of a damaged race.
    """

    def __init__(self) -> None:
        self.standing: list[str] = []

    def pass_on(self, by: str, finding: Finding) -> Finding | None:
        """The finding, or None where nobody needs to hear of it. `by`: one of `TELLING`."""
        others = [other for other in self.standing if other != by]
        self.standing = others if finding.finished else [*others, by]
        if finding.finished:
            return None if others else finding
        return finding if all(TELLING.index(other) <= TELLING.index(by) for other in others) else None
