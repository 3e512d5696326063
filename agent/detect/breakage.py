"""A tool that breaks: within one cut the load above idle falls away for good, well before the cut should end.

First difference of a short-time level flags the break (Altintas, ASME 110/3/271, on force per tooth; here at register rate on load). What
the same operation does in every good cut (an interrupted cut, a finishing step) is its own `fall_share` and does not count.
"""

from __future__ import annotations

import math

from agent.detect.baseline import Baseline
from agent.model import Cut, Finding

SHARE = 0.5
"""Fall, as a share of the load above idle before it, that is asked at the least."""
BEYOND_USUAL = 0.25
"""... and beyond what good cuts of this operation show."""
CONFIRM = 0.2
"""s for which the load must stay away."""
EARLY = 0.8
"""The fall must come before this share of the expected duration: the natural end of a cut is a fall too."""
FEWEST = 3
"""Good cuts after which the natural end of an operation counts as known."""
CONTRAST = 5.0
"""Load above idle before the fall, in standard deviations of the noise."""


def breakage(cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
    """Judge a growing or closed cut."""
    f = cut.features
    expected = baseline.expected_duration
    if cut.held or baseline.good < FEWEST or not math.isfinite(expected) or f.fall_before <= 0.0:
        return None
    if f.fall_at >= EARLY * expected:
        return None
    share = min(f.largest_fall / f.fall_before, 1.0)
    threshold = max(SHARE, baseline.fall_share + BEYOND_USUAL)
    before = f.fall_before
    if share < threshold or before < CONTRAST * noise or before < 0.5 * baseline.expected_level:
        return None
    stays = f.level < (1.0 - threshold) * before if cut.phase == "grown" else True
    waited = cut.time - (cut.opened + f.fall_at) >= CONFIRM or cut.phase == "closed"
    early_end = cut.phase != "closed" or f.duration < EARLY * expected or f.level < (1.0 - threshold) * before
    if not (stays and waited and early_end):
        return None
    return Finding(
        time=cut.time,
        kind="breakage",
        severity="urgent",
        channel="",
        spindle=cut.operation.spindle,
        operation=cut.operation.key,
        tool=cut.operation.tool,
        score=share,
        threshold=threshold,
        evidence={
            "fall_pct": 100.0 * share,
            "at_s": f.fall_at,
            "usual_fall_pct": 100.0 * baseline.fall_share,
            "load_before": before + f.idle,
            "load_after": f.level + f.idle,
            "n_baseline": baseline.good,
            "part": cut.part,
        },
        cut=cut.id,
    )
