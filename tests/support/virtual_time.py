"""A loop whose time stands while anything is under way and jumps to the next timer when nothing is: hours of time-outs in seconds.

The bytes take real ptys and real sockets. Time jumps only when no descriptor is readable; poll(2) asks a pty whether the kernel still
carries bytes to it (n_tty_poll), which epoll would not. A socket is given a moment more.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_MOMENT = 0.0005
"""s of real time in which loopback delivers what was sent."""


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, moment: float = 0.0) -> None:
        self.now = 1000.0
        self.jumps = 0
        super().__init__(_Jumping(self, moment))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.PollSelector):
    def __init__(self, loop: VirtualLoop, moment: float) -> None:
        super().__init__()
        self._loop = loop
        self._moment = moment

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            return super().select(None)
        events = super().select(self._moment) if self._moment else []
        if not events:
            self._loop.now += timeout + 1e-9
            self._loop.jumps += 1
        return events


class LoopClock:
    """The clock of the loop that runs."""

    def wall(self) -> float:
        return 1_750_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def drift(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run_virtual(main: Coroutine[Any, Any, T], *, sockets: bool = False) -> T:
    """Run to the end. With `sockets`, what is sent through one is waited for before time jumps."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(_MOMENT if sockets else 0.0)) as runner:
        return runner.run(main)
