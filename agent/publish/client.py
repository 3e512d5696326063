"""The publisher: a thread that keeps a connection to one broker and tells it what the outbox holds.

It lives on its own; whatever the broker does, the agent goes on. Every method may be called from any thread and none waits for the broker,
save `stop`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from agent.commands import Command, CommandResult
from agent.outbox import Delivery, Outbox
from agent.publish import inbox, payloads
from agent.publish.dial import Dial
from agent.publish.link import Accepted, Acked, Arrived, Letter, Link, LinkFailed, Refused
from agent.publish.problems import Problem
from agent.publish.session import Session
from agent.publish.statistics import Statistics, Timing
from agent.publish.topics import Topics, level
from agent.publish.wake import Wake
from agent.settings import BrokerOptions, MachineOptions
from agent.store import Store
from drivers.clock import Clock

LONGEST_KEEPALIVE = 10
"""s; a dead agent is known to the broker after 1.5 of them."""

_log = logging.getLogger(__name__)


class Publisher:
    """Keeps one broker informed.

    Parameters
    ----------
    options, machine: of the machine file.
    store: whose outbox is emptied; its rows are the only messages that outlive a lost connection.
    on_command: gets each well-formed command, on the publisher's thread: it must only pass it on, and answer by `answer`.
    texts: catalogues by language, for the texts inside the messages.
    version: of Broche, told in the status.

    Raises
    ------
    ValueError: `options.url` is not of the form mqtt://host:port.
    """

    def __init__(
        self,
        options: BrokerOptions,
        machine: MachineOptions,
        store: Store,
        clock: Clock,
        on_command: Callable[[Command], None],
        *,
        texts: payloads.Catalogues,
        version: str,
        timing: Timing | None = None,
    ) -> None:
        self.topics = Topics.of(options.prefix, machine)
        self._options = options
        self._machine = machine.name
        self._store = store
        self._clock = clock
        self._on_command = on_command
        self._texts = texts
        self._version = version
        self._timing = timing or Timing()
        self._keepalive = max(1, min(options.keepalive, LONGEST_KEEPALIVE))
        self._status = payloads.Status()
        self._deliveries: deque[Delivery] = deque()
        self._answers: deque[CommandResult] = deque(maxlen=2 * inbox.ASKED)
        self._inbox = inbox.Inbox(self.topics.result)
        self._news = False
        self._generation = 0
        self._stopping = threading.Event()
        self._wake = Wake()
        # One name a machine: after a network failure the broker lets this connection take the place of its half-open predecessor, whose
        # will then comes before the new birth and not half a minute after it.
        name = "broche-" + "-".join(level(part) for part in (machine.site, machine.area, machine.name))
        self._dial = Dial(options, name, self._keepalive, self._timing, clock, self._wake, self._going)
        self._statistics = Statistics(broker=str(self._dial.address), since=clock.wall())
        self._outbox = Outbox(store, clock, self._deliver)
        self._thread = threading.Thread(target=self._run, name="broche-mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def say(self, status: payloads.Status) -> None:
        """How things are: told at once if it differs from what was said last, and every 30 s."""
        news = status.differs(self._status)
        self._status = status
        if news:
            self._news = True
            self.notify()

    def answer(self, result: CommandResult) -> None:
        """What became of a command that `on_command` got."""
        self._answers.append(result)
        self.notify()

    def notify(self) -> None:
        """Wake the thread. New rows of the store come by themselves."""
        self._wake.signal()

    @property
    def alive(self) -> bool:
        """Whether the thread runs: a watchdog looks at it, and at `Statistics.progress`."""
        return self._thread.is_alive()

    def statistics(self) -> Statistics:
        """As of the thread's last turn."""
        backlog = self._outbox.backlog()
        return msgspec.structs.replace(self._statistics, critical=backlog.critical, telemetry=backlog.telemetry)

    def stop(self, seconds: float = 5.0) -> bool:
        """Say that the agent is offline by its own will, disconnect and end; False: the thread did not end within `seconds`."""
        self._stopping.set()
        self.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        self._outbox.close()
        self._wake.close()
        return True

    def _deliver(self, delivery: Delivery) -> None:
        self._deliveries.append(delivery)
        self.notify()

    def _run(self) -> None:
        while self._going():
            try:
                link, accepted = self._dial.connect(self._will)
            except LinkFailed as failure:
                self._lost(failure.problem)
            else:
                began = self._clock.monotonic()
                self._lost(self._serve(link, accepted))
                self._dial.was_steady(self._clock.monotonic() - began)
            self._dial.rest()

    def _will(self) -> Letter:
        now = self._clock.wall()
        body = payloads.offline("lost", None, now, self._machine, self._version, self._store.session, self._texts)
        return Letter(topic=self.topics.status, payload=self._numbered(body), retain=True)

    def _serve(self, link: Link, accepted: Accepted) -> Problem:
        """Until the connection is over; why it is ('': by our own will)."""
        mark = self._store.last_seq()
        self._generation += 1
        self._deliveries.clear()
        session = Session(link, accepted, mark)
        self._connected(link)
        self._tell_status(session)
        session.send(self._clock.monotonic())
        if self._options.commands:
            link.subscribe(self.topics.command)
        self._outbox.begin(self._generation, mark)
        self._outbox.want(self._generation, session.window, session.telemetry_window)
        try:
            return self._attend(link, session)
        finally:
            self._outbox.end()
            link.close()

    def _attend(self, link: Link, session: Session) -> Problem:
        next_status = self._clock.monotonic() + self._timing.status
        base = self._statistics
        while True:
            now = self._clock.monotonic()
            if self._news or now >= next_status:
                self._tell_status(session)
                next_status = now + self._timing.status
            while self._answers:
                self._answer(session, self._answers.popleft())
            while self._deliveries:
                delivery = self._deliveries.popleft()
                if delivery.generation == self._generation:
                    session.deliver(delivery)
            session.send(now)
            problem = self._listen(link, session, max(0.0, min(1.0, self._keepalive / 4, next_status - now)))
            self._count(base, session)
            if problem is not None:
                return problem
            if self._stopping.is_set():
                self._farewell(link, session)
                return Problem("")

    def _listen(self, link: Link, session: Session, seconds: float) -> Problem | None:
        """One turn of the socket; a problem ends the connection."""
        link.poll(seconds)
        problem = None
        for event in link.events():
            if isinstance(event, Acked):
                if not session.settle(event):
                    problem = session.problem
            elif isinstance(event, Arrived):
                self._command(session, event)
            elif isinstance(event, Refused):
                problem = event.problem
        taken = session.taken()
        if taken.critical or taken.telemetry:
            self._outbox.ack(taken.critical, taken.telemetry)
            self._outbox.want(self._generation, len(taken.critical), len(taken.telemetry))
        if problem is None:
            longest = 2.5 * self._keepalive
            now, oldest = self._clock.monotonic(), session.oldest()
            if now - link.heard > longest or (oldest is not None and now - oldest > longest):
                problem = Problem("silent", f"no answer for {longest:g} s")
        return problem

    def _tell_status(self, session: Session) -> None:
        self._news = False
        said, at = self._status, self._clock.wall()
        body = payloads.status(said, at, self._machine, self._version, self._store.session, self._texts)
        session.tell(Letter(topic=self.topics.status, payload=self._numbered(body), retain=True))

    def _numbered(self, body: bytes) -> bytes:
        return body[:-1] + b',"seq":%d,"historical":false}' % self._store.next_seq()

    def _command(self, session: Session, arrived: Arrived) -> None:
        got = self._inbox.take(arrived, self._clock.monotonic(), f"mqtt-{self._store.next_seq()}")
        if isinstance(got, CommandResult):
            self._answer(session, got)
        else:
            self._on_command(got)

    def _answer(self, session: Session, result: CommandResult) -> None:
        asked = self._inbox.asked(result.id)
        body = payloads.result(result, self._clock.wall(), self._texts)
        session.answer(Letter(topic=asked.topic, payload=self._numbered(body), expiry=inbox.ANSWER_KEPT, correlation=asked.correlation))

    def _farewell(self, link: Link, session: Session) -> None:
        """What is at hand, then offline by our own hand, then DISCONNECT, so that the will stays unsaid. The rest waits on disk."""
        now = self._clock.wall()
        since = self._statistics.since or now
        body = payloads.offline("stopped", now, since, self._machine, self._version, self._store.session, self._texts)
        until = self._clock.monotonic() + self._timing.farewell
        if self._drain(link, session, until - 0.5 * self._timing.farewell):
            session.forsake()
            session.tell(Letter(topic=self.topics.status, payload=self._numbered(body), retain=True))
            if self._drain(link, session, until):
                link.leave()
                while link.want_write() and self._clock.monotonic() < until:
                    link.poll(0.1)

    def _drain(self, link: Link, session: Session, until: float) -> bool:
        """Until everything at hand is acknowledged, or the time is over; False: the connection is."""
        while not session.quiet() and (left := until - self._clock.monotonic()) > 0:
            session.send(self._clock.monotonic())
            if self._listen(link, session, min(left, 0.2)) is not None:
                return False
        return True

    def _connected(self, link: Link) -> None:
        self._statistics = msgspec.structs.replace(
            self._statistics,
            connected=True,
            since=self._clock.wall(),
            protocol=link.protocol,
            connections=self._statistics.connections + 1,
            problem="",
            detail="",
        )
        _log.info("MQTT broker %s: connected, MQTT %s", self._dial.address, link.protocol)

    def _lost(self, problem: Problem) -> None:
        if problem.key and (problem.key != self._statistics.problem or self._statistics.connected):
            _log.warning("MQTT broker %s: %s (%s)", self._dial.address, problem.key, problem.detail)
        changed = self._statistics.connected
        self._statistics = msgspec.structs.replace(
            self._statistics,
            connected=False,
            since=self._clock.wall() if changed else self._statistics.since,
            unacked=0,
            problem=problem.key,
            detail=problem.detail,
        )

    def _count(self, base: Statistics, session: Session) -> None:
        problem = session.problem or Problem("")
        if problem.key and problem.key != self._statistics.problem:
            _log.warning("MQTT broker %s: %s (%s)", self._dial.address, problem.key, problem.detail)
        self._statistics = msgspec.structs.replace(
            self._statistics,
            unacked=session.unacked,
            sent=base.sent + session.sent,
            acked=base.acked + session.acked,
            replayed=base.replayed + session.replayed,
            refused=base.refused + session.refused,
            problem=problem.key,
            detail=problem.detail,
            progress=self._clock.monotonic(),
        )

    def _going(self) -> bool:
        self._statistics = msgspec.structs.replace(self._statistics, progress=self._clock.monotonic())
        return not self._stopping.is_set()
