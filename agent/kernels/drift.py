"""Slow fall of a value per cut: a CUSUM and a slow EWMA that start themselves, on whitened values, with limits that own up to what is unknown.

SCORE: y_i = x_i - PHI x_(i-1) (C. Alwan and H. V. Roberts, J. Business and Economic Statistics 6 (1988) 87-95) against the mean and the
    standard deviation s of those learned before it: t = (y - mean) / (s sqrt(1 + 1/n)), and SCORE the normal value of the same probability
    (the Q-statistic of D. M. Hawkins, The Statistician 36 (1987) 299-315; by D. L. Wallace's approximation, Ann. Math. Statist. 30 (1959)
    1124). Every value is learned, also while a sum is high: so scores stay independent however short the baseline is, and the first cuts
    alarm no more often than the later ones. What it costs is that a shift is learned too (`visible`).
PHI: least squares of neighbours after a straight line over the present tool's cuts was taken out (a rise by wear is not autocorrelation), its
    bias -(2 + 4 phi) / n given back (M. G. Kendall, Biometrika 41 (1954) 403; with a trend: D. W. K. Andrews and H.-Y. Chen, JBES 12 (1994)
    187), joined with the machine's other operations in R. A. Fisher's z = artanh(phi), whose variance is 1 / (n - 3); 0 to `DEEPEST`: beyond
    it a step would be whitened away.
DOWN: E. S. Page's sum (Biometrika 41, 1954, 100-115) of -SCORE less the slack. WAVE: EWMA of -SCORE (S. W. Roberts, Technometrics 1 (1959)
    239-250).
LIMIT of DOWN: run length of Siegmund (Sequential Analysis, 1985, eq. 2.57) for steps whose long-run variance is R times their variance,
    rate(h) = 2 k^2 / (R (e^x - x - 1)), x = 2 k (h + 1.166) / R. R is what whitening with the wrong coefficient leaves. The true coefficient
    is uncertain: the rate is averaged over its distribution (Fisher's z is nearly normal), so that the rate over all teach-ins, not that of a
    lucky one, is the budgeted one. This is what widens the limit of a short baseline.
WIDTH of WAVE: rate at which a Gaussian series with correlation 1 - w at one step passes a level u upwards, w u phi(u) nu(u sqrt(2 w)) with
    nu(x) = exp(-0.583 x) (Siegmund 1985, ch. X and eq. 4.38), averaged in the same way. Each chart has half of the false alarms.
R and the tail of DOWN are also taken from this channel's own history, where there is enough of it, and only to widen: R from the variance of
    sums of `BLOCK` scores, the tail from the mean excess of the peaks that DOWN had between two returns to 0 (a Pareto tail of shape 0, which
    is what a sum with negative drift has: Siegmund 1985, ch. VIII).

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

(N, TIME, BEFORE, NOW, TT, TB, TN, BB, BN, NN) = range(10)
"""Pairs of neighbours of the present tool; means of their time, first and second value; sums of products about the means."""
(OLD_N, OLD_BB, OLD_BN, OLD_NN) = range(10, 14)
"""Of earlier tools: degrees of freedom, and sums about their straight lines."""
(LAST, PHI, RATIO, LIMIT, WIDTH, NEXT, DOUBT) = range(14, 21)
"""Value before; coefficient used; R at it; the two limits; pairs at which they are made anew; standard error of artanh(phi)."""
(DOWN, RUN, WAVE) = range(21, 24)
(SCORED, TAIL, BLOCK_N, BLOCK_SUM, BLOCKS, BLOCK_SQUARE, PEAK, PEAKS, EXCESS) = range(24, 33)
"""Scores; mean of their fourth power; the sums of blocks; peaks of DOWN beyond FOOT, their mean excess."""
SPREAD, FREEDOM = 33, 34
"""s and its degrees of freedom when the limits were made."""
FIELDS = 35

(RUN_LENGTH, FEWEST, FLOOR, SLACK, WEIGHT, CLIP, SMALLEST, PRIOR, PRIOR_VARIANCE) = range(9)

(SCORE, LEVEL, CHANGE, EVENT) = range(4)
OUTPUTS = 4
"""SCORE: NaN where there is none. LEVEL: the larger of DOWN / LIMIT and WAVE / WIDTH. CHANGE: size of the fall that this chart sees, unit of
the value, at most 0. EVENT: 1 told by DOWN, 2 told by WAVE, 0 nothing; after it both begin again."""

DEEPEST = 0.6
BLOCK = 16.0
FOOT = 2.0
_NEAREST = 0.98
_HUGE = 1e150
_OVERSHOOT = 1.166
_STEPS = 21
_REACH = 6.0
_SHORT = 10.0
_HEAVY = 8.0

_SETTINGS = types.Array(types.float64, 1, "C", readonly=True)


@numba.njit([types.float64(types.float64, types.float64)], **jit.options())
def ratio(phi, used):  # type: ignore[no-untyped-def]
    """Long-run variance over variance of an AR(1) series of coefficient `phi` that was whitened with `used`; at least 1."""
    step = (1.0 - used) / (1.0 - phi)
    return max(step * step * (1.0 - phi * phi) / (1.0 + used * used - 2.0 * used * phi), 1.0)


@numba.njit([types.float64(types.float64, types.float64, types.float64, types.float64)], **jit.options())
def sum_rate(h, k, r, tail):  # type: ignore[no-untyped-def]
    """Alarms a value of the one-sided sum at limit h; `tail`: excess kurtosis of a score (second term of Cramer's exponent)."""
    theta = 2.0 * k / r
    theta /= 1.0 + tail * theta * theta / 12.0
    x = min(theta * (h + _OVERSHOOT), 700.0)
    return 2.0 * k * k / r / max(math.exp(x) - x - 1.0, 1e-300)


@numba.njit([types.float64(types.float64, types.float64, types.float64)], **jit.options())
def wave_rate(width, w, r):  # type: ignore[no-untyped-def]
    """Alarms a value of the EWMA at limit `width`, in scores."""
    u = width / math.sqrt(r * w / (2.0 - w))
    if u < 1.0:
        return w
    return min(w * u * math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi) * math.exp(-0.583 * u * math.sqrt(2.0 * w)), w)


@numba.njit([types.UniTuple(types.float64, 2)(types.float64, types.float64, types.float64, types.float64, types.float64, types.float64, types.float64, _SETTINGS)], **jit.options())
def limits(z, error, freedom, used, least, tail, k, settings):  # type: ignore[no-untyped-def]
    """LIMIT and WIDTH.

    Parameters
    ----------
    z, error: artanh of the coefficient and its standard error. used: that of the whitening.
    least: the smallest R, measured. tail: excess kurtosis. k: slack.
    """
    w = settings[WEIGHT]
    wanted = 0.5 / settings[RUN_LENGTH]
    rs = np.empty(_STEPS)
    shares = np.empty(_STEPS)
    total = 0.0
    for i in range(_STEPS):
        at = _REACH * (2.0 * i / (_STEPS - 1.0) - 1.0)
        rs[i] = max(ratio(min(math.sin(min(z + error * at, 0.5 * math.pi)), _NEAREST), used), least)
        shares[i] = math.pow(1.0 + at * at / freedom, -0.5 * (freedom + 1.0))
        total += shares[i]
    low, high = 0.0, 2000.0
    for _ in range(50):
        h = 0.5 * (low + high)
        rate = 0.0
        for i in range(_STEPS):
            rate += shares[i] * min(sum_rate(h, k, rs[i], tail), 1.0)
        if rate > wanted * total:
            low = h
        else:
            high = h
    limit = high
    low, high = 0.0, 20.0
    for _ in range(45):
        h = 0.5 * (low + high)
        rate = 0.0
        for i in range(_STEPS):
            rate += shares[i] * wave_rate(h, w, rs[i])
        if rate > wanted * total:
            low = h
        else:
            high = h
    return limit, high


@numba.njit([types.UniTuple(types.float64, 4)(types.float64[:, ::1], types.int64)], **jit.options())
def _sums(state, c):  # type: ignore[no-untyped-def]
    """Degrees of freedom, and sums of products about straight lines, of all tools together: before², before x now, now²."""
    freedom = state[OLD_N, c]
    bb, bn, nn = state[OLD_BB, c], state[OLD_BN, c], state[OLD_NN, c]
    tt = state[TT, c]
    if state[N, c] >= 3.0 and tt > 0.0:
        freedom += state[N, c] - 2.0
        bb += state[BB, c] - state[TB, c] * state[TB, c] / tt
        bn += state[BN, c] - state[TB, c] * state[TN, c] / tt
        nn += state[NN, c] - state[TN, c] * state[TN, c] / tt
    return freedom, bb, bn, nn


@numba.njit([types.float64(types.float64[:, ::1], types.int64, _SETTINGS)], **jit.options())
def spread(state, c, settings):  # type: ignore[no-untyped-def]
    """Standard deviation of the whitened value."""
    freedom, bb, bn, nn = _sums(state, c)
    phi = state[PHI, c]
    square = (nn - 2.0 * phi * bn + phi * phi * bb) / freedom if freedom >= 1.0 else 0.0
    return max(math.sqrt(max(square, 0.0)), settings[FLOOR])


@numba.njit([types.float64(types.float64[:, ::1], types.int64, _SETTINGS)], **jit.options())
def slack(state, c, settings):  # type: ignore[no-untyped-def]
    """k: half of the shift that is to be found fastest, which is never smaller than the smallest that matters."""
    s = state[SPREAD, c]
    return max(settings[SLACK], 0.5 * settings[SMALLEST] * (1.0 - state[PHI, c]) / s if s > 0.0 else 0.0)


@numba.njit([types.void(types.float64[:, ::1], types.int64, _SETTINGS)], **jit.options())
def calibrate(state, c, settings):  # type: ignore[no-untyped-def]
    """PHI, RATIO, LIMIT and WIDTH of one channel from what it has learned."""
    freedom, bb, bn, nn = _sums(state, c)
    prior = 1.0 / settings[PRIOR_VARIANCE]
    z, weight = settings[PRIOR], prior
    if freedom >= 4.0 and bb > 0.0:
        own = min(max(bn / bb, -0.95), 0.95)
        own = min(own + (2.0 + 4.0 * own) / (freedom + 2.0), _NEAREST)
        told = freedom / ((1.0 + _SHORT / freedom) * (1.0 + _SHORT / freedom))
        weight = prior + told
        z = (prior * z + told * math.asin(own)) / weight
    error = 1.0 / math.sqrt(weight)
    phi = min(max(math.sin(min(z, 0.5 * math.pi)), 0.0), DEEPEST)
    least = 1.0
    if state[BLOCKS, c] >= 8.0:
        least = max(state[BLOCK_SQUARE, c] * (1.0 - 1.28 * math.sqrt(2.0 / state[BLOCKS, c])), 1.0)
    scored = state[SCORED, c]
    tail = max((state[TAIL, c] * scored + 3.5 * 50.0) / (scored + 50.0) - 3.0, 0.0)
    state[PHI, c] = phi
    state[DOUBT, c] = error
    state[RATIO, c] = max(ratio(min(math.sin(min(z, 0.5 * math.pi)), _NEAREST), phi), least)
    state[SPREAD, c] = spread(state, c, settings)
    state[FREEDOM, c] = freedom
    k = slack(state, c, settings)
    limit, width = limits(z, error, max(_HEAVY, freedom / 5.0), phi, least, tail, k, settings)
    if state[PEAKS, c] >= 20.0:
        # Peaks beyond FOOT fall off by e in each 1 / theta: where they fall off more slowly than R says, so far the limit is stretched.
        slower = state[EXCESS, c] * (1.0 - 1.28 / math.sqrt(state[PEAKS, c])) * 2.0 * k / state[RATIO, c]
        limit *= max(slower, 1.0)
    state[LIMIT, c] = limit
    # A baseline shorter than the memory of the wave, in independent values, tells nothing of it.
    state[WIDTH, c] = width if freedom * settings[WEIGHT] >= state[RATIO, c] else np.inf
    state[NEXT, c] = state[N, c] + max(1.0, math.floor((state[N, c] + state[OLD_N, c]) * 0.25))


@numba.njit(
    [
        types.void(
            types.float64[:, ::1],
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            _SETTINGS,
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64[:, :, ::1],
        )
    ],
    **jit.options(),
)
def update(state, values, learn, settings, wider, out):  # type: ignore[no-untyped-def]
    """Take vectors of values in, the oldest first.

    Parameters
    ----------
    state: (FIELDS, channels), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is the predecessor of the next, and nothing else: it is neither judged nor learned.
    settings: of `settings`.
    wider: (channels,), factor of the limits, 1 or more.
    out: (n, OUTPUTS, channels), is filled.
    """
    fewest, weight, clip, smallest = settings[FEWEST], settings[WEIGHT], settings[CLIP], settings[SMALLEST]
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            value = values[i, c]
            out[i, SCORE, c] = np.nan
            out[i, LEVEL, c] = 0.0
            out[i, CHANGE, c] = 0.0
            out[i, EVENT, c] = 0.0
            last = state[LAST, c]
            if not abs(value) <= _HUGE:
                state[LAST, c] = np.nan
                continue
            state[LAST, c] = value
            if learn[i, c] == 0 or not last == last:
                continue
            n = state[N, c]
            phi = state[PHI, c]
            s, freedom = state[SPREAD, c], state[FREEDOM, c]
            if n >= 1.0 and freedom >= 3.0 and s > 0.0:
                t = (value - phi * last - state[NOW, c] + phi * state[BEFORE, c]) / (s * math.sqrt(1.0 + 1.0 / n))
                z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * math.sqrt(freedom * math.log1p(t * t / freedom))
                z = math.copysign(min(z, 37.0), t)
                out[i, SCORE, c] = z
                z = min(max(z, -clip), clip)
                if state[N, c] + state[OLD_N, c] >= fewest:
                    k = slack(state, c, settings)
                    limit, width = wider[c] * state[LIMIT, c], wider[c] * state[WIDTH, c]
                    down = max(0.0, state[DOWN, c] - z - k)
                    state[RUN, c] = state[RUN, c] + 1.0 if down > 0.0 else 0.0
                    if down > 0.0:
                        state[PEAK, c] = max(state[PEAK, c], down)
                    elif state[PEAK, c] > 0.0:
                        if state[PEAK, c] > FOOT:
                            state[PEAKS, c] += 1.0
                            state[EXCESS, c] += (state[PEAK, c] - FOOT - state[EXCESS, c]) / min(state[PEAKS, c], 400.0)
                        state[PEAK, c] = 0.0
                    state[DOWN, c] = down
                    wave = state[WAVE, c] - weight * (z + state[WAVE, c])
                    state[WAVE, c] = wave
                    unit = s / (1.0 - phi)
                    seen = (down / state[RUN, c] + k) * unit if down > 0.0 else 0.0
                    told = 0.0
                    if down > limit and seen >= smallest:
                        told = 1.0
                    elif wave > width and wave * unit >= smallest:
                        told = 2.0
                    out[i, LEVEL, c] = max(down / limit, wave / width)
                    out[i, CHANGE, c] = -wave * unit if told == 2.0 else -seen
                    out[i, EVENT, c] = told
                    state[SCORED, c] += 1.0
                    state[TAIL, c] += (z**4 - state[TAIL, c]) / min(state[SCORED, c], 2000.0)
                    state[BLOCK_SUM, c] += z
                    state[BLOCK_N, c] += 1.0
                    if state[BLOCK_N, c] >= BLOCK:
                        state[BLOCKS, c] += 1.0
                        part = state[BLOCK_SUM, c] * state[BLOCK_SUM, c] / BLOCK
                        state[BLOCK_SQUARE, c] += (part - state[BLOCK_SQUARE, c]) / min(state[BLOCKS, c], 400.0)
                        state[BLOCK_SUM, c] = 0.0
                        state[BLOCK_N, c] = 0.0
                    if told != 0.0:
                        state[DOWN, c] = state[WAVE, c] = state[RUN, c] = state[PEAK, c] = 0.0
                if freedom >= 8.0:
                    # What is learned of one odd cut is what four standard deviations would have told.
                    most = 4.0 * s / math.sqrt(1.0 - phi * phi)
                    value = min(max(value, state[NOW, c] - most), state[NOW, c] + most)
                    last = min(max(last, state[NOW, c] - most), state[NOW, c] + most)
            n += 1.0
            state[N, c] = n
            time = n - state[TIME, c]
            before = last - state[BEFORE, c]
            now = value - state[NOW, c]
            state[TIME, c] += time / n
            state[BEFORE, c] += before / n
            state[NOW, c] += now / n
            state[TT, c] += time * (n - state[TIME, c])
            state[TB, c] += time * (last - state[BEFORE, c])
            state[TN, c] += time * (value - state[NOW, c])
            state[BB, c] += before * (last - state[BEFORE, c])
            state[BN, c] += before * (value - state[NOW, c])
            state[NN, c] += now * (value - state[NOW, c])
            if n >= state[NEXT, c]:
                calibrate(state, c, settings)


def new(channels: int) -> NDArray[np.float64]:
    """State of charts that know nothing yet."""
    state = np.zeros((FIELDS, channels))
    state[LAST] = np.nan
    state[[LIMIT, WIDTH]] = np.inf
    state[RATIO] = 1.0
    return state


def settings(
    run_length: float, fewest: int, floor: float, *, smallest: float = 0.0, prior: float = 0.3, prior_variance: float = 0.25,
    slack: float = 0.5, weight: float = 0.04, clip: float = 3.0,
) -> NDArray[np.float64]:
    return np.array([run_length, fewest, floor, slack, weight, clip, smallest, prior, prior_variance])
