"""The lamps of an own beacon on a coupler: lit and put out through its bus, each order verified."""

from __future__ import annotations

from drivers.bus import Bus
from drivers.coils import AllowList, CoilOrder
from drivers.options import NETWORK
from drivers.plan import Request
from drivers.trouble import BusTrouble, Refused, WrongAnswer

_FIRMWARE = Request("holding", 0x8000, 1)
"""Where a Waveshare relay module keeps the version of its firmware, hundredths (map waveshare_relay)."""
_VERSIONS = range(100, 2001)


class Lamps:
    """Coils of one coupler.

    Parameters
    ----------
    own: nobody else uses this bus, so it is opened and closed here.
    """

    def __init__(self, bus: Bus, allowed: AllowList, *, own: bool) -> None:
        self._bus = bus
        self._allowed = allowed
        self._own = own
        self._recognised = 0
        """How often the bus had been opened when the coupler was recognised; 0: it is not."""
        self._echoes = bus.options.framing not in NETWORK

    async def set(self, coil: int, seconds: float) -> None:
        """Light a coil for so long, or (0) put it out. Never repeats.

        A module with timed relays is first asked for its firmware's version, and again after each trouble and whenever the bus was opened
        anew: it may be another device by then. What does not answer like one gets no order, so that a drive
        whose address was written into the wrong line is not commanded. On a serial line an adapter may hear itself, and the echo of an
        order is the same as its answer: there the coil is read back.

        Raises
        ------
        NoAnswer, WrongAnswer, Refused, LinkDown: try again later.
        NotAllowed: the coil is not on the list.
        """
        order = CoilOrder(self._allowed, coil, seconds)
        if self._own and not self._bus.connected:
            await self._bus.open()
        if self._allowed.manner == "timed" and self._recognised != self._bus.opened:
            await self._recognise()
        try:
            await self._order(order)
        except BusTrouble:
            self._recognised = 0
            raise

    async def _order(self, order: CoilOrder) -> None:
        """Once, and on a serial line read back."""
        try:
            await self._bus.switch(order)
        except WrongAnswer as trouble:
            # The order heard back and its answer are two answers to the bus.
            if not self._echoes or trouble.key != "two_answers":
                raise
        if self._echoes:
            answer = await self._bus.read(self._allowed.unit, Request("coil", order.coil, 1))
            if bool(answer.values[0]) != order.lit:
                raise WrongAnswer("not_switched", f"coil {order.coil} of unit {self._allowed.unit}")

    def close(self) -> None:
        """Close the bus, if it is ours."""
        if self._own:
            self._bus.close()

    async def _recognise(self) -> None:
        opened = self._bus.opened
        self._recognised = 0
        try:
            version = (await self._bus.read(self._allowed.unit, _FIRMWARE)).values[0]
        except Refused as refused:
            raise WrongAnswer("no_coupler", f"unit {self._allowed.unit}: exception {refused.code} to its version") from refused
        if version not in _VERSIONS:
            raise WrongAnswer("no_coupler", f"unit {self._allowed.unit}: version {version}")
        self._recognised = opened
