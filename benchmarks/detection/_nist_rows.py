"""What the passes over the days of the NIST test bed come to, as rows of the table."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence

import numpy as np

from agent.model import Word
from benchmarks.detection._nist import APART, Log
from benchmarks.detection._nist_oracle import above_air, by_word, with_spindle
from benchmarks.detection._nist_told import Hit, Told
from benchmarks.detection.table import Row, wilson

SET = "nist_sms_mtconnect"
HOURS = 240.0
"""30 x 8 h."""
TAIL = 5.0
"""s in which a gap may not have been noticed yet: the lateness of the timeline and a look."""
ORACLE = "one who knows all cuts of the operation, before and after, and may be wrong in none"
WATCHED = (Word.PROVISIONAL, Word.MONITORING)
GREEN = (Word.MONITORING, Word.PROVISIONAL, Word.LEARNING)


def alerts(log: Log, told: Told, name: str, which: str, start: float, end: float) -> list[Row]:
    inside = (log.time >= start) & (log.time < end)
    hours = float(log.active()[inside].sum()) / 3600.0
    raised = [alert for alert in told.alerts if start <= alert.updated < end]
    kinds = Counter(alert.kind for alert in raised)
    lost = kinds.pop("sensor", 0)
    n = sum(kinds.values())
    rate = HOURS / hours if hours else 0.0
    # Exact Poisson bounds by the chi-square quantiles (Garwood 1936), in the approximation of Wilson and Hilferty.
    low, high = _poisson(n)
    by_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    cuts = sum(1 for cut in told.cuts if start <= cut.opened < end)
    about = "; ".join(f"{alert.kind} {alert.operation or 'all'}" for alert in raised if alert.kind != "sensor")
    return [
        Row(
            set=SET, name=f"{name}_alerts", figure=f"alerts per 30 x 8 h of active time, {log.name}, {which}", value=n * rate,
            low=low * rate, high=high * rate, n=f"{hours:.0f} h active, {cuts} cuts",
            fixed="mended with sight of Mazak03 and of Mazak01 to 2017-08-02; other days were seen once, and as counts",
            note=f"{by_kind}; {about}" if n else by_kind,
        ),
        Row(
            set=SET, name=f"{name}_lost", figure=f"lost signals told, per 30 x 8 h, {log.name}, {which}", value=lost * rate,
            n=f"{lost} times in {hours:.0f} h active", fixed="defaults of the product",
            note="the log itself says that the load was not read, with the spindle turning or something else still there",
        ),
    ]  # fmt: skip


def recall(machine: str, name: str, which: str, kind: str, hits: Sequence[Hit]) -> list[Row]:
    what = "cut replaced by idle" if kind == "missing" else "ramp to +25 % over ten cuts"
    words = ", ".join(f"{count} {word}" for word, count in sorted(Counter(hit.word for hit in hits).items()))
    groups = [("watched", "operations that are watched", [h for h in hits if h.word in WATCHED]), ("all", "all", hits)]
    if kind == "missing":
        groups.insert(0, ("promised", "where it was promised", [hit for hit in hits if hit.promised]))
    out = []
    for key, figure, group in groups:
        told = sum(hit.told for hit in group)
        low, high = wilson(told, len(group))
        asked = kind == "missing" and bool(group)
        out.append(
            Row(
                set=SET, name=f"{name}_{key}", figure=f"recall, {what}, {figure}, {machine}, {which}",
                value=told / len(group) if group else None, low=low, high=high, n=f"{told} of {len(group)}",
                fixed="defaults of the product", note=f"words before the fault: {words or 'no recurring cut'}",
                baseline=ORACLE if asked else "", baseline_value=sum(hit.oracle for hit in group) / len(group) if asked else None,
            )
        )  # fmt: skip
    return out


def observable(log: Log, moves: Sequence[float], worn: Sequence[float]) -> list[Row]:
    """What anybody could see: nothing of it went through the pass.

    Parameters
    ----------
    moves, worn: steps by which each missing tool, and each ramp once it is at its height, moves the load on average.
    """
    pairs = above_air(log)
    known = [(seconds, above) for seconds, above in pairs if above == above]
    total, cutting = sum(seconds for seconds, _ in known), sum(seconds for seconds, _ in pairs)
    stands = sum(seconds for seconds, above in known if above >= 1.0)
    out = [
        Row(
            set=SET,
            name=f"{log.name}_above_air",
            figure=f"share of the time in feed moves in which the load stands a step of 1 % or more above air, {log.name}",
            value=stands / total if total else None,
            n=f"{total / 3600:.0f} h of {cutting / 3600:.0f} h of feed moves",
            fixed="nothing: by the feed in the log, which the pass does not get",
            note="mean load in feed moves less that in rapids and dwell, same tool, same speed, same day",
            through="detector",
        )
    ]
    for axis in APART[1:]:
        steps = with_spindle(log, axis)
        out.append(
            Row(
                set=SET,
                name=f"{log.name}_{axis}_with_spindle",
                figure=f"rise of {axis} where the load of the spindle stands two steps above its low, {log.name}, median",
                value=float(np.median(steps)) if steps else None,
                unit="steps",
                n=f"{len(steps)} times same tool, speed, feed and day",
                fixed="nothing: by the log, the pass does not get them",
                note=f"8 of 10 between {np.quantile(steps, 0.1):.1f} and {np.quantile(steps, 0.9):.1f} steps" if steps else "",
                through="detector",
            )
        )
    for key, what, its in (("missing", "missing tools", moves), ("ramp", "ramps at +25 %", worn)):
        seen = sum(abs(move) >= 1.0 for move in its)
        low, high = wilson(seen, len(its))
        out.append(
            Row(
                set=SET,
                name=f"{log.name}_{key}_moves",
                figure=f"share of the {what} put in that move the load by a step of 1 % or more on average, {log.name}",
                value=seen / len(its) if its else None,
                low=low,
                high=high,
                n=f"{seen} of {len(its)}",
                fixed="nothing",
                note="the register knows no half step",
                through="detector",
            )
        )
    return out


def of_operations(log: Log, told: Told) -> list[Row]:
    """Share of active time by the word of what was made then."""
    hours = log.active().sum() / 3600.0
    return [
        Row(
            set=SET,
            name=f"{log.name}_made_{word.lower().replace(' ', '_')}",
            figure=f"share of active time in which what was made was {word}, {log.name}, all days",
            value=share,
            n=f"{hours:.0f} h",
            fixed="defaults of the product",
            note="the word of the operation, before it",
        )
        for word, share in sorted(by_word(log, told.cuts, told.words).items())
        if share > 0.0
    ]


def coverage(log: Log, told: Told) -> list[Row]:
    """Share of active time in each word."""
    active = log.active()
    total = float(active.sum())
    times = [cover.time for cover in told.coverage]
    shares: Counter[str] = Counter()
    at = np.searchsorted(times, log.time, side="right") - 1
    for i, word in enumerate(cover.word for cover in told.coverage):
        shares[word] += float(active[at == i].sum())
    note = "the machine's word: that of its least known operation that can be watched"
    return [
        Row(
            set=SET, name=f"{log.name}_time_{word.lower()}", figure=f"share of active time {word}, {log.name}, all days",
            value=shares[word] / total if total else None, n=f"{total / 3600:.0f} h", fixed="defaults of the product", note=note,
        )
        for word in Word if shares[word] > 0
    ]  # fmt: skip


def gaps(log: Log, told: Told) -> Row:
    """Seconds in which the log says that no load was read and the machine's word was one of watching."""
    times = [cover.time for cover in told.coverage]
    gaps = [(a + TAIL, b) for a, b in log.gaps() if b - a > TAIL]
    green = 0.0
    for a, b in gaps:
        i = max(bisect.bisect_right(times, a) - 1, 0)
        while i < len(times) and times[i] < b:
            if told.coverage[i].word in GREEN:
                green += min(b, times[i + 1] if i + 1 < len(times) else b) - max(a, times[i])
            i += 1
    return Row(
        set=SET, name=f"{log.name}_green_gaps", figure=f"time in gaps shown as watched, {log.name}, all days", value=green, unit="s",
        n=f"{len(gaps)} gaps of more than {TAIL:.0f} s, {sum(b - a for a, b in gaps) / 3600:.0f} h", fixed="defaults of the product",
        note="must be 0",
    )  # fmt: skip


def _poisson(n: int) -> tuple[float, float]:
    """95 % bounds of a count."""

    def quantile(dof: int, z: float) -> float:
        return 0.5 * dof * (1.0 - 2.0 / (9.0 * dof) + z * (2.0 / (9.0 * dof)) ** 0.5) ** 3

    return (quantile(2 * n, -1.959964) if n else 0.0), quantile(2 * (n + 1), 1.959964)
