"""The compute thread: alone touches the monitor, fed by a bounded queue.

Kernel modules are imported here and nowhere else. Until they are compiled, readings wait in the queue; what the queue cannot hold, and what
comes too late to be put in order, is counted; a full queue is a gap in coverage, and shown.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from agent.commands import Command, CommandResult
from agent.model import Alert, Checklist, Coverage, Event, Snapshot, Word
from agent.settings import MachineSettings
from drivers import jit
from drivers.clock import Clock
from drivers.model import Readings, Waveform

if TYPE_CHECKING:
    from agent.maintenance import MaintenancePlan
    from agent.monitor import Monitor

log = logging.getLogger("broche.compute")

QUEUE = 4096
"""Batches that may wait: over two minutes of the demo machine, for kernels that compile on a slow Pi."""
TICK = 0.1
"""s between two looks at the clock."""
TURN = 0.5
"""s of work after which what was made known goes out, even if more waits."""
SAVE = 60.0
"""s between two saved states when nothing happens."""
GAP = 10.0
"""s for which a gap is shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that waits.

    Attributes
    ----------
    door: through which it came.
    answer: gets the result, once it is kept.
    """

    command: Command
    door: Literal["page", "mqtt"]
    answer: Callable[[CommandResult], None]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a command; `answer` waits for being called."""

    asked: Asked
    result: CommandResult
    time: float


@dataclass(frozen=True, slots=True)
class Result:
    """What one turn of the compute thread made known.

    Attributes
    ----------
    events: in order.
    snapshot: afterwards; None when nothing happened, and when more waits: what is behind the present is not shown as the present.
    state: to be committed together with the events; None: nothing to save.
    answered: commands that were obeyed or refused; to be kept in the same commit, and answered after it.
    behind: more waits.
    """

    events: tuple[Event, ...]
    snapshot: Snapshot | None
    state: bytes | None
    answered: tuple[Answered, ...] = ()
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """Kernels are loaded. `restored`: the saved state was taken back, 'fresh' when there was none, 'refused' when it was not understood."""

    restored: Literal["restored", "fresh", "refused"]


class Compute:
    """Owns the monitor.

    Parameters
    ----------
    settings: for the monitor.
    clock: for ticks.
    deliver: called on this thread with every Ready and Result; must hand over and return.
    warm: called on this thread before kernels are imported; returns when they are compiled or have to be compiled here.
    """

    def __init__(
        self,
        settings: MachineSettings,
        clock: Clock,
        deliver: Callable[[Ready | Result], None],
        warm: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._deliver = deliver
        self._warm = warm
        self._queue: queue.Queue[Readings | Waveform | Asked | None] = queue.Queue(QUEUE)
        self._missed = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._begun = threading.Event()
        self._given: tuple[MaintenancePlan, Sequence[bytes]] | None = None
        self._refused = 0
        self._gap = -math.inf
        self._thread = threading.Thread(target=self._run, name="compute", daemon=True)
        self.failure: BaseException | None = None
        self.turns = 0

    def start(self) -> None:
        """Load the kernels. Readings may be put at once, and before."""
        self._thread.start()

    def begin(self, plan: MaintenancePlan, saved: Sequence[bytes]) -> None:
        """Make the monitor, as soon as the kernels are there; until then everything waits in the queue.

        Parameters
        ----------
        plan: for the monitor.
        saved: states that were saved before, the newest first; the first one that is understood is taken back.
        """
        self._given = plan, saved
        self._begun.set()

    def put(self, item: Readings | Waveform) -> bool:
        """Hand a block over; False when the queue is full: the block is gone, and that is counted."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            with self._lock:
                self._missed += 1
            return False
        return True

    def ask(self, asked: Asked) -> bool:
        """Hand a command over; it comes back in a Result. False when the queue is full."""
        try:
            self._queue.put_nowait(asked)
        except queue.Full:
            return False
        return True

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def give_up(self) -> None:
        """It is about to be stopped: do not begin to compile."""
        self._ending.set()

    def stop(self, seconds: float) -> None:
        """Finish what waits, save, end."""
        self._ending.set()
        self._begun.set()
        if self._thread.is_alive():
            try:
                self._queue.put(None, timeout=seconds)
            except queue.Full:
                log.warning("the compute thread does not take its end")
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._warm()
            if self._ending.is_set():
                return
            jit.prepare()
            from agent.monitor import Monitor

            self._begun.wait()
            if self._given is None:
                return
            plan, saved = self._given
            monitor, how = self._restored(lambda: Monitor(self._settings, plan), saved)
            self._deliver(Ready(how))
            self._work(monitor)
        except BaseException as error:
            # The end of the thread: whatever it was is kept, told and raised again. The daemon looks at `alive` and ends with
            # `DaemonFailed`, systemd starts it anew; nothing is watched in between, and the broker's will says so.
            self.failure = error
            log.exception("the compute thread has failed")
            raise

    @staticmethod
    def _restored(fresh: Callable[[], Monitor], states: Sequence[bytes]) -> tuple[Monitor, Literal["restored", "fresh", "refused"]]:
        for saved in states:
            monitor = fresh()
            try:
                anew = monitor.restore(saved)
            except (msgspec.DecodeError, ValueError, LookupError) as error:
                # Whatever another version wrote must not keep this one from watching.
                log.warning("a saved state is not understood: %s", error)
                continue
            if anew:
                log.warning(
                    "another unit or rated value of the load: what was learned does not hold, learning begins again: %s", ", ".join(anew)
                )
            return monitor, "restored"
        return fresh(), "refused" if states else "fresh"

    def _work(self, monitor: Monitor) -> None:
        ticked = saved = self._clock.monotonic()
        ending = False
        while not ending:
            events: list[Event] = []
            answered: list[Answered] = []
            fed, ending = self._drain(monitor, events, answered)
            behind = not ending and not self._queue.empty()
            self._count_gaps(monitor)
            now = self._clock.monotonic()
            if now - ticked >= TICK and not behind:
                ticked = now
                events.extend(monitor.tick(self._clock.wall()))
                fed = True
            state = None
            if answered or ending or now - saved >= SAVE or any(isinstance(event, Alert | Checklist) for event in events):
                saved = now
                state = monitor.state()
            self.turns += 1
            if fed or events or state is not None:
                snapshot = None if behind else self._seen(monitor.snapshot(), now)
                self._deliver(Result(tuple(events), snapshot, state, tuple(answered), behind))

    def _drain(self, monitor: Monitor, events: list[Event], answered: list[Answered]) -> tuple[bool, bool]:
        """Take what waits, for `TURN` at most; returns whether there was anything, and whether it was the end."""
        fed = False
        try:
            item = self._queue.get(timeout=TICK)
            until = self._clock.monotonic() + TURN
            while item is not None:
                fed = True
                if isinstance(item, Asked):
                    now = self._clock.wall()
                    result, told = monitor.do(item.command, now)
                    events.extend(told)
                    answered.append(Answered(item, result, now))
                else:
                    events.extend(monitor.feed(item))
                if self._clock.monotonic() >= until and not self._ending.is_set():
                    return True, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return fed, False
        return fed, True

    def _count_gaps(self, monitor: Monitor) -> None:
        with self._lock:
            missed, self._missed = self._missed, 0
        if missed:
            self._gap = self._clock.monotonic()
        late, self._refused = monitor.timeline.refused - self._refused, monitor.timeline.refused
        for _ in range(missed + late):
            monitor.dropped()

    def _seen(self, snapshot: Snapshot, now: float) -> Snapshot:
        """The snapshot; while a gap is fresh it does not look well."""
        if now - self._gap >= GAP:
            return snapshot
        lost = Coverage(time=snapshot.time, scope="machine", word=Word.LOST, reason="overload_agent")
        return msgspec.structs.replace(snapshot, coverage=lost)
