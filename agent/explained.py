"""What is shown of an alert besides its sentence, and of an operation besides its word: why it may be believed, and how far.

Nouns like those of `agent.model`, in a room of their own: keys and numbers, text is made of them at the outlets.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector saw when it spoke: one cut on the band of good cuts, one value a cut (or a look) over time, or one value a tool.

    At most 200 points a line, so that it may be kept with its alert and sent.
    """

    shape: Literal["cut", "trend", "bars"]
    name: str
    """Figure: 'load' of a cut, else the name of the Indicator"""
    unit: str
    """Of y; a trend that is a ratio is given in % of change"""
    y: tuple[float, ...]
    x: tuple[float, ...] = ()
    """Of a trend: numbers of parts or times, as `axis` says; of a cut empty, its points lie `grid` apart"""
    names: tuple[str, ...] = ()
    """Of bars: the tools"""
    axis: Literal["seconds", "part", "cut", "time"] = "seconds"
    grid: float = 0.0
    """s between two points of a cut"""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Band of good cuts; empty: there is none"""
    band_grid: float = 0.0
    n: int = 0
    """Good cuts of the band"""
    since: float = 0.0
    """Time at which the baseline began"""
    base: float | None = None
    """Level that a trend is compared with, unit of y"""
    limit: float | None = None
    """Unit of y"""
    at: float | None = None
    """Where it happened: s after the opening, or x of a trend from which on it rose"""
    spoke: float | None = None
    """s after the opening at which Broche spoke"""
    cut: str = ""
    """Id of the cut, while it may still grow"""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Another explanation of an alert; its text stands in config/checklists under `key`."""

    key: str
    likely: bool = True
    """False: what the other tools show speaks against it"""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an alert may be believed and where it may err, as it was known when Broche spoke: keys and numbers."""

    alert: str
    time: float
    """Of the finding that it explains"""
    against: Literal["new_tool", "good_cuts", "well", "cutting_data", "earlier_tools", "measures", ""]
    """What it was compared with; '': a state was looked at, nothing was compared"""
    n: int
    """Good cuts (or looks) of that"""
    baseline_since: float | None
    """Time of the first of them"""
    since: float | None
    """Time at which the change began, where it is known"""
    since_part: int | None
    per_month: float
    """False alarms a month of 160 h that the shop allows the whole machine"""
    basis: Literal["chance", "rule", "state", "due"]
    """What its limit rests on: the budget; a fixed rule whose rate is not known; none, a state was looked at"""
    chance: float
    """That one judgement is false at most, at the limit that spoke, before the operator's word widened it; 0: its rate is not known"""
    width: float
    """Of the limit by the operator's word, as a multiple of what the budget gives"""
    judged_false: int
    """Times that the operator called what this limit said false"""
    first: str
    """Key of the step that is to be looked at first; ''"""
    causes: tuple[Cause, ...]
    unseen: tuple[str, ...]
    """Keys of what Broche cannot see here"""
    rate: float | None
    """Readings a second within the cut"""
    picture: Picture | None


class OperationView(msgspec.Struct, frozen=True, kw_only=True):
    """How well one operation is watched: for the installer's table."""

    key: str
    spindle: str
    program: str
    tool: str
    section: str
    word: str
    """A word of `agent.model.Word`"""
    reason: str
    n: int
    """Good cuts"""
    of: int
    contrast: float | None
    """Mean load above idle, in standard deviations of the noise"""
    rate: float | None
    """Readings a second"""
    duration: float | None
    """s"""
    smallest_change: float | None
    """Smallest lasting rise of the work that shows, fraction"""
    smallest_fall: float | None
    """Smallest lasting fall of the work that shows, fraction; None: none yet"""
    rise_cuts: int
    """Passes in which that rise shows"""
    fall_cuts: int
    """... and that fall, in half of the cases"""
    wear_limit: float | None
    """Fraction"""
    undercut: float | None
    """Share of the usual work below which the tool counts as missing"""
    overload: float | None
    """Rise of the peak above idle that is an overload, fraction"""
    fall: float | None
    """Fall within the cut that is a break, as a share of the load above idle before it"""
    widened: float
    """Widest of its limits by the operator's word, as a multiple of what the budget gives; 1: none was moved"""
