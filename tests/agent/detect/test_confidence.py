"""How sure a finding is."""

from __future__ import annotations

import math

import pytest

from agent.detect.confidence import confidence, lifted
from agent.model import Evidence, Finding, Kind


def found(kind: Kind, score: float, threshold: float, **evidence: float | str | bool) -> Finding:
    """A finding with this evidence."""
    said: Evidence = dict(evidence)
    return Finding(
        time=1.0, kind=kind, severity="warning", channel="", spindle="S1", operation="", tool="4", score=score, threshold=threshold,
        evidence=said,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (found("drift", 21.0, 20.0, n_baseline=8), "provisional"),
        (found("drift", 21.0, 20.0, n_baseline=20), "likely"),
        (found("drift", 41.0, 20.0, n_baseline=20), "sure"),
        (found("missing", 0.5, 0.6, n_baseline=30), "likely"),
        (found("missing", 0.1, 0.6, n_baseline=30), "sure"),
        (found("missing", 0.0, 0.6, n_baseline=30, absent=True), "sure"),
        (found("breakage", 0.9, 0.5, n_baseline=19), "provisional"),
        (found("breakage", 0.9, 0.5), "sure"),
        (found("wear", 0.25, 0.2, others_total=0, others_flat=0), "provisional"),
        (found("wear", 0.25, 0.2, others_total=2, others_flat=1), "likely"),
        (found("wear", 0.5, 0.2, others_total=2, others_flat=2), "sure"),
        (found("wear", 0.5, 0.2, others_total=2, others_flat=1), "likely"),
        (found("process", 0.2, 0.1, tools=2), "provisional"),
        (found("process", 0.2, 0.1, tools=3), "likely"),
        (found("process", 0.2, 0.1, tools=4), "sure"),
        (found("sensor", 5.0, 5.0, reason="no_signal"), "sure"),
        (found("sensor", 0.006, 0.05, reason="sensor_dead"), "sure"),
        (found("sensor", 0.04, 0.05, reason="sensor_dead"), "likely"),
        (found("drift", math.inf, math.inf, n_baseline=20), "likely"),
    ],
)
def test_class_of(finding: Finding, expected: str) -> None:
    assert confidence(finding, 20) == expected


@pytest.mark.parametrize(
    ("said", "findings", "expected"),
    [("provisional", 2, "provisional"), ("provisional", 3, "likely"), ("likely", 3, "sure"), ("sure", 9, "sure")],
)
def test_found_again(said: str, findings: int, expected: str) -> None:
    assert lifted(said, findings) == expected
