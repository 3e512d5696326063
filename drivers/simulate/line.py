"""What can go wrong with the answers of one Modbus link: silence, late answers, wrong ones. The real wire lies below."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from drivers.clock import Clock
from drivers.simulate.faults import Late, Silence, Wrong

GAP = 0.005
"""s between a late answer and the one that follows it."""

Frame = Callable[[int, bytes, bool], bytes]
"""(unit, PDU, spoilt check?) to the bytes on the wire"""
Send = Callable[[bytes], None]
Answering = Silence | Late | Wrong
F = TypeVar("F", Silence, Late, Wrong)


@dataclass(slots=True)
class _Active:
    fault: Answering
    until: float
    left: float


class Line:
    """The faults of one link. Every answer goes through `reply`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: list[_Active] = []
        self._held: list[tuple[Send, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, fault: Answering) -> None:
        """From now on, for `seconds`, for `count` answers, or until `end`; the same fault again replaces itself."""
        self._active = [active for active in self._active if type(active.fault) is not type(fault)]
        if fault.end:
            return
        count = None if isinstance(fault, Silence) else fault.count
        until = self._clock.monotonic() + fault.seconds if fault.seconds is not None else float("inf")
        self._active.append(_Active(fault, until, float("inf") if count is None else count))

    def reply(self, frame: Frame, unit: int, pdu: bytes, send: Send) -> None:
        """Send this answer as the faults of the moment have it."""
        if self._take(Silence) is not None:
            return
        wrong = self._take(Wrong)
        data = frame(unit, pdu, False) if wrong is None else _spoil(wrong, frame, unit, pdu)
        held, self._held = self._held, []
        for old_send, old in held:
            old_send(old)
        late = self._take(Late)
        if late is not None and late.ms is None:
            self._held.append((send, data))
        elif late is not None and late.ms is not None:
            self._after(late.ms / 1000.0, send, data)
        elif held:
            self._after(GAP, send, data)
        else:
            send(data)

    def close(self) -> None:
        """Forget every answer that is still to come."""
        self._held.clear()
        for task in self._tasks:
            task.cancel()

    def _take(self, kind: type[F]) -> F | None:
        now = self._clock.monotonic()
        self._active = [active for active in self._active if active.until > now and active.left > 0]
        for active in self._active:
            if isinstance(active.fault, kind):
                active.left -= 1
                return active.fault
        return None

    def _after(self, seconds: float, send: Send, data: bytes) -> None:
        async def later() -> None:
            await self._clock.sleep(seconds)
            send(data)

        task = asyncio.get_running_loop().create_task(later(), name="late answer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _spoil(wrong: Wrong, frame: Frame, unit: int, pdu: bytes) -> bytes:
    match wrong.what:
        case "unit":
            return frame(unit + 1, pdu, False)
        case "function":
            return frame(unit, bytes([pdu[0] ^ 7 if pdu[0] & 0x7F in (3, 4) else pdu[0] ^ 3]) + pdu[1:], False)
        case "check":
            return frame(unit, pdu, True)
        case "twice":
            return frame(unit, pdu, False) * 2
        case "short":
            return frame(unit, pdu, False)[:-3]
        case "count":
            if pdu[0] & 0x80:
                return frame(unit, pdu, False)
            size = 2 if pdu[0] in (3, 4) else 1
            data = pdu[2:-size] if pdu[1] > size else pdu[2:] + bytes(size)
            return frame(unit, bytes([pdu[0], len(data)]) + data, False)
