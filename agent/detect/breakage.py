"""A tool that breaks: within one cut the load above idle falls away for good, well before the cut should end; or the cut ends too early.

First difference of a short-time level flags the break (Altintas, ASME 110/3/271, on force per tooth; here at register rate on load). What
the same operation does in every good cut (an interrupted cut, a finishing step) is its own `fall_share` and does not count. Where the load
alone says when a cut is, a break ends it: then its length speaks, which a program repeats to a percent or two.
"""

from __future__ import annotations

import math
import statistics

from agent.detect import feed
from agent.detect.baseline import Baseline
from agent.detect.budget import prediction_factor
from agent.detect.finding import about
from agent.model import Cut, Finding

SHARE = 0.5
"""Fall, as a share of the load above idle before it, that is asked at the least."""
BEYOND_USUAL = 0.25
"""... and beyond what good cuts of this operation show."""
CONFIRM = 0.2
"""s for which the load must stay away."""
EARLY = 0.8
"""The fall must come before this share of the expected duration: the natural end of a cut is a fall too. Where good cuts have shown when
they end ..."""
BEFORE_END = 0.1
"""... it need only come this share of the duration, and four readings, before the earliest of these ends ..."""
LACKS = 0.75
"""... and the work must be missing that the time until then would have done, this share of its logarithm at the least, against the latest
cuts of this tool: a higher feed ends the cut as early and takes nearly the same work (power grows with feed to the 0.75: O. Kienzle,
VDI-Z 94 (1952) 299, with the usual exponent of 0.25), and where no register tells the feed, a section goes on in air after it."""
FEWEST = 3
"""Good cuts after which the natural end of an operation counts as known."""
COARSE, FEWEST_COARSE = 0.5, 8
"""... of one that is read no more often than every half second: a fall is looked for over six readings, and three cuts do not show what
good ones do between two."""
CONTRAST = 5.0
"""Load above idle before the fall, in standard deviations of the noise."""
SLOWER = 0.5
"""A cut in less time for a higher feed takes the same work; one that was broken off lacks the work of the time that it lacks."""
LENGTH_P = 1e-6
"""Chance that one good cut counts as too short by its length alone, about what the default budget leaves; it must lack the work, too."""
MOST_SHORT = 0.92
"""A cut is not too short above this share of its usual length."""


def breakage(cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
    """Judge a growing or closed cut."""
    return _fallen(cut, baseline, noise) or _too_short(cut, baseline, noise)


def fewest(baseline: Baseline) -> int:
    """Good cuts of this operation after which a break may be told."""
    return FEWEST_COARSE if _reading(baseline) >= COARSE else FEWEST


def _reading(baseline: Baseline) -> float:
    """Time between two readings of this load that say something new, s."""
    return max(baseline.update, baseline.expected_duration / max(baseline.samples - 1.0, 1.0))


def ends(baseline: Baseline) -> float:
    """Length, s, below which a cut has ended too early; 0 where too little is known."""
    sd, dof = feed.LENGTHS.with_own(baseline.duration.sd, max(min(baseline.duration.n, 60) - 1, 0))
    factor = prediction_factor(baseline.duration.n, dof, LENGTH_P)
    if not math.isfinite(factor):
        return 0.0
    # The length is known to a reading at either end.
    reading = max(baseline.update, baseline.expected_duration / max(baseline.samples, 1.0))
    return min(baseline.expected_duration * min(math.exp(-factor * sd), MOST_SHORT), baseline.expected_duration - 2.0 * reading)


def _fallen(cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
    f = cut.features
    expected = baseline.expected_duration
    if cut.held or baseline.good < fewest(baseline) or not math.isfinite(expected) or f.fall_before <= 0.0:
        return None
    if f.fall_at >= EARLY * expected and not _ended_early(cut, baseline):
        return None
    if feed.done(cut, baseline):
        return None
    share = min(f.largest_fall / f.fall_before, 1.0)
    threshold = max(SHARE, baseline.fall_share + BEYOND_USUAL)
    before = f.fall_before
    if share < threshold or before < CONTRAST * noise or before < 0.5 * baseline.expected_level:
        return None
    stays = f.level < (1.0 - threshold) * before if cut.phase == "grown" else True
    waited = cut.time - (cut.opened + f.fall_at) >= CONFIRM or cut.phase == "closed"
    early_end = cut.phase != "closed" or f.duration < EARLY * expected or f.level < (1.0 - threshold) * before
    if not (stays and waited and early_end):
        return None
    return about(
        cut.operation,
        cut.time,
        "breakage",
        share,
        threshold,
        {
            "fall_pct": 100.0 * share,
            "at_s": f.fall_at,
            "usual_fall_pct": 100.0 * baseline.fall_share,
            "load_before": before + f.idle,
            "load_after": f.level + f.idle,
            "n_baseline": baseline.good,
            "part": cut.part,
        },
        cut=cut.id,
    )


def _ended_early(cut: Cut, baseline: Baseline) -> bool:
    """Whether a late fall comes before any good cut has ended, and without the work of the time until then."""
    f = cut.features
    works = baseline.last_works
    if f.fall_at >= baseline.end - max(BEFORE_END * baseline.expected_duration, 4.0 * _reading(baseline)):
        return False
    return len(works) == 3 and f.work > 0.0 and math.log(f.work) - statistics.median(works) <= LACKS * math.log(f.fall_at / baseline.end)


def _too_short(cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
    """A closed cut that worked as usual and ended too early, without the work of the time that it lacks."""
    f = cut.features
    if cut.phase != "closed" or cut.held or baseline.good < fewest(baseline) or f.work <= 0.0 or f.duration <= 0.0:
        return None
    limit = ends(baseline)
    if not f.duration < limit:
        return None
    level = f.work / f.duration
    lacks = math.log(f.duration / baseline.expected_duration)
    if level < CONTRAST * noise or level < 0.5 * baseline.expected_level:
        return None
    if math.log(f.work) - baseline.work.mean > SLOWER * lacks:
        return None
    share = f.duration / baseline.expected_duration
    return about(
        cut.operation,
        cut.time,
        "breakage",
        1.0 - share,
        1.0 - limit / baseline.expected_duration,
        {
            "short": True,
            "at_s": f.duration,
            "expected_s": baseline.expected_duration,
            "work_pct": 100.0 * math.exp(math.log(f.work) - baseline.work.mean),
            "load_before": level + f.idle,
            "n_baseline": baseline.good,
            "part": cut.part,
        },
        cut=cut.id,
    )
