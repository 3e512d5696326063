"""What follows when the operator says that a program was changed, that it was not, or takes that back."""

from __future__ import annotations

import msgspec

from agent.commands import ProgramChanged, UndoProgram
from agent.detect.revision import Version
from agent.detect.watch import Watch
from agent.detect.watch_state import WatchState, without
from agent.model import Event
from agent.monitor.desk import Desk


def obey_program(command: ProgramChanged | UndoProgram, now: float, *, desk: Desk, watch: Watch) -> tuple[str, list[Event]]:
    """Why it was refused ('' = it was not), and what it made known."""
    if isinstance(command, UndoProgram):
        version = watch.changes.revision.former(command.program)
        if version is None:
            return "no_former_program", []
        return "", _settle(desk, _take_back(watch, version), command.by, now)
    if command.answer == "no":
        return "" if watch.changes.revision.no(command.program) else "no_question", []
    keys = _learn_anew(watch, command.program, command.by, now)
    return ("", _settle(desk, keys, command.by, now)) if keys else ("unknown_program", [])


def _learn_anew(watch: Watch, program: str, by: str, now: float) -> list[str]:
    """Put what is known of a program aside and begin its next revision. Returns the operations that it concerned."""
    state = watch.saved()
    keys = _of(state, program)
    if keys:
        revision = watch.changes.revision
        version = Version(
            program=program,
            number=revision.number(program),
            time=now,
            by=by,
            baselines={key: state.baselines[key] for key in keys},
            signals={key: state.signals[key] for key in keys if key in state.signals},
            sequences=state.sequences.get(program, []),
            visits={name: visits for name, visits in state.visits.items() if _is(name, program)},
            waits={key: state.waits[key] for key in keys if key in state.waits},
            courses={name: course for name, course in state.courses.items() if _is_course(name, program)},
            steady=revision.state.steady.get(program, []),
        )
        revision.replaced(version)
        _begin(watch, _without(state, program))
    return keys


def _take_back(watch: Watch, version: Version) -> list[str]:
    """The former revision is judged again, what was learned since is gone. Returns the operations of the latter."""
    state = watch.saved()
    keys = _of(state, version.program)
    watch.changes.revision.undo(version.program)
    rest = _without(state, version.program)
    sequences = {version.program: version.sequences} if version.sequences else {}
    back = msgspec.structs.replace(
        rest,
        baselines={**rest.baselines, **version.baselines},
        signals={**rest.signals, **version.signals},
        waits={**rest.waits, **version.waits},
        visits={**rest.visits, **version.visits},
        courses={**rest.courses, **version.courses},
        sequences={**rest.sequences, **sequences},
    )
    _begin(watch, back)
    return keys


def _begin(watch: Watch, state: WatchState) -> None:
    watch.restore(state)
    watch.begin_again()


def _without(state: WatchState, program: str) -> WatchState:
    rest = without(state, _of(state, program))
    return msgspec.structs.replace(
        rest,
        sequences={name: parts for name, parts in rest.sequences.items() if name != program},
        visits={name: visits for name, visits in rest.visits.items() if not _is(name, program)},
        courses={name: course for name, course in rest.courses.items() if not _is_course(name, program)},
    )


def _of(state: WatchState, program: str) -> list[str]:
    return [key for key, baseline in state.baselines.items() if baseline.program == program]


def _is(visit: str, program: str) -> bool:
    """Whether visits that are remembered under this name (`agent.detect.visits`) are of this program."""
    return visit.rpartition("|")[0] == program


def _is_course(visit: str, program: str) -> bool:
    """The same of the work of whole visits (`agent.detect.visit_work`): spindle, program, tool and number."""
    return visit.partition("|")[2].rsplit("|", 2)[0] == program


def _settle(desk: Desk, keys: list[str], by: str, now: float) -> list[Event]:
    """What was said of these operations is over."""
    told = [alert for alert in desk.alerts.open if alert.operation in keys]
    return [settled for alert in told if (settled := desk.alerts.settle(alert.id, by, now)) is not None]
