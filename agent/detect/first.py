"""A break in a cut of which nothing is known yet: the first part ever, a batch of one.

Only what this cut itself shows counts. Its first moments say what load it takes; a fall by most of it, far beyond the noise, that lasts
for longer than a tool takes to leave the part, is a break, as long as the control still calls it a cut. Where the load alone says when a
cut is, its end and a break are the same fall, and nothing can be told: that is so, and is said (docs/decisions/0016-promises.md).

Off unless the shop asks for it (`first_cuts` of [monitoring]): pockets and drilling cycles go on in air for half a minute within one
section. On the five tools of NUAA it spoke falsely in 12 of 102 layers, and on a lathe without sections it told none of the breaks
(decision 16). It speaks once an operation: a second cut that does the same is how this operation is.
"""

from __future__ import annotations

from agent.detect.baseline import Baseline
from agent.detect.breakage import FEWEST
from agent.detect.finding import about
from agent.model import Cut, Finding

SHARE = 0.7
"""Of the load above idle before it, by which the load must fall and stay away."""
CONTRAST = 10.0
"""Load above idle before the fall, in standard deviations of the noise: twice what a known operation asks."""
LEFT = 0.1
"""Share of the load that may be left: what is more is a lighter stretch of the same cut."""
TYPICAL = 0.5
"""The load just before the fall, as a share of the mean of the cut up to there: the last spark of a cut that has faded is no break."""
STAYS, LONGER = 1.0, 0.25
"""s, and share of the time up to the fall, for which the load must stay away: a section ends with its tool leaving the part in air."""


def broken(cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
    """Judge a growing cut of an operation that is not known yet."""
    f = cut.features
    if cut.phase != "grown" or cut.held or baseline.good >= FEWEST or baseline.seen or f.fall_at <= 0.0 or f.fall_before <= 0.0:
        return None
    usual = f.work / f.fall_at
    share = min(f.largest_fall / f.fall_before, 1.0)
    if share < SHARE or f.fall_before < CONTRAST * noise or f.fall_before < TYPICAL * usual:
        return None
    since = cut.time - (cut.opened + f.fall_at)
    if f.level > LEFT * min(f.fall_before, usual) or since < max(STAYS, LONGER * f.fall_at):
        return None
    return about(
        cut.operation,
        cut.time,
        "breakage",
        share,
        SHARE,
        {
            "first": True,
            "fall_pct": 100.0 * share,
            "at_s": f.fall_at,
            "below_s": since,
            "load_before": f.fall_before + f.idle,
            "load_after": f.level + f.idle,
            "part": cut.part,
        },
        cut=cut.id,
    )
