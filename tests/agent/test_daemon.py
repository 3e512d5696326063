"""The daemon with real parts and no device: how it starts when something is missing, and how it ends when a part does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agent import children
from agent import outlets as room
from agent.audit import audit
from agent.commands import CommandResult, Measure, StillGood, ToolChanged
from agent.compute import Compute
from agent.daemon import Daemon, DaemonFailed, Told
from agent.display.health import HealthLine
from agent.paths import DataPaths
from agent.publish.payloads import Status
from agent.settings import ChannelOptions, DisplayOptions, Language, MachineOptions, MachineSettings, StoreOptions
from agent.store import Commit, Store
from agent.texts import LANGUAGES, Texts
from drivers import jit
from drivers.clock import SystemClock
from drivers.links import Links
from drivers.model import Quality, Readings, lost_row
from tests.support import snapshots
from tests.support.agent_process import environment, warm

SECONDS = 60.0
SETTINGS = MachineSettings(
    machine=MachineOptions(name="essai"),
    channel=(ChannelOptions(name="load", role="spindle.load", hold=1.0),),
    display=DisplayOptions(port=0),
)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm()


class Run:
    """One daemon, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.daemon = Daemon(SETTINGS, {}, (), DataPaths.find(None), folder, SystemClock(), self._tell)
        self._when: dict[str, Callable[[], None]] = {}

    def _tell(self, news: Told) -> None:
        self.told.append(news.key)
        if news.key in self._when:
            self._when[news.key]()

    def until(self, key: str, then: Callable[[Daemon], Any] = lambda _: None) -> list[str]:
        """Run it until it tells `key`; what it told by then."""

        async def main() -> None:
            stop = asyncio.Event()

            def ended() -> None:
                then(self.daemon)
                stop.set()

            self._when[key] = ended
            async with asyncio.timeout(SECONDS):
                await self.daemon.run(stop)

        asyncio.run(main())
        return self.told


def test_warm_kernels_need_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(children, "start", start)
    assert Run(tmp_path).until("ready") == ["page", "ready"]


def test_a_child_that_fails_leaves_the_compiling_to_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jit, "is_warm", lambda: False)
    monkeypatch.setattr(children, "start", lambda *_, **__: subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
    assert Run(tmp_path).until("ready") == ["compiling", "page", "ready"]
    assert "warmup ended with 3" in caplog.text


def test_where_no_child_can_be_started_it_compiles_before_it_polls_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(jit, "is_warm", lambda: False)
    monkeypatch.setattr(children, "start", start)
    assert Run(tmp_path).until("ready") == ["compiling", "compiling_here", "page", "ready"]


def test_stopped_while_it_compiles_it_ends_the_child_and_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []

    def start(*_: object, **__: object) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE))
        return made[0]

    monkeypatch.setattr(jit, "is_warm", lambda: False)
    monkeypatch.setattr(children, "start", start)
    assert Run(tmp_path).until("page") == ["compiling", "page"]
    assert made[0].wait(SECONDS) == -15
    assert made[0].stdin is not None
    made[0].stdin.close()


def test_a_state_that_nobody_understands_is_told_kept_in_the_audit_and_begun_anew(tmp_path: Path) -> None:
    store = Store.open(tmp_path, StoreOptions(), SystemClock(), lambda _: None)
    store.submit(Commit(state=b"from another world"))
    assert store.close()
    assert Run(tmp_path).until("state_refused") == ["page", "ready", "state_refused"]
    assert Run(tmp_path).until("ready") == ["page", "ready"], "the new state is understood"


@pytest.mark.parametrize("part", ["compute", "links", "store"])
def test_a_part_that_ends_ends_the_daemon(tmp_path: Path, part: str, caplog: pytest.LogCaptureFixture) -> None:
    def end(running: Daemon) -> None:
        if part == "compute":
            running._compute.stop(0.0)
        elif part == "links":
            next(task for task in asyncio.all_tasks() if task.get_name() == "links").cancel()
        else:
            running._outlets.store.close()

    run = Run(tmp_path)

    async def main() -> None:
        run._when["ready"] = lambda: end(run.daemon)
        async with asyncio.timeout(SECONDS):
            await run.daemon.run(asyncio.Event())

    with pytest.raises(DaemonFailed) as failed:
        asyncio.run(main())
    assert failed.value.part == part


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["compute", "links", "store", "publisher", "beacon", "look", "nothing"])
def test_what_has_ended_is_said_in_the_shops_language(part: str, language: Language) -> None:
    texts = Texts.load(DataPaths.find(None), language)
    assert texts.has(f"run.ended.{part}")
    what = texts.say(f"run.ended.{part}")
    assert texts.say("run.failed", what=what, detail="").endswith(what)
    assert "ValueError('x')" in texts.say("run.failed", what=what, detail=DaemonFailed(part, ValueError("x")).detail)


def test_a_lost_device_is_no_first_reading(tmp_path: Path) -> None:
    def see(running: Daemon) -> None:
        now = running._clock.wall()
        running._from_links(lost_row("drive", ("load",), now))
        assert "first_reading" not in run.told
        running._from_links(Readings("drive", ("load",), np.array([now]), np.array([[3.0]]), np.array([[Quality.GOOD]], dtype=np.uint8)))

    run = Run(tmp_path)
    assert run.until("ready", see) == ["page", "ready", "first_reading"]


def test_a_reading_that_comes_before_anything_else_is_known_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    now = run.daemon._clock.wall()

    async def early(*_: object) -> None:
        run.daemon._from_links(Readings("d", ("load",), np.array([now]), np.array([[3.0]]), np.array([[Quality.GOOD]], dtype=np.uint8)))
        assert run.daemon._outlets is None

    def seen(running: Daemon) -> None:
        assert running._outlets is not None
        assert running._outlets._installation._latest["load"][:2] == (3.0, now)

    monkeypatch.setattr(run.daemon, "_head_start", early)
    assert run.until("ready", seen) == ["first_reading", "page", "ready"]


def test_nothing_heavy_stands_before_the_first_reading() -> None:
    heavy = ("numba", "llvmlite", "uvicorn", "starlette", "paho", "sqlite3", "iotcore", "agent.texts", "agent.outlets")
    ask = (
        "import sys, agent.cli.run, agent.machine_file, agent.daemon, drivers.clock, drivers.fine_loop\n"
        "print(*(name for name in sys.argv[1:] if name in sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask, *heavy], capture_output=True, text=True, check=True, timeout=SECONDS, env=environment()
    )
    assert told.stdout.split() == []


def test_a_disk_that_hangs_is_in_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        """A store whose writer waits for a disk: the real thing needs a broken SD card."""

        def __init__(self) -> None:
            self.submitted, self.committed = 5, 4

        def counters(self) -> Hanging:
            return self

    clock = SystemClock()
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now, raising=False)
    compute, links = Compute(SETTINGS, clock, lambda _: None, lambda: None), Links((), (), {}, (), clock, lambda _: None)
    outlets = room.Outlets(SETTINGS, DataPaths.find(None), tmp_path, SystemClock(), links, compute)
    assert outlets.store.close()
    outlets._clock = clock
    outlets.store = Hanging()  # type: ignore[assignment]
    assert outlets._store_state() == "ok"
    now += room.STUCK + 1.0
    assert outlets._store_state() == "io"
    outlets.store.committed = 5  # type: ignore[misc, assignment, attr-defined]
    assert outlets._store_state() == "ok"


def test_what_the_calculations_could_not_take_reaches_the_status_and_the_installers_page(tmp_path: Path) -> None:
    class Heard:
        """A publisher that keeps what it is to say."""

        alive = True
        said: list[Status]

        def statistics(self) -> None:
            return None

        def say(self, status: Status) -> None:
            self.said.append(status)

    heard = Heard()
    heard.said = []

    clock = SystemClock()
    compute, links = Compute(SETTINGS, clock, lambda _: None, lambda: None), Links((), (), {}, (), clock, lambda _: None)
    outlets = room.Outlets(SETTINGS, DataPaths.find(None), tmp_path, clock, links, compute)
    try:
        seen = snapshots.snapshot(1.0)
        outlets._snapshot = msgspec.structs.replace(seen, counters=msgspec.structs.replace(seen.counters, dropped=4))
        outlets._publishers = [heard]  # type: ignore[list-item]
        outlets.say()
        outlets._publishers = []
        lines: list[HealthLine] = list(outlets._health().lines)
    finally:
        assert outlets.store.close()
    assert [status.dropped for status in heard.said] == [4]
    assert [line.facts for line in lines if line.group == "compute"] == [{"dropped_batches": 4}]


def test_an_audit_names_who_did_what_through_which_door() -> None:
    command = ToolChanged(id="1", by="Karim", tool="4")
    kept = audit(command, CommandResult(id="1", accepted=False, reason="unknown_tool"), 5.0, "mqtt")
    assert (kept.by, kept.action, kept.subject, kept.detail) == ("Karim", "tool_changed", "4", "mqtt unknown_tool")
    answered = CommandResult(id="1", accepted=True)
    for typed, action, subject in (
        (ToolChanged(tool="4", reason="worn"), "tool_changed", "4 worn"),
        (Measure(tool="4", vb=0.125), "measure", "4 0.125 mm"),
        (StillGood(tool="4"), "still_good", "4"),
    ):
        line = audit(typed, answered, 0.0, "page")
        assert (line.action, line.subject, line.detail) == (action, subject, "page")
