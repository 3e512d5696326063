"""What each detector can see at the budget, before anything is learned: for operations that repeat as `REPEATS` says.

The figures are those of the detectors' own limits, asked with the number of good cuts after which an operation counts as watched. They are
for `check`; once cuts are known, the page tells each operation's own.
"""

from __future__ import annotations

import math

import msgspec

from agent.detect import drift, missing, overload, spindle, wear
from agent.detect.baseline import ANCHOR_MINIMUM, MEDIAN_EFFICIENCY
from agent.detect.budget import prediction_factor, tail_factor
from agent.settings import MonitoringOptions

REPEATS = 0.02
"""Relative standard deviation of the work from cut to cut, assumed: the simulated lathe and hahn_lathe's steady cuts have 0.9 to 2 %."""
CORRELATED = 0.3
"""AR(1) coefficient from cut to cut, assumed: what the charts themselves begin with (`agent.kernels.drift.PRIOR_MEAN`)."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Of one detector.

    Attributes
    ----------
    detector: kind of its findings. change: smallest change that is told, as a fraction; below 0: a fall.
    passes: cuts (spindle: looks without a cut) after which it is told. cuts: good ones that it needs before.
    """

    detector: str
    change: float
    passes: int
    cuts: int


def reaches(options: MonitoringOptions, p: float, sd: float = REPEATS, phi: float = CORRELATED) -> tuple[Reach, ...]:
    """Of every detector whose limit comes from the budget. `p`: chance that one evaluation may be a false alarm."""
    n = options.monitor_cuts
    factor = prediction_factor(n, n - 1, p)
    share = min(max(math.exp(-factor * sd), missing.LOWEST), missing.HIGHEST)
    steps = tail_factor(max(int(MEDIAN_EFFICIENCY * n), 2), math.sqrt(p / 3.0)) * sd * math.sqrt(1.0 + 0.5 * math.pi / ANCHOR_MINIMUM)
    learned = spindle.LEARN
    rise = max(spindle.RISE, prediction_factor(learned, learned - 1, p) * sd)
    fewest = drift.enough(phi, 1.0 / p, n) or drift.MOST
    fall = drift.visible(fewest, phi, 1.0 / p) * sd
    return (
        Reach(detector="missing", change=share - 1.0, passes=1, cuts=n),
        Reach(detector="overload", change=math.expm1(max(factor * sd, math.log1p(overload.FLOOR))), passes=1, cuts=n),
        Reach(detector="wear", change=math.expm1(max(steps, math.log1p(options.wear_limit))), passes=wear.FILTER, cuts=n),
        Reach(detector="drift", change=-max(-math.expm1(-fall), options.smallest_drift), passes=drift.WITHIN, cuts=fewest),
        Reach(detector="spindle", change=math.expm1(rise), passes=spindle.RECENT, cuts=learned),
    )
