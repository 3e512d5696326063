"""What a part is made of: the program of one part as tracks over program time, and the spindle that runs it. Nouns only.

Program time counts seconds at 100 % feed; overrides and feed hold make it run slower than the clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TICK = 0.01
"""s, step of the machine. Nothing inside it changes faster than a poll can see (vibration has its own rate)."""
MIN_READINGS = 8
"""Fewest readings of one cut that a feature may be made of (DESIGN.md, issue 2)."""
MAX_SPEED = 4.0

Track = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CutPlan:
    """One cut of the program.

    Attributes
    ----------
    tool, section: what the control shows; `section` is the running number of the cut in the program.
    start, duration: s of program time.
    feed: mm/min at 100 %.
    work: (s from start, % of rated torque above idle), linear in between, 0 outside.
    """

    tool: int
    section: int
    start: float
    duration: float
    feed: float
    work: Track


@dataclass(frozen=True, slots=True)
class Spindle:
    """Drive and spindle; loads in % of rated torque, as the load register shows them.

    Attributes
    ----------
    idle: (constant, per krpm, per krpm^2) of the load in air at a steady speed.
    acceleration: % per rpm/s, either way, for changes faster than `gentle` (rpm/s).
    limit: % at which the drive limits.
    slew: rpm/s, fastest change of speed.
    noise, lag1: sd of the load register in % and its autocorrelation at one TICK (first-order autoregressive).
    ripple_ratio, ripple_at_3000, ripple_exponent: a sine at ratio x spindle frequency (belt), amplitude = at_3000 (n / 3000)^exponent, %.
    spread: scale of the relative deviation of a cut from part to part; with `tails` degrees of freedom of Student's t (0: normal).
    spread_of_idle: the deviation also holds for the idle load under the cut.
    magnetising, amperes: A while the drive is on and turning; A per % of load, in quadrature.
    smoothing: s, first-order time constant of the load register.
    """

    idle: tuple[float, float, float]
    acceleration: float
    gentle: float
    limit: float
    slew: float
    noise: float
    lag1: float
    ripple_ratio: float
    ripple_at_3000: float
    ripple_exponent: float
    spread: float
    tails: int
    spread_of_idle: bool
    magnetising: float
    amperes: float
    smoothing: float = 0.05


@dataclass(frozen=True, slots=True)
class Cycle:
    """A part's program.

    Attributes
    ----------
    period: s from part to part at 100 %.
    poll: s, how often its load should be read at speed 1.
    speed: (s, rpm) linear in between; tools: (s, number) holds until the next.
    ends: s, end of the automatic cycle; after it the part is changed.
    door: (s, s) door open.
    """

    name: str
    program: int
    period: float
    poll: float
    speed: Track
    tools: Track
    cuts: tuple[CutPlan, ...]
    ends: float
    door: tuple[float, float]
    spindle: Spindle


@dataclass(frozen=True, slots=True)
class Tracks:
    """A cycle on the grid of TICK, for the machine's inner loop: one entry a tick of program time. cut is -1 outside of cuts."""

    speed: list[float]
    work: list[float]
    tool: list[int]
    section: list[int]
    cut: list[int]


def tracks(cycle: Cycle) -> Tracks:
    """Lay a cycle out on the grid. The section of a cut stands from the end of the cut before, or from its tool change, on."""
    n = round(cycle.period / TICK)
    u = np.arange(n) * TICK
    speed: NDArray[np.float64] = np.interp(u, [at for at, _ in cycle.speed], [rpm for _, rpm in cycle.speed])
    episode = np.searchsorted([at for at, _ in cycle.tools], u + 1e-9, side="right") - 1
    tool = np.array([number for _, number in cycle.tools], dtype=int)[episode]
    work = np.zeros(n)
    cut = np.full(n, -1)
    section = np.zeros(n, dtype=int)
    before = 0
    for i, plan in enumerate(cycle.cuts):
        a, b = round(plan.start / TICK), round((plan.start + plan.duration) / TICK)
        cut[a:b] = i
        work[a:b] = np.interp(u[a:b] - plan.start, [s for s, _ in plan.work], [load for _, load in plan.work])
        changed = int(np.searchsorted(episode, episode[a]))
        section[max(before, changed) :] = plan.section
        before = b
    return Tracks(speed.tolist(), work.tolist(), tool.tolist(), section.tolist(), cut.tolist())


def fastest(cycle: Cycle, poll: float) -> float:
    """The largest `--speed` at which the shortest cut still gets MIN_READINGS readings at this poll period (s), at most MAX_SPEED."""
    shortest = min(plan.duration for plan in cycle.cuts)
    return min(MAX_SPEED, shortest / (MIN_READINGS * poll))
