"""Where everything goes that the pass makes known: kept by the store in one transaction, then told to the broker, the page and the beacon.

This room brings the heavy libraries in (web server, MQTT, SQLite); the daemon imports it when the first reading is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from agent import __version__
from agent.audit import audit
from agent.beacon import Beacon
from agent.commands import Command, CommandResult
from agent.compute import Answered, Asked, Compute, Result
from agent.display.health import Health
from agent.display.server import Display
from agent.installation import Installation
from agent.load import shown_unit
from agent.model import Alert, Checklist, Coverage, Cut, Event, Snapshot, Word
from agent.paths import DataPaths
from agent.publish import Publisher, Topics, payloads
from agent.settings import Language, MachineSettings
from agent.store import Audit, Commit, Store, StoreTrouble
from agent.texts import Texts
from drivers.clock import Clock
from drivers.links import Links
from drivers.model import Readings, Waveform

log = logging.getLogger("broche")

STALL = 2.0
"""s for which the compute thread may be behind before nothing that was shown counts as live any more."""
KEPT = 1.0
"""s for which the answer to a command waits until it is on the disk."""
STUCK = 10.0
"""s that a commit may take: a disk that hangs says nothing."""
ANSWER = 5.0
"""s for which the page waits for what became of a command."""
END = 5.0
"""s that each part has to end."""


class Outlets:
    """Those of one machine. May be made on a worker thread, which reads texts and opens the store; everything else on the loop.

    Parameters
    ----------
    settings, paths: of the machine file.
    folder: where the store is.
    links, compute: of the daemon.

    Raises
    ------
    StoreUnusable: nothing can be kept in this folder; the message names the remedy.
    """

    def __init__(self, settings: MachineSettings, paths: DataPaths, folder: Path, clock: Clock, links: Links, compute: Compute) -> None:
        self._settings = settings
        self._clock = clock
        self._links = links
        self._compute = compute
        self._texts: dict[Language, Texts] = {"fr": Texts.load(paths, "fr"), "en": Texts.load(paths, "en")}
        self._units = {channel.name: shown_unit(channel, settings.spindle) for channel in settings.channel}
        self._installation = Installation(settings)
        self._topics = Topics.of(settings.broker[0].prefix if settings.broker else "broche", settings.machine)
        self._display: Display | None = None
        self._beacon: Beacon | None = None
        self._publishers: list[Publisher] = []
        self._trouble: StoreTrouble | None = None
        self._snapshot: Snapshot | None = None
        self._sent_telemetry = 0.0
        self._committed = (0, 0.0)
        self._answering: set[asyncio.Future[None]] = set()
        self.turned = 0.0
        """Monotonic time at which the compute thread was last not behind."""
        self.store = Store.open(folder, settings.store, clock, self._report)

    async def start(self) -> str:
        """Begin to serve; returns the address of the page.

        Raises
        ------
        DisplayError: the page's address or port cannot be had; the message names the remedy.
        """
        speakers = {str(language): texts for language, texts in self._texts.items()}
        self._display = Display(self._settings.display, speakers, self._clock, self._from_page, settings=self._settings)
        url = await self._display.start()
        if self._settings.broker:
            publisher = Publisher(
                self._settings.broker[0],
                self._settings.machine,
                self.store,
                self._clock,
                self._from_broker,
                texts=self._texts,
                version=__version__,
            )
            self._publishers.append(publisher)
            publisher.start()
        self._beacon = Beacon.of(self._settings.beacon, self._links, self._clock)
        return url

    async def light(self) -> None:
        """Keep the beacon burning, until cancelled."""
        if self._beacon is not None:
            await self._beacon.run()
        else:
            await asyncio.Event().wait()

    def note(self, item: Readings | Waveform) -> None:
        """The newest reading of a channel."""
        self._installation.note(item)

    def take(self, made: Result) -> None:
        """Keep first, then tell."""
        if not made.behind:
            self.turned = self._clock.monotonic()
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
            self.say()

    def refused_state(self) -> None:
        """What was saved before is not understood: keep that in the audit."""
        self.store.submit(Commit(audit=(Audit(time=self._clock.wall(), by="broche", action="state_refused", subject="state"),)))

    def dead(self) -> str:
        """What has ended that may not, a key under [run.ended] of the text catalogue; '' if all runs."""
        if not self.store.alive:
            return "store"
        if self._publishers and not self._publishers[0].alive:
            return "publisher"
        return ""

    def moving(self) -> bool:
        """Whether the broker's thread is not stuck."""
        publisher = self._publishers[0] if self._publishers else None
        return publisher is None or self._clock.monotonic() - publisher.statistics().progress < 4.0 * END

    def say(self) -> None:
        """The status topic: what is true now."""
        if not self._publishers:
            return
        snapshot = self._snapshot
        coverage = snapshot.coverage if snapshot is not None else None
        if coverage is not None and self._clock.monotonic() - self.turned > STALL:
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
                realised=snapshot.realised if snapshot is not None else None,
                notices=snapshot.notices if snapshot is not None else (),
                tools=self._settings.tool,
            )
        )

    async def dark(self) -> None:
        """Put the beacon out, while its line is still open."""
        if self._beacon is not None:
            await self._beacon.stop()

    async def close(self) -> None:
        """In the order in which data flows, so that nothing that was made known is lost."""
        await asyncio.gather(*self._answering)
        for publisher in self._publishers:
            if not await asyncio.to_thread(publisher.stop, END):
                log.warning("the publisher did not end in %s s", END)
        if self._display is not None:
            await self._display.stop()
        await asyncio.to_thread(self.store.close)

    async def _from_page(self, command: Command) -> CommandResult:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[CommandResult] = loop.create_future()

        def answer(result: CommandResult) -> None:
            if not answered.done():
                answered.set_result(result)

        if not self._compute.ask(Asked(command, "page", answer)):
            return CommandResult(id=command.id, accepted=False, reason="busy")
        try:
            async with asyncio.timeout(ANSWER):
                return await answered
        except TimeoutError:
            return CommandResult(id=command.id, accepted=False, reason="busy")

    def _from_broker(self, command: Command) -> None:
        """On the publisher's thread."""
        publisher = self._publishers[0]
        if not self._compute.ask(Asked(command, "mqtt", publisher.answer)):
            publisher.answer(CommandResult(id=command.id, accepted=False, reason="busy"))

    async def _answer(self, answered: Sequence[Answered]) -> None:
        """What was said to be done is on the disk; one that says no is not waited for."""
        await asyncio.to_thread(self.store.flush, KEPT)
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
            self.store.submit(commit)

    def _message(self, event: Event) -> payloads.Message | None:
        return payloads.of_event(event, self._topics, self._texts, self._settings.tool, self._units)

    def _store_state(self) -> str:
        """'ok', or the kind of its trouble; a disk that neither takes a commit nor refuses it is in trouble too."""
        if self._trouble is not None:
            return self._trouble.kind
        counters, now = self.store.counters(), self._clock.monotonic()
        if counters.committed >= counters.submitted or counters.committed != self._committed[0]:
            self._committed = (counters.committed, now)
        return "io" if now - self._committed[1] > STUCK else "ok"

    def _health(self) -> Health:
        return self._installation.health(
            self._links.health(),
            self._publishers[0].statistics() if self._publishers else None,
            self.store.counters(),
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


def _audit(answered: Answered) -> Audit:
    return audit(answered.asked.command, answered.result, answered.time, answered.asked.door)
