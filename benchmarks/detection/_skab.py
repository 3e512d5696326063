"""Files and scores of SKAB: F1, FAR, and its change-point score, by their definition (waico/SKAB, core/metrics.py)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TAUGHT = 400
"""Rows of each file that may be learned from: the set's own convention."""
WINDOW = 60.0
"""s after a change point within which it may be found."""
PROFILES = {"standard": (1.0, -0.11, -1.0), "low_fp": (1.0, -0.22, -1.0), "low_fn": (1.0, -0.11, -2.0)}
"""What a found, a false and a missed change point are worth."""


@dataclass(frozen=True)
class Unit:
    """One file. `anomaly`, `change`: labels, (n,), for the scoring alone."""

    name: str
    group: str
    time: NDArray[np.float64]
    channels: tuple[str, ...]
    values: NDArray[np.float64]
    anomaly: NDArray[np.bool_]
    change: NDArray[np.bool_]


def read(folder: Path) -> list[Unit]:
    """Every labelled file under `folder`, a group a sub-folder.

    Raises
    ------
    FileNotFoundError: there is none.
    """
    units = [unit for path in sorted(folder.glob("*/*.csv"), key=lambda p: (p.parent.name, len(p.stem), p.stem)) if (unit := _unit(path))]
    if not units:
        raise FileNotFoundError(f"{folder}/*/*.csv")
    return units


def _unit(path: Path) -> Unit | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[0].split(";")
    if "anomaly" not in head:
        return None
    cells = [line.split(";") for line in lines[1:] if line]
    labels = [head.index("anomaly"), head.index("changepoint")]
    columns = [i for i in range(1, len(head)) if i not in labels]
    table = np.array([[float(c[i]) for i in range(1, len(head))] for c in cells])
    time = np.array([datetime.fromisoformat(c[0]).timestamp() for c in cells])
    return Unit(
        path.stem,
        path.parent.name,
        time,
        tuple(head[i] for i in columns),
        table[:, [i - 1 for i in columns]],
        table[:, labels[0] - 1] == 1.0,
        table[:, labels[1] - 1] == 1.0,
    )


@dataclass
class Tally:
    """Counts of many files, and what they come to."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    points: int = 0
    missed: int = 0
    false: int = 0
    earned: dict[str, float] | None = None

    def add(self, unit: Unit, state: NDArray[np.bool_]) -> None:
        """One file's alarm state, (n,); the taught rows do not count."""
        anomaly, said = unit.anomaly[TAUGHT:], state[TAUGHT:]
        self.tp += int((anomaly & said).sum())
        self.fp += int((~anomaly & said).sum())
        self.fn += int((anomaly & ~said).sum())
        self.tn += int((~anomaly & ~said).sum())
        time = unit.time[TAUGHT:]
        changes = time[1:][said[1:] != said[:-1]]
        self._points(time[unit.change[TAUGHT:]], changes)

    def _points(self, true: NDArray[np.float64], said: NDArray[np.float64]) -> None:
        earned = self.earned = self.earned or dict.fromkeys(PROFILES, 0.0)
        windows = [[float(t), float(t) + WINDOW] for t in true]
        for left, right in itertools.pairwise(windows):
            if left[1] >= right[0]:
                right[0] = left[1]
        inside = np.zeros(len(said), bool)
        self.points += len(windows)
        for begin, end in windows:
            here = (said >= begin) & (said <= end)
            inside |= here
            if not here.any():
                self.missed += 1
                for name, (_, _, miss) in PROFILES.items():
                    earned[name] += miss
                continue
            at = float(said[here][0] - begin) / (end - begin) if end > begin else 0.0
            for name, (tp, fp, _) in PROFILES.items():
                earned[name] += worth(at, tp, fp)
        wrong = int((~inside).sum())
        self.false += wrong
        for name, (_, fp, _) in PROFILES.items():
            earned[name] += wrong * fp

    @property
    def f1(self) -> float:
        """Of all rows together."""
        found = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / found if found else 0.0

    @property
    def far(self) -> float:
        """% of the rows without an anomaly."""
        return 100.0 * self.fp / max(self.fp + self.tn, 1)

    def nab(self, profile: str = "standard") -> float:
        """0 is what a silent detector gets, 100 a perfect one."""
        tp, _, miss = PROFILES[profile]
        low, high = miss * self.points, tp * self.points
        return 100.0 * ((self.earned or {}).get(profile, 0.0) - low) / (high - low) if high > low else math.nan


def worth(at: float, tp: float, fp: float) -> float:
    """Of a change point found at a share of its window: from `tp` at its left to `fp` at its right along a hyperbolic tangent."""
    x = -math.pi / 2.0 + math.pi * min(max(int(at * 1000), 0), 999) / 999.0
    return -(tp - fp) / 2.0 * math.tanh(x) / math.tanh(math.pi / 2.0) + (tp - fp) / 2.0 + fp


def tally(units: Iterable[Unit], states: Sequence[NDArray[np.bool_]]) -> Tally:
    """Of many files."""
    total = Tally()
    for unit, state in zip(units, states, strict=True):
        total.add(unit, state)
    return total
