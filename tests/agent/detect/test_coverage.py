"""The one word for an operation that is cut and cannot be judged."""

from __future__ import annotations

import msgspec
import pytest

from agent.detect import coverage
from agent.detect.watch import Watch
from agent.model import Coverage, Word
from agent.settings import MonitoringOptions
from tests.support.cuts import cut

NOISE = 0.1


class Shift:
    """Cuts of one operation, one a part."""

    def __init__(self) -> None:
        self.options = MonitoringOptions()
        self.watch = Watch(self.options, 1.0 / 160.0)
        self.made = 0

    def cut(self, held: str = "") -> Coverage:
        self.made += 1
        self.watch.on_cut(msgspec.structs.replace(cut(50.0, 10.0 * self.made, self.made), held=held), NOISE)
        (baseline,) = self.watch.state.baselines.values()
        return coverage.of_operation(baseline, self.options, 10.0 * self.made)


def test_what_is_never_judged_for_want_of_idle_is_not_called_watched() -> None:
    shift = Shift()
    for _ in range(8):
        assert shift.cut().word is not Word.NOT_MONITORABLE
    assert [shift.cut("idle_unknown").word for _ in range(3)] == [Word.PROVISIONAL, Word.PROVISIONAL, Word.NOT_MONITORABLE]
    said = shift.cut("idle_unknown")
    assert (said.word, said.reason) == (Word.NOT_MONITORABLE, "idle_unknown")
    assert shift.cut().word is Word.PROVISIONAL, "known again, watched again"


@pytest.mark.parametrize("held", ["lost", "feed_override", "run_up"])
def test_what_is_held_for_another_reason_says_nothing_of_idle(held: str) -> None:
    shift = Shift()
    for _ in range(8):
        shift.cut()
    assert [shift.cut(held).word for _ in range(5)] == [Word.PROVISIONAL] * 5


def test_a_cut_that_alone_cannot_be_watched_is_by_the_visit_of_its_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = Shift()
    for _ in range(coverage.SEEN):
        shift.cut(held="warm_up")
    (baseline,) = shift.watch.state.baselines.values()
    assert shift.watch.outlook.cover(baseline, 1.0).word is Word.NOT_MONITORABLE
    monkeypatch.setattr(shift.watch.overdue.work, "tells", lambda *_tool: True)
    told = shift.watch.outlook.cover(baseline, 1.0)
    assert (told.word, told.reason) == (Word.MONITORING, "by_visit")


def test_the_word_that_is_kept_is_the_word_that_would_be_worked_out() -> None:
    """Whatever it is made of may change between two cuts: cuts that are held, a part, a tool that is told to be missing."""
    shift = Shift()

    def same() -> Coverage:
        (baseline,) = shift.watch.state.baselines.values()
        fresh = coverage.of_operation(baseline, shift.options, 0.0)
        kept = shift.watch.words.of(baseline, 0.0)
        assert (kept.word, kept.reason, kept.n, kept.of) == (fresh.word, fresh.reason, fresh.n, fresh.of)
        assert shift.watch.words.of(baseline, 1.0) is kept
        return kept

    words = set()
    for held in (*[""] * 12, *["idle_unknown"] * 4, "", "lost", ""):
        shift.cut(held)
        words.add(same().word)
    assert words == {Word.LEARNING, Word.PROVISIONAL, Word.NOT_MONITORABLE}
    (baseline,) = shift.watch.state.baselines.values()
    baseline.by_load = True
    baseline.spoilt = baseline.good + 1
    assert same().reason == "too_noisy"
    baseline.spoilt = 0
    assert same().word is Word.PROVISIONAL
    baseline.came = [True, False, False, False, False, False]
    assert same().reason == "irregular"
