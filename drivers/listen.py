"""Listens to one serial stream (WIT frames or raw vibration), and tells when it falls silent."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType

from drivers.clock import Clock
from drivers.health import BusHealth, DeviceHealth, LinkState, Presence
from drivers.model import Readings, Waveform, lost_row
from drivers.options import BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.serialport import SerialPort
from drivers.stream import WaveDecoder
from drivers.trouble import LinkDown
from drivers.wit import WitDecoder

_log = logging.getLogger(__name__)

LoadKernels = Callable[[], Awaitable[ModuleType]]

_QUEUE = 8 << 20
"""Bytes that wait at most until the kernels are there: 50 s of the fastest stream."""
_AT_ONCE = 1 << 16
"""Bytes of the backlog that are parsed before the loop gets its turn."""
_CALM = 10.0
"""Seconds without a loss after which a stream that lost samples is whole again."""
_FIRST_REOPEN = 0.2
_LAST_REOPEN = 5.0
"""Seconds between two attempts to open the port: doubled from the first to the last."""
_STEADY = 5.0
"""Seconds after which a port that is open is as good as any: when it goes, it may be back at once."""


class Listener:
    """One serial stream. `run()` until its task is cancelled.

    Bytes are taken from the port from the start; they are parsed once the kernels are loaded.

    Parameters
    ----------
    load: gives the module drivers.frames when it may be used; awaited once.
    deliver: gets rows or waveforms, and `lost_row` when no good frame came for a while, and again at growing distances after that.
    """

    def __init__(
        self,
        bus: BusOptions,
        source: SourceOptions,
        device: DeviceMap,
        routes: Sequence[ChannelRoute],
        clock: Clock,
        deliver: Callable[[Readings | Waveform], None],
        load: LoadKernels,
    ) -> None:
        self._bus = bus
        self._source = source
        self._map = device
        self._routes = tuple(routes)
        self._clock = clock
        self._deliver = deliver
        self._load = load
        self._decoder: WaveDecoder | WitDecoder | None = None
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._queued = 0
        self._dropped = 0
        self._presence = Presence(source.every, bus.timeout)
        self._heard_bytes = False
        self._last_frame = clock.monotonic()
        self._last_loss = -math.inf
        self._opened = 0
        self._state: LinkState = "starting"
        self._since = self._device_since = clock.wall()
        self._error = self._detail = self._device_error = ""

    async def run(self) -> None:
        """Listen for ever; reopens the port whenever it is gone."""
        self._presence.begin(self._clock.monotonic())
        name = self._bus.name
        tasks = [
            asyncio.create_task(self._listen(), name=f"listen {name}"),
            asyncio.create_task(self._watch(), name=f"watch {name}"),
            asyncio.create_task(self._get_ready(), name=f"kernels {name}"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self, task: asyncio.Task[None]) -> None:
        """End the task that runs `run()`."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def health(self) -> BusHealth:
        """How the port and the device behind it are."""
        frames, refused, lost = self._decoder.counts() if self._decoder else (0, 0, 0)
        device = DeviceHealth(
            source=self._source.name,
            unit=0,
            state=self._presence.state,
            since=self._device_since,
            frames=frames,
            refused_frames=refused,
            lost_samples=lost,
            dropped_bytes=self._dropped,
            error=self._device_error,
        )
        return BusHealth(
            bus=self._bus.name,
            state=self._state,
            since=self._since,
            opened=self._opened,
            error=self._error,
            detail=self._detail,
            devices=(device,),
        )

    async def _get_ready(self) -> None:
        """Load the kernels, then work off what came meanwhile."""
        kernels = await self._load()
        kind = WitDecoder if self._bus.framing == "wit" else WaveDecoder
        decoder = kind(self._source.name, self._map, self._routes, kernels)
        while self._waiting:
            at_once = 0
            while self._waiting and at_once < _AT_ONCE:
                data, arrival = self._waiting.popleft()
                at_once += len(data)
                self._parse(decoder, data, arrival)
            await asyncio.sleep(0)
        self._queued = 0
        self._decoder = decoder

    async def _listen(self) -> None:
        wait = 0.0
        while True:
            try:
                port = SerialPort(self._bus, self._clock)
            except LinkDown as down:
                self._link("down", down.key, down.detail)
                wait = min(_LAST_REOPEN, 2.0 * wait) if wait else _FIRST_REOPEN
                await self._clock.sleep(wait)
                continue
            self._opened += 1
            opened = self._clock.monotonic()
            self._link("open", "", "")
            try:
                while True:
                    data = await port.read()
                    self._take(data, self._clock.wall())
            except LinkDown as down:
                self._link("down", down.key, down.detail)
            finally:
                port.close()
            if self._decoder:
                self._decoder.cut()
            short = wait > 0.0 and self._clock.monotonic() - opened < _STEADY
            wait = min(_LAST_REOPEN, 2.0 * wait) if short else _FIRST_REOPEN
            await self._clock.sleep(wait)

    def _take(self, data: bytes, arrival: float) -> None:
        self._heard_bytes = True
        if self._decoder:
            self._parse(self._decoder, data, arrival)
            return
        self._waiting.append((data, arrival))
        self._queued += len(data)
        while self._queued > _QUEUE:
            old, _ = self._waiting.popleft()
            self._queued -= len(old)
            self._dropped += len(old)

    def _parse(self, decoder: WaveDecoder | WitDecoder, data: bytes, arrival: float) -> None:
        frames, _, lost = decoder.counts()
        for item in decoder.feed(data, arrival):
            self._deliver(item)
        if decoder.counts()[2] != lost:
            self._last_loss = self._clock.monotonic()
        if decoder.counts()[0] != frames:
            self._heard()

    async def _watch(self) -> None:
        """Tells a loss when it is due."""
        while True:
            now = self._clock.monotonic()
            due = self._presence.deadline
            if now >= due:
                due = self._silent(now)
            await self._clock.sleep(max(0.02, due - now))

    def _silent(self, now: float) -> float:
        """No good frame for too long. Returns when to look again."""
        # Before the kernels are there, bytes are all that can be known.
        if self._decoder is None and self._heard_bytes:
            self._heard_bytes = False
            self._presence.begin(now)
            return self._presence.deadline
        self._device_error = self._error or ("no_frames" if self._heard_bytes else "silent")
        self._heard_bytes = False
        before = self._presence.state
        if self._presence.failed(now):
            channels = tuple(route.channel for route in self._routes)
            self._deliver(lost_row(self._source.name, channels, self._clock.wall()))
        if before != self._presence.state:
            self._device_changed(logging.WARNING)
        return self._presence.again(now, now + self._presence.patience)

    def _heard(self) -> None:
        before, now = self._presence.state, self._clock.monotonic()
        whole = now - self._last_loss >= _CALM
        self._device_error = "" if whole else "samples_lost"
        self._presence.heard_every(now - self._last_frame)
        self._last_frame = now
        self._presence.answered(now, whole)
        if before != self._presence.state:
            self._device_changed(logging.INFO if whole else logging.WARNING)

    def _device_changed(self, level: int) -> None:
        self._device_since = self._clock.wall()
        _log.log(level, "%s (bus %s): %s %s", self._source.name, self._bus.name, self._presence.state, self._device_error)

    def _link(self, state: LinkState, error: str, detail: str) -> None:
        if (state, error) != (self._state, self._error):
            _log.log(logging.INFO if state == "open" else logging.WARNING, "bus %s: %s %s %s", self._bus.name, state, error, detail)
            self._since = self._clock.wall()
        self._state, self._error, self._detail = state, error, detail
