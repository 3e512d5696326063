"""The publisher against real brokers: mosquitto and the embedded one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from agent import embedded_broker
from agent.model import Coverage, Word
from agent.publish import Status, Timing
from agent.publish.link import Address, Letter, Link
from agent.publish.wake import Wake
from drivers.clock import SystemClock
from tests.support.broker import Gate, Listener, Mosquitto, needs_mosquitto, wait_until
from tests.support.publishing import Make, gate, listen, make, mosquitto

__all__ = ["gate", "listen", "make", "mosquitto"]

BROKERS = [
    pytest.param("mosquitto", "5", marks=needs_mosquitto),
    pytest.param("mosquitto", "3.1.1", marks=needs_mosquitto),
    ("iotcore", "5"),
    ("iotcore", "3.1.1"),
]


@pytest.mark.parametrize(("kind", "protocol"), BROKERS)
def test_birth_alerts_telemetry_and_farewell(kind: Any, protocol: str, make: Make, listen: Callable[..., Listener]) -> None:
    broker = embedded_broker.start(SystemClock(), kind)
    try:
        url = broker.url if protocol == "5" else broker.url_311
        listener = listen(broker.port, protocol=mqtt.MQTTv5)
        agent = make(url, protocol=protocol)
        agent.publisher.say(Status(coverage=Coverage(time=1.0, scope="machine", word=Word.MONITORING)))
        listener.wait(lambda got: got and got[-1][1].get("coverage") == "MONITORING", "the coverage")
        assert listener.messages[0][0] == f"{agent.base}/status"
        assert agent.publisher.statistics().protocol == protocol
        agent.alert(1, "x")
        agent.alert(2, "x")
        agent.telemetry(3, 4)
        listener.wait(lambda got: sum("/alert/" in t or "/telemetry" in t for t, _, _ in got) == 4, "alerts and telemetry")
        assert [m["n"] for m in listener.of("/alert/x")] == [1, 2]
        assert [m["n"] for m in listener.of("/telemetry")] == [3, 4]
        assert all(m["historical"] is False for _, m, _ in listener.messages)
        agent.quiet()
        late = listen(broker.port, "+/+/+/+/alert/#")
        late.wait(lambda got: [(m["n"], retained) for _, m, retained in got] == [(2, True)], "the retained alert")
        assert agent.publisher.stop(10.0)
        listener.wait(lambda got: got and got[-1][1].get("reason") == "stopped", "the farewell")
        assert [m["state"] for m in listener.of("/status")].count("offline") == 1
        seqs = [m["seq"] for _, m, _ in listener.messages]
        assert len(set(seqs)) == len(seqs)
    finally:
        broker.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_embedded_broker_killed_and_back_and_the_will(protocol: str, make: Make, listen: Callable[..., Listener]) -> None:
    clock = SystemClock()
    broker = embedded_broker.start(clock, "iotcore")
    agent = make(broker.url if protocol == "5" else broker.url_311, protocol=protocol)
    agent.connected()
    agent.alert(1, "x")
    agent.quiet()
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: not agent.publisher.statistics().connected, "the loss is noticed")
    for n in range(2, 12):
        agent.alert(n, "xy"[n % 2])
    again = embedded_broker.start(clock, "iotcore", port=broker.port, port_311=broker.port_311)
    broker.stop()
    try:
        agent.connected(2)
        agent.quiet()
        late = listen(again.port)
        late.wait(lambda got: sorted(m["n"] for t, m, _ in got if "/alert/" in t) == [10, 11], "retained alerts")
        assert all(m["historical"] and retained for t, m, retained in late.messages if "/alert/" in t)
        will = Letter(topic="will", payload=b'{"dead":true}', retain=True)
        port = again.port if protocol == "5" else again.port_311
        wake = Wake()
        link = Link(Address(again.host, port), protocol, "mortal", will, 10, clock, wake)
        link.open("", "", 3.0)
        events: list[object] = []
        wait_until(lambda: link.poll(0.1) or events.extend(link.events()) or events, "accepted")
        link.close()
        wake.close()
        late.wait(lambda got: got and got[-1] == ("will", {"dead": True}, False), "the will")
        assert agent.publisher.stop(10.0)
    finally:
        again.stop()


@needs_mosquitto
def test_what_is_at_hand_goes_out_before_the_farewell(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    listener = listen(mosquitto.port)
    agent = make(mosquitto.url)
    agent.connected()
    for n in range(15):
        agent.alert(n)
    assert agent.store.flush(10.0)
    wait_until(lambda: agent.publisher.statistics().sent >= 2, "the first is on its way")
    assert agent.publisher.stop(10.0)
    listener.wait(lambda got: got and got[-1][1].get("reason") == "stopped", "the farewell")
    statistics = agent.publisher.statistics()
    assert len(listener.of("/alert/")) + agent.store.counters().critical >= 15
    assert (statistics.connected, statistics.unacked) == (False, 0)


@needs_mosquitto
def test_an_outage_loses_nothing_and_says_what_is_late(
    mosquitto: Mosquitto, gate: Gate, make: Make, listen: Callable[..., Listener]
) -> None:
    """The broker is killed; the gate keeps the agent out until the listener is back, so that it hears everything."""
    listener = listen(mosquitto.port)
    agent = make(gate.url)
    agent.connected()
    agent.alert(0, "x")
    agent.telemetry(0)
    listener.wait(lambda got: len([t for t, _, _ in got if "status" not in t]) == 2, "what was sent before")
    agent.quiet()
    gate.shut()
    mosquitto.kill()
    wait_until(lambda: not agent.publisher.statistics().connected, "the loss is noticed")
    for n in range(1, 31):
        agent.alert(n, "xyz"[n % 3])
    agent.telemetry(*range(1, 201))
    wait_until(lambda: agent.publisher.statistics().critical == 30, "the alerts are kept")
    assert agent.publisher.statistics().problem != ""
    assert agent.publisher.statistics().unacked == 0
    mosquitto.start()
    listener.subscribed(2)
    gate.open()
    agent.connected(2)
    agent.alert(31, "new")
    agent.telemetry(201)
    agent.quiet()
    listener.wait(lambda got: len({m["n"] for t, m, _ in got if "/telemetry" in t}) == 202, "all telemetry")
    alerts = listener.of("/alert/")
    assert sorted(m["n"] for m in alerts) == list(range(32))
    for topic in "xyz":
        numbers = [m["n"] for m in listener.of(f"/alert/{topic}")]
        assert numbers == sorted(numbers)
    assert all(m["historical"] is (1 <= m["n"] <= 30) for m in alerts)
    assert all(m["historical"] is (1 <= m["n"] <= 200) for m in listener.of("/telemetry"))
    late = listen(mosquitto.port, "+/+/+/+/alert/#")
    late.wait(lambda got: len(got) == 4, "retained alerts")
    assert sorted(m["n"] for _, m, _ in late.messages) == [28, 29, 30, 31]


@needs_mosquitto
def test_a_cable_that_is_pulled_out_is_noticed(mosquitto: Mosquitto, gate: Gate, make: Make, listen: Callable[..., Listener]) -> None:
    listener = listen(mosquitto.port, "+/+/+/+/alert/#")
    agent = make(gate.url, keepalive=1)
    agent.connected()
    gate.stall()
    for n in range(30):
        agent.alert(n)
    wait_until(lambda: not agent.publisher.statistics().connected, "silence is noticed")
    gate.shut()
    gate.flow()
    gate.open()
    agent.connected(2)
    listener.wait(lambda got: {m["n"] for _, m, _ in got} == set(range(30)), "all alerts")
    by_number: dict[int, set[int]] = {}
    for message in listener.of("/alert/"):
        by_number.setdefault(message["n"], set()).add(message["seq"])
    assert all(len(seqs) == 1 for seqs in by_number.values())


@needs_mosquitto
def test_after_an_outage_alerts_come_before_ten_thousand_rows(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    listener = listen(mosquitto.port)
    agent = make(mosquitto.url, started=False)
    for start in range(0, 10_000, 500):
        agent.telemetry(*range(start, start + 500))
    for n in range(50):
        agent.alert(n)
    wait_until(lambda: (c := agent.store.counters()).telemetry == 10_000 and c.committed == 50, "the backlog is kept")
    agent.publisher.start()
    listener.wait(lambda got: len(got) >= 10_051, "everything", 60.0)
    kinds = [topic.rsplit("/", 2)[-2 if "/alert/" in topic else -1] for topic, _, _ in listener.messages]
    assert kinds[0] == "status"
    assert set(kinds[1:51]) == {"alert"}
    assert [m["n"] for m in listener.of("/alert/")] == list(range(50))
    assert [m["n"] for m in listener.of("/telemetry")] == list(range(10_000))
    agent.quiet()
    assert agent.publisher.statistics().connections == 1


@needs_mosquitto
def test_nothing_is_handed_over_while_offline(tmp_path: Path, make: Make, listen: Callable[..., Listener]) -> None:
    broker = Mosquitto(tmp_path)
    agent = make(broker.url)
    wait_until(lambda: agent.publisher.statistics().problem == "unreachable", "no broker there")
    for n in range(40):
        agent.alert(n)
    assert agent.store.flush(10.0)
    statistics = agent.publisher.statistics()
    assert (statistics.sent, statistics.unacked, statistics.critical) == (0, 0, 40)
    broker.start()
    try:
        agent.quiet()
        assert agent.publisher.statistics().sent == 41  # and the birth: none twice
        late = listen(broker.port)
        late.wait(lambda got: len(got) == 41, "retained alerts and status")
        agent.publisher.stop(10.0)
    finally:
        broker.stop()


@needs_mosquitto
def test_a_broker_that_freezes_is_noticed_and_nothing_is_lost(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    agent = make(mosquitto.url, keepalive=1)
    agent.connected()
    mosquitto.freeze()
    for n in range(30):
        agent.alert(n)
    wait_until(lambda: not agent.publisher.statistics().connected, "a broker that says nothing is given up")
    mosquitto.thaw()
    agent.connected(2)
    agent.quiet()
    late = listen(mosquitto.port, "+/+/+/+/alert/#")
    late.wait(lambda got: sorted(m["n"] for _, m, _ in got) == list(range(30)), "all alerts")


@needs_mosquitto
def test_status_is_told_when_it_changes_and_only_then(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    listener = listen(mosquitto.port)
    agent = make(mosquitto.url)
    agent.connected()
    cover = Coverage(time=1.0, scope="machine", word=Word.MONITORING)
    for n in range(20):
        agent.publisher.say(Status(coverage=cover, drift=n / 10))
    listener.wait(lambda got: got and got[-1][1]["coverage"] == "MONITORING", "the first")
    agent.publisher.say(Status(coverage=cover, sources={"drive": "lost"}))
    listener.wait(lambda got: got and got[-1][1]["sources"] == {"drive": "lost"}, "the second")
    assert [m["coverage"] for m in listener.of("/status")] == ["LOST", "MONITORING", "MONITORING"]


@needs_mosquitto
def test_status_is_repeated(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    listener = listen(mosquitto.port)
    make(mosquitto.url, timing=Timing(first_pause=0.05, status=0.1))
    listener.wait(lambda got: len(got) >= 5, "statuses without news")
    seqs = [m["seq"] for m in listener.of("/status")]
    assert seqs == sorted(set(seqs))


@needs_mosquitto
def test_what_the_broker_forbids_is_given_up_counted_and_named(tmp_path: Path, make: Make, listen: Callable[..., Listener]) -> None:
    rules = tmp_path / "acl"
    rules.write_text(f"topic read #\ntopic write {tmp_path.name}/+/+/+/status\ntopic write {tmp_path.name}/+/+/+/telemetry\n")
    broker = Mosquitto(tmp_path, [f"acl_file {rules}"]).start()
    try:
        agent = make(broker.url)
        agent.connected()
        listener = listen(broker.port)
        agent.alert(1)
        agent.telemetry(2)
        agent.quiet()
        listener.wait(lambda got: any("/telemetry" in t for t, _, _ in got), "what is allowed comes")
        statistics = agent.publisher.statistics()
        assert (statistics.refused, statistics.problem, statistics.connections) == (1, "not_authorised", 1)
        assert listener.of("/alert/") == []
        agent.publisher.stop(10.0)
    finally:
        broker.stop()


@needs_mosquitto
def test_a_password_that_is_put_right_is_taken_without_a_restart(tmp_path: Path, make: Make) -> None:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("needs mosquitto: mosquitto_passwd")
    users, secret = tmp_path / "users", tmp_path / "secret"
    subprocess.run([program, "-b", "-c", str(users), "broche", "right"], check=True, capture_output=True)
    secret.write_text("wrong\n")
    broker = Mosquitto(tmp_path, [f"password_file {users}", "allow_anonymous false"], open_to_all=False).start()
    try:
        agent = make(broker.url, username="broche", password_file=str(secret))
        wait_until(lambda: agent.publisher.statistics().problem in ("credentials", "not_authorised"), "the refusal is named")
        secret.write_text("right\n")
        agent.connected()
        secret.unlink()
        assert agent.publisher.statistics().problem == ""
        agent.publisher.stop(10.0)
    finally:
        broker.stop()


def test_stop_does_not_wait_for_a_broker_that_is_not_there(make: Make) -> None:
    agent = make(f"mqtt://127.0.0.1:{embedded_broker.free_port()}", timing=Timing(first_pause=30.0))
    wait_until(lambda: agent.publisher.statistics().problem == "unreachable", "nobody there")
    stopped = threading.Event()
    threading.Thread(target=lambda: agent.publisher.stop(10.0) and stopped.set()).start()
    assert stopped.wait(5.0)


def test_a_host_that_does_not_exist_is_named(make: Make) -> None:
    agent = make("mqtt://no-such-host.invalid:1883")
    wait_until(lambda: agent.publisher.statistics().problem in ("unknown_host", "unreachable"), "the cause is named")


def test_an_address_of_another_form_is_refused_at_once(make: Make) -> None:
    with pytest.raises(ValueError, match="mqtt://host:port"):
        make("http://broker:80", folder="http")
