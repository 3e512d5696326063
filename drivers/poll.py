"""Polls the devices of one Modbus bus on their periods, and tells which of them are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from drivers.bus import Bus
from drivers.clock import Clock
from drivers.health import BusHealth, DeviceHealth, LinkState
from drivers.model import Quality, Readings, Waveform, lost_row
from drivers.polled import PolledSource, Slot
from drivers.trouble import BusTrouble, LinkDown, Refused

_log = logging.getLogger(__name__)

Deliver = Callable[[Readings | Waveform], None]

_NOT_NOW = frozenset({5, 6, 10, 11})
"""Exceptions that mean 'ask again': acknowledged, busy, gateway path, gateway target (Modbus Application Protocol V1.1b3, 7)."""
_ILLEGAL = frozenset({2, 3})
_REST = 10.0
"""Seconds until a request that the device refuses is tried again."""
_GLANCE = 0.25
"""Most seconds between two looks at who is overdue."""
_FIRST_REOPEN = 0.2
_LAST_REOPEN = 5.0
"""Seconds between two attempts to open a link: doubled from the first to the last."""
_STEADY = 5.0
"""Seconds after which a link that is open and brings answers is as good as any."""


class Poller:
    """One bus and the sources on it. `run()` until cancelled through `stop()`.

    Parameters
    ----------
    deliver: gets one row a poll, and `lost_row` when a device is lost and at each failed question after that. Must not block.
    """

    def __init__(self, bus: Bus, sources: Sequence[PolledSource], clock: Clock, deliver: Deliver) -> None:
        self._bus = bus
        self._sources = list(sources)
        for source in self._sources:
            device = bus.device(source.options.address)
            device.max_count = min(device.max_count, source.max_count)
            device.gap = max(device.gap, source.options.gap or 0.0)
        self._clock = clock
        self._deliver = deliver
        self._reopen = 0.0
        self._steady = 0.0
        """When the link is old enough to be good."""
        self._out = False
        """Whether it could not be opened when that was tried last."""
        self._heard: set[PolledSource] = set()
        """Sources that were answered since it was opened."""
        self._state: LinkState = "starting"
        self._since = clock.wall()
        self._error = self._detail = ""
        self._told: tuple[LinkState, str] | None = None
        """Link state and error that the log was told last."""
        for source in self._sources:
            source.since = self._since

    async def run(self) -> None:
        """Poll for ever; reopens the link whenever it is down."""
        now = self._clock.monotonic()
        for source in self._sources:
            source.begin(now)
        watch = asyncio.create_task(self._watch(), name=f"watch {self._bus.options.name}")
        try:
            while True:
                if watch.done():
                    watch.result()
                if not self._bus.connected:
                    await self._open()
                    continue
                source = self._next(self._clock.monotonic())
                wait = source.due - self._clock.monotonic()
                if wait > 0:
                    await self._clock.sleep(wait)
                await self._poll(source)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            self._bus.close()

    def _next(self, now: float) -> PolledSource:
        """Who is asked next: of those that are due the one whose reading would be too late first, else the one that is due first."""
        due = [source for source in self._sources if source.due <= now]
        return min(due, key=lambda s: s.deadline) if due else min(self._sources, key=lambda s: s.due)

    async def stop(self, task: asyncio.Task[None]) -> None:
        """End the task that runs `run()`, but not in the middle of a transaction."""
        async with self._bus.turn:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def health(self) -> BusHealth:
        """How the link and its devices are."""
        return BusHealth(
            bus=self._bus.options.name,
            state=self._state,
            since=self._since,
            opened=self._bus.opened,
            error=self._error,
            detail=self._detail,
            devices=tuple(self._device(source) for source in self._sources),
        )

    def _device(self, source: PolledSource) -> DeviceHealth:
        device = self._bus.device(source.options.address)
        return DeviceHealth(
            source=source.options.name,
            unit=source.options.address,
            state=source.presence.state,
            since=source.since,
            answers=device.answers,
            timeouts=device.timeouts,
            stale_replies=device.stale_replies,
            mismatches=device.mismatches,
            exceptions=device.exceptions,
            latency=device.replies.mean,
            timeout=device.replies.timeout(),
            missed_periods=source.missed,
            error=source.error,
            detail=source.detail,
        )

    async def _open(self) -> None:
        """One attempt to open the link, after a pause if the last one led to no answer."""
        if self._reopen:
            await self._clock.sleep(self._reopen)
        self._reopen = min(_LAST_REOPEN, 2.0 * self._reopen) if self._reopen else _FIRST_REOPEN
        try:
            await self._bus.open()
        except LinkDown as down:
            self._out = True
            self._link_down(down)
            now = self._clock.monotonic()
            for source in self._sources:
                self._failed(source, down, now, now)
        else:
            self._link_state("open", "", "")
            now = self._clock.monotonic()
            self._steady = now + _STEADY
            self._heard.clear()
            # Who was lost while the link was there may be the one that hangs up: it waits for its turn, unless nobody else is there.
            everybody = self._out or all(source.presence.state == "offline" for source in self._sources)
            self._out = False
            for source in self._sources:
                if everybody or source.presence.state != "offline":
                    source.due = min(source.due, now)

    async def _poll(self, source: PolledSource) -> None:
        """Ask one device for all that is due of it, and deliver the row."""
        now = self._clock.monotonic()
        started = self._clock.wall()
        read: list[tuple[Slot, list[int]]] = []
        trouble: BusTrouble | None = None
        whole = True
        for slot in source.take(now):
            began = self._clock.monotonic()
            try:
                answer = await self._bus.read(source.options.address, slot.request)
            except BusTrouble as caught:
                if isinstance(caught, Refused) and caught.code not in _NOT_NOW:
                    self._refuse(source, slot, caught)
                    whole = False
                    continue
                trouble = caught
                if isinstance(caught, LinkDown):
                    self._bus.close()
                    self._link_down(caught, news=source.presence.state != "offline")
                if isinstance(caught, LinkDown) or not read:
                    # Silent at the first question: it is taken for lost unless another question, asked next time, is answered.
                    source.slots.append(source.slots.pop(source.slots.index(slot)))
                    if read:
                        source.retry(slot, self._clock.monotonic())
                    break
                source.retry(slot, self._clock.monotonic())
                self._rest(slot, self._clock.monotonic(), self._clock.monotonic() - began)
                continue
            slot.presence.answered(self._clock.monotonic())
            slot.unread, slot.owed = Quality.ABSENT, False
            read.append((slot, answer.values))
        self._finish(source, read, trouble, whole, now, (started + self._clock.wall()) / 2)

    def _finish(
        self, source: PolledSource, read: list[tuple[Slot, list[int]]], trouble: BusTrouble | None, whole: bool, asked: float, time: float
    ) -> None:
        now = self._clock.monotonic()
        if trouble is not None and not read:
            source.advance(now, everything=True)
            self._failed(source, trouble, asked, now)
            source.due = source.presence.again(now, source.next, self._cost(source, now - asked))
            return
        if read or not whole or trouble is not None:
            before = source.presence.state
            whole = whole and trouble is None and not any(slot.unread == Quality.UNAVAILABLE for slot in source.slots)
            # Patience is counted from the time that the row bears.
            source.presence.answered((asked + now) / 2, whole)
            if trouble is not None:
                source.error, source.detail = trouble.key, trouble.detail
            elif whole:
                source.error = source.detail = ""
            self._changed(source, before)
            if not isinstance(trouble, LinkDown):
                self._link_good(source, now)
        if read or any(slot.unread == Quality.UNAVAILABLE for slot in source.slots):
            row = source.row(time, read)
            if (row.quality != Quality.ABSENT).any():
                self._deliver(row)
        source.advance(now)

    def _refuse(self, source: PolledSource, slot: Slot, refused: Refused) -> None:
        """The device says that it has no such value: not asked again for a while, and unavailable until then."""
        source.error, source.detail = refused.key, f"exception {refused.code} at {slot.request.table} {slot.request.address}"
        now = self._clock.monotonic()
        if refused.code in _ILLEGAL and source.split(slot, now):
            return
        slot.unread, slot.owed = Quality.UNAVAILABLE, False
        slot.rest_until = now + _REST

    def _cost(self, source: PolledSource, seconds: float) -> float:
        """What a question that took so long cost the other devices, as far as they are there."""
        return seconds if any(other.presence.state != "offline" for other in self._sources if other is not source) else 0.0

    def _rest(self, slot: Slot, now: float, cost: float) -> None:
        """One of several requests is not answered while others are."""
        slot.presence.failed(now)
        if slot.presence.state == "offline":
            slot.unread = Quality.UNAVAILABLE
            slot.rest_until = slot.presence.again(now, now, cost)

    def _failed(self, source: PolledSource, trouble: BusTrouble, asked: float, now: float) -> None:
        before = source.presence.state
        source.error, source.detail = trouble.key, trouble.detail
        if source.presence.failed(now, asked):
            self._lost(source)
        self._changed(source, before)

    def _lost(self, source: PolledSource) -> None:
        source.forget()
        self._deliver(lost_row(source.options.name, source.channels, self._clock.wall(), source.words.seen()))

    async def _watch(self) -> None:
        """Tells a loss when it is due, whatever the bus is busy with."""
        while True:
            now = self._clock.monotonic()
            for source in self._sources:
                before = source.presence.state
                if source.presence.overdue(now):
                    self._lost(source)
                    source.due = source.presence.again(now, source.next)
                    self._changed(source, before)
            deadlines = [s.presence.deadline - now for s in self._sources if s.presence.state != "offline"]
            # A device that comes back in the meantime has a deadline of its own.
            await self._clock.sleep(max(0.002, min([_GLANCE, *(wait for wait in deadlines if wait > 0)])))

    def _link_good(self, source: PolledSource, now: float) -> None:
        """A device answered. The link is good when all that are there did, or after a while; told when it outlives an answer."""
        again = source in self._heard or now >= self._steady
        self._heard.add(source)
        if now >= self._steady or all(s in self._heard or s.presence.state == "offline" for s in self._sources):
            self._reopen = 0.0
            if again:
                self._tell_link()

    def _link_down(self, down: LinkDown, *, news: bool = True) -> None:
        """`news`: False where only the probe of a lost device ended it."""
        self._link_state("down", down.key, down.detail, news=news)

    def _link_state(self, state: LinkState, error: str, detail: str, *, news: bool = True) -> None:
        if (state, error) != (self._state, self._error):
            self._since = self._clock.wall()
        self._state, self._error, self._detail = state, error, detail
        # A link that opens and brings nothing, again and again, is no news.
        if (state == "down" and news) or self._told is None:
            self._tell_link()

    def _tell_link(self) -> None:
        """Log what the link is now, once."""
        if self._told != (self._state, self._error):
            self._told = (self._state, self._error)
            level = logging.INFO if self._state == "open" else logging.WARNING
            _log.log(level, "bus %s: %s %s %s", self._bus.options.name, self._state, self._error, self._detail)

    def _changed(self, source: PolledSource, before: str) -> None:
        """Log a device that goes or comes; single lost answers are counted, not logged."""
        state = source.presence.state
        if state == before:
            return
        source.since = self._clock.wall()
        if "offline" not in {state, before} and before != "starting" and source.error != "refused":
            return
        _log.log(
            logging.INFO if state == "ok" else logging.WARNING,
            "%s (bus %s, unit %d): %s %s %s",
            source.options.name,
            self._bus.options.name,
            source.options.address,
            state,
            source.error,
            source.detail,
        )
