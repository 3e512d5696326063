"""A break in a cut of which nothing is known yet: the first part ever, a batch of one.

Only what this cut itself shows counts. Its mean so far says what load it takes; a load that has gone to nearly idle and stays there for
seconds on end, while the control still calls it the same section at the same speed, is a break. How suddenly it fell says nothing: a tool
that leaves the part does so at once, too. Where the load alone says when a cut is, its end and a break are the same fall, and nothing is
told; nor in a section shorter than `STAYS`. What was measured: docs/decisions/0024-first-part.md.

It speaks once an operation: a second cut that does the same is how this operation is. `first_cuts` of [monitoring] turns it off, for
sections that go on in air for longer.
"""

from __future__ import annotations

from agent.detect.baseline import Baseline
from agent.detect.breakage import FEWEST
from agent.detect.finding import about
from agent.model import Cut, Finding

LEFT = 0.15
"""Share of the mean load above idle so far that may be left."""
CONTRAST = 10.0
"""Mean load above idle so far, in standard deviations of the noise: twice what a known operation asks."""
STAYS, LONGER = 5.0, 0.1
"""s, and share of the time before, for which the load must stay away. Fixed on tools W1, W2 and W4 of data/nuaa_milling, whose pockets are
near idle for 3.5 s on end at the most; on the lathe of data/hahn_lathe a tool is in air between two cuts for 0.6 s at the most."""


def asked(baseline: Baseline) -> bool:
    """Whether this rule judges the cuts of an operation at all."""
    return baseline.good < FEWEST and not baseline.seen and not baseline.by_load


class First:
    """Remembers since when the load of an open cut has been away."""

    def __init__(self) -> None:
        self._away: dict[str, tuple[float, float]] = {}
        """By cut: time since which, and mean load above idle until then"""

    def look(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """One look at a growing cut."""
        f = cut.features
        seconds = cut.time - cut.opened
        since, usual = self._away.get(cut.id, (cut.time, f.work / seconds if seconds > 0.0 else 0.0))
        if cut.held or not asked(baseline) or usual < CONTRAST * noise or not f.level <= LEFT * usual:
            self._away.pop(cut.id, None)
            return None
        self._away[cut.id] = since, usual
        away, at = cut.time - since, since - cut.opened
        if away < max(STAYS, LONGER * at):
            return None
        share = min(1.0 - f.level / usual, 1.0)
        return about(
            cut.operation,
            cut.time,
            "breakage",
            share,
            1.0 - LEFT,
            {
                "first": True,
                "fall_pct": 100.0 * share,
                "at_s": at,
                "below_s": away,
                "load_before": usual + f.idle,
                "load_after": f.level + f.idle,
                "part": cut.part,
            },
            severity="warning",
            cut=cut.id,
        )

    def forget(self, cut: str) -> None:
        """A cut is over, or its load was seen to be there."""
        self._away.pop(cut, None)
