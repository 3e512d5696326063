"""The false-alarm budget of [monitoring] as a rate."""

from __future__ import annotations

import math
import re

HOURS = {"shift": 8.0, "week": 40.0, "month": 160.0}
"""Hours of automatic running. A month is 160 h (DESIGN.md, the machine file), a week 40 h, a shift 8 h (checklists: the same intervals)."""

_BUDGET = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(?:per|/)\s*(shift|week|month)\s*")


def alarms_per_hour(budget: str) -> float | None:
    """False alarms an hour of automatic running that `budget` allows the whole machine, such as 1/160 for '1 per month'.

    Returns
    -------
    None where the text is not understood, or allows none at all: no chart can promise that.
    """
    match = _BUDGET.fullmatch(budget)
    if match is None:
        return None
    rate = float(match[1]) / HOURS[match[2]]
    return rate if math.isfinite(rate) and rate > 0.0 else None
