"""What became of the budget: hours, verdicts, their interval, over restarts, gaps and clock jumps."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from scipy import stats

from agent.commands import Correct, FalseAlarm, ToolChanged
from agent.maintenance import plan
from agent.model import Alert, Cut, CutFeatures, Operation, Word
from agent.monitor import Monitor
from agent.monitor.realised import MOST, PERIODS, RealisedState, Tally
from agent.paths import DataPaths
from agent.realised import Realised
from tests.support.lathe import PART, START, Faults, pieces, rows, settings

PLAN = plan(DataPaths.find(None))
A_MONTH = 1.0 / 160.0
NOTHING = CutFeatures(
    samples=9, duration=0.0, mean=0.0, peak=0.0, idle=0.0, work=0.0, largest_rise=0.0, largest_fall=0.0
)  # fmt: skip


def cut(opened: float, closed: float) -> Cut:
    operation = Operation(spindle="S1", program="1", revision=1, tool="1", section="1")
    return Cut(id="c", phase="closed", operation=operation, part=1, opened=opened, time=closed, features=NOTHING)


def alert(identity: str, kind: str = "missing", operation: str = "S1/1/r1/T1/1") -> Alert:
    return Alert(
        id=identity, kind=kind, severity="urgent", state="active", returned=False, raised=0.0, updated=0.0, transition="raised",
        channel="load", spindle="S1", operation=operation, tool="1", score=0.1, threshold=0.5, count=1, evidence={}, checklist="",
    )  # type: ignore[arg-type] # fmt: skip


def run(tally: Tally, hours: float, start: float = 0.0) -> float:
    """Cuts of 40 s, one a minute, watched; returns the time at which it ends."""
    now = start
    tally.look(now, Word.MONITORING)
    for _ in range(round(hours * 60.0)):
        now += 60.0
        tally.look(now, Word.MONITORING)
        tally.cut(cut(now - 40.0, now))
    return now


def said(hours: float, false: int = 0, right: int = 0, unanswered: int = 0, budget: float = A_MONTH) -> Realised:
    tally = Tally(budget)
    run(tally, hours)
    for i in range(false + right + unanswered):
        tally.raised(alert(f"a{i}"))
        if i < false + right:
            tally.judged(alert(f"a{i}"), "false_alarm" if i < false else "correct")
    return tally.view()


# ------------------------------------------------------------------ what it says
def test_before_the_first_hours_there_is_no_rate() -> None:
    view = Tally(A_MONTH).view()
    assert (view.hours, view.rate, view.high, view.verdict, view.budget) == (0.0, None, None, "early", 1.0)


def test_the_interval_is_that_of_the_count_and_of_what_nobody_answered() -> None:
    view = said(400.0, false=3, right=2, unanswered=4)
    assert (view.raised, view.judged_false, view.judged_right, view.unanswered) == (9, 3, 2, 4)
    assert view.hours == pytest.approx(400.0, abs=0.02)
    assert view.rate == pytest.approx(3 * 0.4, rel=1e-3)
    assert view.low == pytest.approx(stats.chi2.ppf(0.025, 6) / 2 * 0.4, rel=1e-3)
    assert view.high == pytest.approx(stats.chi2.ppf(0.975, 16) / 2 * 0.4, rel=1e-3)


def test_without_a_false_alarm_the_budget_is_kept_once_three_times_it_is_ruled_out() -> None:
    # 3.689 is the upper bound of no event: 3.689 x 160 / 3 = 196.7 h.
    early, kept = said(190.0), said(197.0)
    assert (early.verdict, kept.verdict) == ("early", "kept")
    assert early.needed == pytest.approx(6.74, abs=0.05)
    assert kept.needed is None


def test_above_only_where_chance_does_not_explain_it_and_it_says_who() -> None:
    assert said(200.0, false=3).verdict == "early"
    view = said(200.0, false=5)
    assert (view.verdict, view.kind, view.where, view.times) == ("above", "missing", "S1/1/r1/T1/1", 5)
    assert view.low > view.budget
    assert said(200.0, unanswered=9).verdict == "early", "nobody said that these were false"


def test_the_limit_that_was_false_most_often_is_named() -> None:
    tally = Tally(A_MONTH)
    run(tally, 10.0)
    for i, kind in enumerate(("wear", "drift", "drift", "wear", "drift", "missing")):
        tally.raised(alert(f"a{i}", kind, f"S1/1/r1/T{i % 2}/1"))
        tally.judged(alert(f"a{i}", kind, f"S1/1/r1/T{i % 2}/1"), "correct" if kind == "missing" else "false_alarm")
    view = tally.view()
    assert (view.kind, view.where, view.times) == ("drift", "S1/1/r1/T0/1", 2)


def test_a_tool_that_was_changed_because_it_was_as_told_answers_for_the_operator() -> None:
    tally = Tally(A_MONTH)
    for kind, reason in (("wear", "worn"), ("breakage", "broken"), ("wear", "planned"), ("drift", "worn"), ("wear", "")):
        tally.raised(alert(f"{kind}-{reason}", kind))
        tally.changed(alert(f"{kind}-{reason}", kind), reason)
    assert (tally.view().judged_right, tally.view().unanswered) == (2, 3)


def test_what_is_old_says_nothing_any_more() -> None:
    tally = Tally(1.0 / 8.0)
    now = run(tally, 4.0)
    for i in range(9):
        tally.raised(alert(f"a{i}"))
        tally.judged(alert(f"a{i}"), "false_alarm")
    assert tally.view().verdict == "above"
    now = run(tally, 8.0 * PERIODS, now)
    assert tally.view().judged_false == 9
    run(tally, 5.0, now)
    view = tally.view()
    assert (view.judged_false, view.verdict) == (0, "kept")
    assert view.hours == pytest.approx(8.0 * PERIODS)


def test_of_too_many_the_oldest_go_with_their_hours() -> None:
    tally = Tally(A_MONTH)
    now = run(tally, 5.0)
    for i in range(MOST):
        tally.raised(alert(f"a{i}"))
    run(tally, 5.0, now)
    for i in range(MOST):
        tally.raised(alert(f"b{i}"))
    view = tally.view()
    assert view.raised == MOST
    assert view.hours == pytest.approx(5.0, abs=0.1)


# ------------------------------------------------------------------ hours
def test_a_long_cut_counts_and_a_standstill_does_not() -> None:
    tally = Tally(A_MONTH)
    for now in range(0, 20_000, 10):
        tally.look(float(now), Word.PROVISIONAL)
        if now == 3000:
            tally.cut(cut(0.0, 3000.0))
        if now == 4010:
            tally.cut(cut(4000.0, 4010.0))
    assert tally.view().hours == pytest.approx(3010.0 / 3600.0)


@pytest.mark.parametrize("word", [Word.LOST, Word.HOLD, Word.NOT_MONITORABLE, Word.OFF])
def test_what_was_not_watched_does_not_count(word: Word) -> None:
    tally = Tally(A_MONTH)
    for now in range(0, 7200, 60):
        tally.look(float(now), word if 1800 <= now < 5400 else Word.MONITORING)
        tally.cut(cut(now - 40.0, float(now)))
    assert tally.view().hours == pytest.approx((7140.0 - 3600.0) / 3600.0)


def test_a_gap_takes_what_was_watched_since_the_cut_before() -> None:
    tally = Tally(A_MONTH)
    run(tally, 1.0)
    tally.look(3650.0, Word.MONITORING)
    tally.gap()
    tally.look(3660.0, Word.MONITORING)
    tally.cut(cut(3620.0, 3660.0))
    assert tally.view().hours == pytest.approx((3580.0 + 10.0) / 3600.0), "the first cut counts from its own start"


@pytest.mark.parametrize("jump", [-1e6, -3600.0, -700.0, 700.0, 86400.0, 1e9])
def test_a_clock_that_jumps_adds_nothing(jump: float) -> None:
    tally = Tally(A_MONTH)
    now = run(tally, 1.0)
    run(tally, 1.0, now + jump)
    assert tally.view().hours == pytest.approx(2.0, abs=61.0 / 3600.0)


def test_two_spindles_are_one_machine() -> None:
    tally = Tally(A_MONTH)
    tally.look(0.0, Word.MONITORING)
    for now in range(60, 3660, 60):
        tally.look(float(now), Word.MONITORING)
        tally.cut(cut(now - 40.0, float(now)))
        tally.cut(cut(now - 30.0, now - 5.0))
    assert tally.view().hours == pytest.approx((3600.0 - 20.0) / 3600.0)


class AnyDay(RuleBasedStateMachine):
    """Against a list of every second: what was watched, what ran, and what was said of each alert."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally(1.0)
        self.now = 0.0
        self.word = Word.OFF
        self.watched = 0.0
        self.ran = 0.0
        self.raised = 0
        self.false: set[str] = set()
        self.open: list[Alert] = []
        self.before = 0.0

    @rule(seconds=st.integers(1, 900), word=st.sampled_from(list(Word)))
    def look(self, seconds: int, word: Word) -> None:
        self.now += seconds
        if self.word in (Word.LEARNING, Word.PROVISIONAL, Word.MONITORING):
            self.watched += seconds
        self.tally.look(self.now, word)
        self.word = word

    @rule(seconds=st.integers(1, 2000))
    def close_a_cut(self, seconds: int) -> None:
        self.ran += seconds + 600.0
        self.tally.cut(cut(self.now - seconds, self.now))

    @rule(jump=st.floats(-1e5, 1e5))
    def clock_jumps(self, jump: float) -> None:
        # The first look after a jump has no look before it in this model: the agent is told through a restart of the stream.
        self.now += jump
        self.tally.restore(self.tally.state)
        self.word = Word.OFF

    @rule()
    def restart(self) -> None:
        kept = msgspec.msgpack.encode(self.tally.state)
        seen = self.tally.view()
        self.tally = Tally(1.0)
        self.tally.restore(msgspec.msgpack.decode(kept, type=RealisedState))
        assert self.tally.view() == seen
        self.word = Word.OFF

    @rule()
    def raise_one(self) -> None:
        self.raised += 1
        self.open.append(alert(f"a{self.raised}"))
        self.tally.raised(self.open[-1])

    @rule(data=st.data())
    def judge(self, data: st.DataObject) -> None:
        if self.open:
            one = data.draw(st.sampled_from(self.open))
            self.tally.judged(one, "false_alarm")
            self.false.add(one.id)

    @invariant()
    def holds(self) -> None:
        hours = self.tally.state.hours
        assert self.before <= hours <= min(self.watched, self.ran) / 3600.0 + 1e-9
        self.before = hours
        view = self.tally.view()
        assert view.hours <= PERIODS + 1e-9
        assert view.judged_false + view.judged_right + view.unanswered == view.raised <= self.raised
        assert view.judged_false <= len(self.false)
        if hours <= PERIODS and self.raised <= MOST:
            assert (view.raised, view.judged_false) == (self.raised, len(self.false))
        if view.rate is not None and view.high is not None:
            assert 0.0 <= view.low <= view.rate <= view.high


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = given_settings(max_examples=60, stateful_step_count=40, deadline=None)


# ------------------------------------------------------------------ through the pass
def monitored(parts: int, faults: Faults | None = None, monitor: Monitor | None = None) -> Monitor:
    monitor = monitor or Monitor(settings(), PLAN)
    for piece in pieces(rows(parts, faults), itertools.repeat(40)):
        monitor.feed(piece)
    monitor.finish()
    return monitor


def test_alerts_and_hours_go_together_through_the_pass_and_over_a_restart() -> None:
    monitor = monitored(30, Faults(missing={2: range(25, 26)}))
    view = monitor.snapshot().realised
    assert (view.raised, view.unanswered) == (1, 1)
    assert view.hours == pytest.approx(30 * PART / 3600.0, rel=0.05)
    (one,) = monitor.snapshot().alerts
    again = Monitor(settings(), PLAN)
    again.restore(monitor.state())
    again.do(FalseAlarm(alert=one.id), START + 300.0)
    view = again.snapshot().realised
    assert (view.raised, view.judged_false, view.unanswered, view.kind) == (1, 1, 0, "missing")
    assert view.hours == pytest.approx(30 * PART / 3600.0, rel=0.05)
    other = Monitor(settings(), PLAN)
    other.restore(monitor.state())
    other.do(Correct(alert=one.id), START + 300.0)
    assert other.snapshot().realised.judged_right == 1
    third = Monitor(settings(), PLAN)
    third.restore(monitor.state())
    third.do(ToolChanged(tool="2", reason="broken"), START + 300.0)
    assert third.snapshot().realised.judged_right == 1


def test_hours_do_not_depend_on_how_rows_were_batched() -> None:
    whole = Monitor(settings(), PLAN)
    whole.feed(rows(30))
    whole.finish()
    single = Monitor(settings(), PLAN)
    for piece in pieces(rows(30), itertools.repeat(1)):
        single.feed(piece)
    single.finish()
    assert whole.snapshot().realised == single.snapshot().realised
    assert whole.snapshot().realised.hours > 0.05


def test_a_lost_signal_and_an_override_take_their_hours_away() -> None:
    well = monitored(30).snapshot().realised.hours
    lost = monitored(30, Faults(lost=(10 * PART, 20 * PART))).snapshot().realised.hours
    held = monitored(30, Faults(override=range(10, 20))).snapshot().realised.hours
    assert lost == pytest.approx(well * 2 / 3, rel=0.1)
    assert held == pytest.approx(well * 2 / 3, rel=0.1)


def test_a_state_from_before_this_was_kept_begins_to_count_now() -> None:
    monitor = monitored(30, Faults(missing={2: range(29, 30)}))
    assert monitor.watch.state.pace.hours > 0.05
    (one,) = monitor.snapshot().alerts
    old = msgspec.msgpack.decode(monitor.state())
    del old["realised"]
    again = Monitor(settings(), PLAN)
    again.restore(msgspec.msgpack.encode(old))
    again.do(FalseAlarm(alert=one.id), START + 300.0)
    view = again.snapshot().realised
    assert (view.hours, view.raised, view.judged_false) == (0.0, 0, 0), "an alert of which no hours are known is not counted"
