"""Too much load: the level of a growing cut stays above the gross limit of its operation for two looks."""

from __future__ import annotations

import math

from agent.detect.baseline import Baseline, Prior
from agent.detect.budget import prediction_factor
from agent.detect.finding import about
from agent.model import Cut, Finding

FLOOR = 0.50
"""Smallest rise of the peak above idle that is an overload, whatever the spread says."""


def limit(baseline: Baseline, prior: Prior, p: float) -> float:
    """Load above idle, unit of the load, that this operation must not pass; inf where too little is known."""
    sd, dof = baseline.spread_of_peak(prior)
    factor = prediction_factor(baseline.peak.n, dof, p)
    if not math.isfinite(factor):
        return math.inf
    return math.exp(baseline.peak.mean + min(max(factor * sd, math.log1p(FLOOR)), 10.0))


def overload(cut: Cut, baseline: Baseline, prior: Prior, p: float, learn_cuts: int) -> Finding | None:
    """Judge one look at a growing cut; the caller asks for two in a row."""
    if cut.held or baseline.good < learn_cuts:
        return None
    top = limit(baseline, prior, p)
    f = cut.features
    if not f.level > top:
        return None
    usual = math.exp(baseline.peak.mean)
    return about(
        cut.operation,
        cut.time,
        "overload",
        f.level,
        top,
        {
            "peak": f.level + f.idle,
            "limit": top + f.idle,
            "over_pct": 100.0 * (f.level / usual - 1.0),
            "n_baseline": baseline.good,
            "part": cut.part,
            "at_s": cut.time - cut.opened,
        },
        cut=cut.id,
        chance=p,
    )
