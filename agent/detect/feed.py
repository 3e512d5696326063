"""'Feed changed': a cut that took its usual work in another time, where no override tells it.

A feed turned down to 80 % gives a longer cut at a lower load of the same volume, so of nearly the same work (the specific cutting force
rises by some percent where the chip is thinner: O. Kienzle, VDI-Z 94 (1952) 299, with the usual exponent of 0.25: work ~ feed ** -0.25).
That is an event, no alert: such a cut is held, so that it is neither judged nor learned from, and its place in the order counts.

Three things must agree, because each alone has other causes: the length is off, the work is not, and the peak has moved against the length.
A cut that is longer by a faint beginning or end keeps its peak; a worn tool takes more work in the usual time; a broken one lacks work.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping

import msgspec
import numpy as np

from agent.detect.baseline import MEMORY, Baseline, Prior, middle_of
from agent.detect.budget import prediction_factor
from agent.model import Cut, Finding, Indicator

HELD = "feed_changed"
"""Why such a cut is held, a key under [reason]."""
LEAST = math.log(1.05)
"""Smallest change of the logarithm of the length that is one, whatever the spread says: below it wear and drift lose nothing."""
P = 1e-3
"""Chance that a good cut lies off in its length, or in its work, by its spread alone: what is at stake is one cut that is not judged."""
KEPT = 0.5
"""The work may have moved by this share of the logarithm of the length: Kienzle's exponent leaves 0.25."""
AGAINST = 0.4
"""... and the peak must have moved the other way by this share: power grows with the feed to the 0.75, and what does not (a rapid move)
is part of the length."""
FASTEST = 0.6
"""A cut that ends below this share of its usual length was not ended by a higher feed: knobs go to 150 %, and few turn them beyond 120."""
LENGTHS = Prior(0.01, 10)
"""Spread of the length of a cut before an operation has spoken for itself: cuts of the production lathe of data/hahn_lathe keep theirs
within 1 % (median over its 295 operations with more than 15 cuts of the p99 of |length / median of 30 - 1|: 0.9 %)."""


FEWEST = 10
"""Good cuts after which an operation is asked: as many as make its band (`agent.detect.envelope`). Five say too little of their spread."""


def off_length(duration: float, baseline: Baseline, p: float) -> float:
    """By how much a length, s, is off the usual one, as a logarithm; 0 within the spread of good cuts, or where too little is known."""
    sd, dof = LENGTHS.with_own(baseline.duration.sd, max(min(baseline.duration.n, MEMORY) - 1, 0))
    factor = prediction_factor(baseline.duration.n, dof, p)
    if duration <= 0.0 or not math.isfinite(factor):
        return 0.0
    # The length is known to a reading at either end.
    reading = max(baseline.update, baseline.expected_duration / max(baseline.samples, 1.0))
    limit = max(LEAST, factor * sd, math.log1p(2.0 * reading / baseline.expected_duration))
    change = math.log(duration) - baseline.duration.mean
    return change if abs(change) > limit else 0.0


def changed(cut: Cut, baseline: Baseline, prior: Prior) -> float:
    """Feed of a closed cut against the usual one, 1 = as usual or not to be told.

    Parameters
    ----------
    prior: what the machine's other operations say of the spread of the work.
    """
    f = cut.features
    if cut.phase != "closed" or cut.held or baseline.good < FEWEST or f.work <= 0.0:
        return 1.0
    length = off_length(f.duration, baseline, P)
    if length == 0.0:
        return 1.0
    sd, dof = baseline.spread_of_work(prior)
    work = math.log(f.work) - baseline.work.mean
    same = abs(work) <= max(prediction_factor(baseline.work.n, dof, P) * sd, KEPT * abs(length))
    # One that ended early without the work of the time that it lacks was broken off (`breakage`).
    whole = work > KEPT * length if length < 0.0 else True
    against = -math.copysign(1.0, length) * _level(cut, baseline) >= AGAINST * abs(length)
    return math.exp(-length) if same and whole and against else 1.0


def done(cut: Cut, baseline: Baseline) -> bool:
    """Whether the load fell because the cut was over, at a higher feed, early as it may be: by then it had taken the work of a whole cut.

    A break at this moment leaves the work that good cuts have done by then, a higher feed all of it; half-way between the two is decided.
    """
    f = cut.features
    works = baseline.last_works
    if len(works) < 3 or f.work <= 0.0 or not f.fall_at >= FASTEST * baseline.expected_duration:
        return False
    return math.log(f.work) - statistics.median(works) > 0.5 * math.log(_share(baseline, f.fall_at))


def _share(baseline: Baseline, at: float) -> float:
    """Share of their work that good cuts have done `at` s after the opening, above 0."""
    even = min(at / baseline.expected_duration, 1.0)
    if not baseline.low:
        return even
    above = np.maximum(0.5 * (np.array(baseline.low) + np.array(baseline.high)) - baseline.idle, 0.0)
    total = float(above.sum())
    return float(above[: round(at / baseline.grid)].sum()) / total if total > 0.0 and at >= baseline.grid else even


def _level(cut: Cut, baseline: Baseline) -> float:
    """By how much the load is off the usual one, as a logarithm: its median, which noise does not move; its peak without a curve."""
    middle = middle_of(cut)
    if middle > 0.0 and baseline.middle.n >= 3:
        return math.log(middle) - baseline.middle.mean
    return math.log(max(cut.features.peak - cut.features.idle, 1e-9)) - baseline.peak.mean


class Changed(msgspec.Struct, frozen=True):
    """Cuts of one operation at another feed, behind one another."""

    ratio: float
    """Of the latest, feed against the usual one"""
    n: int
    since: float
    """Time of the first, s"""
    first: float
    """`ratio` of the first"""


class Feeds:
    """Of all operations: which are cut at another feed now."""

    def __init__(self) -> None:
        self.now: dict[str, Changed] = {}
        """By operation; survives a restart"""

    def see(self, cut: Cut, baseline: Baseline, prior: Prior) -> Cut:
        """A closed cut: the same, held where it took its usual work in another time. A cut as usual ends what was noted."""
        ratio = changed(cut, baseline, prior)
        if ratio != 1.0:
            before = self.now.get(baseline.key, Changed(ratio, 0, cut.time, ratio))
            self.now[baseline.key] = msgspec.structs.replace(before, ratio=ratio, n=before.n + 1)
            return msgspec.structs.replace(cut, held=HELD)
        if not cut.held and off_length(cut.features.duration, baseline, P) == 0.0:
            self.now.pop(baseline.key, None)
        return cut

    def said(self, cut: Cut) -> list[Finding | Indicator]:
        """The event of a cut at another feed: the feed against the usual one, 1 = as usual."""
        if cut.held != HELD:
            return []
        key, tool = cut.operation.key, cut.operation.tool
        return [Indicator(time=cut.time, channel="", operation=key, tool=tool, name="feed_ratio", value=self.now[key].ratio)]

    def shifts(self, absent: Baseline, seen: Collection[str], known: Mapping[str, Baseline]) -> bool:
        """Whether an absent operation may have come under the name of another.

        One of the same tool came at another feed in this part (`seen`): where the load alone says when cuts are, it may open elsewhere.
        """
        now = [known[key] for key in self.now if key in seen and key in known]
        return absent.by_load and any((one.tool, one.spindle) == (absent.tool, absent.spindle) for one in now)

    def forget(self, keys: Collection[str]) -> None:
        """Operations that are gone."""
        for key in keys:
            self.now.pop(key, None)
