"""What a person may ask of the monitor: one door for the page and for MQTT alike."""

from __future__ import annotations

from typing import Literal

import msgspec

MOST_VB = 5.0
"""mm: no flank is worn so far; a larger figure was typed in another unit."""


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge", tag_field="command", forbid_unknown_fields=True):
    """The operator has seen this alert."""

    alert: str
    by: str = ""
    id: str = ""


class FalseAlarm(msgspec.Struct, frozen=True, kw_only=True, tag="false_alarm", tag_field="command", forbid_unknown_fields=True):
    """The operator judged this alert to be false: it is cleared and marked, its limit is widened, and the cuts are learned from again."""

    alert: str
    by: str = ""
    id: str = ""


class Correct(msgspec.Struct, frozen=True, kw_only=True, tag="correct", tag_field="command", forbid_unknown_fields=True):
    """The operator found what this alert says: it is marked, and a limit that an earlier verdict had widened goes half-way back."""

    alert: str
    by: str = ""
    id: str = ""


class UndoTuning(msgspec.Struct, frozen=True, kw_only=True, tag="undo_tuning", tag_field="command", forbid_unknown_fields=True):
    """Take back what a verdict did to a limit. `tuning`: the id of the change."""

    tuning: str
    by: str = ""
    id: str = ""


class ToolChanged(msgspec.Struct, frozen=True, kw_only=True, tag="tool_changed", tag_field="command", forbid_unknown_fields=True):
    """A new tool or edge stands in this position: its new-tool anchor and its clock start again. `reason`: why the old one went out."""

    tool: str
    spindle: str = ""
    reason: Literal["", "worn", "broken", "planned"] = ""
    by: str = ""
    id: str = ""


class ProgramChanged(msgspec.Struct, frozen=True, kw_only=True, tag="program_changed", tag_field="command", forbid_unknown_fields=True):
    """Whether this program was changed, asked or not. `yes`: its operations are learned anew, what was known is kept and can be taken back;
    `no`, if it was asked: they stay, and cuts that differ are held. `program`: '' where the control names none."""

    program: str
    answer: Literal["yes", "no"] = "yes"
    by: str = ""
    id: str = ""


class UndoProgram(msgspec.Struct, frozen=True, kw_only=True, tag="undo_program", tag_field="command", forbid_unknown_fields=True):
    """Take back that this program was changed: what was known before is judged by again, what was learned since is forgotten."""

    program: str
    by: str = ""
    id: str = ""


class Measure(msgspec.Struct, frozen=True, kw_only=True, tag="measure", tag_field="command", forbid_unknown_fields=True):
    """Flank wear of the tool in this position, as somebody measured it. `vb`: mm."""

    tool: str
    vb: float
    spindle: str = ""
    by: str = ""
    id: str = ""


class StillGood(msgspec.Struct, frozen=True, kw_only=True, tag="still_good", tag_field="command", forbid_unknown_fields=True):
    """The operator looked at the tool in this position: it is not worn yet."""

    tool: str
    spindle: str = ""
    by: str = ""
    id: str = ""


class TickStep(msgspec.Struct, frozen=True, kw_only=True, tag="tick_step", tag_field="command", forbid_unknown_fields=True):
    """One step of a checklist was done. `ok`: as it should be; `corrected`: put right; `escalate`: for maintenance."""

    checklist: str
    step: str
    result: Literal["ok", "corrected", "escalate"]
    note: str = ""
    by: str = ""
    id: str = ""


Command = Acknowledge | FalseAlarm | Correct | UndoTuning | ToolChanged | ProgramChanged | UndoProgram | Measure | StillGood | TickStep


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command. `reason` is a key of the text catalogue, empty when accepted."""

    id: str
    accepted: bool
    reason: str = ""
