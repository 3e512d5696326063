"""The event stream of one browser (WHATWG HTML, server-sent events)."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.display.hub import Viewer

HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class EventStream(Response):
    """Sends what the viewer is to be told until the browser or the hub leaves.

    A browser that reads slowly blocks its own `send` alone; meanwhile nothing queues up for it, it gets the newest state next.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Serve one browser."""
        gone = asyncio.create_task(_gone(receive), name="page viewer leaves")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            while not gone.done():
                events = await self._viewer.next()
                if not events:
                    break
                await send({"type": "http.response.body", "body": events, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._viewer.leave()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
