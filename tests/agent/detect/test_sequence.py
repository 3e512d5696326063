"""The order of the cuts of a part."""

from __future__ import annotations

from agent.detect.baseline import Baseline
from agent.detect.sequence import PARTS, Sequence


def known(*keys: str) -> dict[str, Baseline]:
    return {key: Baseline(key=key, spindle="S1", program="P", tool=key, section="", since=0.0, good=9) for key in keys}


def run(order: Sequence, of: dict[str, Baseline], *keys: str, whole: bool = True) -> list[str]:
    absent = [gone for key in keys for gone in order.opened(key, "P", of)]
    absent += order.ended(of, whole=whole)
    order.begin()
    return absent


def learned() -> tuple[Sequence, dict[str, Baseline]]:
    order, of = Sequence(3), known("a", "b", "c")
    order.begin()
    for _ in range(3):
        assert run(order, of, "a", "b", "c") == []
    return order, of


def test_nothing_is_expected_before_enough_whole_parts() -> None:
    order, of = Sequence(3), known("a", "b")
    order.begin()
    assert run(order, of, "a", "b") == run(order, of, "a", "b") == []
    assert run(order, of, "a") == []


def test_what_is_skipped_is_told_once_when_the_next_opens_and_the_last_at_the_end() -> None:
    order, of = learned()
    assert order.opened("a", "P", of) == []
    assert order.opened("c", "P", of) == ["b"]
    assert order.opened("c", "P", of) == []
    assert order.ended(of, whole=True) == []
    order.begin()
    assert run(order, of, "a", "b") == ["c"]


def test_a_part_that_was_not_watched_whole_says_nothing_and_is_not_remembered() -> None:
    order, of = learned()
    order.whole = False
    assert run(order, of, "a") == []
    assert run(order, of, "a", whole=False) == []
    assert len(order.parts["P"]) == 3


def test_what_opened_and_was_no_cut_has_not_come() -> None:
    order, of = learned()
    assert order.opened("a", "P", of) == []
    order.unsee("a")
    assert order.untold(of) == ["a", "b", "c"]
    assert order.opened("b", "P", of) == ["a"]
    assert order.untold(of) == ["c"]
    order.told(["c"])
    assert order.untold(of) == order.ended(of, whole=True) == []


def test_another_program_has_another_order_and_memory_is_bounded() -> None:
    order, of = learned()
    assert order.opened("c", "Q", of) == []
    order.begin()
    for _ in range(2 * PARTS):
        run(order, of, "a", "b", "c")
    assert len(order.parts["P"]) == PARTS
    assert order.recent() == ["a", "b", "c"]


def test_a_cut_that_is_missing_in_two_parts_is_told_in_both_and_the_third_says_that_the_program_has_changed() -> None:
    order, of = Sequence(5), known("a", "b", "c")
    order.begin()
    for _ in range(5):
        run(order, of, "a", "b", "c")
    assert run(order, of, "a", "c") == ["b"]
    assert order.expected(of) == ["a", "b", "c"], "in its place, and expected as before"
    assert order.recent() == ["a", "b", "c"]
    assert run(order, of, "a", "c") == ["b"]
    assert order.expected(of) == order.expected(of, "P") == ["a", "c"]
    assert run(order, of, "a", "c") == []
    for _ in range(5):
        run(order, of, "a", "b", "c")
    assert order.expected(of) == ["a", "b", "c"]


def test_the_last_cut_of_a_part_that_is_missing_keeps_its_place() -> None:
    order, of = Sequence(5), known("a", "b", "c")
    order.begin()
    for _ in range(5):
        run(order, of, "a", "b", "c")
    assert run(order, of, "a") == ["b", "c"]
    assert order.expected(of) == ["a", "b", "c"]


def test_where_the_control_tells_no_parts_only_parts_that_are_all_alike_say_what_comes() -> None:
    order, of = Sequence(3, told=False), known("a", "b", "c")
    order.begin()
    for _ in range(3):
        run(order, of, "a", "b", "c")
    assert run(order, of, "a", "c") == ["b"]
    assert order.expected(of) == []


def test_one_cut_in_the_place_of_another_is_no_absence_and_no_example_of_its_coming() -> None:
    order, of = learned()
    assert order.opened("a", "P", of) == []
    order.through(["b"])
    assert order.opened("c", "P", of) == []
    assert order.ended(of, whole=True) == []
    order.begin()
    # One such part is excused, so that the next that lacks it is told.
    assert run(order, of, "a", "c") == ["b"]
    assert "b" not in order.expected(of)
