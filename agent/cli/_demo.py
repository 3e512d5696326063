"""The two processes beside the demo: the simulated shop and the independent MQTT subscriber."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.cli import Say


@dataclass(frozen=True, slots=True)
class Wires:
    """Where the simulated shop can be read.

    Attributes
    ----------
    ports: what goes into each [[bus]] of config/demo.toml, by its name.
    told: for the line that says so.
    """

    ports: dict[str, dict[str, Any]]
    told: dict[str, str | int]


def shop_of(shop: subprocess.Popen[bytes], seconds: float, say: Say) -> Wires:
    """Wait for the line in which the shop says where it is."""
    from agent.cli import CommandError

    assert shop.stdout is not None
    line = _first_line(shop.stdout, seconds)
    try:
        said = json.loads(line)
    except ValueError:
        said = {}
    if "tcp" not in said:
        raise CommandError(say("demo.no_shop"))
    tcp, rtu, vibration = said["tcp"], said["rtu"], said["vibration"]
    return Wires(
        {
            "machine": {"host": tcp["host"], "port": tcp["port"]},
            "drive": {"port": rtu["port"]},
            "vibration": {"port": vibration["port"]},
        },
        {"tcp": f"{tcp['host']}:{tcp['port']}", "rtu": rtu["port"], "vibration": vibration["port"]},
    )


def _first_line(stream: IO[bytes], seconds: float) -> bytes:
    """Empty if none came within `seconds`, or the process has ended."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(seconds) else b""


class Received:
    """What the subscriber got: passed on to standard output, and counted for the verdict."""

    def __init__(self, say: Say, *, as_json: bool, language: str, base: str) -> None:
        self._say = say
        self._json = as_json
        self._language = language
        self._base = base
        self._thread: threading.Thread | None = None
        self._alerts: dict[str, str] = {}
        self._checklists: set[str] = set()
        self._messages = 0
        self._when_unheard: Callable[[], None] | None = None
        self.unheard = False
        """Nobody reads standard output any more."""

    def listen(self, watcher: subprocess.Popen[bytes], seconds: float) -> None:
        """Read the subscriber's output until it ends; returns once it has subscribed."""
        from agent.cli import CommandError

        assert watcher.stdout is not None
        assert watcher.stderr is not None
        if not _first_line(watcher.stderr, seconds).startswith(b"subscribed"):
            raise CommandError(self._say("demo.no_subscriber"))
        self._thread = threading.Thread(target=self._read, args=(watcher.stdout,), name="subscriber", daemon=True)
        self._thread.start()

    def when_unheard(self, call: Callable[[], None]) -> None:
        """Call this, on the subscriber's thread, as soon as nobody reads standard output any more."""
        self._when_unheard = call
        if self.unheard:
            call()

    def finish(self, watcher: subprocess.Popen[bytes]) -> None:
        """Let it end by itself, with what is still on its way."""
        if watcher.stdin is not None:
            watcher.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            watcher.wait(5.0)
        if self._thread is not None:
            self._thread.join(5.0)

    def verdict(self, faults: str, *, ended: bool) -> int:
        """Exit status: with faults, wear, breakage and the checklists of both must have arrived; without, no alert may have."""
        kinds = sorted(self._alerts.values())
        listed = {alert for alert in self._alerts if alert in self._checklists}
        told = {self._alerts[alert] for alert in listed}
        print(
            f"broche: {self._say('demo.summary', messages=self._messages, alerts=len(kinds), kinds=', '.join(kinds) or '-')}",
            file=sys.stderr,
        )
        if not ended:
            return 0
        good = not kinds if faults == "none" else {"wear", "breakage"} <= told
        if not good:
            print(f"broche: {self._say('demo.unexpected' if faults == 'none' else 'demo.missing')}", file=sys.stderr)
        return 0 if good else 1

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            message = json.loads(line)
            self._messages += 1
            topic, payload = message["topic"], message["payload"]
            what = topic.removeprefix(f"{self._base}/").split("/")[0]
            if isinstance(payload, dict):
                if what == "alert":
                    self._alerts[str(payload.get("id"))] = str(payload.get("kind"))
                elif what == "checklist":
                    self._checklists.add(str(payload.get("alert")))
            if self._json:
                self._print(line.decode("utf-8", "replace"))
            elif what in {"alert", "checklist", "status"} and isinstance(payload, dict):
                self._print(f"{topic}  {self._short(what, payload)}\n")

    def _print(self, text: str) -> None:
        if self.unheard:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            self.unheard = True
            if self._when_unheard is not None:
                self._when_unheard()

    def _short(self, what: str, payload: dict[str, Any]) -> str:
        text = payload.get("text", {}).get(self._language, "")
        if what == "alert":
            return f"[{payload.get('transition')}] {text.get('title', '')} - {text.get('text', '')}"
        if what == "checklist":
            return f"{text} ({len(payload.get('steps', []))})"
        return str(text)
