"""Figures of a block of vibration: against a slow twin, and against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.kernels import vibration as kernel
from agent.kernels.vibration import Meter
from tests.naive.spectrum import spectrum as naive_spectrum
from tests.naive.vibration import figures as naive

NAMES = ("mean", "rms", "peak", "crest", "kurtosis", "skewness", "velocity", "line", "saturated")
FLAGS = {name: getattr(kernel, name) for name in ("RATE_LOW", "SHORT", "CLIPPED", "STUCK", "NOT_FINITE", "NO_LINE")}


def flags_of(bits: int) -> frozenset[str]:
    return frozenset(name for name, bit in FLAGS.items() if bits & bit)


def agree(block: np.ndarray, scale: float = 1e-3, rate: float = 6667.0, speed: float = 3000.0, limit: float = math.inf) -> None:
    """Both are taken from the same block; the kernel's samples are float32 from the transform on."""
    figures, validity = Meter().measure(block, scale, rate, speed, limit)
    expected = naive(block, scale, rate, speed, limit)
    for mine, bits, slow in zip(figures, validity.tolist(), expected, strict=True):
        assert flags_of(bits) == slow["flags"]
        for name, value in zip(NAMES, mine.tolist(), strict=True):
            assert value == pytest.approx(slow[name], rel=2e-5, abs=_rounding(name, slow), nan_ok=True), name


def _rounding(name: str, slow: dict[str, float]) -> float:
    """What single precision may leave of nothing: some figures are differences of large sums, and the transform knows seven digits."""
    if name == "mean":
        return 2e-5 * max(abs(slow["mean"]), slow["peak"])
    if name in ("velocity", "line"):
        return 1e-6 * slow["rms"] * 9806.65 / (2 * math.pi * 10) + 1e-300
    return 2e-5 if name == "skewness" else 1e-300


RNG = np.random.default_rng(20250331)
N = 1024
T = np.arange(N)[:, None]
SHAPES = {
    "random": RNG.normal(size=(N, 3)) * 900,
    "uniform": RNG.uniform(-32000, 32000, size=(N, 3)),
    "sine": 8000 * np.sin(2 * np.pi * T * np.array([[0.01, 0.02, 0.31]])),
    "step": np.where(T < 400, -1000.0, 2500.0) * np.ones((1, 3)),
    "impulse": np.where(T == 300, 20000.0, 0.0) * np.ones((1, 3)),
    "gravity": 16384 + RNG.normal(size=(N, 3)) * 3,
    "saturated": np.clip(RNG.normal(size=(N, 3)) * 30000, -32768, 32767),
    "constant": np.full((N, 3), 1234.0),
    "zero": np.zeros((N, 3)),
    "one axis stuck": RNG.normal(size=(N, 3)) * np.array([[900, 0, 10]]),
}


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_slow_twin(shape: str, kind: type) -> None:
    agree(np.ascontiguousarray(SHAPES[shape].astype(kind)))


@pytest.mark.parametrize("samples", [0, 1, 2, 3, 7, 64, 1000, 4096, 8192])
@pytest.mark.parametrize("axes", [1, 2, 3, 4, 5, 9])
def test_any_length_and_any_number_of_axes(samples: int, axes: int) -> None:
    block = (RNG.normal(size=(samples, axes)) * 900).astype(np.int16)
    figures, validity = Meter().measure(block, 1e-3, 6667.0)
    assert figures.shape == (axes, kernel.FIGURES)
    if samples != 2:  # the window of two samples is 0, 1: both have no transform worth comparing
        agree(block, speed=math.nan)
    if samples <= 1:
        assert (validity & kernel.SHORT).all()


@pytest.mark.parametrize("size", [1e-45, 1e-41, 1e-38, 1e-20, 1.0, 1e20, 3e38])
def test_floats_of_every_size(size: float) -> None:
    """Denormal samples and the largest ones: they are divided by their peak before the transform."""
    agree((RNG.uniform(-1, 1, size=(512, 3)) * size).astype(np.float32), scale=1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_sample_that_is_not_finite_spoils_its_axis_alone(bad: float) -> None:
    block = RNG.normal(size=(512, 3)).astype(np.float32)
    good, _ = Meter().measure(block, 1.0, 6667.0)
    block[100, 1] = bad
    figures, validity = Meter().measure(block, 1.0, 6667.0)
    assert np.isnan(figures[1]).all()
    assert validity[1] & kernel.NOT_FINITE
    assert np.array_equal(figures[[0, 2]], good[[0, 2]], equal_nan=True)
    assert not (validity[[0, 2]] & kernel.NOT_FINITE).any()
    agree(block, scale=1.0)


def test_the_edge_of_the_band_within_the_last_bin() -> None:
    """Which is half as wide as the others, so that twice as large a share of it lies inside."""
    agree(np.array([[1], [0], [1], [1]], dtype=np.int16), rate=2106.0)


@settings(max_examples=60, deadline=None)
@given(block=hnp.arrays(np.int16, st.tuples(st.integers(3, 80), st.integers(1, 4))), rate=st.sampled_from([100.0, 2106.0, 26667.0]))
def test_any_counts(block: np.ndarray, rate: float) -> None:
    agree(block, rate=rate, speed=60.0 * rate / 9.7)  # never half way between two bins


@settings(max_examples=60, deadline=None)
@given(block=hnp.arrays(np.float32, st.tuples(st.integers(3, 80), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32)))
def test_any_floats(block: np.ndarray) -> None:
    """The mean is told within the rounding of the samples; where hardly anything but that is left there is nothing to compare."""
    spread = np.ptp(block.astype(np.float64), axis=0)
    assume(not ((spread > 0) & (spread < 1e-9 * np.abs(block).max(axis=0))).any())
    agree(block, speed=math.nan)


# ---- worked out by hand


def tone(frequency: float, peak: float, rate: float = 6667.0, n: int = 4096, phase: float = 0.3) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * frequency * np.arange(n) / rate + phase))[:, None].astype(np.float32)


def test_100_hz_of_1_g_is_15_6_mm_per_s() -> None:
    """Velocity = acceleration / (2 pi f): 9806.65 / (2 pi 100) = 15.608 mm/s peak, 11.036 mm/s RMS."""
    (figures,), (validity,) = Meter().measure(tone(100.0, 1.0), 1.0, 6667.0, 6000.0)
    assert figures[kernel.VELOCITY] == pytest.approx(9806.65 / (2 * np.pi * 100) / np.sqrt(2), rel=1e-3)
    assert figures[kernel.LINE] == pytest.approx(9806.65 / (2 * np.pi * 100), rel=1e-3)
    assert round(float(figures[kernel.VELOCITY]), 2) == 11.04
    assert round(float(figures[kernel.LINE]), 1) == 15.6
    assert validity == 0


@pytest.mark.parametrize(("frequency", "samples"), [(12.0, 8192), (15.0, 4096), (25.0, 4096), (160.0, 4096), (500.0, 4096), (950.0, 4096)])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_tones_within_the_band_within_two_percent(frequency: float, samples: int, offset: float) -> None:
    """Nearer to an edge than two steps of the transform a part of a line falls outside: a longer block has smaller steps."""
    step = 6667.0 / samples
    exact = (round(frequency / step) + offset) * step
    (figures,), _ = Meter().measure(tone(exact, 0.1, n=samples), 1.0, 6667.0, exact * 60)
    expected = 980.665 / (2 * np.pi * exact)
    assert figures[kernel.VELOCITY] == pytest.approx(expected / np.sqrt(2), rel=0.02)
    assert figures[kernel.LINE] == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("frequency", [2.0, 5.0, 1010.0, 2000.0])
def test_tones_outside_the_band_do_not_count(frequency: float) -> None:
    (figures,), _ = Meter().measure(tone(frequency, 0.1), 1.0, 6667.0)
    assert figures[kernel.VELOCITY] < 0.02 * 980.665 / (2 * np.pi * frequency)


def test_whole_periods_of_a_sine() -> None:
    samples = np.sin(2 * np.pi * 16 * np.arange(4096) / 4096)[:, None].astype(np.float32)
    (figures,), _ = Meter().measure(samples, 1.0, 6667.0)
    assert figures[kernel.RMS] == pytest.approx(np.sqrt(0.5), rel=1e-6)
    assert figures[kernel.CREST] == pytest.approx(np.sqrt(2), rel=1e-6)
    assert figures[kernel.KURTOSIS] == pytest.approx(1.5, rel=1e-6)
    assert figures[kernel.SKEWNESS] == pytest.approx(0.0, abs=1e-6)


def test_noise_is_told_with_kurtosis_3_and_its_velocity_by_parseval() -> None:
    """White noise of variance s^2 has the density 2 s^2 / rate; its velocity from 10 to 1000 Hz is the integral of that over (2 pi f)^2."""
    rate, n, blocks = 6667.0, 4096, 200
    rng = np.random.default_rng(5)
    meter = Meter()
    told = np.array([meter.measure(rng.normal(size=(n, 3)).astype(np.float32), 1.0, rate)[0].copy() for _ in range(blocks)])
    expected = 2 / rate / (4 * np.pi**2) * (1 / 10 - 1 / 1000) * 9806.65**2
    assert np.mean(told[:, :, kernel.VELOCITY] ** 2) == pytest.approx(expected, rel=0.04)
    assert np.mean(told[:, :, kernel.KURTOSIS]) == pytest.approx(3.0, abs=0.02)
    assert np.mean(told[:, :, kernel.RMS] ** 2) == pytest.approx(1.0, rel=0.01)


def test_all_energy_is_in_the_band_of_a_signal_that_lies_within_it() -> None:
    """Parseval: the transform of the velocity holds what the velocity itself holds, window and its correction included."""
    rate, n = 6667.0, 8192
    rng = np.random.default_rng(6)
    moments = np.arange(n) / rate
    lines = [(rng.uniform(30, 900), rng.uniform(0.05, 0.5), rng.uniform(0, 2 * np.pi)) for _ in range(40)]
    acceleration = sum(a * np.sin(2 * np.pi * f * moments + p) for f, a, p in lines)
    velocity = sum(-a * 9806.65 / (2 * np.pi * f) * np.cos(2 * np.pi * f * moments + p) for f, a, p in lines)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    expected = np.sqrt(np.sum((window * velocity) ** 2) / np.sum(window**2))
    (figures,), _ = Meter().measure(np.asarray(acceleration, dtype=np.float32)[:, None], 1.0, rate)
    assert figures[kernel.VELOCITY] == pytest.approx(expected, rel=0.002)


def test_gravity_does_not_reach_the_figures() -> None:
    still, _ = Meter().measure(tone(100.0, 0.1), 1.0, 6667.0)
    tilted, _ = Meter().measure(tone(100.0, 0.1) + np.float32(1.0), 1.0, 6667.0)
    assert tilted[0, kernel.MEAN] - still[0, kernel.MEAN] == pytest.approx(1.0, rel=1e-6)
    assert tilted[0, kernel.RMS : kernel.SATURATED] == pytest.approx(still[0, kernel.RMS : kernel.SATURATED], rel=1e-4, nan_ok=True)


def test_mass_and_sign_of_the_speed_do_not_matter() -> None:
    meter = Meter()
    forward = meter.measure(tone(50.0, 1.0), 1.0, 6667.0, 3000.0)[0].copy()
    assert np.array_equal(forward, meter.measure(tone(50.0, 1.0), 1.0, 6667.0, -3000.0)[0])


@pytest.mark.parametrize(
    ("rate", "samples", "speed", "flag"),
    [
        (2105.0, 4096, math.nan, "RATE_LOW"),
        (2106.0, 4096, math.nan, ""),
        (26700.0, 4096, math.nan, "SHORT"),
        (10240.0, 4096, math.nan, ""),
        (6667.0, 4096, 60.0, "NO_LINE"),
        (6667.0, 4096, 6667 / 2.56 * 60 + 60, "NO_LINE"),
        (6667.0, 4096, 12000.0, ""),
    ],
)
def test_validity(rate: float, samples: int, speed: float, flag: str) -> None:
    block = (RNG.normal(size=(samples, 2)) * 900).astype(np.int16)
    _, validity = Meter().measure(block, 1e-3, rate, speed)
    assert [flags_of(bits) for bits in validity.tolist()] == [frozenset({flag} - {""})] * 2


def test_clipping_below_full_scale() -> None:
    """A sensor whose counts end at 16000 says so by `limit`."""
    block = np.clip(RNG.normal(size=(4096, 1)) * 12000, -16000, 16000).astype(np.int16)
    (figures,), (validity,) = Meter().measure(block, 1.0, 6667.0, limit=16000)
    assert flags_of(validity) == {"CLIPPED"}
    assert figures[kernel.SATURATED] == np.mean(np.abs(block) >= 16000)
    assert Meter().measure(block, 1.0, 6667.0)[1].tolist() == [0]


def test_samples_that_may_not_be_written_to() -> None:
    """As they come from a mapped file or from received bytes."""
    block = (RNG.normal(size=(256, 3)) * 900).astype(np.int16)
    expected, _ = Meter().measure(block, 1.0, 6667.0)
    received = np.frombuffer(block.tobytes(), np.int16).reshape(-1, 3)
    assert not received.flags.writeable
    figures, _ = Meter().measure(received, 1.0, 6667.0)
    assert np.array_equal(figures, expected, equal_nan=True)


def test_samples_in_any_order_in_memory_but_of_two_types_only() -> None:
    block = (RNG.normal(size=(256, 3)) * 900).astype(np.int16)
    expected = Meter().measure(block, 1.0, 6667.0)[0]
    assert np.array_equal(Meter().measure(np.asfortranarray(block), 1.0, 6667.0)[0], expected, equal_nan=True)
    with pytest.raises(TypeError):
        Meter().measure(block.astype(np.int32), 1.0, 6667.0)


def test_one_meter_measures_blocks_of_any_shape_in_turn() -> None:
    meter = Meter()
    blocks = [(RNG.normal(size=shape) * 900).astype(np.int16) for shape in ((512, 3), (64, 1), (512, 3), (0, 3), (512, 3))]
    for block in blocks:
        fresh = Meter().measure(block, 1.0, 6667.0)[0]
        assert np.array_equal(meter.measure(block, 1.0, 6667.0)[0], fresh, equal_nan=True)


def test_bands_hold_what_lies_in_them() -> None:
    """A tone of 0.5 g at 200 Hz, one of 0.1 g at 2000 Hz: 0.5 / sqrt(2) and 0.1 / sqrt(2); together Parseval's sum."""
    samples = tone(200.0, 0.5) + tone(2000.0, 0.1)
    (figures,), _ = Meter(((10.0, 1000.0), (1000.0, 3000.0), (10.0, 3333.5))).measure(samples, 1.0, 6667.0)
    low, high, whole = figures[kernel.BANDS :].tolist()
    assert (low, high) == (pytest.approx(0.5 / np.sqrt(2), rel=1e-3), pytest.approx(0.1 / np.sqrt(2), rel=1e-3))
    assert whole == pytest.approx(math.hypot(0.5, 0.1) / np.sqrt(2), rel=1e-3)
    assert np.array_equal(figures[: kernel.FIGURES], Meter().measure(samples, 1.0, 6667.0)[0][0], equal_nan=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_bands_agree_with_those_of_a_record(shape: str) -> None:
    """tests/naive/spectrum.py shares no code with either."""
    bands = ((0.0, 500.0), (500.0, 3333.5), (3333.0, 5000.0), (20.0, 20.5))
    block = SHAPES[shape].astype(np.float32)
    figures, _ = Meter(bands).measure(block, 1.0, 6667.0)
    for axis in range(3):
        slow, _ = naive_spectrum([float(x) for x in block[:, axis]], 6667.0, math.nan, 0, math.inf, (200.0, 3000.0), list(bands))
        assert figures[axis, kernel.BANDS :].tolist() == pytest.approx(slow[9:], rel=2e-5, abs=2e-6 * slow[8])
