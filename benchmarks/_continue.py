"""Many operations with drift charts, cut by cut, in one compiled loop: what `benchmarks.run_lengths` counts with.

A rare alarm is counted by splitting (RESTART: M. and J. Villén-Altamirano, 13th International Teletraffic Congress, 1991): where the level
of a chart passes one of `levels` upwards, the operation goes on in `copies` ways, each of which counts one `copies`-th; of these all but
one end where the level falls below it again. Whatever the levels and the copies are, the expected count is that of plain counting
(`levels` empty): they only decide how widely it scatters.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from agent.detect import drift_state
from agent.detect.drift import AMONG
from agent.kernels import drift
from drivers import jit

MEAN, SD = 4.0, 0.05
"""log(work) of an operation that repeats within 5 %."""
BEFORE = 100
"""Cuts thrown away first: the process forgets where it began."""
DEPTH = 256
"""Operations that wait to go on: where one passes all levels at once, as many as the copies multiplied."""
Split = tuple[tuple[float, int], ...]
"""Levels and copies, the lowest first."""

_update = drift.update
_EVENT, _DOWN, _WAVE, _LIMIT, _WIDTH = drift.EVENT, drift.DOWN, drift.WAVE, drift.LIMIT, drift.WIDTH
_FIELDS, _OUTPUTS = drift.FIELDS, drift.OUTPUTS


@numba.njit(**jit.options())
def _next(rng, phi, heavy, at):  # type: ignore[no-untyped-def]
    """The next value of an AR(1) process of variance 1; `heavy`: Student's t with 4 degrees of freedom for the innovations."""
    noise = rng.standard_normal()
    if heavy:
        # A quarter of chi-square with 4 degrees of freedom is half a sum of two exponential ones; t has the variance 2.
        noise /= math.sqrt(0.5 * (rng.standard_exponential() + rng.standard_exponential())) * math.sqrt(2.0)
    return phi * at + math.sqrt(1.0 - phi * phi) * noise


@numba.njit(**jit.options())
def _fill(rng, phi, heavy, values):  # type: ignore[no-untyped-def]
    for lane in range(values.shape[0]):
        at = 0.0
        for _ in range(BEFORE):
            at = _next(rng, phi, heavy, at)
        for i in range(values.shape[1]):
            at = _next(rng, phi, heavy, at)
            values[lane, i] = MEAN + SD * at


@numba.njit(**jit.options())
def teach(rng, phi, heavy, cuts, settings, states, ats):  # type: ignore[no-untyped-def]
    """So many good cuts of each of the `states` (operations, FIELDS, 1); `ats` (operations,): where its process stands."""
    values, wider = np.empty((cuts, 1)), np.ones(1)
    out, learn = np.empty((cuts, _OUTPUTS, 1)), np.ones((cuts, 1), np.uint8)
    for lane in range(states.shape[0]):
        at = 0.0
        for _ in range(BEFORE):
            at = _next(rng, phi, heavy, at)
        for i in range(cuts):
            at = _next(rng, phi, heavy, at)
            values[i, 0] = MEAN + SD * at
        _update(states[lane], values, learn, settings, wider, out)
        ats[lane] = at


@numba.njit(**jit.options())
def go_on(rng, phi, heavy, cuts, shift, settings, states, ats, levels, copies, alarms, first):  # type: ignore[no-untyped-def]
    """So many cuts more of each of the `states`, which stay as they are.

    Parameters
    ----------
    shift: fall of all of them, in standard deviations of a value. levels, copies: of the splitting, ascending.
    alarms: (operations,), is added to. first: (operations,): cuts to the first alarm (without splitting), else inf.
    """
    depth = len(levels)
    one, value, learn, out = np.ones(1), np.empty((1, 1)), np.ones((1, 1), np.uint8), np.empty((1, _OUTPUTS, 1))
    waiting = np.empty((DEPTH, _FIELDS, 1))
    where = np.empty((DEPTH, 4))
    weights = np.ones(depth + 1)
    for i in range(depth):
        weights[i + 1] = weights[i] / copies[i]
    for lane in range(states.shape[0]):
        waiting[0] = states[lane]
        where[0, 0], where[0, 1], where[0, 2], where[0, 3] = ats[lane], 0.0, 0.0, 0.0
        left = 1
        first[lane] = np.inf
        while left:
            left -= 1
            state = waiting[left].copy()
            at, time, region, born = where[left, 0], int(where[left, 1]), int(where[left, 2]), int(where[left, 3])
            while time < cuts:
                at = _next(rng, phi, heavy, at)
                value[0, 0] = MEAN + SD * (at - shift)
                _update(state, value, learn, settings, one, out)
                time += 1
                if out[0, _EVENT, 0] > 0.0:
                    alarms[lane] += weights[region]
                    first[lane] = min(first[lane], time)
                if depth == 0:
                    continue
                level = max(state[_DOWN, 0] / state[_LIMIT, 0], state[_WAVE, 0] / state[_WIDTH, 0])
                now = 0
                while now < depth and level >= levels[now]:
                    now += 1
                if now < born:
                    break
                if now > region:
                    # It waits below its copies: these are done before it goes on, so that few wait.
                    many = 1
                    for into in range(region, now):
                        new = many * (copies[into] - 1) + (1 if into == region else 0)
                        for one_more in range(new):
                            ends = born if into == region and one_more == 0 else into + 1
                            waiting[left] = state
                            where[left, 0], where[left, 1], where[left, 2], where[left, 3] = at, time, now, ends
                            left += 1
                        many *= copies[into]
                    break
                region = now


def process(rng: np.random.Generator, phi: float, lanes: int, cuts: int, *, heavy: bool) -> NDArray[np.float64]:
    """Values of so many operations, (lanes, cuts)."""
    values = np.empty((lanes, cuts))
    _fill(rng, phi, heavy, values)
    return values


class Operations:
    """Operations that have learned from so many good cuts each, and may go on from there again and again."""

    def __init__(
        self,
        rng: np.random.Generator,
        phi: float,
        settings: NDArray[np.float64],
        lanes: int,
        cuts: int,
        *,
        heavy: bool,
        others: int = 0,
    ) -> None:
        self._rng, self._phi, self._heavy, self._settings = rng, phi, heavy, settings
        self._states = np.repeat(drift_state.new(1)[None], lanes, axis=0)
        if others:
            self._states[:, drift.PRIOR, 0] = math.asin(phi)
            self._states[:, drift.PRIOR_VARIANCE, 0] = AMONG / others
        self._ats = np.empty(lanes)
        teach(rng, phi, heavy, cuts, settings, self._states, self._ats)

    def alarms(self, cuts: int, split: Split = (), ways: int = 1) -> NDArray[np.float64]:
        """Alarms of each in so many cuts: the mean over so many ways to go on."""
        found = np.zeros(len(self._ats))
        for _ in range(ways):
            found += self._go_on(cuts, 0.0, split)[0]
        return found / ways

    def delays(self, cuts: int, shift: float) -> NDArray[np.float64]:
        """Cuts of each until a fall of so many standard deviations is told; inf: not within `cuts`."""
        return self._go_on(cuts, shift, ())[1]

    def _go_on(self, cuts: int, shift: float, split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        levels, copies = np.array([level for level, _ in split], np.float64), np.array([n for _, n in split], np.int64)
        found, first = np.zeros(len(self._ats)), np.empty(len(self._ats))
        go_on(self._rng, self._phi, self._heavy, cuts, shift, self._settings, self._states, self._ats, levels, copies, found, first)
        return found, first
