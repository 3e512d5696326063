"""All alerts that are not cleared, and how they change.

States after ISA-18.2 / IEC 62682: active (unacknowledged), acknowledged, cleared; `returned` is 'return to normal, unacknowledged'.
One cause, one alert: findings of one family on one tool (or channel) belong to one episode, which escalates instead of multiplying.

What comes and goes is told three times a shift and then stands: from the third time on its end is believed only after `QUIET` without
it (off-delay, ISA-18.2 on chattering alarms; a level that shifts to and fro made repeats for weeks: detection.md 4). What the operator
called false and has no limit that could be widened is not told again for a shift, unless it gets worse.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agent.detect.confidence import CLASSES, lifted
from agent.model import Alert, Evidence, Finding, Severity, Transition

FAMILY = {"breakage": "tool", "missing": "tool", "overload": "tool"}
"""Kinds that one tool's one misfortune may show as, within one episode."""
TELLING = ("overload", "missing", "breakage")
"""Of those kinds, from the least to the most telling."""
RANK = {"advice": 0, "warning": 1, "urgent": 2}
SHIFT = 8 * 3600.0
"""s"""
FLAPS = 3
"""Times within a shift that one thing may be raised before its end is doubted."""
QUIET = 2 * 3600.0
"""s without it after which that end is believed."""
WORSE = 1.5
"""Times the score that was called false at which it is told all the same."""
NO_LIMIT = frozenset({"process"})
"""Kinds without a limit of their own: a verdict cannot widen it (`agent.detect.tuning.TUNABLE`)."""
RELATIVE = 1e8
"""Times below this are relative to the start of a recording (DESIGN.md, Recordings)."""


class Silenced(msgspec.Struct, frozen=True):
    """What was called false."""

    until: float
    score: float
    severity: Severity


class Episodes(msgspec.Struct):
    """What is remembered beside the open alerts, by episode; survives a restart."""

    raised: dict[str, list[float]] = {}
    """Times at which it was raised within the last shift"""
    ending: dict[str, float] = {}
    """When its end will be believed"""
    silenced: dict[str, Silenced] = {}
    alerts: int = 0
    """Raised since the counting began; one that comes again before it is cleared is the same"""
    judged_false: int = 0


class AlertBook:
    """Turns findings and commands into alerts."""

    def __init__(self) -> None:
        self._open: dict[str, Alert] = {}
        self.episodes = Episodes()

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
            self.episodes.silenced.pop(key, None)
            return self._end(key, alert, finding.time)
        self.episodes.ending.pop(key, None)
        if alert is None:
            return None if self._is_silenced(key, finding) else self._raise(key, finding)
        kind = finding.kind if _more_telling(finding.kind, alert.kind) else alert.kind
        severity = finding.severity if RANK[finding.severity] > RANK[alert.severity] else alert.severity
        again = alert.returned
        if again:
            self._note(key, finding.time)
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
            evidence=_with_confidence(finding.evidence if told else alert.evidence, alert, finding),
        )
        self._open[key] = changed
        return changed

    def tick(self, now: float) -> list[Alert]:
        """Time has passed: ends that can be believed by now are told."""
        if not self.episodes.ending:
            return []
        due = [key for key, at in self.episodes.ending.items() if at <= now]
        for key in due:
            del self.episodes.ending[key]
        return [alert for key in due if (was := self._open.get(key)) is not None and (alert := self._returned(key, was, now)) is not None]

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
        if alert is None:
            return None
        if alert.kind in NO_LIMIT:
            key = next(key for key, other in self._open.items() if other is alert)
            self.episodes.silenced[key] = Silenced(max(now, alert.updated) + SHIFT, alert.score, alert.severity)
        self.episodes.judged_false += 1
        return self._clear(alert, now, acknowledged_by=by, false_alarm=True)

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

    def restore(self, saved: dict[str, Alert], episodes: Episodes | None = None) -> None:
        """Take back what `saved` gave, and what was remembered beside it."""
        self._open = dict(saved)
        self.episodes = episodes if episodes is not None else Episodes()

    def _end(self, key: str, alert: Alert | None, now: float) -> Alert | None:
        """The cause is gone; of what comes and goes, that has to last."""
        if alert is None or alert.returned:
            return None
        if len(self.episodes.raised.get(key, ())) >= FLAPS:
            self.episodes.ending[key] = now + QUIET
            return None
        return self._returned(key, alert, now)

    def _is_silenced(self, key: str, finding: Finding) -> bool:
        silenced = self.episodes.silenced.get(key)
        if silenced is None:
            return False
        worse = finding.score > WORSE * silenced.score or RANK[finding.severity] > RANK[silenced.severity]
        if worse or finding.time >= silenced.until:
            del self.episodes.silenced[key]
            return False
        return True

    def _note(self, key: str, now: float) -> None:
        """It is raised once more."""
        self.episodes.raised[key] = [*(at for at in self.episodes.raised.get(key, ()) if now - SHIFT < at <= now), now]
        for other, times in list(self.episodes.raised.items()):
            if times[-1] <= now - SHIFT:
                del self.episodes.raised[other]

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
        self.episodes.alerts += 1
        self._note(key, finding.time)
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
                self.episodes.ending.pop(key, None)
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


def _with_confidence(evidence: Evidence, alert: Alert, finding: Finding) -> Evidence:
    """Evidence with the surest class of the episode so far; the same found again and again is surer."""
    said = [str(e["confidence"]) for e in (alert.evidence, finding.evidence) if e.get("confidence") in CLASSES]
    if not said:
        return evidence
    return {**evidence, "confidence": max(*said, lifted(said[-1], alert.count + 1), key=CLASSES.index)}


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
