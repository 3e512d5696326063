"""What survives a restart."""

from __future__ import annotations

import msgspec

from agent.alerts.book import Episodes
from agent.axes import AxisState
from agent.conditions import ConditionsState
from agent.detect.clock import Clock
from agent.detect.habits import Habits
from agent.detect.recurring import RecurringState
from agent.detect.watch_state import WatchState
from agent.load import Basis
from agent.model import Alert, Checklist, Counters
from agent.monitor.realised import RealisedState
from agent.monitor.reasons import ReasonsState
from agent.monitor.warming import WarmingState
from agent.segment import SegmenterState
from agent.vibration import VibrationState


class MonitorState(msgspec.Struct):
    """What survives a restart; written by `state`, taken back by `restore`."""

    version: str
    segmenters: dict[str, SegmenterState]
    watch: WatchState
    vibration: dict[str, VibrationState]
    alerts: dict[str, Alert]
    checklists: dict[str, Checklist]
    counters: Counters
    off: bool = False
    """The machine's own supply was off"""
    axes: dict[str, AxisState] = {}
    spindle_loads: dict[str, Basis] = {}
    """What the load of each spindle meant to which all this was learned; one that is not here was saved before this was kept"""
    axis_loads: dict[str, Basis] = {}
    """The same of each channel of role `axis.load`"""
    episodes: Episodes = msgspec.field(default_factory=Episodes)
    """How often alerts came and went"""
    health: dict[str, Habits] = {}
    """By channel: what is usual for it, and what is wrong with it"""
    conditions: ConditionsState = msgspec.field(default_factory=ConditionsState)
    """Polled vibration figures and groups of slow channels"""
    reasons: ReasonsState = msgspec.field(default_factory=ReasonsState)
    """Why the open alerts may be believed, and what their pictures are drawn from"""
    realised: RealisedState = msgspec.field(default_factory=RealisedState)
    """What became of the false-alarm budget; a state without it has hours and no alerts to go with them, so the counting begins now"""
    lives: dict[str, Clock] = {}
    """Of each tool position: what it has cut, what was typed of it, how long earlier ones lasted"""
    warming: WarmingState = msgspec.field(default_factory=WarmingState)
    recurring: RecurringState = msgspec.field(default_factory=RecurringState)
    """Shapes and orders of cuts, where the control names none"""
