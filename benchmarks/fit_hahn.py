"""Fits the figures of `drivers/simulate/hahn.py` on the production lathe in data/hahn_lathe and prints them.

Source: tvhahn/Tool-Wear-Files (Queen's University / Checkfluid, MIT): one whole part at 1 kHz, 311 single cuts at 1 kHz, statistics of
9,750 cuts. `python benchmarks/fit_hahn.py FOLDER` prints the constants as Python, each with its n and its spread; a person copies them.
`measure` is the yardstick for the recording and for the simulated machine alike (tests/drivers/simulate/test_hahn_fit.py).

The columns of segments_1khz.npz stand in a different order in each acquisition (the README's order is that of 1568211798, 'columns' in
the file is that of 1568213682 and 1568213830; told apart by tool numbers and speeds). Only the three acquisitions of the same kind of part
are used, and only to check the spread.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TICK = 0.01
"""s, step of the simulated machine; the recording is averaged down to it."""
SMOOTHING = 0.05
"""s, first-order smoothing of a drive's load register."""
TRANSFER = 155.62
"""s, from here both spindles hold the part together (tool 8): not cutting, left out."""
GENTLE = 300.0
"""rpm/s; slower changes of speed (facing at constant surface speed) do not show in the current beyond the cut itself."""
MAIN_TOOLS = (1, 2, 3, 5, 6, 11, 13, 15, 17, 21, 22, 23)
SEGMENTS = {"1568211798": 1, "1568213682": 5, "1568213830": 5}
"""Acquisition: column of the main spindle's current in segments_1khz.npz."""


@dataclass(frozen=True)
class Trace:
    """One spindle at TICK: raw current, current as a register that is smoothed over SMOOTHING shows it, speed, cut flag, tool."""

    current: Array
    register: Array
    speed: Array
    cut: NDArray[np.bool_]
    tool: NDArray[np.int64]


@dataclass(frozen=True)
class Figures:
    """What a recording and a simulation are compared by; currents in counts of the recording."""

    idle: tuple[tuple[float, float, float], ...]
    """(rpm, mean current in air, seconds it was seen)"""
    ripple: tuple[tuple[float, float, float], ...]
    """(rpm, frequency / spindle frequency, amplitude)"""
    noise: float
    """sd of the register in steady air, ripple removed, weighted by time"""
    lag1: float
    """autocorrelation of that noise at one TICK"""
    cuts: int
    mean_in_cut: tuple[float, ...]
    """mean register in each cut, in order"""
    largest: float
    """99.9th percentile of the raw current"""


def smooth(values: Array, step: float, tau: float = SMOOTHING) -> Array:
    """First-order low-pass with time constant `tau` (s) of samples `step` (s) apart."""
    share = 1.0 - np.exp(-step / tau)
    out = np.empty_like(values)
    state = float(values[0])
    for i, value in enumerate(values):
        state += share * (float(value) - state)
        out[i] = state
    return out


def load_part(folder: Path) -> Trace:
    """The main spindle of one_part_1khz.npz up to the transfer."""
    data = np.load(folder / "one_part_1khz.npz")
    end = int(TRANSFER * 1000)
    every = int(TICK * 1000)

    def block(name: str) -> Array:
        return np.asarray(data[name][: end // every * every], dtype=np.float64).reshape(-1, every)

    current = block("Current_MainSpindle")
    return Trace(
        current.mean(1),
        smooth(current.ravel(), 0.001)[every - 1 :: every],
        block("Speed_MainSpindle").mean(1),
        (block("CUT_Signal").max(1) > 0) & np.isin(block("TOOL_Number")[:, 0], MAIN_TOOLS),
        block("TOOL_Number")[:, 0].astype(np.int64),
    )


def runs(mask: NDArray[np.bool_], shortest: int = 1) -> list[tuple[int, int]]:
    """(first, end) of each stretch of True of at least `shortest`."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= shortest]


def acceleration(speed: Array) -> Array:
    """rpm/s, over 100 ms."""
    return np.gradient(np.convolve(np.pad(speed, 5, mode="edge"), np.ones(10) / 10, "same")[5:-5], TICK)


def steady_air(trace: Trace, settle: float = 0.8, shortest: float = 0.4) -> list[tuple[int, int]]:
    """Stretches with the spindle turning at one speed for `settle` seconds already, and no cut within 0.3 s."""
    n = int(settle / TICK)
    restless = np.abs(acceleration(trace.speed)) > 60.0
    after = np.convolve(restless, np.ones(n), "full")[: len(restless)] > 0
    before = np.convolve(restless, np.ones(20), "full")[19 : 19 + len(restless)] > 0
    cutting = np.convolve(trace.cut, np.ones(61), "same") > 0
    return runs(~after & ~before & ~cutting & (trace.speed > 500.0), int(shortest / TICK))


def ripple_of(current: Array, speed: float, ratios: Array) -> tuple[float, float]:
    """(ratio to the spindle frequency, amplitude) of the strongest sine among `ratios`, by least squares."""
    t = np.arange(len(current)) * TICK
    best = (0.0, 0.0)
    for ratio in ratios:
        phase = 2.0 * np.pi * ratio * speed / 60.0 * t
        design = np.column_stack([np.ones_like(t), np.sin(phase), np.cos(phase)])
        solution = np.linalg.lstsq(design, current, rcond=None)[0]
        amplitude = float(np.hypot(solution[1], solution[2]))
        if amplitude > best[1]:
            best = (float(ratio), amplitude)
    return best


def without_ripple(values: Array, speed: float, ratio: float) -> Array:
    """`values` minus mean, slope, ripple and its second and third harmonic."""
    t = np.arange(len(values)) * TICK
    phase = 2.0 * np.pi * ratio * speed / 60.0 * t
    columns = [np.ones_like(t), t]
    for k in (1, 2, 3):
        columns += [np.sin(k * phase), np.cos(k * phase)]
    design = np.column_stack(columns)
    return np.asarray(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])


def measure(trace: Trace, ratio: float = 0.273) -> Figures:
    """The figures by which recording and simulation are compared."""
    idle: list[tuple[float, float, float]] = []
    ripple: list[tuple[float, float, float]] = []
    squares, weights, products = 0.0, 0, 0.0
    for a, b in steady_air(trace):
        speed = float(trace.speed[a:b].mean())
        period = 60.0 / speed / ratio / TICK
        whole = int(int((b - a) / period) * period)
        if whole < 20:
            continue
        idle.append((speed, float(trace.current[a : a + whole].mean()), whole * TICK))
        ripple.append((speed, *ripple_of(trace.current[a:b], speed, np.arange(0.24, 0.31, 0.001))))
        rest = without_ripple(trace.register[a:b], speed, ratio)
        squares += float(rest @ rest)
        products += float(rest[1:] @ rest[:-1])
        weights += b - a
    cuts = runs(trace.cut)
    return Figures(
        tuple(idle),
        tuple(ripple),
        float(np.sqrt(squares / weights)),
        products / squares,
        len(cuts),
        tuple(float(trace.register[a:b].mean()) for a, b in cuts),
        float(np.percentile(trace.current, 99.9)),
    )


def simplify(t: Array, y: Array, tolerance: float) -> list[tuple[float, float]]:
    """Douglas-Peucker: the fewest points of the polyline that stay within `tolerance` of it (vertical distance)."""
    keep = {0, len(t) - 1}
    stack = [(0, len(t) - 1)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        line = y[a] + (y[b] - y[a]) * (t[a:b] - t[a]) / (t[b] - t[a])
        gap = np.abs(y[a:b] - line)
        i = int(gap.argmax())
        if gap[i] > tolerance:
            keep.add(a + i)
            stack += [(a, a + i), (a + i, b)]
    return [(float(t[i]), float(y[i])) for i in sorted(keep)]


def fit_idle(figures: Figures) -> tuple[Array, float]:
    """Coefficients (constant, per krpm, per krpm^2) of the idle current weighted by time, and the residual sd."""
    table = np.array(figures.idle)
    k = table[:, 0] / 1000.0
    weight = np.sqrt(table[:, 2])
    design = np.column_stack([np.ones_like(k), k, k * k])
    solution = np.linalg.lstsq(design * weight[:, None], table[:, 1] * weight, rcond=None)[0]
    return solution, float(np.std(table[:, 1] - design @ solution))


def fit_acceleration(trace: Trace, idle: Array) -> tuple[float, float, int]:
    """Counts per rpm/s (median), its interquartile range and n, where the spindle is brought up or down by more than 1000 rpm/s."""
    rate = np.abs(acceleration(trace.speed))
    k = trace.speed / 1000.0
    strong = (rate > 1000.0) & (trace.speed > 100.0)
    gain = (trace.current - (idle[0] + idle[1] * k + idle[2] * k * k))[strong] / rate[strong]
    low, middle, high = np.percentile(gain, [25, 50, 75])
    return float(middle), float(high - low), int(strong.sum())


def fit_cuts(trace: Trace, idle: Array, ratio: float, gain: float) -> list[tuple[int, float, float, list[tuple[float, float]]]]:
    """(tool, start s, duration s, work as [(s from start, counts above idle)]); ripple averaged out, acceleration taken off."""
    k = trace.speed / 1000.0
    extra = trace.current - (idle[0] + idle[1] * k + idle[2] * k * k)
    rate = np.abs(acceleration(trace.speed))
    extra -= np.where(rate > GENTLE, gain * rate, 0.0)
    hard = np.convolve(rate > 800.0, np.ones(60), "full")[: len(rate)] > 0
    extra[hard] = 0.0
    out = []
    for a, b in runs(trace.cut):
        speed = max(float(np.median(trace.speed[a:b])), 300.0)
        y = extra[a:b]
        for rpm in {round(speed, -1), round(max(float(trace.speed[a:b].max()), 300.0), -1)}:
            n = max(3, round(60.0 / rpm / ratio / TICK))
            y = np.convolve(np.pad(y, n, mode="edge"), np.ones(n) / n, "same")[n:-n]
        t = np.arange(b - a) * TICK
        points = simplify(t, np.maximum(y, 0.0), 25.0)
        out.append((int(trace.tool[a]), a * TICK, (b - a) * TICK, [(round(u, 2), float(round(w))) for u, w in points]))
    return out


def fit_spread(folder: Path) -> tuple[Array, int]:
    """|RMS current / median of up to 30 before - 1| of good cuts of the main spindle's tools: percentiles 50, 75, 90, 95, 99 and n.

    A cut whose length differs by more than 5 % from the median is another cut under the same number and does not count.
    """
    groups: dict[tuple[str, int, int], list[tuple[int, float, float, bool]]] = defaultdict(list)
    with gzip.open(folder / "cuts_features.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["tool"]) not in MAIN_TOOLS or not row["rms_current_main"]:
                continue
            good = row["part_failed"] in ("", "0") and row["tool_failed"] in ("", "0")
            cut = (int(row["unix_date"]), float(row["rms_current_main"]), float(row["len_cut"]), good)
            groups[row["part"], int(row["tool"]), int(row["index"])].append(cut)
    deviations: list[float] = []
    for cuts in groups.values():
        cuts.sort()
        length = float(np.median([cut[2] for cut in cuts]))
        same = [cut for cut in cuts if abs(cut[2] / length - 1.0) < 0.05]
        values = np.array([cut[1] for cut in same])
        if len(values) < 11 or np.median(values) < 200.0:
            continue
        deviations += [abs(values[i] / float(np.median(values[max(0, i - 30) : i])) - 1.0) for i in range(10, len(same)) if same[i][3]]
    return np.percentile(deviations, [50, 75, 90, 95, 99]), len(deviations)


def segment_spread(folder: Path) -> tuple[Array, int]:
    """The same from three parts at 1 kHz, against the median of the three: percentiles 50, 75, 90 and n. Three parts of one day only."""
    groups: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    data = np.load(folder / "segments_1khz.npz")
    for key in data.files:
        acquisition, _, rest = key.partition("_")
        if acquisition in SEGMENTS and int(rest.split("_")[0]) in MAIN_TOOLS and len(data[key]) > 200:
            tool, index = (int(x) for x in rest.split("_"))
            groups[tool, index].append((len(data[key]), float(data[key][:, SEGMENTS[acquisition]].mean())))
    deviations: list[float] = []
    for cuts in groups.values():
        if len(cuts) == 3 and max(n for n, _ in cuts) < 1.05 * min(n for n, _ in cuts):
            middle = float(np.median([mean for _, mean in cuts]))
            deviations += [abs(mean / middle - 1.0) for _, mean in cuts if mean != middle]
    return np.percentile(deviations, [50, 75, 90]), len(deviations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="data/hahn_lathe")
    folder: Path = parser.parse_args().folder
    trace = load_part(folder)
    figures = measure(trace)
    idle, idle_rest = fit_idle(figures)
    table = np.array(figures.idle)
    print(f"# idle: {len(table)} stretches, {table[:, 2].sum():.1f} s, residual sd {idle_rest:.1f} counts")
    for speed, current, seconds in figures.idle:
        print(f"#   {speed:6.0f} rpm  {current:6.1f} counts  {seconds:.2f} s")
    print(f"IDLE = {tuple(float(round(c, 2)) for c in idle)}")
    ripple = np.array(figures.ripple)
    strong = ripple[:, 0] > 1500.0
    ratio = ripple[strong, 1]
    slope, level = np.polyfit(np.log(ripple[strong, 0] / 3000.0), np.log(ripple[strong, 2]), 1)
    print(f"# ripple: {strong.sum()} stretches, ratio {ratio.mean():.4f} sd {ratio.std():.4f}")
    print(f"RIPPLE_RATIO = {ratio.mean():.3f}\nRIPPLE_AT_3000 = {np.exp(level):.1f}\nRIPPLE_EXPONENT = {slope:.2f}")
    print(f"NOISE = {figures.noise:.2f}\nNOISE_LAG1 = {figures.lag1:.3f}")
    gain, spread, n = fit_acceleration(trace, idle)
    print(f"# acceleration: n {n} ticks, interquartile range {spread:.2f}\nACCELERATION = {gain:.2f}\nLIMIT = {figures.largest:.0f}")
    percent, n = fit_spread(folder)
    print(f"# spread of {n} good cuts, |deviation| p50 p75 p90 p95 p99: {[float(round(x, 4)) for x in percent]}")
    percent, n = segment_spread(folder)
    print(f"# spread in three parts of one day, n {n}, |deviation| p50 p75 p90: {[float(round(x, 4)) for x in percent]}")
    print("SPEED = (")
    t = np.arange(len(trace.speed)) * TICK
    for u, rpm in simplify(t, np.convolve(np.pad(trace.speed, 2, mode="edge"), np.ones(5) / 5, "same")[2:-2], 40.0):
        print(f"    ({u:.2f}, {max(rpm, 0.0):.0f}),")
    print(")")
    print("TOOLS = (")
    for i in np.flatnonzero(np.diff(np.r_[-1, trace.tool])):
        print(f"    ({t[i]:.2f}, {trace.tool[i]}),")
    print(")\nCUTS = (")
    for tool, start, duration, work in fit_cuts(trace, idle, float(ratio.mean()), gain):
        print(f"    ({tool}, {start:.2f}, {duration:.2f}, {tuple(work)}),")
    print(")")


if __name__ == "__main__":
    main()
