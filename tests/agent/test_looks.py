"""One look in ten seconds at a spindle in air: what is gathered, what speaks, and that one cause is one alert."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect.trend import FIRST, FLOOR
from agent.features import CONDITION
from agent.looks import EVERY, Looks, LooksState, named
from agent.model import Finding, Indicator, Word
from agent.settings import BearingOptions, SpindleOptions
from drivers.model import Quality, Waveform

RATE = 12_000.0
BEARING = BearingOptions(name="avant", n=9, d=7.94, D=39.04)
SPINDLE = SpindleOptions(bearings=(BEARING,), iso_group=2, iso_support="rigid")
RPM = 1800.0


def wave(start: float, samples: np.ndarray, rate: float = RATE, lost: int = 0) -> Waveform:
    return Waveform("s", "vibration", start, rate, samples.astype(np.float32), 1.0, "g", Quality.GOOD, lost)


def air(seed: int, seconds: float = 2.0, level: float = 0.05, strikes: float = 0.0, order: float = 3.5848) -> np.ndarray:
    """Two axes of noise, and rings of 3.1 kHz at each strike."""
    draw = np.random.default_rng(seed)
    n = round(seconds * RATE)
    out = level * draw.standard_normal((n, 2))
    at = float(draw.uniform(0.0, 0.01))
    ring = np.exp(-np.arange(120) / 18.0) * np.sin(2.0 * math.pi * 3100.0 / RATE * np.arange(120))
    while strikes and at * RATE < n - 120:
        out[int(at * RATE) : int(at * RATE) + 120, 0] += strikes * ring
        at += 1.0 / (order * RPM / 60.0) * (1.0 + 0.003 * draw.standard_normal())
    return out


def follow(looks: Looks, levels: list[tuple[float, float]], begin: float = 0.0) -> list[Finding]:
    """Findings over looks with these levels of noise and of strikes."""
    found: list[Finding] = []
    for i, (level, strikes) in enumerate(levels):
        start = begin + EVERY * i
        told = looks.air(wave(start + 8.0, air(i + int(begin), level=level, strikes=strikes)), RPM, 0.5, 1.0)
        found += [item for item in told if isinstance(item, Finding)]
        looks.stop(1.0)
    return found


def test_all_figures_have_a_name_and_a_unit() -> None:
    figures = named(3)
    assert len(figures) == 3 * len(CONDITION)
    assert [(f.name, f.axis, f.unit) for f in figures[:4]] == [
        ("rms", "x", "g"), ("peak", "x", "g"), ("kurtosis", "x", ""), ("velocity", "x", "mm/s"),
    ]  # fmt: skip


def test_a_healthy_spindle_is_learned_and_says_nothing() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    words = {cover.scope: cover for cover in looks.words(0.0, speed_known=True)}
    assert words["vibration/vibration"].word is Word.LEARNING
    assert words["bearing/vibration"].reason == "bearing_record"
    assert follow(looks, [(0.05, 0.0)] * (FIRST + 15)) == []
    words = {cover.scope: cover for cover in looks.words(0.0, speed_known=True)}
    assert words["vibration/vibration"].word is Word.MONITORING
    assert words["bearing/vibration"].word is Word.MONITORING
    assert looks.words(0.0, speed_known=False)[1].reason == "no_speed_channel"


def test_every_look_says_how_far_all_figures_together_are_from_usual() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    scores: list[float] = []
    limit = math.inf
    for i in range(FIRST + 45):
        level = 0.05 if i < FIRST + 5 else 0.25
        for item in looks.air(wave(EVERY * i + 8.0, air(i, level=level)), RPM, 0.5, 1.0) + looks.stop(1.0):
            if isinstance(item, Indicator) and item.name == "condition_score":
                scores.append(item.value)
            elif isinstance(item, Finding):
                limit = math.log(item.threshold) / FLOOR
                assert scores[-1] == pytest.approx(math.log(item.score) / FLOOR)
    assert len(scores) == 45, "while it learns there is nothing to compare with"
    assert abs(scores[3]) < limit < scores[-1]


def test_several_figures_that_rise_together_are_told_with_what_leads() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    (found,) = follow(looks, [(0.05, 0.0)] * (FIRST + 5) + [(0.25, 0.0)] * 40)
    assert (found.kind, found.channel, found.evidence["several"]) == ("spindle", "vibration", True)
    assert found.evidence["unit"] == "g"
    assert float(found.evidence["change_pct"] or 0) > 100.0
    assert found.evidence["zone"] in ("A", "B", "C", "D")
    assert found.evidence["n_looks"] in range(FIRST + 5, FIRST + 12)
    assert found.score > found.threshold > 1.0


def test_a_damaged_race_is_named_and_the_trend_beside_it_is_silent() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    found = follow(looks, [(0.05, 0.0)] * FIRST + [(0.05, 0.6)] * 40)
    assert next(f.evidence.get("outer_race") for f in found if not f.finished) is True
    assert len(found) == 1, [f.evidence for f in found]
    assert found[0].evidence["hz"] == pytest.approx(3.5848 * RPM / 60.0, rel=0.01)
    assert found[0].evidence["bearing"] == "avant"
    assert found[0].severity == "warning"


def test_the_scores_of_all_defects_are_handed_out_with_each_record() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    told = looks.air(wave(8.0, air(1, strikes=0.6)), RPM, 0.5, 1.0)
    scores = {item.name: item.value for item in told if isinstance(item, Indicator)}
    assert set(scores) == {"bearing_outer_race", "bearing_inner_race", "bearing_ball"}
    assert max(scores, key=lambda name: scores[name]) == "bearing_outer_race"


@pytest.mark.parametrize(("rate", "seconds", "judged"), [(RATE, 2.0, True), (RATE, 1.5, False), (9_000.0, 2.0, False)])
def test_a_short_or_slow_record_names_no_race(rate: float, seconds: float, judged: bool) -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    samples = air(1, seconds=seconds * rate / RATE, strikes=0.6)
    told = [*looks.air(wave(8.0, samples, rate), RPM, None, 1.0), *looks.stop(1.0)]
    assert any(isinstance(item, Indicator) for item in told) is judged
    assert looks.condition.looks()[0] == 1, "of the figures it is a look all the same"
    if rate < 10_000.0:
        assert looks.words(0.0, speed_known=True)[1].reason == "bearing_rate"


@pytest.mark.parametrize("break_", ["lost", "gap", "speed", "rate"])
def test_a_record_is_gapless_at_one_speed(break_: str) -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    half = air(1, seconds=1.0, strikes=0.6)
    looks.air(wave(8.0, half), RPM, None, 1.0)
    second = wave(9.0 + (0.5 if break_ == "gap" else 0.0), half, RATE / 1.0 if break_ != "rate" else 11_000.0, 7 if break_ == "lost" else 0)
    told = looks.air(second, RPM * (1.05 if break_ == "speed" else 1.0), None, 1.0)
    assert not any(isinstance(item, Indicator) for item in told)


def test_looks_are_ten_seconds_apart() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    for i in range(30):
        looks.air(wave(8.0 + i, air(i, seconds=1.0)), RPM, None, 1.0)
    assert looks.condition.looks()[0] == 3


def test_a_restart_changes_nothing() -> None:
    levels = [(0.05, 0.0)] * (FIRST + 4) + [(0.25, 0.3)] * 20
    whole = Looks("vibration", SPINDLE, 2.5e-6)
    expected = follow(whole, levels)
    first, second = Looks("vibration", SPINDLE, 2.5e-6), Looks("vibration", SPINDLE, 2.5e-6)
    begun = follow(first, levels[:27])
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.saved()), type=LooksState))
    rest: list[Finding] = []
    for i, (level, strikes) in enumerate(levels):
        if i >= 27:
            told = second.air(wave(EVERY * i + 8.0, air(i, level=level, strikes=strikes)), RPM, 0.5, 1.0)
            rest += [item for item in told if isinstance(item, Finding)]
            second.stop(1.0)
    assert begun + rest == expected
    assert expected
    assert msgspec.msgpack.encode(second.saved()) == msgspec.msgpack.encode(whole.saved())


def test_what_was_false_may_be_told_again() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    assert follow(looks, [(0.05, 0.0)] * FIRST + [(0.05, 0.6)] * 6)
    looks.unmark()
    assert follow(looks, [(0.05, 0.6)] * 6, begin=1000.0)


def test_a_clock_that_was_ahead_before_a_restart_does_not_stop_the_looks() -> None:
    looks = Looks("vibration", SPINDLE, 2.5e-6)
    looks.restore(LooksState(looked=1e6))
    looks.air(wave(8.0, air(1)), RPM, 0.5, 1.0)
    assert looks.condition.looks()[0] == 1
