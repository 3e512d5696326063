"""Who did what, as it is kept."""

from __future__ import annotations

from agent.commands import (
    Acknowledge,
    Command,
    CommandResult,
    Correct,
    FalseAlarm,
    Measure,
    ProgramChanged,
    StillGood,
    TickStep,
    ToolChanged,
    UndoProgram,
    UndoTuning,
)
from agent.store import Audit


def audit(command: Command, result: CommandResult, time: float, door: str) -> Audit:
    """The line of one command; `door` is 'page' or 'mqtt'. A refused one is kept too, with its reason."""
    match command:
        case Acknowledge():
            action, subject = "acknowledge", command.alert
        case FalseAlarm():
            action, subject = "false_alarm", command.alert
        case Correct():
            action, subject = "correct", command.alert
        case UndoTuning():
            action, subject = "undo_tuning", command.tuning
        case ToolChanged():
            action, subject = "tool_changed", " ".join(filter(None, (command.tool, command.reason)))
        case ProgramChanged():
            action, subject = "program_changed", " ".join(filter(None, (command.program, command.answer)))
        case UndoProgram():
            action, subject = "undo_program", command.program
        case Measure():
            action, subject = "measure", f"{command.tool} {command.vb:g} mm"
        case StillGood():
            action, subject = "still_good", command.tool
        case TickStep():
            action, subject = f"tick_{command.result}", f"{command.checklist}/{command.step}"
    detail = door if result.accepted else f"{door} {result.reason}"
    return Audit(time=time, by=command.by, action=action, subject=subject, detail=detail)
