"""The monitor at one moment, as an immutable Snapshot for the outlets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.detect.baseline import Baseline
from agent.detect.monitorability import least
from agent.load import shown_unit
from agent.model import Coverage, Cut, CutView, Snapshot, SpindleView, ToolView, Word
from agent.monitor.notices import notices
from agent.monitor.operations import Operations
from agent.settings import ChannelOptions
from drivers.model import Quality, word_of

if TYPE_CHECKING:
    from agent.monitor.monitor import Monitor

SHOWN_ELSEWHERE = frozenset({"vibration"})
WORDS = frozenset(
    ("tool", "program", "section", "mode", "execution", "door", "cycle", "feed_hold", "single_block", "dry_run", "power_on", "other")
)
"""Roles whose values may be words."""
WORST_FIRST = (Word.NOT_MONITORABLE, Word.HOLD, Word.LEARNING, Word.PROVISIONAL, Word.MONITORING)


class Overview:
    """Builds snapshots of one monitor."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._operations = Operations(monitor.watch, monitor.settings.monitoring.learn_cuts)

    def snapshot(self) -> Snapshot:
        """Everything that an outlet shows; times are on the axis of the readings."""
        monitor = self._monitor
        now = max(monitor.timeline.newest - monitor.settings.monitoring.lateness, 0.0)
        covers = tuple(
            monitor.watch.outlook.cover(baseline, now, monitor.watch.changes.why_of(baseline.key, baseline.program))
            for baseline in monitor.watch.state.baselines.values()
        )
        machine = monitor.coverage or Coverage(time=now, scope="machine", word=Word.LOST, reason="no_signal")
        alerts = monitor.desk.alerts.open
        wanted = {alert.checklist for alert in alerts}
        return Snapshot(
            time=now,
            machine=monitor.settings.machine.name,
            coverage=machine,
            coverages=(*covers, *monitor.vibration.words(now), *monitor.conditions.words(now), *monitor.health.coverage(now)),
            spindles=tuple(self._spindle(name, now) for name in monitor.segmenters),
            tools=self._tools(covers),
            vibrations=tuple(v for v in monitor.vibration.views(now) if v.channel not in monitor.conditions.polled_channels),
            context=monitor.context.view(),
            alerts=alerts,
            checklists=tuple(c for c in monitor.desk.checklists.values() if c.id in wanted or not c.done),
            values=self._values(now),
            counters=monitor.counters,
            tunings=monitor.watch.tuning.standing(),
            explanations=monitor.desk.reasons.of(alerts),
            realised=monitor.desk.tally.view(),
            operations=self._operations.views(covers),
            promises=tuple(p for b in monitor.watch.state.baselines.values() if (p := monitor.watch.outlook.promise(b)) is not None),
            notices=notices(monitor),
        )

    def _spindle(self, name: str, now: float) -> SpindleView:
        monitor = self._monitor
        load, load_time, load_quality, unit = self._read("spindle.load", name, now)
        speed, _, _, _ = self._read("spindle.speed", name, now)
        temperature, _, _, _ = self._read("spindle.temperature", name, now)
        segmenter = monitor.segmenters[name]
        open_cut = segmenter.current()
        cut = open_cut or monitor.last_cut.get(name)
        return SpindleView(
            name=name,
            load=load,
            load_unit=unit,
            load_time=load_time,
            load_quality=load_quality,
            speed=speed,
            idle=segmenter.idle(speed),
            temperature=temperature,
            cut=self._cut(cut, is_open=open_cut is not None) if cut is not None else None,
        )

    def _cut(self, cut: Cut, *, is_open: bool) -> CutView:
        baseline = self._monitor.watch.state.baselines.get(cut.operation.key)
        return CutView(
            id=cut.id,
            operation=cut.operation.key,
            tool=cut.operation.tool,
            section=cut.operation.section,
            opened=cut.opened,
            time=cut.time,
            open=is_open,
            curve=cut.curve,
            grid=cut.grid,
            envelope=baseline.envelope() if baseline is not None else None,
        )

    def _tools(self, covers: tuple[Coverage, ...]) -> tuple[ToolView, ...]:
        monitor = self._monitor
        of_key = {cover.scope.removeprefix("operation/"): cover for cover in covers}
        program = monitor.context.now.text("program")
        groups: dict[tuple[str, str], list[Baseline]] = {}
        for baseline in monitor.watch.state.baselines.values():
            if baseline.program == program or not program:
                groups.setdefault((baseline.spindle, baseline.tool), []).append(baseline)
        return tuple(self._tool(tool, spindle, group, of_key) for (spindle, tool), group in sorted(groups.items(), key=_order))

    def _tool(self, tool: str, spindle: str, group: list[Baseline], of_key: dict[str, Coverage]) -> ToolView:
        monitor = self._monitor
        watched = [b for b in group if of_key[b.key].word is not Word.NOT_MONITORABLE] or group
        worst = min(watched, key=lambda b: (WORST_FIRST.index(of_key[b.key].word), of_key[b.key].n))
        cover = of_key[worst.key]
        levels = [(monitor.watch.outlook.wear_level(b), b) for b in watched]
        (level, limit), leader = max(levels, key=lambda item: item[0][0] if item[0][0] is not None else -1.0)
        named = next((t for t in monitor.settings.tool if str(t.number) == tool), None)
        alerts = monitor.desk.alerts.of_tool(tool, spindle)
        view = ToolView(
            tool=tool,
            spindle=spindle,
            name=named.name if named else "",
            name_en=(named.name_en or named.name) if named else "",
            word=cover.word,
            reason=cover.reason,
            n=cover.n,
            of=cover.of,
            wear=level,
            wear_limit=limit,
            smallest_change=monitor.watch.outlook.smallest_change(leader),
            promise=least([promise for b in watched if (promise := monitor.watch.outlook.promise(b)) is not None]),
            cuts=max(b.tool_cuts for b in group),
            cutting_time=sum(b.cutting_time for b in group),
            parts_low=None,
            parts_high=None,
            alert=next((a.id for a in alerts if not a.returned), ""),
        )
        return monitor.lives.shown(view, monitor.watch.outlook.rise(leader))

    def _values(self, now: float) -> dict[str, float | str | None]:
        monitor = self._monitor
        words = monitor.timeline.words.seen()
        out: dict[str, float | str | None] = {}
        for channel in monitor.settings.channel:
            if channel.role in SHOWN_ELSEWHERE and channel.name not in monitor.conditions.polled_channels:
                continue
            value, _, quality = monitor.latest.held(channel.name, now)
            if quality > Quality.UNCERTAIN:
                out[channel.name] = None
            elif value != value or (value < 0 and value == int(value) and -value <= len(words) and _is_word(channel)):
                out[channel.name] = word_of(value, words)
            else:
                out[channel.name] = value
        return out

    def _read(self, role: str, spindle: str, now: float) -> tuple[float | None, float | None, int, str]:
        """Value, time, quality and unit of the channel of a role on a spindle."""
        monitor = self._monitor
        first = monitor.settings.spindle[0].name
        for channel in monitor.settings.channel:
            if channel.role == role and (channel.spindle or first) == spindle:
                value, time, quality = monitor.latest.held(channel.name, now)
                known = quality <= Quality.UNCERTAIN and value == value
                return (
                    (value if known else None),
                    (time if time > 0 or known else None),
                    quality,
                    shown_unit(channel, monitor.settings.spindle),
                )
        return None, None, int(Quality.UNAVAILABLE), ""


def _is_word(channel: ChannelOptions) -> bool:
    return channel.role in WORDS


def _order(item: tuple[tuple[str, str], list[Baseline]]) -> tuple[str, int, str]:
    (spindle, tool), _ = item
    return spindle, int(tool) if tool.isdigit() else 1 << 30, tool
