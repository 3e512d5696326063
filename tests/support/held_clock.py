"""A clock that stands until a test moves it; sleepers wake in the order of their times."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class HeldClock:
    def __init__(self, wall: float = 1_750_000_000.0) -> None:
        self._now = 0.0
        self._wall = wall
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def wall(self) -> float:
        return self._wall + self._now

    def monotonic(self) -> float:
        return self._now

    def drift(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), next(self._count), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on; whoever wakes on the way runs before the clock goes further."""
        end = self._now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end + 1e-9:
            at, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now = end
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
