"""Chatter: on synthetic signals alone, for there is no public recording of it. What is shown holds for them, and for nothing else."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.detect.chatter import LOWEST_RATE, PERSIST, SHARE, Chatter, ChatterState, look
from agent.model import Cut, Finding, Word
from drivers.model import Quality, Waveform
from tests.support.cuts import cut

RATE = 6667.0
RPM = 3000.0


def cutting(seed: int, chatter: float = 0.0, hz: float = 1130.0, teeth: int = 4, noise: float = 0.1, slip: float = 0.0) -> np.ndarray:
    """0.6 s: runout at 1x to 3x, teeth with harmonics, noise, and a line of its own; g. The register's speed is off by `slip`."""
    draw = np.random.default_rng(seed)
    n = round(0.6 * RATE)
    t = np.arange(n) / RATE
    turns = RPM / 60.0 * (1.0 + slip)
    phase = 2.0 * math.pi * turns * t
    out = noise * draw.standard_normal(n)
    for k in (1, 2, 3):
        out += 0.05 / k * np.sin(k * phase + draw.uniform(0.0, 6.0))
    for k in range(1, 12):
        if teeth and k * teeth * turns < 0.45 * RATE:
            out += 0.5 / k**0.7 * np.sin(k * teeth * phase + draw.uniform(0.0, 6.0))
    out += chatter * np.sin(2.0 * math.pi * hz * t + draw.uniform(0.0, 6.0))
    return np.column_stack([out, 0.3 * out])


def wave(start: float, samples: np.ndarray, lost: int = 0, rate: float = RATE) -> Waveform:
    return Waveform("s", "vibration", start, rate, samples.astype(np.float32), 1.0, "g", Quality.GOOD, lost)


def heard(pump: float = 0.0, hz: float = 1130.0) -> Chatter:
    """One that knows the vibration in air, with a pump in it."""
    t = np.arange(round(0.6 * RATE)) / RATE
    samples = 0.01 * np.random.default_rng(9).standard_normal((len(t), 2)) + pump * np.sin(2.0 * math.pi * hz * t)[:, None]
    watch = Chatter("vibration", "S1")
    watch.air(wave(0.0, samples))
    return watch


def a_cut(number: int) -> Cut:
    return msgspec.structs.replace(cut(100.0, opened=100.0 * number), id=f"S1-{number}", phase="grown")


def run(watch: Chatter, levels: list[float], number: int = 1, **given: Any) -> list[Finding]:
    """One cut, a window each."""
    its = a_cut(number)
    found = [
        item
        for i, level in enumerate(levels)
        for item in watch.cutting(wave(its.opened + 0.6 * i, cutting(100 * number + i, level, **given)), its, RPM)
    ]
    found += watch.closed(msgspec.structs.replace(its, phase="closed"))
    return [item for item in found if isinstance(item, Finding)]


@pytest.mark.parametrize("slip", [-0.02, -0.004, 0.0, 0.004, 0.02])
def test_a_cut_without_chatter_says_nothing_however_wrong_the_speed_register(slip: float) -> None:
    assert run(heard(), [0.0] * 40, slip=slip) == []


@pytest.mark.parametrize("slip", [-0.02, 0.0, 0.013])
@pytest.mark.parametrize("teeth", [0, 4])
def test_chatter_is_told_once_with_its_frequency_and_the_speed_of_the_signal(slip: float, teeth: int) -> None:
    hz = 22.45 * RPM / 60.0 * (1.0 + slip)
    (found,) = run(heard(), [0.0, 0.0, *[0.6] * 8], slip=slip, teeth=teeth, hz=hz)
    assert (found.kind, found.tool, found.channel) == ("chatter", "4", "vibration")
    assert found.evidence["hz"] == pytest.approx(hz, abs=4.0)
    assert found.evidence["rpm"] == pytest.approx(RPM * (1.0 + slip), rel=5e-3)
    assert found.score > SHARE
    assert found.cut == "S1-1"


def test_how_much_is_seen_on_these_signals() -> None:
    """A line of 0.4 of that of the teeth in at least 95 of 100 windows; without it at most 1 of 100 (of the windows that can be judged)."""
    air = np.frombuffer(heard().state.air, dtype=np.float32)
    shares = {
        level: [look(cutting(seed, level, hz=400.0 + 17.31 * (seed % 100)), RATE, RPM, air) for seed in range(200)] for level in (0.0, 0.2)
    }
    beside = [seed for seed in range(200) if 8.0 < (400.0 + 17.31 * (seed % 100)) % 50.0 < 42.0]
    judged = [seen.share for seen in shares[0.0] if seen.share == seen.share]
    assert len(judged) > 180
    assert sum(share > SHARE for share in judged) <= 0.01 * len(judged)
    found = [shares[0.2][seed].share for seed in beside if shares[0.2][seed].share == shares[0.2][seed].share]
    assert sum(share > 0.03 for share in found) >= 0.95 * len(found)


def test_a_single_window_and_a_line_that_moves_are_no_chatter() -> None:
    assert run(heard(), [0.6, 0.6, 0.0] * 6) == []
    watch, its = heard(), a_cut(1)
    for i in range(12):
        samples = cutting(i, 0.6, hz=(930.0, 1130.0, 1430.0)[i % 3])
        assert watch.cutting(wave(its.opened + 0.6 * i, samples), its, RPM) == []


def test_what_rings_in_air_too_is_a_pump() -> None:
    assert run(heard(pump=0.5), [0.6] * 10) == []


def test_the_end_is_told_by_a_cut_of_the_same_operation_in_which_nothing_rang() -> None:
    watch = heard()
    assert [f.finished for f in run(watch, [0.6] * 6, 1)] == [False]
    assert run(watch, [0.6] * 6, 2) == []
    assert run(watch, [0.0], 3) == [], "one window is too little to say so"
    assert [f.finished for f in run(watch, [0.0] * 6, 4)] == [True]
    assert [f.finished for f in run(watch, [0.6] * 6, 5)] == [False]


def test_windows_are_gapless() -> None:
    watch, its = heard(), a_cut(1)
    told = [item for i in range(12) for item in watch.cutting(wave(its.opened + 0.3 * i * 2, cutting(i, 0.6)[:2000], lost=5), its, RPM)]
    assert told == []


def test_a_widened_limit_and_a_verdict() -> None:
    watch, its = heard(), a_cut(1)
    assert [watch.cutting(wave(its.opened + 0.6 * i, cutting(i, 0.25)), its, RPM, 100.0) for i in range(6)] == [[]] * 6
    assert run(watch, [0.6] * PERSIST, 2)
    watch.unmark()
    assert run(watch, [0.6] * PERSIST, 3)


def test_what_cannot_be_judged_is_said() -> None:
    watch = Chatter("vibration", "S1")
    assert watch.words(0.0, speed_known=True)[0].word is Word.LEARNING
    assert watch.words(0.0, speed_known=False)[0].reason == "no_speed_channel"
    assert run(watch, [0.6] * 6) == [], "air is not known"
    slow = Chatter("vibration", "S1")
    slow.air(wave(0.0, cutting(1), rate=LOWEST_RATE - 1.0))
    assert slow.words(0.0, speed_known=True)[0].reason == "chatter_rate"
    quiet = heard()
    its = a_cut(1)
    hum = 0.1 * np.random.default_rng(1).standard_normal((4000, 2))
    assert quiet.cutting(wave(its.opened, hum), its, RPM) == []
    assert quiet.words(0.0, speed_known=True)[0].reason == "chatter_speed"
    assert quiet.cutting(wave(its.opened, hum), its, 300.0) == [], "multiples 5 Hz apart are not told apart"
    run(quiet, [0.0] * 3, 2)
    assert quiet.words(0.0, speed_known=True)[0].word is Word.MONITORING


def test_a_restart_keeps_air_and_what_was_told() -> None:
    watch = heard()
    run(watch, [0.6] * 6)
    other = Chatter("vibration", "S1")
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(watch.saved()), type=ChatterState))
    assert run(other, [0.6] * 6, 2) == []
    assert [f.finished for f in run(other, [0.0] * 6, 3)] == [True]
