"""Vibration within the pass: which blocks are judged, what a cut gets of them, and what is shown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.detect.spindle import LEARN
from agent.model import Finding, Indicator
from agent.segment import Frame
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from agent.vibration import VibrationWatch
from drivers.model import Quality, Waveform
from tests.support.cuts import cut

RATE = 6667.0
N = 4096
SETTINGS = MachineSettings(machine=MachineOptions(name="essai"), channel=(ChannelOptions(name="vibration", role="vibration"),))


def wave(start: float, amplitude: float = 0.05, quality: Quality = Quality.GOOD, lost: int = 0) -> Waveform:
    """A tone of 100 Hz, g, on three axes."""
    t = np.arange(N) / RATE
    tone = amplitude * np.sin(2.0 * math.pi * 100.0 * t)
    samples = np.round(np.column_stack([tone, 0.5 * tone, 0.2 * tone]) * 2048.0).astype(np.int16)
    return Waveform("sensor", "vibration", start, RATE, samples, 1.0 / 2048.0, "g", quality, lost)


def frame(start: float, stop: float, speed: float = 1500.0) -> Frame:
    """The spindle turns so."""
    time = np.arange(start, stop, 0.05)
    n = len(time)
    ok = np.ones(n, dtype=bool)
    return Frame(time, np.full(n, 5.0), np.full(n, speed), ok, 1, "1", "4", "", 1, "")


def listen(watch: VibrationWatch, heard: Frame, *, air: bool = True) -> None:
    """All rows in air, or none."""
    watch.listen("S1", heard, np.full(len(heard.time), air))


def test_the_velocity_of_a_tone() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    watch.take(wave(0.0, 1.0))
    (view,) = watch.views(0.7)
    assert view.velocity_rms == pytest.approx(11.04, rel=0.02)
    assert view.acceleration_rms == pytest.approx(1.0 / math.sqrt(2.0), rel=0.01)
    assert view.validity == ""


def test_blocks_without_a_cut_at_a_steady_speed_are_judged_and_no_others() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    listen(watch, frame(0.0, 1.0), air=False)
    assert watch.take(wave(0.2)) == []
    listen(watch, frame(1.0, 1.5))
    listen(watch, frame(1.5, 3.0))
    (indicator,) = watch.take(wave(2.0))
    assert isinstance(indicator, Indicator)
    assert indicator.name == "velocity_rms"
    changing = frame(3.0, 4.0, 800.0)
    watch.listen("S1", changing, changing.time > 3.35)
    assert watch.take(wave(3.3)) == []
    listen(watch, frame(5.5, 7.0))
    assert watch.take(wave(5.2)) == [], "nobody saw the load from 4.0 to 5.5"


def test_a_spindle_that_shakes_more_is_found() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    found: list[Finding] = []
    for i in range(LEARN + 40):
        listen(watch, frame(float(i), i + 1.0))
        level = 0.05 if i < LEARN + 10 else 0.12
        found += [item for item in watch.take(wave(i + 0.3, level * (1.0 + 0.02 * (i % 3)))) if isinstance(item, Finding)]
    assert [(finding.kind, finding.channel, finding.finished) for finding in found] == [("spindle", "vibration", False)]


def test_a_cut_gets_the_velocity_of_the_blocks_within_it() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    watch.take(wave(0.5, 1.0))
    inside = watch.of_cut("S1", cut(100.0, opened=0.0))
    outside = watch.of_cut("S1", cut(100.0, opened=0.6))
    assert inside.features.vibration_rms == pytest.approx(11.04, rel=0.02)
    assert outside.features.vibration_rms is None


def test_an_old_or_bad_block_is_not_shown_as_live() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    assert watch.views(0.0)[0].validity == "no_signal"
    watch.take(wave(0.0, lost=7))
    assert watch.views(1.0)[0].velocity_rms is not None
    (old,) = watch.views(5.0)
    assert (old.velocity_rms, old.quality, old.lost) == (None, Quality.UNAVAILABLE, 7)
    watch.take(wave(5.0, quality=Quality.BAD))
    assert watch.views(5.7)[0].velocity_rms is None


def test_what_survives_a_restart() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    for i in range(30):
        listen(watch, frame(float(i), i + 1.0))
        watch.take(wave(i + 0.3))
    other = VibrationWatch(SETTINGS, 2.5e-6)
    other.restore(watch.saved())
    assert other.saved() == watch.saved()


def test_the_part_of_a_block_that_lies_in_air_counts_and_long_without_any_is_said() -> None:
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    for i in range(0, 80, 2):
        heard = frame(float(i), i + 2.0)
        watch.listen("S1", heard, (heard.time >= i + 0.1) & (heard.time < i + 1.3))
        for start in (0.0, 0.65, 1.3):
            watch.take(wave(i + start))
    looks = watch._channels["vibration"].looks.condition.looks()
    assert looks[0] >= 6, "the first block begins in a cut, the second ends in one; together they are a look"
    busy = VibrationWatch(SETTINGS, 2.5e-6)
    for i in range(700):
        listen(busy, frame(float(i), i + 1.0), air=False)
        busy.take(wave(float(i)))
    words = {word.scope: word for word in busy.words(700.0)}
    assert words["vibration/vibration"].reason == "condition_no_air"


@pytest.mark.parametrize(("clipped", "whole"), [((), 3), ((1,), 1), ((2,), 2), ((0, 1, 2), 0)])
def test_a_block_at_the_end_of_the_range_ends_a_record_and_is_in_none(clipped: tuple[int, ...], whole: int) -> None:
    """Looks of the trend and of the bearings are made of what can be believed alone: of the `whole` blocks before the first clipped one."""
    watch = VibrationWatch(SETTINGS, 2.5e-6)
    listen(watch, frame(0.0, 3.0))
    for i in range(3):
        block = wave(0.3 + i * N / RATE)
        if i in clipped:
            block.samples[7, 0] = 32767
        watch.take(block)
        assert watch.views(block.start + 0.7)[0].validity == ("saturated" if i in clipped else "")
        if i in clipped:
            break
    listen(watch, frame(3.0, 4.0), air=False)
    watch.take(wave(3.2))
    assert watch.saved()["vibration"].looks.looked == pytest.approx(0.3 + whole * N / RATE if whole else -math.inf)
