"""Control charts that start themselves: Q-statistics, EWMA and two-sided CUSUM, many channels at once.

A chart with limits from five parts raises a false alarm in 42 % of operations within 100 parts (field.md 2.5). These charts need no such
limits: each new value is judged by the mean and the spread of those before it, as uncertain as so few make them.

SCORE: Q-statistic of D. M. Hawkins, "Self-starting CUSUM charts for location and scale", The Statistician 36 (1987) 299-315, and C. P.
    Quesenberry, "SPC Q charts for start-up processes and short or long runs", J. Quality Technology 23 (1991) 213-224. With mean m and
    standard deviation s (n - 1) of the n values learned, t = (x - m) / (s sqrt(1 + 1/n)) has Student's distribution with n - 1 degrees of
    freedom; SCORE is the normal value of the same probability. In control the scores are independent and standard normal from the third
    value on. s is at least `floor`, so that a coarse register that repeats itself does not make every step an alarm. From -37 to 37.
EWMA: Z_i = (1 - w) Z_(i-1) + w SCORE_i, divided by its own standard deviation at i, sqrt(w / (2 - w) (1 - (1 - w)^(2i))) (S. W. Roberts,
    Technometrics 1 (1959) 239-250; exact variance as in field.md 2.5): to be compared with L.
UP, DOWN: E. S. Page, Biometrika 41 (1954) 100-115: UP_i = max(0, UP_(i-1) + SCORE_i - k), DOWN_i = max(0, DOWN_(i-1) - SCORE_i - k): to be
    compared with h. UP_RUN and DOWN_RUN count the values since the sum left 0: where the change is thought to have begun.

State is one float64 array (FIELDS, channels), C order: saved and restored as its bytes. A value that is not finite, or beyond 1e150, is no
value: SCORE is NaN and nothing else changes. Whether a value is learned from is the caller's decision (not from suspicious cuts).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from drivers import jit

N, MEAN, M2, EWMA_SUM, EWMA_LEFT, CUSUM_UP, CUSUM_DOWN, UP_RUN, DOWN_RUN = range(9)
FIELDS = 9
"""Rows of the state: values learned, their mean, the sum of their squared deviations; the EWMA and (1 - w)^(2i); the two sums and how
long they have been above 0."""
SCORE, EWMA, UP, DOWN = range(4)
OUTPUTS = 4

FEWEST = 2
"""Values learned before the first score."""
_EXACT_BELOW = 30.0
"""Degrees of freedom from which Hill's series is within 2e-8 of the exact score up to |score| 6, and within 2e-5 up to 10."""
_LARGEST = 37.0
_HUGE = 1e150
_NEAR = 0.25
"""t^2 / degrees of freedom up to which the logarithm is a short series: all but one value in a hundred at 30 degrees, in 10^6 at 100."""
_TINY = 1e-280
"""A sum of squares below this has lost digits."""


_AS241 = np.array(
    (
        (
            3.3871328727963666080e0,
            1.3314166789178437745e2,
            1.9715909503065514427e3,
            1.3731693765509461125e4,
            4.5921953931549871457e4,
            6.7265770927008700853e4,
            3.3430575583588128105e4,
            2.5090809287301226727e3,
        ),
        (
            1.0,
            4.2313330701600911252e1,
            6.8718700749205790830e2,
            5.3941960214247511077e3,
            2.1213794301586595867e4,
            3.9307895800092710610e4,
            2.8729085735721942674e4,
            5.2264952788528545610e3,
        ),
        (
            1.42343711074968357734e0,
            4.63033784615654529590e0,
            5.76949722146069140550e0,
            3.64784832476320460504e0,
            1.27045825245236838258e0,
            2.41780725177450611770e-1,
            2.27238449892691845833e-2,
            7.74545014278341407640e-4,
        ),
        (
            1.0,
            2.05319162663775882187e0,
            1.67638483018380384940e0,
            6.89767334985100004550e-1,
            1.48103976427480074590e-1,
            1.51986665636164571966e-2,
            5.47593808499534494600e-4,
            1.05075007164441684324e-9,
        ),
        (
            6.65790464350110377720e0,
            5.46378491116411436990e0,
            1.78482653991729133580e0,
            2.96560571828504891230e-1,
            2.65321895265761230930e-2,
            1.24266094738807843860e-3,
            2.71155556874348757815e-5,
            2.01033439929228813265e-7,
        ),
        (
            1.0,
            5.99832206555887937690e-1,
            1.36929880922735805310e-1,
            1.48753612908506148525e-2,
            7.86869131145613259100e-4,
            1.84631831751005468180e-5,
            1.42151175831644588870e-7,
            2.04426310338993978564e-15,
        ),
    )
)
"""Coefficients of AS 241 (PPND16): numerator and denominator of its three ranges, lowest power first."""


@numba.njit([types.float64(types.float64, types.float64)], **jit.options())
def score(t, dof):  # type: ignore[no-untyped-def]
    """The normal value that is as probable as the value `t` of Student's distribution with `dof` degrees of freedom; -37 to 37.

    From 30 degrees on by G. W. Hill, "Algorithm 395: Student's t-distribution", CACM 13 (1970) 617-619, whose series gives the normal value
    directly. Below, the probability is summed: with y = t^2 / (dof + t^2) it is I_y(1/2, dof/2) in the middle and, so that small ones keep
    their digits, 1 - I_y = I_(1-y)(dof/2, 1/2) in the tails, by the series of positive terms I_y(a, b) = y^a (1-y)^b / (a B(a, b))
    F(a + b, 1; a + 1; y) (DLMF 8.17.8); then M. J. Wichura, "Algorithm AS 241", Applied Statistics 37 (1988) 477-484.
    """
    square = t * t
    if not square > 0.0:
        return 0.0
    if dof >= _EXACT_BELOW:
        a = dof - 0.5
        b = 48.0 * a * a
        y = min(a * np.log1p(square / dof), 2000.0)
        z = np.sqrt(y) * (((((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b) + y + 3.0) / b + 1.0)
    else:
        y = square / (dof + square) if square < 1e300 else 1.0
        left = dof / (dof + square)
        a = 0.5 * dof
        beta = math.lgamma(0.5) + math.lgamma(a) - math.lgamma(a + 0.5)
        middle = y < 0.5
        x, first = (y, 0.5) if middle else (left, a)
        term = 1.0
        total = 1.0
        k = 0.0
        while term > 1e-17 * total and k < 1000.0:
            term *= x * (a + 0.5 + k) / (first + 1.0 + k)
            total += term
            k += 1.0
        if left <= 0.0:
            return math.copysign(_LARGEST, t)
        share = np.exp(0.5 * np.log(y) + a * np.log(left) - beta) * total / first
        q = 0.5 * share if middle else 0.5 - 0.5 * share
        if q <= 0.425:
            r = 0.180625 - q * q
            part = 0
            scale = q
        else:
            tail = 0.5 - q if middle else 0.5 * share
            r = np.sqrt(-np.log(max(tail, 1e-300)))
            part = 2 if r <= 5.0 else 4
            r -= 1.6 if r <= 5.0 else 5.0
            scale = 1.0
        top = 0.0
        bottom = 0.0
        for i in range(7, -1, -1):
            top = top * r + _AS241[part, i]
            bottom = bottom * r + _AS241[part + 1, i]
        z = scale * top / bottom
    return math.copysign(min(z, _LARGEST), t)


@numba.njit([types.float64(types.float64, types.float64, types.float64)], **jit.options())
def _hill(square, below, dof):  # type: ignore[no-untyped-def]
    """|score| by Hill's series, of t^2 / dof = `square` / `below`, at most _NEAR; no call, no branch.

    log(1 + x) = 2 artanh(s) with s = x / (2 + x): nine terms of its series leave 1e-18 of it up to x = 1/4.
    """
    s = square / (2.0 * below + square)
    q = s * s
    series = 1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0 + q * (1.0 / 17.0)))
    series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * series))))
    a = dof - 0.5
    b = 48.0 * a * a
    y = min(2.0 * a * s * series, 2000.0)
    c = 0.8 * y * y + 100.0 + b
    # Hill's two divisions as one.
    return np.sqrt(y) * (((((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) + (y + 3.0) * c) / (c * b) + 1.0)


@numba.njit(
    [
        types.void(
            types.float64[:, ::1],
            types.Array(types.float64, 2, "C", readonly=True),
            types.Array(types.uint8, 2, "C", readonly=True),
            types.Array(types.float64, 1, "C", readonly=True),
            types.float64,
            types.float64,
            types.float64,
            types.float64[:, :, ::1],
        )
    ],
    **jit.options(),
)
def update(state, values, learn, floor, slack, weight, clip, out):  # type: ignore[no-untyped-def]
    """Take vectors of values in, the oldest first.

    Parameters
    ----------
    state: (FIELDS, channels), of `new`; changed in place.
    values: (n, channels); NaN where a channel has no value this time.
    learn: (n, channels) uint8; 0: the value is judged but mean and spread are left as they are.
    floor: (channels,), the smallest standard deviation believed, unit of the channel; 0: none.
    slack: k of the CUSUM, in standard deviations: half the shift that is to be found fastest. 0.5 with h = 5 has a run length of 465.
    weight: w of the EWMA, 0 to 1. 0.2 with L = 2.962 has a run length of 500.
    clip: the largest |score| that enters EWMA and CUSUM, so that one wild value does not make an alarm of its own; inf: none.
    out: (n, OUTPUTS, channels), is filled.
    """
    ns, means, m2s, sums, lefts = state[N], state[MEAN], state[M2], state[EWMA_SUM], state[EWMA_LEFT]
    ups, downs, up_runs, down_runs = state[CUSUM_UP], state[CUSUM_DOWN], state[UP_RUN], state[DOWN_RUN]
    decay = (1.0 - weight) * (1.0 - weight)
    settled = weight / (2.0 - weight)
    for i in range(values.shape[0]):
        row, wanted = values[i], learn[i]
        scores, ewmas, highs, lows = out[i, SCORE], out[i, EWMA], out[i, UP], out[i, DOWN]
        # Without a branch, so that many channels go through at a time; what that cannot judge is counted, and judged one by one below.
        others = 0
        for c in range(values.shape[1]):
            n = ns[c]
            deviation = row[c] - means[c]
            square = deviation * deviation
            below = max(m2s[c], floor[c] * floor[c] * (n - 1.0)) * (1.0 + 1.0 / n)
            z = min(_hill(square, below, n - 1.0), _LARGEST)
            judged = (abs(row[c]) <= _HUGE) & (n >= FEWEST)
            easy = (square <= _NEAR * below) & (below > _TINY) & (n > _EXACT_BELOW)
            others += 1 if judged & (not easy) else 0
            z = -z if deviation < 0.0 else z
            scores[c] = z if judged else np.nan
        if others > 0:
            for c in range(values.shape[1]):
                n = ns[c]
                deviation = row[c] - means[c]
                square = deviation * deviation
                below = max(m2s[c], floor[c] * floor[c] * (n - 1.0)) * (1.0 + 1.0 / n)
                judged = abs(row[c]) <= _HUGE and n >= FEWEST
                if judged and not (square <= _NEAR * below and below > _TINY and n > _EXACT_BELOW):
                    spread = max(np.sqrt(m2s[c] / (n - 1.0)), floor[c]) * np.sqrt(1.0 + 1.0 / n)
                    if spread > 0.0:
                        scores[c] = score(deviation / spread, n - 1.0)
                    else:
                        scores[c] = math.copysign(_LARGEST, deviation) if deviation != 0.0 else 0.0
        for c in range(values.shape[1]):
            z = scores[c]
            judged = z == z
            z = min(max(z, -clip), clip)
            had = sums[c]
            total = had + weight * (z - had)
            total = total if judged else had
            left_had = lefts[c]
            left = left_had * decay
            # Near 1e-308 a processor takes a hundred times as long, and there the power would stay.
            left = left if left > 1e-300 else 0.0
            left = left if judged else left_had
            up = max(0.0, ups[c] + z - slack)
            down = max(0.0, downs[c] - z - slack)
            up = up if judged else ups[c]
            down = down if judged else downs[c]
            up_run = up_runs[c] + 1.0 if up > 0.0 else 0.0
            down_run = down_runs[c] + 1.0 if down > 0.0 else 0.0
            sums[c] = total
            lefts[c] = left
            ups[c] = up
            downs[c] = down
            up_runs[c] = up_run if judged else up_runs[c]
            down_runs[c] = down_run if judged else down_runs[c]
            variance = settled * (1.0 - left)
            ewma = total / np.sqrt(variance)
            ewmas[c] = ewma if variance > 0.0 else 0.0
            highs[c] = up
            lows[c] = down
        for c in range(values.shape[1]):
            learned = (abs(row[c]) <= _HUGE) & (wanted[c] != 0)
            n, mean, m2 = ns[c], means[c], m2s[c]
            deviation = row[c] - mean
            now = mean + deviation / (n + 1.0)
            ns[c] = n + 1.0 if learned else n
            means[c] = now if learned else mean
            m2s[c] = m2 + deviation * (row[c] - now) if learned else m2


def new(channels: int) -> NDArray[np.float64]:
    """State of charts that know nothing yet."""
    state = np.zeros((FIELDS, channels))
    state[EWMA_LEFT] = 1.0
    return state


def restart(state: NDArray[np.float64], which: NDArray[np.bool_]) -> None:
    """Set EWMA and CUSUM of some channels back (after an alarm was dealt with); mean and spread stay."""
    state[EWMA_SUM:, which] = 0.0
    state[EWMA_LEFT, which] = 1.0


def forget(state: NDArray[np.float64], which: NDArray[np.bool_]) -> None:
    """Start some channels from nothing (new tool, new revision of the program)."""
    state[:, which] = 0.0
    state[EWMA_LEFT, which] = 1.0
