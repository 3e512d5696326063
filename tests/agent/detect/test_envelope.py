"""A growing cut against the band, below it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detect import looks
from agent.detect.baseline import Baseline, Prior
from agent.detect.envelope import AROUND, GONE, LASTS, NOWHERE, Envelope, places
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


def look(levels: dict[float, float], baseline: Baseline) -> list[Finding]:
    envelope, work, found = Envelope(2.5e-6), 0.3 * LEVEL, []
    for at, level in levels.items():
        work += 0.1 * level
        if (finding := envelope.look(grown(at, level, work=work), baseline, NOISE)) is not None:
            found.append(finding)
    return found


def at(level: float, start: float, stop: float) -> dict[float, float]:
    return {round(0.1 * i, 1): level if start <= 0.1 * i < stop else LEVEL for i in range(3, 18)}


def test_a_good_cut_says_nothing() -> None:
    assert look(at(LEVEL, 0.0, 9.0), learned()) == []


def test_a_load_that_stays_low_is_a_break_and_says_for_how_long() -> None:
    found = look(at(1.0, 0.6, 9.0), learned())
    assert found[0].kind == "breakage"
    assert found[0].evidence["band"] is True
    assert found[0].evidence["below_s"] == pytest.approx(0.3)
    assert found[0].score == pytest.approx(0.96, abs=0.01)
    assert found[0].time == pytest.approx(0.9)


def test_a_load_that_never_came_is_a_missing_tool() -> None:
    envelope, baseline = Envelope(2.5e-6), learned()
    found = [f for i in range(3, 12) if (f := envelope.look(grown(0.1 * i, 0.1, work=0.01 * i), baseline, NOISE)) is not None]
    assert found[0].kind == "missing"
    assert found[0].evidence["absent"] is False
    assert found[0].score < 0.02


def test_a_load_that_stays_high_is_the_business_of_others() -> None:
    assert look(at(45.0, 0.6, 9.0), learned()) == []


@pytest.mark.parametrize(
    "levels", [at(1.0, 0.6, 0.6 + 2.0 * LASTS), at(15.0, 0.6, 9.0), at(35.0, 0.6, 9.0)], ids=["short", "third", "more"]
)
def test_a_moment_and_a_small_change_are_not_told(levels: dict[float, float]) -> None:
    assert look(levels, learned()) == []


def test_a_band_of_few_curves_says_nothing() -> None:
    assert look(at(1.0, 0.6, 9.0), learned(6)) == []


def test_a_closed_cut_is_forgotten() -> None:
    envelope, baseline = Envelope(2.5e-6), learned()
    for i in range(6, 9):
        assert envelope.look(grown(0.1 * i, 1.0), baseline, NOISE) is None
    assert envelope.look(cut(50.0), baseline, NOISE) is None
    assert envelope.look(grown(0.9, 1.0), baseline, NOISE) is None


@given(
    middle=st.lists(st.floats(0.0, 100.0), min_size=2, max_size=60),
    grid=st.sampled_from([0.05, 0.1, 0.2, 0.4, 0.8, 1.6]),
    moments=st.lists(st.floats(0.01, 30.0), min_size=1, max_size=20),
)
def test_what_the_segmenter_calls_low_takes_in_all_that_is_judged_as_low(middle: list[float], grid: float, moments: list[float]) -> None:
    """At no moment is the limit above what the place of it says; between the corners of the grid, and on them."""
    band = Baseline(key="a", spindle="S1", program="1", tool="4", section="1", since=0.0)
    band.banded, band.grid, band.low, band.high = 20, grid, tuple(middle), tuple(middle)
    usual = Envelope(2.5e-6).usual(band)
    judged = 0
    for moment in (*moments, *(grid * k for k in range(1, len(middle) + 2)), *(grid * (k + 0.5) for k in range(len(middle) + 2))):
        limits = Envelope(2.5e-6)._limits(grown(moment, 1.0, idle=0.0), band, 0.0)
        if limits is not None:
            judged += 1
            now = (50.0 + moment) - 50.0
            assert limits[1] <= usual[int(now / grid)]
            assert limits[0] <= GONE * usual[int(now / grid)]
    assert judged or len(middle) * grid < 2.0 * (AROUND + grid)
    assert np.max(usual, initial=0.0) <= max(middle)


def test_the_place_is_as_tight_as_its_moments_allow() -> None:
    """A step down at 1 s: half a grid step beyond `AROUND` before it, the lower side counts."""
    middle = [30.0] * 20 + [10.0] * 20
    usual = places(tuple(middle), tuple(middle), 0.05)
    assert np.all(usual[:3] == -math.inf), "its beginning"
    assert np.all(usual[5:15] == 30.0)
    assert np.all(usual[17:35] == 10.0)
    assert np.all(usual[37:] == -math.inf)


def test_a_load_without_a_band_has_no_place() -> None:
    baseline = learned(9)
    assert len(Envelope(2.5e-6).usual(baseline)) == 0
    top, share, *_ = bounds = looks.bounds(baseline, Prior(), 2.5e-6, MonitoringOptions(), looks.both(NOWHERE, NOWHERE))
    assert math.isfinite(top)
    assert share == 0.5
    assert bounds[4] == math.inf


def test_a_new_band_is_worked_out_anew() -> None:
    envelope, baseline = Envelope(2.5e-6), learned()
    before = envelope.usual(baseline)
    assert envelope.usual(baseline) is before
    for i in range(20, 60):
        baseline.learn(cut(60.0, 10.0 * i, i, tuple(IDLE + 30.0 for _ in range(41))), NOISE)
    assert envelope.usual(baseline)[20] == pytest.approx(35.0)


def test_looks_that_were_not_told_end_a_low_stretch() -> None:
    envelope, baseline = Envelope(2.5e-6), learned()
    assert envelope.look(grown(0.3, 1.0, work=2.0), baseline, NOISE) is None
    envelope.untold(grown(0.9, LEVEL).id)
    assert envelope.look(grown(1.0, 1.0, work=17.0), baseline, NOISE) is None
    assert envelope.look(grown(1.1, 1.0, work=17.1), baseline, NOISE) is None
    assert envelope.look(grown(1.3, 1.0, work=17.3), baseline, NOISE) is not None
