"""The demo's broker: on loopback alone, both versions of MQTT, and gone when its parent is gone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from agent import embedded_broker
from agent.embedded_broker import EmbeddedBroker, NoBroker
from drivers.clock import SystemClock
from tests.support.broker import HOST, PATIENCE, Listener, listening, needs_mosquitto, wait_until

HOUSE = Path(__file__).resolve().parents[2]
KINDS = [pytest.param("mosquitto", marks=needs_mosquitto), "iotcore"]


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker]:
    made = embedded_broker.start(SystemClock(), request.param)
    yield made
    made.stop()


def listeners_of(port: int) -> set[str]:
    """Local addresses that listen on a port, as the kernel lists them (IPv4 in hex, network order reversed)."""
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {fields[1].split(":")[0] for fields in lines if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port}


def test_it_listens_on_loopback_alone(broker: EmbeddedBroker) -> None:
    assert listeners_of(broker.port) == listeners_of(broker.port_311) == {"0100007F"}
    assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
    assert broker.kind in broker.name


@pytest.mark.parametrize("protocol", [mqtt.MQTTv5, mqtt.MQTTv311])
def test_both_versions_of_mqtt_meet(broker: EmbeddedBroker, protocol: int) -> None:
    here = Listener(broker.port if protocol == mqtt.MQTTv5 else broker.port_311, protocol=protocol)
    other = mqtt.MQTTv311 if protocol == mqtt.MQTTv5 else mqtt.MQTTv5
    there = Listener(broker.port if other == mqtt.MQTTv5 else broker.port_311, protocol=other)
    here.publish("a/b", b'{"x":1}', retain=True)
    here.publish("a/large", b'"' + b"x" * 100_000 + b'"')
    there.wait(lambda got: [topic for topic, _, _ in got] == ["a/b", "a/large"], "both messages")
    late = Listener(broker.port, "a/b")
    late.wait(lambda got: got == [("a/b", {"x": 1}, True)], "the retained one")
    for listener in (here, there, late):
        listener.close()


def test_stop_leaves_nothing_behind(broker: EmbeddedBroker) -> None:
    broker.stop()
    assert not broker.running()
    assert not listening(broker.port)
    broker.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_it_dies_with_a_parent_that_is_killed_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    script = (
        "import sys, time; from agent import embedded_broker; from drivers.clock import SystemClock;"
        f"b = embedded_broker.start(SystemClock(), '{kind}'); print(b.pid, b.port, flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": str(HOUSE), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid, port = parent.stdout.readline().split()
    assert listening(int(port))
    parent.send_signal(signal.SIGKILL)
    parent.wait(PATIENCE)
    wait_until(lambda: not listening(int(port)), "the broker ends too")
    wait_until(lambda: not Path(f"/proc/{int(pid)}/fd").exists() or not list(Path(f"/proc/{int(pid)}/fd").iterdir()), "its process as well")
    parent.stdin.close()
    parent.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_without_mosquitto_it_is_the_one_that_came_with_broche(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_broker, "mosquitto", lambda: None)
    broker = embedded_broker.start(SystemClock())
    assert broker.name.startswith("iotcore ")
    broker.stop()
    with pytest.raises(NoBroker, match="not installed"):
        embedded_broker.start(SystemClock(), "mosquitto")


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_is_taken_is_said(kind: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NoBroker, match=str(port)):
            embedded_broker.start(SystemClock(), kind, port=port)
    capfd.readouterr()


@needs_mosquitto
def test_the_example_for_a_shop_starts_and_lets_each_do_its_part(tmp_path: Path) -> None:
    """config/broker/mosquitto.conf as it stands, with its access list; only paths, port and user are those of the test."""
    example = (HOUSE / "config" / "broker" / "mosquitto.conf").read_text()
    rules = [line.removeprefix("#").strip() for line in example.split("broche.acl, for")[1].splitlines()[1:]]
    (tmp_path / "broche.acl").write_text("\n".join(rules) + "\n")
    passwords = tmp_path / "passwd"
    passwords.touch()
    program = shutil.which("mosquitto_passwd")
    assert program is not None
    for name in ("broche-tour-03", "mes"):
        subprocess.run([program, "-b", str(passwords), name, "secret"], check=True, capture_output=True)
    port = embedded_broker.free_port()
    text = example.replace("/etc/mosquitto", str(tmp_path)).replace("/var/lib/mosquitto/", f"{tmp_path}/")
    text = text.replace("listener 1883", f"listener {port} {HOST}\nuser {pwd.getpwuid(os.geteuid()).pw_name}")
    (tmp_path / "mosquitto.conf").write_text(text)
    found = embedded_broker.mosquitto()
    assert found is not None
    broker = subprocess.Popen([found, "-c", str(tmp_path / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listening(port) or broker.poll() is not None, "the broker listens")
        assert broker.poll() is None
        machine = Listener(port, "broche/atelier/tournage/tour-03/command", user="broche-tour-03")
        mes = Listener(port, "broche/#", user="mes")
        machine.publish("broche/atelier/tournage/tour-04/status", b'"not mine"')
        machine.publish("broche/atelier/tournage/tour-03/status", b'"mine"')
        mes.publish("broche/atelier/tournage/tour-03/status", b'"a lie"')
        mes.publish("broche/atelier/tournage/tour-03/command", b'{"command":"acknowledge"}')
        machine.wait(lambda got: [payload for _, payload, _ in got] == [{"command": "acknowledge"}], "the command")
        mes.wait(lambda got: len(got) == 2, "what is allowed")
        assert sorted(str(payload) for _, payload, _ in mes.messages) == ["mine", "{'command': 'acknowledge'}"]
        machine.close()
        mes.close()
    finally:
        broker.kill()
        broker.wait(PATIENCE)
