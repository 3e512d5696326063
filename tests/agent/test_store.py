"""The store: one durable transaction an event, numbers that ascend, and what happens when the disk says no."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settings import StoreOptions
from agent.store import Audit, Commit, Desk, Store, StoreTrouble, StoreUnusable
from agent.store.pending import Pending
from agent.store.schema import Row
from drivers.clock import SystemClock
from tests.support import keeping
from tests.support.broker import wait_until

HOUSE = Path(__file__).resolve().parents[2]


class Troubles:
    """What the store reported, with a way to wait for it."""

    def __init__(self) -> None:
        self.said: list[StoreTrouble | None] = []
        self._news = threading.Condition()

    def __call__(self, trouble: StoreTrouble | None) -> None:
        with self._news:
            self.said.append(trouble)
            self._news.notify_all()

    def wait(self, enough: Callable[[list[str | None]], bool]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: enough([t.kind if t else None for t in self.said]), 15.0), self.said


@pytest.fixture
def troubles() -> Troubles:
    return Troubles()


@pytest.fixture
def opened(tmp_path: Path, troubles: Troubles) -> Iterator[Callable[..., Store]]:
    """Opens stores in tmp_path, and closes them in the end."""
    stores: list[Store] = []

    def make(options: StoreOptions | None = None, every: float = 0.05) -> Store:
        stores.append(Store.open(tmp_path, options or StoreOptions(), SystemClock(), troubles, every=every))
        return stores[-1]

    yield make
    for store in stores:
        if store._thread.is_alive():
            assert store.close()


def table(folder: Path, query: str, file: str = "state.sqlite") -> list[tuple[object, ...]]:
    db = sqlite3.connect(folder / file)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def test_an_event_is_kept_whole_and_comes_back(tmp_path: Path, opened: Callable[..., Store]) -> None:
    store = opened()
    assert store.saved_state() is None
    alert, checklist = keeping.alert(), keeping.checklist()
    number = store.submit(
        Commit(
            state=b"one",
            alerts=(alert,),
            checklists=(checklist,),
            audit=(Audit(time=1.0, by="Karim", action="acknowledge", subject="a1"),),
            messages=(keeping.message("alert/a1"), keeping.message("checklist/c1")),
        )
    )
    assert store.flush(10.0)
    assert store.committed() == number
    assert [msgspec.json.decode(body, type=type(alert)) for (body,) in table(tmp_path, "SELECT body FROM alerts")] == [alert]
    assert [msgspec.json.decode(body, type=type(checklist)) for (body,) in table(tmp_path, "SELECT body FROM checklists")] == [checklist]
    assert table(tmp_path, "SELECT by, action, subject FROM audit") == [("Karim", "acknowledge", "a1")]
    assert [topic for (topic,) in table(tmp_path, "SELECT topic FROM outbox ORDER BY seq")] == ["alert/a1", "checklist/c1"]
    store.submit(Commit(state=b"two", alerts=(keeping.alert(state="cleared", time=2.0),)))
    assert store.close()
    assert table(tmp_path, "SELECT state FROM alerts") == [("cleared",)]
    again = opened()
    assert (again.saved_state(), again.previous_state()) == (b"two", b"one")
    assert again.session == store.session + 1
    assert again.id == store.id


def test_submit_does_not_wait_for_the_disk(tmp_path: Path, opened: Callable[..., Store], troubles: Troubles) -> None:
    store = opened()
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for n in range(500):
        store.submit(
            Commit(state=b"%d" % n, alerts=(keeping.alert(f"a{n % 7}", score=float(n)),), messages=(keeping.message("alert/x", n),))
        )
    assert store.committed() == 0
    troubles.wait(lambda said: "in_use" in said)
    other.execute("ROLLBACK")
    other.close()
    assert store.flush(10.0)
    troubles.wait(lambda said: said[-1] is None)
    assert table(tmp_path, "SELECT count(*) FROM alerts") == [(7,)]
    assert table(tmp_path, "SELECT count(*), max(seq) - min(seq) FROM outbox") == [(500, 499)]
    assert store.counters().dropped["states"] > 0
    assert store.close()
    assert opened().saved_state() == b"499"


def test_numbers_ascend_over_restarts_and_over_the_loss_of_either_file(tmp_path: Path, opened: Callable[..., Store]) -> None:
    seen = 0
    for lost in ("", "state.sqlite", "telemetry.sqlite", ""):
        store = opened()
        first = store.next_seq()
        assert first > seen
        store.submit(Commit(messages=(keeping.message("alert/a"),), telemetry=(keeping.message("t", kind="telemetry"),)))
        seen = store.last_seq()
        assert seen == first + 2
        assert store.close()
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"{lost or 'nothing'}{suffix}").unlink(missing_ok=True)


def test_telemetry_reaches_the_disk_in_batches_and_not_at_all_if_it_is_taken_before(tmp_path: Path, opened: Callable[..., Store]) -> None:
    store = opened(every=60.0)
    store.submit(Commit(telemetry=tuple(keeping.message("t", n, kind="telemetry") for n in range(99))))
    store.call(lambda desk: desk.telemetry.forget(list(desk.telemetry.waiting)[:50], 0.0))
    taken = threading.Event()
    store.call(lambda _: taken.set())
    assert taken.wait(10.0)
    assert table(tmp_path, "SELECT count(*) FROM outbox", "telemetry.sqlite") == [(0,)]
    store.submit(Commit(telemetry=tuple(keeping.message("t", n, kind="telemetry") for n in range(99, 160))))
    wait_until(lambda: store.counters().telemetry == 110 and not store._telemetry.waiting, "a batch of more than 100 rows is written")
    assert table(tmp_path, "SELECT count(*) FROM outbox", "telemetry.sqlite") == [(110,)]
    assert store.close()


def test_telemetry_is_bounded_by_bytes_and_by_age(tmp_path: Path, opened: Callable[..., Store]) -> None:
    now = SystemClock().wall()
    store = opened(StoreOptions(telemetry_bytes=400_000, telemetry_age=3600.0))
    store.submit(Commit(telemetry=tuple(keeping.message("t", n, kind="telemetry", time=now - 7200.0) for n in range(150))))
    store.submit(Commit(telemetry=(keeping.message("t", 150, kind="telemetry", time=now),)))
    wait_until(lambda: store.counters().dropped.get("telemetry_age", 0) == 150, "old rows are dropped")
    for start in range(0, 2000, 200):
        rows = tuple(keeping.message("t", n, kind="telemetry", time=now, size=900) for n in range(start, start + 200))
        store.submit(Commit(telemetry=rows))
        wait_until(lambda: store.counters().telemetry > 0 and not store._telemetry.waiting and not store._fresh, "the batch is written")
    wait_until(
        lambda: store.counters().dropped.get("telemetry_bytes", 0) > 0 and not store._telemetry.waiting, "too many bytes are dropped"
    )
    assert store.close()
    rows = table(tmp_path, "SELECT seq, length(payload) FROM outbox ORDER BY seq", "telemetry.sqlite")
    assert sum(size for _, size in rows if isinstance(size, int)) < 400_000
    assert len(rows) > 200
    assert (tmp_path / "telemetry.sqlite").stat().st_size < 900_000


def page_limit(store: Store, pages: int) -> None:
    """Let the state file grow no further: SQLite then answers SQLITE_FULL, as on a full disk."""
    done = threading.Event()

    def set_limit(desk: Desk) -> None:
        assert desk.state.db is not None
        desk.state.db.execute(f"PRAGMA max_page_count = {pages}")
        done.set()

    store.call(set_limit)
    assert done.wait(10.0)


def test_a_full_disk_costs_the_telemetry_first_and_no_alert(tmp_path: Path, opened: Callable[..., Store], troubles: Troubles) -> None:
    store = opened()
    store.submit(Commit(state=b"x", telemetry=tuple(keeping.message("t", n, kind="telemetry") for n in range(200))))
    wait_until(lambda: store._telemetry.on_disk == 200, "telemetry is on disk")
    page_limit(store, 1)
    for n in range(50):
        store.submit(Commit(state=b"z" * 20000, alerts=(keeping.alert(f"a{n}"),), messages=(keeping.message(f"alert/a{n}", n, size=2000),)))
    troubles.wait(lambda said: said == ["disk_full"])
    trouble = troubles.said[0]
    assert trouble is not None
    assert (trouble.path, trouble.remedy) == (str(tmp_path / "state.sqlite"), "store.disk_full")
    assert store.counters().dropped["telemetry_disk_full"] == 200
    assert not (tmp_path / "telemetry.sqlite").exists()
    assert not store.flush(0.2)
    page_limit(store, 1_000_000)
    assert store.flush(10.0)
    troubles.wait(lambda said: said == ["disk_full", None])
    assert table(tmp_path, "SELECT count(*) FROM alerts") == [(50,)]
    assert table(tmp_path, "SELECT count(*) FROM outbox") == [(50,)]


def mounting() -> list[str] | None:
    """How to run a command in which a tmpfs may be mounted: as root in a mount namespace of its own, or in a user namespace."""
    for way in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, timeout=10.0).returncode == 0:
                return way
        except OSError:
            continue
    return None


def test_a_disk_that_is_really_full_and_one_that_is_read_only(tmp_path: Path) -> None:
    way = mounting()
    if way is None:
        pytest.skip("needs tmpfs: neither root nor user namespaces")
    script = f'mount -t tmpfs -o size=3m tmpfs {tmp_path} && exec "{sys.executable}" -m tests.support.store_full {tmp_path}'
    done = subprocess.run([*way, "sh", "-c", script], capture_output=True, timeout=90.0, cwd=HOUSE, text=True)
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    said = saw.pop("said")
    assert saw == {
        "telemetry file made": True,
        "filled": "No space left on device",
        "full heard": True,
        "waiting": True,
        "telemetry given up": True,
        "over heard": True,
        "all on disk": True,
        "read-only heard": True,
        "state read on a read-only disk": "small",
        "numbers go on": True,
        "waiting again": True,
        "written after the remount": True,
        "missing": [],
        "messages": 0,
    }, said
    assert said[:2] == ["disk_full", None]


@pytest.mark.parametrize("damage", ["garbage", "empty header", "page in the middle"])
def test_a_broken_file_is_set_aside_and_reported(tmp_path: Path, opened: Callable[..., Store], troubles: Troubles, damage: str) -> None:
    store = opened()
    for n in range(200):
        store.submit(Commit(state=b"s" * 9000, alerts=(keeping.alert(f"a{n}"),), messages=(keeping.message(f"alert/a{n}", n, size=500),)))
    assert store.close()
    last = store.last_seq()
    path = tmp_path / "state.sqlite"
    whole = path.read_bytes()
    broken = {
        "garbage": b"this is no database" * 100,
        "empty header": bytes(100) + whole[100:],
        "page in the middle": whole[: 4096 * 5] + b"\xff" * 4096 * 3 + whole[4096 * 8 :],
    }[damage]
    path.write_bytes(broken)
    again = opened()
    assert [t.kind if t else None for t in troubles.said] == ["corrupt"]
    aside = [p for p in tmp_path.iterdir() if ".broken-" in p.name]
    assert [p.read_bytes() for p in aside] == [broken]
    assert again.saved_state() is None
    assert again.id != store.id
    assert again.next_seq() > last
    again.submit(Commit(state=b"new"))
    assert again.close()
    assert table(tmp_path, "SELECT action FROM audit") == [("store_set_aside",)]
    assert opened().saved_state() == b"new"


def test_broken_telemetry_is_begun_again_without_a_word(tmp_path: Path, opened: Callable[..., Store], troubles: Troubles) -> None:
    store = opened()
    store.submit(Commit(telemetry=(keeping.message("t", kind="telemetry"),)))
    assert store.close()
    (tmp_path / "telemetry.sqlite").write_bytes(b"no database" * 1000)
    again = opened()
    again.submit(Commit(telemetry=(keeping.message("t", kind="telemetry"),)))
    assert again.close()
    assert table(tmp_path, "SELECT count(*) FROM outbox", "telemetry.sqlite") == [(1,)]
    assert troubles.said == []


def test_a_file_that_breaks_under_way_is_set_aside_and_what_waits_is_written_to_a_new_one(
    tmp_path: Path, opened: Callable[..., Store], troubles: Troubles
) -> None:
    store = opened()
    for n in range(100):
        store.submit(Commit(state=b"s" * 50000, alerts=(keeping.alert(f"b{n}"),), messages=(keeping.message(f"alert/b{n}", size=500),)))
    assert store.flush(10.0)
    done = threading.Event()

    def spoil(desk: Desk) -> None:
        db = desk.state.db
        assert db is not None
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        path = tmp_path / "state.sqlite"
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (len(whole) - 4096))
        db.execute("PRAGMA shrink_memory")
        done.set()

    store.call(spoil)
    assert done.wait(10.0)
    for n in range(3):
        store.submit(Commit(state=b"after", alerts=(keeping.alert(f"a{n}"),), messages=(keeping.message(f"alert/a{n}"),)))
        assert store.flush(15.0)
    assert [t.kind if t else None for t in troubles.said] == ["corrupt"]
    assert store.close()
    assert table(tmp_path, "SELECT id FROM alerts ORDER BY id") == [("a0",), ("a1",), ("a2",)]
    assert table(tmp_path, "SELECT topic FROM outbox ORDER BY seq") == [("alert/a0",), ("alert/a1",), ("alert/a2",)]
    assert opened().saved_state() == b"after"


def test_one_agent_a_folder(tmp_path: Path, opened: Callable[..., Store]) -> None:
    opened()
    with pytest.raises(StoreUnusable) as caught:
        opened()
    assert caught.value.trouble.kind == "in_use"


def test_a_file_of_a_newer_broche_is_left_alone(tmp_path: Path, opened: Callable[..., Store]) -> None:
    assert opened().close()
    db = sqlite3.connect(tmp_path / "state.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "state.sqlite").read_bytes()
    with pytest.raises(StoreUnusable) as caught:
        opened()
    assert caught.value.trouble.kind == "newer"
    assert (tmp_path / "state.sqlite").read_bytes() == before


def test_a_folder_that_cannot_be_made_names_the_remedy(tmp_path: Path, troubles: Troubles) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable) as caught:
        Store.open(tmp_path / "file" / "state", StoreOptions(), SystemClock(), troubles)
    assert caught.value.trouble.remedy == "store.read_only"


def test_every_acknowledged_commit_survives_kill_9(tmp_path: Path) -> None:
    """A process that commits without pause is killed at random moments, eight times in a row on the same folder."""
    last, last_seq = 0, 0
    environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
    for round_ in range(8):
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.support.store_victim", str(tmp_path)], stdout=subprocess.PIPE, env=environment, cwd=HOUSE
        )
        assert victim.stdout is not None
        acknowledged = last
        for _ in range(3 + 7 * round_ % 11):
            acknowledged = int(victim.stdout.readline())
        victim.send_signal(signal.SIGKILL)
        rest = victim.stdout.read().split()
        victim.stdout.close()
        victim.wait(10.0)
        acknowledged = max([acknowledged, *map(int, rest)])
        assert acknowledged > last
        db = sqlite3.connect(tmp_path / "state.sqlite")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        state = int(db.execute("SELECT body FROM state ORDER BY version DESC").fetchone()[0])
        alerts = {int(str(row[0])[1:]) for row in db.execute("SELECT id FROM alerts")}
        audit = [int(row[0]) for row in db.execute("SELECT subject FROM audit ORDER BY id")]
        messages = [(seq, json.loads(payload)["n"]) for seq, payload in db.execute("SELECT seq, payload FROM outbox ORDER BY seq")]
        db.close()
        assert state >= acknowledged
        assert alerts == set(range(1, state + 1))
        assert audit == list(range(1, state + 1))
        assert [n for _, n in messages] == list(range(1, state + 1))
        new = [seq for seq, n in messages if n > last]
        assert min(new) > last_seq
        last, last_seq = state, max(seq for seq, _ in messages)


commits = st.builds(
    lambda state, alerts, audit, rows: (
        Commit(
            state=state,
            alerts=tuple(keeping.alert(f"a{a}", score=float(s)) for a, s in alerts),
            audit=tuple(Audit(time=1.0, by="", action=str(a), subject="") for a in audit),
        ),
        rows,
    ),
    st.none() | st.binary(max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
    st.integers(0, 3),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(commits, max_size=4), max_size=5))
def test_folding_commits_is_the_same_as_writing_them_one_by_one(groups: list[list[tuple[Commit, int]]]) -> None:
    folded = Pending()
    state: bytes | None = None
    alerts: dict[str, float] = {}
    audit: list[str] = []
    seqs: list[int] = []
    number = seq = 0
    for group in groups:
        part = Pending()
        for commit, rows in group:
            number += 1
            made = [Row(seq + i + 1, keeping.message("alert/x")) for i in range(rows)]
            seq += rows
            part.add(number, commit, made)
            state = commit.state if commit.state is not None else state
            alerts |= {alert.id: alert.score for alert in commit.alerts}
            audit += [line.action for line in commit.audit]
            seqs += [row.seq for row in made]
        folded.fold(part)
    assert folded.number == number
    assert folded.state == state
    assert {alert.id: alert.score for alert in folded.alerts.values()} == alerts
    assert [line.action for line in folded.audit] == audit
    assert list(folded.rows) == seqs


def test_what_waits_in_memory_is_bounded_and_superseded_states_go_first() -> None:
    pending = Pending()
    for n in range(5000):
        pending.add(n, Commit(), [Row(n, keeping.message(f"alert/{n % 3}", n, size=8000))])
    assert pending.lost["messages"] > 1000
    assert {4997, 4998, 4999} <= set(pending.rows)
    assert sum(len(row.message.payload) for row in pending.rows.values()) <= 16 * 1024 * 1024
