"""Slow change of a value per cut: two charts that start themselves and widen their limits for what they do not know yet.

z: the value beyond the mean learned, less PHI times the one before it, over its own standard deviation; cut at +-CLIP. Whitening as in
    whiten.py (Alwan & Roberts 1988), with the coefficient of `_phi`, never above DEEPEST: beyond it a step would be whitened away.
UP, DOWN: Page's CUSUM of z with slack k (Biometrika 41, 1954, 100-115) above LIMIT. WAVE: an EWMA of z with a small weight (Roberts 1959)
    beyond +-WIDTH: the slow one of the two time scales. Each has half of the false alarms.
LIMIT: run length of a one-sided CUSUM, ARL = (exp(x) - x - 1) R / (2 k^2), x = 2 k b / R, b = h + 1.166 sqrt(R) (Siegmund, Sequential Analysis,
    1985, eq. 2.57, for a sum whose long-run variance is R times the variance of a term). R: what whitening leaves, `_ratio`.
    ln(ARL) is uncertain as mean and deviation are: d ln ARL = x / k per standard deviation of the mean, whose variance is R / N, and 2 x per
    relative error of the deviation, whose variance is SPREAD / N. x is raised until ln(ARL) less DOUBT standard deviations is the budgeted
    one (delta method; the idea is A. Gandy and J. T. Kvaloy, "Guaranteed conditional performance of control charts via bootstrap methods",
    Scand. J. Statistics 40 (2013) 647-668). Where no x does it, the limit is infinite: the chart cannot be supported yet.
WIDTH: crossings of a level by a Gaussian process with the correlation of an EWMA (S. O. Rice, Bell System Tech. J. 24 (1945) 46-156; 1.0 of
    them for the steps being discrete: measured), its variance enlarged by the mean's.
DOUBT, the constants of `_phi` and BLOCK were fixed with benchmarks/detection/run_length.py.

Learned from is every value that the caller allows, unless an episode is on or a sum is beyond half its limit (a change that is being
found must not teach). An episode begins with an alarm and ends when a sum in the other direction, about half of the change, reaches half
the limit; then the charts start anew.

State is one float64 array (FIELDS, channels), C order: saved and restored as its bytes. A value that is not finite, or beyond 1e150, is no
value: it changes nothing, but the next one has no predecessor.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

(N, MEAN, LAST, VARIANCE, SCORED) = range(5)
"""Values learned, their mean; the value before; variance of the innovation and how many told it."""
(PAIRS, TIME, BEFORE, NOW, TT, TB, TN, BB, BN, OLD_PAIRS, OLD_BB, OLD_BN) = range(5, 17)
"""Pairs of neighbours since the level was new; means and sums of products of time, first and second value; the same, detrended, before."""
(BLOCK_N, BLOCK_SUM, BLOCKS, BLOCK_SQUARE) = range(17, 21)
(UP, DOWN, UP_RUN, DOWN_RUN, WAVE, WAVE_RUN) = range(21, 27)
(LIMIT, WIDTH, PHI, RATIO, NEXT) = range(27, 32)
(EPISODE, CHANGE, BACK) = range(32, 35)
TAIL = 35
"""0, or the sign of the alarm; the change told, unit of the value; the sum that ends it."""
FIELDS = 36

(RUN_LENGTH, FEWEST, FLOOR, SLACK, WEIGHT, CLIP, DOUBT, PRIOR, PRIOR_PAIRS, DEEPEST) = range(10)

(SCORE, SUM, EVENT) = range(3)
OUTPUTS = 3

BLOCK = 16
SUSPECT = 0.25
TAIL_PRIOR = 3.5
TAIL_PAIRS = 50.0
_HUGE = 1e150
_SPREAD = 1.0
_MOST = 0.6
_NEAREST = 0.98
_SHARE = 1.5
_SUPPORT = 0.4


@numba.njit([types.float64(types.float64, types.float64)], **jit.options())
def ratio(phi, whitened):  # type: ignore[no-untyped-def]
    """Long-run variance over variance of an AR(1) series of coefficient `phi` that was whitened with another; at least 1."""
    step = (1.0 - whitened) / (1.0 - phi)
    return max(step * step * (1.0 - phi * phi) / (1.0 + whitened * whitened - 2.0 * whitened * phi), 1.0)


@numba.njit([types.UniTuple(types.float64, 2)(types.float64, types.float64, types.float64, types.float64, types.Array(types.float64, 1, "C", readonly=True))], **jit.options())
def limits(n, scored, r, tail, settings):  # type: ignore[no-untyped-def]
    """LIMIT and WIDTH from `n` values in the mean, `scored` in the deviation and the ratio `r`; infinite where they cannot be supported."""
    k = settings[SLACK]
    doubt = settings[DOUBT]
    length = _SHARE * settings[RUN_LENGTH]
    share = doubt * math.sqrt(r / (k * k * n) + 4.0 * _SPREAD / scored)
    h = np.inf
    if share < _MOST:
        x = 1.0
        for _ in range(8):
            x = math.log(2.0 * length * 2.0 * k * k / r + 1.0 + x)
        theta = 2.0 * k / r
        h = max(x / (1.0 - share) / theta * (1.0 + tail * theta * theta / 12.0) - 1.166 * math.sqrt(r), 1.0)
    w = settings[WEIGHT]
    width = np.inf
    share = doubt * math.sqrt(_SPREAD / scored)
    if n * w >= r and share < _MOST:
        level = 3.0
        for _ in range(12):
            level = math.sqrt(max(2.0 * math.log(max(2.0 * w * length * level / math.sqrt(2.0 * math.pi), 1.0)), 1.0))
        width = level / (1.0 - share) * math.sqrt(r * (w / (2.0 - w) + doubt * doubt / n))
    return h, width


@numba.njit([types.void(types.float64[:, ::1], types.int64, types.Array(types.float64, 1, "C", readonly=True))], **jit.options())
def _calibrate(state, c, settings):  # type: ignore[no-untyped-def]
    """PHI, RATIO, LIMIT and WIDTH of one channel from what it has learned."""
    pairs = state[PAIRS, c]
    both, square = state[OLD_BN, c], state[OLD_BB, c]
    if pairs >= 4.0 and state[TT, c] > 0.0:
        both += state[BN, c] - state[TB, c] * state[TN, c] / state[TT, c]
        square += state[BB, c] - state[TB, c] * state[TB, c] / state[TT, c]
    pairs += state[OLD_PAIRS, c]
    weight = settings[PRIOR_PAIRS]
    phi = settings[PRIOR]
    deep = 1.0
    if pairs >= 4.0 and square > 0.0:
        own = min(max(both / square, -1.0), 1.0)
        own = min(own + (2.0 + 4.0 * own) / pairs, 1.0)
        phi = (pairs * own + weight * phi) / (pairs + weight)
        deep = own + math.sqrt(max(1.0 - own * own, 0.0) / pairs)
        deep = min(max(deep, 0.0), 1.0)
    phi = min(max(phi, 0.0), _NEAREST)
    whitened = min(phi, settings[DEEPEST])
    r = ratio(phi, whitened)
    blocks = state[BLOCKS, c]
    if blocks >= 8.0:
        r = max(r, state[BLOCK_SQUARE, c] * (1.0 - 1.28 * math.sqrt(2.0 / blocks)))
    tail = max((state[TAIL, c] * state[SCORED, c] + TAIL_PRIOR * TAIL_PAIRS) / (state[SCORED, c] + TAIL_PAIRS) - 3.0, 0.0)
    state[PHI, c] = whitened
    state[RATIO, c] = r
    h, width = limits(max(state[N, c], 1.0), max(state[SCORED, c], 1.0), r, tail, settings)
    # So many independent values the mean is worth, if the coefficient is one standard deviation larger than it looks.
    if state[N, c] * (1.0 - deep) < _SUPPORT * math.log(settings[RUN_LENGTH]) * (1.0 + deep):
        h = width = np.inf
    state[LIMIT, c] = h
    state[WIDTH, c] = width
    state[NEXT, c] = state[N, c] + max(1.0, math.floor(state[N, c] / 20.0))


@numba.njit(
    [
        types.void(
            types.float64[:, ::1],
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64[:, :, ::1],
        )
    ],
    **jit.options(),
)
def update(state, values, learn, settings, out):  # type: ignore[no-untyped-def]
    """Take vectors of values in, the oldest first.

    Parameters
    ----------
    state: (FIELDS, channels), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged but not learned from.
    settings: of `settings`.
    out: (n, OUTPUTS, channels), is filled: SCORE z, NaN where there is none; SUM the larger of both sums over LIMIT, and of the wave
        over WIDTH; EVENT +1 or -1 where an episode begins, upward or downward, 2 where one ends, else 0.
    """
    floor = settings[FLOOR]
    slack = settings[SLACK]
    weight = settings[WEIGHT]
    clip = settings[CLIP]
    fewest = settings[FEWEST]
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            value = values[i, c]
            out[i, SCORE, c] = np.nan
            out[i, SUM, c] = 0.0
            out[i, EVENT, c] = 0.0
            if not abs(value) <= _HUGE:
                state[LAST, c] = np.nan
                continue
            last = state[LAST, c]
            state[LAST, c] = value
            n = state[N, c]
            mean = state[MEAN, c]
            phi = state[PHI, c]
            away = value - mean
            limit = state[LIMIT, c]
            known = last == last and n >= 2.0
            scored = state[SCORED, c]
            innovation = 0.0
            deviation = max(math.sqrt(state[VARIANCE, c]), floor)
            z = 0.0
            if known:
                innovation = away - phi * (last - mean)
                if scored >= 2.0 and deviation > 0.0:
                    z = innovation / deviation
                    out[i, SCORE, c] = z
                    z = min(max(z, -clip), clip)
            if n >= fewest and out[i, SCORE, c] == z or (n >= fewest and abs(z) >= clip):
                up = max(0.0, state[UP, c] + z - slack)
                down = max(0.0, state[DOWN, c] - z - slack)
                wave = state[WAVE, c] + weight * (z - state[WAVE, c])
                state[UP, c] = up
                state[DOWN, c] = down
                state[UP_RUN, c] = state[UP_RUN, c] + 1.0 if up > 0.0 else 0.0
                state[DOWN_RUN, c] = state[DOWN_RUN, c] + 1.0 if down > 0.0 else 0.0
                state[WAVE_RUN, c] = state[WAVE_RUN, c] + 1.0 if wave * state[WAVE, c] > 0.0 else 1.0
                state[WAVE, c] = wave
                episode = state[EPISODE, c]
                if episode == 0.0:
                    if up > limit or down > limit:
                        episode = 1.0 if up > limit else -1.0
                        total, run = (up, state[UP_RUN, c]) if up > limit else (down, state[DOWN_RUN, c])
                        state[CHANGE, c] = episode * (total / run + slack) * deviation / (1.0 - phi)
                    elif abs(wave) > state[WIDTH, c]:
                        episode = 1.0 if wave > 0.0 else -1.0
                        state[CHANGE, c] = wave * deviation / (1.0 - phi)
                    if episode != 0.0:
                        state[EPISODE, c] = episode
                        state[BACK, c] = 0.0
                        out[i, EVENT, c] = episode
                else:
                    half = 0.5 * abs(state[CHANGE, c]) * (1.0 - phi) / deviation
                    state[BACK, c] = max(0.0, state[BACK, c] + half - episode * z)
                    if state[BACK, c] > 0.5 * min(limit, 30.0):
                        state[EPISODE, c] = 0.0
                        out[i, EVENT, c] = 2.0
                        for f in range(UP, WAVE_RUN + 1):
                            state[f, c] = 0.0
                out[i, SUM, c] = max(up, down) / limit
            if learn[i, c] == 0 or state[EPISODE, c] != 0.0:
                continue
            n += 1.0
            if known:
                scored += 1.0
                state[SCORED, c] = scored
                if scored > 8.0:
                    innovation = min(max(innovation, -clip * deviation), clip * deviation)
                square = innovation * innovation * n / (n + 1.0)
                state[VARIANCE, c] += (square - state[VARIANCE, c]) / scored
                state[TAIL, c] += (z**4 - state[TAIL, c]) / scored
                if n >= fewest:
                    state[BLOCK_SUM, c] += z
                    state[BLOCK_N, c] += 1.0
                    if state[BLOCK_N, c] >= BLOCK:
                        state[BLOCKS, c] += 1.0
                        part = state[BLOCK_SUM, c] * state[BLOCK_SUM, c] / BLOCK
                        state[BLOCK_SQUARE, c] += (part - state[BLOCK_SQUARE, c]) / min(state[BLOCKS, c], 400.0)
                        state[BLOCK_SUM, c] = 0.0
                        state[BLOCK_N, c] = 0.0
            if last == last:
                pairs = state[PAIRS, c] + 1.0
                state[PAIRS, c] = pairs
                time = pairs - state[TIME, c]
                before = last - state[BEFORE, c]
                now = value - state[NOW, c]
                state[TIME, c] += time / pairs
                state[BEFORE, c] += before / pairs
                state[NOW, c] += now / pairs
                state[TT, c] += time * (pairs - state[TIME, c])
                state[TB, c] += time * (last - state[BEFORE, c])
                state[TN, c] += time * (value - state[NOW, c])
                state[BB, c] += before * (last - state[BEFORE, c])
                state[BN, c] += before * (value - state[NOW, c])
            if max(state[UP, c], state[DOWN, c]) > SUSPECT * limit:
                continue
            state[N, c] = n
            if n > 8.0:
                most = 4.0 * deviation / math.sqrt(1.0 - phi * phi)
                away = min(max(away, -most), most)
            state[MEAN, c] += away / n
            if n >= state[NEXT, c]:
                _calibrate(state, c, settings)


def new(channels: int) -> NDArray[np.float64]:
    """State of charts that know nothing yet."""
    state = np.zeros((FIELDS, channels))
    state[LAST] = np.nan
    state[LIMIT] = np.inf
    state[WIDTH] = np.inf
    state[RATIO] = 1.0
    return state
def settings(run_length: float, fewest: int, floor: float = 0.01, *, doubt: float = 0.5, prior: float = 0.3, prior_pairs: float = 20.0, slack: float = 0.5, weight: float = 0.04, clip: float = 3.0, deepest: float = 0.6):
    return np.array([run_length, fewest, floor, slack, weight, clip, doubt, prior, prior_pairs, deepest])
