"""One tool or all of them."""

from __future__ import annotations

import math

import pytest

from agent.detect.fusion import ToolLevel, decide


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
        ((0.2, 0.2), [("wear", "1"), ("wear", "2")]),
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
