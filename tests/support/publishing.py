"""Fixtures of the publisher's tests: an agent's store and publisher, a real mosquitto, a gate before it, listeners. Import them by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from agent.commands import Command
from agent.publish import Publisher, Timing
from agent.settings import BrokerOptions, MachineOptions, StoreOptions
from agent.store import Commit, Store
from drivers.clock import SystemClock
from tests.support import keeping
from tests.support.broker import Gate, Listener, Mosquitto, wait_until

QUICK = Timing(connect=3.0, first_pause=0.05, longest_pause=0.2, steady=60.0)


@dataclass
class Agent:
    """A store and a publisher, as the daemon has them."""

    store: Store
    publisher: Publisher
    commands: list[Command] = field(default_factory=list)

    def alert(self, n: int, topic: str = "") -> None:
        self.store.submit(Commit(state=b"%d" % n, messages=(keeping.message(f"{self.base}/alert/{topic or n}", n),)))

    def telemetry(self, *numbers: int) -> None:
        self.store.submit(Commit(telemetry=tuple(keeping.message(f"{self.base}/telemetry", n, kind="telemetry") for n in numbers)))

    @property
    def base(self) -> str:
        return self.publisher.topics.base

    def connected(self, times: int = 1) -> None:
        wait_until(lambda: self.publisher.statistics().connected and self.publisher.statistics().connections >= times, "connected")

    def quiet(self) -> None:
        """Everything is acknowledged, and the store knows."""
        done = threading.Event()
        self.store.call(lambda _: self.store.call(lambda _: done.set()))
        assert done.wait(10.0)
        wait_until(lambda: (s := self.publisher.statistics()).critical == s.telemetry == s.unacked == 0, "all acknowledged")


class Make(Protocol):
    def __call__(self, url: str, **options: Any) -> Agent: ...


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Agent] = []

    def start(url: str, *, timing: Timing = QUICK, started: bool = True, name: str = "", folder: str = "", **options: Any) -> Agent:
        clock = SystemClock()
        store = Store.open(tmp_path / (folder or f"state{len(made)}"), StoreOptions(), clock, lambda _: None, every=0.05)
        commands: list[Command] = []
        machine = MachineOptions(name=name or f"m{len(made)}", site="site", area="area")
        broker = BrokerOptions(url=url, prefix=tmp_path.name, **options)
        publisher = Publisher(broker, machine, store, clock, commands.append, texts=keeping.texts(), version="0", timing=timing)
        made.append(Agent(store, publisher, commands))
        if started:
            publisher.start()
        return made[-1]

    yield start
    for agent in made:
        assert agent.publisher.stop(10.0)
        assert agent.store.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, ["persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0"]).start()
    yield broker
    broker.stop()


@pytest.fixture
def gate(mosquitto: Mosquitto) -> Iterator[Gate]:
    made = Gate(mosquitto.port)
    yield made
    made.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def start(port: int, topic: str = "#", **more: Any) -> Listener:
        made.append(Listener(port, topic, **more))
        return made[-1]

    yield start
    for listener in made:
        listener.close()
