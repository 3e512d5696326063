"""How the links and the devices on them are: what the page and the status topic show, and when a silent device is asked again."""

from __future__ import annotations

from typing import Literal

import msgspec

DeviceState = Literal["starting", "ok", "degraded", "offline"]
LinkState = Literal["starting", "open", "down"]

FIRST_PROBE = 0.5
LAST_PROBE = 10.0
"""Seconds between two questions to a device that is offline: doubled from the first to the last."""

PROBE_SHARE = 16.0
"""A question that found nobody costs the others on its line its time-out: the next one comes no sooner than so many times that later, so
that they keep 94 % of the line. Where nobody else is there, nothing is lost by asking."""

_LONGEST_INTERVAL = 5.0
"""Seconds between two frames of the slowest stream."""


class DeviceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One source. Counts are since the start; `error` is a key of the text catalogue under [bus], '' if all is well."""

    source: str
    unit: int
    state: DeviceState
    since: float
    """When this state began, s UTC."""
    answers: int = 0
    timeouts: int = 0
    stale_replies: int = 0
    """Whole answers that came when nobody waited for them, and were thrown away."""
    mismatches: int = 0
    """Reads in which something was heard, but not the answer."""
    exceptions: int = 0
    """Modbus exceptions."""
    latency: float | None = None
    """Smoothed reply time without the time that the bytes take, s."""
    timeout: float = 0.0
    """Time-out now, s."""
    missed_periods: int = 0
    """Readings that were due and did not take place because the bus was busy or the device offline."""
    frames: int = 0
    """Stream: good frames."""
    refused_frames: int = 0
    """Stream: damaged or implausible ones."""
    lost_samples: int = 0
    """Stream: samples a frame counter says are missing."""
    dropped_bytes: int = 0
    """Stream: bytes that came before the parser was ready and found no room."""
    error: str = ""
    detail: str = ""


class BusHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One physical link."""

    bus: str
    state: LinkState
    since: float
    opened: int = 0
    """How many times it was opened."""
    error: str = ""
    detail: str = ""
    devices: tuple[DeviceHealth, ...] = ()


class Presence:
    """Whether one device is there, and when it is asked again if not. Pure; times are those of Clock.monotonic().

    Lost means: at least one question was not answered, and since the last answer `patience` seconds have passed.
    """

    def __init__(self, every: float, timeout: float) -> None:
        self.every = every
        self.patience = self._shortest = max(timeout, 2.0 * every)
        self._interval = 0.0
        self.state: DeviceState = "starting"
        self._last = 0.0
        self._failed = 0
        self._lost = 0.0
        self._wait = FIRST_PROBE

    def begin(self, now: float) -> None:
        """Count patience from here."""
        self._last = now

    def heard_every(self, interval: float) -> None:
        """A stream has no period of its own: `interval` seconds passed between two frames. Long ones are remembered for a while.

        An interval above `_LONGEST_INTERVAL` was a loss, and teaches nothing.
        """
        self._interval = max(interval if interval < _LONGEST_INTERVAL else 0.0, 0.9 * self._interval)
        self.patience = max(self._shortest, 2.0 * self._interval)

    @property
    def deadline(self) -> float:
        """When it is lost if it stays silent."""
        return self._last + self.patience

    def answered(self, now: float, whole: bool = True) -> None:
        """It answered; not whole: some of what was asked was refused or damaged."""
        self._last = now
        self._failed = 0
        self._wait = FIRST_PROBE
        self.state = "ok" if whole else "degraded"

    def failed(self, now: float, asked: float | None = None) -> bool:
        """A question (of the time `asked`) was not answered. Returns whether the loss is to be told (again)."""
        self._failed += 1
        if self.state == "offline":
            if asked is not None and asked < self._lost:
                return False  # told while this question was under way
            self._wait = min(LAST_PROBE, 2.0 * self._wait)
            return True
        if self.state == "ok":
            self.state = "degraded"
        return self.overdue(now)

    def overdue(self, now: float) -> bool:
        """Whether it is lost as of `now`; true once."""
        if self.state == "offline" or not self._failed or now < self.deadline:
            return False
        self.state = "offline"
        self._lost = now
        self._wait = FIRST_PROBE
        return True

    def again(self, now: float, due: float, cost: float = 0.0) -> float:
        """When to ask next after a failure: sooner than `due`, the next regular time, while it may be one lost answer, later when lost.

        `cost`: seconds of the line that the question took from others.
        """
        if self.state == "offline":
            return now + min(LAST_PROBE, max(self._wait, PROBE_SHARE * cost))
        return min(due, now + self.every / 4.0)
