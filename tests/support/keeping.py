"""Nouns and a catalogue for tests of store, outbox and publisher: small, fixed, in both languages."""

from __future__ import annotations

from time import time as clock
from typing import Any

from agent.model import Alert, Checklist, Cut, CutFeatures, Finding, Operation, Step
from agent.outbox import Message
from agent.settings import Language
from agent.texts import Texts, flatten

CATALOGUE: dict[Language, dict[str, Any]] = {
    "fr": {
        "common": {"and": "et"},
        "row": {"line": "{label} : {value}"},
        "coverage": {
            "LOST": {"word": "SIGNAL PERDU", "means": "Pas de signal."},
            "MONITORING": {"word": "SURVEILLÉ", "means": "Usure, casse et surcharge sont surveillées."},
            "LEARNING": {"word": "APPRENTISSAGE {n} sur {of}", "means": "Les premières bonnes passes sont apprises."},
        },
        "reason": {"starting": {"means": "Broche démarre."}, "no_signal": {"means": "La variation de vitesse ne répond plus."}},
        "alert": {
            "wear": {"title": "Usure outil {tool}", "text": "+{change_pct:0} % depuis l'outil neuf.", "todo": "Changer la plaquette."},
            "breakage": {
                "title": "Casse outil {tool}",
                "text": "La charge tombe de {fall_pct:0} %.",
                "todo": "Arrêter et regarder l'outil.",
            },
        },
        "notice": {
            "feed_changed": {"title": "Avance modifiée, {tool}", "text": "Même travail en un autre temps : avance à {feed} environ."}
        },
        "tree": {"tool_wear": "Usure d'un outil"},
        "step": {
            "tool_wear": {"look": "Regarder l'arête.", "change": "Changer la plaquette."},
            "safety": {"S1": "Broche arrêtée, porte ouverte."},
        },
        "mqtt": {"offline": {"stopped": "Broche a été arrêté.", "lost": "Broche ne répond plus."}},
        "refusal": {
            "not_understood": "Commande incomprise.",
            "retained": "Commande retenue.",
            "too_large": "Trop grande.",
            "busy": "Réessayer.",
            "expired": "Trop vieille.",
            "unknown_alert": "Alerte inconnue.",
        },
    },
    "en": {
        "common": {"and": "and"},
        "row": {"line": "{label}: {value}"},
        "coverage": {
            "LOST": {"word": "LOST", "means": "No signal."},
            "MONITORING": {"word": "MONITORING", "means": "Wear, breakage and overload are monitored."},
            "LEARNING": {"word": "LEARNING {n} of {of}", "means": "The first good passes are being learned."},
        },
        "reason": {"starting": {"means": "Broche is starting."}, "no_signal": {"means": "The drive no longer answers."}},
        "alert": {
            "wear": {"title": "Tool wear {tool}", "text": "+{change_pct:0} % since the new tool.", "todo": "Change the insert."},
            "breakage": {"title": "Tool broken {tool}", "text": "The load falls by {fall_pct:0} %.", "todo": "Stop and look at the tool."},
        },
        "notice": {"feed_changed": {"title": "Feed changed, {tool}", "text": "The same work in another time: feed at about {feed}."}},
        "tree": {"tool_wear": "Wear of a tool"},
        "step": {
            "tool_wear": {"look": "Look at the edge.", "change": "Change the insert."},
            "safety": {"S1": "Spindle stopped, door open."},
        },
        "mqtt": {"offline": {"stopped": "Broche was stopped.", "lost": "Broche no longer answers."}},
        "refusal": {
            "not_understood": "Command not understood.",
            "retained": "Retained command.",
            "too_large": "Too large.",
            "busy": "Try again.",
            "expired": "Too old.",
            "unknown_alert": "No such alert.",
        },
    },
}


def texts() -> dict[Language, Texts]:
    """The small catalogue."""
    return {language: Texts(language, flatten(entries)) for language, entries in CATALOGUE.items()}


def alert(id: str = "a1", *, state: str = "active", kind: str = "wear", time: float = 1.0, **more: Any) -> Alert:
    """Of T4."""
    values: dict[str, Any] = {
        "id": id,
        "kind": kind,
        "severity": "urgent" if kind == "breakage" else "warning",
        "state": state,
        "returned": False,
        "raised": time,
        "updated": time,
        "transition": "raised" if state == "active" else state,
        "channel": "load",
        "spindle": "S1",
        "operation": "S1/4711/r1/T4/2",
        "tool": "4",
        "score": 5.25,
        "threshold": 4.0,
        "count": 3,
        "evidence": {"change_pct": 21.0, "limit_pct": 20.0, "part": 138}
        if kind == "wear"
        else {"fall_pct": 82.5, "at_s": 0.74, "part": 138},
        "checklist": "c1",
    }
    return Alert(**(values | more))


def finding(**more: Any) -> Finding:
    """Of T4, just beyond its limit."""
    values: dict[str, Any] = {
        "time": 1.0,
        "kind": "wear",
        "severity": "warning",
        "channel": "",
        "spindle": "S1",
        "operation": "S1/4711/r1/T4/2",
        "tool": "4",
        "score": 5.25,
        "threshold": 4.0,
        "evidence": {},
    }
    return Finding(**(values | more))


def checklist(id: str = "c1", *, time: float = 1.0, done: bool = False) -> Checklist:
    """Of the alert a1, its first step ticked."""
    return Checklist(
        id=id,
        alert="a1",
        tree="tool_wear",
        level=1,
        safety="S1",
        steps=(
            Step(id="s0", key="safety.S1", kind="safety", result="ok", by="Karim", time=time + 60.0),
            Step(id="s1", key="tool_wear.look", kind="ask"),
            Step(id="s2", key="tool_wear.change", kind="act"),
        ),
        opened=time,
        done=done,
    )


def cut(time: float = 1.0) -> Cut:
    """A closed one of T4."""
    return Cut(
        id="S1-138-3",
        phase="closed",
        operation=Operation(spindle="S1", program="4711", revision=1, tool="4", section="2"),
        part=138,
        opened=time,
        time=time + 1.8,
        features=CutFeatures(
            samples=36,
            duration=1.8,
            mean=34.123456789,
            peak=41.5,
            idle=4.25,
            work=53.75,
            largest_rise=9.5,
            largest_fall=11.0,
            vibration_rms=None,
        ),
    )


def message(topic: str, number: int = 0, *, kind: str = "alert", time: float | None = None, size: int = 0) -> Message:
    """A small one of now; alerts and checklists are retained as the real ones are."""
    body = b'{"n":%d,"fill":"%s"}' % (number, b"x" * size)
    return Message(topic=topic, payload=body, retain=kind in ("alert", "checklist"), kind=kind, time=clock() if time is None else time)
