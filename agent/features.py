"""Figures of a block of vibration, as a noun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
