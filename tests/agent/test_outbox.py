"""The outbox: who goes first, what is handed out again, and that no topic ever steps back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.outbox import Delivery, Message, Outbox, Row, finish
from agent.settings import StoreOptions
from agent.store import Commit, Desk, Store
from drivers.clock import SystemClock
from tests.support import keeping
from tests.support.broker import wait_until


class Desktop:
    """A store and its outbox, with what was delivered; `settle` waits until the writer has done all it was asked."""

    def __init__(self, folder: Path, every: float = 0.02) -> None:
        self.store = Store.open(folder, StoreOptions(), SystemClock(), lambda _: None, every=every)
        self.got: list[tuple[int, str, Row]] = []
        self.outbox = Outbox(self.store, SystemClock(), self._deliver)
        self.generation = 0

    def _deliver(self, delivery: Delivery) -> None:
        self.got += [(delivery.generation, "critical", row) for row in delivery.critical]
        self.got += [(delivery.generation, "telemetry", row) for row in delivery.telemetry]

    def begin(self, critical: int = 100, telemetry: int = 100) -> int:
        """A new connection; its mark."""
        self.generation += 1
        mark = self.store.last_seq()
        self.outbox.begin(self.generation, mark)
        self.outbox.want(self.generation, critical, telemetry)
        self.settle()
        return mark

    def add(self, *messages: Message) -> None:
        critical = tuple(m for m in messages if m.kind != "telemetry")
        telemetry = tuple(m for m in messages if m.kind == "telemetry")
        self.store.submit(Commit(messages=critical, telemetry=telemetry))
        self.settle()

    def ack(self, *rows: Row) -> None:
        self.outbox.ack(
            [row.seq for row in rows if row.message.kind != "telemetry"], [row.seq for row in rows if row.message.kind == "telemetry"]
        )
        self.settle()

    def settle(self, turns: int = 3) -> None:
        for _ in range(turns):
            done = threading.Event()
            self.store.call(lambda _, done=done: done.set())  # type: ignore[misc]
            assert done.wait(10.0)

    def numbers(self) -> list[int]:
        return [json.loads(row.message.payload)["n"] for _, _, row in self.got]

    def rows(self) -> list[Row]:
        return [row for _, _, row in self.got]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    made = Desktop(tmp_path)
    yield made
    assert made.store.close()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Desktop]:
    """One that deletes and batches only when it must."""
    made = Desktop(tmp_path / "slow", every=60.0)
    yield made
    assert made.store.close()


def telemetry(n: int) -> Message:
    return keeping.message("telemetry", n, kind="telemetry")


def alert(n: int, topic: str = "") -> Message:
    return keeping.message(topic or f"alert/{n}", n)


def test_alerts_come_before_telemetry_and_nothing_comes_unasked(desk: Desktop) -> None:
    desk.add(*(telemetry(n) for n in range(10)), alert(100), alert(101))
    assert desk.got == []
    desk.begin(critical=0, telemetry=0)
    assert desk.got == []
    desk.outbox.want(desk.generation, 2, 3)
    desk.settle()
    assert desk.numbers() == [100, 101, 0, 1, 2]
    desk.outbox.want(desk.generation - 1, 5, 5)
    desk.settle()
    assert len(desk.got) == 5


def test_live_comes_before_the_backlog_but_a_topic_keeps_its_order(desk: Desktop) -> None:
    desk.add(alert(1, "alert/x"), alert(2, "alert/y"), alert(3, "alert/z"), *(telemetry(n) for n in range(10, 15)))
    wait_until(lambda: desk.store.counters().telemetry == 5 and not desk.store._telemetry.waiting, "the backlog is on disk")
    desk.begin(critical=0, telemetry=0)
    desk.add(alert(4, "alert/z"), alert(5, "alert/new"), telemetry(20))
    desk.outbox.want(desk.generation, 2, 2)
    desk.settle()
    assert desk.numbers() == [3, 5], "telemetry waits as long as an alert could go"
    desk.ack(*desk.rows())
    desk.outbox.want(desk.generation, 3, 100)
    wait_until(lambda: len(desk.got) >= 11, "the rest")
    # 4 follows 3 as soon as 3 is deleted on disk; meanwhile nothing else has to wait.
    assert sorted(n for n in desk.numbers()[2:] if n < 10) == [1, 2, 4]
    assert [n for n in desk.numbers()[2:] if n >= 10] == [20, 10, 11, 12, 13, 14]


def test_what_is_not_acknowledged_is_handed_out_again_and_the_rest_is_not(desk: Desktop) -> None:
    desk.add(*(alert(n) for n in range(6)), *(telemetry(n) for n in range(10, 16)))
    desk.begin()
    assert desk.numbers() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]
    first = desk.rows()
    desk.ack(first[0], first[2], first[7])
    desk.outbox.end()
    desk.got.clear()
    desk.settle()
    assert desk.got == []
    desk.begin()
    assert desk.numbers() == [1, 3, 4, 5, 10, 12, 13, 14, 15]
    again = {json.loads(row.message.payload)["n"]: row.seq for row in desk.rows()}
    before = {json.loads(row.message.payload)["n"]: row.seq for row in first}
    assert all(before[n] == seq for n, seq in again.items())


def test_a_topic_has_one_message_under_way_and_the_next_after_the_first_is_gone_from_the_disk(slow: Desktop) -> None:
    slow.add(alert(1, "alert/x"), alert(2, "alert/x"), alert(3, "alert/y"))
    slow.begin()
    assert slow.numbers() == [1, 3]
    on_disk: list[list[int]] = []

    def look(desk: Desk) -> None:
        rows = desk.state.rows("ORDER BY seq", (), 0.0, 0.0)
        if 2 in slow.numbers() and not on_disk:
            on_disk.append([json.loads(row.message.payload)["n"] for row in rows])

    slow.store.attach(look)
    slow.ack(slow.rows()[0])
    wait_until(lambda: len(slow.got) == 3, "the second message of the topic")
    slow.settle()
    assert slow.numbers() == [1, 3, 2]
    assert on_disk == [[2, 3]]


def test_telemetry_that_moves_from_memory_to_disk_while_under_way_is_not_handed_out_twice(desk: Desktop) -> None:
    desk.begin()
    desk.add(*(telemetry(n) for n in range(8)))
    assert desk.numbers() == list(range(8))
    wait_until(lambda: desk.store._telemetry.on_disk == 8, "unacknowledged rows go to disk")
    desk.outbox.want(desk.generation, 10, 10)
    desk.add(telemetry(8))
    assert desk.numbers() == list(range(9))
    desk.ack(*desk.rows())
    wait_until(lambda: desk.store.counters().telemetry == 0, "acknowledged rows are forgotten")
    wait_until(lambda: desk.store._telemetry.on_disk == 0 and not desk.store._telemetry._gone, "and deleted")


def test_alerts_go_out_from_memory_when_the_disk_is_full(desk: Desktop) -> None:
    done = threading.Event()

    def fill(store: Desk) -> None:
        assert store.state.db is not None
        store.state.db.execute("PRAGMA max_page_count = 1")
        done.set()

    desk.store.call(fill)
    assert done.wait(10.0)
    desk.begin()
    desk.store.submit(Commit(state=b"z" * 50000, messages=(alert(1), alert(2, "alert/1"))))
    wait_until(lambda: len(desk.got) == 1, "the alert goes out all the same")
    assert desk.store.counters().trouble is not None
    desk.ack(desk.rows()[0])
    wait_until(lambda: desk.numbers() == [1, 2], "and the next one after it")
    desk.ack(desk.rows()[1])
    assert desk.outbox.backlog().critical == 0


def test_a_file_that_was_let_go_after_an_error_is_opened_again_without_being_asked(desk: Desktop) -> None:
    desk.add(alert(1))
    desk.store.call(lambda store: store.state._let_go())
    desk.begin()
    wait_until(lambda: desk.numbers() == [1], "the alert is found again")
    assert desk.store.counters().trouble is None


def test_finish_adds_number_and_history() -> None:
    row = Row(7, Message(topic="t", payload=b'{"a":1}', kind="alert", time=1.0))
    assert json.loads(finish(row, 6)) == {"a": 1, "seq": 7, "historical": False}
    assert json.loads(finish(row, 7)) == {"a": 1, "seq": 7, "historical": True}
    empty = Row(8, Message(topic="t", payload=b"{}", kind="alert", time=1.0))
    assert json.loads(finish(empty, 0)) == {"seq": 8, "historical": False}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("xyz"), st.booleans()),
        st.tuples(st.just("ack"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("lose"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("want"), st.integers(0, 3), st.booleans()),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_happens_nothing_is_lost_and_no_topic_steps_back(history: list[tuple[str, str | int, bool]]) -> None:
    """Random commits, acknowledgements, lost connections and credits; in the end everything was acknowledged, each topic in order."""
    with TemporaryDirectory() as folder:
        desk = Desktop(Path(folder), every=0.01)
        added: list[int] = []
        acked: list[Row] = []
        held: Callable[[], list[Row]] = lambda: [  # noqa: E731
            row for generation, _, row in desk.got if generation == desk.generation and row not in acked
        ]
        try:
            desk.begin(2, 2)
            for what, value, flag in history:
                if what == "add":
                    added.append(len(added))
                    desk.add(telemetry(added[-1]) if flag else alert(added[-1], f"alert/{value}"))
                elif what == "ack" and held():
                    row = held()[int(value) % len(held())]
                    acked.append(row)
                    desk.ack(row)
                elif what == "lose":
                    desk.outbox.end()
                    desk.begin(2, 2)
                elif what == "want":
                    desk.outbox.want(desk.generation, int(value), int(value))
                    desk.settle()
            desk.outbox.end()
            desk.begin(1000, 1000)

            def drained() -> bool:
                for row in held():
                    acked.append(row)
                    desk.ack(row)
                return len(acked) == len(added)

            wait_until(drained, "everything is handed out")
            for generation in range(1, desk.generation + 1):
                rows = [row for g, _, row in desk.got if g == generation]
                assert len({row.seq for row in rows}) == len(rows)
            for topic in ("alert/x", "alert/y", "alert/z"):
                seqs = [row.seq for row in acked if row.message.topic == topic]
                assert seqs == sorted(seqs)
                offered = [row.seq for _, _, row in desk.got if row.message.topic == topic]
                assert offered == sorted(offered)
            assert sorted(json.loads(row.message.payload)["n"] for row in acked) == added
        finally:
            assert desk.store.close()
