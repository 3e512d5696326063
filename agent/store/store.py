"""The face of the store: what other threads may ask, and the writer thread that does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.settings import StoreOptions
from agent.store.files import StoreUnusable, own
from agent.store.pending import Pending
from agent.store.schema import Commit, Message, Row, StoreTrouble
from agent.store.state import State
from agent.store.telemetry import ROWS_IN_MEMORY, Telemetry
from drivers.clock import Clock

Report = Callable[[StoreTrouble | None], None]


class StoreCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What the store did since it was opened."""

    submitted: int
    """Commits"""
    committed: int
    """Number of the newest commit that is on disk, with all before it"""
    transactions: int
    critical: int
    """Messages of alerts and checklists that the broker has not yet"""
    telemetry: int
    """Other messages that wait"""
    dropped: dict[str, int]
    """Lost, by what: audit, messages, telemetry_<reason>; `states`: folded into a later one before they were written"""
    trouble: StoreTrouble | None


@dataclass(frozen=True)
class Desk:
    """What the writer thread works on and shows to its pumps; no other thread may touch it."""

    state: State
    telemetry: Telemetry


Pump = Callable[[Desk], None]


class Store:
    """Keeps what must outlive the process. Every method may be called from any thread."""

    def __init__(self, folder: Path, lock: int, options: StoreOptions, clock: Clock, report: Report, every: float) -> None:
        """Not for callers: use `open`."""
        self._clock = clock
        self._owned = lock
        self._telemetry = Telemetry(folder / "telemetry.sqlite", options.telemetry_bytes, options.telemetry_age, every)
        self._state = State(folder / "state.sqlite", every, self._make_room, report)
        self._desk = Desk(self._state, self._telemetry)
        self._lock = threading.Condition()
        self._signal = self._closing = False
        self._incoming = Pending()
        self._fresh: list[Row] = []
        self._calls: list[Pump] = []
        self._pumps: list[Pump] = []
        self._submitted = self._committed = self._seq = self._overrun = 0
        self._thread = threading.Thread(target=self._run, name="broche-store", daemon=True)

    @classmethod
    def open(cls, folder: Path, options: StoreOptions, clock: Clock, report: Report, *, every: float = 1.0) -> Store:
        """Open or make the files in `folder` and start the writer.

        `report` is called with each trouble and with None when it is over, here and on the writer thread: it must only pass it on.
        `every`: s between two batches of telemetry, and the first pause before a failed transaction is tried again.

        Raises
        ------
        StoreUnusable: another agent owns the folder, a newer Broche wrote it, or nothing can be made there at all.
        """
        store = cls(folder, own(folder), options, clock, report, every)
        try:
            store._seq = store._state.begin(store._telemetry.open(), clock.wall())
        except StoreUnusable:
            store._telemetry.close(0.0)
            os.close(store._owned)
            raise
        store._telemetry.reserve(store._state.reserved)
        store._thread.start()
        return store

    @property
    def alive(self) -> bool:
        """Whether the writer thread runs: a watchdog looks at it."""
        return self._thread.is_alive()

    @property
    def id(self) -> str:
        """Of the file state.sqlite: another one when it had to be begun again."""
        return self._state.id

    @property
    def session(self) -> int:
        """How many times this store was opened."""
        return self._state.session

    def saved_state(self) -> bytes | None:
        """The state of the newest commit that was on disk at the start."""
        return self._state.saved[0] if self._state.saved else None

    def previous_state(self) -> bytes | None:
        """The one before, for when the newest cannot be read back."""
        return self._state.saved[1] if len(self._state.saved) > 1 else None

    def submit(self, commit: Commit) -> int:
        """Hand over what one event leaves behind; returns at once with the number of the commit (see `committed`)."""
        with self._lock:
            rows = [self._numbered(message) for message in commit.messages]
            self._fresh += [self._numbered(message) for message in commit.telemetry]
            if len(self._fresh) > ROWS_IN_MEMORY:
                self._overrun += len(self._fresh) - ROWS_IN_MEMORY
                del self._fresh[:-ROWS_IN_MEMORY]
            if commit.state is not None or commit.alerts or commit.checklists or commit.audit or rows:
                self._submitted += 1
                self._incoming.add(self._submitted, commit, rows)
            self._wake()
            return self._submitted

    def next_seq(self) -> int:
        """A number for a message that is not kept (status, answers): one sequence for all."""
        with self._lock:
            self._seq += 1
            return self._seq

    def last_seq(self) -> int:
        """The number given last."""
        with self._lock:
            return self._seq

    def committed(self) -> int:
        """Number of the newest commit that is on disk, with all before it."""
        with self._lock:
            return self._committed

    def flush(self, seconds: float) -> bool:
        """Wait until everything submitted so far is on disk; False: not within `seconds`."""
        with self._lock:
            wanted = self._submitted
            return self._lock.wait_for(lambda: self._committed >= wanted, seconds)

    def attach(self, pump: Pump) -> None:
        """Have `pump` called on the writer thread at the end of each of its turns."""
        with self._lock:
            self._pumps.append(pump)

    def detach(self, pump: Pump) -> None:
        """Undo `attach`."""
        with self._lock:
            if pump in self._pumps:
                self._pumps.remove(pump)

    def call(self, function: Pump) -> None:
        """Have `function` called once on the writer thread, before the pumps."""
        with self._lock:
            self._calls.append(function)
            self._wake()

    def counters(self) -> StoreCounters:
        """Figures for page and status; those of the writer thread may be a moment old."""
        state, telemetry = self._state, self._telemetry
        dropped = {what: count for what, count in state.waiting.lost.items() if count}
        dropped.update((f"telemetry_{reason}", count) for reason, count in telemetry.dropped.items())
        with self._lock:
            return StoreCounters(
                submitted=self._submitted,
                committed=self._committed,
                transactions=state.transactions,
                critical=state.on_disk + len(state.waiting.rows) - len(state.waiting.gone),
                telemetry=telemetry.count(),
                dropped=dropped,
                trouble=state.trouble,
            )

    def close(self, seconds: float = 10.0) -> bool:
        """Write what waits, close the files, end the thread; False: it did not end within `seconds`."""
        with self._lock:
            self._closing = True
            self._wake()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _numbered(self, message: Message) -> Row:
        self._seq += 1
        return Row(self._seq, message)

    def _wake(self) -> None:
        self._signal = True
        self._lock.notify_all()

    def _make_room(self) -> None:
        self._telemetry.drop("disk_full", self._clock.monotonic())

    def _run(self) -> None:
        while self._turn():
            pass
        wall = self._clock.wall()
        self._telemetry.reserve(self._seq)
        self._telemetry.close(wall)
        self._state.close(wall, self._seq)
        self._publish_committed()
        os.close(self._owned)

    def _turn(self) -> bool:
        """Wait for work and do it; False: the last one."""
        with self._lock:
            self._lock.wait_for(lambda: self._signal, self._pause())
            self._signal = False
            incoming, self._incoming = self._incoming, Pending()
            fresh, self._fresh = self._fresh, []
            overrun, self._overrun = self._overrun, 0
            calls, self._calls = self._calls, []
            pumps = tuple(self._pumps)
            closing = self._closing
        now = self._clock.monotonic()
        self._state.waiting.fold(incoming)
        self._telemetry.add(fresh, now)
        self._telemetry.lose("overrun", overrun)
        for call in calls:
            call(self._desk)
        if closing:
            return False
        self._write(now)
        for pump in pumps:
            pump(self._desk)
        self._state.rest(self._clock.wall())
        return True

    def _write(self, now: float) -> None:
        state, telemetry, wall = self._state, self._telemetry, self._clock.wall()
        due = state.due()
        if (due is not None and due <= now) or (state.short_of_numbers(self._seq) and not state.blocked):
            state.write(now, wall, self._seq)
            telemetry.reserve(state.reserved)
            self._publish_committed()
        due = telemetry.due()
        if due is not None and due <= now and not state.blocked:
            telemetry.write(now, wall)
        telemetry.bound()

    def _pause(self) -> float | None:
        """Seconds until something must be written without being asked; None: nothing waits."""
        due = [self._state.due(), None if self._state.blocked else self._telemetry.due()]
        times = [time for time in due if time is not None]
        return max(0.0, min(times) - self._clock.monotonic()) if times else None

    def _publish_committed(self) -> None:
        with self._lock:
            self._committed = self._state.committed
            self._lock.notify_all()
