"""What a browser may ask of the page's server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from agent.commands import Command, CommandResult
from agent.display.assets import Assets
from agent.display.guard import Guard
from agent.display.hub import Hub
from agent.display.said import Speakers
from agent.display.stream import EventStream
from agent.plot import Size
from agent.settings import MachineOptions

MOST_BYTES = 4096
"""Of a command: the longest one is a ticked step with a note."""
PATIENCE = 5.0
"""s that a browser has to send a command, and that the monitor has to answer it."""

SHARED = ("execution", "bus", "mqtt", "store")
"""Branches of the catalogue besides its own that the page shows."""

Submit = Callable[[Command], Awaitable[CommandResult]]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was turned down: a key, and the sentence that goes with it."""

    reason: str
    text: str
    detail: str = ""


class Api:
    """Routes of one display."""

    def __init__(self, hub: Hub, assets: Assets, speakers: Speakers, machine: MachineOptions, version: str, submit: Submit) -> None:
        self._hub = hub
        self._assets = assets
        self._speakers = speakers
        self._machine = machine
        self._version = version
        self._submit = submit

    def app(self, names: tuple[str, ...]) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            Route("/api/snapshot", self.snapshot),
            Route("/api/texts/{language}", self.texts),
            Route("/api/alerts/{alert}", self.explained),
            Route("/api/alerts/{alert}/picture.svg", self.picture),
            Route("/api/operations", self.operations),
            Route("/api/budget", self.budget),
            Route("/api/command", self.command, methods=["POST"]),
            Route("/events", self.events),
        ]
        return Starlette(routes=routes, middleware=[Middleware(Guard, names=names)])

    async def page(self, _: Request) -> Response:
        """The page itself, in the machine's language until the browser says otherwise."""
        body = self._assets.files["index.html"].body
        body = body.replace(b'<html lang="fr"', b'<html lang="%s"' % self._machine.language.encode(), 1)
        return Response(body, media_type="text/html", headers={"cache-control": "no-cache"})

    async def static(self, request: Request) -> Response:
        """One of its files."""
        asset = self._assets.files.get(request.path_params["name"])
        if asset is None:
            return self._refuse(request, 404, "not_found")
        headers = {"etag": asset.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers={**headers, "content-type": asset.type})

    async def snapshot(self, request: Request) -> Response:
        """The newest snapshot, whole."""
        if self._hub.snapshot is None:
            return self._refuse(request, 503, "no_snapshot")
        return _json(self._hub.snapshot)

    async def explained(self, request: Request) -> Response:
        """Why one alert may be believed, in words."""
        known = self._hub.explained(request.path_params["alert"])
        if known is None:
            return self._refuse(request, 404, "not_found")
        return _json(self._speakers[self._language(request)].explain(*known))

    async def picture(self, request: Request) -> Response:
        """What a detector saw when it spoke, as SVG of the size asked for: `w`, `h` and `font`, px."""
        known = self._hub.explained(request.path_params["alert"])
        size = Size(
            _within(request, "w", 640.0, (160.0, 4000.0)),
            _within(request, "h", 240.0, (90.0, 2500.0)),
            _within(request, "font", 16.0, (8.0, 60.0)),
        )
        drawn = self._speakers[self._language(request)].picture(*known, size) if known is not None else ""
        if not drawn:
            return self._refuse(request, 404, "not_found")
        return Response(drawn, media_type="image/svg+xml", headers={"cache-control": "no-store"})

    async def operations(self, request: Request) -> Response:
        """How well each operation is watched: figures, and words in the same order."""
        snapshot = self._hub.snapshot
        if snapshot is None:
            return self._refuse(request, 503, "no_snapshot")
        said = self._speakers[self._language(request)].operations(snapshot)
        return _json([{"view": view, "said": words} for view, words in zip(snapshot.operations, said, strict=True)])

    async def budget(self, request: Request) -> Response:
        """What became of the false-alarm budget: figures, and words."""
        snapshot = self._hub.snapshot
        if snapshot is None:
            return self._refuse(request, 503, "no_snapshot")
        known = snapshot.realised
        return _json({"realised": known, "said": self._speakers[self._language(request)].realised(known)})

    async def texts(self, request: Request) -> Response:
        """Every string of the page in one language."""
        language = request.path_params["language"]
        if language not in self._speakers:
            return self._refuse(request, 404, "not_found")
        texts = self._speakers[language].texts
        return _json(
            {
                "language": language,
                "languages": list(self._speakers),
                "machine": self._machine.name,
                "timezone": self._machine.timezone,
                "version": self._version,
                "build": self._assets.build,
                "texts": {**texts.branch("page"), **{name: texts.branch(name) for name in SHARED}},
            }
        )

    async def events(self, request: Request) -> Response:
        """Server-sent events: said, history, pictures, health, state, beat."""
        viewer = self._hub.join(self._language(request))
        return self._refuse(request, 503, "too_many_viewers") if viewer is None else EventStream(viewer)

    async def command(self, request: Request) -> Response:
        """One command of `agent.commands`, from this page alone (see `guard`)."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return self._refuse(request, 415, "not_json")
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(request)
        except TimeoutError:
            return self._refuse(request, 408, "too_slow")
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return self._refuse(request, 413, "too_large")
        try:
            command = msgspec.json.decode(body, type=Command)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._refuse(request, 400, "not_a_command", str(error))
        try:
            async with asyncio.timeout(PATIENCE):
                result = await self._submit(command)
        except TimeoutError:
            return self._refuse(request, 504, "no_answer")
        if result.accepted:
            return _json(result)
        return self._refuse(request, 409, result.reason)

    def _refuse(self, request: Request, status: int, reason: str, detail: str = "") -> Response:
        texts = self._speakers[self._language(request)].texts
        text = texts.refusal(reason) if status == 409 else texts.say(f"page.refused.{reason}")
        return _json(Refused(reason=reason, text=text, detail=detail), status)

    def _language(self, request: Request) -> str:
        wanted = request.query_params.get("lang", "")
        return wanted if wanted in self._speakers else self._machine.language


def _within(request: Request, name: str, usual: float, limits: tuple[float, float]) -> float:
    """A number of the query, within limits; `usual` where it is none."""
    try:
        value = float(request.query_params.get(name, usual))
    except ValueError:
        return usual
    return min(max(value, limits[0]), limits[1]) if value == value else usual


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return body


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json", headers={"cache-control": "no-store"})
