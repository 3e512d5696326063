"""The life of one checklist: opened for an alert, ticked step by step, done. Pure: ids in, ids out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agent.commands import TickStep
from agent.model import Checklist, Step

if TYPE_CHECKING:
    from agent.maintenance.plan import Tree

LONGEST_NOTE = 500
LONGEST_NAME = 60

_ORDER = ("ask", "act", "escalate")


def open_checklist(tree: Tree, alert: str, now: float) -> Checklist:
    """A checklist without ticks: what makes it safe first, then look, do, and when to call maintenance."""
    steps = [Step(id="safety", key=f"safety.{tree.safety}", kind="safety")]
    for kind in _ORDER:
        steps += [Step(id=step.id, key=f"{tree.id}.{step.id}", kind=step.kind) for step in tree.step if step.kind == kind]
    return Checklist(
        id=f"c-{alert}",
        alert=alert,
        tree=tree.id,
        level=tree.level,
        safety=tree.safety,
        steps=tuple(steps),
        opened=now,
        done=False,
    )


def tick(checklist: Checklist, command: TickStep, now: float) -> Checklist | str:
    """Tick one step.

    A step may be ticked again, with another result, until the checklist is done; the same tick twice (a message delivered twice) changes
    nothing. Nothing but a call for maintenance comes before the safety step.

    Returns
    -------
    The checklist after it, or the reason why not: unknown_checklist, unknown_step, checklist_done, safety_first.
    """
    if command.checklist != checklist.id:
        return "unknown_checklist"
    step = next((step for step in checklist.steps if step.id == command.step), None)
    if step is None:
        return "unknown_step"
    note, by = command.note[:LONGEST_NOTE], command.by[:LONGEST_NAME]
    if (step.result, step.note, step.by) == (command.result, note, by):
        return checklist
    if checklist.done:
        return "checklist_done"
    if step.kind != "safety" and command.result != "escalate" and not made_safe(checklist):
        return "safety_first"
    ticked = msgspec.structs.replace(step, result=command.result, note=note, by=by, time=now)
    steps = tuple(ticked if other is step else other for other in checklist.steps)
    return msgspec.structs.replace(checklist, steps=steps, done=is_done(steps))


def made_safe(checklist: Checklist) -> bool:
    """Whether the safety step was confirmed."""
    return all(step.result in {"ok", "corrected"} for step in checklist.steps if step.kind == "safety")


def is_done(steps: tuple[Step, ...]) -> bool:
    """Whether nothing is left to do: it was handed to maintenance, or every act was answered (no act: every question of escalation)."""
    if any(step.result == "escalate" for step in steps if step.kind in {"safety", "escalate"}):
        return True
    left = [step for step in steps if step.kind == "act"] or [step for step in steps if step.kind == "escalate"]
    return bool(left) and all(step.result for step in left)
