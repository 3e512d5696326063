"""What became of the false-alarm budget, as a noun."""

from __future__ import annotations

from typing import Literal

import msgspec


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """Of the latest hours of automatic running in which the machine was watched (`agent.monitor.realised`)."""

    hours: float = 0.0
    """of automatic running that were watched"""
    raised: int = 0
    """Alerts in them"""
    judged_false: int = 0
    """Of them, by the operator's word"""
    judged_right: int = 0
    """Of them: 'correct', or the tool was changed because it was as the alert said"""
    unanswered: int = 0
    """Of them: nobody said. Any of these may have been false"""
    budget: float = 0.0
    """False alarms in 160 h that the shop allows; 0: not known"""
    rate: float | None = None
    """Judged false, in 160 h; None before the first hours"""
    low: float = 0.0
    """Lower 95 % bound of the rate, as if every unanswered alert had been right"""
    high: float | None = None
    """Upper 95 % bound, as if every unanswered alert had been false; None before the first hours"""
    verdict: Literal["early", "kept", "above"] = "early"
    """`early`: it cannot be told yet; `kept`: three times the budget is ruled out; `above`: the budget is passed, and not by chance"""
    needed: float | None = None
    """Hours more without a false alarm until the budget can be said to be kept; None where that does not come by itself"""
    kind: str = ""
    """Kind of finding that was judged false most often, ''"""
    where: str = ""
    """... in which operation, on which channel or spindle"""
    times: int = 0
    """... how often"""
