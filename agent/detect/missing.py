"""No tool, no part, or a tool broken before the cut: the cut takes far less work than it should, or does not come at all."""

from __future__ import annotations

import math

from agent.detect.baseline import Baseline, Prior
from agent.detect.budget import prediction_factor
from agent.detect.finding import about
from agent.model import Cut, Finding

HIGHEST = 0.6
"""The undercut limit lies at this share of the usual work at the most: a small part is not a missing tool."""
LOWEST = 0.3
"""... and not below this one: idle is never known better."""
HOPELESS = 0.1
"""Where the budget asks for one below this, good cuts differ by so much that nothing is told by the work alone."""


def undercut(baseline: Baseline, prior: Prior, p: float) -> float:
    """Share of the usual work below which the tool counts as missing; 0 where too little is known, or good cuts differ by too much."""
    sd, dof = baseline.spread_of_work(prior)
    factor = prediction_factor(baseline.work.n, dof, p)
    if not math.isfinite(factor):
        return 0.0
    share = math.exp(-factor * sd)
    return 0.0 if share < HOPELESS else min(max(share, LOWEST), HIGHEST)


def missing(cut: Cut, baseline: Baseline, prior: Prior, p: float, learn_cuts: int) -> Finding | None:
    """Judge a closed cut."""
    if cut.held or baseline.good < learn_cuts:
        return None
    share = max(cut.features.work, 0.0) / math.exp(baseline.work.mean)
    threshold = undercut(baseline, prior, p)
    if share >= threshold:
        return None
    # Where the budget would ask for less than idle is known to, the limit is a rule.
    chance = p if threshold > LOWEST else None
    return _finding(baseline, cut.time, cut.part, share, threshold, absent=False, cut=cut.id, chance=chance)


def absent(baseline: Baseline, prior: Prior, time: float, part: int, p: float) -> Finding:
    """The cut of this operation did not come at all in this part."""
    return _finding(baseline, time, part, 0.0, undercut(baseline, prior, p), absent=True, cut="")


def _finding(
    baseline: Baseline, time: float, part: int, share: float, threshold: float, *, absent: bool, cut: str, chance: float | None = None
) -> Finding:
    return about(
        baseline,
        time,
        "missing",
        share,
        threshold,
        {
            "work_pct": 100.0 * share,
            "n_baseline": baseline.good,
            "absent": absent,
            "expected_s": baseline.expected_duration,
            "part": part,
        },
        cut=cut,
        chance=chance,
    )
