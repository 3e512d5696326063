"""A headless Chromium, driven over the DevTools protocol through a pipe: no port, no driver, no dependency."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "about:blank",
)
PATIENCE = 20.0


class BrowserError(Exception):
    """The browser, or a script in it, said no."""


def chromium() -> str:
    """Path of the browser; skips the test where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium: apt-get install chromium")
    return path


class Browser:
    """One browser with a profile of its own; pages are opened one by one."""

    def __init__(self) -> None:
        path = chromium()
        self._profile = tempfile.TemporaryDirectory(prefix="broche-browser-", ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        self._process = subprocess.Popen(
            [path, f"--user-data-dir={self._profile.name}", *FLAGS],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: _pipe_ends(to_read, to_write),
            pass_fds=(3, 4),
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it and remove its profile."""
        try:
            self.call("Browser.close", patience=5.0)
        except (BrowserError, OSError):
            self._process.kill()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, url: str, width: int = 1024, height: int = 600, *, touch: bool = True) -> Page:
        """A new page that has been told to load `url`."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session, target)
        page.call("Page.enable")
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.resize(width, height, mobile=width < 600)
        page.call("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        page.call("Page.navigate", {"url": url})
        return page

    def call(self, method: str, parameters: dict[str, Any] | None = None, session: str = "", patience: float = PATIENCE) -> dict[str, Any]:
        """One command of the protocol; events that come in between are kept in `events`."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + patience
        while True:
            answer = self._message(deadline)
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self.events.append(answer)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise BrowserError("the browser does not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise BrowserError("the browser has gone")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def call(self, method: str, parameters: dict[str, Any] | None = None, patience: float = PATIENCE) -> dict[str, Any]:
        """One command of the protocol to this tab."""
        return self._browser.call(method, parameters, self._session, patience)

    def resize(self, width: int, height: int, *, mobile: bool = False) -> None:
        """Set the size of the screen, CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", metrics)

    def eval(self, script: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details.get("text"))
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 10.0) -> None:
        """Ask until a JavaScript expression is true; its value. One that fails is not true yet. In the end, the text of the page."""
        deadline = time.monotonic() + seconds
        last = ""
        while time.monotonic() < deadline:
            try:
                value = self.eval(f"Boolean({condition})")
            except BrowserError as error:
                value, last = None, f"\n{error}"
            if value:
                return
            select.select([], [], [], 0.02)
        shown = self.eval("document.body ? document.body.innerText : ''")
        raise BrowserError(f"never became true: {condition}{last}\npage shows:\n{shown}\nproblems: {self.problems()}")

    def text(self, selector: str) -> str:
        """What a person reads there, with ordinary spaces."""
        value = self.eval(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return str(value).replace("\u202f", " ").replace("\u00a0", " ").replace("\u2019", "'")

    def tap(self, selector: str) -> None:
        """Press the middle of what the selector finds, as a finger would: whatever lies on top gets it."""
        script = (
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); if (!node) return null;"
            " node.scrollIntoView({block: 'center'}); const box = node.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        place = self.eval(script)
        if place is None:
            raise BrowserError(f"nothing to tap: {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1})

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a PNG; `whole`: also what lies below the screen."""
        parameters: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            parameters["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", parameters)["data"]))

    def problems(self) -> list[str]:
        """Exceptions and errors that the page logged so far."""
        self.eval("0")
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                found.append(details.get("exception", {}).get("description") or details["text"])
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", {"targetId": self._target})


def _pipe_ends(to_read: int, to_write: int) -> None:
    # 3 and 4 may be taken by the very pipes: go through high numbers.
    high_read, high_write = os.dup2(to_read, 103, inheritable=False), os.dup2(to_write, 104, inheritable=False)
    os.dup2(high_read, 3)
    os.dup2(high_write, 4)
