"""Wear of one tool: the log ratio of the work above idle to the new tool's first cuts, over the last cuts.

No whitening and no running maximum (it ratchets): the median of the last three ratios must pass the limit and the newest must not
disagree. The limit is the shop's own, or what the repeatability of this operation can support at the budget, whichever is larger.
"""

from __future__ import annotations

import math

import numpy as np

from agent.detect.baseline import ANCHOR_MINIMUM, RECENT, Baseline, Prior
from agent.detect.budget import tail_factor
from agent.model import Cut

FILTER = 3
"""Cuts of which the median is taken."""


def smallest_change(baseline: Baseline, prior: Prior, p: float) -> float | None:
    """Smallest log ratio that the median of three cuts shows beyond chance; None where too little is known.

    A median of three independent values lies beyond a limit when two of them do: with probability 3 q^2, q that of one of them, so each
    may be beyond it with q = sqrt(p / 3). The anchor is a median of n cuts too; the variance of a median of Gaussian values is about
    pi / 2 of a mean's, so that one ratio has (1 + pi / (2 n)) times the variance of one cut.
    """
    sd, dof = baseline.spread_of_step(prior)
    factor = tail_factor(dof, math.sqrt(p / 3.0))
    if len(baseline.anchor) < ANCHOR_MINIMUM or not math.isfinite(factor):
        return None
    return factor * sd * math.sqrt(1.0 + 0.5 * math.pi / len(baseline.anchor))


def wear_limit(baseline: Baseline, prior: Prior, p: float, wanted: float) -> float | None:
    """Log ratio at which this operation's tool counts as worn; None while the anchor is not there."""
    visible = smallest_change(baseline, prior, p)
    return None if visible is None else max(math.log1p(wanted), visible)


def follow(baseline: Baseline, cut: Cut, wanted: float) -> float | None:
    """Take the ratio of a good cut in; returns it."""
    ratio = baseline.ratio(cut)
    if ratio is None:
        return None
    baseline.ratios = [*baseline.ratios, ratio][-RECENT:]
    if ratio > 0.5 * math.log1p(wanted):
        if baseline.rise_since < 0:
            baseline.rise_since = cut.part
    else:
        baseline.rise_since = -1
    return ratio


def level(baseline: Baseline) -> float | None:
    """Filtered log ratio; None before two ratios."""
    if len(baseline.ratios) < 2:
        return None
    return float(np.median(baseline.ratios[-FILTER:]))
