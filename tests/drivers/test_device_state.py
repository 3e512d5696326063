"""What the bus knows about a device between two transactions: reply times, late answers, presence. No wire, no clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.health import FIRST_PROBE, LAST_PROBE, PROBE_SHARE, Presence
from drivers.late import LateAnswers
from drivers.latency import ReplyTime


def test_the_timeout_starts_at_the_option_and_follows_the_answers() -> None:
    replies = ReplyTime(0.5)
    assert replies.timeout() == 0.5
    for _ in range(50):
        replies.answered(0.004)
    assert replies.timeout() == 0.05
    assert replies.timeout(line=0.1) == pytest.approx(0.104, abs=0.002)
    for _ in range(50):
        replies.answered(0.2)
    assert 0.2 < replies.timeout() < 0.5


def test_each_silence_doubles_it_up_to_the_option_and_an_answer_takes_it_back() -> None:
    replies = ReplyTime(0.5)
    replies.answered(0.001)
    seen = []
    for _ in range(6):
        seen.append(replies.timeout())
        replies.silent()
    assert seen == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    replies.answered(0.001)
    assert replies.timeout() == 0.05


@given(st.lists(st.floats(0, 100), max_size=50), st.floats(0.01, 5), st.floats(0, 10))
def test_it_stays_within_its_bounds(delays: list[float], ceiling: float, line: float) -> None:
    replies = ReplyTime(ceiling)
    for delay in delays:
        replies.answered(delay)
        assert min(0.05, ceiling) <= replies.timeout(line) <= ceiling
        replies.silent()
        assert min(0.05, ceiling) <= replies.timeout(line) <= ceiling
    assert replies.worst <= max(delays, default=0.0)


def test_the_smoothing_is_that_of_the_rfc() -> None:
    replies = ReplyTime(10.0)
    replies.answered(0.1)
    assert replies.timeout() == pytest.approx(0.1 + 4 * 0.05)
    replies.answered(0.2)
    spread = 0.75 * 0.05 + 0.25 * abs(0.1 - 0.2)
    smooth = 0.875 * 0.1 + 0.125 * 0.2
    assert replies.timeout() == pytest.approx(smooth + 4 * spread)


def test_a_late_answer_is_kept_in_mind_until_it_comes() -> None:
    late = LateAnswers(life=10.0, overtaken=1.0)
    late.missed(3, 20, sent=5.0)
    late.missed(4, 8, sent=6.0)
    assert late.sizes(3, 7.0) == {20}
    assert late.came(3, 18, 7.0) is None
    assert late.came(3, 20, 7.0) == 2.0
    assert late.sizes(3, 7.0) == frozenset()
    assert late.any(7.0)
    assert not late.any(16.0)


def test_an_overtaken_answer_is_forgotten_sooner() -> None:
    late = LateAnswers(life=10.0, overtaken=1.0)
    late.missed(3, 20, sent=0.0)
    late.answered(2.0)
    late.answered(2.5)
    assert late.sizes(3, 2.9) == {20}
    assert late.sizes(3, 3.1) == frozenset()


def test_lost_within_two_periods_or_the_timeout_but_never_without_a_failure() -> None:
    presence = Presence(every=1.0, timeout=0.5)
    presence.begin(0.0)
    presence.answered(0.0)
    assert presence.deadline == 2.0
    assert not presence.overdue(5.0), "nobody asked it"
    assert not presence.failed(1.1)
    assert presence.state == "degraded"
    assert not presence.overdue(1.9)
    assert presence.overdue(2.0)
    assert presence.state == "offline"
    assert not presence.overdue(3.0), "told once"
    assert presence.failed(3.0), "and again at each failed probe"
    presence.answered(4.0)
    assert presence.state == "ok"
    assert Presence(every=0.1, timeout=0.5).patience == 0.5


def test_a_loss_that_was_told_while_a_question_was_under_way_is_not_told_twice() -> None:
    presence = Presence(every=0.1, timeout=0.5)
    presence.begin(0.0)
    presence.failed(0.1)
    assert presence.overdue(0.5)
    assert not presence.failed(0.6, asked=0.4)
    assert presence.again(0.6, 0.7) == 0.6 + FIRST_PROBE
    assert presence.failed(1.1, asked=1.0)


def test_probes_of_a_lost_device_grow_rarer() -> None:
    presence = Presence(every=0.1, timeout=0.2)
    presence.begin(0.0)
    now, waits = 0.25, []
    presence.failed(now)
    for _ in range(8):
        again = presence.again(now, now + 0.1)
        waits.append(again - now)
        now = again
        presence.failed(now)
    assert waits == pytest.approx([FIRST_PROBE, 1, 2, 4, 8, LAST_PROBE, LAST_PROBE, LAST_PROBE])
    presence.answered(now)
    presence.failed(now)
    assert presence.again(now, now + 0.1) == pytest.approx(now + 0.025), "one lost answer: asked again soon"


def test_a_probe_that_costs_the_others_time_comes_so_much_later() -> None:
    presence = Presence(every=0.1, timeout=0.5)
    presence.begin(0.0)
    presence.failed(0.5)
    assert presence.again(1.0, 1.1, cost=0.1) == pytest.approx(1.0 + PROBE_SHARE * 0.1)
    assert presence.again(1.0, 1.1, cost=0.001) == 1.0 + FIRST_PROBE
    assert presence.again(1.0, 1.1, cost=5.0) == 1.0 + LAST_PROBE


def test_a_device_that_was_never_there() -> None:
    presence = Presence(every=0.1, timeout=0.5)
    presence.begin(100.0)
    assert not presence.failed(100.1)
    assert presence.state == "starting"
    assert presence.failed(100.5)
    assert presence.state == "offline"


def test_a_late_answer_out_of_its_turn_may_be_another_one() -> None:
    late = LateAnswers(life=10.0, overtaken=1.0)
    late.missed(3, 10, 1.0)
    late.missed(3, 8, 2.0)
    assert late.came(3, 8, 5.0) is None, "or the answer of 1.0, miscounted"
    assert late.sizes(3, 5.9) == {8, 10}
    assert late.sizes(3, 6.1) == frozenset()
    late.missed(3, 8, 7.0)
    late.missed(3, 10, 8.0)
    assert late.came(3, 8, 9.0) == 2.0
    assert late.came(3, 10, 9.5) == 1.5
    assert late.sizes(3, 9.5) == frozenset()


def test_a_slow_stream_is_given_time() -> None:
    presence = Presence(every=0.1, timeout=0.5)
    presence.heard_every(0.01)
    assert presence.patience == 0.5
    presence.heard_every(1.0)
    assert presence.patience == 2.0
    presence.heard_every(60.0)
    assert presence.patience == 1.8, "that was a loss, not a pace"
    for _ in range(20):
        presence.heard_every(0.01)
    assert presence.patience == 0.5
