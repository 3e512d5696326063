"""Wear by feed-axis load and vibration: found where the work is silent, silent where a sensor dies, within the budget."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.detect.baseline import Prior
from agent.detect.signals import LEAPS, Signal
from agent.detect.watch import Watch
from agent.detect.watch_state import WatchState
from agent.detect.wear import judged
from agent.model import Cut, CutFeatures, Finding, Operation
from agent.settings import MonitoringOptions

MONTH = 1.0 / 160.0
TOOLS = ("1", "2", "4")


def cut(part: int, tool: str, work: float, axis: float | None = None, vibration: float | None = None, number: int = 0) -> Cut:
    features = CutFeatures(
        samples=40,
        duration=2.0,
        mean=work / 2.0 + 5.0,
        peak=work / 2.0 + 9.0,
        idle=5.0,
        work=work,
        largest_rise=1.0,
        largest_fall=1.0,
        vibration_rms=vibration,
        axis_load={} if axis is None else {"z_load": axis},
    )
    time = 10.0 * part + float(TOOLS.index(tool))
    operation = Operation(spindle="S1", program="7", revision=1, tool=tool, section="")
    return Cut(
        id=f"{part}-{tool}-{number}", phase="closed", operation=operation, part=part, opened=time - 2.0, time=time, features=features
    )


class Lathe:
    """Three tools, one cut each a part, closed cuts only."""

    def __init__(self, **options: float) -> None:
        self.watch = Watch(MonitoringOptions(**options), MONTH)
        self.random = np.random.default_rng(3)
        self.found: list[Finding] = []

    def spread(self, sd: float) -> float:
        return math.exp(sd * float(self.random.standard_normal()))

    def part(self, part: int, axis: dict[str, float] | None = None, work: dict[str, float] | None = None, **more: float | None) -> None:
        for tool in TOOLS:
            rise = (axis or {}).get(tool, 1.0)
            one = cut(part, tool, 40.0 * self.spread(0.01) * (work or {}).get(tool, 1.0), 10.0 * self.spread(0.02) * rise, **more)
            opened = msgspec.structs.replace(one, phase="opened")
            for phase in (opened, one):
                self.found += [item for item in self.watch.on_cut(phase, 0.3) if isinstance(item, Finding)]
        self.found += [item for item in self.watch.on_part(part, whole=True) if isinstance(item, Finding)]

    def wears(self) -> list[Finding]:
        return [finding for finding in self.found if finding.kind == "wear" and not finding.finished]


def test_an_axis_that_climbs_is_wear_though_the_work_does_not_move() -> None:
    lathe = Lathe(wear_limit=0.15)
    for part in range(60):
        lathe.part(part, axis={"2": 1.0 + 0.02 * max(part - 20, 0)})
    first = lathe.wears()[0]
    assert (first.tool, first.evidence["channel"], first.evidence["axis"], first.channel) == ("2", "z_load", True, "")
    assert first.evidence["signals"] == 2
    assert first.evidence["signals_rising"] == 1
    assert first.score > first.threshold >= 0.15 - 1e-9
    assert {finding.tool for finding in lathe.wears()} == {"2"}
    assert 26 <= int(first.evidence["part"]) <= 45  # type: ignore[arg-type]


def test_both_that_climb_are_one_finding_and_the_farther_speaks() -> None:
    lathe = Lathe(wear_limit=0.15)
    for part in range(60):
        rise = max(part - 20, 0)
        lathe.part(part, axis={"2": 1.0 + 0.03 * rise}, work={"2": 1.0 + 0.01 * rise})
    last = lathe.wears()[-1]
    assert (last.evidence["channel"], last.evidence["signals_rising"]) == ("z_load", 1)
    times = [finding.time for finding in lathe.wears()]
    assert len(times) == len(set(times)), "one a part"


def test_all_axes_that_climb_together_are_no_wear() -> None:
    lathe = Lathe(wear_limit=0.15)
    for part in range(60):
        rise = 1.0 + 0.02 * max(part - 20, 0)
        lathe.part(part, axis=dict.fromkeys(TOOLS, rise))
    assert lathe.wears() == []


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -3.0, 1e-300])
def test_a_dead_sensor_is_no_wear_and_coming_back_is_none(value: float) -> None:
    for dead in (range(20, 40), range(20)):
        lathe = Lathe(wear_limit=0.15)
        for part in range(60):
            lathe.part(part, vibration=value if part in dead else 2.0 * lathe.spread(0.03))
        assert lathe.wears() == []


def test_a_leap_begins_again_only_when_it_stays() -> None:
    signal = Signal()
    for k in range(10):
        signal.take(1.0, k, 0.15, learn=True)
    for k in range(LEAPS - 1):
        assert signal.take(50.0, k, 0.15, learn=True) is None
    assert signal.take(1.0, 12, 0.15, learn=True) == 0.0
    for k in range(LEAPS):
        assert signal.take(50.0, k, 0.15, learn=True) is None
    assert signal.take(50.0, 20, 0.15, learn=True) == 0.0


def test_a_new_tool_has_a_new_anchor_and_an_old_repeatability() -> None:
    lathe = Lathe(wear_limit=0.15)
    for part in range(45):
        lathe.part(part, axis={"2": 1.0 + 0.02 * max(part - 20, 0)})
    assert lathe.wears()
    (key,) = [key for key in lathe.watch.signals.state if "/T2/" in key]
    before = lathe.watch.signals.state[key]["z_load"].repeatability
    lathe.watch.tool_changed("2", "", 500.0)
    signal = lathe.watch.signals.state[key]["z_load"]
    assert (signal.anchor, signal.ratios, signal.repeatability) == ([], [], before)
    lathe.found.clear()
    for part in range(45, 75):
        lathe.part(part)
    assert lathe.wears() == []


def test_a_new_edge_without_telling_ends_the_wear_of_an_axis() -> None:
    lathe = Lathe(wear_limit=0.15)
    for part in range(45):
        lathe.part(part, axis={"2": 1.0 + 0.02 * max(part - 20, 0)})
    assert lathe.watch.state.worn == ["2"]
    assert not [finding for finding in lathe.found if finding.finished], "the work, which never rose, takes nothing back"
    for part in range(45, 50):
        lathe.part(part)
    assert [finding.tool for finding in lathe.found if finding.finished] == ["2"]
    assert lathe.watch.state.worn == []


def test_it_survives_a_restart() -> None:
    lathe, again = Lathe(wear_limit=0.15), Lathe(wear_limit=0.15)
    for part in range(45):
        lathe.part(part, axis={"2": 1.0 + 0.02 * max(part - 20, 0)}, vibration=2.0)
    saved = msgspec.msgpack.encode(lathe.watch.saved())
    again.watch.restore(msgspec.msgpack.decode(saved, type=WatchState))
    assert msgspec.msgpack.encode(again.watch.saved()) == saved
    assert again.watch.signals.share(0.3) == pytest.approx(0.1)
    again.watch.signals.forget_channels(["z_load"])
    assert {name for signals in again.watch.signals.state.values() for name in signals} == {"vibration"}


@pytest.mark.parametrize("signals", [1, 3])
def test_the_false_alarms_of_all_signals_together_stay_within_p(signals: int) -> None:
    """At a p large enough to be counted: of white Gaussian signals, the share of looks at which any is beyond its limit."""
    p, random = 0.02, np.random.default_rng(5)
    beyond = looks = 0
    for _ in range(60):
        tracks = [Signal() for _ in range(signals)]
        for k in range(80):
            for track in tracks:
                track.take(math.exp(0.05 * float(random.standard_normal())), k, 9.0, learn=True)
            if k >= 20:
                looks += 1
                seen = [judged(track, Prior(), p / signals, 0.0) for track in tracks]
                beyond += any(one[0] > one[1] for one in seen if one is not None)
    assert beyond / looks <= p


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "t4"])
@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_no_wear_in_four_thousand_healthy_cuts_of_three_signals(phi: float, *, heavy: bool) -> None:
    """Work, an axis and vibration that resemble their neighbours, at the default budget of one false alarm a month."""
    lathe, random = Lathe(), np.random.default_rng(3)
    state = {tool: [0.0, 0.0, 0.0] for tool in TOOLS}
    for part in range(1334):
        for tool, now in state.items():
            for i, sd in enumerate((0.01, 0.03, 0.08)):
                draw = float(random.standard_t(4)) / math.sqrt(2.0) if heavy else float(random.standard_normal())
                now[i] = phi * now[i] + math.sqrt(1.0 - phi * phi) * sd * draw
            one = cut(part, tool, 40.0 * math.exp(now[0]), 10.0 * math.exp(now[1]), 2.0 * math.exp(now[2]))
            for phase in (msgspec.structs.replace(one, phase="opened"), one):
                lathe.watch.on_cut(phase, 0.3)
        lathe.found += [item for item in lathe.watch.on_part(part, whole=True) if isinstance(item, Finding)]
    assert lathe.wears() == []
