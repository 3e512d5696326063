"""The long record at a low rate and its squared envelope: against scipy's filters, and against tones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from agent.kernels.decimate import Record

RATE = 26667.0
BAND = (3500.0, 4300.0)
RNG = np.random.default_rng(9)


def taken(samples: np.ndarray, parts: list[int], rate: float = RATE, band: tuple[float, float] = BAND, seconds: float = 0.2) -> Record:
    record = Record(rate, samples.shape[1], seconds, band)
    for part in np.split(samples, parts):
        record.take(part)
    return record


@pytest.mark.parametrize(("rate", "band", "factor"), [(26667.0, BAND, 10), (6667.0, (1200.0, 1850.0), 2), (2600.0, (400.0, 700.0), 1)])
def test_agrees_with_the_filters_of_scipy(rate: float, band: tuple[float, float], factor: int) -> None:
    samples = (RNG.normal(size=(int(0.4 * rate), 2)) + 0.5).astype(np.float32)
    record = taken(samples, [1000], rate, band)
    assert (record.factor, record.rate) == (factor, pytest.approx(rate / factor))
    taps = record.taps
    window = ("kaiser", 0.1102 * (80 - 8.7))
    low = signal.firwin(taps, record.rate / 2, window=window, fs=rate) if factor > 1 else np.eye(taps)[taps // 2]
    narrow = signal.firwin(taps, (band[1] - band[0]) / 2, window=window, fs=rate)
    turned = 2 * narrow * np.exp(2j * np.pi * (band[0] + band[1]) / 2 / rate * (np.arange(taps) - taps // 2))
    for axis in range(2):
        x = samples[:, axis].astype(float)
        expected = [np.convolve(x, low)[: len(x) : factor], np.abs(np.convolve(x, turned)[: len(x) : factor]) ** 2]
        for mine, slow in zip((record.low[axis], record.envelope[axis]), expected, strict=True):
            assert mine == pytest.approx(slow[-len(mine) :], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", ["constant", "step", "impulse", "saturated", "denormal", "zero"])
def test_signals_of_every_kind_agree_with_a_sum_over_the_taps(kind: str) -> None:
    """The record's own taps, each value by itself in double precision."""
    n = 12_000
    at = np.arange(n)
    x = {
        "constant": np.full(n, 0.7),
        "step": np.where(at < n // 2, -1.0, 2.0),
        "impulse": np.where(at == n - 700, 900.0, 0.0),
        "saturated": np.clip(RNG.normal(size=n) * 3, -2.0, 2.0),
        "denormal": RNG.normal(size=n) * 1e-40,
        "zero": np.zeros(n),
    }[kind].astype(np.float32)
    record = taken(x[:, None], [5000])
    window = np.kaiser(record.taps, 0.1102 * (80 - 8.7))
    middle = np.arange(record.taps) - record.taps // 2

    def taps(cut: float) -> np.ndarray:
        raw = np.sinc(2 * cut / RATE * middle) * window
        return np.asarray(raw / raw.sum())

    turned = 2 * taps((BAND[1] - BAND[0]) / 2) * np.exp(1j * np.pi * sum(BAND) / RATE * middle)
    whole = x.astype(np.float64)
    ends = [i for i in range(0, n, record.factor) if i >= record.taps]
    for mine, told in ((taps(record.rate / 2), record.low[0]), (turned, record.envelope[0])):
        expected = [sum(whole[i - record.taps + 1 : i + 1] * mine[::-1]) for i in ends[-200:]]
        slow = np.real(expected) if mine.dtype == float else np.abs(expected) ** 2
        size = float(np.abs(x).max()) ** (1 if mine.dtype == float else 2)
        assert told[-200:] == pytest.approx(slow, rel=1e-4, abs=1e-5 * size + 1e-43)


@pytest.mark.parametrize("parts", [[1], [7, 8, 9], [10, 4096], list(range(100, 8000, 333)), [0, 0, 5]])
def test_blocks_of_any_size_make_the_same_record(parts: list[int]) -> None:
    samples = (RNG.normal(size=(8000, 3)) * 900).astype(np.int16)
    whole = taken(samples, [])
    record = taken(samples, parts)
    assert np.allclose(record.low, whole.low, rtol=1e-6, atol=1e-3)
    assert np.allclose(record.envelope, whole.envelope, rtol=1e-5, atol=1e-2)
    assert record.filled


def test_what_is_watched_passes_and_what_would_fold_back_does_not() -> None:
    moments = np.arange(int(0.5 * RATE)) / RATE

    def left(frequency: float) -> float:
        record = taken(np.sin(2 * np.pi * frequency * moments)[:, None].astype(np.float32), [])
        return float(np.sqrt(2 * np.mean(record.low.astype(float) ** 2)))

    assert [left(frequency) for frequency in (20.0, 500.0, 1000.0)] == pytest.approx([1.0, 1.0, 1.0], abs=2e-3)
    # 1667 Hz is what folds back to 1000 Hz.
    assert max(left(frequency) for frequency in (1667.0, 2000.0, 2650.0, 9000.0)) < 3e-4


def test_envelope_of_a_modulated_tone() -> None:
    """(1 + m cos)^2 = 1 + m^2 / 2 + 2 m cos + m^2 / 2 cos 2: of a tone of 2 g, times 4 g2; what lies beside is gone."""
    moments = np.arange(int(0.6 * RATE)) / RATE
    tone = 2.0 * (1 + 0.4 * np.cos(2 * np.pi * 50.0 * moments)) * np.sin(2 * np.pi * 3900.0 * moments)
    beside = 5.0 * np.sin(2 * np.pi * 300.0 * moments) + 5.0 * np.sin(2 * np.pi * 6000.0 * moments) + 1.0
    record = taken((tone + beside)[:, None].astype(np.float32), [5000])
    envelope = record.envelope[0].astype(float)
    assert envelope.max() == pytest.approx(4 * 1.4**2, rel=0.01)
    assert envelope.min() == pytest.approx(4 * 0.6**2, rel=0.02)
    assert envelope.mean() == pytest.approx(4 * (1 + 0.4**2 / 2), rel=0.01)


def test_a_record_is_filled_when_nothing_made_up_is_in_it() -> None:
    record = Record(RATE, 1, 0.1, BAND)
    settling = record.taps - 1
    needed = record.low.shape[1] * record.factor + settling
    record.take(np.zeros((needed - 1, 1), np.float32))
    assert not record.filled
    record.take(np.zeros((1, 1), np.float32))
    assert record.filled
    record.forget()
    assert not record.filled
    record.take(np.zeros((needed, 1), np.float32))
    assert record.filled


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_goes_by(bad: float) -> None:
    samples = RNG.normal(size=(20_000, 1)).astype(np.float32)
    samples[8000] = bad
    record = taken(samples, [8100])
    assert np.isfinite(record.low).all()
    early = taken(samples[:9000], [])
    assert not np.isfinite(early.low).all()


@pytest.mark.parametrize(
    ("kind", "worst", "limit", "told"),
    [
        ("int16", 32766, math.inf, False),
        ("int16", 32767, math.inf, True),
        ("int16", -32767, math.inf, True),
        ("int16", -32768, math.inf, True),
        ("int16", 2047, 2047.0, True),
        ("int16", -2047, 2047.0, True),
        ("int16", 2046, 2047.0, False),
        ("float32", 1e9, math.inf, False),
        ("float32", -16.0, 16.0, True),
        ("float32", 15.9, 16.0, False),
        ("float32", math.nan, 16.0, False),
    ],
)
def test_a_clipped_sample_is_told_for_as_long_as_the_record_rests_on_it(kind: str, worst: float, limit: float, told: bool) -> None:
    record = Record(RATE, 2, 0.1, BAND, limit=limit)
    reach = record.low.shape[1] * record.factor + record.taps - 1
    samples = np.zeros((100, 2), dtype=kind)
    samples[40, 1] = worst
    record.take(samples)
    assert record.clipped.tolist() == [False, told]
    record.take(np.zeros((reach - 60, 2), dtype=kind))
    assert record.clipped.tolist() == [False, told], "59 samples and these behind it: the filters just reach it"
    record.take(np.zeros((1, 2), dtype=kind))
    assert record.clipped.tolist() == [False, False]


def test_nothing_changes_nothing() -> None:
    record = taken(RNG.normal(size=(5000, 2)).astype(np.float32), [])
    before = record.low.copy()
    record.take(np.empty((0, 2), np.float32))
    assert np.array_equal(record.low, before)


@pytest.mark.parametrize(
    ("rate", "band", "words"),
    [
        (2500.0, (400.0, 600.0), "2.56 times"),
        (RATE, (3000.0, 6000.0), "folds back"),
        (RATE, (100.0, 600.0), "does not lie"),
        (RATE, (13000.0, 13300.0), "does not lie"),
        (RATE, (4300.0, 3500.0), "does not lie"),
    ],
)
def test_what_cannot_be_watched_is_refused(rate: float, band: tuple[float, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Record(rate, 3, 2.0, band)


def test_lines_are_due_once_half_of_a_filled_record_is_new() -> None:
    record = Record(RATE, 1, 0.1, BAND)
    length = record.low.shape[1]
    told = []
    for _ in range(8 * length):
        record.take(np.zeros((record.factor, 1), np.float32))
        told.append(record.due())
    at = np.flatnonzero(told)
    assert at[0] >= length - 1
    assert set(np.diff(at).tolist()) == {math.ceil(length / 2)}
    record.forget()
    assert not record.due()
