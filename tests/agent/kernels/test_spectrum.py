"""Lines and bands of a record: against a slow twin, and against what can be worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from agent.kernels import spectrum as kernel
from agent.kernels.decimate import Record
from agent.kernels.spectrum import Spectrum
from tests.naive.spectrum import spectrum as naive

FLAGS = {name: getattr(kernel, name) for name in ("SHORT", "NO_SPEED", "NO_TOOTH", "NO_COMB", "CLIPPED", "STUCK", "NOT_FINITE")}
BANDS = ((10.0, 100.0), (150.3, 799.1), (0.0, 1e6))
CHATTER = (200.0, 900.0)
RATE, N = 2560.0, 3072
RNG = np.random.default_rng(20)
T = np.arange(N) / RATE


def flags_of(bits: int) -> set[str]:
    return {name for name, bit in FLAGS.items() if bits & bit}


def sines(*lines: tuple[float, float], n: int = N, rate: float = RATE) -> np.ndarray:
    """Of (frequency, g peak)."""
    moments = np.arange(n) / rate
    return sum((a * np.sin(2 * np.pi * f * moments + f) for f, a in lines), np.zeros(n))


SHAPES = {
    "random": RNG.normal(size=N),
    "turning": sines((30.4, 0.3), (60.8, 0.5), (91.2, 0.2), (243.2, 0.4)) + 0.05 * RNG.normal(size=N) + 1.0,
    "chatter": sines((30.4, 0.3), (333.0, 0.5)) + 0.05 * RNG.normal(size=N),
    "step": np.where(np.arange(N) < N // 3, -1.0, 2.0) + 0.01 * RNG.normal(size=N),
    "impulse": np.where(np.arange(N) == N // 3, 50.0, 0.0) + 0.01 * RNG.normal(size=N),
    "saturated": np.clip(3 * RNG.normal(size=N), -2.0, 2.0),
    "constant": np.full(N, 0.25),
    "zero": np.zeros(N),
    "NaN": np.where(np.arange(N) == 9, np.nan, RNG.normal(size=N)),
    "infinite": np.where(np.arange(N) == 9, -np.inf, RNG.normal(size=N)),
    "denormal": RNG.normal(size=N) * 1e-41,
    "odd": RNG.normal(size=1001),
    "short": RNG.normal(size=64),
    "one sample": np.array([1.0]),
}


@pytest.mark.parametrize(("speed", "teeth"), [(1800.0, 4), (-1830.0, 0), (math.nan, 4), (20.0, 4), (1800.0, 40), (90_000.0, 0)])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_slow_twin(shape: str, speed: float, teeth: int) -> None:
    record = np.stack([SHAPES[shape], SHAPES[shape][::-1]]).astype(np.float32)
    figures, validity = Spectrum(BANDS, CHATTER).measure(record, RATE, speed, teeth, 2.0)
    for axis in range(2):
        samples = [float(x) for x in record[axis]]
        expected, flags = naive(samples, RATE, speed, teeth, 2.0, CHATTER, list(BANDS))
        assert flags_of(int(validity[axis])) == flags
        # What single precision leaves of nothing: a share of the whole.
        rest = np.full(len(expected), 1e-6 * np.nan_to_num(expected[kernel.TOTAL]))
        rest[kernel.ORDER1 : kernel.NON_HARMONIC] *= 9806.65 / (2 * math.pi * RATE / len(samples))
        rest[kernel.NON_HARMONIC] = 1e-6
        for mine, slow, little in zip(figures[axis].tolist(), expected, rest.tolist(), strict=True):
            assert mine == pytest.approx(slow, rel=5e-5, abs=little + 1e-300, nan_ok=True)


def test_nothing_gives_nothing() -> None:
    figures, validity = Spectrum(BANDS).measure(np.empty((3, 0), np.float32), RATE, 1800.0)
    assert np.isnan(figures).all()
    assert (validity & kernel.SHORT).all()


@pytest.mark.parametrize("frequency", [12.0, 25.0, 100.0])
@pytest.mark.parametrize("off", [-0.02, 0.0, 0.02])
def test_lines_at_26_7_khz_are_within_2_percent_by_a_record_of_two_seconds(frequency: float, off: float) -> None:
    """Of 1 g; one at 100 Hz has 15.6 mm/s. A block of 4096 samples is 0.15 s long: there 12 Hz reads 24 % low."""
    rate = 26667.0
    moments = np.arange(int(2.3 * rate)) / rate
    samples = np.sin(2 * np.pi * frequency * moments)[:, None].astype(np.float32)
    record = Record(rate, 1, 2.0, (3500.0, 4300.0))
    for part in np.array_split(samples, 15):
        record.take(part)
    assert record.filled
    (figures,), (validity,) = Spectrum().measure(record.low, record.rate, frequency * 60 * (1 + off))
    assert validity == 0
    assert figures[kernel.ORDER1] == pytest.approx(9806.65 / (2 * np.pi * frequency), rel=0.002)
    assert figures[kernel.SPEED] == pytest.approx(frequency, abs=0.01)
    assert figures[kernel.ORDER2 : kernel.TOOTH1] == pytest.approx([0.0, 0.0], abs=0.01)


def test_tooth_passing_and_a_speed_that_the_drive_tells_wrong() -> None:
    """Four teeth at 30.4 turns a second; the drive says 30.9. The lines are where the spindle is, not where the drive is."""
    record = sines((30.4, 0.2), (121.6, 1.0), (243.2, 0.5)).astype(np.float32)[None]
    (figures,), _ = Spectrum().measure(record, RATE, 30.9 * 60, 4)
    assert figures[kernel.SPEED] == pytest.approx(30.4, abs=0.01)
    for place, frequency, peak in ((kernel.ORDER1, 30.4, 0.2), (kernel.TOOTH1, 121.6, 1.0), (kernel.TOOTH2, 243.2, 0.5)):
        assert figures[place] == pytest.approx(peak * 9806.65 / (2 * np.pi * frequency), rel=0.005)


def test_a_speed_is_left_alone_where_no_line_stands_out() -> None:
    record = RNG.normal(size=(1, N)).astype(np.float32)
    (figures,), _ = Spectrum().measure(record, RATE, 1800.0)
    assert figures[kernel.SPEED] == pytest.approx(30.0, rel=1e-12)


def test_chatter_is_what_belongs_to_no_line_of_the_rotation() -> None:
    meter = Spectrum(chatter=(200.0, 1000.0))
    rate, n, turn = 10240.0, 8192, 50.0
    harmonics = sines(*((turn * k, 0.1) for k in range(1, 21)), n=n, rate=rate)

    def share(samples: np.ndarray) -> float:
        return float(meter.measure(samples.astype(np.float32)[None], rate, turn * 60, 4)[0][0, kernel.NON_HARMONIC])

    assert share(harmonics) < 1e-3
    # From 200 Hz on there are 17 lines of 0.1 g (the last at the edge, half of it inside); chatter of the same energy.
    inside = 16.5 * 0.1**2
    assert share(harmonics + sines((625.0, math.sqrt(inside)), n=n, rate=rate)) == pytest.approx(0.5, abs=0.02)
    # Noise: the share of bins beside the lines, 2 x 2.5 bins and 0.1 % of the 40 between two lines are theirs.
    noise = np.mean([share(RNG.normal(size=n)) for _ in range(40)])
    assert noise == pytest.approx(1 - (5 + 2 * 0.001 * 480) / 40, abs=0.03)


def test_all_energy_is_in_the_bands_by_parseval() -> None:
    record = RNG.normal(size=(1, N)).astype(np.float32)
    edges = np.linspace(0.0, RATE / 2, 9)
    bands = tuple((float(a), float(b)) for a, b in itertools.pairwise(edges))
    (figures,), _ = Spectrum(bands).measure(record, RATE)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N) / N)
    x = window * (record[0].astype(float) - record[0].astype(float).mean())
    assert figures[kernel.TOTAL] == pytest.approx(x.std() * math.sqrt(N / (window @ window)), rel=1e-6)
    assert math.sqrt((figures[kernel.BANDS :] ** 2).sum()) == pytest.approx(figures[kernel.TOTAL], rel=1e-6)


def test_a_tone_lies_in_its_band_alone() -> None:
    (figures,), _ = Spectrum(((50.0, 150.0), (150.0, 1000.0))).measure(sines((100.0, 1.0)).astype(np.float32)[None], RATE)
    assert figures[kernel.BANDS] == pytest.approx(math.sqrt(0.5), rel=1e-3)
    assert figures[kernel.BANDS + 1] < 1e-3


def test_one_meter_measures_records_of_any_shape_in_turn() -> None:
    meter = Spectrum(BANDS)
    records = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 512), (1, 64), (3, 512), (3, 0), (5, 512))]
    for record in records:
        fresh = Spectrum(BANDS).measure(record, RATE, 6000.0)[0]
        assert np.array_equal(meter.measure(record, RATE, 6000.0)[0], fresh, equal_nan=True)
