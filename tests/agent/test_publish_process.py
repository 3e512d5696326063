"""The agent as a process: killed, frozen, started again. Nothing durable is lost, and the broker knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.broker import PATIENCE, Listener, Mosquitto, needs_mosquitto

HOUSE = Path(__file__).resolve().parents[2]
Victim = Callable[[int, int], "subprocess.Popen[bytes]"]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, ["max_queued_messages 0"]).start()
    yield broker
    broker.stop()


@pytest.fixture
def victim(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Victim]:
    made: list[subprocess.Popen[bytes]] = []

    def start(keepalive: int, count: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.publish_victim", str(tmp_path / "agent"), mosquitto.url, str(keepalive), str(count)]
        environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
        made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HOUSE, env=environment))
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@needs_mosquitto
def test_killed_in_mid_flight_and_started_again(mosquitto: Mosquitto, victim: Victim) -> None:
    listener = Listener(mosquitto.port)
    durable = 0
    for turn, reads in enumerate((4, 11, 7, 2), start=1):
        process = victim(10, 100_000)
        assert process.stdout is not None
        for _ in range(reads):
            durable = int(process.stdout.readline())
        # Killed before it is connected it would have no will.
        listener.wait(lambda _, turn=turn: [m["state"] for m in listener.of("/status")].count("online") >= turn, "connected")
        process.send_signal(signal.SIGKILL)
        durable = max([durable, *map(int, process.stdout.read().split())])
        process.wait(PATIENCE)
    last = victim(10, 0)
    listener.wait(lambda got: any(m.get("n", 0) >= durable for t, m, _ in got if "/alert/" in t), "the last durable alert")
    listener.wait(lambda got: {m["n"] for t, m, _ in got if "/alert/" in t} >= set(range(1, durable + 1)), "every durable alert")
    assert last.stdin is not None
    last.stdin.close()
    assert last.wait(PATIENCE) == 0
    listener.wait(lambda got: got and got[-1][1].get("reason") == "stopped", "the farewell of the last")
    alerts = listener.of("/alert/")
    seq_of: dict[int, set[int]] = {}
    for message in alerts:
        seq_of.setdefault(message["n"], set()).add(message["seq"])
    assert all(len(seqs) == 1 for seqs in seq_of.values()), "a duplicate carries the same number"
    assert len({next(iter(seqs)) for seqs in seq_of.values()}) == len(seq_of), "and no two messages share one"
    for topic in range(7):
        numbers = [m["n"] for m in listener.of(f"/alert/{topic}")]
        assert numbers == sorted(numbers), "a retained topic never steps back"
    states = [(m["state"], m.get("reason")) for m in listener.of("/status")]
    assert states.count(("offline", "lost")) == 4
    assert [state for state, _ in states][:2] == ["online", "offline"]
    listener.close()


@needs_mosquitto
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_will_tells_of_a_dead_agent(mosquitto: Mosquitto, victim: Victim, how: signal.Signals) -> None:
    """Dead: at once. Frozen: after 1.5 keepalives, of 2 s here."""
    listener = Listener(mosquitto.port)
    process = victim(2, 0)
    listener.wait(lambda got: got and got[-1][1]["state"] == "online", "the birth")
    process.send_signal(how)
    listener.wait(lambda got: got and got[-1][1]["state"] == "offline", "the will", 10.0)
    will = listener.messages[-1][1]
    assert (will["reason"], will["ts"], will["coverage"]) == ("lost", None, "LOST")
    late = Listener(mosquitto.port)
    late.wait(lambda got: [(m["state"], retained) for _, m, retained in got] == [("offline", True)], "and it is retained")
    if how == signal.SIGSTOP:
        process.send_signal(signal.SIGCONT)
        listener.wait(lambda got: got and got[-1][1]["state"] == "online", "the thawed agent is born again")
    late.close()
    listener.close()


@needs_mosquitto
def test_watch_prints_what_an_independent_subscriber_receives(mosquitto: Mosquitto) -> None:
    command = [sys.executable, "-m", "agent.publish.watch", mosquitto.url, "w/#"]
    watch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HOUSE)
    assert watch.stdin is not None
    assert watch.stdout is not None
    assert watch.stderr is not None
    try:
        assert watch.stderr.readline() == b"subscribed w/#\n"
        sender = Listener(mosquitto.port, "nothing")
        for payload in (b'{"a":1.5,"b":"\xc3\xa9"}', b"plain \xff text", b"", b"[" * 3000 + b"]" * 3000):
            sender.publish("w/x", payload)
        lines = [watch.stdout.readline() for _ in range(4)]
        assert lines[0] == '{"topic":"w/x","payload":{"a":1.5,"b":"é"}}\n'.encode()
        assert lines[1] == '{"topic":"w/x","payload":"plain � text"}\n'.encode()
        assert lines[2] == b'{"topic":"w/x","payload":""}\n'
        assert lines[3].startswith(b'{"topic":"w/x","payload":"[[[[')
        mosquitto.kill()
        mosquitto.start()
        assert watch.stderr.readline() == b"subscribed w/#\n"
        sender.subscribed(2)
        sender.publish("w/y", b"1")
        assert watch.stdout.readline() == b'{"topic":"w/y","payload":1}\n'
        sender.close()
        timer = threading.Timer(PATIENCE, watch.kill)
        timer.start()
        watch.stdin.close()
        assert watch.wait(PATIENCE) == 0
        timer.cancel()
    finally:
        if watch.poll() is None:
            watch.kill()
            watch.wait(PATIENCE)
        watch.stdout.close()
        watch.stderr.close()
