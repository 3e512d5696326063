"""What one signal says of one tool in one operation: its log ratio to the new tool's first cuts, as a monotone curve.

No whitening, and no running maximum, which ratchets: the level is the newest value of the isotonic regression over all cuts of this tool
(pool adjacent violators: Ayer et al. 1955, Ann. Math. Stat. 26, 641), so that what falls again is taken back. A signal weighs by its own
repeatability here: what its level must pass is a multiple of the standard deviation that it shows from cut to cut.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

ANCHOR = 3
"""First cuts of a new tool whose median is its anchor."""
FILTER = 5
"""Cuts of which the median goes into the regression: one odd cut is none."""
BLOCKS = 64
"""Steps of the monotone curve that are kept; the oldest are pooled."""
STEPS = 60
"""Second differences of which the repeatability is taken."""
FLOOR = 0.005
"""Smallest relative standard deviation believed."""
SLOPE_CUTS = 40
"""Latest cuts of which the slope is taken."""


class Evidence(msgspec.Struct):
    """Of one signal of one tool in one operation; survives a restart."""

    anchor: list[float] = []
    """log of the first cuts"""
    recent: list[float] = []
    """Latest log ratios, newest last"""
    blocks: list[tuple[float, float]] = []
    """Height and weight of the steps of the monotone curve"""
    steps: list[float] = []
    """Second differences of neighbouring cuts, of this and earlier tools: free of the slow rise that wear is"""

    def take(self, value: float) -> float | None:
        """A figure of one closed cut (above zero) in; returns the level, None until the anchor is there.

        A figure that is not above zero has no logarithm and is passed over.
        """
        if not value > 0.0 or math.isinf(value):
            return self.level
        log = math.log(value)
        if len(self.anchor) < ANCHOR:
            self.anchor = [*self.anchor, log]
        ratio = log - float(np.median(self.anchor))
        self.recent = [*self.recent, ratio][-SLOPE_CUTS:]
        if len(self.recent) >= 3:
            a, b, c = self.recent[-3:]
            self.steps = [*self.steps, a - 2.0 * b + c][-STEPS:]
        self._pool(float(np.median(self.recent[-FILTER:])))
        return self.level

    @property
    def level(self) -> float | None:
        """Newest value of the monotone curve, log ratio; None until the anchor is there."""
        return self.blocks[-1][0] if self.blocks and len(self.anchor) >= ANCHOR else None

    @property
    def spread(self) -> float:
        """Relative standard deviation from cut to cut; inf while it is not known. The second difference of three independent values has
        six times the variance of one (1 + 4 + 1)."""
        if len(self.steps) < ANCHOR:
            return math.inf
        steps = np.abs(np.array(self.steps))
        return max(1.4826 * float(np.median(steps)) / math.sqrt(6.0), FLOOR)

    def slope(self) -> tuple[float, float, float] | None:
        """Rise of the log ratio a cut: lower 95 % bound, Theil-Sen estimate, upper bound; None below eight cuts.

        The bounds are order statistics of the pairwise slopes (Sen 1968, JASA 63, 1379).
        """
        return theil_sen(self.recent)

    def new(self) -> None:
        """A new tool: the anchor starts again, what is known of the repeatability stays."""
        self.anchor, self.recent, self.blocks = [], [], []

    def _pool(self, value: float) -> None:
        blocks = [*self.blocks, (value, 1.0)]
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, m), (high, n) = blocks.pop(), blocks.pop()
            blocks.append(((low * m + high * n) / (m + n), m + n))
        if len(blocks) > BLOCKS:
            (a, m), (b, n) = blocks[0], blocks[1]
            blocks[:2] = [((a * m + b * n) / (m + n), m + n)]
        self.blocks = blocks


def theil_sen(values: list[float]) -> tuple[float, float, float] | None:
    """Lower 95 % bound, median and upper bound of the slopes between all pairs of equally spaced values; None below eight values."""
    n = len(values)
    if n < 8:
        return None
    first, second = np.triu_indices(n, 1)
    y = np.array(values)
    slopes = np.sort((y[second] - y[first]) / (second - first))
    half = 1.959964 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = max(int((len(slopes) - half) / 2.0), 0)
    return float(slopes[low]), float(np.median(slopes)), float(slopes[len(slopes) - 1 - low])
