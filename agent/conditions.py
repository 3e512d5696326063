"""Slow condition of the machine on its own channels: figures that vibration sensors measure themselves, and groups of channels of one unit.

A sensor on a field bus tells velocity, peak or kurtosis and no samples: of such a sensor only a trend is honest (detection.md 2.7). All
polled channels of role `vibration` of a spindle are looked at together, once in `EVERY` seconds of air at a steady speed.

A group is looked at whenever one of its channels was read, at most once in `every` s, while the machine is on and, where its speed is
read, a spindle turns.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.air import Air
from agent.detect.condition import Condition, ConditionState, Figure
from agent.detect.multivariate import Multivariate, MultivariateState, Options, Verdict
from agent.looks import EVERY
from agent.model import Coverage, Finding, Indicator, Word
from agent.segment import believed
from agent.settings import GroupOptions, MachineSettings
from agent.timeline import Rows, Timeline

SETTLED = 3.0
"""s of air before a figure that a sensor averages by itself is that of air (Banner QM30VT2 and its like: 1 to 2 s)."""
AHEAD = 1e-3
"""s by which a look may come before it is due: times of a recording are rounded."""
SPARSE = 0.5
"""s between two readings of polled figures that count: more of them say the same again."""
LEAST = 1e-9


class PolledState(msgspec.Struct):
    """Of one spindle."""

    condition: ConditionState
    looked: float


class GroupState(msgspec.Struct):
    """Of one group."""

    judge: MultivariateState
    channels: list[str]
    since: float


class ConditionsState(msgspec.Struct):
    """What survives a restart."""

    polled: dict[str, PolledState] = {}
    groups: dict[str, GroupState] = {}


class _Polled:
    def __init__(self, spindle: str, channels: list[tuple[str, str, int]], p: float) -> None:
        self.spindle = spindle
        self.channels = channels
        """Name, unit and column of each"""
        self.columns = [column for _, _, column in channels]
        self.condition = Condition(channels[0][0], spindle, p)
        self.looked = -math.inf
        self.taken = -math.inf
        self.heard: set[int] = set()
        """Places in `channels` of those that were ever read"""
        self.values: dict[int, list[float]] = {}
        """By place in `channels`: logarithms of what was read in air since the latest look; a channel that brings samples is never here"""


class _Group:
    def __init__(self, options: GroupOptions, columns: list[int]) -> None:
        self.options = options
        self.columns = columns
        self.judge = Multivariate(Options(learn=options.learn))
        self.taken = -math.inf
        self.since = math.nan
        self.missing = True


class Conditions:
    """Follows polled vibration figures and groups.

    Parameters
    ----------
    settings: whose channels and groups they are.
    timeline: which column is which channel.
    p: chance that one judgement may be a false alarm.
    air: since when the spindles turn without a cut.
    width: by how much the operator's word widened the limit of a kind of finding at a place (`detect.tuning`).
    """

    def __init__(
        self, settings: MachineSettings, timeline: Timeline, p: float, air: Air, width: Callable[[str, str], float] | None = None
    ) -> None:
        self._air = air
        self._width = width
        first = settings.spindle[0].name
        standing = {s.name: s.minimum_speed for s in settings.spindle}
        self._speeds = [(timeline.index[c.name], standing[c.spindle or first]) for c in settings.channel if c.role == "spindle.speed"]
        sensors: dict[str, list[tuple[str, str, int]]] = {}
        for channel in settings.channel:
            if channel.role == "vibration":
                sensors.setdefault(channel.spindle or first, []).append((channel.name, channel.unit, timeline.index[channel.name]))
        self.polled = [_Polled(spindle, channels, p) for spindle, channels in sensors.items()]
        self._units = {c.name: c.unit for c in settings.channel}
        # A replay of a recording that lacks a column goes on with the others of the group.
        there = [msgspec.structs.replace(g, channels=tuple(c for c in g.channels if c in self._units)) for g in settings.group]
        self.groups = [_Group(group, [timeline.index[c] for c in group.channels]) for group in there if group.channels]

    def take(self, rows: Rows, *, off: bool) -> list[Finding | Indicator]:
        """Rows that were released, after the spindles' frames of the same rows. `off`: the machine's own supply is off."""
        out: list[Finding | Indicator] = []
        for polled in self.polled:
            out.extend(self._polled(polled, rows))
        for group in self.groups:
            out.extend([] if off else self._grouped(group, rows))
        return sorted(out, key=lambda item: item.time)

    @property
    def polled_channels(self) -> frozenset[str]:
        """Channels of role `vibration` that bring figures instead of samples, as far as was heard."""
        return frozenset(polled.channels[place][0] for polled in self.polled for place in polled.heard)

    def unmark(self, channel: str) -> None:
        """What was told of this channel or group was false; what a group is now becomes what is usual."""
        for polled in self.polled:
            if polled.condition.channel == channel:
                polled.condition.unmark()
        for group in self.groups:
            if group.options.name == channel:
                group.judge.accept()

    def words(self, now: float) -> tuple[Coverage, ...]:
        """How well each is watched."""
        out = []
        for polled in self.polled:
            if polled.taken == -math.inf:
                continue
            n, of = polled.condition.looks()
            word, reason = (Word.MONITORING, "") if n >= of else (Word.LEARNING, "condition_learning")
            out.append(Coverage(time=now, scope=f"vibration/{polled.condition.channel}", word=word, reason=reason, n=n, of=of))
        for group in self.groups:
            scope, state = f"group/{group.options.name}", group.judge.state
            if group.missing:
                out.append(Coverage(time=now, scope=scope, word=Word.NOT_MONITORABLE, reason="group_missing"))
            elif group.judge.ready:
                out.append(Coverage(time=now, scope=scope, word=Word.MONITORING))
            else:
                n, of = len(state.learned), group.options.learn
                out.append(Coverage(time=now, scope=scope, word=Word.LEARNING, reason="group_learning", n=n, of=of))
        return tuple(out)

    def saved(self) -> ConditionsState:
        """What survives a restart; a look that is not finished does not."""
        return ConditionsState(
            {polled.spindle: PolledState(polled.condition.saved(), polled.looked) for polled in self.polled},
            {g.options.name: GroupState(g.judge.state, list(g.options.channels), g.since) for g in self.groups},
        )

    def restore(self, saved: ConditionsState) -> None:
        """Take back what `saved` gave; a group of other channels is learned again."""
        for polled in self.polled:
            if (state := saved.polled.get(polled.spindle)) is not None:
                polled.condition.restore(state.condition)
                polled.looked = state.looked
        for group in self.groups:
            known = saved.groups.get(group.options.name)
            if known is not None and tuple(known.channels) == group.options.channels:
                group.judge.restore(known.judge)
                group.since = known.since

    def _polled(self, polled: _Polled, rows: Rows) -> list[Finding | Indicator]:
        """Gather readings of air; once every channel has brought one and a look is due, judge their medians."""
        fresh = rows.fresh[:, polled.columns]
        out: list[Finding | Indicator] = []
        if not fresh.any():
            return out
        fresh = fresh & believed(rows.quality[:, polled.columns])
        if len(polled.heard) < len(polled.columns):
            polled.heard.update(np.flatnonzero(fresh.any(axis=0)).tolist())
        for row in np.flatnonzero(fresh.any(axis=1)).tolist():
            time = float(rows.time[row])
            late = time - polled.taken >= SPARSE - AHEAD
            speed = self._air.speed_in(polled.spindle, time - SETTLED, time) if late else None
            if speed is None:
                if late:
                    polled.values = {place: [] for place in polled.values}
                continue
            for place in np.flatnonzero(fresh[row]).tolist():
                value = float(rows.values[row, polled.columns[place]])
                if math.isfinite(value):
                    polled.values.setdefault(place, []).append(math.log(max(value, LEAST)))
            polled.taken = time
            # A computer without a clock of its own may have been ahead before it was started again.
            polled.looked = polled.looked if polled.looked <= time else -math.inf
            if time - polled.looked >= EVERY - AHEAD and all(polled.values.values()):
                out.extend(self._look(polled, time, speed))
        return out

    def _look(self, polled: _Polled, time: float, speed: float) -> list[Finding | Indicator]:
        places = sorted(polled.values)
        medians = [float(np.median(polled.values[place])) for place in places]
        polled.values, polled.looked = {place: [] for place in places}, time
        figures = [Figure(name, "", unit) for name, unit, _ in (polled.channels[place] for place in places)]
        width = self._width("spindle", polled.condition.channel) if self._width is not None else 1.0
        finding = polled.condition.take(time, speed, figures, medians, width)
        return [*polled.condition.indicator(time), *([] if finding is None else [finding])]

    def _grouped(self, group: _Group, rows: Rows) -> list[Finding | Indicator]:
        """Every row in which one of the channels was read, if it comes late enough after the one before."""
        there: NDArray[np.bool_] = np.any(rows.fresh[:, group.columns], axis=1)
        if not there.any():
            return []
        known: NDArray[np.bool_] = np.all(believed(rows.quality[:, group.columns]), axis=1)
        group.missing = not bool(known[-1])
        there &= known & self._turning(rows)
        out: list[Finding | Indicator] = []
        for row in np.flatnonzero(there).tolist():
            time = float(rows.time[row])
            if time - group.taken < group.options.every - AHEAD:
                continue
            group.taken = time
            if group.since != group.since:
                group.since = time
            values = rows.values[row, group.columns].tolist()
            seen = group.judge.take(values)
            name = group.options.name
            if seen.score == seen.score:
                out.append(Indicator(time=time, channel=name, operation="", tool="", name="group_score", value=seen.score))
            if seen.changed:
                out.append(self._finding(group, time, values, seen))
        return out

    def _turning(self, rows: Rows) -> NDArray[np.bool_]:
        """(n,) whether a spindle turns, as far as the machine says."""
        if not self._speeds:
            return np.ones(len(rows.time), dtype=bool)
        turning = np.zeros(len(rows.time), dtype=bool)
        for column, standing in self._speeds:
            turning |= believed(rows.quality[:, column]) & (np.abs(rows.values[:, column]) >= standing)
        return turning

    def _finding(self, group: _Group, time: float, values: list[float], seen: Verdict) -> Finding:
        channels, judge = group.options.channels, group.judge
        order = np.argsort(-seen.shares).tolist()
        lead = order[0]
        also = order[1] if len(order) > 1 and seen.shares[order[1]] >= 0.05 else None
        return Finding(
            time=time,
            kind="process",
            severity="advice",
            channel=group.options.name,
            spindle="",
            operation="",
            tool="",
            score=seen.score,
            threshold=judge.options.limit,
            evidence={
                "group": True,
                "group_name": group.options.name,
                "channel": channels[lead],
                "value": values[lead],
                "baseline": judge.state.place[lead],
                "unit": self._units[channels[lead]],
                "share_pct": 100.0 * float(seen.shares[lead]),
                "also": "" if also is None else channels[also],
                "also_pct": None if also is None else 100.0 * float(seen.shares[also]),
                "n_vectors": group.options.learn,
                "baseline_since": group.since,
            },
            finished=seen.changed == "over",
        )
