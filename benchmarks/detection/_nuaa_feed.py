"""Pockets of NUAA at another feed, which nothing tells, through the room that judges it; not an adapter by itself.

The readings of each layer become a closed Cut with its curve (spindle power, mean of 0.2 s; the authors cut out what is no cut, so idle is
not known: the smallest tenth of the power of the first layer stands for it). `agent.detect.feed` judges it as the pass would once its
operation is known; layers are learned from in their order. A layer at another feed is the same, resampled in time, with the power above
idle times the feed: the work is kept. Lengths of layers are those of the recording: they differ by 10 % and more from layer to layer.

The plain rule is the length alone, off the median of those before by more than x %: the smallest of twelve by which at most 0.5 % of the
healthy layers are, on the other tools.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.detect import feed
from agent.detect.baseline import Baseline, Prior
from agent.model import Cut, CutFeatures, Operation
from benchmarks.detection.table import Progress, Row, wilson

FEEDS = (0.7, 0.85, 1.15, 1.3)
LENGTHS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
GRID = 0.2
ALLOWED = 0.005
FIXED = "defaults of the product, chosen on hahn_lathe"


@dataclass(frozen=True)
class Judged:
    """One layer at one feed: whether it was held, and how far its length is off."""

    tool: str
    ratio: float
    held: bool
    off: float


def feed_rows(folder: Path, progress: Progress) -> list[Row]:
    """Rows feed_* of every tool in the folder."""
    judged: list[Judged] = []
    files = sorted(folder.glob("W*.npz"))
    for i, file in enumerate(files):
        progress(i / len(files), f"feed {file.stem}")
        judged.extend(_tool(file))
    return [_row(judged, ratio) for ratio in (1.0, *FEEDS)]


def _tool(file: Path) -> list[Judged]:
    with np.load(file) as data:
        place = list(data["channels"]).index("spindle_power")
        rate = float(data["rate_hz"])
        layers = sorted(name for name in data if name[0] == "L" and name[1:].isdigit())
        powers = [data[name][place].astype(np.float64) * float(data[f"{name}_scale"][place]) for name in layers]
    step = round(GRID * rate)
    curves = [power[: len(power) // step * step].reshape(-1, step).mean(axis=1) for power in powers]
    idle = float(np.quantile(curves[0], 0.1))
    known = Baseline(key="S1/-/r1/T1/1", spindle="S1", program="", tool="1", section="1", since=0.0)
    out = []
    for curve in curves:
        cut = _cut(curve, idle)
        if known.good >= feed.FEWEST:
            for ratio in (1.0, *FEEDS):
                one = _cut(_at(curve, idle, ratio), idle)
                off = abs(one.features.duration / known.expected_duration - 1.0)
                out.append(Judged(file.stem, ratio, feed.changed(one, known, Prior()) != 1.0, off))
        known.learn(cut, 0.01)
    return out


def _at(curve: NDArray[np.float64], idle: float, ratio: float) -> NDArray[np.float64]:
    rows = np.minimum((np.arange(round(len(curve) / ratio)) + 0.5) * ratio, len(curve) - 1).astype(int)
    return idle + ratio * (curve[rows] - idle)


def _cut(curve: NDArray[np.float64], idle: float) -> Cut:
    seconds = GRID * len(curve)
    features = CutFeatures(
        samples=len(curve),
        duration=seconds,
        mean=float(curve.mean()),
        peak=float(np.sort(curve)[-2]),
        idle=idle,
        work=float((curve - idle).sum()) * GRID,
        largest_rise=0.0,
        largest_fall=0.0,
    )
    operation = Operation(spindle="S1", program="", revision=1, tool="1", section="1")
    return Cut(
        id="c1", phase="closed", operation=operation, part=0, opened=0.0, time=seconds, features=features, curve=tuple(curve), grid=GRID
    )


def _row(judged: list[Judged], ratio: float) -> Row:
    here = [one for one in judged if one.ratio == ratio]
    n, held = len(here), sum(one.held for one in here)
    low, high = wilson(held, n)
    plain = sum(one.off > _limit(judged, one.tool) for one in here)
    name = "healthy" if ratio == 1.0 else f"{round(100 * ratio)}"
    figure = "healthy layers taken for another feed" if ratio == 1.0 else f"layers at {name} % of their feed: told as feed changed"
    return Row(
        set="nuaa_milling", name=f"feed_{name}", figure=figure,
        value=100.0 * held / n if n else None, unit="%", low=100.0 * low,
        high=100.0 * high, n=f"{n} layers of {len({one.tool for one in here})} tools, from the 11th of each",
        fixed=FIXED, through="detector",
        baseline="length off by more than x %, x chosen on the other tools",
        baseline_value=100.0 * plain / n if n else None,
        note=f"median length off {100.0 * float(np.median([one.off for one in here])):.0f} %" if n else "no tool has so many layers",
    )  # fmt: skip


def _limit(judged: list[Judged], tool: str) -> float:
    healthy = np.array([one.off for one in judged if one.ratio == 1.0 and one.tool != tool])
    return next((x for x in LENGTHS if len(healthy) and float(np.mean(healthy > x)) <= ALLOWED), math.inf)
