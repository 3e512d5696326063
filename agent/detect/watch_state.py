"""What is known of the operations over a restart."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from agent.detect.awaited import Wait
from agent.detect.baseline import Baseline
from agent.detect.budget import Pace
from agent.detect.changes import ChangesState
from agent.detect.course import Course
from agent.detect.drift import DriftState
from agent.detect.sequence import GONE
from agent.detect.signals import Signal
from agent.detect.tuning import TuningState
from agent.detect.visits import Visit
from agent.model import Finding


class WatchState(msgspec.Struct):
    """What survives a restart."""

    baselines: dict[str, Baseline] = {}
    sequences: dict[str, list[list[str]]] = {}
    bad: list[str] = []
    worn: list[str] = []
    drift: DriftState = msgspec.field(default_factory=DriftState)
    together: bool = False
    """All tools moved together at the end of the last part."""
    pace: Pace = msgspec.field(default_factory=Pace)
    waiting: list[Finding] = []
    """Slow changes that were found in this part and wait for its end"""
    shared: list[str] = []
    """Operations whose slow change is that of all tools"""
    tuning: TuningState = msgspec.field(default_factory=TuningState)
    visits: dict[str, list[Visit]] = {}
    waits: dict[str, list[Wait]] = {}
    """By operation: see `agent.detect.awaited`"""
    courses: dict[str, Course] = {}
    """By visit: see `agent.detect.visit_work`"""
    signals: dict[str, dict[str, Signal]] = {}
    """Of each operation the signals besides its work"""
    changes: ChangesState = msgspec.field(default_factory=ChangesState)
    worn_by: dict[str, str] = {}
    """Worn tool to the signal that said so, where it was not the work"""
    distrusted: list[str] = []
    """Operations of which the operator said that the floor of their cutting data spoke falsely"""


def without(state: WatchState, keys: Collection[str]) -> WatchState:
    """The same without these operations, wherever they are named. A worn tool stays if another spindle's operation has it."""
    kept = {key: baseline for key, baseline in state.baselines.items() if key not in keys}
    sequences = {
        program: [[key for key in part if key.removeprefix(GONE) not in keys] for part in parts]
        for program, parts in state.sequences.items()
    }
    lost = {state.baselines[key].tool for key in keys} - {baseline.tool for baseline in kept.values()}
    return msgspec.structs.replace(
        state,
        baselines=kept,
        sequences={program: parts for program, parts in sequences.items() if any(parts)},
        waits={key: waits for key, waits in state.waits.items() if key not in keys},
        bad=[key for key in state.bad if key not in keys],
        signals={key: signals for key, signals in state.signals.items() if key not in keys},
        changes=msgspec.structs.replace(state.changes, feeds={key: one for key, one in state.changes.feeds.items() if key not in keys}),
        waiting=[finding for finding in state.waiting if finding.operation not in keys],
        shared=[key for key in state.shared if key not in keys],
        distrusted=[key for key in state.distrusted if key not in keys],
        worn=[tool for tool in state.worn if tool not in lost],
    )
