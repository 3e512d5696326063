"""A process that commits as fast as it can and says which commits are on disk, until it is killed. For tests/agent/test_store.py.

`python -m tests.support.store_victim FOLDER`: one line a durable commit, its number; each commit has the state, one alert, one audit line
and one message, all with that number.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.settings import StoreOptions
from agent.store import Audit, Commit, Store
from drivers.clock import SystemClock
from tests.support import keeping


def main() -> None:
    store = Store.open(Path(sys.argv[1]), StoreOptions(), SystemClock(), lambda _: None, every=0.05)
    saved = store.saved_state()
    number = int(saved) if saved else 0
    while True:
        number += 1
        store.submit(
            Commit(
                state=b"%d" % number,
                alerts=(keeping.alert(f"a{number}"),),
                audit=(Audit(time=1.0, by="", action="commit", subject=str(number)),),
                messages=(keeping.message(f"alert/a{number}", number),),
                telemetry=(keeping.message("telemetry", number, kind="telemetry"),),
            )
        )
        if number % 3 == 0 and store.flush(10.0):
            print(number, flush=True)


if __name__ == "__main__":
    main()
