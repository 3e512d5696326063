"""Asks a control its questions on their periods, and tells when it is lost. The manner of `drivers.poll`, for text instead of registers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.clock import Clock
from drivers.health import BusHealth, DeviceHealth, LinkState, Presence
from drivers.mdc import Heard, Question, decode, questions
from drivers.mdc_line import MdcLine
from drivers.model import Quality, Readings, Waveform, Words, lost_row
from drivers.options import BusOptions, ChannelRoute, DeviceMap, SourceOptions
from drivers.trouble import BusTrouble, LinkDown, Refused

_log = logging.getLogger(__name__)

_REST = 10.0
"""Seconds until a question that the control does not know is asked again."""
_FIRST_REOPEN = 0.2
_LAST_REOPEN = 5.0
"""Seconds between two attempts to connect: doubled from the first to the last."""
_SILENT = 15.0
"""Seconds without an answer after which an open connection is closed and opened again."""


@dataclass(slots=True)
class _Asked:
    question: Question
    every: float
    """s between two of them: the shortest of its channels."""
    rest_until: float = 0.0
    lost: bool = False
    """The control says that it does not know this question."""


class MdcSource:
    """One set of questions with a period of its own: what is asked, how answers become a row, and how it is."""

    def __init__(self, options: SourceOptions, bus: BusOptions, device: DeviceMap, routes: Sequence[ChannelRoute]) -> None:
        by_name = {register.name: register for register in device.registers}
        missing = [route.register for route in routes if route.register not in by_name]
        if missing:
            raise ValueError(f"{options.device} has no register {', '.join(missing)}")
        self.options = options
        self.channels = tuple(route.channel for route in routes)
        every = [route.every or options.every for route in routes]
        self.asked = [
            _Asked(question, min(every[index] for index, _, _ in question.fields))
            for question in questions([by_name[route.register] for route in routes])
        ]
        # As often as something is asked: a source of slow questions only is not lost at one answer that is missing.
        self.presence = Presence(max(options.every, min(asked.every for asked in self.asked)), bus.timeout)
        self.words = Words()
        self.due = 0.0
        self.since = 0.0
        self.missed = self.answers = self.timeouts = self.mismatches = self.exceptions = 0
        self.latency: float | None = None
        self.error = self.detail = ""

    def row(self, time: float, read: Sequence[tuple[Question, Heard, bool]]) -> Readings:
        """One row of what was answered; what was not asked is ABSENT, what the control does not know UNAVAILABLE.

        `read`: question, answer, whether the wire would show damage.
        """
        values = np.full((1, len(self.channels)), np.nan)
        quality = np.full((1, len(self.channels)), Quality.ABSENT, np.uint8)
        for asked in self.asked:
            if asked.lost:
                for index, _, _ in asked.question.fields:
                    quality[0, index] = Quality.UNAVAILABLE
        for question, answer, proves in read:
            for index, register, field in question.fields:
                value, mark = decode(register, answer.fields[field - 1], self.words)
                if mark == Quality.GOOD and not (answer.proven and proves):
                    mark = Quality.UNCERTAIN
                values[0, index], quality[0, index] = value, mark
        return Readings(self.options.name, self.channels, np.array([time]), values, quality, self.words.seen())

    def forget(self) -> None:
        """The control was lost: all is asked again as soon as it is back; what it does not know keeps its rest."""
        for asked in self.asked:
            if not asked.lost:
                asked.rest_until = 0.0

    def advance(self, now: float) -> None:
        """The next time on the grid of the periods; those that have passed were missed."""
        if self.due <= now:
            passed = int((now - self.due) // self.options.every)
            self.missed += passed
            self.due += (passed + 1) * self.options.every


class MdcPoller:
    """One control. `run()` until its task is cancelled.

    Parameters
    ----------
    deliver: gets one row a poll, and `lost_row` when the control is lost and at each failed question after that. Must not block.
    """

    def __init__(self, bus: BusOptions, sources: Sequence[MdcSource], clock: Clock, deliver: Callable[[Readings | Waveform], None]) -> None:
        self._bus = bus
        self._sources = list(sources)
        self._clock = clock
        self._deliver = deliver
        self._line: MdcLine | None = None
        self._foreign = self._noise = 0
        self._heard = 0.0
        self._opened = 0
        self._reopen = 0.0
        self._state: LinkState = "starting"
        self._since = clock.wall()
        self._error = self._detail = ""
        self._told: tuple[LinkState, str] | None = None
        """State and error of the connection that the log was told last."""
        self._rows = 0
        """Whole rows that this connection brought."""
        for source in self._sources:
            source.since = self._since

    async def run(self) -> None:
        """Ask for ever; connects again whenever the connection is gone."""
        now = self._clock.monotonic()
        for source in self._sources:
            source.due = now
            source.presence.begin(now)
        watch = asyncio.create_task(self._watch(), name=f"watch {self._bus.name}")
        try:
            while True:
                if watch.done():
                    watch.result()
                if self._line is None:
                    await self._open()
                    continue
                source = min(self._sources, key=lambda s: s.due)
                await self._clock.sleep(source.due - self._clock.monotonic())
                await self._poll(source, self._line)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self._close()

    async def stop(self, task: asyncio.Task[None]) -> None:
        """End the task that runs `run()`."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def health(self) -> BusHealth:
        """How the connection and the control behind it are."""
        line = self._line
        foreign, noise = self._foreign + (line.foreign if line else 0), self._noise + (line.noise if line else 0)
        devices = tuple(
            DeviceHealth(
                source=source.options.name,
                unit=0,
                state=source.presence.state,
                since=source.since,
                answers=source.answers,
                timeouts=source.timeouts,
                stale_replies=foreign,
                mismatches=source.mismatches + noise,
                exceptions=source.exceptions,
                latency=source.latency,
                timeout=self._bus.timeout,
                missed_periods=source.missed,
                error=source.error,
                detail=source.detail,
            )
            for source in self._sources
        )
        return BusHealth(
            bus=self._bus.name,
            state=self._state,
            since=self._since,
            opened=self._opened,
            error=self._error,
            detail=self._detail,
            devices=devices,
        )

    async def _open(self) -> None:
        if self._reopen:
            await self._clock.sleep(self._reopen)
        self._reopen = min(_LAST_REOPEN, 2.0 * self._reopen) if self._reopen else _FIRST_REOPEN
        line = MdcLine(self._bus, self._clock)
        try:
            await line.connect()
        except LinkDown as down:
            self._link("down", down.key, down.detail)
            now = self._clock.monotonic()
            for source in self._sources:
                self._failed(source, down, now, now)
            return
        self._line = line
        self._opened += 1
        self._rows = 0
        self._heard = self._clock.monotonic()
        self._link("open", "", "")

    async def _close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._foreign += line.foreign
            self._noise += line.noise
            await line.close()

    async def _poll(self, source: MdcSource, line: MdcLine) -> None:
        """Ask all that is due of one source, and deliver the row."""
        now = self._clock.monotonic()
        started = self._clock.wall()
        read: list[tuple[Question, Heard, bool]] = []
        trouble: BusTrouble | None = None
        due = [asked for asked in source.asked if asked.rest_until <= now]
        if not due:
            source.advance(now)
            return
        for asked in due:
            began = self._clock.monotonic()
            try:
                answer = await line.ask(asked.question, self._bus.timeout)
            except Refused as no:
                source.exceptions += 1
                source.error, source.detail = no.key, asked.question.line.decode().strip()
                asked.lost, asked.rest_until = True, self._clock.monotonic() + _REST
                continue
            except BusTrouble as caught:
                trouble = caught
                source.timeouts += caught.key == "no_answer"
                source.mismatches += caught.key == "wrong_answer"
                break
            asked.lost = False
            # As often as its channels want it, on the grid of the source.
            asked.rest_until = now + asked.every - source.options.every / 2.0
            took = self._clock.monotonic() - began
            source.latency = took if source.latency is None else 0.9 * source.latency + 0.1 * took
            source.answers += 1
            read.append((asked.question, answer, line.proves))
        self._finish(source, read, trouble, now, (started + self._clock.wall()) / 2)
        if isinstance(trouble, LinkDown) or self._clock.monotonic() - self._heard > _SILENT:
            if isinstance(trouble, LinkDown):
                self._link("down", trouble.key, trouble.detail)
            await self._close()

    def _finish(
        self, source: MdcSource, read: list[tuple[Question, Heard, bool]], trouble: BusTrouble | None, asked: float, time: float
    ) -> None:
        now = self._clock.monotonic()
        source.advance(now)
        if trouble is not None and not read:
            self._failed(source, trouble, asked, now)
            source.due = source.presence.again(now, source.due)
            return
        before = source.presence.state
        whole = trouble is None and not any(a.lost for a in source.asked)
        self._heard = now
        if trouble is None:
            self._reopen = 0.0
            self._rows += 1
            if self._rows > 1:
                self._tell_link()
        source.presence.answered(now, whole)
        if trouble is not None:
            source.error, source.detail = trouble.key, trouble.detail
        elif whole:
            source.error = source.detail = ""
        self._changed(source, before)
        self._deliver(source.row(time, read))

    def _failed(self, source: MdcSource, trouble: BusTrouble, asked: float, now: float) -> None:
        before = source.presence.state
        source.error, source.detail = trouble.key, trouble.detail
        if source.presence.failed(now, asked):
            self._lost(source)
        self._changed(source, before)

    def _lost(self, source: MdcSource) -> None:
        source.forget()
        self._deliver(lost_row(source.options.name, source.channels, self._clock.wall(), source.words.seen()))

    async def _watch(self) -> None:
        """Tells a loss when it is due, whatever is being waited for."""
        while True:
            now = self._clock.monotonic()
            for source in self._sources:
                before = source.presence.state
                if source.presence.overdue(now):
                    self._lost(source)
                    self._changed(source, before)
            deadlines = [s.presence.deadline for s in self._sources if s.presence.state != "offline"]
            await self._clock.sleep(max(0.02, min([d - now for d in deadlines if d > now], default=0.1)))

    def _link(self, state: LinkState, error: str, detail: str) -> None:
        if (state, error) != (self._state, self._error):
            self._since = self._clock.wall()
        self._state, self._error, self._detail = state, error, detail
        # A connection that does not outlive an answer, again and again, is no news.
        if state == "down" or self._told is None:
            self._tell_link()

    def _tell_link(self) -> None:
        """Log what the connection is now, once."""
        if self._told != (self._state, self._error):
            self._told = (self._state, self._error)
            level = logging.INFO if self._state == "open" else logging.WARNING
            _log.log(level, "bus %s: %s %s %s", self._bus.name, self._state, self._error, self._detail)

    def _changed(self, source: MdcSource, before: str) -> None:
        state = source.presence.state
        if state == before:
            return
        source.since = self._clock.wall()
        if "offline" in {state, before} or before == "starting" or source.error == "refused":
            level = logging.INFO if state == "ok" else logging.WARNING
            _log.log(level, "%s (bus %s): %s %s %s", source.options.name, self._bus.name, state, source.error, source.detail)
