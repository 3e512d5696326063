"""A break in the first cut ever: by this cut alone, only while it lasts, and only where a register says that it lasts."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from agent.detect import looks
from agent.detect.baseline import Baseline, Prior
from agent.detect.first import LEFT, LONGER, STAYS, First
from agent.maintenance import plan
from agent.model import Alert, Cut, Finding
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import MonitoringOptions
from drivers.model import Readings
from tests.support.cuts import cut
from tests.support.lathe import pieces, settings

PLAN = plan(DataPaths.find(None))
NOISE, LEVEL = 0.2, 25.0
NEW = Baseline(key="S1/1/r1/T4/1", spindle="S1", program="1", tool="4", section="1", since=0.0)


def grown(at: float, level: float, work: float) -> Cut:
    one = cut(50.0)
    return msgspec.structs.replace(
        one, phase="grown", time=one.opened + at, features=msgspec.structs.replace(one.features, level=level, work=work, duration=at)
    )


def look(
    levels: dict[float, float], baseline: Baseline = NEW, noise: float = NOISE, held: str = "", first: First | None = None
) -> list[Finding]:
    """Ten looks a second at what is said of the load from these moments on, to 30 s."""
    first, work, found = first or First(), 0.0, []
    for i in range(1, 301):
        level = next(v for t, v in reversed(levels.items()) if t <= i / 10)
        work += 0.1 * level
        one = msgspec.structs.replace(grown(i / 10, level, work), held=held)
        if (finding := first.look(one, baseline, noise)) is not None:
            found.append(finding)
    return found


def test_a_load_that_goes_and_stays_away_is_told_once_it_has_for_long_enough() -> None:
    finding = look({0.0: LEVEL, 6.0: 0.5})[0]
    assert (finding.kind, finding.severity, finding.evidence["first"]) == ("breakage", "warning", True)
    assert finding.time == pytest.approx(6.0 + STAYS, abs=0.15)
    assert finding.evidence["at_s"] == pytest.approx(6.0, abs=0.15)
    assert finding.score == pytest.approx(1.0 - 0.5 / LEVEL, abs=0.01)


@pytest.mark.parametrize(
    "levels",
    [
        {0.0: LEVEL},
        {0.0: LEVEL, 6.0: 0.0, 10.5: LEVEL},
        {0.0: LEVEL, 6.0: 0.0, 10.5: LEVEL, 11.0: 0.0, 15.5: LEVEL},
        {0.0: LEVEL, 6.0: 2.0 * LEFT * LEVEL},
        {0.0: 0.0, 12.0: LEVEL},
        {0.0: LEVEL, 26.0: 0.0},
    ],
    ids=["good", "away for a while", "away twice", "lighter", "approach", "end"],
)
def test_what_is_not_told_in_the_first_cut(levels: dict[float, float]) -> None:
    assert look(levels) == []


def test_a_long_cut_may_be_away_for_longer() -> None:
    assert look({0.0: LEVEL, 20.0: 0.0})[0].time == pytest.approx(20.0 + max(STAYS, LONGER * 20.0), abs=0.15)
    first, work = First(), 100.0 * LEVEL
    times = [t for t in np.arange(100.0, 120.0, 0.1) if first.look(grown(float(t), 0.0, work), NEW, NOISE) is not None]
    assert times[0] == pytest.approx(100.0 + LONGER * 100.0, abs=0.15)


def test_what_is_held_known_seen_in_the_noise_or_cut_by_the_load_alone() -> None:
    broken = {0.0: LEVEL, 6.0: 0.0}
    assert look(broken, held="mode") == []
    assert look(broken, noise=LEVEL / 9.0) == []
    for change in ({"good": 3}, {"seen": 1}, {"by_load": True}):
        assert look(broken, msgspec.structs.replace(NEW, **change)) == []


def test_looks_that_were_not_told_end_the_stretch() -> None:
    first = First()
    for i in range(60, 105):
        assert first.look(grown(i / 10, 0.0, 6.0 * LEVEL), NEW, NOISE) is None
    first.forget(grown(1.0, 0.0, 0.0).id)
    assert first.look(grown(11.5, 0.0, 6.0 * LEVEL), NEW, NOISE) is None


def test_in_the_first_cut_of_an_operation_every_look_is_told() -> None:
    def bounds(baseline: Baseline, **options: bool) -> looks.Bounds:
        return looks.bounds(baseline, Prior(), 2.5e-6, MonitoringOptions(**options))

    assert bounds(NEW) is looks.EVERY
    assert bounds(NEW, first_cuts=False)[:2] == looks.NONE[:2]
    assert bounds(msgspec.structs.replace(NEW, seen=1))[:2] == looks.NONE[:2]
    assert bounds(msgspec.structs.replace(NEW, by_load=True))[:2] == looks.NONE[:2]


def batch_of_one(broken: float | None) -> Readings:
    """Twenty seconds of idling, one pass of twenty seconds that a register names, idling."""
    time = np.arange(0.0, 50.0, 0.05)
    noise = np.random.default_rng(3).normal(0.0, 0.3, len(time))
    section = (time >= 20.0) & (time < 40.0)
    cutting = section & (time < (20.0 + broken if broken is not None else np.inf))
    columns = {"load": 6.0 + noise + 40.0 * cutting, "speed": 1500.0, "tool": 4.0, "part": 1.0, "section": section, "override": 100.0}
    values = np.column_stack([np.broadcast_to(np.asarray(column, float), len(time)) for column in columns.values()])
    return Readings("lathe", tuple(columns), time, values, np.zeros(values.shape, np.uint8))


def test_a_batch_of_one_through_the_pass() -> None:
    def told(broken: float | None, *, section: bool = True) -> list[Alert]:
        monitor = Monitor(settings(section=section, cycle=False), PLAN)
        events = [event for piece in pieces(batch_of_one(broken), itertools.repeat(31)) for event in monitor.feed(piece)]
        return [e for e in events + monitor.finish() if isinstance(e, Alert) and e.transition == "raised" and e.kind != "sensor"]

    (alert,) = told(8.0)
    assert (alert.kind, alert.tool, alert.severity) == ("breakage", "4", "warning")
    assert alert.raised == pytest.approx(28.0 + STAYS, abs=0.4)
    assert told(None) == []
    assert told(8.0, section=False) == [], "its end and a break are the same fall"
