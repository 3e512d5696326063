"""Wear of one tool: the log ratio of the work above idle to the new tool's first cuts, over the last cuts.

No whitening and no running maximum (it ratchets): the median of the last three ratios must pass the limit and the newest must not
disagree. The limit is the shop's own, or what the repeatability of this operation can support at the budget, whichever is larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from agent.detect.baseline import ANCHOR_MINIMUM, RECENT, Baseline, Prior
from agent.detect.budget import tail_factor
from agent.detect.life import Rise
from agent.model import Cut

FILTER = 3
"""Cuts of which the median is taken."""


class Followed(Protocol):
    """What is compared with the new tool: the work of an operation, or another signal of its cuts."""

    anchor: list[float]
    ratios: list[float]

    def spread_of_step(self, prior: Prior) -> tuple[float, int]:
        """From one cut to the next: standard deviation, degrees of freedom."""
        ...


def smallest_change(baseline: Followed, prior: Prior, p: float) -> float | None:
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


def wear_limit(baseline: Followed, prior: Prior, p: float, wanted: float) -> float | None:
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


def level(baseline: Followed) -> float | None:
    """Filtered log ratio; None before two ratios."""
    if len(baseline.ratios) < 2:
        return None
    return float(np.median(baseline.ratios[-FILTER:]))


SLOPE_CUTS = 8
"""Cuts below which no slope is taken."""


def rise(baseline: Baseline, limit: float) -> Rise | None:
    """How the work climbs to its limit: only while its slope is known, and the tool's parts are counted by `agent.detect.clock`."""
    now, slope = level(baseline), theil_sen(baseline.ratios)
    if now is None or slope is None:
        return None
    return Rise(level=now, limit=limit, slope=(slope[0], slope[2]), cuts=len(baseline.ratios), cuts_a_part=float(baseline.tool_cuts))


def theil_sen(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Slope a step of equally spaced values: lower 95 % bound, median of the slopes between all pairs, upper bound; None below eight.

    The bounds are order statistics of the pairwise slopes (Sen 1968, J. Am. Stat. Assoc. 63, 1379).
    """
    n = len(values)
    if n < SLOPE_CUTS:
        return None
    first, second = np.triu_indices(n, 1)
    y = np.array(values)
    slopes = np.sort((y[second] - y[first]) / (second - first))
    half = 1.959964 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = max(int((len(slopes) - half) / 2.0), 0)
    return float(slopes[low]), float(np.median(slopes)), float(slopes[len(slopes) - 1 - low])
