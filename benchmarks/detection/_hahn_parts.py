"""Many parts of the one part of data/hahn_lathe that was recorded whole, with tools that are missing or break in it.

What is real and what is repeated. Real: every sample of current and speed; the idle that takes the place of a cut (samples of the same
recording, at the same speed within 10 %, no cut within 0.1 s; where the spindle is sped up or braked the current stays as it is); how far a
cut lies from the cuts around it, from one part to the next (`cuts_features`: RMS current of the same tool, cut by cut in the order of their
history, against the median of up to 30 before). Repeated: the course of the part, and the length of its cuts (in `cuts_features` 99 % of
the cuts keep theirs within 1 to 2 %). The noise about the course (what is left of a running median of 0.3 s) is moved by a random time
within its stretch in each part. Nothing comes from the simulator.

A tool that breaks leaves idle from there to the end of the cut and in all its later cuts of this part; a missing one in all its cuts.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Floats = NDArray[np.float64]
CHANNELS = ("load_main", "load_sub", "speed_main", "speed_sub", "tool", "part")
COURSE = 0.3
"""s of the running median that is the course."""
SAME_SPEED = 0.10
NEAR_CUT = 0.1
PIECE = 0.2
"""s of idle that are put in at once."""
SHORTEST = 0.05
DONORS = 20
"""Cuts with a history that make a donor of deviations."""
BEFORE = 30
"""Cuts before one, whose median it is held against."""


@dataclass(frozen=True)
class TrueCut:
    """One cut of the part as its control marked it.

    Attributes
    ----------
    first, last: samples. tool, spindle (0 main, 1 sub), number: of the tool within the part, from 0.
    contrast: (mean - idle at its speeds) / mean; nan where the recording has no idle at its speeds.
    deviations: of good cuts from the median of those before, in the order of their history; p999 the 99.9 % of their size (the largest
    where there are fewer than a thousand).
    """

    first: int
    last: int
    tool: int
    spindle: int
    number: int
    mean: float
    contrast: float
    deviations: Floats = field(repr=False)
    p999: float

    @property
    def stands_out(self) -> bool:
        """Contrast at least three times p99.9: here a missing tool must be told."""
        return self.contrast >= 3.0 * self.p999


class Parts:
    """Makes parts of one recording.

    Parameters
    ----------
    recording: a file like one_part_1khz.npz. features: cuts_features.csv.gz.
    """

    def __init__(self, recording: Path, features: Path) -> None:
        with np.load(recording) as data:
            self.rate = float(data["rate_hz"])
            self.load = np.stack([data["Current_MainSpindle"], data["Current_SubSpindle"]]).astype(np.float64)
            self.speed = np.abs(np.stack([data["Speed_MainSpindle"], data["Speed_SubSpindle"]]).astype(np.float64))
            self.tool = data["TOOL_Number"].astype(np.int64)
            marked = data["CUT_Signal"] > 0
        self.seconds = len(self.tool) / self.rate
        spans = runs(marked)
        self._restless = np.stack([self._changes(spindle, 0.05) for spindle in (0, 1)])
        self._air = [self._idle(spindle, marked) for spindle in (0, 1)]
        history = deviations(features)
        numbers: dict[int, int] = defaultdict(int)
        self.cuts: list[TrueCut] = []
        self.transfers = 0
        for first, last in spans:
            tool = int(self.tool[first])
            turning = [float(self.speed[s, first:last].mean()) > 30.0 for s in (0, 1)]
            if all(turning) or not any(turning):
                # Both spindles hold the part: it is handed over, not cut.
                self.transfers += 1
                continue
            spindle = 0 if turning[0] else 1
            mean = float(self.load[spindle, first:last].mean())
            idle = self.idle_for(spindle, first, last, np.random.default_rng(0))
            contrast = 1.0 - float(idle.mean()) / mean if idle is not None else np.nan
            known = donor(history, tool, numbers[tool], (last - first) / self.rate)
            p999 = float(np.quantile(np.abs(known), 0.999, method="higher"))
            self.cuts.append(TrueCut(first, last, tool, spindle, numbers[tool], mean, contrast, known, p999))
            numbers[tool] += 1
        self._course, self._stretches = self._split(spans)

    def idle_for(self, spindle: int, first: int, last: int, draw: np.random.Generator) -> Floats | None:
        """Real idle at the speeds of these samples; None where the recording has none."""
        out = np.empty(last - first)
        step = int(PIECE * self.rate)
        starts, ends, speeds = self._air[spindle]
        for a in range(first, last, step):
            b = min(a + step, last)
            speed = float(np.median(self.speed[spindle, a:b]))
            if self._restless[spindle, a:b].mean() > 0.5:
                # The current that speeds the spindle up or brakes it is there with and without a tool.
                out[a - first : b - first] = self.load[spindle, a:b]
                continue
            near = np.flatnonzero(np.abs(speeds - speed) <= SAME_SPEED * speed)
            if not len(near):
                return None
            # Of the nearest speed, weighted by length.
            closest = near[np.abs(speeds[near] - speed) <= np.abs(speeds[near] - speed).min() + 0.02 * speed]
            length = (ends - starts)[closest].astype(np.float64)
            i = int(draw.choice(closest, p=length / length.sum()))
            span = int(ends[i] - starts[i])
            at = int(draw.integers(span))
            out[a - first : b - first] = self.load[spindle, starts[i] + (at + np.arange(b - a)) % span]
        return out

    def part(self, number: int, draw: np.random.Generator, start: Sequence[int], gone: Mapping[int, int] | None = None) -> Floats:
        """One part at full rate: (n, channels of `CHANNELS`).

        Parameters
        ----------
        number: of the part: which deviation of its history each cut has. start: by cut, where in its history the first part stands.
        gone: by index of a cut, the sample from which on idle takes its place.
        """
        load = self._course.copy()
        for spindle, first, last, rest in self._stretches:
            load[spindle, first:last] += np.roll(rest, int(draw.integers(len(rest))))
        for i, cut in enumerate(self.cuts):
            load[cut.spindle, cut.first : cut.last] += cut.mean * cut.deviations[(start[i] + number) % len(cut.deviations)]
        for i, sample in (gone or {}).items():
            cut = self.cuts[i]
            idle = self.idle_for(cut.spindle, sample, cut.last, draw)
            if idle is not None:
                load[cut.spindle, sample : cut.last] = idle
        part = np.full(len(self.tool), float(number))
        return np.column_stack([load[0], load[1], self.speed[0], self.speed[1], self.tool.astype(np.float64), part])

    def _changes(self, spindle: int, margin: float) -> NDArray[np.bool_]:
        """Where the speed changes by more than 3 % in 0.1 s, and `margin` seconds around."""
        speed = self.speed[spindle]
        n = int(0.1 * self.rate)
        change = np.abs(speed[n:] - speed[:-n]) > 0.03 * np.maximum(speed[n:], 100.0)
        wide = np.ones(2 * int(margin * self.rate) + 1)
        found: NDArray[np.bool_] = np.convolve(np.concatenate([np.zeros(n), change]), wide, "same") > 0.5
        return found

    def _idle(self, spindle: int, marked: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Stretches of steady idle: first and last sample, speed."""
        speed = self.speed[spindle]
        restless = self._changes(spindle, 0.3)
        cutting = np.convolve(marked, np.ones(2 * int(NEAR_CUT * self.rate) + 1), "same") > 0.5
        found = [(a, b) for a, b in runs((speed > 100.0) & ~restless & ~cutting) if b - a >= SHORTEST * self.rate]
        starts = np.array([a for a, _ in found], dtype=np.int64)
        ends = np.array([b for _, b in found], dtype=np.int64)
        return starts, ends, np.array([float(np.median(speed[a:b])) for a, b in found])

    def _split(self, spans: Sequence[tuple[int, int]]) -> tuple[Floats, list[tuple[int, int, int, Floats]]]:
        """Course and what is left of it, stretch by stretch: cuts, and air between them where the spindle turns steadily."""
        course = self.load.copy()
        stretches = []
        size = int(COURSE * self.rate)
        for spindle in (0, 1):
            starts, ends, _ = self._air[spindle]
            mine = [span for span in spans if float(self.speed[spindle, span[0] : span[1]].mean()) > 30.0]
            for first, last in [*mine, *zip(starts.tolist(), ends.tolist(), strict=True)]:
                values = self.load[spindle, first:last]
                middle = median_filter(values, size=min(size, 2 * (len(values) // 2) + 1), mode="nearest")
                course[spindle, first:last] = middle
                stretches.append((spindle, first, last, values - middle))
        return course, stretches


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, end) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


History = Mapping[tuple[int, int], list[tuple[int, float, Floats]]]


def deviations(features: Path) -> History:
    """By tool and number of the cut: of each kind of part (cuts of its history, length in s, deviations in their order). Good cuts only."""
    groups: dict[tuple[str, int, int], list[tuple[int, float, float, float]]] = defaultdict(list)
    with gzip.open(features, "rt", encoding="utf-8") as text:
        for line in csv.DictReader(text):
            if (
                line["part_failed"] in ("", "0")
                and line["tool_failed"] in ("", "0")
                and line["rms_current_main"]
                and line["rms_current_sub"]
            ):
                key = (line["part"], int(line["tool"]), int(line["index"]))
                values = float(line["rms_current_main"]), float(line["rms_current_sub"])
                groups[key].append((int(line["unix_date"]), float(line["len_cut"]) / 1000.0, *values))
    out: dict[tuple[int, int], list[tuple[int, float, Floats]]] = defaultdict(list)
    for (_, tool, number), cuts in groups.items():
        cuts.sort()
        length = float(np.median([cut[1] for cut in cuts]))
        # Whose length differs by more than 5 % is another cut under the same number.
        same = np.array([cut[2:] for cut in cuts if abs(cut[1] / length - 1.0) < 0.05])
        if len(same) < 6:
            continue
        values = same[:, int(np.median(same[:, 1]) > np.median(same[:, 0]))]
        away = [float(values[i] / np.median(values[max(0, i - BEFORE) : i]) - 1.0) for i in range(5, len(values))]
        out[tool, number].append((len(away), length, np.array(away)))
    return out


def donor(history: History, tool: int, number: int, seconds: float) -> Floats:
    """Deviations of a real operation: this tool and cut in the part with the longest history, else the cut of this tool, else any cut, of
    the nearest length. The choice does not look at the deviations."""
    own = [entry for entry in history.get((tool, number), []) if entry[0] >= DONORS]
    if own:
        return max(own, key=lambda entry: entry[0])[2]
    of_tool = [entry for key, entries in history.items() if key[0] == tool for entry in entries if entry[0] >= DONORS]
    entries = of_tool or [entry for some in history.values() for entry in some if entry[0] >= DONORS]
    return min(entries, key=lambda entry: (abs(np.log(entry[1] / seconds)), -entry[0]))[2]
