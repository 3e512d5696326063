"""The operator's page as the daemon sees it: start, show, stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping

import uvicorn

from agent import __version__
from agent.display.api import Api, Submit
from agent.display.assets import Assets
from agent.display.health import Health
from agent.display.hub import Hub
from agent.display.said import Speaker
from agent.model import Alert, Snapshot
from agent.settings import DisplayOptions, MachineSettings
from agent.texts import Texts
from drivers.clock import Clock

SEND_BUFFER = 64 * 1024
"""Bytes that the system may hold back for a browser that does not read: more would be a queue of stale states."""
ABANDON = 15_000
"""ms after which a browser that acknowledges nothing is given up (TCP_USER_TIMEOUT, RFC 5482): its place is free again."""
MOST_CONNECTIONS = 64


class DisplayError(Exception):
    """The page cannot be served here; the text says what to change, in the machine's language."""


class Display:
    """Serves the page inside the running loop.

    Parameters
    ----------
    options: where to listen; port 0 takes a free one.
    texts: the catalogues by language code; the machine's own language must be among them.
    clock: wall time for the stream, on the axis of the live readings.
    submit: hands a command to the monitor.
    settings: the machine file: name, language, time zone, tools, units.
    """

    def __init__(
        self,
        options: DisplayOptions,
        texts: Mapping[str, Texts],
        clock: Clock,
        submit: Submit,
        *,
        settings: MachineSettings,
    ) -> None:
        assets = Assets.read()
        self._options = options
        self._words = texts[settings.machine.language]
        speakers = {language: Speaker(words, settings) for language, words in texts.items()}
        self._hub = Hub(clock, speakers, assets.build)
        self._app = Api(self._hub, assets, speakers, settings.machine, __version__, submit).app(options.names)
        self._server: _Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> str:
        """Listen, and return the address of the page.

        Raises DisplayError if the address or the port cannot be had.
        """
        listener = self._listen()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            http="h11",
            interface="asgi3",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets=[listener]), name="page server"),
            asyncio.create_task(self._hub.run(), name="page hub"),
        ]
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait((ready, self._tasks[0]), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        host, port = listener.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def show(self, snapshot: Snapshot, health: Health | None = None) -> None:
        """Put a new state on every open page; on the loop, cheap, at any rate.

        At least one a second: a page that gets no new state for 2 s goes grey. `health` may be left out when it has not changed.
        """
        self._hub.show(snapshot, health)

    def note(self, alert: Alert) -> None:
        """Tell the history of an alert that has left the snapshot (cleared, judged false)."""
        self._hub.note(alert)

    @property
    def viewers(self) -> int:
        """Open pages."""
        return self._hub.viewers

    async def stop(self) -> None:
        """End every stream, close the port."""
        self._hub.close()
        if self._server is not None:
            self._server.should_exit = True
        await asyncio.gather(*self._tasks)
        self._tasks = []

    def _listen(self) -> socket.socket:
        bind, port = self._options.bind, self._options.port
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            raise self._error("bind", error) from error
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ABANDON)
            listener.bind(address)
            listener.listen(32)
        except OSError as error:
            listener.close()
            key = {errno.EADDRINUSE: "port_taken", errno.EACCES: "port_forbidden"}.get(error.errno or 0, "bind")
            raise self._error(key, error) from error
        listener.setblocking(False)
        return listener

    def _error(self, key: str, error: OSError) -> DisplayError:
        values = {"bind": self._options.bind, "port": str(self._options.port), "error": error.strerror or str(error)}
        return DisplayError(self._words.say(f"page.error.{key}", **values))


class _Server(uvicorn.Server):
    """uvicorn that says when it listens and leaves the signals to the daemon."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
