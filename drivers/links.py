"""Everything that is connected: polls the Modbus devices, listens to the streams, and delivers what they say under its channel's name."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

from drivers.bus import Bus
from drivers.clock import Clock
from drivers.coils import AllowList
from drivers.health import BusHealth
from drivers.lamps import Lamps
from drivers.listen import Listener, LoadKernels
from drivers.mdc_poll import MdcPoller, MdcSource
from drivers.model import Readings, Waveform
from drivers.options import MODBUS, BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.poll import Poller
from drivers.polled import PolledSource, RawWords


async def load_kernels() -> ModuleType:
    """Import the parser kernels in a thread: it takes seconds where nothing is cached, and the loop has bytes to take."""
    return await asyncio.to_thread(importlib.import_module, "drivers.frames")


class Links:
    """All buses of a machine.

    Parameters
    ----------
    buses, sources: of the machine file. A source without a route is not asked.
    maps: device maps by `SourceOptions.device`.
    routes: which register feeds which channel. A row of a source has its channels as columns, in this order.
    clock: time of the stamps and of the periods.
    deliver: called on the loop with each row and each waveform; must not block.
    load: gives the module drivers.frames when it may be used; default: it is imported in a thread as soon as a stream is there. Polling
        and listening do not wait for it.
    raw: called with the raw words of each row of a polled source, just before the row is delivered; None: nobody looks at them.

    Raises
    ------
    ValueError: a stream that two sources share, a route to a register or a source to a bus that does not exist.
    """

    def __init__(
        self,
        buses: Sequence[BusOptions],
        sources: Sequence[SourceOptions],
        maps: Mapping[str, DeviceMap],
        routes: Sequence[ChannelRoute],
        clock: Clock,
        deliver: Callable[[Readings | Waveform], None],
        *,
        load: LoadKernels = load_kernels,
        raw: Callable[[RawWords], None] | None = None,
    ) -> None:
        names = {bus.name for bus in buses}
        lost = [source.name for source in sources if source.bus not in names]
        if lost:
            raise ValueError(f"no bus for {', '.join(lost)}")
        self._links: list[Poller | MdcPoller | Listener] = []
        self._asked: dict[str, Bus] = {}
        self._options = {bus.name: bus for bus in buses}
        self._clock = clock
        self._load = load
        self._loading: asyncio.Task[ModuleType] | None = None
        for bus in buses:
            wanted = [(s, [r for r in routes if r.source == s.name]) for s in sources if s.bus == bus.name]
            wanted = [(source, own) for source, own in wanted if own]
            if not wanted:
                continue
            if bus.framing in MODBUS:
                polled = [PolledSource(source, bus, maps[source.device], own) for source, own in wanted]
                for one in polled:
                    one.listener = raw
                self._asked[bus.name] = Bus(bus, clock)
                self._links.append(Poller(self._asked[bus.name], polled, clock, deliver))
            elif bus.framing == "mdc":
                asked = [MdcSource(source, bus, maps[source.device], own) for source, own in wanted]
                self._links.append(MdcPoller(bus, asked, clock, deliver))
            elif len(wanted) == 1:
                source, own = wanted[0]
                self._links.append(Listener(bus, source, maps[source.device], own, clock, deliver, self._kernels))
            else:
                raise ValueError(f"{bus.name} carries one stream, not {len(wanted)}")

    async def run(self) -> None:
        """Poll and listen until cancelled. A read that is in flight then is finished first."""
        tasks = [asyncio.create_task(link.run(), name=f"link {i}") for i, link in enumerate(self._links)]
        try:
            if not tasks:
                await asyncio.Event().wait()
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await self._stop(tasks)

    def health(self) -> tuple[BusHealth, ...]:
        """How every link and every device is now."""
        return tuple(link.health() for link in self._links)

    def lamps(self, bus: str, allowed: AllowList) -> Lamps:
        """The lamps of an own beacon on a bus, which it shares with who is polled there.

        Raises
        ------
        ValueError: there is no such bus.
        """
        if bus not in self._options:
            raise ValueError(f"no bus {bus}")
        own = bus not in self._asked
        return Lamps(Bus(self._options[bus], self._clock) if own else self._asked[bus], allowed, own=own)

    async def _kernels(self) -> ModuleType:
        """Loaded once for all streams."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        return await asyncio.shield(self._loading)

    async def _stop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        stopping = asyncio.ensure_future(
            asyncio.gather(*(link.stop(task) for link, task in zip(self._links, tasks, strict=True)), return_exceptions=True)
        )
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                cancelled = True
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
        if cancelled:
            raise asyncio.CancelledError
