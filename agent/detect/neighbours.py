"""Cuts that resemble their neighbours: how much, and what three or fifteen of them are then worth.

A tool that is followed from its first cuts on is judged by what its values differ by from cut to cut. Where neighbouring cuts resemble each
other (a batch, a sensor that warms up, an oil film) that shows too little, and a limit made of it is too near. What is told apart here are
second differences over neighbours and over every fourth cut: a steady rise, which is what wear is, touches neither. For a first-order
autocorrelation r the variance of a second difference at lag k is 6 - 8 r^k + 2 r^2k times that of a value: the ratio of the two says r
(0.15: 1.25; 0.3: 1.57; 0.6: 2.60; 0.9: 3.8), and then either says the spread. From 0.7 on that ratio hardly moves, and a little too low an
autocorrelation halves the spread; second differences over every sixteenth cut tell those apart (0.7: 4.3; 0.9: 10.9).
"""

from __future__ import annotations

import functools
import math
from typing import Protocol

import msgspec
import numpy as np

from agent.detect.middle import median

FAR = 4
"""Cuts between those whose second difference tells what neighbours hide."""
WIDE = 16
"""The same where neighbours are so alike that `FAR` hides as well. A tool that makes fewer than twice as many cuts is never asked."""
MEMORY = 400
"""Second differences over which their variance is taken, older ones fade. A short memory is wrong often in 4,000 cuts: over 60 of them the
ratio strays so far that healthy tools were called worn (of 100 at 0.6 with heavy tails 13, over 400 one)."""
KNOWN = 10
"""Second differences over every fourth cut from which on the autocorrelation is told."""
CLIP = 9.0
"""Times the variance so far that one squared difference counts at the most: three standard deviations (Huber, as `baseline.Spread`)."""
ALIKE = 0.15
"""Autocorrelation from which on neighbours count as alike. Below it, what differences hide is under 9 % of the spread."""
ENOUGH = 60
"""Second differences over every sixteenth cut from which on they are asked."""
WIDER = 1.5
"""Times the variance at `FAR` that the one at `WIDE` must have: at an autocorrelation of 0.6 it has 1.2 times, at 0.7 1.4, at 0.9 2.8."""
MOST = 0.95
"""The largest that is believed: beyond it a second difference says nothing of the spread."""
PATIENT = 15
"""Cuts of which the median is taken where they are alike: one odd cut fades through several neighbours, which three cuts do not outlast."""
FIRST = 9
"""First cuts of a tool that make its anchor where they are alike: three of them would be little more than one."""
MEDIAN = 1.15
"""Variance of the median of alike values over that of their mean: between 1 (all the same) and pi / 2 (many independent ones), simulated at
0.6 over 9 and 15 values: 1.13 and 1.16."""
EFFICIENCY = 0.5
"""Degrees of freedom of a variance from overlapping second differences, a value (1 / (1 + 2 (4/9 + 1/36)) = 0.51, of white values)."""
SQUARED_FLOOR = 6.0 * 0.01**2
"""Smallest variance of a second difference: that of a spread of 1 % (`baseline.SPREAD_FLOOR`)."""
_GRID = np.linspace(0.0, MOST, 96)
_NEAR = 6.0 - 8.0 * _GRID + 2.0 * _GRID**2
_RATIO = (6.0 - 8.0 * _GRID**FAR + 2.0 * _GRID ** (2 * FAR)) / _NEAR
ALIKE_RATIO = float(np.interp(ALIKE, _GRID, _RATIO))
_WIDE_RATIO = (6.0 - 8.0 * _GRID**WIDE + 2.0 * _GRID ** (2 * WIDE)) / _NEAR


class Neighbours(msgspec.Struct):
    """Of one figure in one operation, as logarithms; survives a restart."""

    near: float = 0.0
    """Variance of the second difference over neighbours"""
    far: float = 0.0
    """... over every `FAR`th cut"""
    wide: float = 0.0
    """... over every `WIDE`th cut"""
    near_n: int = 0
    far_n: int = 0
    wide_n: int = 0
    last: list[float] = []
    first: list[float] = []
    """First good cuts of the present tool"""
    risen: int = 0
    """Latest cuts that stand above the new tool"""

    def take(self, value: float, *, rising: bool = False) -> None:
        """One good cut more. `rising`: it stands above the new tool, and the onset of that would look like resemblance; it counts again
        when all that it is compared with does."""
        if len(self.first) < FIRST:
            self.first = [*self.first, value]
        self.last = [*self.last, value][-2 * WIDE - 1 :]
        self.risen = self.risen + 1 if rising else 0
        if 0 < self.risen <= 2 * FAR:
            return
        if len(self.last) > 2:
            self.near, self.near_n = _variance(self.near, self.near_n, value - 2.0 * self.last[-2] + self.last[-3])
        if len(self.last) > 2 * FAR:
            self.far, self.far_n = _variance(self.far, self.far_n, value - 2.0 * self.last[-1 - FAR] + self.last[-1 - 2 * FAR])
        if len(self.last) > 2 * WIDE and not 0 < self.risen <= 2 * WIDE:
            self.wide, self.wide_n = _variance(self.wide, self.wide_n, value - 2.0 * self.last[-1 - WIDE] + self.last[0])

    def begin(self, values: list[float] | None = None) -> None:
        """A new tool: what is known of the resemblance is the operation's and stays. `values`: its first cuts."""
        self.last, self.first, self.risen = [], list(values or []), 0

    @property
    def phi(self) -> float | None:
        """Autocorrelation from cut to cut, 0 to `MOST`; None while too few cuts tell."""
        if self.far_n < KNOWN:
            return None
        near = max(self.near, SQUARED_FLOOR)
        phi = float(np.interp(max(self.far, SQUARED_FLOOR) / near, _RATIO, _GRID))
        return max(phi, float(np.interp(self.wide / near, _WIDE_RATIO, _GRID))) if self._strays else phi

    @property
    def alike(self) -> bool:
        """Whether neighbours resemble each other, as far as that is known: beyond two standard errors of the ratio of the two variances (of
        its logarithm 2 / dof each), for the onset of wear looks like resemblance to a few cuts."""
        if self.far_n < KNOWN:
            return False
        told = math.log(max(self.far, SQUARED_FLOOR) / max(self.near, SQUARED_FLOOR))
        return told > max(math.log(ALIKE_RATIO), 2.0 * math.sqrt(4.0 / (EFFICIENCY * min(self.far_n, MEMORY))))

    @property
    def _strays(self) -> bool:
        """Whether they are so alike that only cuts far from each other say how far they stray."""
        return self.wide_n >= ENOUGH and self.alike and self.wide > WIDER * self.far

    @property
    def careful(self) -> float:
        """`phi` and one standard error more: so much is reckoned with."""
        return min((self.phi or 0.0) + 1.0 / math.sqrt(max(self.far_n, KNOWN)), MOST)

    @property
    def sd(self) -> float:
        """Standard deviation of one value with all that it wanders; its floor before anything is known."""
        phi, lag = self.careful, WIDE if self._strays else FAR
        squared = self.wide if self._strays else max(self.far, SQUARED_FLOOR)
        return math.sqrt(squared / (6.0 - 8.0 * phi**lag + 2.0 * phi ** (2 * lag)))

    @property
    def dof(self) -> int:
        """Degrees of freedom of `sd`: n values of this autocorrelation are worth n (1 - r²) / (1 + r²) for a variance (M. S. Bartlett,
        J. R. Stat. Soc. 98 (1935) 536)."""
        squared = self.careful**2
        return max(int(EFFICIENCY * min(self.far_n, MEMORY) * (1.0 - squared) / (1.0 + squared)), 3)

    def off(self, anchor: int, cuts: int) -> float:
        """Standard deviation of the median of so many cuts against the median of so many first ones, which lie far from them."""
        phi = round(self.careful, 2)
        return self.sd * math.sqrt(MEDIAN * (of_mean(phi, anchor) + of_mean(phi, cuts)))


class Anchored(Protocol):
    """A figure that is compared with the new tool's."""

    anchor: list[float]
    ratios: list[float]
    neighbours: Neighbours


def anchor_again(track: Anchored) -> None:
    """Where neighbours are alike: the anchor from the first `FIRST` cuts, and what was compared with the shorter one moved along."""
    first = track.neighbours.first
    if not (track.anchor and len(track.anchor) < len(first) and track.neighbours.alike):
        return
    moved = median(track.anchor) - median(first)
    track.anchor = list(first)
    track.ratios = [ratio + moved for ratio in track.ratios]


@functools.lru_cache(maxsize=512)
def of_mean(phi: float, n: int) -> float:
    """Variance of the mean of n neighbours over that of one: (1 + 2 sum (1 - j / n) phi^j) / n."""
    return (1.0 + 2.0 * sum((1.0 - j / n) * phi**j for j in range(1, n))) / n


def _variance(variance: float, n: int, difference: float) -> tuple[float, int]:
    squared = difference * difference
    if n >= KNOWN:
        squared = min(squared, CLIP * max(variance, SQUARED_FLOOR))
    return variance + (squared - variance) / min(n + 1, MEMORY), n + 1
