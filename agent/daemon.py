"""Wires everything together and keeps it alive: links, compute thread, outlets (store, publisher, page, beacon).

A reading's way: `drivers.links` delivers it on the loop, the compute thread feeds it to the monitor, what the monitor makes known comes
back here as a Result, and `agent.outlets` keeps and tells it.

It begins with the links alone: the first reading is there before the web server, the broker's client or a kernel is imported. Readings wait
in the queue of the compute thread until the pass is ready; none is lost.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from agent import children
from agent.compute import Compute, Ready, Result
from agent.notify import Notify
from agent.paths import DataPaths
from agent.settings import MachineSettings
from drivers import jit
from drivers.clock import Clock
from drivers.links import Links, load_kernels
from drivers.model import Quality, Readings, Waveform
from drivers.options import ChannelRoute, DeviceMap

if TYPE_CHECKING:
    from agent.maintenance import MaintenancePlan
    from agent.outlets import Outlets

log = logging.getLogger("broche")

STALL = 2.0
"""s for which the compute thread may be behind before the watchdog is no longer told that all is well."""
LONGEST_START = 900.0
"""s that compiling may take before the watchdog is no longer told that all is well."""
HEAD_START = 0.25
"""s for which the links have the processor to themselves, if no reading comes before: a device that is off does not hold up the page."""
EARLY = 256
"""Rows and blocks that are remembered for the installer's view until there is one."""
LOOK = 0.5
"""s between two looks at links, broker, store and compute thread."""
END = 5.0
"""s that each part has to end."""


class DaemonFailed(Exception):
    """The daemon cannot go on and must be started again.

    Attributes
    ----------
    part: what has ended, a key under [run.ended] of the text catalogue.
    detail: what it said of itself, for a developer; ''.
    """

    def __init__(self, part: str, failure: BaseException | None = None) -> None:
        self.part = part
        self.detail = "" if failure is None else repr(failure)
        super().__init__(f"{part}: {self.detail}" if self.detail else part)


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
        self._paths = paths
        self._folder = folder
        self._clock = clock
        self._tell = tell
        self._notify = Notify.from_environment()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outlets: Outlets | None = None
        self._early: deque[Readings | Waveform] = deque(maxlen=EARLY)
        self._first = asyncio.Event()
        self._ready = asyncio.Event()
        self._child: subprocess.Popen[bytes] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set.

        Raises
        ------
        StoreUnusable, DisplayError: something cannot be had; the message names the remedy.
        PlanError: a checklist file is wrong.
        DaemonFailed: a part that may not fail has failed.
        """
        self._loop = asyncio.get_running_loop()
        self._began = self._clock.monotonic()
        compute = self._compute = Compute(self._settings, self._clock, self._from_compute, self._warming())
        links = self._links = Links(
            self._settings.bus,
            self._settings.source,
            self._maps,
            self._routes,
            self._clock,
            self._from_links,
            load=self._parsers,
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        tasks: list[asyncio.Task[None]] = [stopping, asyncio.create_task(links.run(), name="links")]  # type: ignore[list-item]
        try:
            await self._head_start(tasks)
            compute.start()
            outlets, plan = await asyncio.to_thread(self._open, links, compute)
            self._outlets = outlets
            while self._early:
                outlets.note(self._early.popleft())
            self._tell(Told("page", {"url": await outlets.start()}))
            store = outlets.store
            compute.begin(plan, [state for state in (store.saved_state(), store.previous_state()) if state is not None])
            tasks.append(asyncio.create_task(outlets.light(), name="beacon"))
            tasks.append(asyncio.create_task(self._look(outlets), name="look"))
            self._notify.send("READY=1")
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                _fail(tasks)
        finally:
            self._notify.send("STOPPING=1")
            await self._end(tasks)

    async def _head_start(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Until the first reading, or something ends, or it has taken long enough."""
        first = asyncio.create_task(self._first.wait())
        await asyncio.wait((first, *tasks), timeout=HEAD_START, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()

    def _open(self, links: Links, compute: Compute) -> tuple[Outlets, MaintenancePlan]:
        """On a worker thread: imports, files and the disk are slow, and the loop is polling."""
        from agent.maintenance import plan
        from agent.outlets import Outlets

        checklists = plan(self._paths)
        return Outlets(self._settings, self._paths, self._folder, self._clock, links, compute), checklists

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
        if not self._first.is_set() and isinstance(item, Readings) and (item.quality <= Quality.UNCERTAIN).any():
            self._first.set()
            self._tell(Told("first_reading", {"seconds": self._clock.monotonic() - self._began}))
        if self._outlets is not None:
            self._outlets.note(item)
        else:
            self._early.append(item)
        self._compute.put(item)

    def _from_compute(self, made: Ready | Result) -> None:
        """On the compute thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._handle, made)

    def _handle(self, made: Ready | Result) -> None:
        """On the loop. The monitor is made after the outlets are open."""
        assert self._outlets is not None
        if isinstance(made, Result):
            self._outlets.take(made)
            return
        self._ready.set()
        self._tell(Told("ready", {"seconds": self._clock.monotonic() - self._began}))
        if made.restored == "refused":
            self._tell(Told("state_refused"))
            self._outlets.refused_state()

    async def _look(self, outlets: Outlets) -> None:
        """Looks at what cannot speak for itself."""
        while True:
            await self._clock.sleep(LOOK)
            if not self._compute.alive:
                raise DaemonFailed("compute", self._compute.failure)
            if dead := outlets.dead():
                raise DaemonFailed(dead)
            outlets.say()
            if outlets.moving() and self._computes(outlets):
                self._notify.send("WATCHDOG=1")

    def _computes(self, outlets: Outlets) -> bool:
        """Whether the compute thread keeps up, or may still be compiling."""
        now = self._clock.monotonic()
        return now - outlets.turned < STALL if self._ready.is_set() else now - self._began < LONGEST_START

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Ends every part in the order in which data flows, so that nothing that was read is lost; lamps first, on an open line."""
        outlets = self._outlets
        if outlets is not None:
            await outlets.dark()
        for task in tasks:
            task.cancel()
        if self._child is not None and self._child.poll() is None:
            self._compute.give_up()
            self._child.terminate()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._compute.stop, END)
        await asyncio.sleep(0)
        if outlets is not None:
            await outlets.close()


def _fail(tasks: Sequence[asyncio.Task[None]]) -> NoReturn:
    """A part has ended that may not."""
    for task in tasks:
        if task.done():
            failure = None if task.cancelled() else task.exception()
            if isinstance(failure, DaemonFailed):
                raise failure
            raise DaemonFailed(task.get_name(), failure) from failure
    raise DaemonFailed("nothing")
