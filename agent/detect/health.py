"""Does a sensor that answers lie? Every channel against itself when it was well, against its sister, and while the machine works.

Rows are gathered for some seconds (`agent.detect.stretches`) and measured in one walk (`agent.kernels.health`); the rules are in
`agent.detect.symptoms`, what is usual for a channel in `agent.detect.habits`. A channel is named when 3 of its latest 4 stretches spoke
(`VOTES`), and is well again after 3 that did not. `agent.detect.sensor` tells what is not there at all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from agent.detect import symptoms
from agent.detect.habits import Fault, Habits, Usual
from agent.detect.stretches import Channel, Gatherer, Stretch, channels
from agent.detect.symptoms import Moving, Verdict
from agent.kernels import health as kernel
from agent.model import Coverage, Cut, Finding, Indicator, Word
from agent.segment import Frame
from agent.settings import MachineSettings
from agent.timeline import Rows, Timeline

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


class Health:
    """Follows all channels that measure.

    Parameters
    ----------
    settings: whose channels they are.
    timeline: which column is which.
    p: chance that one judgement may be false.
    """

    def __init__(self, settings: MachineSettings, timeline: Timeline, p: float) -> None:
        self._p = p
        self._channels = channels(settings)
        self._rows = Gatherer(settings, timeline, self._channels)
        self.faults: dict[str, str] = {}
        """Channel to the worst reason for which it is not believed now"""

    def lies(self, channel: str) -> bool:
        """Its values are not values now."""
        return self.faults.get(channel) in LYING

    def lying(self) -> frozenset[str]:
        """All such channels."""
        return frozenset(name for name, reason in self.faults.items() if reason in LYING)

    @property
    def judged(self) -> float:
        """When rows were last judged."""
        return self._rows.ended

    def moved(self, channel: str) -> bool:
        """Whether its value changed in the latest stretch that was judged, and nothing is wrong with it."""
        own = next((c for c in self._channels if c.name == channel), None)
        return own is not None and own.habits.carry[kernel.CHANGED] >= self._rows.begun and not own.habits.faults

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
        self._rows.take(rows)

    def on_cut(self, cut: Cut) -> None:
        """A cut that opens or closes."""
        self._rows.on_cut(cut)

    @property
    def due(self) -> float:
        """When rows will be judged next: at the first look from then on, which must not be left out."""
        return self._rows.due

    def look(self, now: float, waves: Callable[[], Iterable[tuple[str, str]]]) -> list[Finding | Indicator | Coverage]:
        """At one moment, all rows before it were taken. `waves`: channel and validity of the latest block of each waveform."""
        stretch = self._rows.look(now)
        if stretch is None:
            return []
        out = self._judge(stretch) if stretch.figures else []
        out.extend(self._vote_waves(waves(), stretch))
        doubt = any(channel.habits.votes or channel.habits.faults for channel in self._channels)
        self._rows.doubted = 0 if doubt else self._rows.doubted + 1
        return out

    def saved(self) -> dict[str, Habits]:
        """What survives a restart."""
        return {channel.name: channel.habits for channel in self._channels}

    def restore(self, saved: Mapping[str, Habits]) -> None:
        """Take back what `saved` gave."""
        for channel in self._channels:
            if channel.name in saved and len(saved[channel.name].carry) == kernel.CARRY:
                channel.habits = saved[channel.name]
        self._sum_up()

    def _judge(self, stretch: Stretch) -> list[Finding | Indicator | Coverage]:
        figures = stretch.figures
        out: list[Finding | Indicator | Coverage] = []
        moving = [Moving(c.name, figures[i], c.habits) for i, c in enumerate(self._channels)]
        of_its = [stretch.operations.get(c.spindle, "") for c in self._channels]
        well: list[bool] = []
        for i, channel in enumerate(self._channels):
            verdicts, habits = self._verdicts(i, channel, moving, of_its[i]), channel.habits
            for reason, verdict in verdicts.items():
                # Nearly always there is nothing to note.
                if verdict.hit or habits.votes.get(reason) or reason in habits.faults:
                    out.extend(self._vote(channel, reason, verdict, stretch, VOTES.get(reason, MOSTLY)))
            well.append(not habits.faults and not (habits.votes and any(habits.votes.get(reason) for reason in verdicts)))
        for i, channel in enumerate(self._channels):
            period = channel.habits.update_period
            if well[i]:
                self._learn(channel, i, moving, of_its[i], well)
            new, at = channel.habits.update_period, stretch.ended
            if new is not None and period is None:
                out.append(Indicator(time=at, channel=channel.name, operation="", tool="", name="update_period_s", value=new, unit="s"))
        return out

    def _verdicts(self, i: int, channel: Channel, moving: list[Moving], operation: str) -> dict[str, Verdict]:
        f, habits = moving[i].figures, channel.habits
        if f[kernel.FRESH] == 0.0:
            return {}
        asked: dict[str, Verdict | None] = {"sensor_nan": symptoms.no_numbers(f)}
        if not channel.on_change:
            asked["sensor_gaps"] = symptoms.gaps(f, habits.missing)
            asked["sensor_slow"] = symptoms.slow(f, channel.configured) if channel.configured else None
        if channel.role in MOVING:
            asked["sensor_noisy"] = symptoms.noisy(f, habits, self._p) if f[kernel.NOISE_N] else None
            asked["sensor_stuck"] = self._stuck(channel)
        if channel.role == "vibration" and f[kernel.N]:
            sisters = [moving[j] for j in channel.sisters]
            loads = [j for j, c in enumerate(self._channels) if (c.role, c.spindle) == ("spindle.load", channel.spindle)]
            works = symptoms.works(moving[loads[0]], operation) if loads and not self._channels[loads[0]].habits.faults else None
            asked["sensor_dead"] = symptoms.dead(moving[i], sisters, operation, works, self._p)
            asked["sensor_saturated"] = symptoms.saturated(f)
            asked["sensor_noisy"] = symptoms.loud(moving[i], sisters, operation, self._p) or asked["sensor_noisy"]
        return {reason: verdict for reason, verdict in asked.items() if verdict is not None}

    def _stuck(self, channel: Channel) -> Verdict | None:
        habits = channel.habits
        patience = habits.patience(self._p)
        _, _, changed, still = habits.carry
        if patience is None or changed != changed:
            return None
        if still <= patience:
            return Verdict(False, still, patience)
        sisters = [self._channels[j].habits.carry[kernel.CHANGED] for j in channel.sisters]
        shaken = self._rows.shaken(channel.spindle, changed) >= SHAKES
        limit = patience if shaken else ALONE * patience
        return Verdict(still > limit and (not sisters or max(sisters) > changed), still, limit)

    def _vote(
        self, channel: Channel, reason: str, verdict: Verdict, stretch: Stretch, need: tuple[int, int] = MOSTLY
    ) -> list[Finding | Coverage]:
        habits = channel.habits
        votes = (habits.votes.pop(reason, 0) << 1 | verdict.hit) & ((1 << need[1]) - 1)
        if votes:
            habits.votes[reason] = votes
        if verdict.hit:
            changed = habits.carry[kernel.CHANGED]
            habits.first.setdefault(reason, changed if reason == "sensor_stuck" and changed == changed else stretch.begun)
        elif not votes:
            habits.first.pop(reason, None)
        speaks = verdict.hit and votes.bit_count() >= need[0]
        if reason not in habits.faults and speaks:
            if reason in LYING and channel.role in NEEDED:
                self._rows.forget_cuts(channel.spindle)
            habits.faults[reason] = Fault(reason, habits.first[reason], stretch.ended)
        elif reason in habits.faults and not votes & 0b111:
            del habits.faults[reason]
        else:
            return []
        return self._tell(channel, verdict, stretch.ended)

    def _tell(self, channel: Channel, verdict: Verdict, now: float) -> list[Finding | Coverage]:
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

    def _learn(self, channel: Channel, i: int, moving: list[Moving], operation: str, well: list[bool]) -> None:
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
                if moving[j].moves and well[j]:
                    _of(habits.against, self._channels[j].name).learn(moving[i].spread - moving[j].spread)

    def _vote_waves(self, waves: Iterable[tuple[str, str]], stretch: Stretch) -> list[Finding | Coverage]:
        """What is said of the blocks of waveforms, block after block."""
        out: list[Finding | Coverage] = []
        by_name = {channel.name: channel for channel in self._channels}
        for name, validity in waves:
            if name in by_name and validity != "no_signal":
                for said, reason in OF_WAVES.items():
                    out.extend(self._vote(by_name[name], reason, Verdict(said == validity, 1.0, 1.0), stretch))
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
