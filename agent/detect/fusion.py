"""One tool, or all of them: when all tools move the same way it is the material, the coolant or the machine, not this tool.

Wear and drift wait for the end of the part to know; breakage, missing and overload never wait.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from agent.model import Finding

TOGETHER = 0.5
"""Another tool moves together with this one when its log ratio is within a factor of 2 of its own (DESIGN.md, decision 8)."""
FLAT = 0.05
"""Log ratio below which a tool does not move: about 5 %."""
MOST = 0.8
"""Share of the other tools that have to move: of five or more, one may be so light a cut that it shows nothing."""
AT_ONCE = 1
"""Parts by which the rise of two tools may differ and still be one step: with two tools alone nothing else tells a batch from two edges
that wear alike."""
URGENT = 2.0
"""Times its limit (log) at which a worn edge is urgent: the part is at stake, not only the edge."""


class ToolLevel(msgspec.Struct, frozen=True):
    """Filtered log ratio of one tool's work to its new-tool anchor, and its limit."""

    tool: str
    spindle: str
    operation: str
    level: float
    limit: float
    cuts_since_new: int
    since_part: int
    """Part in which the rise began; -1: not known"""
    new_part: int
    """Part in which the tool was new"""
    n_baseline: int
    chance: float | None = None
    """That one judgement is false at most at this limit"""


def decide(levels: Mapping[str, ToolLevel], time: float, part: int) -> list[Finding]:
    """At the end of a part: wear of single tools, or one finding for all of them together."""
    findings: list[Finding] = []
    for tool in levels.values():
        if tool.level <= tool.limit:
            continue
        # A tool that was changed since this one began to rise has its anchor in the new material: it says nothing of the step.
        others = [
            other for other in levels.values() if other is not tool and not (0 <= tool.since_part < other.new_part and other.new_part > 0)
        ]
        if _moves_with(tool, others):
            middle = float(np.median([tool.level, *(other.level for other in others)]))
            return [_process(time, part, middle, tool.limit, len(others) + 1)]
        findings.append(_wear(tool, others, time, part))
    return findings


def decide_drift(waiting: Sequence[Finding], changes: Mapping[str, float], time: float, part: int) -> tuple[list[Finding], list[str]]:
    """The same for slow changes that were found in this part.

    Parameters
    ----------
    waiting: findings of drift, one an operation.
    changes: by spindle and tool, of every tool that was cut in this part: log of its recent work over its usual.

    Returns
    -------
    What is told, and the operations of those that are part of the change of all.
    """
    out: list[Finding] = []
    shared: list[str] = []
    drifting = {f"{finding.spindle}|{finding.tool}": _log_change(finding) for finding in waiting}
    for sign in (-1.0, 1.0):
        its = [finding for finding in waiting if sign * _log_change(finding) > 0.0]
        together = []
        for finding in its:
            own = f"{finding.spindle}|{finding.tool}"
            size = abs(_log_change(finding))
            others = {name: sign * change for name, change in changes.items() if name != own}
            moving = [name for name, change in others.items() if change > TOGETHER * size]
            alike = len(others) >= 2 and len(moving) >= _needed(len(others)) and float(np.median(list(others.values()))) > TOGETHER * size
            both = len(others) == 1 and len(moving) == 1 and sign * drifting.get(moving[0], 0.0) > 0.0
            if alike or both:
                together.append((finding, len(moving) + 1))
        if together:
            middle = float(np.median([_log_change(finding) for finding, _ in together]))
            out.append(_process(time, part, middle, together[0][0].threshold, max(n for _, n in together)))
            shared.extend(finding.operation for finding in its)
        else:
            out.extend(its)
    return out, shared


def process_over(time: float) -> Finding:
    """The tools do not stand off together any more."""
    return _process(time, 0, 0.0, 0.0, 0, finished=True)


def drop(waiting: Sequence[Finding], operations: Collection[str]) -> list[Finding]:
    """Without what waits of these operations: a new tool, or the change is over before anybody heard of it."""
    return [finding for finding in waiting if finding.operation not in operations]


def _needed(others: int) -> int:
    return max(2, math.ceil(MOST * others))


def _moves_with(tool: ToolLevel, others: Sequence[ToolLevel]) -> bool:
    levels = [other.level for other in others]
    if len(others) >= 2:
        moving = sum(level > FLAT for level in levels)
        return moving >= _needed(len(others)) and float(np.median(levels)) > TOGETHER * tool.level
    if len(others) == 1:
        (other,) = others
        alike = TOGETHER * tool.level < other.level < tool.level / TOGETHER
        at_once = min(tool.since_part, other.since_part) >= 0 and abs(tool.since_part - other.since_part) <= AT_ONCE
        return other.level > other.limit and alike and at_once
    return False


def _log_change(finding: Finding) -> float:
    change = finding.evidence.get("change_pct")
    return math.log1p(max(change, -99.9) / 100.0) if isinstance(change, (int, float)) and math.isfinite(change) else 0.0


def _process(time: float, part: int, change: float, threshold: float, tools: int, *, finished: bool = False) -> Finding:
    return Finding(
        time=time,
        kind="process",
        severity="advice" if finished else "warning",
        channel="",
        spindle="",
        operation="",
        tool="",
        score=abs(change),
        threshold=threshold,
        evidence={} if finished else {"change_pct": 100.0 * math.expm1(change), "tools": tools, "part": part},
        finished=finished,
    )


def _wear(tool: ToolLevel, others: Sequence[ToolLevel], time: float, part: int) -> Finding:
    return Finding(
        time=time,
        kind="wear",
        severity="urgent" if tool.level > URGENT * tool.limit else "warning",
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
            "others_flat": sum(1 for other in others if abs(other.level) <= FLAT),
            "others_total": len(others),
        },
        chance=tool.chance,
    )
