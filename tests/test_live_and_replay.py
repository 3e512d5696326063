"""Live and replay are the same pass: what the agent makes of the wires, and what a replay makes of the recording of these wires.

Documented as live only: coverage by silence (what no reading says, only the clock notices).
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.cli.record import settings_of
from agent.cli.replay import CONTEXT
from agent.compute import Compute, Ready, Result
from agent.machine_file import MachineFile, load
from agent.maintenance import plan
from agent.model import Event
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.replay import Lines, replay
from agent.texts import Texts
from drivers.clock import SystemClock
from drivers.links import Links
from drivers.model import Readings, Waveform
from drivers.recording import Recording, Writer, read
from drivers.simulate import demo
from drivers.simulate.faults import Break, Fault, Missing, NewTool, Override, Wear
from drivers.simulate.render import render
from drivers.simulate.script import Listed
from tests.support.agent_process import learn, machine_file, warm
from tests.support.shop import ShopProcess, shop_process

NOUNS = ("cut", "indicator", "finding", "alert", "coverage")
SECONDS = 26.0
"""of the wall: four parts of the demo."""

Item = Readings | Waveform


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm()


@pytest.fixture
def shop() -> Iterator[ShopProcess]:
    broken = [{"fault": "break", "tool": 4, "at_part": 3, "at_s_in_cut": 0.6}]
    with shop_process("--script", json.dumps(broken), "--seed", "5", "--start", "first-read") as running:
        yield running
        running.end()


@dataclass
class Agent:
    """A compute thread, from nothing or from a saved state, and what it made known."""

    machine: MachineFile
    saved: tuple[bytes, ...] = ()
    events: list[Event] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.compute = Compute(self.machine.settings, SystemClock(), self._made, lambda: None)
        self.compute.start()
        self.compute.begin(plan(self.machine.paths), self.saved)

    def _made(self, made: Ready | Result) -> None:
        if isinstance(made, Ready):
            self.ready.set()
        else:
            assert not made.behind
            self.events.extend(made.events)


async def watch(machine: MachineFile, agents: Sequence[Agent], folder: Path, seconds: float) -> None:
    """The links of a machine, and everything that they deliver going to the agents and into a recording."""
    clock = SystemClock()
    writer = Writer(folder, settings=settings_of(machine), timezone=machine.settings.machine.timezone)

    def take(item: Item) -> None:
        writer.write(item)
        for agent in agents:
            assert agent.compute.put(item)

    for agent in agents:
        assert await asyncio.to_thread(agent.ready.wait, 60.0)
    settings = machine.settings
    running = asyncio.create_task(Links(settings.bus, settings.source, machine.maps, machine.routes, clock, take).run())
    done, _ = await asyncio.wait([running], timeout=seconds)
    assert not done, "the links ended by themselves"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for agent in agents:
        await asyncio.to_thread(agent.compute.stop, 10.0)
        assert not agent.compute.alive
        assert agent.compute.failure is None
    writer.close()
    assert (writer.stopped, writer.late) == (None, 0)


def told(events: Sequence[Event], machine: MachineFile) -> list[str]:
    """As lines of a replay."""
    out = io.StringIO()
    Lines(out, NOUNS, Texts.load(machine.paths, "fr"), machine, relative=False).write(events)
    return out.getvalue().splitlines()


def replayed(folder: Path, machine: MachineFile, rows: int = 65536) -> list[str]:
    out = io.StringIO()
    replay(recording_of(folder, machine, rows), machine, Texts.load(machine.paths, "fr"), NOUNS, out)
    return out.getvalue().splitlines()


def recording_of(folder: Path, machine: MachineFile, rows: int = 65536) -> Recording:
    return read(folder, rows=rows, context=[channel.name for channel in machine.settings.channel if channel.role in CONTEXT])


def of(lines: Sequence[str], *nouns: str) -> list[str]:
    return [line for line in lines if json.loads(line)["noun"] in nouns]


def kinds(lines: Sequence[str]) -> list[str]:
    """Of the alerts that were raised. A computer that is busy with other things may lose a device; that is told, and no matter here."""
    alerts = [json.loads(line) for line in of(lines, "alert")]
    return [alert["kind"] for alert in alerts if alert["transition"] == "raised" and alert["kind"] != "sensor"]


def same(live: Sequence[str], again: Sequence[str]) -> None:
    """Byte for byte. When a replay ends it lets out what still waits (monitoring.lateness), which a live agent never does."""
    for noun in ("cut", "indicator", "finding", "alert"):
        mine, theirs = of(live, noun), of(again, noun)
        assert mine == theirs[: len(mine)], noun
        # The one cut that waits has an indicator of its work and one of its vibration.
        assert len(theirs) - len(mine) <= (2 if noun == "indicator" else 1), noun
    begun = [line for line in of(live, "coverage") if json.loads(line)["evidence"]["reason"] != "no_signal"]
    assert begun == of(again, "coverage")[: len(begun)]


def test_recording_of_the_live_shop_replays_to_the_same_bytes(shop: ShopProcess, tmp_path: Path) -> None:
    path = machine_file(tmp_path / "machine.toml", shop.ready, monitoring=["learn_cuts = 2"])
    machine, folder = load(path), tmp_path / "recording"
    saved = learn(path, tmp_path / "state", seed=5)
    new, old = Agent(machine), Agent(machine, (saved,))
    asyncio.run(watch(machine, [new, old], folder, SECONDS))
    live = told(new.events, machine)
    assert len(of(live, "cut")) >= 9
    assert any(json.loads(line)["evidence"]["vibration_rms"] for line in of(live, "cut"))
    assert kinds(live) == []
    same(live, replayed(folder, load(path, replay=True)))

    live = told(old.events, machine)
    assert kinds(live) == ["breakage"]
    assert of(live, "indicator")
    monitor = Monitor(machine.settings, plan(machine.paths))
    monitor.restore(saved)
    again = [event for block in recording_of(folder, machine) for event in monitor.feed(block)]
    same(live, told([*again, *monitor.finish()], machine))


STORY: tuple[Fault, ...] = (
    Wear(tool=2, at_part=6, per_part=0.14, limit=0.45),
    Break(tool=4, at_part=8, at_s_in_cut=0.6),
    NewTool(tool=4, at_part=11),
    NewTool(tool=2, at_part=13),
    Missing(tool=1, at_part=15, parts=1),
    Override(feed=60.0, at_part=17, parts=1),
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rendered")
    for name, vibration in (("with vibration", True), ("load alone", False)):
        render(folder / name, demo.cycle(), 3, Listed(STORY), parts=19, poll=0.05, vibration=vibration)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["with vibration", "load alone"])
def test_the_result_does_not_depend_on_the_batches(rendered: dict[str, Path], name: str) -> None:
    machine = load(DataPaths.find(None).file("demo.toml"), replay=True)
    whole = replayed(rendered[name], machine)
    assert kinds(whole) == ["wear", "breakage", "missing"]
    for rows in (1, 7, 1000):
        assert replayed(rendered[name], machine, rows) == whole, rows
