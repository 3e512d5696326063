"""The compute thread: a real thread, a real monitor, a clock that the test moves."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import pytest

from agent import compute as room
from agent.commands import Acknowledge, CommandResult, ToolChanged
from agent.compute import Asked, Compute, Ready, Result
from agent.maintenance import plan
from agent.model import Alert, Checklist, Event, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from drivers.model import Readings
from tests.support.lathe import START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
SECONDS = 30.0
BROKEN = Faults(broken={4: (7, 0.5, 99)})


class Clock:
    """Stands until it is moved; `step`: seconds that pass whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def wall(self) -> float:
        return START + self.now

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    def drift(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the compute thread does not sleep")


class Bench:
    """A compute thread, and what it made known."""

    def __init__(self, saved: Sequence[bytes] = (), warm: Callable[[], None] = lambda: None) -> None:
        self.clock = Clock()
        self.made: list[Ready | Result] = []
        self._news = threading.Condition()
        self.compute = Compute(settings(), self.clock, self._take, warm)
        self.compute.start()
        self.compute.begin(PLAN, saved)

    def _take(self, made: Ready | Result) -> None:
        with self._news:
            self.made.append(made)
            self._news.notify_all()

    @property
    def results(self) -> list[Result]:
        return [made for made in self.made if isinstance(made, Result)]

    @property
    def events(self) -> list[Event]:
        return [event for result in self.results for event in result.events]

    def wait(self, enough: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(enough, SECONDS)

    def ready(self) -> Ready:
        self.wait(lambda: self.made)
        first = self.made[0]
        assert isinstance(first, Ready)
        return first

    def end(self) -> list[Result]:
        self.compute.stop(SECONDS)
        assert not self.compute.alive
        return self.results


@pytest.fixture
def benches() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(saved: Sequence[bytes] = (), warm: Callable[[], None] = lambda: None) -> Bench:
        made.append(Bench(saved, warm))
        return made[-1]

    yield make
    for bench in made:
        bench.end()


def blocks(parts: int, faults: Faults | None = None) -> list[Readings]:
    return list(pieces(rows(parts, faults), itertools.repeat(20)))


def test_what_comes_before_the_pass_is_ready_waits_for_it() -> None:
    """The links begin long before the kernels are there: no first reading may be lost."""
    clock, made = Clock(), queue.Queue[Ready | Result]()
    compute = Compute(settings(), clock, made.put, lambda: None)
    early = blocks(2)
    assert all(compute.put(block) for block in early[:30])
    compute.start()
    assert all(compute.put(block) for block in early[30:])
    compute.begin(PLAN, ())
    assert isinstance(made.get(timeout=SECONDS), Ready)
    compute.stop(SECONDS)
    results = [made.get_nowait() for _ in range(made.qsize())]
    state = results[-1].state if isinstance(results[-1], Result) else None
    assert state is not None
    at_once = Monitor(settings(), PLAN)
    for block in early:
        at_once.feed(block)
    counters = msgspec.msgpack.decode(state)["counters"]
    assert (counters["rows"], counters["dropped"]) == (at_once.counters.rows, 0)


def test_one_that_is_stopped_before_it_may_begin_ends() -> None:
    made: list[Ready | Result] = []
    compute = Compute(settings(), Clock(), made.append, lambda: None)
    compute.start()
    compute.stop(SECONDS)
    assert not compute.alive
    assert made == []


def learned(parts: int = 8, faults: Faults | None = None) -> bytes:
    monitor = Monitor(settings(), PLAN)
    for block in blocks(parts, faults):
        monitor.feed(block)
    return monitor.state()


def refuse(_: CommandResult) -> None:
    raise AssertionError("the thread itself never answers")


def test_readings_wait_until_the_kernels_are_there(benches: Callable[..., Bench]) -> None:
    warm = threading.Event()
    bench = benches(warm=lambda: warm.wait(SECONDS) and None)
    expected: list[Event] = []
    monitor = Monitor(settings(), PLAN)
    for block in blocks(9, BROKEN):
        assert bench.compute.put(block)
        expected += monitor.feed(block)
    assert bench.made == []
    warm.set()
    assert bench.ready() == Ready("fresh")
    bench.end()
    assert bench.events == expected
    assert any(isinstance(event, Alert) for event in expected)


def test_what_the_queue_cannot_hold_is_counted_and_shown(benches: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "QUEUE", 3)
    warm = threading.Event()
    bench = benches(warm=lambda: warm.wait(SECONDS) and None)
    assert [bench.compute.put(block) for block in blocks(1)] == [True, True, True, False, False, False, False]
    assert not bench.compute.ask(Asked(Acknowledge(id="1", by="Karim", alert="a"), "page", refuse))
    warm.set()
    bench.wait(lambda: bench.results and bench.results[-1].snapshot)
    snapshot = bench.results[-1].snapshot
    assert snapshot is not None
    assert snapshot.counters.dropped == 4
    assert (snapshot.coverage.word, snapshot.coverage.reason) == (Word.LOST, "overload_agent")
    bench.clock.now += room.GAP
    bench.wait(lambda: (last := bench.results[-1].snapshot) and last.coverage.reason != "overload_agent")
    assert bench.compute.put(blocks(1)[-1])


def test_a_row_that_comes_too_late_is_counted(benches: Callable[..., Bench]) -> None:
    bench = benches()
    early, *rest = blocks(1)
    for block in rest:
        bench.compute.put(block)
    bench.compute.put(early)
    last = bench.end()[-1].snapshot
    assert last is not None
    assert last.counters.dropped == 20
    assert last.coverage.reason != "overload_agent"


def test_what_is_behind_the_present_is_told_but_not_shown(benches: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    ticked: list[float] = []
    tick = Monitor.tick
    monkeypatch.setattr(Monitor, "tick", lambda self, now: ticked.append(now) or tick(self, now))
    warm = threading.Event()
    bench = benches(warm=lambda: warm.wait(SECONDS) and None)
    given = blocks(9, BROKEN)
    for block in given:
        bench.compute.put(block)
    bench.clock.step = room.TURN  # each block takes as long as a turn may
    warm.set()
    bench.wait(lambda: bench.results and not bench.results[-1].behind)
    *behind, last = bench.results
    assert len(behind) == len(given) - 1
    assert all(result.behind and result.snapshot is None for result in behind)
    assert any(isinstance(event, Alert) for result in behind for event in result.events)
    assert last.snapshot is not None
    assert len(ticked) == 1


def test_alerts_are_saved_with_the_state_that_made_them(benches: Callable[..., Bench]) -> None:
    bench = benches()
    for block in blocks(9, BROKEN):
        bench.compute.put(block)
    results = bench.end()
    telling = [r for r in results if any(isinstance(event, Alert | Checklist) for event in r.events)]
    assert telling
    for result in telling:
        assert result.state is not None
        again = Monitor(settings(), PLAN)
        again.restore(result.state)
        (alert,) = again.desk.alerts.open
        assert alert.id in {event.id for event in result.events if isinstance(event, Alert)}


def test_state_is_saved_now_and_then_and_at_the_end(benches: Callable[..., Bench]) -> None:
    bench = benches()
    bench.ready()
    bench.clock.now += 1.0
    bench.wait(lambda: bench.results)
    assert bench.results[0].state is None
    bench.clock.now += room.SAVE
    bench.wait(lambda: bench.results[-1].state is not None)
    bench.clock.now += 1.0
    count = len(bench.results)
    bench.wait(lambda: len(bench.results) > count)
    assert bench.results[-1].state is None
    assert bench.end()[-1].state is not None


def test_a_command_comes_back_with_its_state_to_be_kept_before_it_is_answered(benches: Callable[..., Bench]) -> None:
    bench = benches([learned()])
    bench.ready()
    good, bad = ToolChanged(id="1", by="Karim", tool="4"), ToolChanged(id="2", by="Karim", tool="99")
    bench.compute.ask(Asked(good, "page", refuse))
    bench.compute.ask(Asked(bad, "mqtt", refuse))
    bench.wait(lambda: sum(len(result.answered) for result in bench.results) == 2)
    first, second = [answered for result in bench.results for answered in result.answered]
    assert (first.asked.command, first.asked.door, first.result.accepted) == (good, "page", True)
    assert (second.asked.command, second.asked.door, second.result.reason) == (bad, "mqtt", "unknown_tool")
    kept = next(result.state for result in bench.results if result.answered)
    assert kept is not None
    again = Monitor(settings(), PLAN)
    again.restore(kept)
    assert [b.tool_cuts for b in again.watch.state.baselines.values() if b.tool == "4"] == [0]


def test_the_newest_state_that_is_understood_is_taken_back(benches: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    good = learned()
    foreign = [b"", b"\xc1", msgspec.msgpack.encode({"version": "9"}), good[: len(good) // 2], msgspec.msgpack.encode([1, 2])]
    caplog.set_level(logging.ERROR)
    for bad in foreign:
        bench = benches([bad, good])
        assert bench.ready().restored == "restored"
        bench.clock.now += 1.0
        bench.wait(lambda b=bench: b.results)
        snapshot = bench.results[-1].snapshot
        assert snapshot is not None
        assert {tool.word for tool in snapshot.tools} == {Word.PROVISIONAL}
        bench = benches([bad])
        assert bench.ready().restored == "refused"
        last = bench.end()[-1].snapshot
        assert last is not None
        assert last.tools == ()
    assert not caplog.records


def test_a_load_in_another_unit_is_logged_once(benches: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    in_kw = msgspec.structs.replace(
        settings(), channel=(msgspec.structs.replace(settings().channel[0], unit="kW"), *settings().channel[1:])
    )
    monitor = Monitor(in_kw, PLAN)
    for block in blocks(2):
        monitor.feed(block)
    for state in (learned(), monitor.state()):
        bench = benches([state])
        assert bench.ready().restored == "restored"
        bench.end()
    assert [record.getMessage().endswith("learning begins again: S1") for record in caplog.records] == [True]


def test_a_monitor_that_fails_ends_the_thread_and_says_why(benches: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    bench = benches()
    bench.ready()
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        bench.compute.put(Readings("x", ("load",), np.zeros(3), np.zeros((2, 1)), np.zeros((2, 1), dtype=np.uint8)))
        bench.compute._thread.join(SECONDS)
    finally:
        threading.excepthook = hook
    assert not bench.compute.alive
    assert isinstance(bench.compute.failure, (ValueError, IndexError))
    assert "the compute thread has failed" in caplog.text


def test_told_to_give_up_while_it_waits_for_its_kernels(benches: Callable[..., Bench]) -> None:
    warm = threading.Event()
    bench = benches(warm=lambda: warm.wait(SECONDS) and None)
    bench.compute.put(blocks(1)[0])
    bench.compute.give_up()
    warm.set()
    assert bench.end() == []
    assert bench.made == []
