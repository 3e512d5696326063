"""The nouns of the pass: Operation, Cut, Indicator, Finding, Alert, Coverage, Checklist, Snapshot.

Rooms of the pass hand out keys and numbers; text is made of them at the outlets (`agent.texts`). Times are seconds on the axis of the
readings: UTC since 1970 when live, as recorded in a replay.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from agent.explained import Explanation, OperationView
from agent.notices import Notice
from agent.promise import Promise
from agent.realised import Realised

Scalar = float | int | str | bool | None
Evidence = dict[str, Scalar]
"""Keys are those of the text catalogue under [evidence]; values are numbers or short words, never sentences."""

Kind = Literal["missing", "breakage", "overload", "wear", "drift", "spindle", "chatter", "sensor", "process"]
Severity = Literal["advice", "warning", "urgent"]
Transition = Literal["raised", "escalated", "acknowledged", "returned", "cleared", "updated", ""]


class _Noun(msgspec.Struct, frozen=True, kw_only=True):
    """Common manner of every noun."""


class Word(StrEnum):
    """Coverage words, worst first (DESIGN.md, decision 6)."""

    LOST = "LOST"
    NOT_MONITORABLE = "NOT_MONITORABLE"
    HOLD = "HOLD"
    LEARNING = "LEARNING"
    PROVISIONAL = "PROVISIONAL"
    MONITORING = "MONITORING"
    OFF = "OFF"


class Operation(_Noun, frozen=True, kw_only=True):
    """Machine x spindle x program x revision x tool x section: what a baseline belongs to."""

    spindle: str
    program: str
    revision: int
    tool: str
    section: str

    @property
    def key(self) -> str:
        """Stable text, also a part of topics' payloads: 'S1/4711/r1/T4/2'."""
        return f"{self.spindle}/{self.program or '-'}/r{self.revision}/T{self.tool or '-'}/{self.section or '-'}"


class CutFeatures(_Noun, frozen=True, kw_only=True):
    """Figures of one cut, in the unit of the load channel (`u`)."""

    samples: int
    duration: float
    """s"""
    mean: float
    """u"""
    peak: float
    """u, second largest sample: one wild reading is not a peak"""
    idle: float
    """u, mean idle load at the speeds of this cut"""
    work: float
    """u s, integral of load above idle at that sample's speed"""
    largest_rise: float
    """u, between neighbouring short medians"""
    largest_fall: float
    """u, positive number"""
    fall_at: float = 0.0
    """s after the opening, of the largest fall"""
    fall_before: float = 0.0
    """u above idle, just before it"""
    level: float = 0.0
    """u above idle, now (median of the latest three readings)"""
    update: float = 0.0
    """s between two changes of the reading in a closed cut, the shortest but one; 0: too few changes to say"""
    step: float = 0.0
    """u, smallest step that this spindle's reading has made so far, of a closed cut; 0: it has not moved"""
    vibration_rms: float | None = None
    """mm/s 10-1000 Hz where a waveform covers the cut"""
    axis_load: dict[str, float] = {}
    """Of a closed cut, by channel of role axis.load: mean above what the axis takes in air, in the unit of the channel"""


class Cut(_Noun, frozen=True, kw_only=True):
    """A stretch in which the spindle works above idle, handed out as it opens, grows and closes."""

    id: str
    phase: Literal["opened", "grown", "closed"]
    operation: Operation
    part: int
    """Running number of the part since the monitor began to count."""
    opened: float
    time: float
    """Of its latest sample."""
    features: CutFeatures
    held: str = ""
    """Why it may be neither judged nor learned from ('' = it may): feed_override, feed_hold, mode, lost, warm_up, ..."""
    curve: tuple[float, ...] = ()
    """Closed and growing cuts: load on a grid of `grid` seconds from `opened`."""
    grid: float = 0.0
    through: tuple[str, ...] = ()
    """Of a closed cut: sections of others in whose place it went on, so that they are not told to be absent"""


class Indicator(_Noun, frozen=True, kw_only=True):
    """One figure over time: of a cut, a tool, a spindle or a sensor."""

    time: float
    channel: str
    operation: str
    tool: str
    name: str
    """work_ratio, velocity_rms, axis_load, kurtosis, ..."""
    value: float
    unit: str = ""


class Finding(_Noun, frozen=True, kw_only=True):
    """A detector spoke. `finished`: the cause is gone (for those that look at a state)."""

    time: float
    kind: Kind
    severity: Severity
    channel: str
    spindle: str
    operation: str
    tool: str
    score: float
    threshold: float
    evidence: Evidence
    cut: str = ""
    finished: bool = False
    chance: float | None = None
    """That one judgement is false at most, at the limit that spoke before the operator's word widened it: its share of the budget. None:
    the limit does not rest on the budget, and its rate is not known"""


class Alert(_Noun, frozen=True, kw_only=True):
    """One episode that asks for an action (ISA-18.2). Id is stable over its life and over a restart."""

    id: str
    kind: Kind
    severity: Severity
    state: Literal["active", "acknowledged", "cleared"]
    returned: bool
    """The cause is gone, the operator has not acknowledged yet."""
    raised: float
    updated: float
    transition: Transition
    channel: str
    spindle: str
    operation: str
    tool: str
    score: float
    threshold: float
    count: int
    """Findings of this episode."""
    evidence: Evidence
    checklist: str
    """Id of the checklist that was opened for it."""
    false_alarm: bool = False
    correct: bool = False
    """The operator found what it said."""
    acknowledged_by: str = ""


class Retuned(_Noun, frozen=True, kw_only=True):
    """One change of one limit by the operator's word."""

    id: str
    time: float
    by: str
    verdict: Literal["false_alarm", "correct", "undo"]
    kind: str
    """Of the finding whose limit it is"""
    where: str
    """Operation key, channel or spindle"""
    alert: str
    before: float
    """Width of the limit, as a multiple of what the budget gives; at least 1"""
    after: float


class Step(_Noun, frozen=True, kw_only=True):
    """One line of a checklist; its text stands in config/checklists under `key`."""

    id: str
    key: str
    kind: Literal["safety", "ask", "act", "escalate"]
    result: Literal["", "ok", "corrected", "escalate"] = ""
    note: str = ""
    by: str = ""
    time: float | None = None


class Checklist(_Noun, frozen=True, kw_only=True):
    """What to do about one alert: the steps of its diagnosis tree, and what was ticked."""

    id: str
    alert: str
    tree: str
    """Id in config/checklists/diagnosis.toml"""
    level: int
    """NF X60-000"""
    safety: str
    """S0..S3"""
    steps: tuple[Step, ...]
    opened: float
    done: bool


class Coverage(_Noun, frozen=True, kw_only=True):
    """How well something is watched: one of the seven words, and why."""

    time: float
    scope: str
    """'machine', 'spindle/S1', 'operation/<key>', 'vibration/<channel>'"""
    word: Word
    reason: str = ""
    """Key under [reason] of the text catalogue: no_signal, feed_override, ..."""
    n: int = 0
    of: int = 0


class EnvelopeView(_Noun, frozen=True, kw_only=True):
    """Band of good cuts of one operation, for the picture."""

    grid: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int
    since: float


class CutView(_Noun, frozen=True, kw_only=True):
    """The cut that is open, or the last one."""

    id: str
    operation: str
    tool: str
    section: str
    opened: float
    time: float
    open: bool
    curve: tuple[float, ...]
    grid: float
    envelope: EnvelopeView | None


class SpindleView(_Noun, frozen=True, kw_only=True):
    """A spindle now."""

    name: str
    load: float | None
    load_unit: str
    load_time: float | None
    """Of the reading shown; its age is told from it."""
    load_quality: int
    speed: float | None
    idle: float | None
    """Learned, at this speed."""
    temperature: float | None
    cut: CutView | None


class ToolView(_Noun, frozen=True, kw_only=True):
    """A tool in its position."""

    tool: str
    spindle: str
    name: str
    name_en: str
    word: Word
    reason: str
    n: int
    of: int
    wear: float | None
    """Rise of the work against the new tool, fraction; None: not known."""
    wear_limit: float
    smallest_change: float | None
    """Smallest rise, as a fraction, that a single cut would show at the present limit."""
    cuts: int
    cutting_time: float
    """s since the tool was new"""
    parts_low: int | None
    """Remaining parts, an interval; None: the data support none."""
    parts_high: int | None
    alert: str
    promise: Promise | None = None
    """Of its operation that can promise least among those that are watched"""
    basis: Literal["", "measures", "lives", "trend"] = ""
    """What the interval rests on: typed flank wear, lives of earlier tools here, the slope of the work"""
    basis_n: int = 0
    """How many of them"""
    basis_level: float | None = None
    """Chance that the interval claims, 0 to 1"""
    parts: int = 0
    """In which this tool cut"""
    new_known: bool = False
    """Its change was told: cuts and time count from new, not only since Broche saw it first"""
    lives: int = 0
    """Earlier tools here that were seen from new to change"""
    vb: float | None = None
    """mm, flank wear as it was last typed in"""
    vb_parts: int = 0
    """Parts that it made since"""
    vb_limit: float = 0.0
    """mm"""


class VibrationView(_Noun, frozen=True, kw_only=True):
    """A vibration channel now."""

    channel: str
    time: float | None
    quality: int
    velocity_rms: float | None
    """mm/s, 10-1000 Hz, largest axis"""
    acceleration_rms: float | None
    """g, largest axis"""
    peak: float | None
    crest: float | None
    kurtosis: float | None
    """Pearson: 3 for a healthy Gaussian signal"""
    lost: int
    """samples lost so far"""
    baseline_rms: float | None
    """Median velocity RMS while learning, mm/s"""
    validity: str
    """'' or a key under [reason]"""


class ContextView(_Noun, frozen=True, kw_only=True):
    """What the control says."""

    program: str
    part: int
    tool: str
    section: str
    mode: str
    execution: str
    feed_override: float | None
    cycle: bool | None
    door: str


class Counters(_Noun, frozen=True, kw_only=True):
    """Since the state was first written."""

    parts: int
    cuts: int
    cutting_time: float
    rows: int
    dropped: int
    """Batches that the compute thread could not take."""


class Snapshot(_Noun, frozen=True, kw_only=True):
    """Everything that an outlet shows, at one moment; immutable."""

    time: float
    """Axis of the readings: of the newest row."""
    machine: str
    coverage: Coverage
    coverages: tuple[Coverage, ...]
    spindles: tuple[SpindleView, ...]
    tools: tuple[ToolView, ...]
    vibrations: tuple[VibrationView, ...]
    context: ContextView
    alerts: tuple[Alert, ...]
    """Not cleared, most severe first."""
    checklists: tuple[Checklist, ...]
    """Of those alerts, and open ones."""
    values: dict[str, float | str | None]
    """Latest of every other channel by name; None: not to be believed now."""
    counters: Counters
    tunings: tuple[Retuned, ...] = ()
    """Changes of limits by the operator's word that stand, the newest first"""
    explanations: tuple[Explanation, ...] = ()
    """Of the alerts above"""
    operations: tuple[OperationView, ...] = ()
    """Those of the programs that are remembered, the latest cut first"""
    promises: tuple[Promise, ...] = ()
    """Of every operation that was cut well three times"""
    realised: Realised = Realised()
    """What became of the false-alarm budget"""
    notices: tuple[Notice, ...] = ()


Event = Cut | Indicator | Finding | Alert | Checklist | Coverage
