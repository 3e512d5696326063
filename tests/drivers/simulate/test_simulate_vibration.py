from __future__ import annotations

import numpy as np
import pytest

from drivers.simulate.state import Moment
from drivers.simulate.vibration import BPFO, CHUNK, RATE, SCALE, Vibration


def shake(seconds: float, rpm: float, work: float = 0.0, unbalance: float = 0.0, bearing: float = 0.0, speed: float = 1.0) -> np.ndarray:
    vibration = Vibration(9, speed)
    moments = [Moment(k + 1, rpm, work, 0.0, unbalance, bearing) for k in range(round(seconds * 100))]
    return np.concatenate([vibration.chunk(moments[i : i + CHUNK]) for i in range(0, len(moments), CHUNK)])


def line(x: np.ndarray, hertz: float) -> float:
    """Amplitude, g, of the strongest line within 1 Hz."""
    window = np.hanning(len(x))
    spectrum = np.abs(np.fft.rfft((x - x.mean()) * window)) / window.sum() * 2.0
    f = np.fft.rfftfreq(len(x), 1.0 / RATE)
    return float(spectrum[np.abs(f - hertz) < 1.0].max())


def test_samples_come_at_the_rate_of_the_sensor() -> None:
    assert shake(6.0, 0.0).shape == (40_002, 3)
    assert len(shake(6.0, 0.0, speed=4.0)) == pytest.approx(6667.0 * 1.5, abs=1)
    assert shake(1.0, 0.0).dtype == np.int16


def test_standstill_is_gravity_and_a_little_noise() -> None:
    g = shake(2.0, 0.0) * SCALE
    assert g.mean(0) == pytest.approx([0.0, 0.0, 1.0], abs=0.001)
    assert g.std(0) == pytest.approx([0.006] * 3, rel=0.05)


def test_unbalance_turns_with_the_spindle_and_grows_with_the_square_of_the_speed() -> None:
    at = {rpm: line(shake(3.0, rpm, unbalance=0.2)[:, 0] * SCALE, rpm / 60.0) for rpm in (1500.0, 3000.0)}
    assert at[3000.0] == pytest.approx(0.22, rel=0.03)
    assert at[3000.0] / at[1500.0] == pytest.approx(4.0, rel=0.05)


def test_faster_than_life_the_spindle_still_turns_as_its_register_says() -> None:
    assert line(shake(8.0, 3000.0, unbalance=0.2, speed=4.0)[:, 0] * SCALE, 50.0) == pytest.approx(0.22, rel=0.03)


def test_cutting_grows_with_the_load() -> None:
    light, heavy = (shake(1.0, 2400.0, work)[:, 0].std() * SCALE for work in (20.0, 40.0))
    assert heavy == pytest.approx(0.15, rel=0.1)
    assert heavy / light == pytest.approx(2.0, rel=0.1)


def test_bearing_rings_at_the_ball_pass_frequency() -> None:
    x = shake(4.0, 2400.0, bearing=1.0)[:, 0] * SCALE
    spectrum = np.fft.rfft(x - x.mean())
    f = np.fft.rfftfreq(len(x), 1.0 / RATE)
    band = np.where((f > 2000.0) & (f < 3000.0), spectrum, 0.0)
    analytic = np.fft.ifft(np.concatenate([2.0 * band, np.zeros(len(x) - len(band))]))
    envelope = np.abs(analytic) ** 2
    outer = BPFO * 40.0
    assert line(envelope, outer) > 5.0 * max(line(envelope, outer * share) for share in (0.7, 0.8, 1.2, 1.3))
    kurtosis = float(np.mean((x - x.mean()) ** 4) / x.var() ** 2)
    assert kurtosis > 5.0
    assert abs(BPFO - 5.75) < 0.01


def test_deterministic_and_within_16_bits() -> None:
    one, two = shake(1.0, 2400.0, 30.0, 1.0, 8.0), shake(1.0, 2400.0, 30.0, 1.0, 8.0)
    assert np.array_equal(one, two)
    assert np.abs(one.astype(int)).max() <= 32768
