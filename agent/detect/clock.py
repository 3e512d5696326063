"""The cutting clock of a tool: what it has cut since it was new, over all programs and operations, and how long earlier ones lasted.

Cutting time alone told worn tools from fresh ones better than any sensor of two milling sets (knowledge of detection, 1.2); it is counted
for every tool, shown beside what the sensors say, and stands in where an operation cannot be monitored.
"""

from __future__ import annotations

import msgspec
import numpy as np

LIVES = 20
"""Earlier lives of a tool position that are remembered."""
FEWEST = 3
"""Earlier lives below which they give no interval: the next of n lives lies between their least and greatest with a chance of
(n - 1) / (n + 1) only (order statistics; Hahn & Meeker, Statistical Intervals, 1991, section 5.4): one half with three."""


class Clock(msgspec.Struct):
    """Of one tool position; survives a restart."""

    time: float = 0.0
    """s of cutting since the tool was new"""
    volume: float = 0.0
    """Volume cut since then, in any unit that is the same for all; 0 where nothing tells it"""
    cuts: int = 0
    parts: int = 0
    lives: list[tuple[float, float, int]] = []
    """Time, volume and parts of earlier tools in this position, newest last"""

    def cut(self, duration: float, volume: float = 0.0) -> None:
        """One cut more."""
        self.time += max(duration, 0.0)
        self.volume += max(volume, 0.0)
        self.cuts += 1

    def changed(self) -> None:
        """A new tool is in this position. A life without a whole part says nothing of how long one lasts."""
        if self.parts:
            self.lives = [*self.lives, (self.time, self.volume, self.parts)][-LIVES:]
        self.time, self.volume, self.cuts, self.parts = 0.0, 0.0, 0, 0

    def expected_parts(self, stated: int | None) -> float | None:
        """Parts that a tool lasts: as stated by [[tool]], else the median of earlier lives; None where neither is known."""
        if stated is not None:
            return float(stated)
        return float(np.median([parts for _, _, parts in self.lives])) if self.lives else None

    def interval(self) -> tuple[int, int] | None:
        """Parts left by earlier lives, least and most; None with fewer than `FEWEST` of them."""
        if len(self.lives) < FEWEST:
            return None
        parts = [life[2] for life in self.lives]
        return max(min(parts) - self.parts, 0), max(max(parts) - self.parts, 0)
