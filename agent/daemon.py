"""Wires everything together and keeps it alive: links, compute thread, store, publisher, page.

A reading's way: `drivers.links` delivers it on the loop, the compute thread feeds it to the monitor, what the monitor makes known comes
back here as a Result, is committed to the store in one transaction, and only then heard of by the broker; the page gets the snapshot.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from agent import __version__, children
from agent.audit import audit
from agent.beacon import Beacon
from agent.commands import Command, CommandResult
from agent.compute import Answered, Asked, Compute, Ready, Result
from agent.display.health import Health
from agent.display.server import Display
from agent.installation import Installation
from agent.load import shown_unit
from agent.maintenance import plan
from agent.model import Alert, Checklist, Coverage, Cut, Event, Snapshot, Word
from agent.notify import Notify
from agent.paths import DataPaths
from agent.publish import Publisher, Topics, payloads
from agent.settings import Language, MachineSettings
from agent.store import Audit, Commit, Store, StoreTrouble
from agent.texts import Texts
from drivers import jit
from drivers.clock import Clock
from drivers.links import Links, load_kernels
from drivers.model import Quality, Readings, Waveform
from drivers.options import ChannelRoute, DeviceMap

log = logging.getLogger("broche")

STALL = 2.0
"""s for which the compute thread may be behind before nothing that was shown counts as live any more."""
KEPT = 1.0
"""s for which the answer to a command waits until it is on the disk."""
STUCK = 10.0
"""s that a commit may take: a disk that hangs says nothing."""
LONGEST_START = 900.0
"""s that compiling may take before the watchdog is no longer told that all is well."""
LOOK = 0.5
"""s between two looks at links, broker, store and compute thread."""
END = 5.0
"""s that each part has to end."""


class DaemonFailed(Exception):
    """The daemon cannot go on and must be started again: its message says what failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon lets its command know.

    Attributes
    ----------
    key: under [run] of the text catalogue.
    values: of its placeholders.
    """

    key: str
    values: Mapping[str, str | float] = field(default_factory=dict)


class Daemon:
    """One machine.

    Parameters
    ----------
    settings, maps, routes, paths: of the machine file.
    folder: where the store is.
    clock: of everything.
    tell: gets what a person who started it wants to know.
    """

    def __init__(
        self,
        settings: MachineSettings,
        maps: Mapping[str, DeviceMap],
        routes: Sequence[ChannelRoute],
        paths: DataPaths,
        folder: Path,
        clock: Clock,
        tell: Callable[[Told], None],
    ) -> None:
        self._settings = settings
        self._maps = maps
        self._routes = routes
        self._folder = folder
        self._clock = clock
        self._tell = tell
        self._texts: dict[Language, Texts] = {"fr": Texts.load(paths, "fr"), "en": Texts.load(paths, "en")}
        self._plan = plan(paths)
        self._units = {channel.name: shown_unit(channel, settings.spindle) for channel in settings.channel}
        self._installation = Installation(settings)
        self._notify = Notify.from_environment()
        self._trouble: StoreTrouble | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._display: Display | None = None
        self._beacon: Beacon | None = None
        self._publishers: list[Publisher] = []
        self._topics = Topics.of(settings.broker[0].prefix if settings.broker else "broche", settings.machine)
        self._snapshot: Snapshot | None = None
        self._turned = 0.0
        self._sent_telemetry = 0.0
        self._committed = (0, 0.0)
        self._first_reading = False
        self._ready = asyncio.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._answering: set[asyncio.Future[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set.

        Raises
        ------
        StoreUnusable, DisplayError: something cannot be had; the message names the remedy.
        DaemonFailed: a part that may not fail has failed.
        """
        self._loop = asyncio.get_running_loop()
        store = Store.open(self._folder, self._settings.store, self._clock, self._report)
        self._store = store
        began = self._clock.monotonic()
        self._began = began
        saved = [state for state in (store.saved_state(), store.previous_state()) if state is not None]
        compute = self._compute = Compute(self._settings, self._plan, saved, self._clock, self._from_compute, self._warming())
        links = self._links = Links(
            self._settings.bus,
            self._settings.source,
            self._maps,
            self._routes,
            self._clock,
            self._from_links,
            load=self._parsers,
        )
        tasks: list[asyncio.Task[None]] = []
        try:
            speakers = {str(language): texts for language, texts in self._texts.items()}
            self._display = Display(self._settings.display, speakers, self._clock, self._from_page, settings=self._settings)
            url = await self._display.start()
            self._tell(Told("page", {"url": url}))
            self._start_publisher(store)
            compute.start()
            tasks.append(asyncio.create_task(links.run(), name="links"))
            tasks.append(asyncio.create_task(self._look(), name="look"))
            self._beacon = Beacon.of(self._settings.beacon, links, self._clock)
            if self._beacon is not None:
                tasks.append(asyncio.create_task(self._beacon.run(), name="beacon"))
            self._notify.send("READY=1")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            tasks.append(stopping)  # type: ignore[arg-type]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                _fail(tasks)
        finally:
            self._notify.send("STOPPING=1")
            await self._end(tasks, store)

    def _start_publisher(self, store: Store) -> None:
        if not self._settings.broker:
            return
        options = self._settings.broker[0]
        publisher = Publisher(
            options, self._settings.machine, store, self._clock, self._from_broker, texts=self._texts, version=__version__
        )
        self._publishers.append(publisher)
        publisher.start()

    def _warming(self) -> Callable[[], None]:
        """Kernels are compiled by a child while readings queue; without a child, here and now, before polling."""
        jit.prepare()
        if jit.is_warm():
            return lambda: None
        self._tell(Told("compiling"))
        try:
            child = children.start("agent", ["warmup"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError as error:
            log.warning("no child process for compiling: %s", error)
            self._tell(Told("compiling_here"))
            import agent.monitor  # noqa: F401

            return lambda: None
        self._child = child

        def wait() -> None:
            if child.wait() != 0:
                log.warning("warmup ended with %s; compiling in the compute thread", child.returncode)

        return wait

    async def _parsers(self) -> ModuleType:
        """The parser kernels of the streams, once the compute thread has loaded its own: nothing compiles twice."""
        await self._ready.wait()
        return await load_kernels()

    def _from_links(self, item: Readings | Waveform) -> None:
        """On the loop, for each row and block."""
        if not self._first_reading and isinstance(item, Readings) and (item.quality <= Quality.UNCERTAIN).any():
            self._first_reading = True
            self._tell(Told("first_reading", {"seconds": self._clock.monotonic() - self._began}))
        self._installation.note(item)
        self._compute.put(item)

    def _from_compute(self, made: Ready | Result) -> None:
        """On the compute thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._handle, made)

    async def _from_page(self, command: Command) -> CommandResult:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[CommandResult] = loop.create_future()

        def answer(result: CommandResult) -> None:
            if not answered.done():
                answered.set_result(result)

        if not self._compute.ask(Asked(command, "page", answer)):
            return CommandResult(id=command.id, accepted=False, reason="busy")
        try:
            async with asyncio.timeout(END):
                return await answered
        except TimeoutError:
            return CommandResult(id=command.id, accepted=False, reason="busy")

    def _from_broker(self, command: Command) -> None:
        """On the publisher's thread."""
        publisher = self._publishers[0]
        if not self._compute.ask(Asked(command, "mqtt", publisher.answer)):
            publisher.answer(CommandResult(id=command.id, accepted=False, reason="busy"))

    def _handle(self, made: Ready | Result) -> None:
        """On the loop: keep first, then tell."""
        if isinstance(made, Ready):
            self._ready.set()
            self._tell(Told("ready", {"seconds": self._clock.monotonic() - self._began}))
            if made.restored == "refused":
                self._tell(Told("state_refused"))
                self._store.submit(Commit(audit=(Audit(time=self._clock.wall(), by="broche", action="state_refused", subject="state"),)))
            return
        if not made.behind:
            self._turned = self._clock.monotonic()
        self._commit(made)
        if made.answered:
            answering = asyncio.ensure_future(self._answer(made.answered))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        if made.snapshot is not None:
            self._snapshot = made.snapshot
            if self._display is not None:
                self._display.show(made.snapshot, self._health())
            if self._beacon is not None:
                self._beacon.show(made.snapshot)
        for event in made.events:
            if isinstance(event, Alert) and event.state == "cleared" and self._display is not None:
                self._display.note(event)
        if any(isinstance(event, Coverage | Alert) for event in made.events):
            self._say()

    async def _answer(self, answered: Sequence[Answered]) -> None:
        """What was said to be done is on the disk; one that says no is not waited for."""
        await asyncio.to_thread(self._store.flush, KEPT)
        for one in answered:
            one.asked.answer(one.result)

    def _commit(self, made: Result) -> None:
        events = made.events
        told = [(event, self._message(event)) for event in events]
        telemetry = [message for event, message in told if message is not None and isinstance(event, Cut)]
        now = self._clock.monotonic()
        if made.snapshot is not None and self._publishers and now - self._sent_telemetry >= self._settings.broker[0].telemetry_every:
            self._sent_telemetry = now
            telemetry.append(payloads.telemetry(made.snapshot, self._topics))
        messages = tuple(message for event, message in told if message is not None and not isinstance(event, Cut))
        commit = Commit(
            state=made.state,
            alerts=tuple(event for event in events if isinstance(event, Alert)),
            checklists=tuple(event for event in events if isinstance(event, Checklist)),
            audit=tuple(_audit(answered) for answered in made.answered),
            messages=messages if self._publishers else (),
            telemetry=tuple(telemetry) if self._publishers else (),
        )
        if commit.state is not None or commit.alerts or commit.checklists or commit.audit or commit.telemetry:
            self._store.submit(commit)

    def _message(self, event: Event) -> payloads.Message | None:
        return payloads.of_event(event, self._topics, self._texts, self._settings.tool, self._units)

    async def _look(self) -> None:
        """Looks at what cannot speak for itself."""
        while True:
            await self._clock.sleep(LOOK)
            if not self._compute.alive:
                raise DaemonFailed(f"the compute thread has ended: {self._compute.failure!r}")
            if not self._store.alive:
                raise DaemonFailed("the thread of the store has ended")
            if self._publishers and not self._publishers[0].alive:
                raise DaemonFailed("the thread of the publisher has ended")
            self._say()
            publisher = self._publishers[0] if self._publishers else None
            moving = publisher is None or self._clock.monotonic() - publisher.statistics().progress < 4.0 * END
            if moving and self._computes():
                self._notify.send("WATCHDOG=1")

    def _computes(self) -> bool:
        """Whether the compute thread keeps up, or may still be compiling."""
        now = self._clock.monotonic()
        return now - self._turned < STALL if self._ready.is_set() else now - self._began < LONGEST_START

    def _say(self) -> None:
        """The status topic: what is true now."""
        if not self._publishers:
            return
        snapshot = self._snapshot
        coverage = snapshot.coverage if snapshot is not None else None
        if coverage is not None and self._clock.monotonic() - self._turned > STALL:
            coverage = Coverage(time=self._clock.wall(), scope="machine", word=Word.LOST, reason="overload_agent")
        self._publishers[0].say(
            payloads.Status(
                coverage=coverage,
                sources=self._installation.sources(self._links.health()),
                units=payloads.units(snapshot, self._units) if snapshot is not None else {},
                drift=self._clock.drift(),
                store=self._store_state(),
                dropped=snapshot.counters.dropped if snapshot is not None else 0,
                alerts=len(snapshot.alerts) if snapshot is not None else 0,
            )
        )

    def _store_state(self) -> str:
        """'ok', or the kind of its trouble; a disk that neither takes a commit nor refuses it is in trouble too."""
        if self._trouble is not None:
            return self._trouble.kind
        counters, now = self._store.counters(), self._clock.monotonic()
        if counters.committed >= counters.submitted or counters.committed != self._committed[0]:
            self._committed = (counters.committed, now)
        return "io" if now - self._committed[1] > STUCK else "ok"

    def _health(self) -> Health:
        return self._installation.health(
            self._links.health(),
            self._publishers[0].statistics() if self._publishers else None,
            self._store.counters(),
            self._clock.drift(),
            self._clock.monotonic(),
            self._beacon.error if self._beacon is not None else "",
            self._snapshot,
        )

    def _report(self, trouble: StoreTrouble | None) -> None:
        """On the store's thread, or while it opens."""
        self._trouble = trouble
        if trouble is not None:
            log.warning("store: %s %s %s", trouble.kind, trouble.path, trouble.detail)

    async def _end(self, tasks: Sequence[asyncio.Task[None]], store: Store) -> None:
        """Ends every part in the order in which data flows, so that nothing that was read is lost; lamps first, on an open line."""
        if self._beacon is not None:
            await self._beacon.stop()
        for task in tasks:
            task.cancel()
        if self._child is not None and self._child.poll() is None:
            self._compute.give_up()
            self._child.terminate()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._compute.stop, END)
        await asyncio.sleep(0)
        await asyncio.gather(*self._answering)
        for publisher in self._publishers:
            if not await asyncio.to_thread(publisher.stop, END):
                log.warning("the publisher did not end in %s s", END)
        if self._display is not None:
            await self._display.stop()
        await asyncio.to_thread(store.close)


def _audit(answered: Answered) -> Audit:
    return audit(answered.asked.command, answered.result, answered.time, answered.asked.door)


def _fail(tasks: Sequence[asyncio.Task[None]]) -> NoReturn:
    """A part has ended that may not."""
    for task in tasks:
        if task.done():
            failure = None if task.cancelled() else task.exception()
            if isinstance(failure, DaemonFailed):
                raise failure
            raise DaemonFailed(f"{task.get_name()} has ended: {failure!r}") from failure
    raise DaemonFailed("nothing is left to do")
