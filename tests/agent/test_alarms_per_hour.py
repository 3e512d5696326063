"""The false-alarm budget as a rate."""

from __future__ import annotations

import pytest

from agent.budget import alarms_per_hour


@pytest.mark.parametrize(
    ("budget", "rate"),
    [
        ("1 per month", 1 / 160),
        ("2 per week", 2 / 40),
        ("3 per shift", 3 / 8),
        ("0.5 per month", 0.5 / 160),
        ("  1   per  month ", 1 / 160),
        ("1/month", 1 / 160),
    ],
)
def test_a_number_and_an_interval(budget: str, rate: float) -> None:
    assert alarms_per_hour(budget) == pytest.approx(rate)


@pytest.mark.parametrize(
    "budget",
    [
        "",
        "1",
        "month",
        "one per month",
        "1 per year",
        "-1 per month",
        "1 par mois",
        "1,5 per week",
        "0 per month",
        "9" * 400 + " per week",
        "nan per week",
    ],
)
def test_anything_else_is_not_understood(budget: str) -> None:
    assert alarms_per_hour(budget) is None
