"""What can be promised of an operation with this signal: three answers, and the figures that they rest on.

Is the cut there? `presence` is its mean load above idle in standard deviations of a reading's noise (field.md 4). Below `PRESENT` nothing
can be told from idling. The number of readings counts what the register really changed: one that is polled ten times a second and changes
once a second gives one reading a second.

Would a missing tool be seen? It leaves idle alone, so it is seen only where the cut stands far beyond what good cuts differ by: contrast
(cut - idle) / cut at least three times the p99.9 of their deviation (issue 5, item 6). The same said of the work above idle, which is what
`missing` judges: p99.9 of its deviation at most a third. Good cuts of a production lathe have their p99.9 at 5.8 robust standard deviations
(detection.md 2.8, n = 4550), and none that is remembered may have strayed further.

Would a break within the cut be seen? The load must fall by more than good cuts fall by themselves, it must be looked at often enough to
say so before the cut would have ended, and the cut must stand out of the noise by itself (`breakage.CONTRAST`).

Would it come? Where the load alone says when a cut is, a missing tool leaves no cut at all to judge: it is told only because the cut was
expected, which takes whole parts in each of which it came (`Sequence.expected`), and only where a good cut is sure to open. Its level now,
less the p99.9 by which good ones differ, must lie above the threshold that opens one (`OPENS`): a cut that fades below it is not there
for the pass, and would be called missing. What is not expected is not promised.

What fails here falls back to the clock: tool life in parts or in cutting time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec
import numpy as np

from agent.detect import breakage
from agent.detect.baseline import SPREAD_FLOOR, Baseline
from agent.detect.middle import median
from agent.promise import Promise

SEEN = 3
"""Good cuts after which anything can be said."""
PRESENT = 3.0
"""Standard deviations of the reading noise."""
OPENS, NOW = 5.0, 3
"""Standard deviations of the noise above idle at which the load opens a cut (`agent.kernels.segment.THRESHOLD_NOISE`); latest good cuts
whose median is its level now."""
READINGS = 8.0
"""Readings in a cut, on average, below which neither its shape nor its work is known well enough."""
FAR = 5.8
"""Robust standard deviations at which good cuts have their p99.9 (detection.md 2.8)."""
THIRD = 1.0 / 3.0
"""Of the work: contrast at least three times the p99.9."""
JUDGED = 8
"""Good cuts after which their repeatability is known well enough to promise anything, or to say that it is too poor."""
PLAIN = 0.25
"""Contrast from which a missing tool stands out before the operation has spoken for itself: of 193 operations of data/hahn_lathe with 25
cuts or more, four in five have the p99.9 of the mean of their good cuts below 8 %; three times that."""
PARTS, CAME = 5, 0.8
"""Whole parts after which an operation that came in a smaller share of them counts as irregular: where the load barely shows a cut, pieces
of it come and go, and that one does not come means nothing."""
LATEST = 0.5
"""Share of a cut up to which a break must be seen for breakage to be promised at all."""


def readings(baseline: Baseline) -> float:
    """Readings in a cut that are worth something, on average: no more than the register changes."""
    if baseline.update > 0.0 and math.isfinite(baseline.expected_duration):
        return min(baseline.samples, baseline.expected_duration / baseline.update + 1.0)
    return baseline.samples


def deviation(baseline: Baseline) -> float:
    """P99.9 of the deviation of good cuts, as a share of their work above idle; nan while too few were seen.

    From neighbouring cuts, so that wear is none of it; and at least the farthest but one of those remembered from the cuts around it: a
    single odd cut is the business of the detectors.
    """
    if baseline.good < JUDGED:
        return math.nan
    strayed = _strayed(tuple(baseline.work.values))
    return max(FAR * max(baseline.repeatability, SPREAD_FLOOR), strayed)


@functools.lru_cache(maxsize=512)
def _strayed(values: tuple[float, ...]) -> float:
    """How far the farthest but one lies from the five around it, as a share: wear is a slow rise and does not count. Kept, for it is asked
    at each look and changes with each cut."""
    x, n = np.array(values), len(values)
    level = np.empty(n)
    if n > 4:
        level[2:-2] = np.sort(np.stack([x[k : n - 4 + k] for k in range(5)]), axis=0)[2]
    for i in (0, 1, n - 2, n - 1) if n > 4 else range(n):
        level[i] = median(values[max(0, i - 2) : i + 3])
    return float(np.sort(np.abs(np.expm1(x - level)))[-2])


def faintest(baseline: Baseline) -> float:
    """Load above idle of a good cut as it may be next, in standard deviations of the noise: of the latest ones, less the p99.9 by which
    they differ; inf while too few were seen."""
    strayed = deviation(baseline)
    if not math.isfinite(strayed):
        return math.inf
    now = median(baseline.work.values[-NOW:])
    return baseline.contrast * math.exp(now - baseline.work.mean) * (1.0 - strayed)


def contrast(baseline: Baseline) -> float | None:
    """(cut mean - idle) / cut mean; None before the first good cut, and where idle is not above zero."""
    level = baseline.expected_level
    if not (math.isfinite(level) and baseline.idle >= 0.0):
        return None
    return level / (level + baseline.idle)


def why_not(baseline: Baseline) -> str:
    """Key under [reason]: why a missing tool could not be seen in this operation; '' where it could, or where too little is known yet."""
    if baseline.good < SEEN:
        return ""
    if baseline.contrast < PRESENT:
        return "low_contrast"
    if readings(baseline) < READINGS:
        return "register_slow" if baseline.samples >= READINGS else "rate_too_low"
    if deviation(baseline) > THIRD or (baseline.by_load and baseline.spoilt > baseline.good):
        # The load alone cuts it out of the part, and it was told to be broken more often than it was good: it is no operation.
        return "too_noisy"
    if baseline.by_load and faintest(baseline) < OPENS:
        return "low_contrast"
    if len(baseline.came) >= PARTS and sum(baseline.came) < CAME * len(baseline.came):
        return "irregular"
    if baseline.by_load and baseline.good < JUDGED and baseline.seen >= 2 * JUDGED:
        # Most of its cuts were no examples (a run-up, an idle that is not known): what the load alone cuts out there is not one thing.
        return "irregular"
    return ""


def unproven(baseline: Baseline) -> bool:
    """Too little is known of how well this operation repeats to call little work a missing tool: few cuts, and a contrast that is not far
    beyond what cuts anywhere differ by."""
    stands = contrast(baseline)
    return baseline.good < JUDGED and stands is not None and stands < PLAIN


def last_seen_break(baseline: Baseline) -> float:
    """Share of the cut up to which a break is told while it lasts or as it ends; 0: never."""
    duration = baseline.expected_duration
    if baseline.good < breakage.fewest(baseline) or not duration > 0.0:
        return 0.0
    if baseline.contrast < breakage.CONTRAST or readings(baseline) < READINGS:
        return 0.0
    look = baseline.update if baseline.update > 0.0 else duration / max(baseline.samples, 1.0)
    ends = breakage.ends(baseline) / duration
    # A cut that ends too early is told when it has ended; one that goes on in air needs three readings of it.
    falls = 1.0 - max(breakage.CONFIRM, 3.0 * look) / duration if baseline.fall_share + breakage.BEYOND_USUAL < 1.0 else 0.0
    return max(0.0, min(ends, max(falls, 0.0) if falls > 0.0 else ends))


def promise(baseline: Baseline, smallest_change: float | None, *, expected: bool = True) -> Promise | None:
    """What can be promised of this operation. None before three good cuts.

    Parameters
    ----------
    expected: the pass would say so if the cut did not come in the next part. Where the load alone says when a cut is, a missing tool
        is not promised without.
    smallest_change: smallest rise of the work that is seen within 20 cuts at the budget, as a fraction.
    """
    if baseline.good < SEEN:
        return None
    reason = why_not(baseline) or ("too_few_cuts" if baseline.good < JUDGED else "")
    latest = 0.0 if reason else last_seen_break(baseline)
    if not reason and baseline.by_load and not expected:
        return _promise(baseline, latest, smallest_change, "irregular" if len(baseline.came) >= PARTS else "too_few_cuts")
    return _promise(baseline, latest, None if reason else smallest_change, reason)


def by_visit(promised: Promise | None, *, told: bool) -> Promise | None:
    """The same, where a missing tool is told by the work of its whole visit (`agent.detect.visit_work`): it takes all its cuts with it,
    whether or not this one stands out."""
    if promised is None or promised.missing or not told:
        return promised
    return msgspec.structs.replace(promised, missing=True, reason="", by_visit=True)


def _promise(baseline: Baseline, latest: float, smallest_change: float | None, reason: str) -> Promise:
    strayed = deviation(baseline)
    return Promise(
        operation=baseline.key,
        presence=baseline.contrast,
        contrast=contrast(baseline),
        readings=readings(baseline),
        deviation=strayed if math.isfinite(strayed) else None,
        missing=not reason,
        breakage=latest >= LATEST,
        until=latest,
        smallest_change=smallest_change,
        reason=reason,
    )


def least(promises: Sequence[Promise]) -> Promise | None:
    """Of several operations the one that promises least; None of none."""
    return min(promises, key=lambda p: (p.missing, p.breakage, p.until), default=None)
