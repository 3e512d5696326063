"""Slow fall of a value per cut: CUSUM and slow EWMA on whitened values; they start themselves, and their limits own up to what is unknown.

SCORE: y_i = x_i - PHI x_(i-1) (L. C. Alwan and H. V. Roberts, J. Business and Economic Statistics 6 (1988) 87-95) against the mean and the
    standard deviation s of those learned before it: t = (y - mean) / (s sqrt(1 + 1/n)), and SCORE the normal value of the same probability
    (the Q-statistic of D. M. Hawkins, The Statistician 36 (1987) 299-315; by D. L. Wallace's approximation, Ann. Math. Statist. 30 (1959)
    1124). Every value is learned, also while a sum is high: so scores stay independent however short the baseline is, and the first cuts
    alarm no more often than the later ones. What it costs is that a shift is learned too (`visible`).
PHI: least squares of neighbours after a straight line over the present tool's cuts was taken out (a rise by wear is not
    autocorrelation), its bias -(2 + 4 phi) / n given back (M. G. Kendall, Biometrika 41 (1954) 403; with a trend: D. W. K. Andrews and
    H.-Y. Chen, JBES 12 (1994) 187), joined with the machine's other operations as arcsin(phi), whose variance hardly depends on phi
    (G. M. Jenkins, Biometrika 41 (1954) 261); 0 to `DEEPEST`: beyond it a step would be whitened away.
DOWN: E. S. Page's sum (Biometrika 41, 1954, 100-115) of -SCORE less the slack. WAVE: EWMA of -SCORE (S. W. Roberts, Technometrics 1 (1959)
    239-250), only where the baseline is longer than its memory.
LIMIT of DOWN: run length of Siegmund (Sequential Analysis, 1985, eq. 2.57) for steps whose long-run variance is R times their variance:
    rate(h) = 2 k^2 / (R (e^x - x - 1)), x = 2 k (h + 1.166) / R. R is what whitening with the wrong coefficient leaves. The true one is
    uncertain: the rate is averaged over the distribution of its arcsin, so that the rate over all teach-ins, not that of a lucky one, is
    the budgeted one. This is what widens the limit of a short baseline.
WIDTH of WAVE: rate at which a Gaussian series with correlation 1 - w at one step passes a level u upwards, w u phi(u) nu(u sqrt(2 w)) with
    nu(x) = exp(-0.583 x) (Siegmund 1985, ch. X and eq. 4.38), averaged in the same way.
R and the tail of DOWN are also taken from this channel's own history where there is enough of it, and only to widen: R from the variance of
    sums of `BLOCK` scores, the tail from the mean excess of the peaks that DOWN had between two returns to 0 (a generalised Pareto tail of
    shape 0, which is what a sum with a downward drift has: Siegmund 1985, ch. VIII).

GROSS: so many standard deviations of a value (not whitened) below the mean that `LASTS` values in a row there are a fall, however little
    is known: the value of Student's distribution that is passed once in twenty run lengths, with as many degrees of freedom as there are
    independent values.
Of the false alarms, DOWN, WAVE and GROSS have the `SHARES`.

State is one float64 array (FIELDS, channels), C order: saved and restored as its bytes. A value that is not finite, or beyond 1e70, is no
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
(LAST, PHI, RATIO, LIMIT, WIDTH, NEXT) = range(14, 20)
"""Value before; coefficient used; R at it; the two limits; pairs at which they are made anew."""
(DOWN, RUN, WAVE) = range(20, 23)
(SCORED, TAIL, BLOCK_N, BLOCK_SUM, BLOCKS, BLOCK_SQUARE, PEAK, PEAKS, EXCESS) = range(23, 32)
"""Scores; mean of their fourth power; the sums of blocks; peaks of DOWN beyond FOOT, their mean excess."""
(SPREAD, FREEDOM, OWN, TOLD, PRIOR, PRIOR_VARIANCE) = range(32, 38)
"""s and its degrees of freedom when the limits were made; arcsin of the own coefficient and its weight (1 / variance), 0 while there is
none; what the machine's other operations say of it: the caller's to set."""
(GROSS, COUNT, DEEP) = range(38, 41)
"""The gross fall, unit of the value; values in a row beyond it, and their mean distance."""
FIELDS = 41

(RUN_LENGTH, FEWEST, FLOOR, SLACK, WEIGHT, CLIP, SMALLEST) = range(7)

(SCORE, LEVEL, CHANGE, SINCE, EVENT) = range(5)
OUTPUTS = 5
"""SCORE: NaN where there is none. LEVEL: the larger of DOWN / LIMIT and WAVE / WIDTH. CHANGE: the fall that the chart sees, unit of the
value, at most 0; SINCE: for how many values. EVENT: told by 1 DOWN, 2 WAVE, 3 GROSS, 0 nothing; then all begin again."""

PRIOR_MEAN = 0.3
PRIOR_SPREAD = 0.36
"""arcsin(phi) of an operation of which nothing is known, and its variance: phi from -0.3 to 0.8 within one standard deviation. Wide on
purpose: where the machine's other operations are known, `PRIOR` comes from them."""
DEEPEST = 0.6
"""The largest coefficient used: a step of size d leaves (1 - phi) d (detection.md 4: at 0.9 the delay is 80 to 140 values)."""
BLOCK = 16.0
LASTS = 5.0
"""Values that a fall has lasted before it is told, and that are beyond GROSS in a row."""
WITHIN = 35.0
"""Where even the largest score would not be told within so many values, the sum is not judged: the baseline does not support T. (A shift is
learned as it lasts: n ln(1 + m / n) is left after m.)"""
SHARES = (0.7, 0.25, 0.05)
FOOT = 2.0
SHORT = 10.0
"""arcsin of the coefficient has a standard error of (1 + SHORT / n) / sqrt(n): with its bias and the line taken out, the error of 20, 30,
60 and 100 pairs at phi 0.6 was 1.40, 1.30, 1.16 and 1.09 times 1 / sqrt(n) (200,000 draws of the coefficient alone, no chart)."""
HEAVY = 5.0
"""Degrees of freedom of the distribution of arcsin(phi): an eighth of those of the spread, at least these. With 30 and with 100 pairs at
phi 0.9 one estimate in a thousand was 4.2 of these standard errors too low, as in Student's distribution with 10 (the same draws)."""
GROWTH = 0.25
"""Limits are made anew when so much was learned again. s, too, stands between: a shift that has just begun must not widen its own limit."""
SUSPECT = 0.25
WAIT = 50.0
"""While the sum is beyond this share of its limit, so many values at most, the limits stay: a step looks like autocorrelation, and would
hide itself. They hold for whatever comes after they were made, so that waiting breaks no promise; everything is learned all the same."""
_NEAREST = 0.98
_HUGE = 1e70
_MEMORY = 400.0
_OVERSHOOT = 1.166
_STEPS = 21
_REACH = 6.0
_SLACK_OF_HISTORY = 1.28
"""Standard errors by which the channel's own history must be worse than the formula: one side, 90 %."""

_F = types.float64
_STATE = types.float64[:, ::1]
_SETTINGS = types.Array(types.float64, 1, "C", readonly=True)
_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_FLAGS = types.Array(types.uint8, 2, "C", readonly=True)


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


@numba.njit([types.UniTuple(_F, 2)(_F, _F, _F, _F, _F, _F, _F, _SETTINGS)], **jit.options())  # type: ignore[no-untyped-call]
def limits(z, error, freedom, used, least, tail, k, settings):  # type: ignore[no-untyped-def]
    """LIMIT and WIDTH.

    Parameters
    ----------
    z, error, freedom: arcsin of the coefficient, its standard error and degrees of freedom. used: coefficient of the whitening.
    least: the smallest R, measured. tail: excess kurtosis. k: slack.
    """
    rs, shares = np.empty(_STEPS), np.empty(_STEPS)
    for i in range(_STEPS):
        at = _REACH * (2.0 * i / (_STEPS - 1.0) - 1.0)
        rs[i] = max(ratio(min(math.sin(min(z + error * at, 0.5 * math.pi)), _NEAREST), used), least)
        shares[i] = math.pow(1.0 + at * at / freedom, -0.5 * (freedom + 1.0))
    shares /= shares.sum()
    found = (0.0, 0.0)
    for chart in range(2):
        low, high = 0.0, 2000.0 if chart == 0 else 20.0
        for _ in range(50):
            middle = 0.5 * (low + high)
            rate = 0.0
            for i in range(_STEPS):
                one = sum_rate(middle, k, rs[i], tail) if chart == 0 else wave_rate(middle, settings[WEIGHT], rs[i])
                rate += shares[i] * min(one, 1.0)
            if rate * settings[RUN_LENGTH] > SHARES[chart]:
                low = middle
            else:
                high = middle
        found = (high, 0.0) if chart == 0 else (found[0], high)
    return found


@numba.njit([types.float64(types.float64, types.float64)], **jit.options())
def student(p, freedom):  # type: ignore[no-untyped-def]
    """Value of Student's distribution that is passed with probability p, by Wallace's approximation; inf below one degree of freedom."""
    if freedom < 1.0:
        return np.inf
    low, high = 0.0, 8.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(middle / math.sqrt(2.0)) > p:
            low = middle
        else:
            high = middle
    z = high * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return math.sqrt(freedom * math.expm1(min(z * z / freedom, 600.0)))


@numba.njit([types.UniTuple(types.float64, 4)(_STATE, types.int64)], **jit.options())  # type: ignore[no-untyped-call]
def _sums(state, c):  # type: ignore[no-untyped-def]
    """Degrees of freedom, and sums of products about straight lines, of all tools together: before², before x now, now²."""
    freedom, bb, bn, nn, tt = state[OLD_N, c], state[OLD_BB, c], state[OLD_BN, c], state[OLD_NN, c], state[TT, c]
    if state[N, c] >= 3.0 and tt > 0.0:
        freedom += state[N, c] - 2.0
        bb += state[BB, c] - state[TB, c] * state[TB, c] / tt
        bn += state[BN, c] - state[TB, c] * state[TN, c] / tt
        nn += state[NN, c] - state[TN, c] * state[TN, c] / tt
    return freedom, bb, bn, nn


@numba.njit([types.float64(_STATE, types.int64, _SETTINGS)], **jit.options())
def slack(state, c, settings):  # type: ignore[no-untyped-def]
    """k: half of the shift that is to be found fastest, which is never smaller than the smallest that matters."""
    s = state[SPREAD, c]
    return max(settings[SLACK], 0.5 * settings[SMALLEST] * (1.0 - state[PHI, c]) / s if s > 0.0 else 0.0)


@numba.njit([types.void(_STATE, types.int64, _SETTINGS)], **jit.options())
def calibrate(state, c, settings):  # type: ignore[no-untyped-def]
    """PHI, RATIO, LIMIT and WIDTH of one channel from what it has learned."""
    freedom, bb, bn, nn = _sums(state, c)
    weight, z = 1.0 / state[PRIOR_VARIANCE, c], state[PRIOR, c]
    if freedom >= 4.0 and bb > 0.0:
        own = min(max(bn / bb, -0.95), 0.95)
        own = max(min(own + (2.0 + 4.0 * own) / (freedom + 2.0), _NEAREST), -_NEAREST)
        told = freedom / ((1.0 + SHORT / freedom) * (1.0 + SHORT / freedom))
        state[OWN, c] = math.asin(own)
        state[TOLD, c] = told
        z = (weight * z + told * math.asin(own)) / (weight + told)
        weight += told
    error = 1.0 / math.sqrt(weight)
    phi = min(max(math.sin(min(z, 0.5 * math.pi)), 0.0), DEEPEST)
    least = 1.0
    if state[BLOCKS, c] >= 8.0:
        least = max(state[BLOCK_SQUARE, c] * (1.0 - _SLACK_OF_HISTORY * math.sqrt(2.0 / min(state[BLOCKS, c], _MEMORY))), 1.0)
    scored = state[SCORED, c]
    tail = max((state[TAIL, c] * scored + 3.5 * 50.0) / (scored + 50.0) - 3.0, 0.0)
    state[PHI, c] = phi
    state[RATIO, c] = max(ratio(min(math.sin(min(z, 0.5 * math.pi)), _NEAREST), phi), least)
    square = (nn - 2.0 * phi * bn + phi * phi * bb) / freedom if freedom >= 1.0 else 0.0
    state[SPREAD, c] = max(math.sqrt(max(square, 0.0)), settings[FLOOR])
    state[FREEDOM, c] = freedom
    k = slack(state, c, settings)
    limit, width = limits(z, error, max(HEAVY, freedom / 8.0), phi, least, tail, k, settings)
    if state[PEAKS, c] >= 20.0:
        # Peaks fall off by e in each 1 / theta: where they do so more slowly than R says, so far the limit is stretched.
        slower = state[EXCESS, c] * (1.0 - _SLACK_OF_HISTORY / math.sqrt(min(state[PEAKS, c], _MEMORY))) * 2.0 * k / state[RATIO, c]
        limit *= max(slower, 1.0)
    n = state[N, c] + state[OLD_N, c]
    strongest = max(settings[CLIP], 2.0 * k + 0.5)
    blind = limit + k * WITHIN > strongest * (n * math.log1p(WITHIN / n) + phi / (1.0 - phi))
    state[LIMIT, c] = np.inf if blind else limit
    # The coefficient may be one standard error larger than it looks; a value varies by s² / (1 + phi² - 2 phi own).
    near = min(max(math.sin(min(z + error, 0.5 * math.pi)), 0.0), _NEAREST)
    values = freedom * (1.0 - near) / (1.0 + near)
    own = min(max(math.sin(min(z, 0.5 * math.pi)), 0.0), _NEAREST)
    deviation = state[SPREAD, c] / math.sqrt(1.0 + phi * phi - 2.0 * phi * own)
    state[GROSS, c] = student(SHARES[2] / settings[RUN_LENGTH], values - 1.0) * deviation * math.sqrt(1.0 + 1.0 / max(values, 1.0))
    # A baseline shorter than the memory of the wave, in independent values, tells nothing of it.
    state[WIDTH, c] = width if freedom * settings[WEIGHT] > state[RATIO, c] + 1e-6 else np.inf
    state[NEXT, c] = state[N, c] + max(1.0, math.floor(GROWTH * (state[N, c] + state[OLD_N, c])))


@numba.njit([types.void(_STATE, _MATRIX, _FLAGS, _SETTINGS, _SETTINGS, types.float64[:, :, ::1])], **jit.options())
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
            out[i, LEVEL:, c] = 0.0
            last = state[LAST, c]
            if not abs(value) <= _HUGE:
                state[LAST, c] = np.nan
                continue
            state[LAST, c] = value
            if learn[i, c] == 0 or last != last:
                continue
            n = state[N, c]
            phi = state[PHI, c]
            s, freedom = state[SPREAD, c], state[FREEDOM, c]
            if n >= 1.0 and freedom >= 3.0 and s > 0.0:
                t = (value - phi * last - state[NOW, c] + phi * state[BEFORE, c]) / (s * math.sqrt(1.0 + 1.0 / n))
                z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * math.sqrt(freedom * math.log1p(t * t / freedom))
                z = math.copysign(min(z, 37.0), t)
                out[i, SCORE, c] = z
                if state[N, c] + state[OLD_N, c] >= fewest:
                    k = slack(state, c, settings)
                    # A shift of 2 k must not be cut off.
                    most = max(clip, 2.0 * k + 0.5)
                    z = min(max(z, -most), most)
                    limit, width, gross = wider[c] * state[LIMIT, c], wider[c] * state[WIDTH, c], wider[c] * state[GROSS, c]
                    away = state[NOW, c] - value
                    count = state[COUNT, c] + 1.0 if away > gross else 0.0
                    state[COUNT, c] = count
                    state[DEEP, c] = state[DEEP, c] + (away - state[DEEP, c]) / count if count > 0.0 else 0.0
                    down = max(0.0, state[DOWN, c] - z - k)
                    state[RUN, c] = state[RUN, c] + 1.0 if down > 0.0 else 0.0
                    if down > 0.0:
                        state[PEAK, c] = max(state[PEAK, c], down)
                    elif state[PEAK, c] > 0.0:
                        if state[PEAK, c] > FOOT:
                            state[PEAKS, c] += 1.0
                            state[EXCESS, c] += (state[PEAK, c] - FOOT - state[EXCESS, c]) / min(state[PEAKS, c], _MEMORY)
                        state[PEAK, c] = 0.0
                    state[DOWN, c] = down
                    wave = state[WAVE, c] - weight * (z + state[WAVE, c])
                    state[WAVE, c] = wave
                    unit = s / (1.0 - phi)
                    seen = (down / state[RUN, c] + k) * unit if down > 0.0 else 0.0
                    told = 0.0
                    if down > limit and state[RUN, c] >= LASTS and seen >= smallest:
                        told = 1.0
                    elif wave > width and wave * unit >= smallest:
                        told = 2.0
                    elif count >= LASTS and state[DEEP, c] >= smallest:
                        told = 3.0
                    out[i, LEVEL, c] = max(down / limit, wave / width, state[DEEP, c] / gross if told == 3.0 else 0.0)
                    out[i, CHANGE, c] = -wave * unit if told == 2.0 else -state[DEEP, c] if told == 3.0 else -seen
                    out[i, SINCE, c] = max(state[RUN, c], 1.0 / weight) if told == 2.0 else count if told == 3.0 else state[RUN, c]
                    out[i, EVENT, c] = told
                    state[SCORED, c] += 1.0
                    state[TAIL, c] += (z**4 - state[TAIL, c]) / min(state[SCORED, c], 2000.0)
                    state[BLOCK_SUM, c] += z
                    state[BLOCK_N, c] += 1.0
                    if state[BLOCK_N, c] >= BLOCK:
                        state[BLOCKS, c] += 1.0
                        part = state[BLOCK_SUM, c] * state[BLOCK_SUM, c] / BLOCK
                        state[BLOCK_SQUARE, c] += (part - state[BLOCK_SQUARE, c]) / min(state[BLOCKS, c], _MEMORY)
                        state[BLOCK_SUM, c] = 0.0
                        state[BLOCK_N, c] = 0.0
                    if told != 0.0:
                        state[DOWN, c] = state[WAVE, c] = state[RUN, c] = state[PEAK, c] = state[COUNT, c] = 0.0
                if freedom >= 8.0:
                    # One odd cut teaches no more than four standard deviations. Off what was expected, not off the mean: a value that
                    # wanders is far off the mean, and to cut that off would hide the wandering.
                    expected = state[NOW, c] + phi * (last - state[BEFORE, c])
                    value = min(max(value, expected - 4.0 * s), expected + 4.0 * s)
                    most = 8.0 * s / math.sqrt(1.0 - phi * phi)
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
            if n >= state[NEXT, c] and (state[DOWN, c] <= SUSPECT * state[LIMIT, c] or n >= state[NEXT, c] + WAIT):
                calibrate(state, c, settings)


def new(channels: int) -> NDArray[np.float64]:
    """State of charts that know nothing yet."""
    state = np.zeros((FIELDS, channels))
    state[LAST] = np.nan
    state[[LIMIT, WIDTH, GROSS]] = np.inf
    state[RATIO] = 1.0
    state[PRIOR] = PRIOR_MEAN
    state[PRIOR_VARIANCE] = PRIOR_SPREAD
    return state


def restart(state: NDArray[np.float64], c: int) -> None:
    """The charts of a channel begin at 0; what was learned stays."""
    state[[DOWN, RUN, WAVE, PEAK, COUNT, DEEP], c] = 0.0


def renew(state: NDArray[np.float64], c: int) -> None:
    """A new tool: the mean begins again; coefficient, spread and limits stay, for they are the machine's and not the tool's."""
    n, tt = state[N, c], state[TT, c]
    if n >= 3.0 and tt > 0.0:
        tb, tn = state[TB, c], state[TN, c]
        state[OLD_N, c] += n - 2.0
        state[OLD_BB, c] += state[BB, c] - tb * tb / tt
        state[OLD_BN, c] += state[BN, c] - tb * tn / tt
        state[OLD_NN, c] += state[NN, c] - tn * tn / tt
    state[N : NN + 1, c] = 0.0
    state[NEXT, c] = math.floor(GROWTH * state[OLD_N, c])
    state[LAST, c] = np.nan
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
