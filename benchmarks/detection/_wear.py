"""Tool wear of one set: what the sets of milled and turned tools share, and what the pass said of each tool.

Each row of a set's table becomes the closed Cut that the pass would have made of it; `agent.detect.watch.Watch` judges it as in the pass,
`agent.detect.signals` and the baseline hand out the ratios, `agent.detect.wear_level` the levels. Where several rows are one cut
(`Step.cut`), all of that is of whole cuts; what each row would say by itself stands apart (`Followed.of_rows`). Only then is the measured
wear looked at: by `agent.detect.wear_curve`, on tools that `_left_out` leaves out, told by `_wear_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.budget import alarms_per_hour
from agent.detect.coverage import of_operation
from agent.detect.signals import VIBRATION
from agent.detect.watch import Watch
from agent.detect.wear_level import Level
from agent.model import Cut, CutFeatures, Finding, Indicator, Operation, Word
from agent.settings import MonitoringOptions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One cut of a tool: what its machine could have told, and the wear measured after it (nan: not measured).

    clocks: what was cut in this step, by clock (s, volume, ...). axis: by channel. NaN: the channel gave nothing.
    """

    clocks: Mapping[str, float]
    wear: float
    spindle: float = math.nan
    axis: Mapping[str, float] = field(default_factory=dict)
    vibration: float = math.nan
    cut: int | None = None
    """Number of the cut of which this row is a part; None: it is a whole one"""


@dataclass(frozen=True)
class Tool:
    """One tool from new on. group: what it cuts ('' where all cut the same); conditions: depth, feed, ... above zero."""

    name: str
    steps: Sequence[Step]
    group: str = ""
    conditions: Mapping[str, float] = field(default_factory=dict)

    @property
    def wear(self) -> Array:
        """(n,) as measured."""
        return np.array([step.wear for step in self.steps])

    def clock(self, name: str) -> Array:
        """(n,) what was cut up to and with each step."""
        return np.cumsum([step.clocks[name] for step in self.steps])


def measured(tools: Sequence[Tool]) -> list[Tool]:
    """Those whose wear was measured at all."""
    return [tool for tool in tools if (tool.wear > 0.0).any()]


@dataclass(frozen=True)
class Followed:
    """What the pass said of a tool: levels (log ratio to the new tool, monotone) by signal, cuts of its wear alerts and what spoke.

    levels: after each row; within a cut that of the cuts before it. of_rows: as if each row were a cut.
    """

    levels: Mapping[str, Array]
    of_rows: Mapping[str, Array]
    alerts: Sequence[tuple[int, str]]
    not_monitorable: int
    """Cuts of which the pass said so"""
    cuts: int
    judged: int
    """Whole cuts, and those of them after which the pass had a ratio to the new tool"""


def follow(tool: Tool, wanted: float | None = None) -> Followed:
    """The cuts of a tool through the detectors of the pass, with the defaults of the product, or with another `wear_limit`."""
    of_rows = _follow(tool, wanted)
    ends = [i for i, step in enumerate(tool.steps) if i + 1 == len(tool.steps) or step.cut is None or tool.steps[i + 1].cut != step.cut]
    if len(ends) == len(tool.steps):
        return of_rows
    of_cuts = _follow(whole(tool, ends), wanted)
    latest = np.searchsorted(ends, np.arange(len(tool.steps)), side="right") - 1
    levels = {name: np.where(latest >= 0, level[latest], np.nan) for name, level in of_cuts.levels.items()}
    return replace(of_cuts, levels=levels, of_rows=of_rows.levels, alerts=[(ends[i], signal) for i, signal in of_cuts.alerts])


def whole(tool: Tool, ends: Sequence[int]) -> Tool:
    """The same tool, the rows of each cut taken together. ends: index of the last row of each."""
    starts = [0, *(end + 1 for end in ends[:-1])]
    return replace(tool, steps=[_together(tool.steps[start : end + 1]) for start, end in zip(starts, ends, strict=True)])


def _together(rows: Sequence[Step]) -> Step:
    """One cut of its rows: means, the vibration as the root of its mean square, the wear after the last."""
    vibration = np.array([row.vibration for row in rows])
    return Step(
        clocks={name: sum(row.clocks[name] for row in rows) for name in rows[0].clocks},
        wear=rows[-1].wear,
        spindle=float(np.mean([row.spindle for row in rows])),
        axis={name: float(np.mean([row.axis[name] for row in rows])) for name in rows[0].axis},
        vibration=float(np.sqrt(np.mean(vibration**2))),
    )


def _follow(tool: Tool, wanted: float | None) -> Followed:
    options = MonitoringOptions() if wanted is None else MonitoringOptions(wear_limit=wanted)
    watch = Watch(options, alarms_per_hour(options.false_alarms) or 1.0 / 160.0)
    ratios: dict[str, list[tuple[int, float]]] = {}
    alerts: list[tuple[int, str]] = []
    blind = judged = 0
    time = 0.0
    for i, step in enumerate(tool.steps):
        cut = _cut(tool, step, i, time)
        time = cut.time + 1.0
        watch.on_cut(msgspec.structs.replace(cut, phase="opened"), 0.0)
        said = watch.on_cut(cut, 0.0)
        judged += any(isinstance(item, Indicator) for item in said)
        for item in said:
            if isinstance(item, Indicator):
                name = {"work_ratio": "spindle", "vibration_ratio": VIBRATION}.get(item.name, item.channel)
                ratios.setdefault(name, []).append((i, math.log(item.value)))
        found = [item for item in watch.on_part(i, whole=True) if isinstance(item, Finding) and item.kind == "wear" and not item.finished]
        alerts.extend((i, _signal(finding)) for finding in found)
        blind += any(of_operation(one, options, time).word is Word.NOT_MONITORABLE for one in watch.state.baselines.values())
    levels = {name: _monotone(found, len(tool.steps)) for name, found in ratios.items()}
    return Followed(levels, levels, alerts, blind, len(tool.steps), judged)


def _signal(finding: Finding) -> str:
    """What spoke: a feed axis by its channel, the vibration, or the spindle's work."""
    return VIBRATION if finding.evidence.get("vibration") else str(finding.evidence.get("channel", "spindle"))


def _cut(tool: Tool, step: Step, i: int, time: float) -> Cut:
    seconds = max(step.clocks.get("seconds", 1.0), 0.1)
    work = step.spindle * seconds
    features = CutFeatures(
        samples=1000,
        duration=seconds,
        mean=step.spindle if step.spindle == step.spindle else 1.0,
        peak=step.spindle if step.spindle == step.spindle else 1.0,
        idle=0.0,
        work=work if work > 0.0 else seconds,
        largest_rise=0.0,
        largest_fall=0.0,
        vibration_rms=step.vibration if step.vibration == step.vibration else None,
        axis_load={name: value for name, value in step.axis.items() if value == value},
    )
    operation = Operation(spindle="S1", program="1", revision=1, tool=tool.name, section="")
    return Cut(id=f"c{i}", phase="closed", operation=operation, part=i, opened=time, time=time + seconds, features=features)


def _monotone(found: Sequence[tuple[int, float]], n: int) -> Array:
    """Level after each row; that of the row before where it has no ratio, nan before the first."""
    at, level = dict(found), Level()
    out = np.full(n, np.nan)
    for i in range(n):
        out[i] = level.take(at[i]) if i in at else out[i - 1] if i else np.nan
    return out
