"""Numbers that are the same to the last bit on every processor: whole numbers of a seeded generator, and + - x / of them. No sine, no
logarithm: their last digit is a matter of the library, and what is compared is our kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WILD = (np.nan, np.inf, -np.inf, 1e200, -1e200, 5e-324, 0.0)


def noise(seed: int, *shape: int) -> NDArray[np.float64]:
    """Sums of four even ones: nearly normal, standard deviation 1.15."""
    whole = np.random.Generator(np.random.PCG64(seed)).integers(-(2**20), 2**20, (4, *shape))
    return np.asarray(whole.sum(axis=0) / 2**20)


def spoiled(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """One value in eight is a wild one, the first column has nothing else and a fifth of the rows are NaN at the end."""
    chance = np.random.Generator(np.random.PCG64(seed))
    wild = np.array(WILD)[chance.integers(0, len(WILD), values.shape)]
    told = np.where(chance.integers(0, 8, values.shape) == 0, wild, values)
    told[..., 0] = wild[..., 0]
    told[len(told) - len(told) // 5 :] = np.nan
    return told


def table(seed: int, rows: int, channels: int, *, broken: bool) -> NDArray[np.float64]:
    """(rows, channels), at least 5 channels: noise that jumps, drifts, stands still, lies far from 0 and changes its width."""
    values = noise(seed, rows, channels)
    at = np.arange(rows)
    values[:, 0] += np.where(at >= rows // 2, 3.0, 0.0)
    values[:, 1] += at * (4.0 / rows)
    values[:, 2] = 7.25
    values[:, 3] += 1000.0
    values[:, 4] *= np.where(at % (rows // 3) < rows // 6, 1.0, 6.0)
    return spoiled(values, seed + 1) if broken else values


def arc(samples: int, step: int) -> NDArray[np.float64]:
    """A tone that is made of parabolas: `step` / 65536 turns a sample, peak 1. It has odd harmonics as 1 / n^3."""
    turn = (np.arange(samples, dtype=np.int64) * step) % 65536
    half = (turn % 32768) / 32768
    return np.asarray(np.where(turn < 32768, 4.0, -4.0) * half * (1.0 - half))


def wave(seed: int, samples: int, axes: int) -> NDArray[np.float64]:
    """(samples, axes) g: two tones, noise and an offset; each axis another mixture."""
    told = 0.05 * noise(seed, samples, axes)
    for axis in range(axes):
        told[:, axis] += arc(samples, 100 + 61 * axis) + 0.3 * arc(samples, 4000 + 977 * axis) + 0.5 * axis
    return told
