"""A process with a store and a publisher, to be killed in mid-flight. For tests/agent/test_publish_process.py.

`python -m tests.support.publish_victim FOLDER URL KEEPALIVE COUNT`: commits COUNT alerts (as many steps of 7 topics), prints the number of
each one that is on disk, then waits until its stdin ends and stops in an orderly way. COUNT 0: only sends what is still there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.commands import Command
from agent.publish import Publisher, Status, Timing
from agent.settings import BrokerOptions, MachineOptions, StoreOptions
from agent.store import Commit, Store
from drivers.clock import SystemClock
from tests.support import keeping


def ignore(_: Command) -> None:
    """No commands here."""


def main() -> None:
    folder, url, keepalive, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    clock = SystemClock()
    store = Store.open(folder, StoreOptions(), clock, lambda _: None, every=0.05)
    machine = MachineOptions(name="victim", site="s", area="a")
    options = BrokerOptions(url=url, prefix=folder.name, keepalive=keepalive)
    publisher = Publisher(
        options, machine, store, clock, ignore, texts=keeping.texts(), version="0", timing=Timing(first_pause=0.05, longest_pause=0.2)
    )
    publisher.say(Status())
    publisher.start()
    begun = int(store.saved_state() or b"0")
    for number in range(begun + 1, begun + count + 1):
        topic = f"{publisher.topics.base}/alert/{number % 7}"
        store.submit(Commit(state=b"%d" % number, messages=(keeping.message(topic, number),)))
        if number % 5 == 0 and store.flush(10.0):
            print(number, flush=True)
    sys.stdin.buffer.read()
    publisher.stop()
    store.close()


if __name__ == "__main__":
    main()
