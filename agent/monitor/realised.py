"""What became of the false-alarm budget: alerts that the operator judged, over the hours in which there was something to judge.

Hours are those in which the budget is shared out (`agent.detect.budget.Pace`): automatic running is a cut, and the time to the next one
unless that is a standstill. Of them only what was watched counts: lost signals, HOLD, a machine that cannot be monitored or is off, gaps
and the time in which the agent was down add nothing. They are counted here and not taken from `Pace`, so that they begin together with the
alerts: a state that was saved before this was kept has hours, and no alerts to go with them.

The rate stands with the exact interval of a Poisson count (`detect.budget.poisson_bounds`). An alert that nobody answered may have been
right or false: the lower bound takes all of them for right, the upper one for false.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import Literal

import msgspec

from agent.budget import HOURS
from agent.detect.budget import STANDSTILL, poisson_bounds
from agent.detect.tuning import place
from agent.model import Alert, Cut, Word
from agent.realised import Realised

PERIODS = 6.0
"""Times the hours in which the budget allows one false alarm that are looked back upon: at the budget itself 6 come in them, which is
between 0.37 and 2.2 times the budget with 95 % confidence, so three times the budget is told from it. What is older says little of the
limits of today."""
USEFUL = 3.0
"""Times the budget that the upper bound must rule out before it is said that the budget is kept: what issue 5 allows one teach-in."""
MOST = 200
"""Alerts that are remembered; with more, what is looked back upon is shorter."""
WATCHED = frozenset({Word.LEARNING, Word.PROVISIONAL, Word.MONITORING})
"""Words under which something is judged: a break also while an operation is learned."""
CONFIRMS = {"worn": ("wear",), "broken": ("breakage", "missing", "overload")}
"""Reasons for which a tool is changed, and the kinds of alerts that this proves right."""

Said = Literal["", "false_alarm", "correct"]


class Raised(msgspec.Struct, frozen=True):
    """One alert, and what was said of it. `at`: on the count of hours."""

    id: str
    at: float
    kind: str
    where: str
    said: Said = ""


class RealisedState(msgspec.Struct):
    """What survives a restart. `hours`: since the counting began; `began`: on that count, where what is remembered begins."""

    hours: float = 0.0
    began: float = 0.0
    alerts: list[Raised] = []


class Tally:
    """Of one machine.

    Parameters
    ----------
    alarms_per_hour: the budget.
    """

    def __init__(self, alarms_per_hour: float) -> None:
        self._budget = alarms_per_hour
        self.state = RealisedState()
        self._looked: float | None = None
        self._is_watched = False
        self._watched = 0.0
        """s that were watched since the latest cut that counted"""
        self._last: float | None = None
        """End of the latest cut"""

    def look(self, now: float, word: Word) -> None:
        """The machine's coverage at `now`, s; what was said at the look before held until now."""
        if self._looked is not None and self._is_watched:
            self._watched += max(now - self._looked, 0.0)
        self._looked, self._is_watched = now, word in WATCHED

    def cut(self, cut: Cut) -> None:
        """A cut has closed, held or not."""
        last, self._last = self._last, cut.time
        begun = cut.opened
        if last is not None and last > cut.time and last - cut.time <= STANDSTILL:
            # Of another spindle, which ended later.
            self._last = last
            return
        if last is not None and last <= cut.time and cut.opened - last <= STANDSTILL:
            begun = last
        span, watched, self._watched = cut.time - begun, self._watched, 0.0
        if math.isfinite(span) and span > 0.0:
            self.state.hours += min(span, watched) / 3600.0
            self._forget()

    def gap(self) -> None:
        """Something was missed: what was watched since the latest cut does not count."""
        self._watched = 0.0

    def raised(self, alert: Alert) -> None:
        """An alert was raised; one that comes again before it is cleared is the same, and is not told here."""
        one = Raised(alert.id, self.state.hours, alert.kind, place(alert))
        self.state.alerts = [*self.state.alerts, one]
        self._forget()

    def judged(self, alert: Alert, said: Literal["false_alarm", "correct"]) -> None:
        """The operator's word on it; the latest counts, with the kind and place that the alert has by now. One that was raised before the
        counting began is none of it."""
        self.state.alerts = [
            Raised(one.id, one.at, alert.kind, place(alert), said) if one.id == alert.id else one for one in self.state.alerts
        ]

    def changed(self, settled: Alert, reason: str) -> None:
        """Its tool was changed, because of `reason` of `ToolChanged`."""
        if settled.kind in CONFIRMS.get(reason, ()):
            self.judged(settled, "correct")

    def view(self) -> Realised:
        """For the outlets."""
        alerts, budget = self.state.alerts, self._budget * HOURS["month"]
        false = [one for one in alerts if one.said == "false_alarm"]
        right = sum(one.said == "correct" for one in alerts)
        unanswered = len(alerts) - len(false) - right
        hours = self.state.hours - self._begins()
        told = Realised(
            hours=hours,
            raised=len(alerts),
            judged_false=len(false),
            judged_right=right,
            unanswered=unanswered,
            budget=budget,
        )
        if not hours > 0.0:
            return told
        a_month = HOURS["month"] / hours
        low, high = a_month * poisson_bounds(len(false))[0], a_month * poisson_bounds(len(false) + unanswered)[1]
        verdict: Literal["early", "kept", "above"] = "above" if low > budget else "kept" if high <= USEFUL * budget else "early"
        kind, where, times = _most(false)
        wanted = poisson_bounds(len(false) + unanswered)[1] / (USEFUL * self._budget)
        return msgspec.structs.replace(
            told,
            rate=len(false) * a_month,
            low=low,
            high=high,
            verdict=verdict,
            needed=wanted - hours if verdict == "early" and wanted <= PERIODS / self._budget else None,
            kind=kind,
            where=where,
            times=times,
        )

    def restore(self, state: RealisedState) -> None:
        """Take back what was saved: the time since then was not watched."""
        self.state = state
        self._looked, self._is_watched, self._watched, self._last = None, False, 0.0, None

    def _begins(self) -> float:
        """On the count of hours, where what is looked back upon begins."""
        return max(self.state.began, self.state.hours - PERIODS / self._budget)

    def _forget(self) -> None:
        """What is older than what is looked back upon, and the oldest of too many."""
        state = self.state
        for one in state.alerts[: max(len(state.alerts) - MOST, 0)]:
            state.began = max(state.began, one.at)
        begins = self._begins()
        if len(state.alerts) > MOST or (state.alerts and state.alerts[0].at < begins):
            state.alerts = [one for one in state.alerts[-MOST:] if one.at >= begins]


def _most(false: Collection[Raised]) -> tuple[str, str, int]:
    """Kind and place of most of them, and how many; of as many, the latest."""
    counted = Counter((one.kind, one.where) for one in reversed(list(false)))
    for (kind, where), times in counted.most_common(1):
        return kind, where, times
    return "", "", 0
