"""What store, outbox and publisher can do on this machine: messages/s, latency from commit to subscriber, bytes written a message.

`python benchmarks/mqtt.py [--kind mosquitto|iotcore] [--folder DIR]`: about a minute. DIR decides which disk is measured (default: the
temporary folder). The subscriber is a process of its own; times are CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent import embedded_broker
from agent.model import Alert
from agent.outbox import Message
from agent.publish import Publisher
from agent.publish.link import Address
from agent.settings import BrokerOptions, MachineOptions, StoreOptions
from agent.store import Commit, Store
from drivers.clock import SystemClock

PAYLOAD = b'{"n":%d,"fill":"' + b"x" * 170 + b'"}'
"""About 200 bytes, as the messages of performance.md."""


def alert(n: int) -> Alert:
    return Alert(
        id=f"a{n}", kind="wear", severity="warning", state="active", returned=False, raised=0.0, updated=0.0, transition="raised",
        channel="load", spindle="S1", operation="S1/4711/r1/T4/2", tool="4", score=1.0, threshold=1.0, count=1, evidence={}, checklist="",
    )  # fmt: skip


def message(topic: str, n: int, kind: str) -> Message:
    return Message(topic=topic, payload=PAYLOAD % n, retain=kind == "alert", kind=kind, time=time.time())


def subscriber(url: str) -> None:
    """In the child: prints 'time n' for each message, n being the number in its payload."""
    address = Address.of(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench", protocol=mqtt.MQTTv5)

    def on_message(_client: object, _data: object, got: mqtt.MQTTMessage) -> None:
        at = time.monotonic()
        if got.payload.startswith(b'{"n":'):
            os.write(1, b"%.6f %s\n" % (at, got.payload[5 : got.payload.index(b",")]))

    client.on_connect = lambda *_: client.subscribe("bench/#", 1)
    client.on_subscribe = lambda *_: os.write(1, b"0 ready\n")
    client.on_message = on_message
    client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(6, 1, 1)
    client.connect(address.host, address.port)
    client.loop_start()
    sys.stdin.buffer.read()
    os._exit(0)


class Ear:
    """The subscriber's process."""

    def __init__(self, url: str) -> None:
        self.heard: dict[int, float] = {}
        self._news = threading.Condition()
        self._process = subprocess.Popen([sys.executable, __file__, "--subscriber", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, n = line.split()
            with self._news:
                self.heard[int(n)] = float(at)
                self._news.notify_all()

    def wait(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, 120.0), f"{len(self.heard)} of {count}"

    def clear(self) -> None:
        with self._news:
            self.heard.clear()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(5.0)


def written() -> int:
    """Bytes that this process has caused to be written to disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])


@contextmanager
def agent(folder: Path, url: str, *, start: bool = True) -> Iterator[tuple[Store, Publisher]]:
    clock = SystemClock()
    store = Store.open(Path(tempfile.mkdtemp(dir=folder)), StoreOptions(), clock, print)
    publisher = Publisher(
        BrokerOptions(url=url, prefix="bench"), MachineOptions(name="m"), store, clock, lambda _: None, texts={}, version="0"
    )
    if start:
        publisher.start()
        until(lambda: publisher.statistics().connected)
    yield store, publisher
    publisher.stop()
    store.close()


def until(condition: Callable[[], object]) -> None:
    nap = threading.Event()
    while not condition():
        nap.wait(0.002)


def kept(store: Store) -> int:
    """Telemetry that is on disk."""
    return store._telemetry.on_disk  # noqa: SLF001


def idle(publisher: Publisher) -> None:
    until(lambda: (s := publisher.statistics()).critical == s.telemetry == s.unacked == 0)


def throughput(folder: Path, url: str, ear: Ear) -> None:
    count = 20_000
    with agent(folder, url) as (store, publisher):
        for burst, name in ((20, "telemetry, live, handed in by 20"), (1, "telemetry, live, one by one")):
            ear.clear()
            before, began = written(), time.monotonic()
            for n in range(0, count, burst):
                store.submit(Commit(telemetry=tuple(message("bench/t", i, "telemetry") for i in range(n, n + burst))))
                if publisher.statistics().telemetry > 2000:
                    until(lambda: publisher.statistics().telemetry < 1000)
            ear.wait(count)
            assert not store.counters().dropped, store.counters()
            report(name, count, ear, began, before)
            idle(publisher)
        nap = threading.Event()
        ear.clear()
        nap.wait(1.5)
        before, began = written(), time.monotonic()
        for n in range(150):
            store.submit(Commit(telemetry=(message("bench/t", n, "telemetry"),)))
            nap.wait(0.02)
        ear.wait(150)
        idle(publisher)
        nap.wait(1.5)
        report("telemetry, live, 50 a second", 150, ear, began, before)
    with agent(folder, url, start=False) as (store, publisher):
        ear.clear()
        before = written()
        for n in range(0, count, 100):
            store.submit(Commit(telemetry=tuple(message("bench/t", i, "telemetry") for i in range(n, n + 100))))
            until(lambda n=n: kept(store) == n + 100)
        print(f"  {'telemetry kept while offline, by 100':45} {(written() - before) / count:8.0f} B/message written")
        began, before = time.monotonic(), written()
        publisher.start()
        ear.wait(count)
        report("telemetry from the backlog on disk", count, ear, began, before)
        idle(publisher)
    count = 3_000
    with agent(folder, url) as (store, publisher):
        ear.clear()
        before, began = written(), time.monotonic()
        for n in range(count):
            store.submit(Commit(messages=(message(f"bench/alert/{n}", n, "alert"),), alerts=(alert(n),)))
        ear.wait(count)
        report("alerts, handed in as fast as possible", count, ear, began, before)
        idle(publisher)


def report(name: str, count: int, ear: Ear, began: float, before: int) -> None:
    seconds = max(ear.heard.values()) - began
    print(f"  {name:45} {count / seconds:8.0f} messages/s  {(written() - before) / count:8.0f} B/message written")


def latency(folder: Path, url: str, ear: Ear, state: int, name: str) -> None:
    count, nap = 300, threading.Event()
    with agent(folder, url) as (store, publisher):
        nap.wait(0.5)
        ear.clear()
        sent, on_disk = {}, []
        body = os.urandom(state)
        before = written()
        for n in range(count):
            began = sent[n] = time.monotonic()
            store.submit(Commit(state=body if state else None, alerts=(alert(n),), messages=(message(f"bench/alert/{n}", n, "alert"),)))
            store.flush(10.0)
            on_disk.append(time.monotonic() - began)
            nap.wait(0.02)
        ear.wait(count)
        idle(publisher)
        nap.wait(1.5)
        late = sorted(1000.0 * (ear.heard[n] - sent[n]) for n in range(count))
        disk = 1000.0 * statistics.median(on_disk)
        print(
            f"  {name:45} p50 {late[count // 2]:6.2f} ms  p99 {late[int(count * 0.99)]:6.2f} ms  max {late[-1]:6.2f} ms"
            f"  (of it on disk p50 {disk:5.2f} ms)  {(written() - before) / count:8.0f} B/alert written"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["mosquitto", "iotcore"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--subscriber", default="")
    options = parser.parse_args()
    if options.subscriber:
        subscriber(options.subscriber)
        return
    broker = embedded_broker.start(SystemClock(), options.kind)
    ear = Ear(broker.url)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="broche-bench-") as folder:
        print(f"{broker.name}, {os.cpu_count()} cores, messages of {len(PAYLOAD % 1000)} B, QoS 1, window 20")
        latency(Path(folder), broker.url, ear, 0, "alert after silence, no state")
        latency(Path(folder), broker.url, ear, 100_000, "alert after silence, state of 100 kB")
        throughput(Path(folder), broker.url, ear)
    ear.close()
    broker.stop()


if __name__ == "__main__":
    main()
