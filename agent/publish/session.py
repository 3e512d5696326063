"""One connection being served: the window of messages that the broker has not acknowledged, and what may enter it next."""

from __future__ import annotations

from collections import deque

import msgspec

from agent.outbox import Delivery, Row, finish
from agent.publish.link import Accepted, Acked, Letter, Link
from agent.publish.problems import TRANSIENT, Problem, meaning

RESERVED = 2
"""Places in the window that telemetry and answers leave to alerts."""
ANSWERS = 100
"""Answers that may wait; a flood of bad commands gets the latest only."""


class _Flight(msgspec.Struct, frozen=True):
    since: float
    topic: str
    seq: int
    critical: bool
    own: bool


class Taken(msgspec.Struct):
    """What the broker has acknowledged, or refused for good, since it was last asked."""

    critical: list[int]
    telemetry: list[int]


class Session:
    """Sends the status before critical rows before answers to commands before telemetry, never more than the window at once.

    A topic whose messages are retained has one under way at a time: a connection that breaks cannot turn their order round.
    """

    def __init__(self, link: Link, accepted: Accepted, mark: int) -> None:
        self.window = accepted.window
        self.telemetry_window = max(1, accepted.window - RESERVED)
        self.sent = self.acked = self.refused = self.replayed = 0
        self.problem: Problem | None = None
        """Why the broker refused a message last."""
        self._link = link
        self._accepted = accepted
        self._mark = mark
        self._status: deque[Letter] = deque(maxlen=1)
        self._answers: deque[Letter] = deque(maxlen=ANSWERS)
        self._critical: deque[Row] = deque()
        self._telemetry: deque[Row] = deque()
        self._flying: dict[int, _Flight] = {}
        self._taken = Taken([], [])

    @property
    def unacked(self) -> int:
        """Messages under way."""
        return len(self._flying)

    def oldest(self) -> float | None:
        """Monotonic time since when the oldest message is under way."""
        return next(iter(self._flying.values())).since if self._flying else None

    def tell(self, status: Letter) -> None:
        """Send a status as soon as there is room, in the place of one that still waits."""
        self._status.append(status)

    def answer(self, letter: Letter) -> None:
        """Send the answer to a command."""
        self._answers.append(letter)

    def deliver(self, delivery: Delivery) -> None:
        """Rows of the outbox, in the order in which they may go."""
        self._critical.extend(delivery.critical)
        self._telemetry.extend(delivery.telemetry)

    def quiet(self) -> bool:
        """Nothing is under way, and nothing is at hand."""
        return not (self._flying or self._status or self._critical or self._answers or self._telemetry)

    def forsake(self) -> None:
        """Drop what is at hand; the rows stay in the outbox."""
        self._critical.clear()
        self._answers.clear()
        self._telemetry.clear()

    def send(self, now: float) -> None:
        """Fill the window."""
        if self._status and len(self._flying) < self.window and not self._under_way(self._status[0].topic):
            self._hand_over(self._status.popleft(), now, seq=0, critical=False, own=True)
        while self._critical and len(self._flying) < self.window:
            if not self._hand_over_row(self._critical.popleft(), now, critical=True):
                return
        while self._answers and len(self._flying) < self.telemetry_window:
            if not self._hand_over(self._answers.popleft(), now, seq=0, critical=False, own=True):
                return
        while self._telemetry and len(self._flying) < self.telemetry_window:
            if not self._hand_over_row(self._telemetry.popleft(), now, critical=False):
                return

    def settle(self, answer: Acked) -> bool:
        """The broker answered; False: it cannot take messages now, and the connection is better begun again later."""
        flight = self._flying.pop(answer.mid, None)
        if flight is None:
            return True
        if answer.failure:
            self.problem = meaning(answer.failure, answer.words, "refused")
            if answer.failure in TRANSIENT:
                return False
            self.refused += 1
        else:
            self.acked += 1
        if not flight.own:
            (self._taken.critical if flight.critical else self._taken.telemetry).append(flight.seq)
        return True

    def taken(self) -> Taken:
        """To be forgotten by the outbox."""
        taken, self._taken = self._taken, Taken([], [])
        return taken

    def _under_way(self, topic: str) -> bool:
        return any(flight.topic == topic for flight in self._flying.values())

    def _hand_over_row(self, row: Row, now: float, *, critical: bool) -> bool:
        message = row.message
        letter = Letter(topic=message.topic, payload=finish(row, self._mark), qos=message.qos, retain=message.retain, expiry=message.expiry)
        handed = self._hand_over(letter, now, seq=row.seq, critical=critical, own=False)
        self.replayed += handed and row.seq <= self._mark
        return handed

    def _hand_over(self, letter: Letter, now: float, *, seq: int, critical: bool, own: bool) -> bool:
        taker = self._accepted
        if taker.largest and len(letter.payload) + len(letter.topic) + 64 > taker.largest:
            self.refused += 1
            self.problem = Problem("refused", f"{letter.topic}: {len(letter.payload)} bytes, the broker takes {taker.largest}")
            if not own:
                (self._taken.critical if critical else self._taken.telemetry).append(seq)
            return True
        if letter.qos > taker.qos or (letter.retain and not taker.retain):
            letter = msgspec.structs.replace(letter, qos=min(letter.qos, taker.qos), retain=letter.retain and taker.retain)
        mid = self._link.publish(letter)
        if mid is None:
            return False
        self.sent += 1
        self._flying[mid] = _Flight(now, letter.topic, seq, critical, own)
        return True
