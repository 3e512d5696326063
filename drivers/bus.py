"""One physical Modbus link: one verified transaction at a time, the line drained after any doubt, the link rebuilt when it is dead.

Why it is done this way, with the measurements behind it: docs/decisions/0002-bus.md.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

from drivers.clock import Clock
from drivers.coils import CoilOrder
from drivers.late import LIFE, LateAnswers
from drivers.latency import LEAST, ReplyTime
from drivers.modbus import ModbusClient
from drivers.options import BusOptions
from drivers.plan import Request, most, vary
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer
from drivers.wire_time import character, characters, silence

_LEAST_ANSWER = 5
"""Bytes of the shortest answer (RTU); fewer behind an answer are a glitch of the line as its driver lets go."""
_ILLEGAL = frozenset({2, 3})
"""Exceptions that mean: not this address, not so many."""
_SEEN = 8
"""Answers of which a copy is known for one."""
_ROUNDS = 40
"""Most times that more is waited for behind an answer."""
_BABBLE = 2.0
"""Seconds after which a line that will not fall silent is closed and opened again; longer where one wait for silence is long."""
_SILENT = 15.0
"""Seconds without a single good answer after which an open link is closed and opened again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Values of one request, and when they were true: wall time at the middle of the transaction."""

    values: list[int]
    time: float


@dataclass(slots=True)
class Device:
    """What the bus knows about one unit."""

    unit: int
    replies: ReplyTime
    late: LateAnswers
    gap: float = 0.0
    """Silence that it needs before and after, where that is longer than the line's, s."""
    may_pad: bool = True
    max_count: int = 125
    answers: int = 0
    timeouts: int = 0
    stale_replies: int = 0
    mismatches: int = 0
    exceptions: int = 0
    troubled: float = -math.inf
    """When it was last silent without anything else being wrong."""
    seen: deque[bytes] = field(default_factory=lambda: deque(maxlen=_SEEN))
    """Its last answers as they stood on the wire, those that nobody waited for, too."""


@dataclass(slots=True)
class _Line:
    """Times of the wire, s."""

    gap: float
    byte: float
    """One character; 0 on TCP."""
    quiet_since: float = 0.0
    owed: float = 0.0
    """Silence that the device which spoke last needs."""
    unanswered: int | None = None
    """The unit whose question came to nothing just now: a gateway may still be waiting for it."""
    heard: float = 0.0
    troubled: float = -math.inf
    """When something was last wrong on it that may concern every device."""
    devices: dict[int, Device] = field(default_factory=dict)


class Bus:
    """One link and the devices on it.

    Parameters
    ----------
    options: `timeout` is the longest wait for one answer.
    clock: time, for the gaps and the stamps. The wait for an answer itself is the loop's.
    floor: shortest time-out, s.
    life: seconds for which a late answer is kept in mind (RTU).
    """

    def __init__(self, options: BusOptions, clock: Clock, *, floor: float = LEAST, life: float = LIFE) -> None:
        self.options = options
        self._clock = clock
        self._floor = floor
        self._life = life
        self._numbered = options.framing == "tcp"
        """Whether an answer carries the number of its request."""
        self._line = _Line(silence(options), 0.0 if self._numbered else character(options))
        self._client: ModbusClient | None = None
        self._lock = asyncio.Lock()
        self.opened = 0

    @property
    def connected(self) -> bool:
        """Whether the link is open."""
        return self._client is not None and self._client.connected

    @property
    def turn(self) -> asyncio.Lock:
        """Held during each transaction: who holds it knows that nothing is in flight."""
        return self._lock

    def device(self, unit: int) -> Device:
        """The record of one unit."""
        device = self._line.devices.get(unit)
        if device is None:
            replies = ReplyTime(self.options.timeout, self._floor)
            device = self._line.devices[unit] = Device(unit, replies, LateAnswers(self._life))
        return device

    async def open(self) -> None:
        """Open the link, or open it again: the old one is closed first, for a device that takes one client only.

        Raises
        ------
        LinkDown: it cannot be opened now. Try again later.
        """
        async with self._lock:
            self._close()
        client = ModbusClient(self.options)
        try:
            await client.connect()
        finally:
            if not client.connected:
                client.close()
        self._client = client
        self.opened += 1
        self._line.heard = self._line.quiet_since = self._clock.monotonic()

    def close(self) -> None:
        """Close the link. Nothing may be in flight."""
        self._close()

    async def read(self, unit: int, request: Request) -> Answer:
        """Read one request; never retries.

        A task that is cancelled in here leaves the line as a time-out does: the next read drains it first.

        Raises
        ------
        NoAnswer, WrongAnswer, Refused, LinkDown: what to do next; see drivers.trouble.
        """
        device = self.device(unit)
        async with self._lock:
            start = self._clock.wall()
            parts = self._parts(device, request)
            values, repeated = await self._ask(device, parts, request.count)
            if repeated:
                taken = frozenset(part.size for part in parts)
                try:
                    parts = self._parts(device, request, taken)
                except NoAnswer:
                    parts = ()
                if all(part.size not in taken for part in parts):
                    # If it was a copy, the answer proper is still to come, whether anything else can be asked now or not.
                    for size in taken:
                        device.late.missed(request.function, size, self._clock.monotonic())
                if not parts:
                    raise NoAnswer("late_answers", f"unit {device.unit}: an answer that may be a copy, and nothing else to ask")
                start = self._clock.wall()
                values, _ = await self._ask(device, parts, request.count)
            return Answer(values, (start + self._clock.wall()) / 2)

    async def switch(self, order: CoilOrder) -> None:
        """Carry out one order to a coil of an own beacon: sent once, and repeated by the coupler byte by byte.

        Raises
        ------
        NoAnswer, WrongAnswer, Refused, LinkDown: what to do next; see drivers.trouble.
        """
        async with self._lock:
            await self._transact(self.device(order.allowed.unit), order, padded=False)

    def _parts(self, device: Device, request: Request, taken: frozenset[int] = frozenset()) -> tuple[Request, ...]:
        """The request, or others for the same registers that no late answer (nor one of a size that is `taken`) can be taken for."""
        if self._numbered:
            return (request,)
        refused = taken | device.late.sizes(request.function, self._clock.monotonic())
        limit = most(request.table, device.max_count)
        parts = vary(request, lambda size: size not in refused, limit, device.may_pad, unequal=bool(taken))
        if not parts and taken and request.size not in device.late.sizes(request.function, self._clock.monotonic()):
            # One register whose neighbour may not be read: a copy was used up, the second answer is the device's own.
            return (request,)
        if not parts:
            raise NoAnswer("late_answers", f"unit {device.unit}: waiting for late answers of {len(refused)} sizes")
        return parts

    async def _ask(self, device: Device, parts: tuple[Request, ...], count: int) -> tuple[list[int], bool]:
        """The values of all parts, no more than `count`; and whether one of the answers may be a copy of the one before.

        A copy that a repeater holds back looks like the answer to the next request of that size: it is the same byte by byte. Where
        nothing else was wrong on the line of late, nor was this device silent, an equal answer only means that nothing changed.
        """
        values: list[int] = []
        repeated = False
        for part in parts:
            values += await self._transact(device, part, padded=part.count > count)
            if self._client is not None and not self._numbered:
                frame = self._client.answer
                troubled = max(self._line.troubled, device.troubled)
                repeated |= frame in device.seen and self._clock.monotonic() - troubled < self._life
                device.seen.append(frame)
        return values[:count], repeated

    async def _transact(self, device: Device, part: Request | CoilOrder, padded: bool) -> list[int]:
        client = self._client
        if client is None or not client.connected:
            raise LinkDown("closed", self.options.name)
        await self._wait_gap(client, device)
        line = characters(self.options, part.size) * self._line.byte
        behind = self._numbered and self._line.unanswered not in {None, device.unit}
        timeout = self.options.timeout if behind else device.replies.timeout(line)
        sent = self._clock.monotonic()
        try:
            values = await client.exchange(device.unit, part, timeout)
            if not self._numbered:
                await self._settle(client, device)
        except Refused as refused:
            await self._refused(client, device, part, sent)
            if padded:
                device.may_pad = device.may_pad and refused.code not in _ILLEGAL
                raise NoAnswer("late_answers", f"unit {device.unit}: exception {refused.code} to a longer read") from None
            raise
        except (NoAnswer, WrongAnswer) as trouble:
            if isinstance(trouble, NoAnswer):
                device.timeouts += 1
                device.replies.silent()
                self._line.unanswered = device.unit
            else:
                device.mismatches += 1
            await self._doubt(client, device, part, sent, silent=isinstance(trouble, NoAnswer))
            raise
        except LinkDown:
            if not self._numbered:
                # A device server gives what comes to whoever connects next.
                self._line.troubled = self._clock.monotonic()
                device.late.missed(part.function, part.size, sent)
            raise
        except asyncio.CancelledError:
            if not self._numbered:
                device.late.missed(part.function, part.size, sent)
                self._line.quiet_since = self._clock.monotonic() + device.replies.timeout(line)
            raise
        self._heard(device, sent, line, learn=not behind)
        if client.leftover:
            self._count_strays(client)
        device.answers += 1
        return values

    def _heard(self, device: Device, sent: float, line: float, *, learn: bool = True) -> None:
        """The device spoke: learn its reply time (unless it waited behind another), and that what it owes from before is overtaken."""
        now = self._clock.monotonic()
        settled = 0.0 if self._numbered else self._line.gap
        if learn:
            device.replies.answered(max(0.0, now - sent - line - settled))
        device.late.answered(now)
        self._line.unanswered = None
        self._line.heard = now
        self._line.quiet_since = now - settled
        self._line.owed = device.gap

    async def _wait_gap(self, client: ModbusClient, device: Device) -> None:
        """Silence before a request, as long as this device and the one that spoke last need; what came meanwhile is thrown away."""
        gap = max(self._line.gap, self._line.owed, device.gap)
        wait = self._line.quiet_since + gap - self._clock.monotonic()
        if wait > 0:
            await self._clock.sleep(wait)
        if client.unasked:
            await self._drain(client, self._line.gap)

    async def _settle(self, client: ModbusClient, device: Device) -> None:
        """An RTU frame ends with a silence (Modbus over Serial Line V1.02, 2.5.1.1): only then is it sure that no second answer follows."""
        for _ in range(_ROUNDS):
            before = client.arrived
            await self._clock.sleep(self._line.gap)
            if client.arrived == before:
                break
        if client.unasked >= _LEAST_ANSWER:
            raise WrongAnswer("two_answers", f"unit {device.unit}: {client.unasked} bytes behind the answer")

    async def _refused(self, client: ModbusClient, device: Device, part: Request | CoilOrder, sent: float) -> None:
        """An exception carries no values, but it may be a late one, and the answer proper still to come."""
        device.exceptions += 1
        owed = device.late.any(sent)
        if not self._numbered:
            await self._clock.sleep(self._line.gap)
        self._heard(device, sent, 0.0)
        if not self._numbered and (client.unasked or owed):
            await self._doubt(client, device, part, sent)

    async def _doubt(self, client: ModbusClient, device: Device, part: Request | CoilOrder, sent: float, *, silent: bool = False) -> None:
        """After a time-out or a wrong answer: keep in mind what may still come, and let the line run dry.

        `silent`: not a byte came. That says nothing of the other devices, unless something comes now.
        """
        arrived = client.arrived
        device.troubled = self._clock.monotonic()
        if not self._numbered:
            device.late.missed(part.function, part.size, sent)
            await self._drain(client, max(self._line.gap, min(device.replies.worst, self.options.timeout)))
        else:
            self._count_strays(client)
        if not silent or client.arrived != arrived:
            self._line.troubled = self._clock.monotonic()
        now = self._clock.monotonic()
        if not client.connected or now - self._line.heard > _SILENT:
            self._close()

    async def _drain(self, client: ModbusClient, wait: float) -> None:
        """Wait until nothing came for `wait` seconds, and throw away what did; a line that babbles on is closed."""
        end = self._clock.monotonic() + max(_BABBLE, 3.0 * wait)
        before = -1
        while client.arrived != before:
            if self._clock.monotonic() >= end:
                client.close()
                break
            before = client.arrived
            await self._clock.sleep(wait)
        self._count_strays(client)
        self._line.quiet_since = self._clock.monotonic() - self._line.gap

    def _count_strays(self, client: ModbusClient) -> None:
        now = self._clock.monotonic()
        for stray in client.strays():
            device = self._line.devices.get(stray.unit)
            if device is None:
                continue
            device.stale_replies += 1
            self._line.troubled = now
            if stray.frame in device.seen:
                continue  # a copy: the answer that is waited for may be another
            if not self._numbered:
                device.seen.append(stray.frame)
            delay = device.late.came(stray.function, stray.size, now)
            if delay is not None:
                device.replies.answered(min(delay, self.options.timeout))

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
