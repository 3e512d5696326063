"""What anybody could tell of the machines of the NIST test bed: how far loads stand above air, what one who knows every cut tells.

None of this goes through the pass; it says what the figures of the pass are to be held against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.model import Cut, Word
from benchmarks.detection._nist import LOADS, SPEEDS, UNSTEADY, Fault, Log
from drivers.model import Quality

RAPID = 4.0
"""Times the usual feed of a tool on a day, from which on it is in the air; the unit of the feed is not the same on all days."""
STEADY, TURNS = 3.2, 50.0
"""s since the latest change of speed from which on the load is of cutting or air; rpm."""
CUTTING, IN_AIR, COMPARED = 20.0, 4.0, 10.0
"""s of feed moves, and of air, of a tool on a day at one speed (10 %) without which nothing is compared; of both at a feed, for an axis."""


@dataclass(frozen=True)
class Turns:
    """One spindle while it turns steadily and its program runs, wherever load, feed or an axis were told.

    Attributes
    ----------
    time: (n,) UTC s. load: as it stood from then on. stood: s. day, tool, band: of the speed, 10 % wide. feed: of the path.
    """

    time: NDArray[np.float64]
    load: NDArray[np.float64]
    stood: NDArray[np.float64]
    day: NDArray[np.intp]
    tool: NDArray[np.float64]
    band: NDArray[np.float64]
    feed: NDArray[np.float64]


def turns(log: Log) -> Iterator[Turns]:
    """Each spindle that has a load and a speed."""
    time = np.unique(np.concatenate([log.time, *(times[times >= log.time[0]] for times, _ in log.apart.values())]))
    row = np.searchsorted(log.time, time, side="right") - 1
    day, tool, feed = np.searchsorted(log.starts, row, side="right"), log.held("tool")[0][row], log.beside("feed", time)
    until = np.append(time[1:], time[-1])
    runs = log.active()[row] > 0.0
    for spindle, name in LOADS.items():
        if name not in log.channels or SPEEDS[spindle] not in log.channels:
            continue
        (load, read), (speed, known) = log.held(name), log.held(SPEEDS[spindle])
        speed = np.abs(np.where(known == Quality.GOOD, speed, 0.0))
        changed = np.abs(np.diff(speed, prepend=0.0)) > UNSTEADY * np.maximum(speed, 1.0)
        since = np.maximum.accumulate(np.where(changed, log.time, -np.inf))[row]
        stood = np.where(runs, np.clip(until - np.maximum(time, since + STEADY), 0.0, None), 0.0)
        good = (read[row] == Quality.GOOD) & (speed[row] >= TURNS) & np.isfinite(feed) & np.isfinite(tool) & (stood > 0.0)
        band = np.round(np.log(np.maximum(speed[row], 1.0)) / 0.1)
        yield Turns(time[good], load[row][good], stood[good], day[good], tool[good], band[good], feed[good])


def above_air(log: Log) -> list[tuple[float, float]]:
    """For each tool, day, spindle and speed: s of feed moves, and steps of 1 % by which the mean load in them stands above that of rapids
    and dwell (NaN: there were none)."""
    out: list[tuple[float, float]] = []
    for its in turns(log):
        for _, of_tool in _groups(its.day, its.tool):
            moves = of_tool[its.feed[of_tool] > 0.0]
            if not len(moves):
                continue
            order = moves[np.argsort(its.feed[moves])]
            passed = np.cumsum(its.stood[order])
            usual = float(its.feed[order[int(np.searchsorted(passed, 0.5 * passed[-1]))]])
            for _, part in _groups(its.band[of_tool]):
                rows = of_tool[part]
                cuts = (its.feed[rows] > 0.0) & (its.feed[rows] < RAPID * usual)
                seconds, air = float(its.stood[rows][cuts].sum()), float(its.stood[rows][~cuts].sum())
                if seconds < CUTTING:
                    continue
                level = float(np.average(its.load[rows][cuts], weights=its.stood[rows][cuts]))
                below = float(np.average(its.load[rows][~cuts], weights=its.stood[rows][~cuts])) if air >= IN_AIR else np.nan
                out.append((seconds, level - below))
    return out


def with_spindle(log: Log, axis: str) -> list[float]:
    """For each tool, day, spindle, speed and feed: steps by which the load of an axis stands higher while that of the spindle stands two
    steps or more above its low than while it stands there."""
    out: list[float] = []
    for its in turns(log):
        other = log.beside(axis, its.time)
        same = np.round(np.log(np.maximum(its.feed, 1e-9)) / 0.05)
        for _, rows in _groups(its.day, its.tool, its.band, same):
            rows = rows[(its.feed[rows] > 0.0) & np.isfinite(other[rows])]
            if not len(rows):
                continue
            low = float(np.quantile(its.load[rows], 0.05))
            cuts, air = rows[its.load[rows] >= low + 2.0], rows[its.load[rows] <= low]
            if its.stood[cuts].sum() >= COMPARED and its.stood[air].sum() >= COMPARED:
                means = [float(np.average(other[part], weights=its.stood[part])) for part in (cuts, air)]
                out.append(means[0] - means[1])
    return out


def _groups(*columns: NDArray[Any]) -> Iterator[tuple[tuple[float, ...], NDArray[np.intp]]]:
    """Places at which the columns are the same."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for place, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        groups.setdefault(key, []).append(place)
    for key, places in groups.items():
        yield key, np.array(places, dtype=np.intp)


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
