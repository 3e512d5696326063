"""What became of the false-alarm budget."""

from __future__ import annotations

import msgspec


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the false-alarm budget since the counting began; over restarts."""

    raised: int = 0
    """Alerts"""
    judged_false: int = 0
    """Of them, by the operator's word"""
    hours: float = 0.0
    """of automatic running"""
    budget_hours: float = 0.0
    """in which the budget allows one false alarm; 0: not known"""
