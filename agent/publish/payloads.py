"""What goes over MQTT, made of nouns: pure functions, one JSON object a message (docs/topics.md shows each).

Numbers are numbers with 6 significant digits; what is not known or not to be believed is null; times are RFC 3339 UTC. `seq` and
`historical` are added at the moment of sending (`agent.outbox.finish`). Texts come in French and English inside the message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from agent.commands import CommandResult
from agent.model import Alert, Checklist, Coverage, Cut, Event, Snapshot, Word
from agent.notices import Notice
from agent.outbox import Message
from agent.publish.topics import Topics
from agent.publish.words import CONTROLLER_MODE, EXECUTION, condition, condition_class, word
from agent.realised import Realised
from agent.settings import Language, ToolOptions
from agent.texts import NamedTool, Texts
from drivers.model import Quality

__all__ = [
    "Catalogues", "Message", "Status", "alert", "checklist", "cut", "figure", "of_event", "offline", "result", "status", "telemetry",
    "time_text", "units",
]  # fmt: skip

Catalogues = Mapping[Language, Texts]

KEPT = 7 * 86400.0
"""s for which a broker keeps what is over: a cleared alert, a finished checklist (MQTT 5; on 3.1.1 they stay)."""
TELEMETRY_KEPT, CUT_KEPT = 600.0, 86400.0
"""s for which a broker keeps telemetry and cuts for a subscriber that is away (MQTT 5)."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent and its sources are, to be told at once when it changes."""

    coverage: Coverage | None = None
    """Of the machine; None: not known yet, told as LOST"""
    sources: dict[str, str] = {}
    """Name of a bus or source to ok, degraded or lost"""
    units: dict[str, str] = {}
    """Key of the telemetry to its unit"""
    drift: float = 0.0
    """s by which the system clock is ahead of the stamps"""
    store: str = "ok"
    """ok, or the kind of a StoreTrouble"""
    dropped: int = 0
    """batches of measurements that the compute thread could not take, since the state was first written"""
    alerts: int = 0
    """that are not cleared"""
    realised: Realised | None = None
    """What became of the false-alarm budget; None: not known yet"""
    notices: tuple[Notice, ...] = ()
    tools: tuple[ToolOptions, ...] = ()
    """[[tool]] of the machine file, for the texts of the notices"""

    def differs(self, other: Status) -> bool:
        """Whether it tells something else, drift and times aside."""
        return self._told() != other._told()

    def _told(self) -> tuple[object, ...]:
        cover = self.coverage
        short = None if cover is None else (cover.word, cover.reason, cover.n, cover.of)
        known = self.realised
        judged = None if known is None else (known.raised, known.judged_false, known.judged_right, known.verdict)
        return short, self.sources, self.units, self.store, self.dropped, self.alerts, judged, self.notices


def time_text(seconds: float) -> str:
    """RFC 3339, UTC, milliseconds: '2026-11-23T06:14:00.123Z'."""
    return datetime.fromtimestamp(round(seconds, 3), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def figure(value: float | None) -> float | None:
    """A number as it is published: 6 significant digits, null where it is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def status(said: Status, at: float, machine: str, version: str, session: int, texts: Catalogues) -> bytes:
    """Of the retained status while the agent is connected; a coverage that is not known yet is LOST, never well."""
    coverage = said.coverage or Coverage(time=at, scope="machine", word=Word.LOST, reason="starting")
    return _encode(
        {
            "ts": time_text(at),
            "state": "online",
            "machine": machine,
            "coverage": str(coverage.word),
            "reason": coverage.reason,
            "n": coverage.n,
            "of": coverage.of,
            "alerts": said.alerts,
            "false_alarms": _false_alarms(said.realised) if said.realised is not None else None,
            "notices": [_notice(notice, said.tools, texts) for notice in said.notices],
            "sources": said.sources,
            "store": said.store,
            "dropped": said.dropped,
            "clock_drift_s": round(said.drift, 3),
            "units": said.units,
            "version": version,
            "session": session,
            "text": {language: " – ".join(filter(None, catalogue.coverage(coverage))) for language, catalogue in texts.items()},
        }
    )


def _false_alarms(known: Realised) -> dict[str, object]:
    """Rates are per 160 h of automatic running."""
    return {
        "verdict": known.verdict,
        "hours": round(known.hours, 1),
        "raised": known.raised,
        "judged_false": known.judged_false,
        "judged_right": known.judged_right,
        "unanswered": known.unanswered,
        "budget": figure(known.budget),
        "rate": figure(known.rate),
        "low": figure(known.low),
        "high": figure(known.high),
        "most": {"kind": known.kind, "where": known.where, "times": known.times} if known.times else None,
    }


def offline(reason: str, at: float | None, connected: float, machine: str, version: str, session: int, texts: Catalogues) -> bytes:
    """Of the retained status without an agent: `stopped` by its own hand, `lost` as the will, which cannot know when: `ts` is null."""
    return _encode(
        {
            "ts": None if at is None else time_text(at),
            "state": "offline",
            "machine": machine,
            "coverage": str(Word.LOST),
            "reason": reason,
            "connected": time_text(connected),
            "version": version,
            "session": session,
            "text": {language: catalogue.say(f"mqtt.offline.{reason}") for language, catalogue in texts.items()},
        }
    )


def telemetry(snapshot: Snapshot, topics: Topics) -> Message:
    """Latest values by name, flat: spindles as `S1.load`, vibration as `<channel>.velocity_rms`, tools as `T4.wear`, the rest by channel.

    What the pass does not believe now is null; nothing is repeated as if it were new.
    """
    context = snapshot.context
    out: dict[str, object] = {
        "ts": time_text(snapshot.time),
        "coverage": str(snapshot.coverage.word),
        "execution": word(context.execution, EXECUTION),
        "controller_mode": word(context.mode, CONTROLLER_MODE),
        "program": context.program or None,
        "tool": context.tool or None,
        "section": context.section or None,
        "part": context.part,
        "feed_override": figure(context.feed_override),
    }
    for spindle in snapshot.spindles:
        believed = spindle.load_quality <= Quality.UNCERTAIN
        out[f"{spindle.name}.load"] = figure(spindle.load) if believed else None
        out[f"{spindle.name}.speed"] = figure(spindle.speed)
        out[f"{spindle.name}.idle"] = figure(spindle.idle) if believed else None
        out[f"{spindle.name}.temperature"] = figure(spindle.temperature)
        out[f"{spindle.name}.cutting"] = spindle.cut is not None and spindle.cut.open if believed else None
    for view in snapshot.vibrations:
        believed = view.quality <= Quality.UNCERTAIN and not view.validity
        for name in ("velocity_rms", "acceleration_rms", "peak", "crest", "kurtosis"):
            out[f"{view.channel}.{name}"] = figure(getattr(view, name)) if believed else None
        out[f"{view.channel}.lost_samples"] = view.lost
    several = len(snapshot.spindles) > 1
    for tool in snapshot.tools:
        out[f"{tool.spindle}.T{tool.tool}.wear" if several else f"T{tool.tool}.wear"] = figure(tool.wear)
    for notice in snapshot.notices:
        if notice.kind == "feed_changed":
            prefix = f"{notice.operation.partition('/')[0]}." if several else ""
            out[f"{prefix}T{notice.tool}.feed_ratio"] = figure(notice.value)
    for name, value in snapshot.values.items():
        out.setdefault(name, figure(value) if isinstance(value, (int, float)) else value)
    return Message(topic=topics.telemetry, payload=_encode(out), qos=1, kind="telemetry", time=snapshot.time, expiry=TELEMETRY_KEPT)


def units(snapshot: Snapshot, channels: Mapping[str, str]) -> dict[str, str]:
    """Unit of each key of the telemetry; `channels`: unit of each channel by name."""
    out = {"feed_override": "%"}
    for spindle in snapshot.spindles:
        out |= {f"{spindle.name}.load": spindle.load_unit, f"{spindle.name}.idle": spindle.load_unit, f"{spindle.name}.speed": "rpm"}
        out[f"{spindle.name}.temperature"] = "°C"
    for view in snapshot.vibrations:
        out |= {f"{view.channel}.velocity_rms": "mm/s", f"{view.channel}.acceleration_rms": "g", f"{view.channel}.peak": "g"}
    out |= {name: channels[name] for name in snapshot.values if channels.get(name)}
    return {key: unit for key, unit in out.items() if unit}


def alert(
    alert: Alert, topics: Topics, texts: Catalogues, tools: Sequence[NamedTool] = (), channels: Mapping[str, str] | None = None
) -> Message:
    """The latest state of an alert, retained under its id. `channels`: unit of each channel by name."""
    said = {language: catalogue.alert(alert, tools, channels) for language, catalogue in texts.items()}
    body = {
        "ts": time_text(alert.updated),
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "transition": alert.transition,
        "returned": alert.returned,
        "condition": condition(alert),
        "condition_class": condition_class(alert),
        "channel": alert.channel,
        "spindle": alert.spindle,
        "operation": alert.operation,
        "tool": alert.tool,
        "score": figure(alert.score),
        "threshold": figure(alert.threshold),
        "count": alert.count,
        "raised": time_text(alert.raised),
        "checklist": alert.checklist,
        "false_alarm": alert.false_alarm,
        "correct": alert.correct,
        "acknowledged_by": alert.acknowledged_by,
        "evidence": {key: figure(value) if isinstance(value, float) else value for key, value in alert.evidence.items()},
        "text": {
            language: {"title": text.title, "text": text.text, "others": text.others, "todo": text.todo} for language, text in said.items()
        },
    }
    return Message(
        topic=topics.alert(alert.id),
        payload=_encode(body),
        retain=True,
        kind="alert",
        time=alert.updated,
        expiry=KEPT if alert.state == "cleared" else 0.0,
    )


def checklist(checklist: Checklist, topics: Topics, texts: Catalogues) -> Message:
    """The latest state of a checklist, retained under its id, with the text of each step."""
    at = max([checklist.opened, *(step.time for step in checklist.steps if step.time is not None)])
    body = {
        "ts": time_text(at),
        "id": checklist.id,
        "alert": checklist.alert,
        "tree": checklist.tree,
        "level": checklist.level,
        "safety": checklist.safety,
        "opened": time_text(checklist.opened),
        "done": checklist.done,
        "text": {language: catalogue.tree(checklist.tree) for language, catalogue in texts.items()},
        "steps": [
            {
                "id": step.id,
                "kind": step.kind,
                "result": step.result,
                "note": step.note,
                "by": step.by,
                "time": None if step.time is None else time_text(step.time),
                "text": {language: catalogue.step(step.key) for language, catalogue in texts.items()},
            }
            for step in checklist.steps
        ],
    }
    return Message(
        topic=topics.checklist(checklist.id),
        payload=_encode(body),
        retain=True,
        kind="checklist",
        time=at,
        expiry=KEPT if checklist.done else 0.0,
    )


def cut(cut: Cut, topics: Topics) -> Message:
    """A closed cut and its figures, in the unit of the load channel."""
    operation, features = cut.operation, cut.features
    body = {
        "ts": time_text(cut.time),
        "id": cut.id,
        "operation": operation.key,
        "spindle": operation.spindle,
        "program": operation.program or None,
        "revision": operation.revision,
        "tool": operation.tool or None,
        "section": operation.section or None,
        "part": cut.part,
        "opened": time_text(cut.opened),
        "held": cut.held,
        "samples": features.samples,
        "duration_s": figure(features.duration),
        "mean": figure(features.mean),
        "peak": figure(features.peak),
        "idle": figure(features.idle),
        "work": figure(features.work),
        "largest_rise": figure(features.largest_rise),
        "largest_fall": figure(features.largest_fall),
        "vibration_rms": figure(features.vibration_rms),
        "axis_load": {name: figure(value) for name, value in features.axis_load.items()},
    }
    return Message(topic=topics.cut, payload=_encode(body), kind="cut", time=cut.time, expiry=CUT_KEPT)


def _notice(notice: Notice, tools: Sequence[NamedTool], texts: Catalogues) -> dict[str, object]:
    said = {language: catalogue.notice(notice, tools) for language, catalogue in texts.items()}
    return {
        "kind": notice.kind,
        "since": time_text(notice.since),
        "program": notice.program or None,
        "operation": notice.operation or None,
        "tool": notice.tool or None,
        "section": notice.section or None,
        "value": figure(notice.value),
        "n": notice.n,
        "answer": notice.answer,
        "text": {language: {"title": text.title, "text": text.text} for language, text in said.items()},
    }


def result(answer: CommandResult, at: float, texts: Catalogues) -> bytes:
    """What became of a command."""
    said = {language: catalogue.refusal(answer.reason) if answer.reason else "" for language, catalogue in texts.items()}
    return _encode({"ts": time_text(at), "id": answer.id, "accepted": answer.accepted, "reason": answer.reason, "text": said})


def of_event(
    event: Event, topics: Topics, texts: Catalogues, tools: Sequence[NamedTool] = (), channels: Mapping[str, str] | None = None
) -> Message | None:
    """The message of an event of the pass, None where it has none. Alerts and checklists belong into `Commit.messages`, cuts into
    `Commit.telemetry`."""
    if isinstance(event, Alert):
        return alert(event, topics, texts, tools, channels)
    if isinstance(event, Checklist):
        return checklist(event, topics, texts)
    if isinstance(event, Cut) and event.phase == "closed":
        return cut(event, topics)
    return None


def _encode(body: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(body)
