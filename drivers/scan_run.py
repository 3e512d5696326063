"""Goes through the settings of a line, or the units of a host, and keeps who answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivers.bus import Bus
from drivers.clock import Clock
from drivers.options import NETWORK, BusOptions
from drivers.scan import Questions, Seen, ask, seconds
from drivers.trouble import LinkDown

_MEASURED = 8
"""Units after which what is left is told from what was measured."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the scan is: about to ask `unit` with this setting, `done` of `total` behind it, `left` seconds to go if nobody answers."""

    bus: BusOptions
    unit: int
    done: int
    total: int
    left: float


class ScanRun:
    """One scan.

    Parameters
    ----------
    ways: settings to try, in this order; once somebody answers to one, the rest are left out: a line has one setting.
    units: to ask at each.
    progress: called before each unit.
    stopped: asked between two units; True ends the scan.

    Attributes
    ----------
    seen: who answers, so far.
    """

    def __init__(
        self,
        ways: Sequence[BusOptions],
        units: Sequence[int],
        questions: Questions,
        clock: Clock,
        progress: Callable[[Progress], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._ways = ways
        self._units = units
        self._questions = questions
        self._clock = clock
        self._progress = progress
        self._stopped = stopped
        self.seen: list[Seen] = []

    @property
    def estimate(self) -> float:
        """Seconds if nobody answers."""
        return sum(seconds(way, self._units, self._questions) for way in self._ways)

    async def run(self) -> None:
        """All of it.

        Raises
        ------
        LinkDown: the port or the host is not there (any more); `seen` holds what was found before.
        """
        total = len(self._ways) * len(self._units)
        left, begun, done = self.estimate, self._clock.monotonic(), 0
        for way in self._ways:
            # A device is asked too seldom here to learn how long it takes.
            bus = Bus(way, self._clock, floor=way.timeout)
            try:
                for unit in self._units:
                    if self._stopped():
                        return
                    if done >= _MEASURED:
                        left = (total - done) * (self._clock.monotonic() - begun) / done
                    self._progress(Progress(way, unit, done, total, left))
                    self._keep(await self._ask(bus, unit))
                    done += 1
                    left -= seconds(way, [unit], self._questions)
            finally:
                bus.close()
            if self.seen:
                return

    async def _ask(self, bus: Bus, unit: int) -> Seen | None:
        """A link that closes once is opened again: a silent line is closed by the bus, an unknown unit by some servers."""
        if not bus.connected:
            await bus.open()
        try:
            return await ask(bus, unit, self._questions)
        except LinkDown:
            await bus.open()
        try:
            return await ask(bus, unit, self._questions)
        except LinkDown:
            if bus.options.framing not in NETWORK:
                raise
            return None  # this host hangs up on this unit

    def _keep(self, found: Seen | None) -> None:
        """Over TCP a device that does not look at the unit answers to all of them: that is one device."""
        if found is None:
            return
        if found.bus.framing == "tcp":
            for i, before in enumerate(self.seen):
                if before.answers.keys() == found.answers.keys() and _same(before, found):
                    self.seen[i] = replace(before, also=(*before.also, found.unit))
                    return
        self.seen.append(found)


def _same(one: Seen, other: Seen) -> bool:
    """Whether both refuse the same and fit the same; a value that changes meanwhile makes no other device."""
    refused = all((one.answers[key] is None) == (other.answers[key] is None) for key in one.answers)
    return refused and one.guesses == other.guesses
