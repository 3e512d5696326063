"""What is known of an operation besides its alerts: how well it is watched, what would be told of it, how far it is worn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.detect import monitorability, wear
from agent.detect.baseline import Baseline
from agent.detect.coverage import by_visit, of_operation
from agent.detect.life import Rise
from agent.model import Coverage, Word
from agent.promise import Promise

if TYPE_CHECKING:
    from agent.detect.watch import Watch


class Outlook:
    """Of the operations of one watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def cover(self, baseline: Baseline, time: float, held: str = "") -> Coverage:
        """How well an operation is watched, by itself or by the whole visit of its tool. `held`: see `of_operation`."""
        watch = self._watch
        cover = of_operation(baseline, watch.options, time, held) if held else watch.words.of(baseline, time)
        if cover.word is not Word.NOT_MONITORABLE or not watch.overdue.work.tells(baseline.spindle, baseline.program, baseline.tool):
            return cover
        return by_visit(cover)

    def smallest_fall(self, baseline: Baseline) -> float | None:
        """Smallest lasting fall of the work that is told within `drift.WITHIN` cuts at the budget, as a fraction; None: none yet."""
        fall = self._watch.drift.sees(baseline.key)
        return fall if math.isfinite(fall) else None

    def smallest_change(self, baseline: Baseline) -> float | None:
        """Smallest rise of the work that the trend of this operation would show at the budget, as a fraction."""
        change = wear.smallest_change(baseline, self._watch.priors.step, self._watch.signals.share(self._watch.p))
        return None if change is None else math.expm1(min(change, 5.0))

    def promise(self, baseline: Baseline) -> Promise | None:
        """What can be promised of this operation; None before three good cuts."""
        expected = baseline.key in self._watch.order.expected(self._watch.state.baselines, baseline.program) or self._watch.visits.expects(
            baseline.key, baseline.program, baseline.tool
        )
        promised = monitorability.promise(baseline, self.smallest_change(baseline), expected=expected)
        return monitorability.by_visit(promised, told=self._watch.overdue.work.tells(baseline.spindle, baseline.program, baseline.tool))

    def wear_level(self, baseline: Baseline) -> tuple[float | None, float]:
        """Filtered rise against the new tool and its limit, as fractions."""
        judged = wear.judged(baseline, self._watch.priors.step, self._watch.signals.share(self._watch.p), self._watch.options.wear_limit)
        level, limit = judged if judged is not None else (wear.level(baseline), math.log1p(self._watch.options.wear_limit))
        wide = self._watch.tuning.width("wear", baseline.key) * limit
        return None if level is None else math.expm1(level), math.expm1(min(wide, 5.0))

    def rise(self, baseline: Baseline) -> Rise | None:
        """How the work of this operation climbs to its limit; None before it can be told."""
        limit = wear.wear_limit(baseline, self._watch.priors.step, self._watch.signals.share(self._watch.p), self._watch.options.wear_limit)
        return None if limit is None else wear.rise(baseline, limit * self._watch.tuning.width("wear", baseline.key))
