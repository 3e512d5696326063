"""The one word: how well an operation, a spindle and the machine are watched, and why not better."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.detect import monitorability
from agent.detect.baseline import Baseline
from agent.model import Coverage, Word
from agent.segment import is_visit
from agent.settings import MonitoringOptions

SEEN = monitorability.SEEN
"""Cuts after which an operation that never shows above idle may be called not monitorable."""


def of_operation(baseline: Baseline, options: MonitoringOptions, time: float, held: str = "") -> Coverage:
    """Of one operation by what was learned of it. `held`: why its cuts are neither judged nor learned from now."""
    scope = f"operation/{baseline.key}"
    if not (baseline.tool or baseline.program or baseline.section):
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason="no_context")
    if baseline.seen >= SEEN and baseline.good == 0:
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason="never_good")
    if baseline.blind >= SEEN:
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason="idle_unknown")
    reason = monitorability.why_not(baseline)
    if reason:
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason=reason)
    if held:
        return Coverage(time=time, scope=scope, word=Word.HOLD, reason=held)
    # Of a whole visit nothing is told before it is known how well its work repeats.
    fewest = max(options.learn_cuts, monitorability.JUDGED) if is_visit(baseline.section) else options.learn_cuts
    if baseline.good < fewest:
        return Coverage(time=time, scope=scope, word=Word.LEARNING, reason="learning", n=baseline.good, of=fewest)
    if baseline.good < options.monitor_cuts:
        return Coverage(time=time, scope=scope, word=Word.PROVISIONAL, reason="provisional", n=baseline.good, of=options.monitor_cuts)
    return Coverage(time=time, scope=scope, word=Word.MONITORING, n=baseline.good, of=options.monitor_cuts)


def by_visit(cover: Coverage) -> Coverage:
    """The same, where a missing tool is told by the work of its whole visit (`agent.detect.visit_work`): this cut alone is not watched,
    its tool is."""
    return msgspec.structs.replace(cover, word=Word.MONITORING, reason="by_visit")


class Words:
    """`of_operation`, worked out anew only where a cut or a part has changed what is known of an operation; its time is that of then.

    Parameters
    ----------
    options: [monitoring].
    """

    def __init__(self, options: MonitoringOptions) -> None:
        self._options = options
        self._known: dict[str, tuple[Baseline, list[bool], tuple[int, ...], Coverage]] = {}

    def of(self, baseline: Baseline, time: float) -> Coverage:
        """Of one operation. Every cut that closes counts in `seen`; `came` is another list after each part. Whatever else `of_operation`
        asks of a baseline, and may change in between, belongs into `counts`."""
        counts = (baseline.seen, baseline.good, baseline.blind, baseline.spoilt)
        known = self._known.get(baseline.key)
        if known is not None and known[0] is baseline and known[1] is baseline.came and known[2] == counts:
            return known[3]
        word = of_operation(baseline, self._options, time)
        self._known[baseline.key] = (baseline, baseline.came, counts, word)
        return word


def of_machine(operations: Sequence[Coverage], *, off: bool, lost: str, held: str, unwatched: str, time: float) -> Coverage:
    """The word of the header.

    Off and lost come before all; then a reason to hold; then what is learned: the machine is as well watched as its least known
    operation that can be watched at all, and not monitorable only if none can.
    """
    scope = "machine"
    if off:
        return Coverage(time=time, scope=scope, word=Word.OFF, reason="machine_off")
    if lost:
        return Coverage(time=time, scope=scope, word=Word.LOST, reason=lost)
    if unwatched:
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason=unwatched)
    if held:
        return Coverage(time=time, scope=scope, word=Word.HOLD, reason=held)
    watched = [c for c in operations if c.word is not Word.NOT_MONITORABLE]
    if not operations:
        return Coverage(time=time, scope=scope, word=Word.LEARNING, reason="learning")
    if not watched:
        return Coverage(time=time, scope=scope, word=Word.NOT_MONITORABLE, reason=operations[0].reason)
    order = (Word.LEARNING, Word.PROVISIONAL, Word.MONITORING)
    worst = min(watched, key=lambda c: (order.index(c.word), c.n))
    return Coverage(time=time, scope=scope, word=worst.word, reason=worst.reason, n=worst.n, of=worst.of)
