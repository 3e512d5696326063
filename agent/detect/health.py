"""Does a sensor that answers lie? Every channel against itself when it was well, against its sister, and while the machine works.

Rows are gathered for `BLOCK` seconds and measured in one walk (`agent.kernels.health`); the rules are in `agent.detect.symptoms`, what is
usual for a channel in `agent.detect.habits`. A channel is named when 3 of its latest 4 stretches spoke (`VOTES`), and is well again after 3
that did not. `agent.detect.sensor` tells what is not there at all.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from agent.detect import symptoms
from agent.detect.habits import Fault, Habits, Usual
from agent.detect.symptoms import Moving, Verdict
from agent.kernels import health as kernel
from agent.model import Coverage, Finding, Indicator, Word
from agent.segment import Frame
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline
from drivers.model import UNCERTAIN

BLOCK = 5.0
"""s of rows that are judged at once."""
ROLES = frozenset({"spindle.load", "spindle.speed", "spindle.temperature", "axis.load", "vibration", "temperature", "pressure", "level"})
MOVING = frozenset({"spindle.load", "axis.load", "vibration"})
"""Roles that move while the machine works; a temperature may stand for hours."""
NEEDED = frozenset({"spindle.load", "spindle.speed"})
REASONS = ("sensor_dead", "sensor_stuck", "sensor_nan", "sensor_saturated", "sensor_noisy", "sensor_gaps", "sensor_slow")
"""The worst first: a channel is named by the worst that is wrong with it."""
LYING = frozenset({"sensor_dead", "sensor_stuck"})
"""Its values are not values."""
HOLDING = frozenset({"sensor_nan", "sensor_saturated", "sensor_noisy", "sensor_gaps"})
"""Its values are not to be judged or learned from."""
OF_WAVES = {"sensor_bad": "sensor_nan", "stuck": "sensor_stuck", "saturated": "sensor_saturated"}
"""What `agent.features` says of a block of a waveform, as a reason here."""
SHAKES = 2
"""Times that the spindle started, stopped, or the cut or the tool changed, which a stuck value must have slept through; without any, it
must stand `ALONE` times as long: a real value may stand still in one long steady cut."""
ALONE = 6.0
VOTES = {"sensor_stuck": (1, 4), "sensor_gaps": (9, 12), "sensor_slow": (9, 12)}
"""How many of how many of the latest stretches have to say the same: a value that is stuck has stood for long enough to be named at once,
and a line that misses readings is heard out for a minute."""
MOSTLY = (3, 4)
"""... any other reason."""
OPERATIONS = 64
"""Operations whose habits are kept of a channel."""
FIRST = 50
"""Intervals from which the period of a channel is known."""

Held = Callable[[str, float], tuple[float, float, int]]


class _Channel:
    def __init__(self, name: str, role: str, spindle: str, configured: float, *, on_change: bool) -> None:
        self.name = name
        self.role = role
        self.spindle = spindle
        self.configured = configured
        self.on_change = on_change
        self.sisters: list[int] = []
        self.intervals: list[float] = []
        self.habits = Habits([math.nan, math.nan, math.nan, 0.0])


class Health:
    """Follows all channels that measure.

    Parameters
    ----------
    settings: whose channels they are.
    timeline: which column is which.
    p: chance that one judgement may be false.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline, p: float) -> None:
        first = settings.spindle[0].name
        every = {source.name: source.every for source in settings.source}
        wanted = [c for c in settings.channel if c.role in ROLES]
        self._p = p
        self._channels = [
            _Channel(
                c.name,
                c.role,
                c.spindle or first,
                max(c.every or 0.0, every.get(c.source.partition(".")[0], 0.0)),
                on_change=c.hold is not None and math.isinf(c.hold),
            )
            for c in wanted
        ]
        for channel, mine in zip(self._channels, wanted, strict=True):
            if channel.role == "vibration":
                channel.sisters = [
                    i
                    for i, (other, its) in enumerate(zip(self._channels, wanted, strict=True))
                    if other is not channel and (its.role, its.unit, other.spindle) == (mine.role, mine.unit, channel.spindle)
                ]
        self._columns = np.array([timeline.index[c.name] for c in wanted], dtype=np.intp)
        self._spindles = [spindle.name for spindle in settings.spindle]
        self._standing = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        self._speed = {c.spindle or first: c.name for c in reversed(settings.channel) if c.role == "spindle.speed"}
        self._of_spindle = np.array([self._spindles.index(c.spindle) for c in self._channels], dtype=np.int64)
        self._out = np.zeros((len(wanted), kernel.WIDTH))
        self._rows: list[Rows] = []
        self._windows: list[tuple[float, list[int], str]] = []
        self._before: tuple[list[int], str] = ([kernel.OTHER] * len(self._spindles), "")
        self._due = -math.inf
        self._since = -math.inf
        self._shakes: deque[float] = deque(maxlen=256)
        self.faults: dict[str, str] = {}
        """Channel to the worst reason for which it is not believed now"""

    def lies(self, channel: str) -> bool:
        """Its values are not values now."""
        return self.faults.get(channel) in LYING

    def lying(self) -> frozenset[str]:
        """All such channels."""
        return frozenset(name for name, reason in self.faults.items() if reason in LYING)

    def update_period_s(self, channel: str) -> float | None:
        """Mean s between two changes of a channel while its spindle turns or cuts; None: not known yet, or no such channel."""
        return next((c.habits.update_period for c in self._channels if c.name == channel), None)

    def believed(self, spindle: str, frame: Frame) -> Frame:
        """The frame as far as its load and speed are to be believed: not at all, or neither to be judged nor learned from (`held`)."""
        reason = self.holds(spindle)
        if not reason:
            return frame
        if reason in LYING:
            return dataclasses.replace(frame, ok=np.zeros_like(frame.ok))
        return dataclasses.replace(frame, held=frame.held or reason)

    def holds(self, spindle: str = "") -> str:
        """Why cuts of this spindle (of any) are not judged now: a key under [reason], or ''."""
        if not self.faults:
            return ""
        of_its = [
            self.faults.get(c.name, "")
            for c in self._channels
            if c.role in NEEDED and (not spindle or c.spindle == spindle) and self.faults.get(c.name, "") in LYING | HOLDING
        ]
        return min(of_its, key=REASONS.index, default="")

    def coverage(self, now: float) -> list[Coverage]:
        """Of each channel that is not believed."""
        return [Coverage(time=now, scope=f"channel/{name}", word=Word.LOST, reason=reason) for name, reason in self.faults.items()]

    def unmark(self, channel: str) -> None:
        """What was told of this channel was false: it is learned again from now on."""
        for own in self._channels:
            if own.name == channel:
                own.habits = Habits(own.habits.carry, step=own.habits.step, period=own.habits.period)
            own.habits.against.pop(channel, None)
        self._sum_up()

    def take(self, rows: Rows) -> None:
        """Rows as they are released; judged by `look`."""
        self._rows.append(rows)

    def look(
        self, now: float, held: Held, cutting: Mapping[str, bool], operation: str, waves: Callable[[], Iterable[tuple[str, str]]]
    ) -> list[Finding | Indicator | Coverage]:
        """At one moment, all rows before it were taken.

        Parameters
        ----------
        held: value, time and quality of a channel.
        cutting: by spindle, whether a cut is open. operation: what the control says it makes.
        waves: channel and validity of the latest block of each waveform.
        """
        modes = [self._mode(name, now, held, cutting) for name in self._spindles]
        before, self._before = self._before, (modes, operation)
        steady = [mode if mode == was else kernel.OTHER for mode, was in zip(modes, before[0], strict=True)]
        if before[1] != operation:
            steady = [kernel.OTHER if mode == kernel.CUTTING else mode for mode in steady]
        if before != self._before:
            self._shakes.append(now)
        self._windows.append((now, steady, operation))
        if now < self._due:
            return []
        begun, self._due = self._since, math.floor(now / BLOCK) * BLOCK + BLOCK
        self._since = now
        rows, windows, self._rows, self._windows = self._rows, self._windows, [], []
        out = self._judge(rows, windows, begun, now) if rows else []
        return [*out, *self._vote_waves(waves(), begun, now)]

    def saved(self) -> dict[str, Habits]:
        """What survives a restart."""
        return {channel.name: channel.habits for channel in self._channels}

    def restore(self, saved: Mapping[str, Habits]) -> None:
        """Take back what `saved` gave."""
        for channel in self._channels:
            if channel.name in saved and len(saved[channel.name].carry) == kernel.CARRY:
                channel.habits = saved[channel.name]
        self._sum_up()

    def _mode(self, spindle: str, now: float, held: Held, cutting: Mapping[str, bool]) -> int:
        if cutting.get(spindle):
            return kernel.CUTTING
        speed = self._speed.get(spindle)
        if speed is None:
            return kernel.OTHER
        value, _, quality = held(speed, now)
        if quality > UNCERTAIN or value != value:
            return kernel.OTHER
        return kernel.TURNING if abs(value) >= self._standing[spindle] else kernel.STANDING

    def _judge(
        self, rows: list[Rows], windows: list[tuple[float, list[int], str]], begun: float, now: float
    ) -> list[Finding | Indicator | Coverage]:
        operation, figures = self._measure(rows, windows)
        out: list[Finding | Indicator | Coverage] = []
        moving = [Moving(c.name, figures[i], c.habits) for i, c in enumerate(self._channels)]
        for i, channel in enumerate(self._channels):
            verdicts = self._verdicts(i, channel, moving, operation, now)
            for reason, verdict in verdicts.items():
                out.extend(self._vote(channel, reason, verdict, begun, now, VOTES.get(reason, MOSTLY)))
        for i, channel in enumerate(self._channels):
            period = channel.habits.update_period
            if not any(channel.habits.votes.values()) and not channel.habits.faults:
                self._learn(channel, i, moving, operation)
            new = channel.habits.update_period
            if new is not None and period is None:
                out.append(Indicator(time=now, channel=channel.name, operation="", tool="", name="update_period_s", value=new, unit="s"))
        return out

    def _measure(self, rows: list[Rows], windows: list[tuple[float, list[int], str]]) -> tuple[str, list[list[float]]]:
        """The operation that is cut in most of the windows, and the figures of each channel."""
        time = rows[0].time if len(rows) == 1 else np.concatenate([r.time for r in rows])
        values = np.concatenate([r.values for r in rows])[:, self._columns]
        quality = np.concatenate([r.quality for r in rows])[:, self._columns]
        fresh = np.concatenate([r.fresh for r in rows])[:, self._columns]
        cuts = [operation for _, modes, operation in windows if kernel.CUTTING in modes]
        operation = max(dict.fromkeys(cuts), key=cuts.count) if cuts else ""
        modes = np.array(
            [[kernel.OTHER if m == kernel.CUTTING and its != operation else m for m in ms] for _, ms, its in windows], dtype=np.int8
        )
        at = np.minimum(np.searchsorted(np.array([end for end, _, _ in windows]), time, side="right"), len(windows) - 1)
        for channel, column in zip(self._channels, fresh.T, strict=True):
            if channel.habits.period != channel.habits.period and not channel.on_change:
                self._learn_period(channel, time[column])
        period = np.array([c.configured or c.habits.period for c in self._channels])
        period[[c.on_change for c in self._channels]] = math.nan
        carry = np.array([c.habits.carry for c in self._channels])
        kernel.measure(
            np.ascontiguousarray(time),
            np.ascontiguousarray(values),
            np.ascontiguousarray(quality),
            np.ascontiguousarray(fresh),
            modes[at],
            self._of_spindle,
            period,
            carry,
            self._out,
        )
        for channel, row in zip(self._channels, carry.tolist(), strict=True):
            channel.habits.carry = row
        return operation, self._out.tolist()

    def _learn_period(self, channel: _Channel, time: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        """Median of the first intervals; none if they are not alike: such a channel is told when it changes."""
        channel.intervals.extend(np.diff(time).tolist())
        if len(channel.intervals) < FIRST:
            return
        middle = float(np.median(channel.intervals))
        alike = sum(abs(interval - middle) <= 0.5 * middle for interval in channel.intervals)
        if alike >= 0.9 * len(channel.intervals) and middle > 0.0:
            channel.habits.period = middle
        channel.intervals.clear()

    def _verdicts(self, i: int, channel: _Channel, moving: list[Moving], operation: str, now: float) -> dict[str, Verdict]:
        f, habits = moving[i].figures, channel.habits
        if f[kernel.FRESH] == 0.0:
            return {}
        asked: dict[str, Verdict | None] = {"sensor_nan": symptoms.no_numbers(f)}
        if not channel.on_change:
            asked["sensor_gaps"] = symptoms.gaps(f, habits.missing)
            asked["sensor_slow"] = symptoms.slow(f, channel.configured)
        if channel.role in MOVING:
            asked["sensor_noisy"] = symptoms.noisy(f, habits, self._p)
            asked["sensor_stuck"] = self._stuck(channel, now)
        if channel.role == "vibration" and f[kernel.N]:
            sisters = [moving[j] for j in channel.sisters]
            load = next((moving[j] for j, c in enumerate(self._channels) if (c.role, c.spindle) == ("spindle.load", channel.spindle)), None)
            works = symptoms.works(load, operation)
            asked["sensor_dead"] = symptoms.dead(moving[i], sisters, operation, works, self._p)
            asked["sensor_saturated"] = symptoms.saturated(f)
            asked["sensor_noisy"] = symptoms.loud(moving[i], sisters, operation, self._p) or asked["sensor_noisy"]
        return {reason: verdict for reason, verdict in asked.items() if verdict is not None}

    def _stuck(self, channel: _Channel, now: float) -> Verdict | None:
        habits = channel.habits
        patience = habits.patience(self._p)
        _, _, changed, still = habits.carry
        if patience is None or changed != changed:
            return None
        sisters = [self._channels[j].habits.carry[kernel.CHANGED] for j in channel.sisters]
        shaken = sum(shake > changed for shake in self._shakes) >= SHAKES
        limit = patience if shaken else ALONE * patience
        return Verdict(still > limit and (not sisters or max(sisters) > changed), still, limit)

    def _vote(
        self, channel: _Channel, reason: str, verdict: Verdict, begun: float, now: float, need: tuple[int, int] = MOSTLY
    ) -> list[Finding | Coverage]:
        habits = channel.habits
        votes = habits.votes[reason] = (habits.votes.get(reason, 0) << 1 | verdict.hit) & ((1 << need[1]) - 1)
        if verdict.hit:
            habits.first.setdefault(reason, begun)
        elif not votes:
            habits.first.pop(reason, None)
        speaks = verdict.hit and votes.bit_count() >= need[0]
        if reason not in habits.faults and speaks:
            habits.faults[reason] = Fault(reason, habits.first.get(reason, begun), now)
        elif reason in habits.faults and not votes & 0b111:
            del habits.faults[reason]
        else:
            return []
        return self._tell(channel, verdict, now)

    def _tell(self, channel: _Channel, verdict: Verdict, now: float) -> list[Finding | Coverage]:
        """The channel is named by another reason than before, or well again."""
        before = self.faults.get(channel.name, "")
        self._sum_up()
        reason = self.faults.get(channel.name, "")
        if reason == before:
            return []
        fault = channel.habits.faults.get(reason)
        evidence: dict[str, float | int | str | bool | None] = {"reason": reason, "channel": channel.name}
        if fault is not None:
            evidence |= {"since_s": round(now - fault.since, 3), **({"sister": verdict.sister} if verdict.sister else {})}
        finding = Finding(
            time=now,
            kind="sensor",
            severity="warning" if channel.role in NEEDED or reason in LYING else "advice",
            channel=channel.name,
            spindle=channel.spindle,
            operation="",
            tool="",
            score=verdict.score,
            threshold=verdict.threshold,
            evidence=evidence,
            finished=not reason,
        )
        word = Word.LOST if reason in LYING else Word.HOLD if reason else Word.MONITORING
        return [finding, Coverage(time=now, scope=f"channel/{channel.name}", word=word, reason=reason)]

    def _learn(self, channel: _Channel, i: int, moving: list[Moving], operation: str) -> None:
        f, habits = moving[i].figures, channel.habits
        habits.changed(f[kernel.GAPS], f[kernel.GAP_SUM], f[kernel.GAP_MAX])
        if f[kernel.STEP] > 0.0:
            habits.step = min(habits.step or math.inf, f[kernel.STEP])
        if f[kernel.SPAN] > 0.0:
            habits.missing.learn(f[kernel.MISSING] / f[kernel.SPAN])
        if f[kernel.NOISE_N] >= symptoms.FEWEST:
            habits.noise.learn(symptoms.log(f[kernel.NOISE], habits.step))
        if f[kernel.N] < symptoms.FEWEST:
            return
        if channel.role == "spindle.load" and f[kernel.MEAN] > 0.0:
            _of(habits.level, operation).learn(math.log(f[kernel.MEAN]))
        if channel.role == "vibration":
            _of(habits.spread, operation).learn(moving[i].spread)
            for j in channel.sisters:
                its = self._channels[j].habits
                if moving[j].moves and not any(its.votes.values()) and not its.faults:
                    _of(habits.against, self._channels[j].name).learn(moving[i].spread - moving[j].spread)

    def _vote_waves(self, waves: Iterable[tuple[str, str]], begun: float, now: float) -> list[Finding | Coverage]:
        """What is said of the blocks of waveforms, block after block."""
        out: list[Finding | Coverage] = []
        by_name = {channel.name: channel for channel in self._channels}
        for name, validity in waves:
            if name in by_name and validity != "no_signal":
                for said, reason in OF_WAVES.items():
                    out.extend(self._vote(by_name[name], reason, Verdict(said == validity, 1.0, 1.0), begun, now))
        return out

    def _sum_up(self) -> None:
        worst = {c.name: min(c.habits.faults, key=REASONS.index) for c in self._channels if c.habits.faults}
        self.faults = worst


def _of(usual: dict[str, Usual], key: str) -> Usual:
    """That of one key, which is made; the one not used for the longest time goes when there are too many."""
    known = usual.pop(key, None) or Usual()
    usual[key] = known
    if len(usual) > OPERATIONS:
        del usual[next(iter(usual))]
    return known
