"""What `check` says that the budget can see."""

from __future__ import annotations

import msgspec

from agent.detect import budget, drift
from agent.detect.reach import Reach, reaches
from agent.settings import MonitoringOptions

P = budget.probability(1.0 / 160.0)


def of(options: MonitoringOptions, p: float, sd: float = 0.02) -> dict[str, Reach]:
    return {reach.detector: reach for reach in reaches(options, p, sd)}


def test_each_detector_says_what_it_sees() -> None:
    told = of(MonitoringOptions(), P)
    assert set(told) == {"missing", "overload", "wear", "drift", "spindle"}
    assert told["missing"].change == -0.4
    assert told["drift"].change == -0.05
    assert drift.supported(told["drift"].cuts, 0.3, 1.0 / P)
    assert not drift.supported(told["drift"].cuts - 10, 0.3, 1.0 / P)


def test_a_larger_budget_and_steadier_cuts_show_more() -> None:
    options = msgspec.structs.replace(MonitoringOptions(), smallest_drift=0.0, wear_limit=0.01)
    wide, narrow = of(options, P), of(options, 1e-3)
    assert narrow["wear"].change < wide["wear"].change
    assert narrow["drift"].cuts < wide["drift"].cuts
    for kind in ("wear", "drift"):
        assert abs(of(options, P, 0.01)[kind].change) < abs(wide[kind].change)
