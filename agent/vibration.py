"""Vibration of the machine's spindles: figures of each block, of each cut, and of the spindle when it does not cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from agent.detect.spindle import SpeedBaseline, SpindleVibration
from agent.features import VibrationFigures, vibration_figures
from agent.kernels.vibration import Meter
from agent.model import Cut, Finding, Indicator, VibrationView
from agent.segment import Frame
from agent.settings import MachineSettings
from drivers.model import Quality, Waveform

DARK = 0.5
"""s between two readings of the load beyond which a cut may have come and gone."""
FRESH = 2.0
"""s after its end for which a block is shown as live."""
SHORTEST = 1024
"""Samples an axis below which a block gives no figures."""


class VibrationState(msgspec.Struct):
    """Of one channel; survives a restart."""

    speeds: dict[str, SpeedBaseline]
    lost: int


class _Channel:
    def __init__(self, name: str, spindle: str, p: float) -> None:
        self.name = name
        self.spindle = spindle
        self.judge = SpindleVibration(name, spindle, p)
        self.meter = Meter()
        self.figures: VibrationFigures | None = None
        self.time: float | None = None
        self.quality = int(Quality.UNAVAILABLE)
        self.lost = 0
        self.blocks: list[tuple[float, float, float]] = []


class _Spindle:
    def __init__(self) -> None:
        self.quiet_since = math.inf
        self.speed = math.nan
        self.time = -math.inf


class VibrationWatch:
    """Follows all vibration channels.

    Parameters
    ----------
    settings: whose channels have the role `vibration`.
    p: chance that one judgement may be a false alarm.
    width: by how much the operator's word widened the limit of a kind of finding at a place (`detect.tuning`).
    """

    def __init__(self, settings: MachineSettings, p: float, width: Callable[[str, str], float] | None = None) -> None:
        self._width = width
        first = settings.spindle[0].name
        self._channels = {c.name: _Channel(c.name, c.spindle or first, p) for c in settings.channel if c.role == "vibration"}
        self._spindles = {spindle.name: _Spindle() for spindle in settings.spindle}
        self._standing = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}

    def unmark(self, channel: str) -> None:
        """What was told of this channel was false."""
        if channel in self._channels:
            self._channels[channel].judge.unmark()

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Note since when the spindle has turned steadily without a cut; `air`: (n,) at which rows of the frame it did."""
        now = self._spindles[spindle]
        if not len(frame.time):
            return
        other = ~air
        other[1:] |= frame.time[1:] - frame.time[:-1] > DARK
        other[0] |= frame.time[0] - now.time > DARK
        starts = np.flatnonzero(other)
        if len(starts):
            # A run begins at the row after the last that was no air, or at one that came after a gap.
            last = int(starts[-1])
            first = last if air[last] else last + 1
            now.quiet_since = float(frame.time[first]) if first < len(frame.time) else math.inf
        elif now.quiet_since == math.inf:
            now.quiet_since = float(frame.time[0])
        now.time = float(frame.time[-1])
        good = frame.speed[frame.ok]
        if len(good):
            now.speed = float(good[-1])

    def take(self, wave: Waveform) -> list[Finding | Indicator]:
        """Figures of a block; judged when it was taken without a cut at one speed."""
        channel = self._channels.get(wave.channel)
        if channel is None:
            return []
        end = wave.start + len(wave.samples) / wave.rate
        channel.time, channel.quality = end, int(wave.quality)
        channel.lost += wave.lost
        if wave.quality > Quality.UNCERTAIN or len(wave.samples) < SHORTEST:
            channel.figures = None
            return []
        spindle = self._spindles[channel.spindle]
        turning = abs(spindle.speed) >= self._standing[channel.spindle]
        figures = channel.figures = vibration_figures(channel.meter, wave, spindle.speed if turning else math.nan)
        if figures.velocity_rms is None:
            return []
        channel.blocks = [*channel.blocks, (wave.start, end, figures.velocity_rms)][-256:]
        if spindle.quiet_since > wave.start or figures.validity:
            return []
        out: list[Finding | Indicator] = [
            Indicator(time=end, channel=channel.name, operation="", tool="", name="velocity_rms", value=figures.velocity_rms, unit="mm/s")
        ]
        width = self._width("spindle", channel.judge.channel) if self._width is not None else 1.0
        finding = channel.judge.judge(end, abs(spindle.speed), figures.velocity_rms, width)
        return [*out, finding] if finding is not None else out

    def of_cut(self, spindle: str, cut: Cut) -> Cut:
        """The cut with the mean velocity RMS of the blocks that lie wholly within it."""
        for channel in self._channels.values():
            inside = [v for start, end, v in channel.blocks if start >= cut.opened and end <= cut.time]
            if channel.spindle == spindle and inside:
                rms = math.sqrt(sum(v * v for v in inside) / len(inside))
                return msgspec.structs.replace(cut, features=msgspec.structs.replace(cut.features, vibration_rms=rms))
        return cut

    def views(self, now: float) -> tuple[VibrationView, ...]:
        """For the page; a block older than two seconds is not shown as live."""
        return tuple(self._view(channel, now) for channel in self._channels.values())

    def saved(self) -> dict[str, VibrationState]:
        """What survives a restart."""
        return {name: VibrationState(channel.judge.speeds, channel.lost) for name, channel in self._channels.items()}

    def restore(self, saved: dict[str, VibrationState]) -> None:
        """Take back what `saved` gave."""
        for name, state in saved.items():
            if name in self._channels:
                self._channels[name].judge.speeds = state.speeds
                self._channels[name].lost = state.lost

    def validities(self) -> Iterator[tuple[str, str]]:
        """Channel and validity of its latest block, of those that gave one: '' or a key under [reason]."""
        return ((channel.name, channel.figures.validity) for channel in self._channels.values() if channel.figures is not None)

    @property
    def names(self) -> frozenset[str]:
        """Of the channels."""
        return frozenset(self._channels)

    def fed(self, name: str) -> bool:
        """Whether a block of this channel was ever taken."""
        return self._channels[name].time is not None

    def held(self, name: str, now: float) -> tuple[float, float, int]:
        """Velocity RMS, end and quality of the latest block; UNAVAILABLE when it is older than `FRESH`."""
        channel = self._channels[name]
        end = channel.time if channel.time is not None else -math.inf
        quality = channel.quality if now - end <= FRESH else int(Quality.UNAVAILABLE)
        rms = channel.figures.velocity_rms if channel.figures is not None else None
        return (math.nan if rms is None else rms), end, quality

    def _view(self, channel: _Channel, now: float) -> VibrationView:
        alive = channel.time is not None and now - channel.time <= FRESH and channel.quality <= Quality.UNCERTAIN
        figures = channel.figures if alive else None
        speed = self._spindles[channel.spindle].speed
        return VibrationView(
            channel=channel.name,
            time=channel.time,
            quality=channel.quality if alive else int(Quality.UNAVAILABLE),
            velocity_rms=figures.velocity_rms if figures else None,
            acceleration_rms=figures.acceleration_rms if figures else None,
            peak=figures.peak if figures else None,
            crest=figures.crest if figures else None,
            kurtosis=figures.kurtosis if figures else None,
            lost=channel.lost,
            baseline_rms=channel.judge.baseline(speed) if speed == speed else None,
            validity=figures.validity if figures else "no_signal",
        )
