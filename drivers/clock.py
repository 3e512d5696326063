"""Time, handed down from the commands to whoever needs it, so that a test can hold it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations, and a way to wait."""

    def wall(self) -> float:
        """Seconds since 1970 UTC; never steps back while the process lives."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; for durations."""
        ...

    def drift(self) -> float:
        """Seconds by which the system's clock is ahead of `wall()`: a Pi without a clock battery learns the time late."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        ...


class SystemClock:
    """The machine's clock, anchored once: stamps keep the order in which things happened even if NTP steps the system clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        return time.monotonic() + self._offset

    def monotonic(self) -> float:
        """Seconds, for durations."""
        return time.monotonic()

    def drift(self) -> float:
        """System clock minus `wall()`, seconds."""
        return time.time() - self.wall()

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        await asyncio.sleep(max(0.0, seconds))
