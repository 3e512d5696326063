"""Findings become alerts, new alerts open their checklist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.alerts.book import AlertBook
from agent.detect.confidence import confidence
from agent.maintenance import MaintenancePlan
from agent.model import Checklist, Event, Finding, Indicator
from agent.monitor.realised import Tally
from agent.monitor.reasons import Reasons

KEEP_CHECKLISTS = 50
"""Checklists that are kept: open ones and the latest done."""


class Desk:
    """The alerts and the checklists that were opened for them.

    Parameters
    ----------
    plan: which checklist goes with which alert.
    loads: by spindle, its load channel: what a finding about a spindle without a channel was seen in.
    reasons: gathers why each alert may be believed.
    tally: counts what became of the budget.
    monitor_cuts: good cuts from which an operation counts as known.
    """

    def __init__(self, plan: MaintenancePlan, loads: Mapping[str, str], reasons: Reasons, tally: Tally, monitor_cuts: int = 20) -> None:
        self.plan = plan
        self.alerts = AlertBook()
        self.checklists: dict[str, Checklist] = {}
        self._loads = loads
        self._monitor_cuts = monitor_cuts
        self.reasons = reasons
        self.tally = tally

    def take(self, items: Iterable[Finding | Indicator]) -> list[Event]:
        """Findings and indicators in; these and what they made known out."""
        out: list[Event] = []
        for item in items:
            if isinstance(item, Indicator):
                self.reasons.follow(item)
                out.append(item)
                continue
            if not item.channel and item.spindle:
                item = msgspec.structs.replace(item, channel=self._loads.get(item.spindle, ""))
            if not item.finished:
                evidence = {**item.evidence, "confidence": confidence(item, self._monitor_cuts)}
                item = msgspec.structs.replace(item, evidence=evidence)
            out.append(item)
            alert = self.alerts.apply(item)
            if alert is None:
                continue
            if alert.transition == "raised" and alert.count == 1:
                self.tally.raised(alert)
            if not alert.checklist:
                checklist = self.plan.open(alert, item.time)
                self.checklists[checklist.id] = checklist
                self._trim()
                alert = self.alerts.attach(alert.id, checklist.id) or alert
                out.extend([alert, checklist])
            else:
                out.append(alert)
            if not item.finished:
                self.reasons.explain(item, alert, self.checklists.get(alert.checklist))
                self.reasons.trim(self.alerts.open)
        return out

    def tick(self, now: float) -> list[Event]:
        """Time has passed: ends that had to last are told."""
        return list(self.alerts.tick(now))

    def _trim(self) -> None:
        done = [c for c in self.checklists.values() if c.done or self.alerts.get(c.alert) is None]
        for checklist in sorted(done, key=lambda c: c.opened)[: max(0, len(self.checklists) - KEEP_CHECKLISTS)]:
            del self.checklists[checklist.id]
