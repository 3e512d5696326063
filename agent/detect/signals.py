"""Wear by more signals than the spindle's work: load of the feed axes and vibration of each cut, against the new tool's first cuts.

Each is a log ratio and is judged by its own repeatability in this operation, with the same filter and limit as the work (`wear`): no fixed
list says which signal is right, for where vibration wins on one machine it is useless on another (knowledge of detection, 2.3 and 2.4).
The chance of a false alarm is shared out among the signals of an operation.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from agent.detect import fusion, wear
from agent.detect.baseline import (
    ANCHOR,
    ANCHOR_MINIMUM,
    MEDIAN_EFFICIENCY,
    MEMORY,
    PRIOR_DOF,
    RECENT,
    SPREAD_FLOOR,
    Baseline,
    Prior,
    Spread,
)
from agent.detect.levels import of_tools
from agent.detect.middle import median
from agent.detect.neighbours import Neighbours, anchor_again
from agent.model import Cut, Finding, Indicator

VIBRATION = "vibration"
WORK = "work"
LEAP = math.log(2.0)
"""No wear doubles a signal from one cut to the next: what leaps so is a sensor that died or came back, or another cut."""
LEAPS = 3
"""Such cuts in a row after which they are the new anchor: the signal begins again."""
BACK = 0.35
"""A worn tool's ratio that falls below this share of its limit twice in a row: a new edge was put in without telling."""


class Signal(msgspec.Struct):
    """Of one signal in one operation; survives a restart."""

    anchor: list[float] = []
    """log of the first cuts of the present tool"""
    ratios: list[float] = []
    """Latest log ratios to the anchor, newest last"""
    rise_since: int = -1
    """Part from which on the ratio has been above half the shop's limit; -1: it is not"""
    steps: Spread = msgspec.field(default_factory=Spread)
    """of the second difference over neighbouring cuts: repeatability, which a steady rise does not touch"""
    neighbours: Neighbours = msgspec.field(default_factory=Neighbours)
    """How far cuts resemble those before them"""
    last: list[float] = []
    """log of the latest good cuts of this tool"""
    leaps: list[float] = []

    def spread_of_step(self, prior: Prior) -> tuple[float, int]:
        """From one cut to the next: standard deviation, degrees of freedom."""
        return prior.with_own(self.repeatability, int(MEDIAN_EFFICIENCY * min(self.steps.n, MEMORY)))

    @property
    def repeatability(self) -> float:
        """Relative standard deviation of one value: a second difference has six times its variance (1 + 4 + 1), and a steady rise does not
        touch it."""
        return max(self.steps.robust, math.sqrt(6.0) * SPREAD_FLOOR) / math.sqrt(6.0)

    @property
    def unsure(self) -> bool:
        """Sensors' cuts resemble each other more often than not: so they are taken to until they say otherwise."""
        return self.neighbours.phi is None

    def take(self, value: float, part: int, wanted: float, *, learn: bool) -> float | None:
        """Figure of a good cut; returns its log ratio. What is not above zero, or not finite, is no figure: it is passed over.

        `learn`: the tool is neither worn nor broken, so that anchor and repeatability may be learned from it.
        """
        if not (value > 0.0 and math.isfinite(value)):
            return None
        log = math.log(value)
        if self.anchor and abs(log - median(self.anchor) - self._level) > LEAP:
            self.leaps = [*self.leaps, log]
            if len(self.leaps) < LEAPS:
                return None
            values = self.leaps
            self.new()
            self.anchor = values
            self.neighbours.begin(values)
            return None
        self.leaps = []
        if learn:
            self.last = [*self.last, log][-3:]
            if len(self.last) == 3:
                self.steps.learn(self.last[2] - 2.0 * self.last[1] + self.last[0])
            self.neighbours.take(log, rising=wear.rises(self, wanted))
            if len(self.anchor) < ANCHOR:
                self.anchor = [*self.anchor, log]
            anchor_again(self)
        if len(self.anchor) < ANCHOR_MINIMUM:
            return None
        ratio = log - median(self.anchor)
        self.ratios = [*self.ratios, ratio][-RECENT:]
        if ratio <= 0.5 * math.log1p(wanted):
            self.rise_since = -1
        elif self.rise_since < 0:
            self.rise_since = part
        return ratio

    def new(self) -> None:
        """A new tool: the anchor starts again, what is known of the repeatability stays."""
        self.anchor, self.ratios, self.last, self.leaps = [], [], [], []
        self.rise_since = -1
        self.neighbours.begin()

    @property
    def _level(self) -> float:
        return median(self.ratios[-wear.FILTER :]) if self.ratios else 0.0


class Signals:
    """All signals of all operations but the work.

    Parameters
    ----------
    wanted: rise against the new tool at which the shop changes a tool, as a fraction.
    """

    def __init__(self, wanted: float) -> None:
        self._wanted = wanted
        self.state: dict[str, dict[str, Signal]] = {}
        self.worn: dict[str, str] = {}
        """Tool to the signal that called it worn, where that was not the work"""
        self._most = 0
        """Signals of the operation that has most"""

    def take(self, cut: Cut, *, learn: bool) -> list[Indicator]:
        """Figures of a good closed cut in; their ratios to the new tool out."""
        figures = dict(cut.features.axis_load)
        if cut.features.vibration_rms is not None:
            figures[VIBRATION] = cut.features.vibration_rms
        if not figures:
            return []
        known = self.state.setdefault(cut.operation.key, {})
        out = []
        for name, value in figures.items():
            if name not in known:
                known[name] = Signal()
                self._most = max(self._most, len(known))
            ratio = known[name].take(value, cut.part, self._wanted, learn=learn)
            if ratio is not None:
                out.append(
                    Indicator(
                        time=cut.time,
                        channel="" if name == VIBRATION else name,
                        operation=cut.operation.key,
                        tool=cut.operation.tool,
                        name="vibration_ratio" if name == VIBRATION else "axis_load_ratio",
                        value=math.exp(ratio),
                    )
                )
        return out

    def share(self, p: float) -> float:
        """The part of `p` that each signal of an operation may use, the work among them: of the operation that has most."""
        return p / (1 + self._most)

    def decide(
        self, baselines: Collection[Baseline], found: list[Finding], program: str, seen: Collection[str], p: float, time: float, part: int
    ) -> list[Finding]:
        """What the work found, with what the other signals say: of each tool the signal that is farthest beyond its limit speaks.

        Parameters
        ----------
        baselines, program, seen: see `levels.of_tools`; without the operations that a missing or broken tool has spoiled.
        found: by the work. When it calls all tools moved together that stands alone.
        p: what one signal may use.
        """
        if any(finding.kind == "process" for finding in found):
            return found
        speaks = {(finding.spindle, finding.tool): (finding, WORK) for finding in found}
        rises: dict[tuple[str, str], list[bool]] = {}
        for name in sorted({name for signals in self.state.values() for name in signals}):
            levels = of_tools(baselines, program, seen, (), self._prior(name), p, self._wanted, tracks=self._of(name))
            for level in levels.values():
                rises.setdefault((level.spindle, level.tool), []).append(level.level > 0.5 * level.limit)
            said = fusion.decide(levels, time, part)
            for finding in said if all(one.kind == "wear" for one in said) else ():
                place = (finding.spindle, finding.tool)
                if place not in speaks or _beyond(finding) > _beyond(speaks[place][0]):
                    speaks[place] = (finding, name)
        self.worn = {finding.tool: name for finding, name in speaks.values() if name != WORK}
        return [self._named(finding, name, rises.get(place, [])) for place, (finding, name) in speaks.items()]

    def back(self, baseline: Baseline) -> bool:
        """Whether the worn tool of this operation is back at a new edge's, by the signal that called it worn; else by its work."""
        name = self.worn.get(baseline.tool)
        signal = self.state.get(baseline.key, {}).get(name) if name is not None else None
        ratios = baseline.ratios if name is None else [] if signal is None else signal.ratios
        if len(ratios) < 2 or max(ratios[-2:]) > BACK * math.log1p(self._wanted):
            return False
        if name is None:
            baseline.ratios = baseline.ratios[-2:]
        return True

    def new(self, key: str) -> None:
        """A new tool in this operation."""
        for signal in self.state.get(key, {}).values():
            signal.new()

    def forget(self, key: str) -> None:
        """The operation is not remembered any more."""
        self.state.pop(key, None)

    def forget_channels(self, channels: Collection[str]) -> None:
        """Their unit has changed: what was learned does not hold."""
        self.state = {key: {name: one for name, one in signals.items() if name not in channels} for key, signals in self.state.items()}

    def saved(self) -> dict[str, Any]:
        """What survives a restart, by the names of `watch_state.WatchState`."""
        return {"signals": self.state, "worn_by": self.worn}

    def restore(self, signals: dict[str, dict[str, Signal]], worn: dict[str, str]) -> None:
        """Take back what was saved."""
        self.state, self.worn = signals, worn
        self._most = max((len(one) for one in signals.values()), default=0)

    def _of(self, name: str) -> Mapping[str, Signal]:
        return {key: signals[name] for key, signals in self.state.items() if name in signals}

    def _prior(self, name: str) -> Prior:
        """What the machine's operations together say of this signal's repeatability (see `baseline.priors`)."""
        known = [one for one in self._of(name).values() if one.steps.n]
        if not known:
            return Prior()
        return Prior(median([one.repeatability for one in known]), min(PRIOR_DOF, sum(one.steps.n for one in known)))

    def _named(self, finding: Finding, name: str, rises: Iterable[bool]) -> Finding:
        """With the name of the signal that speaks, and how many of all rise."""
        rising = list(rises)
        if not rising:
            return finding
        of: dict[str, bool | str] = {}
        if name == VIBRATION:
            of = {"vibration": True, "indicator": "vibration_ratio"}
        elif name != WORK:
            of = {"axis": True, "channel": name, "indicator": "axis_load_ratio"}
        told = {"signals_rising": sum(rising) + (name == WORK), "signals": len(rising) + 1}
        return msgspec.structs.replace(finding, evidence={**of, **finding.evidence, **told})


def _beyond(finding: Finding) -> float:
    return math.log1p(finding.score) / max(math.log1p(finding.threshold), 1e-9)
