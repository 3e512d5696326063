"""Which looks at a growing cut need no judge.

A growing cut is looked at ten times a second. Of all those looks overload, breakage, envelope and, in the first cuts of an operation,
`first` judge, and all say nothing while the load has neither risen above the gross limit nor fallen by the share that is asked at least.
`agent.kernels.segment.advance` holds every look against these two bounds and tells only those beyond them. Whoever judges growing cuts by
anything else has to widen the bounds here, or is not asked.
"""

from __future__ import annotations

import math

from agent.detect import breakage, envelope, first, overload
from agent.detect.baseline import Baseline, Prior

EVERY = (-math.inf, 0.0)
"""Bounds by which each look is told."""
NONE = (math.inf, math.inf)
"""... and none."""


def bounds(baseline: Baseline, prior: Prior, p: float, learn_cuts: int) -> tuple[float, float]:
    """Load above idle (unit of the load) up to which there is no overload, and largest fall as a share of the load before it below which
    nothing broke.

    `prior`: of the peak. `p`: chance that one evaluation may be a false alarm. `learn_cuts`: good cuts before anything is judged.
    """
    top = overload.limit(baseline, prior, p) if baseline.good >= learn_cuts else math.inf
    if baseline.good < breakage.FEWEST:
        return top, first.SHARE
    share = max(breakage.SHARE, baseline.fall_share + breakage.BEYOND_USUAL)
    return top, min(share, envelope.GONE) if baseline.banded >= envelope.FEWEST else share
