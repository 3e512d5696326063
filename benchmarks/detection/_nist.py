"""Days of a machine of the NIST test bed as rows for the pass, and the same with faults put into the load."""

from __future__ import annotations

import bisect
import dataclasses
import gzip
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.machine_file import load
from agent.settings import MachineSettings
from benchmarks.convert_nist import CHANNELS
from drivers.model import Quality, Readings, Words
from drivers.options import SourceOptions

MACHINE = Path(__file__).resolve().parents[1] / "machines" / "nist_mazak01.toml"
LEFT_OUT = frozenset(("feed", "load_x", "load_y", "load_z", "temperature", "temperature_sub", "estop", "avail"))
"""Channels that no detector of the pass takes; their rows are most of the log."""
APART = ("feed", "load_x", "load_y", "load_z")
"""Of those, the ones by which it is said what anybody could see."""
LOADS = {"main": "load", "sub": "load_sub"}
"""Channel of the load of each spindle."""
SPEEDS = {"main": "speed", "sub": "speed_sub"}
STEADY, UNSTEADY = 1.0, 0.08
"""s since the latest change of speed (relative, from one row to the next) from which on a load is not of the run-up."""
LONGEST = 600.0
"""s without a word beyond which nobody knows whether the machine still runs: not counted as active."""


@dataclass(frozen=True, slots=True)
class Log:
    """All days of one machine, one behind the other.

    Attributes
    ----------
    name: of the machine. days: names of the days.
    starts: (days,) first row of each day.
    time: (n,) UTC s. values, quality: (n, channels), ABSENT where nothing was said.
    """

    name: str
    days: tuple[str, ...]
    starts: tuple[int, ...]
    channels: tuple[str, ...]
    time: NDArray[np.float64]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]
    words: tuple[str, ...]
    apart: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = dataclasses.field(default_factory=dict)
    """Of the channels in `APART`, which the pass does not get: times (UTC s) at which each was told, and its value (NaN: not read)"""

    def column(self, name: str) -> int:
        """Of a channel; -1: the machine has not got it."""
        return self.channels.index(name) if name in self.channels else -1

    def blocks(self, rows: int, until: int | None = None) -> Iterable[Readings]:
        """The rows, so many at a time."""
        end = len(self.time) if until is None else until
        for at in range(0, end, rows):
            part = slice(at, min(at + rows, end))
            yield Readings(self.name, self.channels, self.time[part], self.values[part], self.quality[part], self.words)

    def held(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Value and quality of a channel at every row, as it holds."""
        column = self.column(name)
        told = self.quality[:, column] != Quality.ABSENT
        last = np.maximum.accumulate(np.where(told, np.arange(len(told)), -1))
        value, mark = self.values[np.maximum(last, 0), column], self.quality[np.maximum(last, 0), column]
        return value, np.where(last < 0, int(Quality.UNAVAILABLE), mark).astype(np.uint8)

    def beside(self, name: str, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """A channel of `apart` as it holds at these times; NaN where it is not known."""
        times, values = self.apart.get(name, (np.zeros(0), np.zeros(0)))
        last = np.searchsorted(times, time, side="right") - 1
        return np.where(last >= 0, values[np.maximum(last, 0)], np.nan) if len(times) else np.full(len(time), np.nan)

    def steady(self, spindle: str) -> NDArray[np.bool_]:
        """(n,) whether a row is far enough from a change of speed for its load not to be of it; without a tool a spindle has it as well."""
        if SPEEDS[spindle] not in self.channels:
            return np.ones(len(self.time), dtype=bool)
        speed, known = self.held(SPEEDS[spindle])
        speed = np.abs(np.where(known == Quality.GOOD, speed, 0.0))
        changed = np.abs(np.diff(speed, prepend=0.0)) > UNSTEADY * np.maximum(speed, 1.0)
        settled = self.time - np.maximum.accumulate(np.where(changed, self.time, -np.inf)) >= STEADY
        # The load of a drive moves before the speed that is reported.
        return settled & ~np.append(changed[1:], False)

    def active(self) -> NDArray[np.float64]:
        """(n,) s from each row to the next during which a program ran (`execution` ACTIVE)."""
        value, mark = self.held("execution")
        runs = (mark == Quality.GOOD) & np.isin(value, [-(i + 1.0) for i, word in enumerate(self.words) if word == "ACTIVE"])
        gaps = np.diff(self.time, append=self.time[-1])
        return np.where(runs & (gaps <= LONGEST), gaps, 0.0)

    def gaps(self) -> list[tuple[float, float]]:
        """Stretches in which the log itself says that no load was read."""
        lost = np.zeros(len(self.time), dtype=bool)
        for name in LOADS.values():
            if name in self.channels:
                lost |= self.held(name)[1] != Quality.GOOD
        edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
        ends = np.append(self.time, self.time[-1])
        return [(float(self.time[a]), float(ends[b])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def machines(folder: Path) -> dict[str, list[Path]]:
    """Files of each machine in order of their day: `NAME_YYYYMMDD.csv.gz`."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*_[0-9]*.csv.gz")):
        found.setdefault(path.name.rpartition("_")[0], []).append(path)
    if not found:
        raise FileNotFoundError(str(folder / "NAME_YYYYMMDD.csv.gz"))
    return found


def read(name: str, paths: Sequence[Path]) -> Log:
    """Read days. What a day before already told is passed over; `NA` is 'unavailable'."""
    days: list[tuple[str, list[tuple[str, str, str]]]] = []
    apart: dict[str, list[tuple[str, str]]] = {}
    last, there = "", set[str]()
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            next(file, None)
            events = []
            for line in file:
                moment, tag, value = line.rstrip("\n").split(",", 2)
                channel = CHANNELS.get(tag, "")
                if channel and channel not in LEFT_OUT and moment > last:
                    events.append((moment, channel, value))
                    if value != "NA":
                        there.add(channel)
                elif channel in APART and moment > last:
                    apart.setdefault(channel, []).append((moment, value))
        events.sort(key=lambda event: event[0])
        if events:
            last = events[-1][0]
            days.append((path.name.rpartition("_")[2].partition(".")[0], events))
    channels = tuple(channel for channel in dict.fromkeys(CHANNELS.values()) if channel in there)
    index, words = {channel: i for i, channel in enumerate(channels)}, Words()
    moments = [sorted({moment for moment, channel, _ in events if channel in index}) for _, events in days]
    starts = np.cumsum([0, *(len(of_day) for of_day in moments)])
    values = np.full((int(starts[-1]), len(channels)), np.nan)
    quality = np.full(values.shape, Quality.ABSENT, dtype=np.uint8)
    for start, of_day, (_, events) in zip(starts.tolist(), moments, days, strict=False):
        rows = {moment: start + i for i, moment in enumerate(of_day)}
        for moment, channel, value in events:
            if channel not in index:
                continue
            row, column = rows[moment], index[channel]
            if value == "NA":
                values[row, column], quality[row, column] = np.nan, Quality.UNAVAILABLE
            else:
                values[row, column], quality[row, column] = _number(value, words), Quality.GOOD
    time = np.array([_stamp(moment) for of_day in moments for moment in of_day])
    told = {
        channel: (
            np.array([_stamp(moment) for moment, _ in its]),
            np.array([math.nan if value == "NA" else float(value) for _, value in its]),
        )
        for channel, its in ((channel, sorted(its, key=lambda event: event[0])) for channel, its in apart.items())
    }
    return Log(name, tuple(day for day, _ in days), tuple(starts[:-1].tolist()), channels, time, values, quality, words.seen(), told)


def settings(log: Log) -> MachineSettings:
    """The machine file, with the channels that this machine has. All are read by one adapter that hangs on the machine's own supply."""
    given = load(MACHINE, replay=True).settings
    source = SourceOptions(name="control", bus="log", device="mtconnect", every=1.0, supply="machine")
    channels = [msgspec.structs.replace(c, source=f"control.{c.name}") for c in given.channel if c.name in log.channels]
    return msgspec.structs.replace(given, source=(source,), channel=tuple(channels))


@dataclass(frozen=True, slots=True)
class Fault:
    """The load of one spindle from `start` to `end`, above `idle`, times `factor` (0: there is no tool)."""

    spindle: str
    start: float
    end: float
    idle: float
    factor: float


def spoil(log: Log, faults: Iterable[Fault]) -> Log:
    """The same log with the faults in it, on the register's own steps of 1 %; not in a run-up, which a missing tool has as well.

    What holds from before a fault is told anew at its first row, and what holds in truth after its last.
    """
    values, quality = log.values.copy(), log.quality.copy()
    times = log.time.tolist()
    by_spindle: dict[str, list[Fault]] = {}
    for fault in faults:
        by_spindle.setdefault(fault.spindle, []).append(fault)
    for spindle, its in by_spindle.items():
        column = log.column(LOADS[spindle])
        load, mark = log.held(LOADS[spindle])
        read = (mark == Quality.GOOD) & log.steady(spindle)
        changed = load.copy()
        for fault in its:
            part = slice(bisect.bisect_left(times, fault.start - 1e-6), bisect.bisect_right(times, fault.end + 1e-6))
            above = np.maximum(load[part] - fault.idle, 0.0)
            faulty = np.round(np.minimum(load[part], fault.idle) + above * fault.factor)
            changed[part] = np.where(read[part], faulty, load[part])
        moves = (mark == Quality.GOOD) & (np.diff(changed, prepend=np.nan) != 0.0) & (changed != load)
        back = (mark == Quality.GOOD) & (changed == load) & np.concatenate([[False], changed[:-1] != load[:-1]])
        told = (quality[:, column] == Quality.GOOD) | moves | back
        values[told, column], quality[told, column] = changed[told], Quality.GOOD
    return dataclasses.replace(log, values=values, quality=quality)


def _stamp(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _number(text: str, words: Words) -> float:
    try:
        return float(text)
    except ValueError:
        return words.code(text)
