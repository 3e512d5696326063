"""'Feed changed': a cut that took the same work in another time, where no override tells it.

A feed turned down to 80 % gives a longer cut at a lower load of the same volume, so of nearly the same work (the specific cutting force
rises by some percent where the chip is thinner: Kienzle 1952, exponent 0.2 to 0.3). That is an event, no alert: such a cut is held, so that
it is neither judged nor learned from, and its order in the part counts. If it stays so, it is the new normal: what hangs on the length of
the operation begins again, what hangs on its work stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from agent.detect.baseline import Baseline, Prior, Spread
from agent.detect.breakage import REPEATED, SLOWER
from agent.detect.budget import prediction_factor
from agent.model import Cut, Indicator

HELD = "feed_changed"
"""Why such a cut is held, a key under [reason]."""
CAME = ("idle_unknown", "run_up", HELD)
"""Reasons for which a cut may be held, and is one that came in its place all the same."""
LEAST = math.log(1.05)
"""Smallest change of the logarithm of the length that is one, whatever the spread says: below it wear and drift lose nothing."""
STAYS = 5
"""Cuts in a row, alike in length, after which the other feed is the new normal: as many as an operation is learned from at first."""


class Changed(msgspec.Struct, frozen=True):
    """A cut at another feed."""

    duration: float
    """log(s)"""
    peak: float
    """log(peak above idle)"""


def off_length(duration: float, baseline: Baseline, p: float) -> float:
    """By how much a length, s, is off the usual one, as a logarithm; 0 within the spread of good cuts, or where too little is known."""
    limit = _limit(baseline, p)
    if duration <= 0.0 or not math.isfinite(limit):
        return 0.0
    change = math.log(duration) - baseline.duration.mean
    return change if abs(change) > limit else 0.0


def held(cut: Cut, baseline: Baseline, prior: Prior, p: float, learn_cuts: int) -> Cut:
    """The cut, held where it closed with the usual work in another time.

    Parameters
    ----------
    prior: what the machine's other operations say of the spread of the work.
    p: chance that one evaluation may be a false alarm.
    learn_cuts: good cuts after which the operation is known.
    """
    f = cut.features
    if cut.phase != "closed" or cut.held or baseline.good < learn_cuts or f.work <= 0.0:
        return cut
    change = off_length(f.duration, baseline, p)
    sd, dof = baseline.spread_of_work(prior)
    work = abs(math.log(f.work) - baseline.work.mean)
    # A cut that lacks work with its time was broken off, or cuts less: it is judged.
    if change == 0.0 or work > prediction_factor(baseline.work.n, dof, p) * sd or work > SLOWER * abs(change):
        return cut
    return msgspec.structs.replace(cut, held=HELD)


def take(cut: Cut, baseline: Baseline, feeds: dict[str, list[Changed]], p: float) -> list[Indicator]:
    """A closed cut: at another feed it is told and counted, and the new feed becomes the normal one when it stays.

    Parameters
    ----------
    feeds: by operation its latest cuts, one behind the other, that were held for their feed; no entry: the feed is the normal one.

    Returns
    -------
    The event: length against the usual one, 1 = as usual.
    """
    if cut.held != HELD:
        if not cut.held:
            feeds.pop(baseline.key, None)
        return []
    f = cut.features
    ratio = f.duration / baseline.expected_duration
    limit = _limit(baseline, p)
    this = Changed(math.log(f.duration), math.log(max(f.peak - f.idle, 1e-9)))
    row = [*(one for one in feeds.pop(baseline.key, []) if abs(one.duration - this.duration) <= limit), this]
    if len(row) < STAYS:
        feeds[baseline.key] = row
    else:
        begin_again(baseline, row)
    return [Indicator(time=cut.time, channel="", operation=baseline.key, tool=baseline.tool, name=HELD, value=ratio)]


def begin_again(baseline: Baseline, row: Sequence[Changed]) -> None:
    """The length, the peak and the band of this operation from these cuts on; its work and its new-tool anchor stay."""
    baseline.duration, baseline.peak = Spread(), Spread()
    for one in row:
        baseline.duration.learn(one.duration)
        baseline.peak.learn(one.peak)
    baseline.curves, baseline.low, baseline.high = [], (), ()
    baseline.banded, baseline.grid = 0, 0.0


def _limit(baseline: Baseline, p: float) -> float:
    """Change of the logarithm of the length beyond which it is one; inf where too little is known."""
    sd, dof = REPEATED.with_own(baseline.duration.sd, max(min(baseline.duration.n, 60) - 1, 0))
    factor = prediction_factor(baseline.duration.n, dof, p)
    if not math.isfinite(factor):
        return math.inf
    # The length is known to a reading at either end.
    reading = max(baseline.update, baseline.expected_duration / max(baseline.samples, 1.0))
    return max(LEAST, factor * sd, math.log1p(2.0 * reading / baseline.expected_duration))
