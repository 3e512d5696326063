"""The figures of `agent.kernels.health`, one channel at a time, in the plainest way."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

STANDING, TURNING, CUTTING = 1, 2, 3


class Channel:
    """One channel over any number of stretches."""

    def __init__(self) -> None:
        self.value: float | None = None
        self.time: float | None = None
        self.changed: float | None = None
        self.still = 0.0

    def stretch(self, rows: list[tuple[float, float, int, bool, int]], period: float) -> dict[str, float]:
        """`rows`: time, value, quality, fresh, what the spindle does."""
        read = [(t, x, q <= 1 and math.isfinite(x), does) for t, x, q, fresh, does in rows if fresh and q <= 2]
        told: dict[str, float] = {"fresh": len(read), "bad": sum(not good for _, _, good, _ in read)}
        span = missing = 0.0
        late = 0
        gaps: list[float] = []
        for t, x, good, does in read:
            passed = t - self.time if self.time is not None else math.inf
            if 0.0 <= passed < 5.0:
                span += passed
                if passed > 2.5 * period:
                    missing += passed - period
                    late += 1
            self.time = t
            if not good:
                continue
            counted = min(max(passed, 0.0), 1.0) if does in (TURNING, CUTTING) and math.isfinite(passed) else 0.0
            if self.value is None:
                self.value, self.changed = x, t
            elif x != self.value:
                if self.still + counted > 0.0:
                    gaps.append(self.still + counted)
                self.value, self.changed, self.still = x, t, 0.0
            else:
                self.still += counted
        told |= {"span": span, "missing": missing, "gaps": len(gaps), "gap_sum": sum(gaps), "gap_max": max(gaps, default=0.0), "long": late}
        return told | self._cut(read) | self._noise(read)

    def _runs(self, read: list[tuple[float, float, bool, int]], does: int) -> list[list[float]]:
        """Readings that follow each other without a bad one or another doing between."""
        runs: list[list[float]] = [[]]
        for _, x, good, doing in read:
            if good and doing == does:
                runs[-1].append(x)
            else:
                runs.append([])
        return [run for run in runs if run]

    def _cut(self, read: list[tuple[float, float, bool, int]]) -> dict[str, float]:
        runs = self._runs(read, CUTTING)
        every = [x for run in runs for x in run]
        steps = [abs(b - a) for run in runs for a, b in itertools.pairwise(run) if a != b]
        told: dict[str, Any] = {"n": len(every), "changes": len(steps), "step": min(steps, default=0.0)}
        told["mean"] = statistics.fmean(every) if every else 0.0
        told["spread"] = statistics.pstdev(every) if every else 0.0
        told["range"] = max(every) - min(every) if every else 0.0
        told["top"] = told["below"] = 0.0
        if steps:
            sides = []
            for end, sign in ((max(every), 1.0), (min(every), -1.0)):
                visits = sum(x == end != 0.0 and (i == 0 or run[i - 1] != end) for run in runs for i, x in enumerate(run))
                near = sum(x != end and sign * (end - x) <= 1.5 * min(steps) for x in every)
                sides.append((visits, near))
            told["top"], told["below"] = sides[0] if sides[0][0] >= sides[1][0] else sides[1]
        return told

    def _noise(self, read: list[tuple[float, float, bool, int]]) -> dict[str, float]:
        runs = self._runs(read, STANDING)
        steps = [abs(b - a) for run in runs for a, b in itertools.pairwise(run)]
        return {"noise_n": len(steps), "noise": statistics.median(steps) if steps else 0.0}
