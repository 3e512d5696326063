"""How well each operation is watched, for the installer's table: made anew only when something was learned of it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from agent.detect import breakage, drift, missing, overload, wear
from agent.detect.baseline import Baseline, Priors, priors
from agent.detect.neighbours import PATIENT
from agent.detect.watch import Watch
from agent.explained import OperationView
from agent.model import Coverage

MOST = 60
"""Operations that are shown, the latest cut first."""
KINDS = ("missing", "breakage", "overload", "wear", "drift")
"""Kinds of findings that have a limit of their own in each operation."""


class Operations:
    """Of one machine.

    Parameters
    ----------
    watch: what is known of them.
    learn_cuts: good cuts before an operation is judged.
    """

    def __init__(self, watch: Watch, learn_cuts: int) -> None:
        self._watch = watch
        self._learn_cuts = learn_cuts
        self._made: dict[str, tuple[tuple[object, ...], OperationView]] = {}

    def views(self, covers: Iterable[Coverage]) -> tuple[OperationView, ...]:
        """Of those that were cut last; `covers`: the word of each."""
        known = self._watch.state.baselines
        of_key = {cover.scope.removeprefix("operation/"): cover for cover in covers}
        latest = sorted((b for b in known.values() if b.key in of_key), key=lambda b: (-b.used, b.key))[:MOST]
        bases = {b.key: self._basis(b, of_key[b.key]) for b in latest}
        stale = [b for b in latest if b.key not in self._made or self._made[b.key][0] != bases[b.key]]
        if stale:
            spreads = priors(known.values())
            for baseline in stale:
                self._made[baseline.key] = bases[baseline.key], self._view(baseline, of_key[baseline.key], spreads)
        self._made = {b.key: self._made[b.key] for b in latest}
        return tuple(view for _, view in self._made.values())

    def _view(self, baseline: Baseline, cover: Coverage, spreads: Priors) -> OperationView:
        p = self._watch.p
        judged = baseline.good >= self._learn_cuts
        duration = baseline.expected_duration
        top = overload.limit(baseline, spreads.peak, p) / math.exp(baseline.peak.mean) - 1.0 if judged else math.inf
        low = missing.undercut(baseline, spreads.work, p) if judged else 0.0
        return OperationView(
            key=baseline.key,
            spindle=baseline.spindle,
            program=baseline.program,
            tool=baseline.tool,
            section=baseline.section,
            word=str(cover.word),
            reason=cover.reason,
            n=baseline.good,
            of=cover.of,
            contrast=baseline.contrast if baseline.good else None,
            rate=baseline.samples / duration if duration == duration and baseline.samples > 0.0 else None,
            duration=duration if duration == duration else None,
            smallest_change=self._watch.outlook.smallest_change(baseline),
            smallest_fall=self._watch.outlook.smallest_fall(baseline) if judged else None,
            rise_cuts=PATIENT if baseline.neighbours.alike else wear.FILTER,
            fall_cuts=drift.WITHIN,
            wear_limit=self._watch.outlook.wear_level(baseline)[1] if baseline.new_tool is not None else None,
            undercut=low if low > 0.0 else None,
            overload=top if math.isfinite(top) else None,
            fall=max(breakage.SHARE, baseline.fall_share + breakage.BEYOND_USUAL) if baseline.good >= breakage.FEWEST else None,
            widened=self._widened(baseline),
        )

    def _widened(self, baseline: Baseline) -> float:
        return max(self._watch.tuning.width(kind, baseline.key) for kind in KINDS)

    def _basis(self, baseline: Baseline, cover: Coverage) -> tuple[object, ...]:
        """What a line of the table depends on."""
        return baseline.good, baseline.seen, len(baseline.anchor), cover.word, cover.reason, self._widened(baseline)
