"""The service unit: whole, strict, without the three settings that break it; and what a real `run` tells systemd."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.notify import Notify
from tests.support.agent_process import AgentProcess, warm
from tests.support.house import ROOT

UNIT = ROOT / "systemd" / "broche@.service"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze: apt install systemd")
PATIENCE = 60.0
"""s after which a test gives up waiting for what must come."""


def settings(path: Path) -> dict[str, list[str]]:
    """Of a unit or drop-in: 'Section.Key' to its values, in their order."""
    found: dict[str, list[str]] = {}
    section = ""
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{path.name}: {line}"
        found.setdefault(f"{section}.{key}", []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as systemd would find it, its program being one that is here."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/broche/bin/broche", sys.executable), encoding="utf-8")
    return copy


def analyze(*args: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *args], capture_output=True, text=True, timeout=100)


def test_the_unit_lacks_what_would_break_it() -> None:
    """Why: systemd/README.md."""
    service = settings(UNIT)
    for trap in ("MemoryDenyWriteExecute", "PrivateDevices", "ProcSubset"):
        assert f"Service.{trap}" not in service, trap
    assert {key.partition(".")[0] for key in service} == {"Unit", "Service", "Install"}


def test_the_unit_is_watched_and_may_do_little() -> None:
    service = settings(UNIT)
    wanted = {
        "Type": "notify",
        "NotifyAccess": "main",
        "WatchdogSec": "30",
        "Restart": "on-failure",
        "DynamicUser": "yes",
        "StateDirectory": "broche/%i",
        "CacheDirectory": "broche",
        "ConfigurationDirectory": "broche",
        "SupplementaryGroups": "dialout",
        "DevicePolicy": "closed",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "IPAddressDeny": "any",
    }
    assert {key: service.get(f"Service.{key}") for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert {"char-ttyUSB rw", "char-ttyACM rw", "char-ttyAMA rw"} <= set(service["Service.DeviceAllow"])


def test_the_unit_calls_commands_that_exist() -> None:
    service = settings(UNIT)
    (before,), (main,) = service["Service.ExecStartPre"], service["Service.ExecStart"]
    assert before.startswith("-"), "a failure to compile is no reason not to monitor"
    for call in (before.lstrip("-"), main):
        program, command, *_ = call.split()
        assert program == "/opt/broche/bin/broche"
        assert (ROOT / "agent" / "cli" / f"{command}.py").is_file(), command


def test_the_credential_has_the_name_that_the_agent_asks_for() -> None:
    (credential,) = settings(ROOT / "systemd" / "mqtt-password.conf")["Service.LoadCredential"]
    assert credential.partition(":")[0] in (ROOT / "agent" / "publish" / "dial.py").read_text(encoding="utf-8")


def test_the_udev_rules_are_rules() -> None:
    lines = (ROOT / "systemd" / "60-broche-serial.rules").read_text(encoding="utf-8").splitlines()
    # Examples stand behind a '#' without a blank.
    rules = [line.lstrip("#") for line in lines if re.match(r"#?[A-Z]+==", line)]
    assert len(rules) == 3
    pair = r'(?:[A-Z]+|ATTR\{\w+\}|ENV\{\w+\})(?:==|\+=|=)"[^"]*"'
    assert [rule for rule in rules if not re.fullmatch(rf"{pair}(?:, {pair})*", rule)] == []


@needs_systemd
def test_systemd_has_nothing_to_say_of_the_unit(installed: Path) -> None:
    done = analyze("verify", "--man=no", str(installed))
    said = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.stem in line or "broche" in line]
    assert said == []
    assert done.returncode == 0, done.stderr


@needs_systemd
def test_the_unit_is_as_tight_as_it_was_measured(installed: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(installed))
    found = re.search(r"Overall exposure level[^:]*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 1.3


# ------------------------------------------------------------------ what a real process tells
@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = tmp_path / "notify"
        listener.bind(str(path))
        listener.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def test_a_real_run_tells_systemd_that_it_is_ready_alive_and_ending(manager: socket.socket, tmp_path: Path) -> None:
    warm()
    machine = tmp_path / "machine.toml"
    machine.write_text('[machine]\nname = "tour-03"\n\n[display]\nport = 0\n', encoding="utf-8")
    with AgentProcess(machine, tmp_path / "state") as agent:
        assert manager.recv(256) == b"READY=1"
        assert manager.recv(256) == b"WATCHDOG=1"
        # Once it monitors, too: the first ones may come while kernels are loaded.
        agent.ready()
        assert manager.recv(256) == b"WATCHDOG=1"
        agent.terminate()
        rest = []
        manager.settimeout(0.0)
        try:
            while True:
                rest.append(manager.recv(256))
        except BlockingIOError:
            pass
    assert rest[-1] == b"STOPPING=1"
    assert set(rest[:-1]) <= {b"WATCHDOG=1"}


def test_a_manager_that_does_not_listen_holds_nobody_up(manager: socket.socket) -> None:
    notify = Notify.from_environment()
    for _ in range(5000):
        notify.send("WATCHDOG=1")
    assert manager.recv(256) == b"WATCHDOG=1"


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        # An empty address lets the kernel choose a free name in the abstract name space.
        listener.bind("")
        listener.settimeout(PATIENCE)
        name = listener.getsockname()
        Notify("@" + bytes(name)[1:].decode()).send("READY=1")
        assert listener.recv(256) == b"READY=1"


def test_a_run_that_nobody_watches_tells_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    machine = tmp_path / "machine.toml"
    machine.write_text('[machine]\nname = "tour-03"\n\n[display]\nport = 0\n', encoding="utf-8")
    with AgentProcess(machine, tmp_path / "state") as agent:
        agent.ready()
        assert agent.terminate() == 0
