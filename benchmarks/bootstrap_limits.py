"""Limits of a drift chart by block bootstrap of whole cuts and a tail fit, against the formula that the pass has: issue 5, item 4.

  python -m benchmarks.bootstrap_limits                 simulated cuts, T = 2,000; --length 400000
  python -m benchmarks.bootstrap_limits --hahn          the real histories of hahn_lathe's operations (30 to 59 cuts each), T = 2,000

One chart for all, so that only the limit differs: the pre-whitened sum with the coefficient, the mean and the spread of its teach-in, which
stand still (the pass learns on; that is measured in `benchmarks.run_lengths`).

  bootstrap   blocks of 16 whole cuts of the teach-in, drawn with return, go through the chart; over the 95 % quantile of the peaks between
              two returns to 0 a generalised Pareto tail (probability-weighted moments: J. R. M. Hosking and J. R. Wallis, Technometrics 29
              (1987) 339) gives the limit that is passed once in T cuts.
  widened     the same, each series against a baseline that was drawn in blocks itself: what a short baseline does not know.
  formula     `agent.kernels.drift.limits`.

Rate: alarms over budget, mean over the teach-ins, and the share of them within 3 times it. Delay: median of cuts until a fall of 2 standard
deviations is told. On the real histories the first 20 cuts are the teach-in; what follows holds true changes of the tool as well, so that
the rate is no false-alarm rate there, but the same for all three; and the delay is of a fall of 2 of the teach-in's deviations put in.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numba
import numpy as np

from agent.detect.drift import CLIP, SLACK, chart_settings
from agent.kernels import drift
from benchmarks._continue import process
from benchmarks._data import data_folder
from benchmarks.detection._hahn_history import read
from drivers import jit

BLOCK, RESAMPLED, BASELINES = 16, 200_000, 200
HISTORY = 20
DEEPEST, NEAREST = drift.DEEPEST, 0.98
SEED = 20261125
CHARTS = ("bootstrap", "widened", "formula")
_bias = drift.bias


@numba.njit(**jit.options())
def learned(values):  # type: ignore[no-untyped-def]
    """Mean, coefficient used and spread of the whitened values, and the coefficient by least squares about a line."""
    n = len(values) - 1
    before, now = values[:-1], values[1:]
    time = np.arange(n) - 0.5 * (n - 1)
    about = np.sum(time * time)
    b = before - before.mean() - time * (np.sum(time * before) / about)
    a = now - now.mean() - time * (np.sum(time * now) / about)
    bb, ba, aa = np.sum(b * b), np.sum(b * a), np.sum(a * a)
    seen = ba / bb if bb > 0.0 else 0.0
    own = seen
    for _ in range(3):
        own = max(min(seen + _bias(own) / (n - 2.0), NEAREST), -NEAREST)
    used = min(max(own, 0.0), DEEPEST)
    spread = math.sqrt(max((aa - 2.0 * used * ba + used * used * bb) / (n - 2.0), 1e-18))
    return now.mean() - used * before.mean(), used, spread, seen


@numba.njit(**jit.options())
def follow(values, chart, limit, peaks):  # type: ignore[no-untyped-def]
    """Alarms, the first of them (0: none), and the largest sums between two returns to 0, of which so many are told as `peaks` has room."""
    mean, used, spread, _ = chart
    down, peak, alarms, first, found = 0.0, 0.0, 0, 0, 0
    for i in range(1, len(values)):
        z = (values[i] - used * values[i - 1] - mean) / spread
        down -= min(max(z, -CLIP), CLIP) + SLACK
        if down > limit:
            alarms += 1
            first = i if first == 0 else first
            down = 0.0
        if down <= 0.0:
            if peak > 0.0 and found < len(peaks):
                peaks[found] = peak
                found += 1
            down, peak = 0.0, 0.0
        peak = max(peak, down)
    return alarms, first, found


@numba.njit(**jit.options())
def redrawn(rng, values, n):  # type: ignore[no-untyped-def]
    """n values in blocks; the end is followed by the beginning (D. N. Politis and J. P. Romano, 1992)."""
    out = np.empty(n)
    start = 0
    for i in range(n):
        if i % BLOCK == 0:
            start = rng.integers(0, len(values))
        out[i] = values[(start + i % BLOCK) % len(values)]
    return out


@numba.njit(**jit.options())
def peaks_of(rng, values, chart, widened):  # type: ignore[no-untyped-def]
    """Peaks of RESAMPLED redrawn cuts."""
    found, at = np.empty(RESAMPLED), 0
    for _ in range(BASELINES):
        one = learned(redrawn(rng, values, len(values))) if widened else chart
        at += follow(redrawn(rng, values, RESAMPLED // BASELINES), one, np.inf, found[at:])[2]
    return found[:at]


def by_tail(peaks: np.ndarray, length: float) -> float:
    """The limit that peaks pass once in `length` cuts."""
    if len(peaks) < 200:
        return math.inf
    foot = float(np.quantile(peaks, 0.95))
    beyond = np.sort(peaks[peaks > foot] - foot)
    n = len(beyond)
    first, second = beyond.mean(), float(np.mean(beyond * (1.0 - (np.arange(1, n + 1) - 0.35) / n)))
    shape, scale = 2.0 - first / (first - 2.0 * second), 2.0 * first * second / (first - 2.0 * second)
    times = n / RESAMPLED * length
    if times <= 1.0:
        return foot
    return foot + scale * (math.log(times) if abs(shape) < 1e-6 else (times**shape - 1.0) / shape)


def limits(rng: np.random.Generator, values: np.ndarray, length: float) -> tuple[tuple[float, ...], dict[str, float]]:
    """What the chart of a teach-in has learned, and its limit in three ways."""
    chart = learned(values)
    settings = chart_settings(length, 20, 0.0)
    formula, _ = drift.limits(chart[3], len(values) - 3.0, drift.PRIOR_MEAN, drift.PRIOR_SPREAD, chart[1], 1.0, 0.0, SLACK, settings)
    return chart, {
        "bootstrap": by_tail(peaks_of(rng, values, chart, False), length),
        "widened": by_tail(peaks_of(rng, values, chart, True), length),
        "formula": formula,
    }


def told(name: str, rates: list[float], delays: list[float], heights: list[float], **more: object) -> str:
    """A line."""
    middle = float(np.median(delays))
    return json.dumps(
        {
            **more, "limit": name, "teach_ins": len(rates), "rate": round(float(np.mean(rates)), 2),
            "within_3": int(np.sum(np.array(rates) <= 3.0)), "delay": middle if math.isfinite(middle) else None,
            "height": round(float(np.median(heights)), 1),
        }
    )  # fmt: skip


def simulated(length: float, phi: float, tail: str, n: int, teach_ins: int) -> None:
    """A cell, all three limits."""
    rng = np.random.default_rng((SEED, int(length), int(10 * phi), tail == "t4", n))
    cuts, none = int(min(40.0 * length, 4e6)), np.empty(0)
    found: dict[str, tuple[list[float], list[float], list[float]]] = defaultdict(lambda: ([], [], []))
    for _ in range(teach_ins):
        values = process(rng, phi, 1, n, heavy=tail == "t4")[0]
        chart, heights = limits(rng, values, length)
        after = process(rng, phi, 1, cuts, heavy=tail == "t4")[0]
        fallen = process(rng, phi, 1, 401, heavy=tail == "t4")[0]
        fallen[1:] -= 2.0 * 0.05
        for name, height in heights.items():
            rates, delays, tops = found[name]
            rates.append(follow(after, chart, height, none)[0] * length / cuts)
            delays.append(follow(fallen, chart, height, none)[1] or math.inf)
            tops.append(height)
    for name in CHARTS:
        print(told(name, *found[name], T=length, ar=phi, tails=tail, cuts=n), flush=True)


def real(path: Path, length: float) -> None:
    """The histories of a lathe's operations."""
    series = defaultdict(list)
    for entry in read(path):
        if entry.rms > 0.0 and entry.length > 0.0:
            series[entry.part, entry.tool, entry.index, entry.spindle].append(math.log(entry.rms * entry.length))
    rng, none = np.random.default_rng((SEED, 7)), np.empty(0)
    found: dict[str, tuple[list[float], list[float], list[float]]] = defaultdict(lambda: ([], [], []))
    alarms, cuts = dict.fromkeys(CHARTS, 0), 0
    for history in series.values():
        if len(history) < 30:
            continue
        values = np.array(history)
        teach, rest = values[:HISTORY], values[HISTORY - 1 :]
        if teach.std() <= 0.0:
            continue
        cuts += len(rest) - 1
        chart, heights = limits(rng, teach, length)
        fallen = rest.copy()
        fallen[1:] -= 2.0 * teach.std()
        for name, height in heights.items():
            rates, delays, tops = found[name]
            count = follow(rest, chart, height, none)[0]
            alarms[name] += count
            rates.append(count * length / (len(rest) - 1))
            delays.append(follow(fallen, chart, height, none)[1] or math.inf)
            tops.append(height)
    for name in CHARTS:
        print(
            told(name, *found[name], T=length, set="hahn_lathe", cuts=HISTORY, alarms=alarms[name], budget=round(cuts / length, 1)),
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=float, default=2000.0)
    parser.add_argument("--teach-ins", type=int, default=100)
    parser.add_argument("--hahn", action="store_true")
    args = parser.parse_args(argv)
    if args.hahn:
        real(data_folder(None, "hahn_lathe") / "cuts_features.csv.gz", args.length)
        return 0
    for phi, tail, n in itertools.product((0.0, 0.6, 0.9), ("normal", "t4"), (30, 100, 300)):
        simulated(args.length, phi, tail, n, args.teach_ins)
    return 0


if __name__ == "__main__":
    sys.exit(main())
