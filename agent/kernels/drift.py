"""Slow fall of a value per cut: CUSUM and slow EWMA on whitened values; they start themselves, and their limits own up to what is unknown.

SCORE: y_i = x_i - PHI x_(i-1) (L. C. Alwan and H. V. Roberts, J. Business and Economic Statistics 6 (1988) 87-95) against the mean and the
    standard deviation s of those learned before it: t = (y - mean) / (s sqrt(1 + 1/n)), and SCORE the normal value of the same probability
    (the Q-statistic of D. M. Hawkins, The Statistician 36 (1987) 299-315; by D. L. Wallace's approximation, Ann. Math. Statist. 30 (1959)
    1124). Every value is learned, also while a sum is high: so scores stay independent however short the baseline is. The price: a shift
    is learned too (`agent.detect.drift.visible`).
PHI: least squares of neighbours after a straight line over the present tool's cuts was taken out (a rise by wear is not
    autocorrelation), its bias given back (M. G. Kendall, Biometrika 41 (1954) 403; with a trend: D. W. K. Andrews and H.-Y. Chen, JBES 12
    (1994) 187), joined with the machine's other operations as arcsin(phi), whose variance hardly depends on phi
    (G. M. Jenkins, Biometrika 41 (1954) 261); 0 to `DEEPEST`: beyond it a step would be whitened away.
DOWN: E. S. Page's sum (Biometrika 41, 1954, 100-115) of -SCORE less the slack. WAVE: EWMA of -SCORE (S. W. Roberts, Technometrics 1 (1959)
    239-250), only where the baseline is longer than its memory.
LIMIT of DOWN: run length of Siegmund (Sequential Analysis, 1985, eq. 2.57) for steps whose long-run variance is R times their variance:
    rate(h) = 2 k^2 / (R (e^x - x - 1)), x = 2 k (h + `ahead`) / R. R is what whitening with the wrong coefficient leaves. The true one is
    uncertain: the rate is averaged over the coefficients that may have given the estimate, so that the rate over all teach-ins, not that of
    a lucky one, is the budgeted one. This is what widens the limit of a short baseline.
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
PRIOR_SPREAD = 0.82
"""arcsin(phi) of an operation of which nothing is known, and its variance: that of Jeffreys' prior, uniform in arcsin, pi^2 / 12. Where
the machine's other operations are known, `PRIOR` comes from them."""
DEEPEST = 0.6
"""The largest coefficient used: a step of size d leaves (1 - phi) d (detection.md 4: at 0.9 the delay is 80 to 140 values)."""
BLOCK = 16.0
LASTS = 5.0
"""Values that a fall has lasted before it is told, and that are beyond GROSS in a row."""
WITHIN, STRONGEST = 35.0, 2.0
"""Where a shift of so many scores (two standard deviations of independent values) would not be told within so many values, the sum is not
judged: the baseline does not support T, and budget spent there buys nothing. (A shift is learned as it lasts: n ln(1 + m / n) is left.)"""
SHARES = (0.7, 0.25, 0.05)
FOOT = 2.0
SHORT = 10.0
"""arcsin of the coefficient has a standard error of (1 + SHORT / n) / sqrt(n), roughly: its weight beside the other operations."""
SCATTER, HEAVY = 25.0, 5.0
"""The estimate's variance is (1 - phi^2 + SCATTER phi^2 / n) / n, its tails are Student's with n / 12 degrees of freedom, at least HEAVY:
fitted, as was `bias`, to 20,000 draws of the coefficient alone, no chart, n 20 to 1,000 and phi 0 to 0.98 (docs/decisions/0014)."""
GROWTH = 0.25
"""Limits are made anew when so much was learned again. s, too, stands between: a shift that has just begun must not widen its own limit."""
SUSPECT = 0.25
WAIT = 50.0
"""While the sum is beyond this share of its limit, so many values at most, the limits stay: a step looks like autocorrelation, and would
hide itself. They hold for whatever comes after they were made, so that waiting breaks no promise; everything is learned all the same."""
_NEAREST = 0.98
_HUGE = 1e70
_MEMORY = 400.0
_OVERSHOOT, _LAG = 1.166, 2.5
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


@numba.njit([types.float64(types.float64, types.float64)], **jit.options())
def ahead(phi, used):  # type: ignore[no-untyped-def]
    """By how many scores the limit is farther away than it looks. Independent steps pass it, and 0, by 0.583 of theirs. What is left
    correlated is a walk of independent steps less (phi - used) / ((1 - phi) sd) times the value: that is behind by 1.1 to 1.46 of its
    standard deviation at each end (1.46: the Milne problem). 2.5 for both: measured 2.2 to 3.1, the same at every limit (decision 14)."""
    away = max(phi - used, 0.0) / ((1.0 - phi) * math.sqrt(1.0 + used * used - 2.0 * used * phi))
    return _OVERSHOOT * math.sqrt(ratio(phi, used)) + _LAG * away


@numba.njit([types.float64(types.float64, types.float64, types.float64, types.float64, types.float64)], **jit.options())
def sum_rate(h, k, r, over, tail):  # type: ignore[no-untyped-def]
    """Alarms a value of the one-sided sum at limit h; `over`: of `ahead`; `tail`: excess kurtosis of a score (second term of Cramer's
    exponent)."""
    theta = 2.0 * k / r
    theta /= 1.0 + tail * theta * theta / 12.0
    x = min(theta * (h + over), 700.0)
    return 2.0 * k * k / r / max(math.exp(x) - x - 1.0, 1e-300)


@numba.njit([types.float64(types.float64, types.float64, types.float64)], **jit.options())
def wave_rate(width, w, r):  # type: ignore[no-untyped-def]
    """Alarms a value of the EWMA at limit `width`, in scores."""
    u = width / math.sqrt(r * w / (2.0 - w))
    if u < 1.0:
        return w
    return min(w * u * math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi) * math.exp(-0.583 * u * math.sqrt(2.0 * w)), w)


@numba.njit([types.float64(types.float64)], **jit.options())
def bias(phi):  # type: ignore[no-untyped-def]
    """How far too low n values tell the coefficient about a line, times n: Kendall's, and what it lacks near 1 (see `SCATTER`)."""
    return 2.0 + 4.0 * phi + 2.0 * max(phi, 0.0) ** 6


@numba.njit([types.UniTuple(_F, 3)(_F, _F, _F, _F)], **jit.options())  # type: ignore[no-untyped-call]
def middle(seen, freedom, prior, variance):  # type: ignore[no-untyped-def]
    """The arcsin of the coefficient that least squares saw as `seen` with so many degrees of freedom, its weight (1 / variance, 0: it tells
    nothing), and arcsin joined with the prior."""
    if freedom < 4.0:
        return 0.0, 0.0, prior
    own = seen
    for _ in range(3):
        own = max(min(seen + bias(own) / freedom, _NEAREST), -_NEAREST)
    told = freedom / ((1.0 + SHORT / freedom) * (1.0 + SHORT / freedom))
    return math.asin(own), told, (prior / variance + told * math.asin(own)) / (1.0 / variance + told)


@numba.njit([types.UniTuple(_F, 2)(_F, _F, _F, _F, _F, _F, _F, _F, _SETTINGS)], **jit.options())  # type: ignore[no-untyped-call]
def limits(seen, freedom, prior, variance, used, least, tail, k, settings):  # type: ignore[no-untyped-def]
    """LIMIT and WIDTH.

    Parameters
    ----------
    seen, freedom: coefficient by least squares and its degrees of freedom. prior, variance: arcsin of the coefficient before that.
    used: coefficient of the whitening. least: the smallest R, measured. tail: excess kurtosis. k: slack.
    """
    _, told, z = middle(seen, freedom, prior, variance)
    error, heavy, w = 1.0 / math.sqrt(1.0 / variance + told), max(HEAVY, freedom / 12.0), settings[WEIGHT]
    rs, overs, waves, scales, shares = np.empty(_STEPS), np.empty(_STEPS), np.empty(_STEPS), np.ones(_STEPS), np.zeros(_STEPS)
    for i in range(_STEPS):
        at = z + error * _REACH * (2.0 * i / (_STEPS - 1.0) - 1.0)
        phi = min(math.sin(min(max(at, -0.5 * math.pi), 0.5 * math.pi)), _NEAREST)
        r = ratio(phi, used)
        rs[i], overs[i] = max(r, least), ahead(phi, used)
        waves[i] = max(1.0 + (r - 1.0) * (1.0 - w) * (1.0 - phi) / (1.0 - phi * (1.0 - w)), least)
        if abs(at) <= 0.5 * math.pi or i == 0:
            shares[i] = math.exp(-0.5 * (at - prior) * (at - prior) / variance)
            if told > 0.0:
                # The line over the cuts took so much of what is left correlated out, less where that outlasts the cuts: s is too small.
                # Within 0.07 of what 6,000 draws had, n 30 to 300, phi 0.6 to 0.98.
                scales[i] = math.sqrt(1.0 - 2.0 * (r - 1.0) / (freedom + 4.0 * phi / (1.0 - phi)) if r > 1.0 else 1.0)
                deviation = math.sqrt((1.0 - phi * phi + SCATTER * phi * phi / freedom) / freedom)
                off = (seen - phi + bias(phi) / freedom) / deviation
                shares[i] *= math.pow(1.0 + off * off / heavy, -0.5 * (heavy + 1.0)) / deviation
    shares /= shares.sum()
    found = (0.0, 0.0)
    for chart in range(2):
        # The log of the rate falls with the limit: doubled until it is passed, then false position, the end that stays halved (Illinois: M.
        # Dowell and P. Jarratt, BIT 11 (1971) 168-174).
        low, high, over, under, side, at = 0.0, 2000.0 if chart == 0 else 20.0, 0.0, 0.0, 0, 0.0
        most = high
        for _ in range(200):
            rate = 0.0
            for i in range(_STEPS):
                fair = scales[i]
                one = sum_rate(at * fair, k * fair, rs[i], overs[i], tail) if chart == 0 else wave_rate(at * fair, w, waves[i])
                rate += shares[i] * min(one, 1.0)
            off = math.log(max(rate, 1e-300) * settings[RUN_LENGTH] / SHARES[chart])
            if abs(off) < 1e-10 or (off > 0.0 and at >= most) or (off < 0.0 and at <= 0.0):
                break
            if off > 0.0:
                low, over, under, side = at, off, under * (0.5 if side == 1 else 1.0), 1
            else:
                high, under, over, side = at, off, over * (0.5 if side == -1 else 1.0), -1
            at = low + (high - low) * over / (over - under) if under < 0.0 else min(max(2.0 * at, 0.002 * most), most)
        found = (at, 0.0) if chart == 0 else (found[0], at)
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
    seen = min(max(bn / bb, -0.95), 1.0) if bb > 0.0 else 0.0
    own, told, z = middle(seen, freedom if bb > 0.0 else 0.0, state[PRIOR, c], state[PRIOR_VARIANCE, c])
    if told > 0.0:
        state[OWN, c], state[TOLD, c] = own, told
    error = 1.0 / math.sqrt(1.0 / state[PRIOR_VARIANCE, c] + told)
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
    known = freedom if told > 0.0 else 0.0
    limit, width = limits(seen, known, state[PRIOR, c], state[PRIOR_VARIANCE, c], phi, least, tail, k, settings)
    if state[PEAKS, c] >= 20.0:
        # Peaks fall off by e in each 1 / theta: where they do so more slowly than R says, so far the limit is stretched.
        slower = state[EXCESS, c] * (1.0 - _SLACK_OF_HISTORY / math.sqrt(min(state[PEAKS, c], _MEMORY))) * 2.0 * k / state[RATIO, c]
        limit *= max(slower, 1.0)
    n = state[N, c] + state[OLD_N, c]
    strongest = max(STRONGEST, 2.0 * k + 0.5)
    blind = limit + k * WITHIN > strongest * (n * math.log1p(WITHIN / n) + phi / (1.0 - phi))
    state[LIMIT, c] = np.inf if blind else limit
    # A limit that comes down must not find the sum beyond it already.
    state[DOWN, c] = min(state[DOWN, c], SUSPECT * state[LIMIT, c])
    # The coefficient may be one standard error larger than it looks; a value varies by s² / (1 + phi² - 2 phi own).
    near = min(max(math.sin(min(z + error, 0.5 * math.pi)), 0.0), _NEAREST)
    values = freedom * (1.0 - near) / (1.0 + near)
    own = min(max(math.sin(min(z, 0.5 * math.pi)), 0.0), _NEAREST)
    deviation = state[SPREAD, c] / math.sqrt(1.0 + phi * phi - 2.0 * phi * own)
    gross = student(SHARES[2] / settings[RUN_LENGTH], values - 1.0) * math.sqrt(1.0 + 1.0 / max(values, 1.0))
    # One odd value dies away as the coefficient says, and must not look like `LASTS`: P(t > x) is 3 / x^4 of Student's t with 4 degrees of
    # freedom, whose variance is 2. What is left of it after four more values is most at a coefficient of 0.894.
    near = min(near, 0.894)
    odd = math.pow(3.0 * settings[RUN_LENGTH] / SHARES[2], 0.25) * math.sqrt(0.5 * (1.0 - near * near)) * near ** (LASTS - 1.0)
    state[GROSS, c] = max(gross, odd) * deviation
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
