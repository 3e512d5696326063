"""What the operator's word does to a limit: a false alarm widens the one limit that spoke, 'correct' takes a widening back by half.

Nothing else moves: not the budget, not another detector, not another operation. A limit is never narrower than the budget makes it, and
never wider than `MOST` and `WIDEST` allow: beyond that the cause has to be looked for. Every change is a line of the trail with what it was
before, and can be undone.

Widening is by a ratio of distances from what is usual, each kind in its own scale: `distance`.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from agent.model import Alert, Finding, Retuned

MARGIN = 1.1
"""The limit comes to lie by this much beyond the score that was false: the same cut again is silent."""
STEP = 1.5
"""The most by which one verdict widens: one slip of a finger must not blind a limit."""
MOST = 2.5
"""The most by which all verdicts together widen."""
WIDEST = {"missing": 0.3, "breakage": 0.9}
"""Thresholds that no verdict passes: below 0.3 of the usual work idle is never known better (`missing.LOWEST`), and a break that leaves a
tenth of the load must still be told."""
TUNABLE = frozenset({"missing", "breakage", "overload", "wear", "drift", "spindle", "chatter"})
"""A lost signal and 'all tools together' have no limit that the word of an operator could move."""
UNTOUCHED = 1.05
"""A width below this is none."""
TRAIL = 200
"""Changes that are remembered."""

Verdict = Literal["false_alarm", "correct", "undo"]


class TuningState(msgspec.Struct):
    """What survives a restart: the width of each limit that was moved, and the trail, oldest first."""

    widths: dict[str, float] = {}
    trail: list[Retuned] = []
    count: int = 0


def distance(kind: str, score: float) -> float:
    """How far a score of this kind lies from what is usual, 0 or more; the larger the worse.

    missing: share of the usual work, as -log. breakage: share of the load that fell away, as -log(1 - share). overload, chatter: a
    level or a share, as it is (overload counts above idle). wear: a rise as a fraction, as log(1 + rise). spindle: a ratio, as its log.
    drift: the chart's own sum.
    """
    match kind:
        case "missing":
            return -math.log(min(max(score, 1e-6), 1.0))
        case "breakage":
            return -math.log1p(-min(max(score, 0.0), 1.0 - 1e-6))
        case "wear":
            return math.log1p(max(score, 0.0))
        case "spindle":
            return math.log(max(score, 1.0))
        case _:
            return max(score, 0.0)


def score_at(kind: str, far: float) -> float:
    """The score that lies so far from what is usual: the inverse of `distance`."""
    match kind:
        case "missing":
            return math.exp(-far)
        case "breakage":
            return -math.expm1(-far)
        case "wear":
            return math.expm1(far)
        case "spindle":
            return math.exp(far)
        case _:
            return far


class Tuning:
    """The widths of a machine's limits, and how they came about."""

    def __init__(self) -> None:
        self.state = TuningState()

    @property
    def trail(self) -> tuple[Retuned, ...]:
        """Every change that is remembered, the newest last."""
        return tuple(self.state.trail)

    def standing(self) -> tuple[Retuned, ...]:
        """The latest change of each limit that can be undone, the newest first."""
        latest = {(change.kind, change.where): change for change in self.state.trail}
        return tuple(
            change for change in reversed(self.state.trail) if latest[change.kind, change.where] is change and change.verdict != "undo"
        )

    def width(self, kind: str, where: str) -> float:
        """By how much the limit of this kind at this place was widened: 1 where it never was."""
        return self.state.widths.get(f"{kind}|{where}", 1.0)

    def tuned(self, finding: Finding) -> Finding | None:
        """The finding at the widened limit; None where it does not pass that. The end of an episode always passes."""
        if finding.finished or finding.kind not in TUNABLE:
            return finding
        width = self.width(finding.kind, place(finding))
        if width <= 1.0:
            return finding
        threshold = self._threshold(finding.kind, finding.threshold, width)
        if distance(finding.kind, finding.score) <= distance(finding.kind, threshold):
            return None
        return msgspec.structs.replace(finding, threshold=threshold)

    def false_alarm(self, alert: Alert, by: str, time: float) -> Retuned | None:
        """Widen the limit that spoke, so that the same would be silent; None where there is no limit, or it is as wide as may be."""
        if alert.kind not in TUNABLE or alert.evidence.get("absent") is True or alert.evidence.get("due") is True:
            # That a cut did not come, or that earlier tools were worn by then, is told by no limit of a signal: to widen the one for little
            # work, or for a rise, would blind what did not speak.
            return None
        before = self.width(alert.kind, place(alert))
        untouched = distance(alert.kind, alert.threshold) / before
        if not (untouched > 0.0 and math.isfinite(untouched)):
            return None
        wanted = MARGIN * distance(alert.kind, alert.score) / untouched
        after = min(max(wanted, before), STEP * before, MOST)
        widest = WIDEST.get(alert.kind)
        if widest is not None:
            after = min(after, max(distance(alert.kind, widest) / untouched, before))
        return self._set(alert, before, after, "false_alarm", by, time)

    def correct(self, alert: Alert, by: str, time: float) -> Retuned | None:
        """The alert was right: where its limit had been widened, half of that (as a ratio) is taken back; None where it had not."""
        before = self.width(alert.kind, place(alert))
        after = math.sqrt(before)
        return self._set(alert, before, after if after >= UNTOUCHED else 1.0, "correct", by, time)

    def undo(self, identity: str, by: str, time: float) -> Retuned | None:
        """Take a change back; None where it is not known, or not the latest of its limit any more."""
        change = next((c for c in self.state.trail if c.id == identity), None)
        if change is None:
            return None
        latest = [c for c in self.state.trail if (c.kind, c.where) == (change.kind, change.where)][-1]
        if latest.id != identity or change.verdict == "undo":
            return None
        return self._note(change.kind, change.where, change.alert, change.after, change.before, "undo", by, time)

    def restore(self, state: TuningState) -> None:
        """Take back what was saved."""
        self.state = state

    def _threshold(self, kind: str, threshold: float, width: float) -> float:
        wide = score_at(kind, width * distance(kind, threshold))
        widest = WIDEST.get(kind)
        if widest is None:
            return wide
        # A threshold that the budget itself puts beyond the widest stays where it is.
        return max(wide, min(widest, threshold)) if kind == "missing" else min(wide, max(widest, threshold))

    def _set(self, alert: Alert, before: float, after: float, verdict: Verdict, by: str, time: float) -> Retuned | None:
        if abs(after / before - 1.0) < 1e-9:
            return None
        return self._note(alert.kind, place(alert), alert.id, before, after, verdict, by, time)

    def _note(self, kind: str, where: str, alert: str, before: float, after: float, verdict: Verdict, by: str, time: float) -> Retuned:
        self.state.count += 1
        change = Retuned(
            id=f"tuning-{self.state.count}",
            time=time,
            by=by,
            verdict=verdict,
            kind=kind,
            where=where,
            alert=alert,
            before=before,
            after=after,
        )
        widths = {key: width for key, width in self.state.widths.items() if key != f"{kind}|{where}"}
        self.state.widths = widths if after == 1.0 else {**widths, f"{kind}|{where}": after}
        self.state.trail = [*self.state.trail, change][-TRAIL:]
        return change


def place(spoke: Finding | Alert) -> str:
    """Whose limit spoke: an operation's, else a channel's, else a spindle's."""
    return spoke.operation or spoke.channel or spoke.spindle
