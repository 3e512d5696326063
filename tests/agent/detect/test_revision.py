"""A program that was changed without anybody telling."""

from __future__ import annotations

import msgspec
import pytest

from agent.detect import revision
from agent.detect.baseline import Baseline
from agent.model import Cut
from tests.support.cuts import cut

OLD = [["a", "b", "c"]] * 5
P = 2.5e-6


@pytest.mark.parametrize(
    ("new", "asked"),
    [(["a", "c"], ["b"]), (["a", "b", "c", "d"], ["d"]), (["b", "a", "c"], ["a", "b"]), (["a", "x", "c"], ["b", "x"])],
    ids=["taken out", "put in", "other order", "exchanged"],
)
def test_it_is_asked_in_the_third_part_alike_and_only_there(new: list[str], asked: list[str]) -> None:
    told = [revision.differs([*OLD, *[new] * n], 5) for n in range(6)]
    assert told == [[], [], [], asked, [], []]


def test_parts_that_differ_among_themselves_or_before_ask_nothing() -> None:
    assert revision.differs([*OLD, ["a", "c"], ["a", "b"], ["a", "c"]], 5) == []
    assert revision.differs([*OLD[:4], ["a"], *[["a", "c"]] * 3], 5) == []
    assert revision.differs([*OLD[:4], *[["a", "c"]] * 3], 5) == []
    assert revision.differs([], 5) == []


def test_what_was_taken_out_is_gone_after_ten_parts_alike() -> None:
    assert revision.gone([["a", "c"]] * 9, ["b", "c"]) == []
    assert revision.gone([["a", "c"]] * 10, ["b", "c"]) == ["b"]
    assert revision.gone([["a", "b", "c"], *[["a", "c"]] * 9], ["b"]) == []


def test_lengths_of_several_operations_at_once_are_asked_about_once() -> None:
    lengths: dict[str, list[float]] = {}
    told = []
    for _ in range(6):
        for key in ("a", "b", "c"):
            revision.follow(lengths, length(2.5 if key != "c" else 2.0), known(key), P)
        told.append(revision.longer(lengths, ["a", "b", "c"]))
    assert told == [[], [], ["a", "b"], [], [], []]


def test_one_operation_alone_or_lengths_that_differ_ask_nothing() -> None:
    lengths: dict[str, list[float]] = {}
    for n in range(6):
        revision.follow(lengths, length(2.5), known("a"), P)
        revision.follow(lengths, length(2.5 + n), known("b"), P)
        assert revision.longer(lengths, ["a", "b"]) == []
    before = dict(lengths)
    revision.follow(lengths, msgspec.structs.replace(length(9.0), held="feed_hold"), known("a"), P)
    assert lengths == before
    revision.follow(lengths, length(2.0), known("a"), P)
    assert "a" not in lengths


def length(duration: float) -> Cut:
    one = cut(25.0 * duration)
    return msgspec.structs.replace(one, features=msgspec.structs.replace(one.features, duration=duration))


def known(key: str) -> Baseline:
    baseline = Baseline(key=key, spindle="S1", program="1", tool=key, section="1", since=0.0)
    for _ in range(20):
        baseline.learn(length(2.0), 0.5)
    return baseline
