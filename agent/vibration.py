"""Vibration of the machine's spindles: figures of each block, of each cut, and of the spindle when it does not cut."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.air import Air
from agent.detect.chatter import Chatter, ChatterState
from agent.features import VibrationFigures, vibration_figures
from agent.kernels.vibration import Meter
from agent.looks import Looks, LooksState
from agent.model import Coverage, Cut, Finding, Indicator, VibrationView
from agent.segment import Frame
from agent.settings import MachineSettings, SpindleOptions
from drivers.model import Quality, Waveform

FRESH = 2.0
"""s after its end for which a block is shown as live."""
SHORTEST = 1024
"""Samples an axis below which a block gives no figures."""


class VibrationState(msgspec.Struct):
    """Of one channel; survives a restart."""

    looks: LooksState = msgspec.field(default_factory=LooksState)
    chatter: ChatterState = msgspec.field(default_factory=ChatterState)
    lost: int = 0


class _Channel:
    def __init__(self, name: str, spindle: SpindleOptions, p: float) -> None:
        self.name = name
        self.spindle = spindle.name
        self.looks = Looks(name, spindle, p)
        self.chatter = Chatter(name, spindle.name)
        self.meter = Meter()
        self.figures: VibrationFigures | None = None
        self.time: float | None = None
        self.begun = math.inf
        self.quality = int(Quality.UNAVAILABLE)
        self.lost = 0
        self.blocks: list[tuple[float, float, float]] = []


class VibrationWatch:
    """Follows all vibration channels.

    Parameters
    ----------
    settings: whose channels have the role `vibration`.
    p: chance that one judgement may be a false alarm.
    width: by how much the operator's word widened the limit of a kind of finding at a place (`detect.tuning`).

    Attributes
    ----------
    air: since when each spindle has turned without a cut.
    """

    def __init__(self, settings: MachineSettings, p: float, width: Callable[[str, str], float] | None = None) -> None:
        self._width = width
        spindles = {spindle.name: spindle for spindle in settings.spindle}
        first = settings.spindle[0].name
        self._channels = {c.name: _Channel(c.name, spindles[c.spindle or first], p) for c in settings.channel if c.role == "vibration"}
        self.names = frozenset(self._channels)
        self._standing = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        self._speeds = {c.spindle or first for c in settings.channel if c.role == "spindle.speed"}
        self.air = Air(spindles)

    def unmark(self, channel: str) -> None:
        """What was told of this channel was false."""
        if channel in self._channels:
            self._channels[channel].looks.unmark()
            self._channels[channel].chatter.unmark()

    def listen(self, spindle: str, frame: Frame, air: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Note since when the spindle has turned steadily without a cut; `air`: (n,) at which rows of the frame it did."""
        self.air.listen(spindle, frame, air)

    def follow(self, spindle: str, cut: Cut) -> list[Finding | Indicator]:
        """A cut opened, grew or closed; at its end, what its vibration says."""
        self.air.follow(spindle, cut)
        out: list[Finding | Indicator] = []
        for channel in self._channels.values():
            if channel.spindle == spindle and cut.phase == "closed":
                out.extend(channel.chatter.closed(cut))
        return out

    def take(self, wave: Waveform) -> list[Finding | Indicator]:
        """Figures of a block; judged when it was taken without a cut at one speed, or within a cut."""
        channel = self._channels.get(wave.channel)
        if channel is None:
            return []
        end = wave.start + len(wave.samples) / wave.rate
        channel.time, channel.quality = end, int(wave.quality)
        channel.begun = min(channel.begun, wave.start)
        channel.lost += wave.lost
        width = self._width("spindle", channel.name) if self._width is not None else 1.0
        if wave.quality > Quality.UNCERTAIN or len(wave.samples) < SHORTEST:
            channel.figures = None
            return channel.looks.stop(width)
        speed = self.air.speed(channel.spindle)
        turning = abs(speed) >= self._standing[channel.spindle]
        figures = channel.figures = vibration_figures(channel.meter, wave, speed if turning else math.nan)
        if figures.velocity_rms is not None:
            channel.blocks = [*channel.blocks, (wave.start, end, figures.velocity_rms)][-256:]
        sound = figures.validity in ("", "record_too_short")
        velocity = None if figures.validity else figures.velocity_rms
        air = self.air.within(channel.spindle, wave.start, end) if sound else None
        out: list[Finding | Indicator] = []
        if air is None or air[0] > wave.start:
            out.extend(channel.looks.stop(width))
        if air is None:
            out.extend(self._in_a_cut(channel, wave, abs(speed), turning=turning and sound))
        elif air == (wave.start, end):
            channel.chatter.air(wave)
            if velocity is not None:
                out.append(
                    Indicator(time=end, channel=channel.name, operation="", tool="", name="velocity_rms", value=velocity, unit="mm/s")
                )
            out.extend(channel.looks.air(wave, abs(speed), velocity, width))
        else:
            # A block at the edge of a cut: the part of it that was taken in air.
            out.extend(channel.looks.air(_part(wave, *air), abs(speed), None, width))
            if air[1] < end:
                out.extend(channel.looks.stop(width))
        return out

    def _in_a_cut(self, channel: _Channel, wave: Waveform, rpm: float, *, turning: bool) -> list[Finding | Indicator]:
        cut = self.air.cut(channel.spindle)
        if cut is None or cut.opened > wave.start or cut.held or not turning:
            return []
        width = self._width("chatter", cut.operation.key) if self._width is not None else 1.0
        return channel.chatter.cutting(wave, cut, rpm, width)

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

    def words(self, now: float) -> tuple[Coverage, ...]:
        """How well spindle, bearings and chatter are watched by each channel that brings samples."""
        out: list[Coverage] = []
        for channel in self._channels.values():
            if channel.time is not None:
                waited = channel.time - channel.begun
                out.extend(channel.looks.words(now, speed_known=channel.spindle in self._speeds, waited=waited))
                out.extend(channel.chatter.words(now, speed_known=channel.spindle in self._speeds))
        return tuple(out)

    def saved(self) -> dict[str, VibrationState]:
        """What survives a restart."""
        return {
            name: VibrationState(channel.looks.saved(), channel.chatter.saved(), channel.lost) for name, channel in self._channels.items()
        }

    def restore(self, saved: dict[str, VibrationState]) -> None:
        """Take back what `saved` gave."""
        for name, state in saved.items():
            if name in self._channels:
                self._channels[name].looks.restore(state.looks)
                self._channels[name].chatter.restore(state.chatter)
                self._channels[name].lost = state.lost

    def validities(self) -> Iterator[tuple[str, str]]:
        """Channel and validity of its latest block, of those that gave one: '' or a key under [reason]."""
        return ((channel.name, channel.figures.validity) for channel in self._channels.values() if channel.figures is not None)

    def fed(self, name: str) -> bool:
        """Whether a block of this channel was ever taken."""
        return self._channels[name].time is not None

    def known(self, name: str, moments: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) whether what was taken last of a channel, which was fed, is believed at these moments."""
        channel = self._channels[name]
        end = channel.time if channel.time is not None else -math.inf
        known: NDArray[np.bool_] = (moments - end <= FRESH) & (channel.quality <= Quality.UNCERTAIN)
        return known

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
        speed = self.air.speed(channel.spindle)
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
            baseline_rms=channel.looks.velocity.baseline(speed) if speed == speed else None,
            validity=figures.validity if figures else "no_signal",
        )


def _part(wave: Waveform, start: float, stop: float) -> Waveform:
    """Samples that were taken from `start` to `stop`."""
    first, last = math.ceil((start - wave.start) * wave.rate), math.floor((stop - wave.start) * wave.rate)
    samples = wave.samples[max(first, 0) : max(last, 0)]
    return dataclasses.replace(wave, start=wave.start + max(first, 0) / wave.rate, samples=samples, lost=wave.lost if first <= 0 else 0)
