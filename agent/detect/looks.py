"""Which looks at a growing cut need no judge.

A growing cut is looked at ten times a second. Of all those looks overload, breakage, envelope, `ceiling` and `first` judge, and all say
nothing while the load is within these bounds: not above the lowest limit, not fallen by the least share that is asked, and not below what
is low anywhere in the band. In the very first cut of an operation all are told. `agent.kernels.segment.advance` holds every look against
them and tells only those beyond. Whoever judges growing cuts by anything else has to widen the bounds here, or is not asked.
"""

from __future__ import annotations

import math

from agent.detect import breakage, envelope, first, overload
from agent.detect.baseline import Baseline, Prior
from agent.settings import MonitoringOptions

Bounds = tuple[float, float, float]
"""Load above idle (unit of the load) up to which there is no overload, largest fall as a share of the load before it below which nothing
broke, load above idle down to which nothing is missing."""
EVERY: Bounds = (-math.inf, 0.0, -math.inf)
"""Bounds by which each look is told."""
NONE: Bounds = (math.inf, math.inf, -math.inf)
"""... and none."""


def bounds(baseline: Baseline, prior: Prior, p: float, options: MonitoringOptions, highest: float = math.inf) -> Bounds:
    """Of one operation.

    `prior`: of the peak. `p`: chance that one evaluation may be a false alarm. `highest`: load above idle up to which
    neither cutting data nor the band find it too high.
    """
    learned = overload.limit(baseline, prior, p) if baseline.good >= options.learn_cuts else math.inf
    top = min(learned, highest)
    if baseline.good < breakage.FEWEST:
        return EVERY if options.first_cuts and first.asked(baseline) else (top, math.inf, -math.inf)
    share = max(breakage.SHARE, baseline.fall_share + breakage.BEYOND_USUAL)
    low = envelope.lowest(baseline)
    return top, min(share, envelope.GONE) if low > -math.inf else share, low
