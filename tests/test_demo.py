"""`broche demo` as a process: what it prints, what it returns, and that it leaves nothing behind however it ends.

Two whole demos of a minute, one a broker, run beside each other while the shorter tests take place.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.agent_process import PATIENCE, alive, broche, environment, family, warm

MINUTE = 60
"""s that a demo lasts at least."""
WHOLE = MINUTE + 60.0
"""s after which it must have ended."""
READY = "kernels ready|calculs prêts"


class Demo:
    """`broche demo` with a temporary folder of its own. Standard output goes into a file, standard error is followed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True)
        self._out = folder / "out"
        with self._out.open("wb") as out:
            self.child = subprocess.Popen(
                [*broche(), "demo", *arguments], stdout=out, stderr=subprocess.PIPE, env=environment(TMPDIR=str(self.temporary)), cwd="/"
            )
        assert self.child.stderr is not None
        self.lines: list[str] = []
        self.family: set[tuple[int, str]] = set()
        self._news = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._read, args=(self.child.stderr,), daemon=True)
        self._thread.start()

    def said(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """The line on its standard error that matches; whatever has been started by then belongs to the family."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._over, seconds)
            match = found()
        assert match is not None, f"not said within {seconds} s: {pattern}; said: {self.lines[-10:]}"
        self.family |= family(self.child.pid)
        return match

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; its exit status."""
        status = self.child.wait(seconds)
        self._thread.join(PATIENCE)
        return status

    def messages(self) -> list[dict[str, Any]]:
        """Standard output, of which every line must be a JSON object."""
        return [json.loads(line) for line in self._out.read_bytes().splitlines()]

    def of(self, what: str) -> list[dict[str, Any]]:
        return [m["payload"] for m in self.messages() if m["topic"].split("/")[4] == what]

    def ports(self) -> list[int]:
        return [
            int(self.said(pattern).group(1)) for pattern in (r"mqtt://127.0.0.1:(\d+)", r"Modbus TCP \S+:(\d+)", r"http://[^:]+:(\d+)/")
        ]

    def nothing_left(self, ports: list[int], *, files: bool = True) -> None:
        assert len(self.family) >= 3, "broker, subscriber and shop were never seen"
        for process in self.family:
            _gone(process)
        for port in ports:
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is still open"
        if files:
            assert list(self.temporary.iterdir()) == []

    def kill(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.end()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.decode().rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


def _gone(process: tuple[int, str]) -> None:
    """A child that was killed with its parent may take a moment to end."""
    nap = threading.Event()
    for _ in range(200):
        if not alive(process):
            return
        nap.wait(0.05)
    raise AssertionError(f"process {process[0]} still lives: {Path(f'/proc/{process[0]}/cmdline').read_bytes()!r}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """The two demos of a minute; they begin with the first test and are waited for in the last ones."""
    warm()
    folder = tmp_path_factory.mktemp("demos")
    minute = ("--seconds", str(MINUTE), "--json", "--no-browser")
    demos = {
        "faults": Demo(folder / "faults", *minute, "--lang", "fr"),  # with mosquitto, where it is installed
        "none": Demo(folder / "none", *minute, "--broker", "iotcore", "--lang", "en", "--faults", "none", "--seed", "2"),
    }
    try:
        for demo in demos.values():
            demo.said(READY, 120.0)
        yield demos
    finally:
        for demo in demos.values():
            demo.kill()


@pytest.fixture
def demo(whole: dict[str, Demo], tmp_path: Path) -> Iterator[Demo]:
    """Another one, to be ended before its time."""
    running = Demo(tmp_path, "--seconds", "600", "--json", "--broker", "iotcore", "--lang", "en")
    yield running
    running.kill()


@pytest.mark.parametrize(("language", "remedy"), [("fr", "au moins 60"), ("en", "at least 60")])
def test_too_short_is_refused_with_the_remedy(whole: dict[str, Demo], language: str, remedy: str) -> None:
    command = [*broche(), "demo", "--seconds", "30", "--json", "--lang", language]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment(), cwd="/")
    assert (done.returncode, done.stdout) == (2, "")
    assert remedy in done.stderr.replace("\u00a0", " ").replace("\u202f", " ")


def test_interrupt_ends_it_and_leaves_nothing(demo: Demo) -> None:
    demo.said(READY, 120.0)
    ports = demo.ports()
    demo.child.send_signal(signal.SIGINT)
    assert demo.end() == 130
    assert not any("Traceback" in line for line in demo.lines), demo.lines
    demo.nothing_left(ports)
    assert demo.of("status")[-1]["state"] == "offline"


def test_interrupt_before_it_has_begun_leaves_nothing(demo: Demo) -> None:
    demo.said("MQTT broker")
    demo.child.send_signal(signal.SIGTERM)
    # CPython ends by the signal itself, which a shell also calls 130, if the interrupt came while a dataclass was being made.
    assert demo.end() in (130, -signal.SIGINT)
    assert not any("Traceback" in line for line in demo.lines), demo.lines
    assert list(demo.temporary.iterdir()) == []
    assert demo.family
    for process in demo.family:
        _gone(process)


def test_killed_it_takes_every_child_with_it(demo: Demo) -> None:
    demo.said(READY, 120.0)
    ports = demo.ports()
    demo.child.kill()
    assert demo.end() == -signal.SIGKILL
    demo.nothing_left(ports, files=False)


def test_ends_when_nobody_reads_its_output(whole: dict[str, Demo], tmp_path: Path) -> None:
    command = [*broche(), "demo", "--seconds", "600", "--json", "--broker", "iotcore"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(TMPDIR=str(tmp_path)), cwd="/"
    ) as child:
        assert child.stdout is not None
        assert set(json.loads(child.stdout.readline())) == {"topic", "payload"}
        child.stdout.close()
        assert child.wait(PATIENCE) == 141
    assert list(tmp_path.iterdir()) == []


def test_wear_breakage_and_their_checklists_arrive(whole: dict[str, Demo]) -> None:
    demo = whole["faults"]
    ports = demo.ports()
    assert demo.end(WHOLE) == 0, demo.lines
    demo.nothing_left(ports)
    assert all(set(message) == {"topic", "payload"} for message in demo.messages())
    raised = {alert["kind"]: alert for alert in demo.of("alert") if alert["transition"] == "raised"}
    assert set(raised) == {"wear", "breakage"}
    listed = {checklist["alert"]: checklist for checklist in demo.of("checklist")}
    for alert in raised.values():
        assert not alert["historical"]
        assert alert["text"]["fr"]["text"]
        assert alert["text"]["en"]["text"]
        steps = listed[alert["id"]]["steps"]
        assert steps[0]["kind"] == "safety"
        assert all(step["text"]["fr"] and step["text"]["en"] for step in steps)
    words = [status["coverage"] for status in demo.of("status")]
    assert words[0] == "LOST"
    assert "LEARNING" in words
    assert demo.of("status")[-1]["reason"] == "stopped"
    assert any("abonné" in line for line in demo.lines)
    numbers = [message["payload"]["seq"] for message in demo.messages() if message["topic"].endswith("/telemetry")]
    assert numbers == sorted(set(numbers))


def test_without_faults_no_alert_arrives(whole: dict[str, Demo]) -> None:
    demo = whole["none"]
    ports = demo.ports()
    assert demo.end(WHOLE) == 0, demo.lines
    demo.nothing_left(ports)
    assert demo.of("alert") == []
    assert demo.of("checklist") == []
    assert len(demo.of("cut")) >= 20
    assert len(demo.of("telemetry")) >= MINUTE / 2
    assert demo.of("status")[-1]["state"] == "offline"
    assert any("subscriber received" in line for line in demo.lines)
