"""A growing cut and all that judge it, in the order in which they may speak: broken, far below its band, overloaded, far above it."""

from __future__ import annotations

from collections.abc import Callable

from agent.detect import looks
from agent.detect.above import Above
from agent.detect.baseline import Baseline, Prior
from agent.detect.breakage import breakage
from agent.detect.ceiling import Ceilings
from agent.detect.envelope import Envelope
from agent.detect.first import First
from agent.detect.overload import overload
from agent.model import Cut, Finding
from agent.settings import MonitoringOptions

REPEATS = 2
"""Looks in a row for which a load must stay above its limit: 0.2 s, so that the spike of a breaking edge is told as a break."""


class Growing:
    """Counts the looks of the cuts that are open.

    Parameters
    ----------
    options: [monitoring]. p: chance that one evaluation may be a false alarm. ceilings: what cutting data allow.
    passes: a finding at the limit as the operator's verdicts left it; None where it does not pass that.
    """

    def __init__(
        self, options: MonitoringOptions, p: float, ceilings: Ceilings, passes: Callable[[Finding | None], Finding | None]
    ) -> None:
        self._options = options
        self._ceilings = ceilings
        self._passes = passes
        self._envelope, self._above = Envelope(p), Above(p)
        self._first = First()
        self._limits = looks.Limits(options)
        self._over: dict[str, int] = {}

    def look(self, cut: Cut, baseline: Baseline, noise: float, prior: Prior, p: float) -> Finding | None:
        """One look at a growing cut of which nothing was said yet. `prior`: of the peak."""
        band, high = self._envelope.look(cut, baseline, noise), self._above.look(cut, baseline, noise)
        unknown = self._first.look(cut, baseline, noise) if self._options.first_cuts else None
        finding = self._passes(breakage(cut, baseline, noise) or unknown) or self._passes(band)
        if finding is not None:
            return finding
        learned = self._passes(overload(cut, baseline, prior, p, self._options.learn_cuts))
        over = learned or self._passes(self._ceilings.above(cut, baseline))
        self._over[cut.id] = self._over.get(cut.id, 0) + 1 if over is not None else 0
        return over if self._over[cut.id] >= REPEATS else self._passes(high)

    def bounds(self, baseline: Baseline, prior: Prior, p: float) -> looks.Bounds:
        """Which looks at an open cut of this operation need not be told."""
        usual, highest = self._envelope.usual(baseline), self._above.highest(baseline)
        return self._limits.of(baseline, prior, p, usual, highest, self._ceilings.top(baseline))

    def untold(self, cut: str) -> None:
        """Looks at this cut, at which there was nothing to judge."""
        if cut in self._over:
            self._over[cut] = 0
        self._forget(cut)

    def closed(self, cut: str) -> None:
        """A cut is over."""
        self._over.pop(cut, None)
        self._forget(cut)

    def _forget(self, cut: str) -> None:
        self._envelope.untold(cut)
        self._above.untold(cut)
        self._first.forget(cut)
