"""How long to wait for an answer, learned from the answers. Pure."""

from __future__ import annotations

LEAST = 0.05
"""Shortest time-out, s: below it, a busy agent would take its own delay for a lost answer."""

_FORGET = 0.998
"""Of the worst reply time, per answer: half of it is forgotten after about 350 answers."""


class ReplyTime:
    """Time-out of one device: smoothed reply time and four mean deviations, doubled after each silence.

    Source: RFC 6298, section 2 (gains 1/8 and 1/4, factor 4) and 5.5 (doubling). Times are without the line time of the bytes, which
    is known and added. Starts at the ceiling and stays within floor and ceiling.
    """

    def __init__(self, ceiling: float, floor: float = LEAST) -> None:
        self._ceiling = ceiling
        self._floor = min(floor, ceiling)
        self._smooth: float | None = None
        self._spread = 0.0
        self._doubled = 1.0
        self.worst = 0.0
        """Longest reply time of late, s; 0: none yet."""

    @property
    def mean(self) -> float | None:
        """Smoothed reply time, s; None: no answer yet."""
        return self._smooth

    def timeout(self, line: float = 0.0) -> float:
        """Seconds to wait for an answer whose bytes take `line` seconds on the wire."""
        if self._smooth is None:
            return self._ceiling
        wait = max(self._floor, self._smooth + 4.0 * self._spread + line) * self._doubled
        return min(self._ceiling, wait)

    def answered(self, delay: float) -> None:
        """An answer came `delay` seconds after its request (line time taken off), in time or late."""
        self._doubled = 1.0
        self.worst = max(delay, self.worst * _FORGET)
        if self._smooth is None:
            self._smooth, self._spread = delay, delay / 2
            return
        self._spread += 0.25 * (abs(self._smooth - delay) - self._spread)
        self._smooth += 0.125 * (delay - self._smooth)

    def silent(self) -> None:
        """No answer within the time-out."""
        self._doubled = min(64.0, self._doubled * 2.0)
