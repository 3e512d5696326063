"""Figures of a block of vibration, as a noun."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.kernels import vibration
from drivers.model import Waveform


@dataclass(frozen=True, slots=True)
class VibrationFigures:
    """Of one block, of its worst axis each.

    Attributes
    ----------
    velocity_rms: mm/s, 10-1000 Hz; None where the block cannot give it.
    acceleration_rms, peak: g, mean removed.
    crest: peak / RMS. kurtosis: Pearson, 3 for Gaussian.
    validity: '' or a key under [reason]: why some figures may not be believed.
    """

    velocity_rms: float | None
    acceleration_rms: float
    peak: float
    crest: float
    kurtosis: float
    validity: str


REASONS = (
    (vibration.NOT_FINITE, "sensor_bad"),
    (vibration.STUCK, "stuck"),
    (vibration.CLIPPED, "saturated"),
    (vibration.RATE_LOW, "rate_too_low"),
    (vibration.SHORT, "record_too_short"),
)
"""Bits of the kernel's validity, the worst first, and their keys under [reason]."""
NO_VELOCITY = vibration.NOT_FINITE | vibration.STUCK | vibration.RATE_LOW | vibration.SHORT


def vibration_figures(meter: vibration.Meter, wave: Waveform, rpm: float) -> VibrationFigures:
    """Figures of a block; `rpm` of its spindle, NaN when it stands or is not known. The largest of its axes each."""
    scale = wave.scale / vibration.G if wave.unit == "m/s2" else wave.scale
    figures, validity = meter.measure(np.ascontiguousarray(wave.samples), scale, wave.rate, rpm)
    bits = int(np.bitwise_or.reduce(validity)) if len(validity) else vibration.SHORT
    worst = np.max(figures, axis=0)
    return VibrationFigures(
        velocity_rms=None if bits & NO_VELOCITY else float(worst[vibration.VELOCITY]),
        acceleration_rms=float(worst[vibration.RMS]),
        peak=float(worst[vibration.PEAK]),
        crest=float(worst[vibration.CREST]),
        kurtosis=float(worst[vibration.KURTOSIS]),
        validity=next((reason for bit, reason in REASONS if bits & bit), ""),
    )


CONDITION = ("rms", "peak", "kurtosis", "velocity", "band_1", "band_2", "band_3", "band_4", "envelope")
"""Of each axis, what `condition_figures` gives."""
BANDS = (0.0, 1.0 / 25.6, 2.5 / 25.6, 5.0 / 25.6, 1.0 / 2.56)
"""Edges of the bands as shares of the rate: at 25.6 kHz 1, 2.5, 5 and 10 kHz; above rate / 2.56 nothing is believed."""
_LEAST = 1e-9


def condition_figures(samples: NDArray[np.float64], rate: float) -> list[float]:
    """Natural logarithms of what changes while a spindle's condition does, axis after axis, in the order of `CONDITION`.

    RMS, peak (g), kurtosis (Pearson), velocity (mm/s RMS, 10 to 1000 Hz), RMS in the bands (g), and the relative spread of the squared
    envelope of the upper band, which strikes raise while the level still does not (Randall and Antoni, MSSP 25 (2011) 485-520). Only
    compared with themselves: no window, so that lines leak in the same way each time.

    Parameters
    ----------
    samples: (n, axes) g. rate: Hz.
    """
    n, axes = samples.shape
    out: list[float] = []
    frequency = np.fft.rfftfreq(n, 1.0 / rate)
    audible = (frequency >= vibration.LOWEST) & (frequency <= vibration.HIGHEST)
    edges = [round(edge * n) for edge in BANDS]
    for a in range(axes):
        x = samples[:, a] - float(np.mean(samples[:, a]))
        square = x * x
        rms = float(np.sqrt(np.mean(square)))
        spectrum = np.fft.rfft(x)
        power = 2.0 * np.abs(spectrum) ** 2 / (n * n)
        velocity = vibration.G * 1000.0 * math.sqrt(float((power[audible] / (2.0 * math.pi * frequency[audible]) ** 2).sum()))
        kurtosis = float(np.mean(square * square)) / rms**4 if rms > 0.0 else 3.0
        bands = [math.sqrt(float(power[max(low, 1) : high].sum())) for low, high in itertools.pairwise(edges)]
        inside = np.zeros(2 * (edges[4] - edges[3]), dtype=np.complex128)
        inside[: edges[4] - edges[3]] = spectrum[edges[3] : edges[4]]
        envelope = np.abs(np.fft.ifft(inside)) ** 2
        mean = float(envelope.mean())
        spread = float(envelope.std()) / mean if mean > 0.0 else 1.0
        out.extend(math.log(max(value, _LEAST)) for value in (rms, float(np.max(np.abs(x))), kurtosis, velocity, *bands, spread))
    return out
