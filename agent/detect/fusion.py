"""One tool, or all of them: when all tools move the same way it is the material, the coolant or the machine, not wear.

Wear waits for the end of the part to know; breakage, missing and overload never wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from agent.model import Finding

TOGETHER = 0.5
"""The other tools move together with this one when their median log ratio is within a factor of 2 of its own (DESIGN.md, decision 8)."""
FLAT = 0.05
"""Log ratio below which a tool does not move: about 5 %."""


class ToolLevel(msgspec.Struct, frozen=True):
    """Filtered log ratio of one tool's work to its new-tool anchor, and its limit."""

    tool: str
    spindle: str
    operation: str
    level: float
    limit: float
    cuts_since_new: int
    since_part: int
    new_part: int
    n_baseline: int


def decide(levels: Mapping[str, ToolLevel], time: float, part: int) -> list[Finding]:
    """At the end of a part: wear of single tools, or one finding for all of them together."""
    over = [tool for tool in levels.values() if tool.level > tool.limit]
    if not over:
        return []
    all_levels = [tool.level for tool in levels.values()]
    findings: list[Finding] = []
    for tool in over:
        others = [other.level for other in levels.values() if other is not tool]
        if len(others) >= 2 and float(np.median(others)) > TOGETHER * tool.level and min(others) > FLAT:
            middle = float(np.median(all_levels))
            return [
                Finding(
                    time=time,
                    kind="process",
                    severity="warning",
                    channel="",
                    spindle="",
                    operation="",
                    tool="",
                    score=middle,
                    threshold=tool.limit,
                    evidence={"change_pct": 100.0 * math.expm1(middle), "tools": len(levels), "part": part},
                )
            ]
        findings.append(
            Finding(
                time=time,
                kind="wear",
                severity="warning",
                channel="",
                spindle=tool.spindle,
                operation=tool.operation,
                tool=tool.tool,
                score=math.expm1(tool.level),
                threshold=math.expm1(tool.limit),
                evidence={
                    "change_pct": 100.0 * math.expm1(tool.level),
                    "limit_pct": 100.0 * math.expm1(tool.limit),
                    "cuts_since_new": tool.cuts_since_new,
                    **({"since_part": tool.since_part} if tool.since_part >= 0 else {}),
                    "new_part": tool.new_part,
                    "part": part,
                    "n_baseline": tool.n_baseline,
                    "others_flat": sum(1 for level in others if abs(level) <= FLAT),
                    "others_total": len(others),
                },
            )
        )
    return findings


def process_over(time: float) -> Finding:
    """The tools do not stand off together any more."""
    return Finding(
        time=time,
        kind="process",
        severity="advice",
        channel="",
        spindle="",
        operation="",
        tool="",
        score=0.0,
        threshold=0.0,
        evidence={},
        finished=True,
    )
