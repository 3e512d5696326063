"""A whole agent as a process of its own: `broche run` beside the simulated shop, what it says, and its page as a browser sees it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from agent.cli.replay import CONTEXT
from agent.machine_file import load
from agent.maintenance import plan
from agent.monitor import Monitor
from agent.store import Commit, Store
from drivers import jit
from drivers.clock import SystemClock
from drivers.model import Readings
from drivers.recording import read
from drivers.simulate import demo
from drivers.simulate.render import render
from drivers.simulate.script import Listed
from tests.support.house import ROOT
from tests.support.page import EventReader

PATIENCE = 30.0
"""s after which a test gives up waiting for what must come."""

BROKER = """
[[broker]]
url = "{url}"
commands = true
"""


def environment(**more: str) -> dict[str, str]:
    """Of a child that finds this checkout, and chooses its own kernel cache whatever this process chose."""
    kept = {name: value for name, value in os.environ.items() if name not in (jit.CHOSEN, "NUMBA_CACHE_DIR")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def broche() -> list[str]:
    """How `broche` is started: the launcher that BROCHE_LAUNCHER names, else this interpreter."""
    launcher = os.environ.get("BROCHE_LAUNCHER")
    return [launcher] if launcher else [sys.executable, "-P", "-m", "agent"]


def warm() -> None:
    """Compile the kernels, if no test has done so yet: what is tested after this starts as on the second day."""
    subprocess.run([*broche(), "warmup"], check=True, capture_output=True, timeout=600.0, env=environment(), cwd="/")


def machine_file(path: Path, ready: Mapping[str, Any], *, broker: str = "", monitoring: Sequence[str] = (), **ports: str) -> Path:
    """config/demo.toml with the ports of a shop, as `broche demo` fills them in. `ports`: drive, vibration: other paths of these ptys."""
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    head, *buses = re.split(r"(?=\[\[bus\]\])", text)
    chosen = [
        str(ready["tcp"]["port"]),
        json.dumps(ports.get("drive", ready["rtu"]["port"])),
        json.dumps(ports.get("vibration", ready["vibration"]["port"])),
    ]
    text = head + "".join(re.sub(r"(?m)^port = .*$", f"port = {port}", bus, count=1) for bus, port in zip(buses, chosen, strict=True))
    text = re.sub(r"\n\[\[broker\]\].*?(?=\n\[)", BROKER.format(url=broker) if broker else "\n", text, flags=re.DOTALL)
    text = text.replace("[monitoring]\n", "\n".join(["[monitoring]", *monitoring, ""]))
    path.write_text(text.replace("[display]\n", "[display]\nport = 0\n"), encoding="utf-8")
    return path


class AgentProcess:
    """`broche run`. `before`: a command that runs it (unshare, ...); `more`: further environment."""

    def __init__(
        self,
        machine: Path,
        state: Path,
        *,
        before: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        command = [*before, *broche(), "run", str(machine), "--state", str(state), "--lang", "en", "--log", "info"]
        self.began = time.monotonic()
        self.child = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**(more or {})),
            cwd="/",
            preexec_fn=preexec,
        )
        self.lines: list[str] = []
        self.times: list[float] = []
        """Of the lines, s since it was started."""
        self._news = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def port(self) -> int:
        """Of its page."""
        return int(self.said(r"operator.s page: http://[^:]+:(\d+)/").group(1))

    def said(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """The first line on its standard error that matches."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, seconds)
            match = found()
        assert match is not None, f"not said within {seconds} s: {pattern}; said: {self.lines[-10:]}"
        return match

    def at(self, pattern: str) -> float:
        """When that line came, s since it was started."""
        self.said(pattern)
        return next(at for at, line in zip(self.times, self.lines, strict=True) if re.search(pattern, line))

    def ready(self) -> Self:
        """Wait until it monitors."""
        self.said("kernels ready", 120.0)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.child.kill()
        self.end()

    def terminate(self) -> int:
        """SIGTERM; its exit status."""
        self.child.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for its end."""
        status = self.child.wait(PATIENCE)
        self._thread.join(PATIENCE)
        return status

    def post(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """A command, as the page sends it."""
        url = f"http://127.0.0.1:{self.port}"
        headers = {"Content-Type": "application/json", "Origin": url}
        request = urllib.request.Request(f"{url}/api/command", json.dumps(command).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as refused:
            return dict(json.load(refused))

    def _read(self) -> None:
        assert self.child.stderr is not None
        with self.child.stderr as stream:
            for line in stream:
                with self._news:
                    self.times.append(time.monotonic() - self.began)
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


class Page:
    """An open page: every state that it was sent, in order, with the monotonic time at which it came."""

    def __init__(self, port: int) -> None:
        self.states: list[tuple[float, dict[str, Any]]] = []
        self.beats: list[dict[str, Any]] = []
        self.health: dict[str, Any] = {}
        self._news = threading.Condition()
        self._reader = EventReader(port)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._thread.join(PATIENCE)

    def wait(self, what: Callable[[dict[str, Any]], object], why: str, seconds: float = PATIENCE, *, since: int = 0) -> dict[str, Any]:
        """The first state (from the `since`th on) for which `what` holds."""

        def found() -> dict[str, Any] | None:
            return next((state for _, state in self.states[since:] if what(state)), None)

        with self._news:
            self._news.wait_for(found, seconds)
            state = found()
        assert state is not None, f"not within {seconds} s: {why}; {self._history(since)}"
        return state

    def _history(self, since: int) -> str:
        """For a failure: what changed on the page meanwhile, and how it is now."""
        told: list[tuple[object, ...]] = []
        for at, state in self.states[since:]:
            cut = state["spindles"][0]["cut"] or {}
            line = (state["coverage"]["word"], state["coverage"]["reason"], state["context"]["part"], cut.get("id"), cut.get("operation"))
            if not told or told[-1][1:] != line:
                told.append((round(at, 2), *line))
        last = self.states[-1][1] if self.states else {}
        tools = [(tool["tool"], tool["word"], tool["reason"], tool["n"]) for tool in last.get("tools", ())]
        alerts = [(alert["kind"], alert["tool"]) for alert in last.get("alerts", ())]
        return f"changes: {told[-40:]}; tools: {tools}; alerts: {alerts}; now: {last.get('coverage')} {last.get('counters')}"

    def installation(self, what: Callable[[dict[str, Any]], object], why: str) -> None:
        """Until a line of the installer's view is so."""
        with self._news:
            assert self._news.wait_for(lambda: any(what(line) for line in self.health.get("lines", ())), PATIENCE), why

    def covered(self, *words: str, since: int = 0, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first state with one of these coverage words."""
        return self.wait(lambda s: s["coverage"]["word"] in words, f"coverage {words}", seconds, since=since)

    @property
    def now(self) -> int:
        """How many states came so far: `since` for what comes after."""
        with self._news:
            return len(self.states)

    def since(self, mark: int) -> list[dict[str, Any]]:
        """States from the `mark`th on."""
        with self._news:
            return [state for _, state in self.states[mark:]]

    def _read(self) -> None:
        try:
            while True:
                name, content = self._reader.next()
                with self._news:
                    if name == "state":
                        self.states.append((time.monotonic(), content["snapshot"]))
                    elif name == "beat":
                        self.beats.append(content)
                    elif name == "health":
                        self.health = content
                    self._news.notify_all()
                if not name:
                    return
        except (OSError, AssertionError, ValueError):
            return  # closed, or the agent was killed


def family(pid: int) -> set[tuple[int, str]]:
    """All processes below this one: (pid, time of its start)."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append((int(entry.name), fields[19]))
    found: set[tuple[int, str]] = set()
    ask = [pid]
    while ask:
        for child in parents.get(ask.pop(), ()):
            if child not in found:
                found.add(child)
                ask.append(child[0])
    return found


def alive(process: tuple[int, str]) -> bool:
    """Whether this very process lives (a zombie does not)."""
    fields = _stat(process[0])
    return bool(fields) and fields[19] == process[1] and fields[0] not in ("Z", "X")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def taken_port() -> tuple[socket.socket, int]:
    """A port that somebody listens on."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, int(server.getsockname()[1])


def learn(machine: Path, state: Path, *, parts: int = 8, seed: int = 1) -> bytes:
    """Give an agent the state of one that has watched the machine for so many good parts, an hour ago, without waiting for them.

    Returns the state; `state` holds it as an agent that was stopped leaves it.
    """
    file = load(machine)
    monitor = Monitor(file.settings, plan(file.paths))
    with tempfile.TemporaryDirectory() as folder:
        render(Path(folder, "recording"), demo.cycle(), seed, Listed(), parts=parts, poll=0.05)
        begun = time.time() - 3600.0
        for block in read(Path(folder, "recording"), context=[c.name for c in file.settings.channel if c.role in CONTEXT]):
            if isinstance(block, Readings):
                block = dataclasses.replace(block, time=block.time + begun)
            else:
                block = dataclasses.replace(block, start=block.start + begun)
            monitor.feed(block)
    saved = monitor.state()
    state.mkdir(parents=True, exist_ok=True)
    store = Store.open(state, file.settings.store, SystemClock(), lambda _: None)
    store.submit(Commit(state=saved))
    assert store.close()
    return saved
