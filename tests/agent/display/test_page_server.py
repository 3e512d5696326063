"""The page's server over real HTTP: what it gives, whom it refuses, and that no body brings a traceback."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from agent.commands import Acknowledge, Command, CommandResult, TickStep
from agent.display.api import MOST_BYTES
from agent.display.hub import MOST_VIEWERS
from agent.display.server import Display
from agent.model import Snapshot
from agent.paths import DataPaths
from agent.settings import DisplayOptions
from agent.texts import LANGUAGES, Texts
from drivers.clock import SystemClock
from tests.support import aio, snapshots
from tests.support.page import EventReader

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def texts() -> dict[str, Texts]:
    paths = DataPaths.find(None)
    return {language: Texts.load(paths, language) for language in LANGUAGES}


class House:
    """A display that runs, and what it was told to do."""

    def __init__(self, display: Display, url: str) -> None:
        self.display = display
        self.url = url
        self.port = int(url.rstrip("/").rpartition(":")[2])
        self.commands: list[Command] = []
        self.answer: Callable[[Command], CommandResult] = lambda command: CommandResult(id=command.id, accepted=True)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            raw = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            content = json.loads(raw) if found.get("content-type", "").startswith("application/json") else raw
            return response.status, content, found
        finally:
            connection.close()

    def post(self, body: bytes, **headers: str) -> tuple[int, Any]:
        given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        status, content, _ = self.ask("POST", "/api/command", body, given)
        return status, content


@asynccontextmanager
async def running(texts: dict[str, Texts], **options: Any) -> AsyncIterator[House]:
    async def submit(command: Command) -> CommandResult:
        house.commands.append(command)
        return house.answer(command)

    display = Display(DisplayOptions(port=0, **options), texts, CLOCK, submit, settings=snapshots.settings())
    house = House(display, await display.start())
    try:
        yield house
    finally:
        await display.stop()


def with_house(texts: dict[str, Texts], test: Callable[[House], None], shown: Snapshot | None = None, **options: Any) -> None:
    """Run a blocking client in a thread beside the server."""

    async def main() -> None:
        async with running(texts, **options) as house:
            if shown is not None:
                house.display.show(shown)
            await asyncio.to_thread(test, house)

    aio.run(main(), debug=False)


def acknowledge(alert: str = "a1") -> bytes:
    return msgspec.json.encode(Acknowledge(alert=alert, id="1"))


def test_the_page_and_its_files_are_there_under_strict_headers(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        for path in ("/", "/static/page.js", "/static/page.css", "/api/texts/fr", "/nowhere", "/api/snapshot"):
            _, _, headers = house.ask("GET", path)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers
        status, page, headers = house.ask("GET", "/")
        assert status == 200
        assert headers["content-type"].startswith("text/html")
        assert b'<html lang="fr">' in page
        assert house.ask("GET", "/static/page.js")[2]["content-type"].startswith("text/javascript")

    with_house(texts, test)


def test_an_unchanged_file_is_not_sent_twice(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        _, _, headers = house.ask("GET", "/static/page.js")
        status, body, _ = house.ask("GET", "/static/page.js", headers={"If-None-Match": headers["etag"]})
        assert (status, body) == (304, b"")

    with_house(texts, test)


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e%2fserver.py", "/static/..%2Fserver.py", "/static/", "/static/x.js", "//etc/passwd"]
)
def test_no_other_file_of_the_disk_can_be_had(texts: dict[str, Texts], path: str) -> None:
    def test(house: House) -> None:
        assert house.ask("GET", path)[0] == 404

    with_house(texts, test)


def test_the_snapshot_as_json(texts: dict[str, Texts]) -> None:
    shown = snapshots.worn(CLOCK.wall())

    def test(house: House) -> None:
        _, content, _ = house.ask("GET", "/api/snapshot")
        assert msgspec.convert(content, Snapshot) == shown

    with_house(texts, test, shown)


def test_before_the_first_snapshot_it_says_so(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        status, content, _ = house.ask("GET", "/api/snapshot?lang=en")
        assert status == 503
        assert content["reason"] == "no_snapshot"
        assert content["text"] == "Broche is starting: no reading yet."

    with_house(texts, test)


def test_the_texts_of_both_languages(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        for language, word in (("fr", "Outils"), ("en", "Tools")):
            _, content, _ = house.ask("GET", f"/api/texts/{language}")
            assert content["texts"]["nav"]["tools"] == word
            assert content["language"] == language
            assert content["timezone"] == "Europe/Paris"
        assert house.ask("GET", "/api/texts/de")[0] == 404

    with_house(texts, test)


def test_a_command_reaches_the_monitor_and_its_answer_the_browser(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        tick = TickStep(checklist="c-a1", step="safety", result="ok", by="page", id="77")
        status, content = house.post(msgspec.json.encode(tick), Origin=f"http://127.0.0.1:{house.port}", Sec_Fetch_Site="same-origin")
        assert status == 200
        assert content == {"id": "77", "accepted": True, "reason": ""}
        assert house.commands == [tick]

    with_house(texts, test)


def test_a_refusal_is_told_in_words(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        house.answer = lambda command: CommandResult(id=command.id, accepted=False, reason="safety_first")
        status, content = house.post(acknowledge())
        assert status == 409
        assert content["reason"] == "safety_first"
        assert content["text"] == texts["fr"].refusal("safety_first")
        assert not content["text"].startswith("[")

    with_house(texts, test)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8765"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_may_neither_read_nor_press(texts: dict[str, Texts], headers: dict[str, str]) -> None:
    def test(house: House) -> None:
        for method, path, body in (("POST", "/api/command", acknowledge()), ("GET", "/api/snapshot", None), ("GET", "/events", None)):
            status, content, _ = house.ask(method, path, body, {"Content-Type": "application/json", **headers})
            assert status in (400, 403)
            if status == 403:
                assert content["reason"] in ("foreign_host", "foreign_origin")
        assert house.commands == []

    with_house(texts, test, snapshots.monitoring(CLOCK.wall()))


def test_a_link_from_another_page_may_open_this_one(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert house.ask("GET", "/", None, headers)[0] == 200

    with_house(texts, test)


def test_the_machine_may_be_reached_by_its_own_names(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        for name in (
            "localhost",
            f"localhost:{house.port}",
            "192.168.1.20:8765",
            "[::1]:8765",
            socket.gethostname().upper(),
            "tour-03.usine.example",
        ):
            assert house.ask("GET", "/", None, {"Host": name})[0] == 200

    with_house(texts, test, names=("tour-03.usine.example",))


HOSTILE_BODIES = {
    "nothing": b"",
    "not json": b"{",
    "not utf-8": b"\xff\xfe\xfa",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "no command": b"{}",
    "unknown command": b'{"command": "stop_spindle"}',
    "command of another type": b'{"command": 7}',
    "spare field": b'{"command": "acknowledge", "alert": "a1", "force": true}',
    "wrong type": b'{"command": "acknowledge", "alert": {"$ne": ""}}',
    "wrong result": b'{"command": "tick_step", "checklist": "c", "step": "s", "result": "maybe"}',
    "deep": b"[" * 4000,
    "deep in a field": b'{"x": ' + b"[" * 4000,
    "deep after": b'{"command": "acknowledge", "x": ' + b'{"a":' * 800,
    "half a surrogate": b'{"command": "acknowledge", "alert": "\\ud800"}',
    "two at once": acknowledge() + acknowledge(),
}


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_a_hostile_body_gets_a_reason_and_no_traceback(texts: dict[str, Texts], body: bytes) -> None:
    def test(house: House) -> None:
        status, content = house.post(body)
        assert status == 400, content
        assert content["reason"] == "not_a_command"
        assert content["text"]
        assert "Traceback" not in json.dumps(content)
        assert house.commands == []

    with_house(texts, test)


def test_only_json_is_listened_to(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            assert house.post(acknowledge(), Content_Type=kind)[0] == 415
        assert house.post(acknowledge(), Content_Type="application/json; charset=utf-8")[0] == 200

    with_house(texts, test)


def test_a_long_body_is_not_read_to_its_end(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        assert house.post(b"x" * (MOST_BYTES + 1))[0] == 413
        with socket.create_connection(("127.0.0.1", house.port), timeout=20.0) as wire:
            head = f"POST /api/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {10**9}\r\n\r\n"
            wire.sendall(head.encode() + b"x" * (2 * MOST_BYTES))
            assert wire.recv(64).startswith(b"HTTP/1.1 413")
        assert house.commands == []

    with_house(texts, test)


def test_commands_come_by_post_alone(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert house.ask(method, "/api/command", acknowledge() if method != "GET" else None)[0] == 405

    with_house(texts, test)


def test_the_stream_brings_states_and_beats(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        with EventReader(house.port) as reader:
            assert "text/event-stream" in reader.head
            assert "no-store" in reader.head
            assert reader.until("state")["snapshot"]["machine"] == "tour-03"
            first, second = reader.until("beat"), reader.until("beat")
            assert second["now"] > first["now"]
            assert second["age"] > first["age"]

    with_house(texts, test, snapshots.monitoring(CLOCK.wall()))


def test_the_seventeenth_screen_is_told_why_not(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        readers = [EventReader(house.port) for _ in range(MOST_VIEWERS)]
        for reader in readers:
            reader.until("beat")
        status, content, _ = house.ask("GET", "/events?lang=en")
        assert status == 503
        assert content["text"] == "Too many screens are open."
        readers[0].close()
        for _ in range(200):
            readers[1].until("beat")
            if house.display.viewers < MOST_VIEWERS:
                break
        with EventReader(house.port) as late:
            assert late.status == 200
        for reader in readers:
            reader.close()

    with_house(texts, test)


def test_a_screen_that_stops_reading_holds_nobody_up_and_then_sees_the_present(texts: dict[str, Texts]) -> None:
    """It gets what the wire already held, and then the newest: the states in between were never kept for it."""

    async def main() -> None:
        async with running(texts) as house:
            count = 0

            def show() -> None:
                nonlocal count
                count += 1
                wide = snapshots.many(CLOCK.wall(), tools=60)
                house.display.show(msgspec.structs.replace(wide, context=msgspec.structs.replace(wide.context, program=str(count))))

            async def shown_to(reader: EventReader, least: int) -> None:
                while int((await asyncio.to_thread(reader.until, "state"))["snapshot"]["context"]["program"]) < least:
                    show()

            show()
            slow = await asyncio.to_thread(EventReader, house.port, receive_buffer=4096)
            quick = await asyncio.to_thread(EventReader, house.port)
            await asyncio.to_thread(slow.until, "state")
            await shown_to(quick, 60)
            at = count
            show()
            seen = []
            while not seen or seen[-1] < at:
                seen.append(int((await asyncio.to_thread(slow.until, "state"))["snapshot"]["context"]["program"]))
            assert seen == sorted(seen)
            assert len(seen) < at - 10, "the slow one was sent everything"
            slow.close()
            quick.close()

    aio.run(main(), debug=False)


def test_stopping_ends_the_streams_and_frees_the_port(texts: dict[str, Texts]) -> None:
    async def main() -> None:
        async with running(texts) as house:
            reader = await asyncio.to_thread(EventReader, house.port)
            await asyncio.to_thread(reader.until, "beat")
            await house.display.stop()
            while (await asyncio.to_thread(reader.next))[0]:
                pass
            assert reader.ended
            reader.close()
            with socket.create_server(("127.0.0.1", house.port)):
                pass

    aio.run(main(), debug=False)


def test_an_alert_is_explained_in_the_language_asked_for(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        status, french, headers = house.ask("GET", "/api/alerts/a1?lang=fr")
        assert status == 200
        assert headers["cache-control"] == "no-store"
        assert french["alert"] == "a1"
        assert french["rows"][0] == ["Voie", "charge de broche"]
        assert {"chance", "causes", "unseen", "first", "picture", "evidence", "text", "version"} <= french.keys()
        _, english, _ = house.ask("GET", "/api/alerts/a1?lang=en")
        assert english["rows"][0] == ["Channel", "spindle load"]
        assert house.ask("GET", "/api/alerts/never")[0] == 404
        assert house.ask("GET", "/api/alerts/..%2f..%2fetc")[0] == 404

    with_house(texts, test, snapshots.worn(CLOCK.wall()))


@pytest.mark.parametrize("query", ["", "?w=440&h=220&font=16", "?w=-1&h=1e99&font=nan", "?w=abc&h=&font=%00", "?lang=xx"])
def test_a_picture_is_drawn_whatever_size_is_asked_for(texts: dict[str, Texts], query: str) -> None:
    def test(house: House) -> None:
        status, body, headers = house.ask("GET", f"/api/alerts/a1/picture.svg{query}")
        assert status == 200
        assert headers["content-type"].startswith("image/svg+xml")
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert body.startswith(b"<svg ")
        assert len(body) < 40_000
        assert house.ask("GET", "/api/alerts/a3/picture.svg")[0] == 200
        assert house.ask("GET", "/api/alerts/never/picture.svg")[0] == 404

    with_house(texts, test, snapshots.broken(CLOCK.wall()))


@pytest.mark.parametrize(
    ("state", "verdict", "word"), [("monitoring", "early", "Trop tôt pour juger"), ("broken", "above", "Au-dessus du budget")]
)
def test_what_became_of_the_budget_has_figures_and_words(texts: dict[str, Texts], state: str, verdict: str, word: str) -> None:
    def test(house: House) -> None:
        status, told, _ = house.ask("GET", "/api/budget?lang=fr")
        assert (status, told["realised"]["verdict"], told["said"]["verdict"]) == (200, verdict, word)
        _, english, _ = house.ask("GET", "/api/budget?lang=en")
        assert len(english["said"]["rows"]) == len(told["said"]["rows"])

    with_house(texts, test, getattr(snapshots, state)(CLOCK.wall()))
    with_house(texts, lambda house: pytest.fail("no snapshot") if house.ask("GET", "/api/budget")[0] != 503 else None)


def test_the_table_of_operations_has_figures_and_words(texts: dict[str, Texts]) -> None:
    def test(house: House) -> None:
        status, lines, _ = house.ask("GET", "/api/operations?lang=fr")
        assert status == 200
        assert [line["view"]["tool"] for line in lines] == ["1", "2", "4", "7"]
        assert lines[2]["said"]["name"] == "T4 ébauche"
        assert lines[3]["said"]["word"] == "NON SURVEILLABLE"

    with_house(texts, test, snapshots.monitoring(CLOCK.wall()))
    with_house(texts, lambda house: pytest.fail("no snapshot") if house.ask("GET", "/api/operations")[0] != 503 else None)
