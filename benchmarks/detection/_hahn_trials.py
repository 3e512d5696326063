"""Tools of the production lathe that are made to be missing or to break: a monitor that learned good parts, and each trial judged.

The monitor learns `LEARN` good parts; then each test part starts from that same state. In it about a third of the tools break (within one
cut, drawn evenly from 5 to 90 % of it) or are missing from the start. Found: a finding 'missing' or 'breakage' of this tool, for a break at
the latest 1 s after the cut should have ended, for a missing tool before another tool has cut for 1 s. Declared monitorable: the pass
promises it (`Watch.promise`) for an operation that covers the cut.
"""

from __future__ import annotations

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.maintenance import MaintenancePlan
from agent.model import Cut, Finding
from agent.monitor import Monitor
from agent.settings import ChannelOptions, MachineSettings
from benchmarks.detection._hahn_parts import CHANNELS, Parts
from benchmarks.detection.table import Progress
from drivers.model import Readings

LEARN = 22
TESTS = {1000: 24, 10: 60, 1: 60}
"""Test parts; a third as many first parts."""
SHARE = 1.0 / 3.0
BREAKS = (0.05, 0.90)
LATE = 1.0
TURNS = 30.0
"""rpm"""
BROKEN = ("missing", "breakage")


@dataclass(frozen=True)
class Trial:
    """One tool that was missing or broke.

    Attributes
    ----------
    cut: index of the cut. kind: 'broken', 'missing', or 'first' (broken in the first part ever). at: share of the cut, 0 if missing.
    found: the pass told it in time. promised: it had said that it would. delay: s from the break. drop: fall of the mean of this cut.
    """

    cut: int
    kind: str
    at: float
    found: bool
    promised: bool
    delay: float
    drop: float


@dataclass(frozen=True)
class Told:
    """What is promised of one cut. missing: of its tool. breaks: shares of the cut, from and up to which a break is told."""

    missing: bool
    breaks: tuple[tuple[float, float], ...] = ()

    def breaks_at(self, share: float) -> bool:
        """Whether a break after this share of the cut is told."""
        return any(first <= share <= last for first, last in self.breaks)


@dataclass
class Tried:
    """Everything of one rate."""

    trials: list[Trial]
    good: list[tuple[int, float]]
    """Good cuts of the test parts: index, fall of the mean against the learned median."""
    false: Counter[str]
    """Findings of tools that were well, by kind."""
    promises: dict[int, Told]
    """By cut."""


def with_parts(settings: MachineSettings) -> MachineSettings:
    """The machine with its part counter."""
    part = ChannelOptions(name="part", role="part", hold=math.inf)
    return msgspec.structs.replace(settings, channel=(*settings.channel, part))


def readings(values: NDArray[np.float64], start: float, every: float) -> Readings:
    """Rows as a source hands them out."""
    time = start + every * np.arange(len(values))
    return Readings("hahn", CHANNELS, time, values, np.zeros(values.shape, np.uint8))


@dataclass(frozen=True)
class Learned:
    """A monitor that has seen good parts, the usual mean of each cut, what the monitor promises of it; and how the parts were made."""

    monitor: Monitor
    usual: dict[int, float]
    promises: dict[int, Told]
    draw: np.random.Generator
    step: int
    start: list[int]


def learn(parts: Parts, settings: MachineSettings, work: MaintenancePlan, rate: int, count: int, told: Callable[[float], None]) -> Learned:
    """Good parts only, read at a rate (Hz)."""
    draw = np.random.default_rng(20181023 + rate)
    step = max(round(parts.rate / rate), 1)
    start = [int(draw.integers(len(cut.deviations))) for cut in parts.cuts]
    monitor = Monitor(settings, work)
    means: dict[int, list[float]] = defaultdict(list)
    covers: dict[int, Counter[str]] = defaultdict(Counter)
    for number in range(count):
        told(number / count)
        values = parts.part(number, draw, start)
        offset = int(draw.integers(step))
        for i in range(len(parts.cuts)):
            means[i].append(_mean(parts, i, values, offset, step))
        began = number * parts.seconds
        events = monitor.feed(readings(values[offset::step], began, step / parts.rate))
        if number >= count - 10:
            _cover(parts, [e for e in events if isinstance(e, Cut) and e.phase == "closed"], began, covers)
    usual = {i: float(np.nanmedian(found)) if np.isfinite(found).any() else math.nan for i, found in means.items()}
    return Learned(monitor, usual, _promises(parts, monitor, covers), draw, step, start)


def try_rate(
    parts: Parts, settings: MachineSettings, work: MaintenancePlan, rate: int, progress: Progress, done: float, share: float
) -> Tried:
    """Learn, then break."""
    learned = learn(parts, settings, work, rate, LEARN, lambda x: progress(done + 0.4 * share * x, f"{rate} Hz"))
    draw, step, start = learned.draw, learned.step, learned.start
    every = step / parts.rate
    tests = TESTS[rate]
    out = Tried([], [], Counter(), learned.promises)
    firsts = max(tests // 3, 1)
    for test in range(tests + firsts):
        progress(done + share * (0.4 + 0.6 * test / (tests + firsts)), f"{rate} Hz")
        first = test >= tests
        number = LEARN + test
        broken = _choose(parts, first, draw)
        gone = _gone(parts, broken)
        values = parts.part(number, draw, start, gone)
        monitor = Monitor(settings, work) if first else copy.deepcopy(learned.monitor)
        began = 0.0 if first else LEARN * parts.seconds
        if not first:
            values[:, CHANNELS.index("part")] = LEARN
        offset = int(draw.integers(step))
        events = monitor.feed(readings(values[offset::step], began, every))
        events += monitor.finish()
        found = [e for e in events if isinstance(e, Finding) and e.kind in BROKEN and not e.finished]
        drops = [_drop(_mean(parts, i, values, offset, step), learned.usual[i]) for i in range(len(parts.cuts))]
        _judge(parts, out, first, broken, gone, found, drops, began)
    return out


def _mean(parts: Parts, i: int, values: NDArray[np.float64], offset: int, step: int) -> float:
    """Of a cut, as it is read at this rate; nan: no reading falls into it."""
    cut = parts.cuts[i]
    first = cut.first + (offset - cut.first) % step
    return float(values[first : cut.last : step, cut.spindle].mean()) if first < cut.last else math.nan


def _drop(mean: float, usual: float) -> float:
    """Fall of the mean; a cut without a reading shows none."""
    drop = 1.0 - mean / usual
    return drop if math.isfinite(drop) else 0.0


def _cover(parts: Parts, cuts: Sequence[Cut], began: float, covers: dict[int, Counter[str]]) -> None:
    """Which operations the pass sees where the cuts are: at least half of the cut."""
    for i, true in enumerate(parts.cuts):
        first, last = true.first / parts.rate, true.last / parts.rate
        for cut in cuts:
            common = min(cut.time - began, last) - max(cut.opened - began, first)
            if common > 0.5 * (last - first) and cut.operation.tool == str(true.tool):
                covers[i][cut.operation.key] += 1


def _promises(parts: Parts, learned: Monitor, covers: dict[int, Counter[str]]) -> dict[int, Told]:
    """By the operations that cover a cut; and by the whole visit of its tool, which may tell what the single operation does not: a missing
    tool takes all its cuts with it."""
    spindles = [spindle.name for spindle in learned.settings.spindle]
    work = learned.watch.overdue.work
    out = {}
    for i, (cut, place) in enumerate(zip(parts.cuts, places(parts), strict=True)):
        spindle = spindles[cut.spindle]
        missing = work.tells(spindle, "", str(cut.tool))
        length = place.last - place.first
        # A stretch of the visit is this cut where they have most of the longer one in common.
        breaks = [
            ((first + since * (last - first) - place.first) / length, (first + until * (last - first) - place.first) / length)
            for first, last, since, until in work.breaks(spindle, "", str(cut.tool), place.visit)
            if min(last, place.last) - max(first, place.first) > 0.5 * max(last - first, length)
        ]
        for key, count in covers[i].items():
            promise = learned.watch.outlook.promise(learned.watch.state.baselines[key])
            if count >= 5 and promise is not None and promise.missing:
                missing = True
                if promise.breakage:
                    breaks.append((0.0, promise.until))
        out[i] = Told(missing, tuple(breaks))
    return out


@dataclass(frozen=True)
class Place:
    """Where a cut is. visit: of its tool in the part. first, last: s of turning since the tool was called."""

    visit: int
    first: float
    last: float


def places(parts: Parts) -> list[Place]:
    """Of each cut, as the control tells the tools."""
    calls = [0, *(np.flatnonzero(np.diff(parts.tool)) + 1).tolist()]
    turned = np.cumsum(parts.speed >= TURNS, axis=1) / parts.rate
    out = []
    for cut in parts.cuts:
        mine = [at for at in calls if at <= cut.first]
        # The tool that is in as the part begins was not called in it.
        visit = sum(1 for at in mine if at > 0 and parts.tool[at] == cut.tool)
        began = float(turned[cut.spindle, mine[-1]])
        out.append(Place(visit, float(turned[cut.spindle, cut.first]) - began, float(turned[cut.spindle, cut.last - 1]) - began))
    return out


def _choose(parts: Parts, first: bool, draw: np.random.Generator) -> dict[int, float]:
    """About a third of the tools: which cut of each breaks, and after what share of it; 0 for the first one: missing from the start."""
    of_tool: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, cut in enumerate(parts.cuts):
        if math.isfinite(cut.contrast):
            of_tool[cut.spindle, cut.tool].append(i)
    chosen = {}
    for cuts in of_tool.values():
        if draw.random() < SHARE:
            missing = not first and draw.random() < 0.4
            chosen[cuts[0] if missing else int(draw.choice(cuts))] = 0.0 if missing else float(draw.uniform(*BREAKS))
    return chosen


def _gone(parts: Parts, broken: dict[int, float]) -> dict[int, int]:
    """By cut, the sample from which on its tool is not there."""
    gone = {}
    for i, at in broken.items():
        cut = parts.cuts[i]
        gone[i] = cut.first + int(at * (cut.last - cut.first))
        for j, later in enumerate(parts.cuts):
            if (later.tool, later.spindle) == (cut.tool, cut.spindle) and later.first > cut.first:
                gone[j] = later.first
    return gone


def _judge(
    parts: Parts,
    out: Tried,
    first: bool,
    broken: dict[int, float],
    gone: dict[int, int],
    found: list[Finding],
    drops: Sequence[float],
    began: float,
) -> None:
    tools = {str(parts.cuts[i].tool) for i in broken}
    for i, at in broken.items():
        cut = parts.cuts[i]
        kind = "first" if first else "broken" if at > 0.0 else "missing"
        broke = began + gone[i] / parts.rate
        other = [c.first for c in parts.cuts if c.first >= cut.last and c.tool != cut.tool]
        until = cut.last if kind != "missing" else min(other, default=cut.last)
        told = [e.time for e in found if e.tool == str(cut.tool) and broke <= e.time <= began + until / parts.rate + LATE]
        # Nothing is promised of the first part ever.
        promised = out.promises[i].missing if kind == "missing" else not first and out.promises[i].breaks_at(at)
        delay = min(told) - broke if told else math.nan
        out.trials.append(Trial(i, kind, at, bool(told), promised, delay, drops[i]))
    out.false.update(f"{'first' if first else 'learned'}:{e.kind}" for e in found if e.tool not in tools)
    if not first:
        for i, cut in enumerate(parts.cuts):
            if str(cut.tool) not in tools:
                out.good.append((i, drops[i]))
