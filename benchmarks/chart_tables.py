"""Run lengths of the charts beside a table that was made with Markov chains (field.md 2.5).

`python benchmarks/chart_tables.py [--runs N] [--json]`: ten seconds. Gaussian values, N runs (20,000) of each chart at each shift of the
mean, in standard deviations: mean number of values until the first alarm with its standard error, beside the table. The table of the EWMA
has the limit of the long run from the start, and so it is measured; the kernel's own is closer at first and finds large shifts sooner: the
last column. 'self-starting' is kernels/charts.py from the third value on, learning all the time, in control.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from agent.kernels import charts, control

SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
TABLE: dict[str, tuple[dict[str, float], tuple[float, ...]]] = {
    "CUSUM k .5 h 4": ({"slack": 0.5, "interval": 4.0}, (168, 74, 26.6, 13.3, 8.4, 4.7, 3.3, 2.2)),
    "CUSUM k .5 h 5": ({"slack": 0.5, "interval": 5.0}, (465, 140, 38.0, 17.0, 10.4, 5.7, 4.0, 2.6)),
    "CUSUM k .5 h 4.77": ({"slack": 0.5, "interval": 4.77}, (369, 121, 35, 16, 9.9, 5.5, 3.9, 2.5)),
    "CUSUM k .25 h 8": ({"slack": 0.25, "interval": 8.0}, (368, 84, 28.8, 16.4, 11.4, 7.1, 5.2, 3.5)),
    "EWMA w .05 L 2.615": ({"weight": 0.05, "width": 2.615}, (500, 84, 28.8, 16.4, 11.4, 7.1, 5.2, 3.5)),
    "EWMA w .1 L 2.814": ({"weight": 0.1, "width": 2.814}, (500, 106, 31.3, 15.8, 10.3, 6.1, 4.4, 2.9)),
    "EWMA w .2 L 2.962": ({"weight": 0.2, "width": 2.962}, (500, 150, 41.8, 18.1, 10.5, 5.5, 3.7, 2.4)),
}
BLOCK = 50


def length(runs: int, state: np.ndarray, step: Callable[[np.ndarray, np.ndarray], np.ndarray], shift: float) -> tuple[float, float]:
    """Mean and standard error; `step` puts a block through the charts of a state and tells where there was an alarm."""
    rng = np.random.default_rng(1)
    lengths, places, start = np.zeros(runs), np.arange(runs), 0
    while len(places):
        alarms = step(state, rng.normal(size=(BLOCK, len(places))) + shift)
        found = alarms.any(axis=0)
        lengths[places[found]] = start + alarms.argmax(axis=0)[found] + 1
        state, places = np.ascontiguousarray(state[:, ~found]), places[~found]
        start += BLOCK
    return float(lengths.mean()), float(lengths.std() / math.sqrt(runs))


def given(limits: dict[str, float], *, cusum: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A chart with known mean and deviation."""
    settings = control.settings(**limits)  # type: ignore[arg-type]

    def step(state: np.ndarray, values: np.ndarray) -> np.ndarray:
        alarms = np.empty(values.shape, np.uint8)
        (control.cusum if cusum else control.ewma)(state, settings, values, alarms)
        return alarms != 0

    return step


def self_starting(state: np.ndarray, values: np.ndarray) -> np.ndarray:
    """CUSUM k .5 h 5 of scores that start with the third value."""
    out = np.empty((len(values), charts.OUTPUTS, values.shape[1]))
    charts.update(state, values, np.ones(values.shape, np.uint8), np.zeros(values.shape[1]), 0.5, 0.2, math.inf, out)
    return np.maximum(out[:, charts.UP], out[:, charts.DOWN]) > 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for name, (limits, expected) in TABLE.items():
        step = given(limits, cusum=name.startswith("CUSUM"))
        for shift, table in zip(SHIFTS, expected, strict=True):
            state = control.new(np.zeros(options.runs), np.ones(options.runs))
            exact = length(options.runs, state.copy(), step, shift)[0]
            state[control.EWMA_LEFT] = 0.0
            rows.append((name, shift, table, *length(options.runs, state, step, shift), exact))
    mean, error = length(options.runs, charts.new(options.runs), self_starting, 0.0)
    rows.append(("self-starting CUSUM k .5 h 5", 0.0, 465.0, mean - charts.FEWEST, error, mean - charts.FEWEST))
    for name, shift, table, mean, error, exact in rows:
        if options.json:
            print(json.dumps({"chart": name, "shift": shift, "table": table, "mean": mean, "error": error, "kernel": exact}))
        else:
            off = f"{100 * (mean / table - 1):+6.1f} %"
            print(
                f"{name:30} {shift:5.2f}  table {table:6.1f}  measured {mean:7.2f} +- {error:5.2f} {off}  kernel {exact:7.2f}", flush=True
            )


if __name__ == "__main__":
    main()
