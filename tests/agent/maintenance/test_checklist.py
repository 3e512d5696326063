"""Ticking: safety first, maintenance at any time, done once and for all. Every sequence of ticks keeps the same promises."""

from __future__ import annotations

import typing

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.commands import TickStep
from agent.maintenance import MaintenancePlan, plan
from agent.maintenance.checklist import LONGEST_NAME, LONGEST_NOTE, is_done, made_safe, open_checklist, tick
from agent.model import Checklist
from agent.paths import DataPaths

Result = typing.Literal["ok", "corrected", "escalate"]
RESULTS: tuple[Result, ...] = ("ok", "corrected", "escalate")
PLAN = plan(DataPaths.find(None))


def opened(tree: str = "T01") -> Checklist:
    return open_checklist(PLAN.trees[tree], "a1", 0.0)


def tick_of(step: str, result: Result = "ok", **more: str) -> TickStep:
    return TickStep(checklist=more.pop("checklist", "c-a1"), step=step, result=result, **more)


def ticked(checklist: Checklist, *steps: str, result: Result = "ok") -> Checklist:
    for n, step in enumerate(steps, 1):
        after = tick(checklist, tick_of(step, result), float(n))
        assert isinstance(after, Checklist), after
        checklist = after
    return checklist


def steps_of(checklist: Checklist, kind: str) -> list[str]:
    return [step.id for step in checklist.steps if step.kind == kind]


# ------------------------------------------------------------------ one by one
def test_a_tick_is_kept_with_who_and_when() -> None:
    after = tick(opened(), tick_of("safety", "corrected", note="porte fermée", by="JM"), 7.0)
    assert isinstance(after, Checklist)
    (step,) = (step for step in after.steps if step.id == "safety")
    assert (step.result, step.note, step.by, step.time) == ("corrected", "porte fermée", "JM", 7.0)


def test_safety_comes_first() -> None:
    checklist = opened()
    assert tick(checklist, tick_of("edge"), 1.0) == "safety_first"
    assert tick(checklist, tick_of("change"), 1.0) == "safety_first"
    assert isinstance(tick(ticked(checklist, "safety"), tick_of("edge"), 1.0), Checklist)


def test_maintenance_may_be_called_before_anything_is_safe() -> None:
    after = tick(opened(), tick_of("life", "escalate"), 1.0)
    assert isinstance(after, Checklist)
    assert after.done


def test_who_cannot_make_it_safe_hands_it_over() -> None:
    assert ticked(opened(), "safety", result="escalate").done


def test_done_when_every_act_is_answered_questions_may_stay_open() -> None:
    checklist = ticked(opened(), "safety", "change", "record")
    assert not checklist.done
    assert ticked(checklist, "back").done


def test_an_act_that_is_left_to_maintenance_is_answered() -> None:
    checklist = ticked(opened(), "safety", "change", "record")
    assert ticked(checklist, "back", result="escalate").done


def test_a_question_of_escalation_that_is_answered_no_ends_nothing() -> None:
    assert not ticked(opened(), "safety", "life").done


def test_a_tree_without_acts_is_done_when_its_escalation_is_answered() -> None:
    checklist = opened("T06")
    acts = steps_of(checklist, "act")
    bare = msgspec.structs.replace(checklist, steps=tuple(step for step in checklist.steps if step.id not in acts))
    assert not ticked(bare, "safety", "clamps").done
    assert ticked(bare, "safety", "feet").done


def test_a_tick_may_be_corrected_until_it_is_done() -> None:
    checklist = ticked(ticked(opened(), "safety", "edge"), "edge", result="corrected")
    assert next(step for step in checklist.steps if step.id == "edge").result == "corrected"


def test_after_it_is_done_nothing_changes_and_a_repeated_message_does_no_harm() -> None:
    done = ticked(opened(), "safety", "change", "record", "back")
    assert tick(done, tick_of("edge"), 9.0) == "checklist_done"
    assert tick(done, tick_of("back"), 9.0) is done


def test_what_is_not_there() -> None:
    assert tick(opened(), tick_of("nowhere"), 1.0) == "unknown_step"
    assert tick(opened(), tick_of("safety", checklist="c-b2"), 1.0) == "unknown_checklist"


def test_long_notes_are_cut() -> None:
    after = tick(opened(), tick_of("safety", note="x" * 10_000, by="y" * 1000), 1.0)
    assert isinstance(after, Checklist)
    assert (len(after.steps[0].note), len(after.steps[0].by)) == (LONGEST_NOTE, LONGEST_NAME)
    assert tick(after, tick_of("safety", note="x" * 10_000, by="y" * 1000), 2.0) is after


def test_a_checklist_survives_a_restart() -> None:
    checklist = ticked(opened(), "safety", "edge")
    assert msgspec.json.decode(msgspec.json.encode(checklist), type=Checklist) == checklist


# ------------------------------------------------------------------ every sequence
class Ticking(RuleBasedStateMachine):
    """One checklist of any tree, ticked in any order, also with nonsense."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: MaintenancePlan = PLAN
        self.first = self.now = opened("T03")
        self.clock = 0.0
        self.was_done = False

    @rule(tree=st.sampled_from(sorted(PLAN.trees)))
    def begin(self, tree: str) -> None:
        if self.now == self.first:
            self.first = self.now = opened(tree)

    @rule(data=st.data(), result=st.sampled_from(RESULTS), note=st.text(max_size=3))
    def tick(self, data: st.DataObject, result: Result, note: str) -> None:
        self.clock += 1.0
        before = self.now
        step = data.draw(st.sampled_from([step.id for step in before.steps]))
        kind = next(s.kind for s in before.steps if s.id == step)
        after = self.plan.tick(before, tick_of(step, result, note=note), self.clock)
        if isinstance(after, str):
            assert after in {"checklist_done", "safety_first"}
            assert (after == "checklist_done") == before.done
            assert before.done or (kind != "safety" and result != "escalate" and not made_safe(before))
            return
        changed = [s.id for s, old in zip(after.steps, before.steps, strict=True) if s != old]
        assert changed in ([step], [])
        if changed:
            assert not before.done
            assert next((s.result, s.time) for s in after.steps if s.id == step) == (result, self.clock)
        self.now = after

    @rule(step=st.text(max_size=5), checklist=st.text(max_size=5))
    def tick_nonsense(self, step: str, checklist: str) -> None:
        known = {s.id for s in self.now.steps}
        assert step in known or self.plan.tick(self.now, tick_of(step), 0.0) == "unknown_step"
        assert checklist == self.now.id or self.plan.tick(self.now, tick_of(step, checklist=checklist), 0.0) == "unknown_checklist"

    @invariant()
    def same_steps(self) -> None:
        assert [(s.id, s.key, s.kind) for s in self.now.steps] == [(s.id, s.key, s.kind) for s in self.first.steps]

    @invariant()
    def done_is_what_the_steps_say_and_stays(self) -> None:
        assert self.now.done == is_done(self.now.steps)
        assert self.now.done or not self.was_done
        self.was_done = self.now.done

    @invariant()
    def a_result_has_a_time_and_nothing_else_has(self) -> None:
        assert all((step.time is not None) == bool(step.result) for step in self.now.steps)

    @invariant()
    def it_can_always_be_brought_to_an_end(self) -> None:
        checklist = self.now
        for step in [s for s in checklist.steps if s.kind in {"safety", "act", "escalate"}]:
            if not checklist.done:
                after = self.plan.tick(checklist, tick_of(step.id, "ok" if step.kind != "escalate" else "escalate"), self.clock)
                assert isinstance(after, Checklist)
                checklist = after
        assert checklist.done


TestTicking = Ticking.TestCase
TestTicking.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@settings(max_examples=100, deadline=None)
@given(tree=st.sampled_from(sorted(PLAN.trees)), moves=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(RESULTS)), max_size=30))
def test_the_same_ticks_the_same_checklist(tree: str, moves: list[tuple[int, Result]]) -> None:
    def play() -> Checklist:
        checklist = opened(tree)
        for n, (at, result) in enumerate(moves):
            after = tick(checklist, tick_of(checklist.steps[at % len(checklist.steps)].id, result), float(n))
            checklist = after if isinstance(after, Checklist) else checklist
        return checklist

    assert play() == play()
