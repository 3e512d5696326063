"""All alerts that are not cleared, and how they change.

States after ISA-18.2 / IEC 62682: active (unacknowledged), acknowledged, cleared; `returned` is 'return to normal, unacknowledged'.
One cause, one alert: findings of one family on one tool (or channel) belong to one episode, which escalates instead of multiplying.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agent.model import Alert, Finding, Transition

FAMILY = {"breakage": "tool", "missing": "tool", "overload": "tool"}
"""Kinds that one tool's one misfortune may show as, within one episode."""
TELLING = ("overload", "missing", "breakage")
"""Of those kinds, from the least to the most telling."""
RANK = {"advice": 0, "warning": 1, "urgent": 2}
RELATIVE = 1e8
"""Times below this are relative to the start of a recording (DESIGN.md, Recordings)."""


class AlertBook:
    """Turns findings and commands into alerts."""

    def __init__(self) -> None:
        self._open: dict[str, Alert] = {}

    @property
    def open(self) -> tuple[Alert, ...]:
        """Not cleared; urgent first, then the newest."""
        return tuple(sorted(self._open.values(), key=lambda a: (a.returned, -RANK[a.severity], -a.raised, a.id)))

    def get(self, identity: str) -> Alert | None:
        """By id, while it is not cleared."""
        return next((alert for alert in self._open.values() if alert.id == identity), None)

    def of_tool(self, tool: str, spindle: str = "") -> tuple[Alert, ...]:
        """Open alerts of one tool."""
        return tuple(a for a in self._open.values() if a.tool == tool and (not spindle or a.spindle == spindle))

    def apply(self, finding: Finding) -> Alert | None:
        """What a finding does: raises, updates, escalates or returns an alert; None when nobody needs to hear of it."""
        key = _key(finding)
        alert = self._open.get(key)
        if finding.finished:
            return self._returned(key, alert, finding.time) if alert is not None and not alert.returned else None
        if alert is None:
            return self._raise(key, finding)
        kind = finding.kind if _more_telling(finding.kind, alert.kind) else alert.kind
        severity = finding.severity if RANK[finding.severity] > RANK[alert.severity] else alert.severity
        again = alert.returned
        worse = kind != alert.kind or severity != alert.severity
        told = kind == finding.kind
        transition: Transition = "raised" if again else "escalated" if worse else "updated"
        changed = msgspec.structs.replace(
            alert,
            kind=kind,
            severity=severity,
            state="active" if again else alert.state,
            returned=False,
            updated=finding.time,
            transition=transition,
            count=alert.count + 1,
            operation=finding.operation if told else alert.operation,
            score=finding.score if told else alert.score,
            threshold=finding.threshold if told else alert.threshold,
            evidence=finding.evidence if told else alert.evidence,
        )
        self._open[key] = changed
        return changed

    def attach(self, identity: str, checklist: str) -> Alert | None:
        """Note which checklist was opened for an alert."""
        return self._change(identity, checklist=checklist)

    def acknowledge(self, identity: str, by: str, now: float) -> Alert | None:
        """The operator has seen it; cleared if its cause is gone."""
        alert = self.get(identity)
        if alert is None:
            return None
        if alert.returned:
            return self._clear(alert, now, acknowledged_by=by)
        return self._change(identity, state="acknowledged", acknowledged_by=by, updated=now, transition="acknowledged")

    def false_alarm(self, identity: str, by: str, now: float) -> Alert | None:
        """The operator judged it false: cleared, and marked so."""
        alert = self.get(identity)
        return None if alert is None else self._clear(alert, now, acknowledged_by=by, false_alarm=True)

    def correct(self, identity: str, by: str, now: float) -> Alert | None:
        """The operator found what it says: marked so, and acknowledged if it was not; cleared if its cause is gone."""
        alert = self.get(identity)
        if alert is None:
            return None
        if alert.returned:
            return self._clear(alert, now, acknowledged_by=by or alert.acknowledged_by, correct=True)
        seen = by or alert.acknowledged_by
        return self._change(identity, state="acknowledged", acknowledged_by=seen, correct=True, updated=now, transition="acknowledged")

    def settle(self, identity: str, by: str, now: float) -> Alert | None:
        """Its cause was removed by the operator (a new tool): cleared."""
        alert = self.get(identity)
        return None if alert is None else self._clear(alert, now, acknowledged_by=by or alert.acknowledged_by)

    def saved(self) -> dict[str, Alert]:
        """What survives a restart."""
        return dict(self._open)

    def restore(self, saved: dict[str, Alert]) -> None:
        """Take back what `saved` gave."""
        self._open = dict(saved)

    def _raise(self, key: str, finding: Finding) -> Alert:
        alert = Alert(
            id=_identity(finding),
            kind=finding.kind,
            severity=finding.severity,
            state="active",
            returned=False,
            raised=finding.time,
            updated=finding.time,
            transition="raised",
            channel=finding.channel,
            spindle=finding.spindle,
            operation=finding.operation,
            tool=finding.tool,
            score=finding.score,
            threshold=finding.threshold,
            count=1,
            evidence=finding.evidence,
            checklist="",
        )
        self._open[key] = alert
        return alert

    def _returned(self, key: str, alert: Alert, now: float) -> Alert:
        if alert.state == "acknowledged":
            return self._clear(alert, now)
        changed = msgspec.structs.replace(alert, returned=True, updated=now, transition="returned")
        self._open[key] = changed
        return changed

    def _clear(self, alert: Alert, now: float, **changes: object) -> Alert:
        for key, other in list(self._open.items()):
            if other.id == alert.id:
                del self._open[key]
        return msgspec.structs.replace(alert, state="cleared", returned=True, updated=now, transition="cleared", **changes)

    def _change(self, identity: str, **changes: object) -> Alert | None:
        for key, alert in self._open.items():
            if alert.id == identity:
                changed = msgspec.structs.replace(alert, **changes)
                self._open[key] = changed
                return changed
        return None


def _key(finding: Finding) -> str:
    family = FAMILY.get(finding.kind, finding.kind)
    return f"{family}|{finding.spindle}|{finding.tool}|{finding.channel}"


def _more_telling(kind: str, than: str) -> bool:
    return kind in TELLING and than in TELLING and TELLING.index(kind) > TELLING.index(than)


def _identity(finding: Finding) -> str:
    """Stable, readable, fit for a topic: what, where, when."""
    where = (finding.tool and f"T{finding.tool}") or finding.channel or finding.spindle or "machine"
    if finding.time < RELATIVE:
        when = f"{finding.time:.3f}"
    else:
        when = datetime.fromtimestamp(finding.time, UTC).strftime("%Y%m%dT%H%M%S") + f"{int(finding.time * 1000) % 1000:03d}"
    text = f"{FAMILY.get(finding.kind, finding.kind)}-{where}-{when}"
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "_" for c in text)
