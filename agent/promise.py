"""What the pass can promise of an operation, as a noun."""

from __future__ import annotations

import msgspec


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What can be promised of an operation with this signal (`agent.detect.monitorability`)."""

    operation: str
    presence: float
    """Mean load above idle in standard deviations of a reading's noise"""
    contrast: float | None
    """(cut mean - idle) / cut mean"""
    readings: float
    """Of a cut, on average; no more than the register changes"""
    deviation: float | None
    """P99.9 of the deviation of good cuts, as a share of their work above idle; None: too few so far"""
    missing: bool
    """A missing tool is told."""
    breakage: bool
    """A break within the cut is told, at the latest as the cut ends."""
    until: float
    """... if it comes before this share of the cut"""
    smallest_change: float | None
    """Smallest rise of the work that is told within 20 cuts at the budget, as a fraction"""
    reason: str
    """Key under [reason] why a missing tool is not told, '' where it is"""
    by_visit: bool = False
    """A missing tool is told by the work of its whole visit, when it leaves: this cut alone would not show it."""
