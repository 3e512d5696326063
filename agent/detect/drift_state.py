"""What the charts of `agent.kernels.drift` know, as one array: made new, begun again, and what they run with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agent.kernels import drift as charts


def new(channels: int) -> NDArray[np.float64]:
    """State of charts that know nothing yet."""
    state = np.zeros((charts.FIELDS, channels))
    state[charts.LAST] = np.nan
    state[[charts.LIMIT, charts.WIDTH, charts.GROSS]] = np.inf
    state[charts.RATIO] = 1.0
    state[charts.PRIOR] = charts.PRIOR_MEAN
    state[charts.PRIOR_VARIANCE] = charts.PRIOR_SPREAD
    return state


def restart(state: NDArray[np.float64], c: int) -> None:
    """The charts of a channel begin at 0; what was learned stays."""
    state[[charts.DOWN, charts.RUN, charts.WAVE, charts.PEAK, charts.COUNT, charts.DEEP], c] = 0.0


def renew(state: NDArray[np.float64], c: int) -> None:
    """A new tool: the mean begins again; coefficient, spread and limits stay, for they are the machine's and not the tool's."""
    n, tt = state[charts.N, c], state[charts.TT, c]
    if n >= 3.0 and tt > 0.0:
        tb, tn = state[charts.TB, c], state[charts.TN, c]
        state[charts.OLD_N, c] += n - 2.0
        state[charts.OLD_BB, c] += state[charts.BB, c] - tb * tb / tt
        state[charts.OLD_BN, c] += state[charts.BN, c] - tb * tn / tt
        state[charts.OLD_NN, c] += state[charts.NN, c] - tn * tn / tt
    state[charts.N : charts.NN + 1, c] = 0.0
    state[charts.NEXT, c] = math.floor(charts.GROWTH * state[charts.OLD_N, c])
    state[charts.LAST, c] = np.nan
    restart(state, c)


def settings(
    run_length: float, fewest: int, floor: float, *, smallest: float = 0.0, slack: float = 0.5, weight: float = 0.04, clip: float = 3.0
) -> NDArray[np.float64]:
    """What the kernels want.

    Parameters
    ----------
    run_length: T, mean number of values between two false alarms of a channel. fewest: values before a channel is judged.
    floor, smallest: the smallest standard deviation of a whitened value believed, the smallest fall told, unit of the value.
    slack: k, in scores: at least half of the shift that is to be found fastest. clip: the largest score that counts.
    weight: w of the wave: its memory is 1 / w values. All above 0, the run length above 1 and the weight below it: else ValueError.
    """
    if not (run_length > 1.0 and 0.0 < weight < 1.0 and slack > 0.0):
        raise ValueError("a run length is above 1, a weight within 0 to 1, a slack above 0")
    return np.array([run_length, fewest, floor, slack, weight, clip, smallest], dtype=np.float64)
