"""Wear of one tool: the log ratio of the work above idle to the new tool's first cuts, over the last cuts.

No whitening and no running maximum (it ratchets): the median of the last three ratios must pass the limit. Where neighbouring cuts are
alike it is that of the last fifteen (`neighbours`), unless the shop's own limit is far beyond what three can stray by. The limit is the
shop's own, or what the repeatability of this operation can support at the budget, whichever is larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from agent.detect.baseline import ANCHOR_MINIMUM, RECENT, Baseline, Prior
from agent.detect.budget import WIDEN, tail_factor
from agent.detect.life import Rise
from agent.detect.middle import median
from agent.detect.neighbours import PATIENT, Neighbours
from agent.model import Cut

FILTER = 3
"""Cuts of which the median is taken."""


class Followed(Protocol):
    """What is compared with the new tool: the work of an operation, or another signal of its cuts."""

    anchor: list[float]
    ratios: list[float]
    neighbours: Neighbours

    @property
    def unsure(self) -> bool:
        """Whether neighbours may resemble each other because too few cuts tell whether they do."""
        ...

    def spread_of_step(self, prior: Prior) -> tuple[float, int]:
        """From one cut to the next: standard deviation, degrees of freedom."""
        ...


def smallest_change(track: Followed, prior: Prior, p: float) -> float | None:
    """Smallest log ratio that the trend shows beyond chance; None where too little is known.

    A median of three independent values lies beyond a limit when two of them do: with probability 3 q^2, q that of one of them, so each
    may be beyond it with q = sqrt(p / 3). The anchor is a median of n cuts too; the variance of a median of Gaussian values is about
    pi / 2 of a mean's, so that one ratio has (1 + pi / (2 n)) times the variance of one cut.

    Where neighbours are alike three of them tell little more than one: the median of the last fifteen, its own standard deviation, and p.
    A median of fifteen has no heavy tails, so that `WIDEN` is taken out again.
    While it is not known whether they are: as if all were one, the anchor too. Twice the variance, and q is p itself.
    """
    if len(track.anchor) < ANCHOR_MINIMUM:
        return None
    if track.neighbours.alike:
        return _stray(track, p, PATIENT)
    sd, dof = track.spread_of_step(prior)
    if track.unsure:
        change = tail_factor(dof, p) * sd * math.sqrt(2.0)
    else:
        change = tail_factor(dof, math.sqrt(p / 3.0)) * sd * math.sqrt(1.0 + 0.5 * math.pi / len(track.anchor))
    return change if math.isfinite(change) else None


def judged(track: Followed, prior: Prior, p: float, wanted: float) -> tuple[float, float] | None:
    """Filtered log ratio and the limit at which this tool counts as worn; None while either is not known."""
    limit, now = wear_limit(track, prior, p, wanted), level(track)
    if limit is None or now is None:
        return None
    if track.neighbours.alike and WIDEN * _stray(track, p, FILTER) > math.log1p(wanted):
        now = median(track.ratios[-PATIENT:])
        limit = max(limit, _stray(track, p, min(len(track.ratios), PATIENT)))
    return now, limit


def wear_limit(track: Followed, prior: Prior, p: float, wanted: float) -> float | None:
    """Log ratio at which this operation's tool counts as worn; None while the anchor is not there."""
    visible = smallest_change(track, prior, p)
    return None if visible is None else max(math.log1p(wanted), visible)


def rises(track: Followed, wanted: float) -> bool:
    """Whether a rise has begun that is beyond what alike cuts stray by: half the shop's limit."""
    now = level(track)
    return now is not None and now > max(0.5 * math.log1p(wanted), 2.0 * track.neighbours.sd)


def _stray(track: Followed, p: float, cuts: int) -> float:
    """How far the median of so many alike cuts comes with probability p."""
    return tail_factor(track.neighbours.dof, p) / WIDEN * track.neighbours.off(len(track.anchor), cuts)


def follow(baseline: Baseline, cut: Cut, wanted: float) -> float | None:
    """Take the ratio of a good cut in; returns it."""
    ratio = baseline.ratio(cut)
    if ratio is None:
        return None
    baseline.ratios = [*baseline.ratios, ratio][-RECENT:]
    baseline.rising = rises(baseline, wanted)
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
    return median(baseline.ratios[-FILTER:])


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
