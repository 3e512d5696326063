"""Runs a coroutine in asyncio's debug mode; whatever the loop complains about fails the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, seconds: float = 60.0, debug: bool = True) -> T:
    complaints: list[dict[str, Any]] = []

    async def bounded() -> T:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 10.0  # two busy cores: not a fault of the code
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(seconds):
            result = await main
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, f"tasks left behind: {left}"
        return result

    result = asyncio.run(bounded(), debug=debug)
    assert not complaints, complaints
    return result


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that the code under test does; polls, for want of an event."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and see it end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def bounded(what: Awaitable[T], seconds: float = 20.0) -> T:
    async with asyncio.timeout(seconds):
        return await what
