"""One look in ten seconds at a spindle that turns in air: a gapless record of its vibration, and what speaks of it.

Three rules share one sensor and one alert (`detect.spindle.Spoken`): velocity at this speed (each block), the trend of all figures (each
look), and the lines of a damaged race (each look that has 2 s at 10 kHz or more, where the machine file names the bearings).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.detect.bearing import LOWEST_RATE, SECONDS, Bearings, BearingState
from agent.detect.condition import Condition, ConditionState, Figure, zone
from agent.detect.spindle import SpeedBaseline, SpindleVibration, Spoken
from agent.features import CONDITION, condition_figures
from agent.kernels.fft import quick
from agent.kernels.vibration import G
from agent.model import Coverage, Finding, Indicator, Word
from agent.passages import passages_of
from agent.settings import SpindleOptions
from drivers.model import Waveform

EVERY = 10.0
"""s between two looks at the least."""
LEAST = 0.5
"""s of a record that give figures; all looks are made of pieces of this length, so that they can be compared."""
PATIENCE = 600.0
"""s without a single look after which the spindle is said to have no air: its cuts follow each other too closely."""
APART = 0.02
"""s by which the start of a block may lie off the end of the one before: clocks of streams are known to a few milliseconds."""
_UNITS = {"rms": "g", "peak": "g", "kurtosis": "", "velocity": "mm/s", "envelope": ""}


class LooksState(msgspec.Struct):
    """What survives a restart."""

    speeds: dict[str, SpeedBaseline] = {}
    condition: ConditionState = msgspec.field(default_factory=ConditionState)
    bearings: dict[str, BearingState] = {}
    standing: list[str] = []
    looked: float = -math.inf


class Looks:
    """Of one channel of raw vibration.

    Parameters
    ----------
    channel: its name. spindle: what the machine file says of the spindle that it sits on.
    p: chance that one judgement may be a false alarm.
    """

    def __init__(self, channel: str, spindle: SpindleOptions, p: float) -> None:
        self.channel = channel
        self._spindle = spindle
        self.velocity = SpindleVibration(channel, spindle.name, p)
        self.condition = Condition(channel, spindle.name, p)
        self.bearings = Bearings(channel, spindle.name, [(b.name or "?", passages_of(b)) for b in spindle.bearings])
        self._spoken = Spoken()
        self._looked = -math.inf
        self._rate = 0.0
        self._rpm = 0.0
        self._end = -math.inf
        self._blocks: list[Waveform] = []
        self._samples = 0

    def air(self, wave: Waveform, rpm: float, velocity_rms: float | None, width: float) -> list[Finding | Indicator]:
        """A block in air at a steady speed (rpm) whose samples can be believed.

        `velocity_rms`: None where the block is too short for it. `width`: of the limits, by the operator's word.
        """
        end = wave.start + len(wave.samples) / wave.rate
        out: list[Finding | Indicator] = []
        if self._blocks and (wave.lost or abs(wave.start - self._end) > APART or wave.rate != self._rate or not _same(rpm, self._rpm)):
            out.extend(self.stop(width))
        self._rate, self._rpm, self._end = wave.rate, rpm, end
        # A computer without a clock of its own may have been ahead before it was started again.
        self._looked = self._looked if self._looked <= end else -math.inf
        if velocity_rms is not None:
            told = self.velocity.judge(end, rpm, velocity_rms, width)
            out.extend(self._said("velocity", self._zoned(told, velocity_rms)))
        if end - self._looked >= EVERY - SECONDS:
            self._blocks.append(wave)
            self._samples += len(wave.samples)
            if self._samples >= _whole(wave.rate) and end - self._looked >= EVERY:
                out.extend(self._look(width))
        return out

    def stop(self, width: float) -> list[Finding | Indicator]:
        """The air has ended, or samples are missing: what was gathered is looked at if it is enough."""
        if self._samples >= LEAST * self._rate and self._end - self._looked >= EVERY:
            return self._look(width)
        self._blocks, self._samples = [], 0
        return []

    def unmark(self) -> None:
        """What was told was false: it may be told again."""
        self.velocity.unmark()
        self.condition.unmark()
        self.bearings.unmark()
        self._spoken.standing = []

    def words(self, now: float, *, speed_known: bool, waited: float = 0.0) -> tuple[Coverage, ...]:
        """How well the spindle is watched by this sensor, and its bearings. `waited`: s for which the sensor has been heard."""
        scope = f"vibration/{self.channel}"
        n, of = self.condition.looks()
        if n >= of:
            words = [Coverage(time=now, scope=scope, word=Word.MONITORING, n=n, of=of)]
        elif self._looked == -math.inf and waited > PATIENCE:
            words = [Coverage(time=now, scope=scope, word=Word.NOT_MONITORABLE, reason="condition_no_air")]
        else:
            words = [Coverage(time=now, scope=scope, word=Word.LEARNING, reason="condition_learning", n=n, of=of)]
        if self._spindle.bearings:
            scope = f"bearing/{self.channel}"
            reason = "bearing_rate" if 0.0 < self._rate < LOWEST_RATE else "" if speed_known else "no_speed_channel"
            word = Word.NOT_MONITORABLE if reason else Word.MONITORING if self._rate else Word.LEARNING
            words.append(Coverage(time=now, scope=scope, word=word, reason=reason or ("" if self._rate else "bearing_record")))
        return tuple(words)

    def saved(self) -> LooksState:
        """What survives a restart; an unfinished record does not."""
        condition, bearings = self.condition.saved(), self.bearings.states
        return LooksState(self.velocity.speeds, condition, bearings, list(self._spoken.standing), self._looked)

    def restore(self, state: LooksState) -> None:
        """Take back what `saved` gave."""
        self.velocity.speeds = state.speeds
        self.condition.restore(state.condition)
        self.bearings.restore(state.bearings)
        self._spoken.standing = list(state.standing)
        self._looked = state.looked

    def _look(self, width: float) -> list[Finding | Indicator]:
        """At what was gathered."""
        wave = self._blocks[0]
        scale = wave.scale / G if wave.unit == "m/s2" else wave.scale
        record = np.concatenate([block.samples for block in self._blocks]).astype(np.float64) * scale
        self._blocks, self._samples = [], 0
        self._looked = self._end
        values = _figures(record, self._rate)
        finding = self.condition.take(self._end, self._rpm, named(record.shape[1]), values, width)
        out: list[Finding | Indicator] = [*self.condition.indicator(self._end)]
        out += self._said("trend", self._zoned(finding, math.exp(max(values[i] for i in _velocities(record.shape[1])))))
        if self._spindle.bearings and self._rate >= LOWEST_RATE and len(record) >= _whole(self._rate):
            for item in self.bearings.take(self._end, record[: _whole(self._rate)], self._rate, self._rpm, width):
                out.extend(self._said("bearing", item) if isinstance(item, Finding) else [item])
        return out

    def _said(self, by: str, finding: Finding | None) -> list[Finding | Indicator]:
        passed = self._spoken.pass_on(by, finding) if finding is not None else None
        return [] if passed is None else [passed]

    def _zoned(self, finding: Finding | None, velocity_rms: float) -> Finding | None:
        """With the zone of ISO 20816-3 where the machine file says which."""
        its = self._spindle
        if finding is None or its.iso_group is None or not its.iso_support:
            return finding
        evidence = {**finding.evidence, "zone": zone(velocity_rms, its.iso_group, its.iso_support)}
        return msgspec.structs.replace(finding, evidence=evidence)


def named(axes: int) -> list[Figure]:
    """What `condition_figures` gives for so many axes."""
    return [Figure(name, "xyz"[a : a + 1] if axes > 1 else "", _UNITS.get(name, "g")) for a in range(axes) for name in CONDITION]


def _velocities(axes: int) -> list[int]:
    return [a * len(CONDITION) + CONDITION.index("velocity") for a in range(axes)]


def _figures(record: NDArray[np.float64], rate: float) -> list[float]:
    """Mean over pieces of `LEAST`: peak and kurtosis of a longer piece would be others."""
    n = round(LEAST * rate)
    pieces = [condition_figures(record[i : i + n], rate) for i in range(0, len(record) - n + 1, n)]
    mean: list[float] = np.mean(np.array(pieces), axis=0).tolist()
    return mean


def _whole(rate: float) -> int:
    """Samples of a record: `SECONDS`, made longer until its transform is quick."""
    return quick(math.ceil(SECONDS * rate))


def _same(rpm: float, other: float) -> bool:
    return abs(rpm - other) <= 0.01 * abs(other)
