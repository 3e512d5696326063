"""A store on a file system that fills up, becomes read-only and heals. For tests/agent/test_store.py, which runs it where it may mount one.

`python -m tests.support.store_full FOLDER`: FOLDER is a tmpfs of 3 MB. Prints what it saw as one JSON object.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from agent.settings import StoreOptions
from agent.store import Commit, Store, StoreTrouble
from drivers.clock import SystemClock
from tests.support import keeping


def main() -> None:
    folder = Path(sys.argv[1])
    said: list[str | None] = []
    news = threading.Condition()

    def report(trouble: StoreTrouble | None) -> None:
        with news:
            said.append(trouble.kind if trouble else None)
            news.notify_all()

    def heard(kind: str | None, times: int = 1) -> bool:
        with news:
            return news.wait_for(lambda: said.count(kind) >= times, 15.0)

    store = Store.open(folder, StoreOptions(), SystemClock(), report, every=0.05)
    saw: dict[str, Any] = {}
    store.submit(Commit(state=b"first", telemetry=tuple(keeping.message("t", n, kind="telemetry", size=500) for n in range(400))))
    saw["telemetry file made"] = wait_for_telemetry(store)
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError as error:
        saw["filled"] = error.strerror
    # The telemetry file makes room first: so much more than it held must be kept before the disk is really full.
    big = b"y" * 300_000
    alerts = 0
    while not said and alerts < 40:
        alerts += 1
        store.submit(Commit(state=big, alerts=(keeping.alert(f"a{alerts}"),), messages=(keeping.message(f"alert/a{alerts}", alerts),)))
        store.flush(0.3)
    saw["full heard"] = heard("disk_full")
    for extra in range(alerts + 1, alerts + 11):
        store.submit(Commit(alerts=(keeping.alert(f"a{extra}"),), messages=(keeping.message(f"alert/a{extra}", extra),)))
    alerts += 10
    saw["waiting"] = not store.flush(0.2)
    saw["telemetry given up"] = "telemetry_disk_full" in store.counters().dropped
    ballast.unlink()
    store.submit(Commit(state=b"small"))
    saw["over heard"] = heard(None)
    saw["all on disk"] = store.flush(15.0)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    reopened = Store.open(folder, StoreOptions(), SystemClock(), report, every=0.05)
    saw["state read on a read-only disk"] = (reopened.saved_state() or b"").decode()
    saw["read-only heard"] = heard("read_only")
    saw["numbers go on"] = reopened.next_seq() > store.last_seq()
    reopened.submit(Commit(alerts=(keeping.alert("meanwhile"),)))
    saw["waiting again"] = not reopened.flush(0.2)
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    reopened.submit(Commit(alerts=(keeping.alert("later"),)))
    saw["written after the remount"] = reopened.flush(15.0)
    reopened.close()
    db = sqlite3.connect(folder / "state.sqlite")
    kept = {row[0] for row in db.execute("SELECT id FROM alerts")}
    saw["missing"] = sorted(({f"a{n}" for n in range(1, alerts + 1)} | {"meanwhile", "later"}) - kept)
    saw["messages"] = db.execute("SELECT count(*) FROM outbox").fetchone()[0] - alerts
    db.close()
    saw["said"] = said
    print(json.dumps(saw))
    os._exit(0)


def wait_for_telemetry(store: Store) -> bool:
    done = threading.Event()
    for _ in range(300):
        if store.counters().telemetry and not store._telemetry.waiting and store._telemetry.on_disk:
            return True
        done.wait(0.02)
    return False


if __name__ == "__main__":
    main()
