"""A growing cut against the band, above it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect.above import Above
from agent.detect.baseline import Baseline, Prior
from agent.detect.ceiling import Ceilings
from agent.detect.envelope import LASTS
from agent.detect.growing import Growing
from agent.model import Cut, Finding
from agent.settings import MonitoringOptions
from tests.support.cuts import cut

NOISE = 0.2
LEVEL, IDLE = 25.0, 5.0


def learned(n: int = 20) -> Baseline:
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    for i in range(n):
        curve = tuple(IDLE + LEVEL + 0.1 * ((i * 7 + k) % 5 - 2) for k in range(41))
        baseline.learn(cut(50.0, 10.0 * i, i, curve), NOISE)
    return baseline


def grown(at: float, level: float, **features: float) -> Cut:
    one = cut(50.0)
    changed = msgspec.structs.replace(one.features, level=level, duration=at, **features)
    return msgspec.structs.replace(one, phase="grown", time=one.opened + at, features=changed)


def at(level: float, start: float, stop: float) -> dict[float, float]:
    return {round(0.1 * i, 1): level if start <= 0.1 * i < stop else LEVEL for i in range(3, 18)}


def high(levels: dict[float, float], baseline: Baseline, noise: float = NOISE) -> list[Finding]:
    above = Above(2.5e-6)
    return [f for moment, level in levels.items() if (f := above.look(grown(moment, level), baseline, noise)) is not None]


def test_a_load_that_stays_high_is_told_and_says_for_how_long() -> None:
    found = high(at(45.0, 0.6, 9.0), learned())
    assert (found[0].kind, found[0].severity, found[0].evidence["band"]) == ("overload", "warning", True)
    assert found[0].evidence["above_s"] == pytest.approx(0.3)
    assert found[0].evidence["over_pct"] == pytest.approx(80.0, abs=1.0)
    assert found[0].threshold == pytest.approx(1.5 * LEVEL, rel=0.01)
    assert found[0].time == pytest.approx(0.9)


@pytest.mark.parametrize("levels", [at(LEVEL, 0.0, 9.0), at(45.0, 0.6, 0.6 + LASTS), at(35.0, 0.6, 9.0), at(1.0, 0.6, 9.0)])
def test_what_is_not_too_high(levels: dict[float, float]) -> None:
    """A good cut, a moment, a third more (wear, a harder lot), too little."""
    assert high(levels, learned()) == []


def stepped(n: int = 20) -> Baseline:
    """Half a second heavy, then a second and a half light."""
    baseline = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)
    for i in range(n):
        curve = tuple(IDLE + (LEVEL if k < 10 else 0.3 * LEVEL) + 0.1 * ((i * 7 + k) % 5 - 2) for k in range(41))
        baseline.learn(cut(50.0, 10.0 * i, i, curve), NOISE)
    return baseline


def test_the_lighter_stretch_of_a_cut_has_a_limit_of_its_own() -> None:
    baseline = stepped()
    light = {round(0.1 * i, 1): 0.3 * LEVEL for i in range(9, 19)}
    assert high(light, baseline) == []
    found = high(dict.fromkeys(light, 0.6 * LEVEL), baseline)
    assert found[0].kind == "overload"
    assert found[0].evidence["over_pct"] == pytest.approx(100.0, abs=3.0)
    late = {round(0.1 * i, 1): LEVEL for i in range(3, 8)}
    assert high({**late, **light}, baseline) == [], "a step that comes 0.2 s late"


def test_a_rise_within_the_noise_and_a_band_of_few_curves_say_nothing() -> None:
    assert high(at(45.0, 0.6, 9.0), learned(), noise=5.0) == []
    assert high(at(45.0, 0.6, 9.0), learned(6)) == []


def test_every_look_that_is_too_high_is_told_by_the_segmenter() -> None:
    for baseline in (learned(), stepped()):
        growing = Growing(MonitoringOptions(), 2.5e-6, Ceilings(), lambda finding: finding)
        *_, places = growing.bounds(baseline, Prior(), 2.5e-6)
        top = float(np.min(places[1]))
        lowest = min(f.threshold for moment in range(3, 18) for f in high({moment / 10 + k / 10: 99.0 for k in range(6)}, baseline))
        assert 0.8 * lowest < top < lowest


def test_looks_that_were_not_told_end_a_high_stretch() -> None:
    above, baseline = Above(2.5e-6), learned()
    for moment in (0.6, 0.7):
        assert above.look(grown(moment, 45.0), baseline, NOISE) is None
    above.untold(grown(0.8, LEVEL).id)
    assert above.look(grown(1.0, 45.0), baseline, NOISE) is None
    assert above.look(grown(1.1, 45.0), baseline, NOISE) is None
    assert above.look(grown(1.3, 45.0), baseline, NOISE) is not None


def test_a_band_that_has_changed_gives_a_new_limit() -> None:
    above, baseline = Above(2.5e-6), learned()
    before = above.highest(baseline)
    for i in range(25):
        baseline.learn(cut(100.0, 1000.0 + i, 30 + i, tuple(IDLE + 2.0 * LEVEL + 0.1 * ((i + k) % 3) for k in range(41))), NOISE)
    assert above.highest(baseline) == pytest.approx(2.0 * before, rel=0.05)


def test_no_look_that_is_too_high_lies_within_the_bound_of_its_place() -> None:
    """And each stretch of a stepped cut has a bound of its own."""
    baseline = stepped()
    highest = Above(2.5e-6).highest(baseline)
    assert len(highest) == len(baseline.low)
    assert highest[2] > 2.0 * highest[-2]
    for moment in np.arange(0.0, 1.95, 0.013):
        place = int(moment / baseline.grid)
        for level in highest[place] * np.array([0.5, 0.99, 1.0]):
            above = Above(2.5e-6)
            for _ in range(20):
                assert above.look(grown(float(moment), float(level)), baseline, NOISE) is None
            assert above._high == {}
    assert len(Above(2.5e-6).highest(learned(3))) == 0
