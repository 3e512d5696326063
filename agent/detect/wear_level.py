"""How far one signal of a tool stands above its new edge: never falling, and without a running maximum, which ratchets."""

from __future__ import annotations

import msgspec

MOST = 60
"""Blocks that are kept: what lies farther back than they do counts as one."""


class Level(msgspec.Struct):
    """Newest value of the monotone regression over all log ratios so far; survives a restart.

    Pool adjacent violators (M. Ayer et al., Ann. Math. Stat. 26 (1955) 641): a value below the ones before it is averaged with them.
    """

    blocks: list[tuple[float, int]] = []
    """Mean and number of the values of each block, rising"""

    def take(self, ratio: float) -> float:
        """One log ratio more; returns the level after it."""
        value, n = ratio, 1
        blocks = list(self.blocks)
        while blocks and blocks[-1][0] >= value:
            low, before = blocks.pop()
            value, n = (low * before + value * n) / (before + n), before + n
        blocks.append((value, n))
        if len(blocks) > MOST:
            (a, i), (b, j) = blocks[:2]
            blocks[:2] = [((a * i + b * j) / (i + j), i + j)]
        self.blocks = blocks
        return value

    @property
    def now(self) -> float | None:
        """Log ratio; None before the first."""
        return self.blocks[-1][0] if self.blocks else None
