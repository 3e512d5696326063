"""The publisher against a broker that does what no real one can be made to do: withholds acknowledgements, refuses, talks rubbish.

What it proves is what goes over the wire; that anything is delivered is proved with real brokers in test_publish.py.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import embedded_broker
from agent.publish import Publisher, Timing
from agent.publish.link import Address, Letter, Link
from agent.publish.wake import Wake
from agent.settings import BrokerOptions, MachineOptions, StoreOptions
from agent.store import Commit, Store
from drivers.clock import SystemClock
from tests.support import keeping
from tests.support.broker import ACCEPT_311, REFUSE_311, FakeBroker, Listener, accept_v5, taken_v5, wait_until

QUICK = Timing(connect=2.0, first_pause=0.05, longest_pause=0.1, steady=60.0)
Start = Callable[..., tuple[Store, Publisher]]
Fake = Callable[..., FakeBroker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[tuple[Store, Publisher]] = []

    def go(url: str, **options: Any) -> tuple[Store, Publisher]:
        clock = SystemClock()
        store = Store.open(tmp_path / "state", StoreOptions(), clock, lambda _: None, every=0.05)
        publisher = Publisher(
            BrokerOptions(url=url, **options),
            MachineOptions(name="m"),
            store,
            clock,
            lambda _: None,
            texts=keeping.texts(),
            version="0",
            timing=QUICK,
        )
        made.append((store, publisher))
        publisher.start()
        return made[-1]

    yield go
    for store, publisher in made:
        assert publisher.stop(10.0)
        assert store.close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    made: list[FakeBroker] = []

    def go(connack: Callable[[int], bytes | None], **more: Any) -> FakeBroker:
        made.append(FakeBroker(connack, **more))
        return made[-1]

    yield go
    for broker in made:
        broker.close()


def fill(store: Store, critical: int, telemetry: int) -> None:
    store.submit(Commit(telemetry=tuple(keeping.message("t", n, kind="telemetry") for n in range(telemetry))))
    store.submit(Commit(messages=tuple(keeping.message(f"alert/{n}", n) for n in range(critical))))
    assert store.flush(10.0)


@pytest.mark.parametrize(("receive_maximum", "expected"), [(0, 20), (5, 5), (1, 1), (1000, 20)])
def test_never_more_than_the_window_is_under_way(fake: Fake, start: Start, receive_maximum: int, expected: int) -> None:
    broker = fake(lambda _: accept_v5(receive_maximum))
    store, publisher = start(broker.url, keepalive=1)
    fill(store, critical=60, telemetry=500)
    broker.wait(lambda: len(broker.levels) >= 2, "a broker that never acknowledges is given up and tried again")
    assert broker.most_unacked == expected
    wait_until(lambda: publisher.statistics().problem == "silent" or publisher.statistics().connected, "the cause is named")
    assert publisher.statistics().critical == 60


def test_telemetry_leaves_room_for_an_alert(fake: Fake, start: Start) -> None:
    broker = fake(lambda _: accept_v5())
    store, _ = start(broker.url)
    store.submit(Commit(telemetry=tuple(keeping.message("t", n, kind="telemetry") for n in range(100))))
    broker.wait(lambda: broker.published.count("t") == 17, "telemetry fills its part of the window, beside the status")
    store.submit(Commit(messages=(keeping.message("alert/1"),)))
    broker.wait(lambda: "alert/1" in broker.published, "the alert goes out at once")
    assert broker.most_unacked == 19


@pytest.mark.parametrize("answer", [REFUSE_311, None])
def test_a_broker_of_3_1_1_only(fake: Fake, start: Start, answer: bytes | None) -> None:
    """It refuses MQTT 5 in the words of 3.1.1, or hangs up as rumqttd does."""
    broker = fake(lambda level: ACCEPT_311 if level == 4 else answer, puback=taken_v5)
    _, publisher = start(broker.url)
    wait_until(lambda: publisher.statistics().connected, "connected after all")
    assert broker.levels == [5, 4]
    assert publisher.statistics().protocol == "3.1.1"


def test_the_embedded_broker_speaks_3_1_1_on_its_second_port_and_is_found_out(start: Start) -> None:
    broker = embedded_broker.start(SystemClock(), "iotcore")
    try:
        listener = Listener(broker.port)
        store, publisher = start(broker.url_311)
        wait_until(lambda: publisher.statistics().connected, "connected after all")
        assert publisher.statistics().protocol == "3.1.1"
        store.submit(Commit(messages=(keeping.message("alert/1"),)))
        listener.wait(lambda got: any(topic == "alert/1" for topic, _, _ in got), "the alert")
        listener.close()
        publisher.stop(10.0)
    finally:
        broker.stop()


def test_a_protocol_that_is_prescribed_is_not_changed(fake: Fake, start: Start) -> None:
    broker = fake(lambda level: ACCEPT_311 if level == 4 else REFUSE_311)
    _, publisher = start(broker.url, protocol="5")
    broker.wait(lambda: len(broker.levels) >= 3, "tried again")
    assert set(broker.levels) == {5}
    wait_until(lambda: publisher.statistics().problem == "protocol", "the cause is named")


@pytest.mark.parametrize(
    ("reason", "problem"), [(0x86, "credentials"), (0x87, "not_authorised"), (0x8A, "refused"), (0x97, "quota"), (0x88, "refused")]
)
def test_a_refusal_is_named_and_does_not_change_the_protocol(fake: Fake, start: Start, reason: int, problem: str) -> None:
    broker = fake(lambda _: bytes([0x20, 3, 0, reason, 0]))
    _, publisher = start(broker.url)
    broker.wait(lambda: len(broker.levels) >= 2, "tried again")
    assert set(broker.levels) == {5}
    wait_until(lambda: publisher.statistics().problem == problem, "the cause is named")


def test_a_broker_that_says_why_it_hangs_up(fake: Fake, start: Start) -> None:
    broker = fake(lambda _: accept_v5(), after=b"\xe0\x01\x8e")
    _, publisher = start(broker.url)
    wait_until(lambda: publisher.statistics().problem == "taken_over", "another agent of this name")


def test_a_full_broker_gets_the_same_messages_later(fake: Fake, start: Start) -> None:
    answers: list[int] = []

    def quota(mid: bytes) -> bytes:
        answers.append(0x97 if len(answers) == 1 else 0)
        return taken_v5(mid, answers[-1])

    broker = fake(lambda _: accept_v5(), puback=quota)
    store, publisher = start(broker.url)
    store.submit(Commit(messages=(keeping.message("alert/1"), keeping.message("alert/2"))))
    wait_until(lambda: store.flush(0.0) and publisher.statistics().critical == 0, "taken in the end")
    assert broker.published.count("alert/1") == 2
    assert publisher.statistics().refused == 0
    assert publisher.statistics().connections == 2


def test_a_message_that_the_broker_can_never_take_is_given_up(fake: Fake, start: Start) -> None:
    broker = fake(lambda _: accept_v5(largest=2000), puback=taken_v5)
    store, publisher = start(broker.url)
    store.submit(Commit(messages=(keeping.message("alert/big", size=3000), keeping.message("alert/small"))))
    wait_until(lambda: publisher.statistics().refused == 1 and publisher.statistics().critical == 0, "counted, and the rest sent")
    assert "alert/big" not in broker.published
    assert "alert/small" in broker.published
    assert publisher.statistics().connections == 1


def test_rubbish_from_the_broker_never_ends_the_thread(fake: Fake, start: Start) -> None:
    draw = random.Random(7)
    packets = [bytes([draw.randrange(256), size, *(draw.randrange(256) for _ in range(size))]) for size in range(120)]
    turn = iter(range(10**9))

    def rubbish(_: int) -> bytes:
        n = next(turn)
        return (accept_v5() if n % 2 else b"") + packets[n % len(packets)]

    broker = fake(rubbish)
    _, publisher = start(broker.url, protocol="5")
    broker.wait(lambda: len(broker.levels) >= 30, "it comes back each time")
    assert publisher._thread.is_alive()


def test_the_socket_does_not_wait_for_nagle(fake: Fake) -> None:
    broker = fake(lambda _: accept_v5())
    wake = Wake()
    link = Link(Address.of(broker.url), "5", "x", Letter(topic="w", payload=b""), 10, SystemClock(), wake)
    link.open("", "", 3.0)
    sock = link._client.socket()
    assert isinstance(sock, socket.socket)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    link.close()
    assert link.publish(Letter(topic="t", payload=b"{}")) is None
    wake.close()
    wake.signal()


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("mqtt://b", "b", 1883), ("b:2", "b", 2), ("mqtt://[::1]:9", "::1", 9), ("tcp://10.0.0.1:1883", "10.0.0.1", 1883)],
)
def test_addresses(url: str, host: str, port: int) -> None:
    assert Address.of(url) == Address(host, port)


@pytest.mark.parametrize("url", ["http://b", "mqtt://", "mqtt://b:x", "mqtt://b:99999", ""])
def test_addresses_of_another_form(url: str) -> None:
    with pytest.raises(ValueError):
        Address.of(url)
