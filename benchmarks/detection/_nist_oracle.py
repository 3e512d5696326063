"""What anybody could tell of the machines of the NIST test bed: how far loads stand above air, what one who knows every cut tells.

None of this goes through the pass; it says what the figures of the pass are to be held against.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.model import Cut, Word
from benchmarks.detection._nist import LOADS, SPEEDS, UNSTEADY, Fault, Log
from drivers.model import Quality

RAPID = 4.0
"""Times the usual feed of a tool on a day, from which on it is in the air; the unit of the feed is not the same on all days."""
STEADY, TURNS = 3.2, 50.0
"""s since the latest change of speed from which on the load is of cutting or air; rpm."""
CUTTING, IN_AIR = 20.0, 4.0
"""s of feed moves, and of air, of a tool on a day at one speed (10 %) without which nothing is compared."""


def above_air(log: Log) -> list[tuple[float, float]]:
    """For each tool, day, spindle and speed: s of feed moves, and steps of 1 % by which the mean load in them stands above that of rapids
    and dwell (NaN: there were none)."""
    if not len(log.feed[0]):
        return []
    last = np.searchsorted(log.feed[0], log.time, side="right") - 1
    feed = np.where(last >= 0, log.feed[1][np.maximum(last, 0)], np.nan)
    day = np.searchsorted(log.starts, np.arange(len(log.time)), side="right")
    tool, active = log.held("tool")[0], log.active()
    out: list[tuple[float, float]] = []
    for spindle, name in LOADS.items():
        if name not in log.channels or SPEEDS[spindle] not in log.channels:
            continue
        load, read = log.held(name)
        speed, known = log.held(SPEEDS[spindle])
        speed = np.abs(np.where(known == Quality.GOOD, speed, 0.0))
        changed = np.abs(np.diff(speed, prepend=0.0)) > UNSTEADY * np.maximum(speed, 1.0)
        since = np.maximum.accumulate(np.where(changed, log.time, -np.inf))
        stood = np.clip(log.time + active - np.maximum(log.time, since + STEADY), 0.0, None)
        stood = np.where((read == Quality.GOOD) & (speed >= TURNS) & np.isfinite(feed) & np.isfinite(tool), stood, 0.0)
        band = np.round(np.log(np.maximum(speed, 1.0)) / 0.1)
        groups: dict[tuple[float, ...], list[int]] = {}
        for row in np.flatnonzero(stood > 0.0).tolist():
            groups.setdefault((day[row], tool[row], band[row]), []).append(row)
        usual: dict[tuple[float, ...], float] = {}
        for of_tool, rows in itertools.groupby(sorted(groups), key=lambda key: key[:2]):
            its = np.array([row for key in rows for row in groups[key] if feed[row] > 0.0], dtype=np.intp)
            if len(its):
                order = its[np.argsort(feed[its])]
                passed = np.cumsum(stood[order])
                usual[of_tool] = float(feed[order[int(np.searchsorted(passed, 0.5 * passed[-1]))]])
        for key, rows in groups.items():
            its = np.array(rows)
            if key[:2] not in usual:
                continue
            cuts = (feed[its] > 0.0) & (feed[its] < RAPID * usual[key[:2]])
            seconds, air = float(stood[its][cuts].sum()), float(stood[its][~cuts].sum())
            if seconds >= CUTTING:
                of_cuts = float((load[its] * stood[its])[cuts].sum()) / seconds
                of_air = float((load[its] * stood[its])[~cuts].sum()) / air if air >= IN_AIR else np.nan
                out.append((seconds, of_cuts - of_air))
    return out


def moved(log: Log, spoiled: Log, faults: Sequence[Fault]) -> list[float]:
    """Steps by which each fault moves the load, on average over the time in which the program ran."""
    active = log.active()
    out = []
    for fault in faults:
        inside = (log.time >= fault.start) & (log.time <= fault.end)
        before, after = (of.held(LOADS[fault.spindle])[0][inside] for of in (log, spoiled))
        ran = active[inside]
        out.append(float(np.nansum((after - before) * ran) / max(ran.sum(), 1e-9)))
    return out


def lowest(cuts: Sequence[Cut]) -> dict[str, NDArray[np.float64]]:
    """By operation, sorted: the load above idle of all its cuts that may be judged."""
    levels: dict[str, list[float]] = {}
    for cut in cuts:
        if not cut.held and cut.features.duration > 0.0:
            levels.setdefault(cut.operation.key, []).append(cut.features.work / cut.features.duration)
    return {key: np.sort(its) for key, its in levels.items()}


def tells_missing(levels: Mapping[str, NDArray[np.float64]], key: str) -> bool:
    """Whether one who knows all cuts of an operation, before and after, can tell one without work and be wrong in none of them: idle is
    known to half a step of the register."""
    return float(levels[key][0]) > 0.5


def by_word(log: Log, cuts: Sequence[Cut], words: Sequence[Word]) -> dict[str, float]:
    """Share of the active time by the word that the operation had which was made then; held cuts by their reason; 'no cut'."""
    passed = np.concatenate([[0.0], np.cumsum(log.active())])
    shares: Counter[str] = Counter()
    taken = np.zeros(len(log.time), dtype=bool)
    for cut, word in zip(cuts, words, strict=True):
        first, end = np.searchsorted(log.time, (cut.opened, cut.time), side="left").tolist()
        rows = np.arange(first, end)[~taken[first:end]]
        taken[first:end] = True
        shares[f"HOLD {cut.held}" if cut.held else str(word)] += float((passed[rows + 1] - passed[rows]).sum())
    shares["no cut"] = float(passed[-1]) - sum(shares.values())
    total = float(passed[-1])
    return {word: share / total for word, share in shares.items()} if total else {}
