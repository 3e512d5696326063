"""One tool or all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import pytest

from agent.detect.fusion import ToolLevel, decide, decide_drift, drop, process_over
from agent.model import Finding


def levels(*values: float, limit: float = 0.14) -> dict[str, ToolLevel]:
    """Tools with these log ratios."""
    return {
        str(i): ToolLevel(
            tool=str(i),
            spindle="S1",
            operation=f"op{i}",
            level=value,
            limit=limit,
            cuts_since_new=9,
            since_part=3,
            new_part=1,
            n_baseline=5,
        )
        for i, value in enumerate(values, 1)
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.0, 0.01, 0.2), [("wear", "3")]),
        ((0.2, 0.01, 0.2), [("wear", "1"), ("wear", "3")]),
        ((0.2, 0.18, 0.22), [("process", "")]),
        ((0.2, 0.12, 0.13), [("process", "")]),
        ((0.2, 0.04, 0.2), [("wear", "1"), ("wear", "3")]),
        ((0.2, 0.2), [("process", "")]),
        ((0.2, 0.1), [("wear", "1")]),
        ((0.2, 0.5), [("wear", "1"), ("wear", "2")]),
        ((0.2, -0.2), [("wear", "1")]),
        ((0.2, -0.2, -0.2), [("wear", "1")]),
        ((0.2, 0.2, 0.2, 0.2, 0.2, 0.0), [("process", "")]),
        ((0.2, 0.2, 0.2, 0.0, 0.2, 0.0), [("wear", "1"), ("wear", "2"), ("wear", "3"), ("wear", "5")]),
        ((0.2,), [("wear", "1")]),
        ((0.1, 0.1, 0.1), []),
        ((-0.2, -0.2, -0.2), []),
        ((), []),
    ],
)
def test_who_moves(values: tuple[float, ...], expected: list[tuple[str, str]]) -> None:
    findings = decide(levels(*values), 100.0, 7)
    assert [(finding.kind, finding.tool) for finding in findings] == expected


def test_the_evidence_says_how_much_and_what_the_others_do() -> None:
    (finding,) = decide(levels(0.2, 0.01, -0.02), 100.0, 7)
    assert finding.evidence["change_pct"] == pytest.approx(100.0 * math.expm1(0.2))
    assert (finding.evidence["others_flat"], finding.evidence["others_total"]) == (2, 2)
    assert (finding.evidence["since_part"], finding.evidence["part"]) == (3, 7)


def test_two_tools_whose_rise_began_in_different_parts_wear_each_for_itself() -> None:
    known = levels(0.2, 0.2)
    known["2"] = msgspec.structs.replace(known["2"], since_part=6)
    assert [finding.kind for finding in decide(known, 100.0, 9)] == ["wear", "wear"]


def test_a_tool_changed_since_the_step_does_not_speak_against_it() -> None:
    """Its anchor was cut in the new material already."""
    known = levels(0.2, 0.2, 0.2, 0.0)
    assert [finding.kind for finding in decide(known, 100.0, 9)] == ["wear", "wear", "wear"]
    known["4"] = msgspec.structs.replace(known["4"], new_part=5)
    (finding,) = decide(known, 100.0, 9)
    assert (finding.kind, finding.evidence["tools"]) == ("process", 3)


def test_a_tool_that_was_not_cut_in_this_part_is_not_asked() -> None:
    known = levels(0.2, 0.2, 0.2)
    assert [finding.kind for finding in decide(known, 100.0, 7)] == ["process"]
    del known["2"], known["3"]
    (finding,) = decide(known, 100.0, 7)
    assert (finding.kind, finding.evidence["others_total"]) == ("wear", 0)


def test_far_beyond_its_limit_it_is_urgent() -> None:
    assert [f.severity for f in decide(levels(0.2, 0.0, 0.0), 1.0, 7)] == ["warning"]
    assert [f.severity for f in decide(levels(0.3, 0.0, 0.0), 1.0, 7)] == ["urgent"]


def drift(tool: str, change: float) -> Finding:
    """A slow change of a tool's operation, log."""
    return Finding(
        time=5.0, kind="drift", severity="warning", channel="", spindle="S1", operation=f"op{tool}", tool=tool, score=30.0, threshold=20.0,
        evidence={"change_pct": 100.0 * math.expm1(change)},
    )  # fmt: skip


def named(changes: Mapping[str, float]) -> dict[str, float]:
    """By spindle and tool."""
    return {f"S1|{tool}": change for tool, change in changes.items()}


@pytest.mark.parametrize(
    ("waiting", "changes", "expected"),
    [
        ({"1": -0.04}, {"1": -0.04, "2": 0.0, "3": 0.001}, [("drift", "1")]),
        ({"1": -0.04}, {"1": -0.04, "2": -0.03, "3": -0.035}, [("process", "")]),
        ({"1": -0.04, "2": -0.05, "3": -0.03}, {"1": -0.04, "2": -0.05, "3": -0.03}, [("process", "")]),
        ({"1": -0.04, "2": -0.05}, {"1": -0.04, "2": -0.05}, [("process", "")]),
        ({"1": -0.04}, {"1": -0.04, "2": -0.05}, [("drift", "1")]),
        ({"1": -0.04, "2": 0.05}, {"1": -0.04, "2": 0.05}, [("drift", "1"), ("drift", "2")]),
        ({"1": -0.04}, {"1": -0.04}, [("drift", "1")]),
        ({"1": -0.04, "2": -0.05}, {"1": -0.04, "2": -0.05, "3": 0.0, "4": 0.0}, [("drift", "1"), ("drift", "2")]),
        ({}, {"1": -0.04}, []),
    ],
)
def test_slow_changes_of_all_tools_are_one(waiting: dict[str, float], changes: dict[str, float], expected: list[tuple[str, str]]) -> None:
    told, shared = decide_drift([drift(tool, change) for tool, change in waiting.items()], named(changes), 6.0, 7)
    assert [(finding.kind, finding.tool) for finding in told] == expected
    assert shared == ([f"op{tool}" for tool in waiting] if expected == [("process", "")] else [])


def test_what_waits_is_dropped_with_its_tool() -> None:
    assert [finding.tool for finding in drop([drift("1", -0.1), drift("2", -0.1)], ("op1",))] == ["2"]
    assert process_over(1.0).finished
