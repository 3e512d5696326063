"""Control charts with given mean and standard deviation: EWMA, two-sided CUSUM and Page-Hinkley, many channels at once.

charts.py has those that start themselves; these are for what is known beforehand: residuals of pre-whitening (whiten.py), robust scores
(robust.py), a channel whose spread a long recording has told. z = (x - CENTRE) / standard deviation, cut at +-`clip`.

EWMA_UP, EWMA_DOWN: Z_i = (1 - w) Z_(i-1) + w z_i beyond +-L sqrt(w / (2 - w) (1 - (1 - w)^(2i))) (S. W. Roberts, Technometrics 1 (1959)
    239-250, with the exact variance).
CUSUM_UP, CUSUM_DOWN: E. S. Page, Biometrika 41 (1954) 100-115: U_i = max(0, U_(i-1) + z_i - k), D_i = max(0, D_(i-1) - z_i - k) above h.
RISE, FALL: Page-Hinkley with a fading sum, as river 0.26 computes it (R. Sebastiao and J. M. Fernandes, ISMIS 2017): m_i the mean of the
    values since the start, R_i = a R_(i-1) + (z_i - m_i) - d above its own minimum by more than lambda, F_i = a F_(i-1) + (z_i - m_i) + d
    below its own maximum by more than lambda, from the `fewest`-th value on.

An alarm lasts one value: a chart that has alarmed starts anew with the next value, the other charts of the channel go on. A value that is
not finite, or beyond 1e150, is no value: nothing changes. A limit of infinity switches a chart off. Run lengths: field.md 2.5.

State is one float64 array (FIELDS, channels), C order: saved and restored as its bytes.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

(CENTRE, INVERSE, EWMA, EWMA_LEFT, UP, DOWN, PH_N, PH_MEAN, PH_RISE, PH_LOWEST, PH_FALL, PH_HIGHEST) = range(12)
FIELDS = 12
"""Rows of the state: given mean, 1 / given standard deviation; Z and (1 - w)^(2i); the two sums; number and mean of the values of
Page-Hinkley, its two sums with the smallest and the largest they were."""
EWMA_ALARM_UP, EWMA_ALARM_DOWN, CUSUM_ALARM_UP, CUSUM_ALARM_DOWN, PH_ALARM_RISE, PH_ALARM_FALL = 1, 2, 4, 8, 16, 32
"""Bits of an alarm."""

WEIGHT, WIDTH, SLACK, INTERVAL, DELTA, FADING, FEWEST, LAMBDA, CLIP = range(9)

_HUGE = 1e150
_NOTHING = 1e-300
"""What is left of a power below this is 0: a processor takes a hundred times as long for numbers near 1e-308."""

_VALUES = types.Array(types.float64, 2, "C", readonly=True)
_SETTINGS = types.Array(types.float64, 1, "C", readonly=True)
_CALL = [types.void(types.float64[:, ::1], _SETTINGS, _VALUES, types.uint8[:, ::1])]


@numba.njit(_CALL, **jit.options())
def update(state, limits, values, alarms):  # type: ignore[no-untyped-def]
    """Take vectors of values through all three charts, the oldest first.

    Parameters
    ----------
    state: (FIELDS, channels), of `new`; changed in place.
    limits: of `settings`.
    values: (n, channels); NaN where a channel has no value this time.
    alarms: (n, channels) uint8, is filled with sums of the bits above.
    """
    weight = limits[WEIGHT]
    slack = limits[SLACK]
    interval = limits[INTERVAL]
    delta = limits[DELTA]
    fading = limits[FADING]
    fewest = limits[FEWEST]
    threshold = limits[LAMBDA]
    clip = limits[CLIP]
    squared = limits[WIDTH] * limits[WIDTH] * weight / (2.0 - weight)
    decay = (1.0 - weight) * (1.0 - weight)
    centres, inverses, ewmas, lefts, ups, downs = state[CENTRE], state[INVERSE], state[EWMA], state[EWMA_LEFT], state[UP], state[DOWN]
    counts, means, rises, lowests, falls, highests = state[6], state[7], state[8], state[9], state[10], state[11]
    for i in range(values.shape[0]):
        # Without a branch: what makes no difference is computed and thrown away, so that many channels go through at a time.
        for c in range(values.shape[1]):
            ok = abs(values[i, c]) <= _HUGE
            z = min(max((values[i, c] - centres[c]) * inverses[c], -clip), clip)
            had, left_had = ewmas[c], lefts[c]
            again = had * had > squared * (1.0 - left_had)
            ewma = 0.0 if again else had
            ewma += weight * (z - ewma)
            left = decay * (1.0 if again else left_had)
            left = left if left > _NOTHING else 0.0
            beyond = ewma * ewma > squared * (1.0 - left)
            up_had, down_had = ups[c], downs[c]
            up = max(0.0, (up_had if up_had <= interval else 0.0) + z - slack)
            down = max(0.0, (down_had if down_had <= interval else 0.0) - z - slack)
            count_had, mean_had, rise_had, low_had, fall_had, high_had = counts[c], means[c], rises[c], lowests[c], falls[c], highests[c]
            over = (count_had >= fewest) & ((rise_had - low_had > threshold) | (high_had - fall_had > threshold))
            count = (0.0 if over else count_had) + 1.0
            mean = 0.0 if over else mean_had
            mean += (z - mean) / count
            rise = fading * (0.0 if over else rise_had) + (z - mean) - delta
            fall = fading * (0.0 if over else fall_had) + (z - mean) + delta
            low = min(np.inf if over else low_had, rise)
            high = max(-np.inf if over else high_had, fall)
            enough = count >= fewest
            ewmas[c] = ewma if ok else had
            lefts[c] = left if ok else left_had
            ups[c] = up if ok else up_had
            downs[c] = down if ok else down_had
            counts[c] = count if ok else count_had
            means[c] = mean if ok else mean_had
            rises[c] = rise if ok else rise_had
            lowests[c] = low if ok else low_had
            falls[c] = fall if ok else fall_had
            highests[c] = high if ok else high_had
            bits = (
                np.uint8(beyond & (ewma > 0.0))
                | (np.uint8(beyond & (ewma < 0.0)) << 1)
                | (np.uint8(up > interval) << 2)
                | (np.uint8(down > interval) << 3)
                | (np.uint8(enough & (rise - low > threshold)) << 4)
                | (np.uint8(enough & (high - fall > threshold)) << 5)
            )
            alarms[i, c] = bits if ok else np.uint8(0)


@numba.njit(_CALL, **jit.options())
def cusum(state, limits, values, alarms):  # type: ignore[no-untyped-def]
    """As `update`, the two-sided CUSUM alone; leaves the other charts as they are."""
    slack = limits[SLACK]
    interval = limits[INTERVAL]
    clip = limits[CLIP]
    centres, inverses, ups, downs = state[CENTRE], state[INVERSE], state[UP], state[DOWN]
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            ok = abs(values[i, c]) <= _HUGE
            z = min(max((values[i, c] - centres[c]) * inverses[c], -clip), clip)
            up_had, down_had = ups[c], downs[c]
            up = max(0.0, (up_had if up_had <= interval else 0.0) + z - slack)
            down = max(0.0, (down_had if down_had <= interval else 0.0) - z - slack)
            ups[c] = up if ok else up_had
            downs[c] = down if ok else down_had
            bits = (np.uint8(up > interval) << 2) | (np.uint8(down > interval) << 3)
            alarms[i, c] = bits if ok else np.uint8(0)


@numba.njit(_CALL, **jit.options())
def ewma(state, limits, values, alarms):  # type: ignore[no-untyped-def]
    """As `update`, the EWMA alone; leaves the other charts as they are."""
    weight = limits[WEIGHT]
    clip = limits[CLIP]
    squared = limits[WIDTH] * limits[WIDTH] * weight / (2.0 - weight)
    decay = (1.0 - weight) * (1.0 - weight)
    centres, inverses, ewmas, lefts = state[CENTRE], state[INVERSE], state[EWMA], state[EWMA_LEFT]
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            ok = abs(values[i, c]) <= _HUGE
            z = min(max((values[i, c] - centres[c]) * inverses[c], -clip), clip)
            had, left_had = ewmas[c], lefts[c]
            again = had * had > squared * (1.0 - left_had)
            now = 0.0 if again else had
            now += weight * (z - now)
            left = decay * (1.0 if again else left_had)
            left = left if left > _NOTHING else 0.0
            beyond = now * now > squared * (1.0 - left)
            ewmas[c] = now if ok else had
            lefts[c] = left if ok else left_had
            bits = np.uint8(beyond & (now > 0.0)) | (np.uint8(beyond & (now < 0.0)) << 1)
            alarms[i, c] = bits if ok else np.uint8(0)


def settings(
    *,
    weight: float = 0.2,
    width: float = 2.962,
    slack: float = 0.5,
    interval: float = 5.0,
    delta: float = 0.005,
    fading: float = 0.9999,
    fewest: int = 30,
    threshold: float = 50.0,
    clip: float = math.inf,
) -> NDArray[np.float64]:
    """What the kernels want as `limits`.

    Parameters
    ----------
    weight, width: w, above 0 and at most 1, and L of the EWMA; 0.2 with 2.962 has a run length of 500 (field.md 2.5).
    slack, interval: k and h of the CUSUM, in standard deviations; 0.5 with 5 has a run length of 465.
    delta, fading, fewest, threshold: d, a, the first value that may alarm, and lambda of Page-Hinkley; the defaults are river's.
    clip: the largest |z| that enters; inf: none.

    Raises
    ------
    ValueError: a weight outside 0 to 1, or a limit that is not above 0.
    """
    if not 0.0 < weight <= 1.0:
        raise ValueError(f"weight of the EWMA is above 0 and at most 1, not {weight}")
    if not (width > 0.0 and interval > 0.0 and threshold > 0.0 and clip > 0.0):
        raise ValueError("width, interval, threshold and clip are above 0")
    return np.array([weight, width, slack, interval, delta, fading, fewest, threshold, clip], dtype=np.float64)


def new(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """State of charts that have seen nothing; `mean` and `deviation`: (channels,), in the unit of the channel.

    Raises
    ------
    ValueError: a mean that is not finite, or a deviation that is not above 0.
    """
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0.0).all()):
        raise ValueError("a chart with given figures wants a finite mean and a deviation above 0")
    state = np.zeros((FIELDS, len(mean)))
    state[CENTRE] = mean
    state[INVERSE] = 1.0 / deviation
    restart(state, np.ones(len(mean), np.bool_))
    return state


def restart(state: NDArray[np.float64], which: NDArray[np.bool_]) -> None:
    """Set all charts of some channels back; mean and deviation stay."""
    state[EWMA:, which] = 0.0
    state[EWMA_LEFT, which] = 1.0
    state[PH_LOWEST, which] = np.inf
    state[PH_HIGHEST, which] = -np.inf
