"""What the broker has not yet: in which order it is handed out, and what becomes of it when the connection is lost.

Works on the store's writer thread (`pump`); the publisher asks and hears from its own. Order:

- critical messages (alerts, checklists) before telemetry;
- live before replay, live being what was numbered after the connection began. Messages of one topic keep their order whatever they are,
  so a topic with something live has its backlog sent first;
- a critical topic has one message under way at a time, and the next only when the one before is deleted on disk: no retained state is ever
  replaced by an older one, not even when the agent is killed between two of them;
- telemetry live from memory, then the backlog from its file, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from agent.store import Desk, Message, Row, Store
from drivers.clock import Clock

__all__ = ["Backlog", "Delivery", "Message", "Outbox", "Row", "finish"]

LOOK_AHEAD = 64
"""Further rows read because some of them may have to wait for their topic."""


class Delivery(msgspec.Struct, frozen=True):
    """Rows for the connection `generation`."""

    generation: int
    critical: tuple[Row, ...]
    telemetry: tuple[Row, ...]


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker has not acknowledged."""

    critical: int = 0
    telemetry: int = 0


def finish(row: Row, mark: int) -> bytes:
    """The payload as it is sent: its number, and whether it comes later than it should. `mark`: last number before the connection began."""
    body = row.message.payload
    tail = b'"seq":%d,"historical":%s}' % (row.seq, b"true" if row.seq <= mark else b"false")
    return b"{" + tail if body == b"{}" else body[:-1] + b"," + tail


class Outbox:
    """The publisher's side of the store: rows come by `deliver` (called on the writer thread) as far as they were asked for.

    `begin` opens a generation, a connection; what was handed out before and not acknowledged is handed out again. `want` adds to the
    number of rows that may come, `ack` tells which the broker has, `end` stops the flow.
    """

    def __init__(self, store: Store, clock: Clock, deliver: Callable[[Delivery], None]) -> None:
        self._store = store
        self._clock = clock
        self._deliver = deliver
        self._generation = 0
        self._open = False
        self._mark = 0
        self._critical = self._telemetry = 0
        self._handed: dict[int, str] = {}
        self._handed_telemetry: set[int] = set()
        self._cursor = 0
        self._backlog = Backlog()
        store.attach(self.pump)

    def begin(self, generation: int, mark: int) -> None:
        """A connection stands; nothing handed out before counts any more."""
        self._store.call(lambda _: self._begin(generation, mark))

    def want(self, generation: int, critical: int, telemetry: int) -> None:
        """So many rows more may come."""
        self._store.call(lambda _: self._want(generation, critical, telemetry))

    def ack(self, critical: Sequence[int], telemetry: Sequence[int]) -> None:
        """The broker has these."""
        self._store.call(lambda desk: self._ack(desk, list(critical), list(telemetry)))

    def end(self) -> None:
        """The connection is lost: nothing more until `begin`."""
        self._store.call(lambda _: self._end())

    def backlog(self) -> Backlog:
        """As of the writer's last turn."""
        return self._backlog

    def close(self) -> None:
        """Let go of the store."""
        self._store.detach(self.pump)

    def _begin(self, generation: int, mark: int) -> None:
        self._generation, self._mark, self._open = generation, mark, True
        self._critical = self._telemetry = 0
        self._handed.clear()
        self._handed_telemetry.clear()
        self._cursor = 0

    def _want(self, generation: int, critical: int, telemetry: int) -> None:
        if generation == self._generation:
            self._critical += critical
            self._telemetry += telemetry

    def _ack(self, desk: Desk, critical: list[int], telemetry: list[int]) -> None:
        now = self._clock.monotonic()
        for seq in critical:
            self._handed.pop(seq, None)
        self._handed_telemetry.difference_update(telemetry)
        if critical:
            desk.state.forget(critical, now)
        if telemetry:
            desk.telemetry.forget(telemetry, now)

    def _end(self) -> None:
        self._open = False

    def pump(self, desk: Desk) -> None:
        """One turn of the writer is over: hand out what was asked for and is there."""
        if self._open:
            critical, more = self._next_critical(desk)
            telemetry = self._next_telemetry(desk) if self._telemetry and not more else []
            if critical or telemetry:
                self._critical -= len(critical)
                self._telemetry -= len(telemetry)
                self._handed.update((row.seq, row.message.topic) for row in critical)
                self._handed_telemetry.update(row.seq for row in telemetry)
                self._deliver(Delivery(self._generation, tuple(critical), tuple(telemetry)))
        state, waiting = desk.state, desk.state.waiting
        self._backlog = Backlog(
            critical=max(0, state.on_disk + len(waiting.rows) - len(waiting.gone)),
            telemetry=desk.telemetry.count(),
        )

    def _next_critical(self, desk: Desk) -> tuple[list[Row], bool]:
        """As many as are wanted, and whether one more could go."""
        if not desk.state.on_disk and not desk.state.blocked:
            return [], False
        gone = desk.state.waiting.gone
        limit = self._critical + len(self._handed) + len(gone) + LOOK_AHEAD
        held = set(self._handed.values())
        chosen: list[Row] = []
        delayed = False
        for row in self._candidates(desk, limit):
            if row.seq in self._handed:
                continue
            if row.seq in gone:
                if not desk.state.blocked:
                    held.add(row.message.topic)
                continue
            if row.message.topic in held:
                delayed = True
                continue
            held.add(row.message.topic)
            chosen.append(row)
            if len(chosen) > self._critical:
                break
        if delayed and gone:
            desk.state.hurry()
        return chosen[: self._critical], len(chosen) > self._critical

    def _candidates(self, desk: Desk, limit: int) -> list[Row]:
        """Backlog of topics with something live first, then all by number; on a blocked disk also what only memory has."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        live = "WHERE topic IN (SELECT topic FROM outbox WHERE seq > ?) ORDER BY seq LIMIT ?"
        rows = desk.state.rows(live, (self._mark, limit), now, wall)
        seen = {row.seq for row in rows}
        rows += [row for row in desk.state.rows("ORDER BY seq LIMIT ?", (limit,), now, wall) if row.seq not in seen]
        if desk.state.blocked:
            rows += desk.state.waiting.rows.values()
        return rows

    def _next_telemetry(self, desk: Desk) -> list[Row]:
        telemetry, wanted = desk.telemetry, self._telemetry
        chosen = [row for seq, row in telemetry.waiting.items() if seq > self._mark and seq not in self._handed_telemetry][:wanted]
        if len(chosen) < wanted:
            limit = wanted - len(chosen) + len(self._handed_telemetry)
            stored = telemetry.after(self._cursor, limit, self._clock.monotonic())
            for row in stored:
                if len(chosen) == wanted:
                    break
                self._cursor = row.seq
                if row.seq not in self._handed_telemetry:
                    chosen.append(row)
        if len(chosen) < wanted:
            chosen += [row for seq, row in telemetry.waiting.items() if seq <= self._mark and seq not in self._handed_telemetry][
                : wanted - len(chosen)
            ]
        return chosen
