"""Which looks at a growing cut need no judge.

A growing cut is looked at ten times a second. Of all those looks overload, `ceiling`, breakage, envelope, `above` and `first` judge, and
all say nothing while the load is within these bounds: not above the lowest limit, not fallen by the least share that is asked, and not
below what is low at its place in the band. In the very first cut of an operation all are told. `agent.kernels.segment.advance` holds every
look against them and tells only those beyond. Whoever judges growing cuts by anything else has to widen the bounds here, or is not asked.
"""

from __future__ import annotations

import math

import numpy as np

from agent.detect import breakage, envelope, first, overload
from agent.detect.baseline import Baseline, Prior
from agent.settings import MonitoringOptions
from drivers.model import Floats

Bounds = tuple[float, float, float, float, float, Floats]
"""Load above idle (unit of the load) up to which there is no overload; largest fall as a share of the load before it below which nothing
broke; share of the usual load above idle down to which nothing is missing, and how many times the noise that must be to say anything; s
between two places; (2, places) the usual load at each, and the load above idle up to which it is not too high there."""
NOWHERE = np.zeros((2, 0))
EVERY: Bounds = (-math.inf, 0.0, 0.0, 0.0, math.inf, NOWHERE)
"""Bounds by which each look is told."""
NONE: Bounds = (math.inf, math.inf, 0.0, 0.0, math.inf, NOWHERE)
"""... and none."""


def bounds(
    baseline: Baseline, prior: Prior, p: float, options: MonitoringOptions, usual: Floats = NOWHERE, ceiling: float = math.inf
) -> Bounds:
    """Of one operation.

    `prior`: of the peak. `p`: chance that one evaluation may be a false alarm. `usual`: as `both` has it. `ceiling`: load above
    idle that cutting data allow.
    """
    learned = overload.limit(baseline, prior, p) if baseline.good >= options.learn_cuts else math.inf
    top = min(learned, ceiling)
    grid = baseline.grid if usual.shape[1] else math.inf
    if options.first_cuts and first.asked(baseline):
        return EVERY
    share = math.inf
    if baseline.good >= breakage.FEWEST:
        share = max(breakage.SHARE, baseline.fall_share + breakage.BEYOND_USUAL)
    return top, share, envelope.GONE, envelope.CONTRAST, grid, usual


def both(usual: Floats, highest: Floats) -> Floats:
    """(2, places) of what `Envelope.usual` and `Above.highest` say of one band; where one says nothing it bounds nothing."""
    out = np.empty((2, max(len(usual), len(highest))))
    out[0], out[1] = -math.inf, math.inf
    out[0, : len(usual)], out[1, : len(highest)] = usual, highest
    return out


class Limits:
    """`bounds`, worked out anew only where a cut or a part has changed what they are made of: they are asked for at every event.

    Parameters
    ----------
    options: [monitoring].
    """

    def __init__(self, options: MonitoringOptions) -> None:
        self._options = options
        self._of: tuple[Baseline, Floats, Floats, tuple[int, int, Prior, float, float]] | None = None
        self._bounds = EVERY

    def of(self, baseline: Baseline, prior: Prior, p: float, usual: Floats, highest: Floats, ceiling: float) -> Bounds:
        """Of the operation that is cut now; see `bounds`. Every cut that closes counts in `seen`."""
        now = (baseline.seen, baseline.good, prior, p, ceiling)
        of = self._of
        if of is None or of[0] is not baseline or of[1] is not usual or of[2] is not highest or of[3] != now:
            self._of = baseline, usual, highest, now
            self._bounds = bounds(baseline, prior, p, self._options, both(usual, highest), ceiling)
        return self._bounds
