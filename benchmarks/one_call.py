"""What one call for all charts of one vector would take, beside five calls: for docs/decisions/0010-charts-fast.md.

`python benchmarks/one_call.py [--json]`: half a minute, most of it compiling, for it keeps no machine code. It is no kernel of the house: a
kernel and its helpers share a file there, and this one calls those of five files. It checks that it tells the same as they do one by one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numba
import numpy as np
from numba import types

from agent.kernels import adwin, charts, control, robust, whiten

CHANNELS, WINDOW, ROUNDS, REPEATS = 32, 31, 21, 512
_LIMITS = 9
_SLACK, _WEIGHT, _CLIP, _DELTA, _CLOCK, _SHORTEST, _GRACE, _RESTART, _WIDTH, _FLOORS = range(_LIMITS, _LIMITS + 10)
_CONTROL, _CHARTS, _WHITEN, _ADWIN = control.FIELDS, charts.FIELDS, whiten.FIELDS, adwin.FIELDS
_TOLD_CHARTS, _TOLD_WHITEN, _TOLD_ROBUST = charts.OUTPUTS, whiten.OUTPUTS, robust.OUTPUTS
_OUTPUTS = _TOLD_CHARTS + _TOLD_WHITEN + _TOLD_ROBUST
_control, _charts, _whiten, _robust, _adwin = control.update, charts.update, whiten.update, robust.update, adwin.update


@numba.njit(
    [
        types.void(
            types.float64[::1],
            types.Array(types.float64, 1, "C", readonly=True),
            types.int64,
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.float64[::1],
            types.uint8[:, :, ::1],
        )
    ],
    nogil=True,
    error_model="numpy",
)
def update(state, settings, which, values, learn, out, alarms):  # type: ignore[no-untyped-def]
    """Take vectors of values through the charts, the oldest first.

    Parameters
    ----------
    state: those of all five in a row; changed in place.
    settings: limits of `control`, then the others' in the order above, then the floors.
    which: sum of 1 control, 2 charts, 4 whiten, 8 robust, 16 adwin; the state and the outputs of the other charts are left as they are.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged but not learned. `control` and `adwin` do not ask.
    out: (n OUTPUTS channels,), is filled: those of `charts`, `whiten`, `robust` one behind the other.
    alarms: (2, n, channels) uint8, is filled: bits of `control`, and 1 where `adwin` found a change.
    """
    rows = values.shape[0]
    c = values.shape[1]
    floor = settings[_FLOORS : _FLOORS + c]
    at = _CONTROL * c
    if which & 1:
        _control(state[:at].reshape((_CONTROL, c)), settings[:_LIMITS], values, alarms[0])
    to = rows * _TOLD_CHARTS * c
    if which & 2:
        own = state[at : at + _CHARTS * c].reshape((_CHARTS, c))
        told = out[:to].reshape((rows, _TOLD_CHARTS, c))
        _charts(own, values, learn, floor, settings[_SLACK], settings[_WEIGHT], settings[_CLIP], told)
    at += _CHARTS * c
    if which & 4:
        told = out[to : to + rows * _TOLD_WHITEN * c].reshape((rows, _TOLD_WHITEN, c))
        _whiten(state[at : at + _WHITEN * c].reshape((_WHITEN, c)), values, learn, floor, told)
    at += _WHITEN * c
    to += rows * _TOLD_WHITEN * c
    if which & 16:
        windows = state[at : at + _ADWIN * c].reshape((c, _ADWIN))
        clock, again = int(settings[_CLOCK]), settings[_RESTART] != 0.0
        _adwin(windows, values, settings[_DELTA], clock, settings[_SHORTEST], settings[_GRACE], again, alarms[1])
    at += _ADWIN * c
    if which & 8:
        width = int(settings[_WIDTH])
        told = out[to : to + rows * _TOLD_ROBUST * c].reshape((rows, _TOLD_ROBUST, c))
        _robust(state[at : at + width * c].reshape((c, width)), values, learn, floor, told)


def states() -> list[np.ndarray]:
    """In the order of the kernel."""
    given = control.new(np.zeros(CHANNELS), np.ones(CHANNELS))
    return [given, charts.new(CHANNELS), whiten.new(CHANNELS), adwin.new(CHANNELS), robust.new(CHANNELS, WINDOW)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(4)
    vectors = list(rng.normal(size=(REPEATS, 1, CHANNELS)) + np.where(np.arange(REPEATS) > 300, 3.0, 0.0)[:, None, None])
    learn, floor, limits = np.ones((1, CHANNELS), np.uint8), np.zeros(CHANNELS), control.settings()
    given, own, white, windows, steady = states()
    packed = np.concatenate([part.ravel() for part in states()])
    settings = np.concatenate([limits, [0.5, 0.2, math.inf, 0.002, 32.0, 5.0, 10.0, 1.0, float(steady.shape[1])], floor])
    out, alarms = np.empty(_OUTPUTS * CHANNELS), np.empty((2, 1, CHANNELS), np.uint8)
    told, first, second = np.empty((1, 4, CHANNELS)), np.empty((1, 3, CHANNELS)), np.empty((1, 3, CHANNELS))
    bits, drifts = np.empty((1, CHANNELS), np.uint8), np.empty((1, CHANNELS), np.uint8)
    single: dict[int, Callable[[np.ndarray], object]] = {
        1: lambda v: control.update(given, limits, v, bits),
        2: lambda v: charts.update(own, v, learn, floor, 0.5, 0.2, math.inf, told),
        4: lambda v: whiten.update(white, v, learn, floor, first),
        8: lambda v: robust.update(steady, v, learn, floor, second),
        16: lambda v: adwin.update(windows, v, 0.002, 32, 5.0, 10.0, True, drifts),
    }
    for vector in vectors:
        for call in single.values():
            call(vector)
        update(packed, settings, 31, vector, learn, out, alarms)
        apart = np.concatenate([told.ravel(), first.ravel(), second.ravel()])
        assert np.array_equal(out, apart, equal_nan=True)
        assert np.array_equal(alarms, np.stack([bits, drifts]))
    assert packed.tobytes() == np.concatenate([part.ravel() for part in (given, own, white, windows, steady)]).tobytes()

    def apart_calls(which: int) -> None:
        chosen = [call for bit, call in single.items() if bit & which]
        for vector in vectors:
            for call in chosen:
                call(vector)

    def one_call(which: int) -> None:
        for vector in vectors:
            update(packed, settings, which, vector, learn, out, alarms)

    work = list(itertools.product((0, 1, 2, 3, 4, 8, 16, 31), (("one call", one_call), ("apart", apart_calls))))
    times: dict[tuple[int, str], list[float]] = {(which, name): [] for which, (name, _) in work}
    for _ in range(ROUNDS):
        for which, (name, call_all) in work:
            began = time.perf_counter()
            call_all(which)
            times[which, name].append((time.perf_counter() - began) / REPEATS * 1e6)
    for (which, name), seconds in times.items():
        value = statistics.median(seconds)
        row = {"which": which, "how": name, "us_vector": round(value, 3), "n": ROUNDS}
        print(json.dumps(row) if options.json else f"{which:2} {name:9} {value:6.2f} us", flush=True)


if __name__ == "__main__":
    main()
