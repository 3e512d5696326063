"""One command of the page or of MQTT, obeyed by the rooms that it concerns."""

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
from agent.conditions import Conditions
from agent.detect.health import Health
from agent.detect.watch import Watch
from agent.model import Checklist, Event
from agent.monitor.desk import Desk
from agent.monitor.lives import ToolLives
from agent.monitor.program import obey_program
from agent.vibration import VibrationWatch


def obey(
    command: Command,
    now: float,
    *,
    desk: Desk,
    watch: Watch,
    vibration: VibrationWatch,
    conditions: Conditions,
    lives: ToolLives,
    health: Health,
) -> tuple[CommandResult, list[Event]]:
    """What became of it, and what it made known; a refusal gives its reason, a key under [reason]."""
    out: list[Event] = []
    reason = ""
    match command:
        case Acknowledge():
            alert = desk.alerts.acknowledge(command.alert, command.by, now)
            reason = "" if alert else "unknown_alert"
            out.extend([alert] if alert else [])
        case FalseAlarm():
            alert = desk.alerts.false_alarm(command.alert, command.by, now)
            reason = "" if alert else "unknown_alert"
            out.extend([alert] if alert else [])
            if alert is not None:
                desk.tally.judged(alert, "false_alarm")
                watch.tuning.false_alarm(alert, command.by, now)
                watch.unmark(alert)
                vibration.unmark(alert.channel)
                conditions.unmark(alert.channel)
                if alert.kind == "sensor":
                    health.unmark(alert.channel)
        case Correct():
            alert = desk.alerts.correct(command.alert, command.by, now)
            reason = "" if alert else "unknown_alert"
            out.extend([alert] if alert else [])
            if alert is not None:
                desk.tally.judged(alert, "correct")
                watch.tuning.correct(alert, command.by, now)
        case UndoTuning():
            reason = "" if watch.tuning.undo(command.tuning, command.by, now) else "unknown_tuning"
        case ToolChanged():
            known = {(baseline.tool, spindle) for baseline in watch.state.baselines.values() for spindle in ("", baseline.spindle)}
            if (command.tool, command.spindle) not in known:
                reason = "unknown_tool"
            else:
                lives.obey(command, now)
                watch.tool_changed(command.tool, command.spindle, now)
                desk.reasons.new_tool(command.tool, command.spindle)
                for alert in desk.alerts.of_tool(command.tool, command.spindle):
                    desk.tally.changed(alert, command.reason)
                    settled = desk.alerts.settle(alert.id, command.by, now)
                    out.extend([settled] if settled else [])
        case ProgramChanged() | UndoProgram():
            reason, told = obey_program(command, now, desk=desk, watch=watch)
            out.extend(told)
        case Measure():
            reason, said = lives.obey(command, now)
            out.extend(said)
        case StillGood():
            reason, _ = lives.obey(command, now)
            for alert in desk.alerts.of_tool(command.tool, command.spindle) if not reason else ():
                # Who looked at the edge has seen what was said of its wear.
                seen = desk.alerts.acknowledge(alert.id, command.by, now) if alert.kind == "wear" and alert.state == "active" else None
                out.extend([seen] if seen else [])
        case TickStep():
            checklist = desk.checklists.get(command.checklist)
            ticked = desk.plan.tick(checklist, command, now) if checklist is not None else "unknown_checklist"
            if isinstance(ticked, Checklist):
                desk.checklists[ticked.id] = ticked
                out.append(ticked)
            else:
                reason = ticked
    return CommandResult(id=command.id, accepted=not reason, reason=reason), out
