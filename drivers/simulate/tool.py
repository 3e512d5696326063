"""The tool in one position: how much of the nominal cutting load it draws while it is new, worn, breaking or gone."""

from __future__ import annotations

SPIKE = 0.06
"""s, the edge goes: the load shoots up ..."""
FALL = 0.06
"""s, ... and falls to what is left rubbing."""


class Tool:
    """State of one position."""

    def __init__(self) -> None:
        self._spike = 1.5
        self._rub = 0.1
        self.renew(1.0)

    def renew(self, level: float) -> None:
        """A new tool; `level` is its own load against the nominal one (about 1)."""
        self.wear = 0.0
        self.missing = False
        self._level = level
        self._per_part = 0.0
        self._limit = 0.0
        self._break_at: float | None = None
        self._broken: float | None = None

    def begin_wear(self, per_part: float, limit: float) -> None:
        """From the next part on, `per_part` of the new level a part."""
        self._per_part, self._limit = per_part, limit

    def end_wear(self) -> None:
        """It wears no further."""
        self._per_part = 0.0

    def arm_break(self, at_s_in_cut: float, spike: float, rub: float) -> None:
        """It will break that far (s) into its next cut: load times `spike`, then `rub` of the nominal load until the end of that cut."""
        self._break_at, self._spike, self._rub = at_s_in_cut, spike, rub

    def part_begins(self) -> None:
        """One part more."""
        if self._per_part:
            self.wear = min(self._limit, self.wear + self._per_part)

    def cut_ends(self) -> None:
        """What broke in this cut is gone in the next."""
        if self._broken is not None:
            self.missing = True

    def factor(self, time: float, in_cut: float) -> tuple[float, bool]:
        """Share of the nominal cutting load at machine time `time`, `in_cut` s of program into its cut; and whether it breaks right now."""
        if self.missing:
            return 0.0, False
        sharp = self._level * (1.0 + self.wear)
        if self._broken is None:
            if self._break_at is None or in_cut < self._break_at:
                return sharp, False
            self._broken = time
            return sharp * self._spike, True
        since = time - self._broken
        if since < SPIKE:
            return sharp * self._spike, False
        if since < SPIKE + FALL:
            share = (since - SPIKE) / FALL
            return sharp * self._spike * (1.0 - share) + self._rub * share, False
        return self._rub, False
