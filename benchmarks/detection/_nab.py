"""NAB's own score, written anew from its definition (numenta/NAB at ea702d7, nab/sweeper.py, nab/scorer.py); nothing of its code is here.

A file is scored after its probation: the first 15 % of its rows, of 5,000 at the most. Of each labelled window the earliest detection in it
earns A_TP times a sigmoid of its place, from the window's left edge (nearly 1) to its right (0), over the sigmoid's value at the left edge;
a window without one costs A_FN. A detection outside costs A_FP times a sigmoid of how many window lengths it comes after the last window's
right edge: 0 at the edge, 1 beyond three lengths and before the first window. The sum is scaled so that 0 is a silent detector and 100 a
perfect one. NAB fits one threshold to its whole corpus; here there is none to fit, an alert is a detection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

PROBATION = 0.15
MOST = 5000
PROFILES = {"standard": (1.0, 0.11, 1.0), "low_fp": (1.0, 0.22, 1.0), "low_fn": (1.0, 0.11, 2.0)}
"""A_TP, A_FP, A_FN."""


def probation(n: int) -> int:
    """Rows that are not scored."""
    return int(PROBATION * min(n, MOST))


def sigmoid(x: float) -> float:
    """From 1 far left of 0 to -1 far right of it; -1 beyond three."""
    return -1.0 if x > 3.0 else 2.0 / (1.0 + math.exp(5.0 * x)) - 1.0


def score(n: int, windows: Sequence[tuple[int, int]], detections: Sequence[int], profile: str = "standard") -> float | None:
    """0 to 100 (or below 0) of one file; None where it has no window to find.

    Parameters
    ----------
    n: rows. windows: first and last row of each, ascending. detections: rows.
    """
    a_tp, a_fp, a_fn = PROFILES[profile]
    first = probation(n)
    counted = [(left, right) for left, right in windows if right >= first]
    if not counted:
        return None
    best = dict.fromkeys(counted, -math.inf)
    lost = 0.0
    for row in detections:
        if row < first:
            continue
        inside = next(((left, right) for left, right in counted if left <= row <= right), None)
        if inside is not None:
            width = inside[1] - inside[0] + 1
            best[inside] = max(best[inside], sigmoid(-(inside[1] - row + 1) / width) / sigmoid(-1.0))
            continue
        before = [(left, right) for left, right in windows if right < row]
        if not before:
            lost -= a_fp
            continue
        left, right = before[-1]
        lost += a_fp * sigmoid(abs(right - row) / max(right - left, 1))
    raw = lost + sum(a_tp * earned if earned > -math.inf else -a_fn for earned in best.values())
    return 100.0 * (raw + a_fn * len(counted)) / ((a_tp + a_fn) * len(counted))
