"""How sure a finding is, from its evidence: provisional, likely, sure. The class says how far to trust it; severity says what is at stake.

It is told from three things that every finding brings: how many good cuts its baseline rests on, how far beyond its limit it is (on the
kind's own scale, `tuning.distance`), and how often the same was found in one episode (`agent.alerts.book` lifts it).
"""

from __future__ import annotations

import math
from typing import Literal

from agent.detect.tuning import distance
from agent.model import Finding

Confidence = Literal["provisional", "likely", "sure"]
CLASSES: tuple[str, ...] = ("provisional", "likely", "sure")
TWICE = 2.0
"""Times the limit at which one finding is enough: the limit is already what chance passes once in the budget."""
MANY = 4
"""Tools that move together for it to be sure; two may wear alike by chance."""
FACTS = frozenset({"no_signal", "sensor_bad", "sensor_nan", "sensor_gaps", "sensor_slow"})
"""Reasons that are counted, not inferred: the readings are not there, or no numbers."""


def confidence(finding: Finding, monitor_cuts: int) -> Confidence:
    """Of one finding. `monitor_cuts`: good cuts from which an operation counts as known (`monitoring.monitor_cuts`)."""
    evidence = finding.evidence
    if finding.kind == "sensor":
        return "sure" if evidence.get("reason") in FACTS or _apart(finding) else "likely"
    if finding.kind == "process":
        tools = _number(evidence.get("tools"))
        return "sure" if tools >= MANY else "likely" if tools >= MANY - 1 else "provisional"
    if evidence.get("due") is True:
        # By what other tools did, nothing was seen of this one; measures were.
        return "likely" if "measures" in evidence or _number(evidence.get("lives")) >= MANY else "provisional"
    if finding.kind == "wear":
        # What the other tools do tells an edge from the material: without any, that is open.
        if _number(evidence.get("others_total")) < 1:
            return "provisional"
        return "sure" if _far(finding) >= TWICE and evidence.get("others_flat") == evidence.get("others_total") else "likely"
    known = "n_baseline" not in evidence or _number(evidence["n_baseline"]) >= monitor_cuts
    if not known:
        return "provisional"
    return "sure" if evidence.get("absent") is True or _far(finding) >= TWICE else "likely"


def lifted(confidence: str, findings: int) -> str:
    """The class after so many findings of one episode: one higher from the third on."""
    at = CLASSES.index(confidence)
    return CLASSES[min(at + (findings >= 3), len(CLASSES) - 1)]


def _far(finding: Finding) -> float:
    """Times its limit."""
    limit = distance(finding.kind, finding.threshold)
    return distance(finding.kind, finding.score) / limit if limit > 0.0 and math.isfinite(limit) else 0.0


def _apart(finding: Finding) -> bool:
    low, high = sorted((abs(finding.score), abs(finding.threshold)))
    return high > TWICE * low


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0
