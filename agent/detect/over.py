"""The end of an episode of one tool."""

from __future__ import annotations

from agent.detect.baseline import Baseline
from agent.model import Cut, Finding


def over(cut: Cut, kind: str) -> Finding:
    """The cause is gone."""
    return Finding(
        time=cut.time,
        kind="wear" if kind == "wear" else "breakage",
        severity="advice",
        channel="",
        spindle=cut.operation.spindle,
        operation=cut.operation.key,
        tool=cut.operation.tool,
        score=0.0,
        threshold=0.0,
        evidence={},
        cut=cut.id,
        finished=True,
    )


def taken_out(baseline: Baseline, time: float) -> Finding:
    """The program has this operation no more: nothing is missing."""
    return Finding(
        time=time,
        kind="missing",
        severity="advice",
        channel="",
        spindle=baseline.spindle,
        operation=baseline.key,
        tool=baseline.tool,
        score=0.0,
        threshold=0.0,
        evidence={},
        finished=True,
    )
