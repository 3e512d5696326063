"""How a connection comes about: the version of MQTT, the password, the pause between two attempts."""

from __future__ import annotations

import logging
import os
import random
import select
from collections.abc import Callable
from pathlib import Path

from agent.publish.link import Accepted, Address, Letter, Link, LinkFailed, Refused
from agent.publish.problems import Problem
from agent.publish.statistics import Timing
from agent.publish.wake import Wake
from agent.settings import BrokerOptions
from drivers.clock import Clock

_log = logging.getLogger(__name__)


class Dial:
    """Makes connections, one after the other, on the publisher's thread.

    `going` tells whether to go on, and is asked at least twice a second; signalling `wake` has it asked at once.
    """

    def __init__(
        self, options: BrokerOptions, client_id: str, keepalive: int, timing: Timing, clock: Clock, wake: Wake, going: Callable[[], bool]
    ) -> None:
        self.address = Address.of(options.url)
        self._options = options
        self._client_id = client_id
        self._keepalive = keepalive
        self._timing = timing
        self._clock = clock
        self._wake = wake
        self._going = going
        self._protocol = "3.1.1" if options.protocol == "3.1.1" else "5"
        self._pause = timing.first_pause

    def connect(self, will: Callable[[], Letter]) -> tuple[Link, Accepted]:
        """A connection that the broker accepted; with protocol auto the other version of MQTT is tried where this one is not spoken.

        Raises
        ------
        LinkFailed: with '' as its problem when there was no reason to go on.
        """
        try:
            return self._attempt(will())
        except _OtherProtocol as other:
            if self._options.protocol != "auto":
                raise
            self._protocol = "3.1.1" if self._protocol == "5" else "5"
            _log.info("MQTT broker %s: %s; trying MQTT %s", self.address, other.problem.detail, self._protocol)
            return self._attempt(will())

    def rest(self) -> None:
        """The pause before the next attempt."""
        seconds = self._pause * random.uniform(0.75, 1.25)
        self._pause = min(self._timing.longest_pause, 2.0 * self._pause)
        deadline = self._clock.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._wake.fd, select.POLLIN)
        while self._going() and (left := deadline - self._clock.monotonic()) > 0:
            if waiting.poll(1000.0 * min(left, 0.5)):
                self._wake.clear()

    def was_steady(self, seconds: float) -> None:
        """A connection lasted so long."""
        if seconds >= self._timing.steady:
            self._pause = self._timing.first_pause

    def _attempt(self, will: Letter) -> tuple[Link, Accepted]:
        link = Link(self.address, self._protocol, self._client_id, will, self._keepalive, self._clock, self._wake)
        link.open(self._options.username, self._password(), self._timing.connect)
        deadline = self._clock.monotonic() + self._timing.connect
        while self._going():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                link.close()
                raise _OtherProtocol(Problem("silent", "no CONNACK"))
            link.poll(min(left, 0.5))
            for event in link.events():
                if isinstance(event, Accepted):
                    return link, event
                if isinstance(event, Refused):
                    link.close()
                    raise (_OtherProtocol if event.protocol else LinkFailed)(event.problem)
        link.close()
        raise LinkFailed(Problem(""))

    def _password(self) -> str:
        """From the machine file's `password_file`, else the systemd credential `mqtt-password`."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        path = Path(self._options.password_file) if self._options.password_file else Path(folder) / "mqtt-password" if folder else None
        if not self._options.username or path is None:
            return ""
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise LinkFailed(Problem("credentials", f"{path}: {error}")) from error


class _OtherProtocol(LinkFailed):
    """Another version of MQTT may help."""
