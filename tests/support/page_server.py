"""A page with a pretended monitor behind it, in a process of its own that a test can kill.

`python -m tests.support.page_server LANGUAGE [PORT]` prints the address, then a line of JSON for each command it receives. A line on
its input names the state to show next: a builder of `tests.support.snapshots`, or 'nothing' (the monitor falls silent).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec

from agent.commands import Command, CommandResult, TickStep
from agent.display.health import ChannelHealth, Health, HealthLine
from agent.display.server import Display
from agent.maintenance import plan
from agent.model import Checklist, Snapshot
from agent.paths import DataPaths
from agent.settings import DisplayOptions
from agent.texts import Texts
from drivers.clock import SystemClock
from tests.support import snapshots


class Monitor:
    """Holds a state still and ticks its checklists."""

    def __init__(self, paths: DataPaths) -> None:
        self._plan = plan(paths)
        self._lists: dict[str, Checklist] = {}
        self.build: Callable[[float], Snapshot] | None = None

    def snapshot(self, now: float) -> Snapshot | None:
        """The state, with the checklists of its alerts."""
        if self.build is None:
            return None
        base = self.build(now)
        alerts = []
        for alert in base.alerts:
            opened = self._lists.setdefault(alert.id, self._plan.open(alert, alert.raised))
            alerts.append(msgspec.structs.replace(alert, checklist=opened.id))
        wanted = tuple(self._lists[alert.id] for alert in alerts)
        if self.build is snapshots.leftover:
            wanted = tuple(self._lists.values())
        return msgspec.structs.replace(base, alerts=tuple(alerts), checklists=wanted)

    def do(self, command: Command, now: float) -> CommandResult:
        """Tick; everything else is simply accepted."""
        if isinstance(command, TickStep):
            for alert, one in self._lists.items():
                if one.id == command.checklist:
                    after = self._plan.tick(one, command, now)
                    if isinstance(after, str):
                        return CommandResult(id=command.id, accepted=False, reason=after)
                    self._lists[alert] = after
                    return CommandResult(id=command.id, accepted=True)
            return CommandResult(id=command.id, accepted=False, reason="unknown_checklist")
        return CommandResult(id=command.id, accepted=True)


def health(now: float) -> Health:
    """An installation with one sick device."""
    channels = tuple(
        ChannelHealth(name=name, source="commande" if i % 2 else "variateur", unit=unit, value=value, quality=quality, time=now - age)
        for i, (name, unit, value, quality, age) in enumerate(
            (
                ("load", "%", 36.2, 0, 0.1),
                ("speed", "tr/min", 1200.0, 0, 0.1),
                ("current", "A", 8.42, 0, 0.1),
                ("tool", "", "4", 0, 0.2),
                ("program", "", "4711", 0, 0.2),
                ("part", "", 138.0, 0, 0.2),
                ("mode", "", "AUTOMATIC", 0, 0.2),
                ("feed_override", "%", 100.0, 0, 0.2),
                ("spindle_temperature", "°C", 38.5, 0, 0.4),
                ("air_pressure", "bar", 5.8, 1, 0.4),
                ("coolant_level", "%", None, 3, 41.0),
                ("door", "", "CLOSED", 0, 0.2),
            )
        )
    )
    lines = (
        HealthLine(group="bus", name="atelier"),
        HealthLine(group="source", name="commande", facts={"latency_ms": 4.2, "answers": 8123}),
        HealthLine(group="source", name="variateur", state="warning", facts={"error": "wrong_answer", "timeouts": 3, "answers": 16011}),
        HealthLine(group="source", name="vibration", facts={"frames": 40231}),
        HealthLine(group="broker", name="mqtt", state="warning", facts={"url": "127.0.0.1:1883", "waiting": 12, "error": "unreachable"}),
        HealthLine(group="store", name="state.sqlite", facts={"waiting": 0}),
        HealthLine(group="clock", name="clock", facts={"drift_s": 0.0}),
        HealthLine(group="version", name="broche", facts={"version": "0.1.0"}),
    )
    return Health(lines=lines, channels=channels)


async def serve(language: str, port: int) -> None:
    """Until the input ends."""
    paths = DataPaths.find(None)
    clock = SystemClock()
    monitor = Monitor(paths)

    async def submit(command: Command) -> CommandResult:
        sys.stdout.write(msgspec.json.encode(command).decode() + "\n")
        sys.stdout.flush()
        return monitor.do(command, clock.wall())

    texts = {name: Texts.load(paths, name) for name in ("fr", "en")}
    display = Display(DisplayOptions(port=port), texts, clock, submit, settings=snapshots.settings(language))
    sys.stdout.write(await display.start() + "\n")
    sys.stdout.flush()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    player = asyncio.create_task(_play(display, monitor, clock))
    while line := (await reader.readline()).decode().strip():
        monitor.build = None if line == "nothing" else getattr(snapshots, line)
    player.cancel()
    await display.stop()


async def _play(display: Display, monitor: Monitor, clock: SystemClock) -> None:
    while True:
        state = monitor.snapshot(clock.wall())
        if state is not None:
            display.show(state, health(clock.wall()))
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
