"""An event loop that waits as long as it is asked to.

epoll waits in whole milliseconds, and asyncio rounds up: the 1.75 ms of silence between two frames become 2, each time (Modbus over Serial
Line V1.02, 2.5.1.1). `select` knows microseconds, and epoll's own descriptor can be waited for; so short waits go through both.
"""

from __future__ import annotations

import asyncio
import select
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")

SHORT = 0.05
"""s; in longer waits a millisecond is nothing, and one system call is cheaper than two."""
_MOST = 1024
"""File descriptors that select can look at (FD_SETSIZE)."""


class FineSelector(selectors.EpollSelector):
    """epoll, with short waits to the microsecond."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the base class has it."""
        if timeout is not None and 0.0 < timeout < SHORT and self.fileno() < _MOST:
            select.select((self,), (), (), timeout)
            timeout = 0.0
        return super().select(timeout)


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop on such a selector."""
    return asyncio.SelectorEventLoop(FineSelector())


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run` on such a loop."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)
