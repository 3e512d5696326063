"""An own lamp at the machine that calls somebody to the page: amber or blue, and dark when the agent dies (DESIGN.md, decision 14).

What burns, and why: docs/beacon.md. Dark never means that all is well; it means nothing to say, or nobody there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Literal

from agent.model import Alert, Snapshot, Word
from agent.settings import BeaconOptions
from drivers.clock import Clock
from drivers.coils import AllowList
from drivers.lamps import Lamps
from drivers.links import Links
from drivers.trouble import BusTrouble, Refused

_log = logging.getLogger(__name__)

State = Literal["warning", "urgent", "lost"]

HOLD = 6.0
"""s for which a timed relay is lit at each order."""
ORDERS = 3
"""Orders within the time that a lamp holds: two may be lost before it goes dark."""
STALL = 2.0
"""s without a snapshot after which what is known is no longer live, as on the page and in the status topic."""
RETRY = 10.0
"""s until a coupler that does not do what it is told is told again: on a shared line its silence costs the others."""
END = 2.0
"""s to put the lamps out at the end."""


def states(word: Word, alerts: Sequence[Alert]) -> frozenset[State]:
    """What there is to show.

    warning, urgent: an alert of at least that severity that nobody has acknowledged; a lost signal does not take it back. Advice calls
    nobody. lost: nothing is watched. HOLD, NOT MONITORABLE, LEARNING, PROVISIONAL and OFF are not
    shown: they are ordinary, and a lamp that burns while somebody sets up the machine is soon looked at by nobody.
    """
    calls = {alert.severity for alert in alerts if alert.state == "active"}
    shown: set[State] = set()
    if calls & {"warning", "urgent"}:
        shown.add("warning")
    if "urgent" in calls:
        shown.add("urgent")
    if word == Word.LOST:
        shown.add("lost")
    return frozenset(shown)


class Beacon:
    """The lamps of one machine; on the loop.

    Parameters
    ----------
    lamps: those that the options allow, and no others.
    """

    def __init__(self, options: BeaconOptions, lamps: Lamps, clock: Clock) -> None:
        self._options = options
        self._lamps = lamps
        self._clock = clock
        self._hold = options.hold or HOLD
        self._live: frozenset[State] = frozenset()
        self._shown: float | None = None
        """When the last snapshot came; None: none yet."""
        self._lit: dict[int, bool | None] = dict.fromkeys((coil.coil for coil in options.coil), None)
        """What each coil was told last; None: not known what it does."""
        self._refused: dict[int, int] = {}
        """Times in a row that a coil was refused; when one that is refused again and again is told next, and why it was not done."""
        self._rest: dict[int, tuple[float, str]] = {}
        self._news = asyncio.Event()
        self._failed = 0
        """Rounds in a row in which the coupler did not do what it was told."""
        self._ending = False
        self._ended = asyncio.Event()
        self.error = ""
        """Key under [bus] of the text catalogue; '' if the coupler does what it is told."""

    @classmethod
    def of(cls, options: BeaconOptions, links: Links, clock: Clock) -> Beacon | None:
        """None: the machine has no beacon."""
        return cls(options, links.lamps(options.bus, allowed(options)), clock) if options.bus else None

    def show(self, snapshot: Snapshot) -> None:
        """The newest snapshot."""
        self._shown = self._clock.monotonic()
        shown = states(snapshot.coverage.word, snapshot.alerts)
        if shown != self._live:
            self._live = shown
            self._news.set()

    async def run(self) -> None:
        """Until `stop()`; the lamps are told again well before they would go dark by themselves, and put out at the end."""
        try:
            while not self._ending:
                self._news.clear()
                await self._tell(self._wanted())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(self._hold / ORDERS, STALL) if self._failed < ORDERS else RETRY):
                        await self._news.wait()
            for _ in range(ORDERS):
                self._rest.clear()
                await self._tell(frozenset())
                if not self._failed and not self._refused:
                    break
        finally:
            self._lamps.close()
            self._ended.set()

    async def stop(self) -> None:
        """End `run()`, but not in the middle of an order; lamps that cannot be put out in time go out by themselves."""
        self._ending = True
        self._news.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END):
                await self._ended.wait()

    def _wanted(self) -> frozenset[State]:
        """Before the first snapshot nothing is known, not even that something is lost."""
        if self._shown is None:
            return frozenset()
        return self._live if self._clock.monotonic() - self._shown < STALL else self._live | {"lost"}

    async def _tell(self, wanted: frozenset[State]) -> None:
        """One order to each coil that needs one: lit ones before they fall dark, others once; a watchdog wants to hear of all of them.

        A coil that is refused costs the others nothing; silence or trouble of the line ends the round.
        """
        wrong = ("", "")
        for coil in self._options.coil:
            lit = coil.shows in wanted
            if not lit and self._lit[coil.coil] is False and self._options.coupler != "watchdog":
                continue
            until, why = self._rest.get(coil.coil, (0.0, ""))
            if self._clock.monotonic() < until:
                wrong = (why, f"coil {coil.coil}")
                continue
            try:
                await self._lamps.set(coil.coil, self._hold if lit else 0.0)
            except BusTrouble as trouble:
                if isinstance(trouble, Refused) or trouble.key == "not_switched":
                    if self._refuse(coil.coil, trouble.key):
                        wrong = (trouble.key, f"coil {coil.coil}: {trouble.detail}")
                    continue
                self._lit[coil.coil] = None
                self._failed += 1
                if self._failed >= ORDERS:
                    self._trouble(trouble.key, trouble.detail)
                return
            self._lit[coil.coil] = lit
            self._refused.pop(coil.coil, None)
        self._failed = 0
        self._trouble(*wrong)

    def _refuse(self, coil: int, why: str) -> bool:
        """Note that a coil was refused. Returns whether that is more than a moment's: then it is told again after `RETRY`."""
        self._lit[coil] = None
        self._refused[coil] = self._refused.get(coil, 0) + 1
        if self._refused[coil] < ORDERS:
            return False
        self._rest[coil] = (self._clock.monotonic() + RETRY, why)
        return True

    def _trouble(self, key: str, detail: str) -> None:
        """Log once a change; a single lost answer is none."""
        if key != self.error:
            _log.log(logging.WARNING if key else logging.INFO, "beacon (bus %s): %s %s", self._options.bus, key or "ok", detail)
        self.error = key


def allowed(options: BeaconOptions) -> AllowList:
    """All that may be written."""
    manner: Literal["timed", "watchdog"] = "timed" if options.coupler == "waveshare" else "watchdog"
    return AllowList(options.address, frozenset(coil.coil for coil in options.coil), manner)
