"""Bearing lines in the squared envelope: against a slow twin, against what can be worked out by hand, and a bearing that strikes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.kernels import bearing as kernel
from agent.kernels.bearing import BearingLines
from agent.kernels.decimate import Record
from agent.passages import defect_lines
from tests.naive.spectrum import bearing as naive

FLAGS = {name: getattr(kernel, name) for name in ("SHORT", "NO_SPEED", "OUT_OF_RANGE", "STUCK", "NOT_FINITE", "CLIPPED")}
ORDERS = np.array(defect_lines(9, 7.94, 39.04))
RATE, N = 1280.0, 2700
RNG = np.random.default_rng(31)


def flags_of(bits: int) -> set[str]:
    return {name for name, bit in FLAGS.items() if bits & bit}


def tone(frequency: float, depth: float) -> np.ndarray:
    return depth * np.cos(2 * np.pi * frequency * np.arange(N) / RATE)


SHAPES = {
    "random": RNG.normal(size=N) ** 2,
    "strikes": 1 + tone(73.1, 0.8) + tone(146.2, 0.3) + tone(93.3, 0.2) + 0.1 * RNG.normal(size=N),
    "step": np.where(np.arange(N) < 900, 1.0, 2.0) + 0.01 * RNG.normal(size=N),
    "impulse": np.where(np.arange(N) == 900, 90.0, 0.0) + RNG.normal(size=N) ** 2,
    "saturated": np.clip(RNG.normal(size=N) ** 2, 0.0, 0.5),
    "constant": np.full(N, 2.0),
    "zero": np.zeros(N),
    "NaN": np.where(np.arange(N) == 9, np.nan, RNG.normal(size=N) ** 2),
    "infinite": np.where(np.arange(N) == 9, np.inf, RNG.normal(size=N) ** 2),
    "denormal": RNG.normal(size=N) ** 2 * 1e-40,
    "short": RNG.normal(size=500) ** 2,
    "one value": np.array([1.0]),
}


@pytest.mark.parametrize("speed", [1212.0, -1212.0, math.nan, 40.0, 9000.0, 60_000.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_slow_twin(shape: str, speed: float) -> None:
    record = np.stack([SHAPES[shape], SHAPES[shape][::-1]]).astype(np.float32)
    figures, validity = BearingLines(ORDERS).measure(record, RATE, speed)
    for axis in range(2):
        expected, flags = naive([float(x) for x in record[axis]], RATE, speed, ORDERS.tolist())
        assert flags_of(int(validity[axis])) == flags
        for mine, slow in zip(figures[axis].tolist(), expected, strict=True):
            assert mine == pytest.approx(slow, rel=1e-3, abs=1e-6, nan_ok=True)


def test_nothing_gives_nothing() -> None:
    figures, validity = BearingLines(ORDERS).measure(np.empty((2, 0), np.float32), RATE, 1800.0)
    assert np.isnan(figures).all()
    assert (validity == kernel.SHORT).all()


def test_orders_of_a_6205() -> None:
    """N 9, d 7.94, D 39.04 mm (field.md 2.4): the textbook's 3.585, 5.415, 2.357, 0.398."""
    assert pytest.approx([3.585, 5.415, 2.357, 0.398], abs=5e-4) == ORDERS
    # As many passages on both races as there are balls.
    assert ORDERS[kernel.BPFO] + ORDERS[kernel.BPFI] == pytest.approx(9.0)
    assert defect_lines(9, 7.94, 39.04, 40.0)[kernel.BPFO] > ORDERS[kernel.BPFO]


@pytest.mark.parametrize(("balls", "ball", "pitch", "angle"), [(2, 1, 5, 0), (9, 5, 5, 0), (9, 0, 5, 0), (9, 1, 5, 90)])
def test_figures_that_no_bearing_has_are_refused(balls: int, ball: float, pitch: float, angle: float) -> None:
    with pytest.raises(ValueError, match="no bearing has"):
        defect_lines(balls, ball, pitch, angle)


def test_depth_is_a_share_of_the_mean_and_the_line_is_found_beside_where_it_should_be() -> None:
    """1.5 % of slip."""
    turn = 20.3
    line = ORDERS[kernel.BPFO] * turn * 0.985
    envelope = 7.0 * (1 + tone(line, 0.4) + tone(2 * line, 0.1) + tone(line + turn, 0.06) + tone(line - turn, 0.04))
    (figures,), (validity,) = BearingLines(ORDERS).measure(envelope.astype(np.float32)[None], RATE, turn * 60)
    assert validity == 0
    outer = figures[kernel.BPFO]
    assert outer[kernel.DEPTH1 : kernel.DEPTH3] == pytest.approx([0.4, 0.1], rel=0.01)
    assert outer[kernel.DEPTH3] < 0.002
    assert outer[kernel.FOUND] == pytest.approx(line, abs=0.03)
    assert outer[kernel.SIDEBANDS] == pytest.approx(0.05, rel=0.05)
    assert outer[kernel.PROMINENCE] > 1000


def test_an_outer_race_that_strikes_is_told_from_the_others_through_the_whole_chain() -> None:
    """26.7 kHz, a structure that rings at 3.9 kHz, noise louder than the strikes' RMS, 1 % of slip."""
    rate, turn = 26667.0, 29.3
    line = ORDERS[kernel.BPFO] * turn * 0.99
    n = int(2.3 * rate)
    samples = RNG.normal(size=n) * 0.5
    ring = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * 3900.0 / rate * np.arange(400))
    for strike in np.arange(0.0, 2.25, 1 / line):
        at = int(strike * rate)
        samples[at : at + 400] += ring
    assert ring.std() * math.sqrt(400 * line / rate) < 0.5
    record = Record(rate, 1, 2.0, (3500.0, 4300.0))
    for part in np.array_split(samples[:, None].astype(np.float32), 15):
        record.take(part)
    (figures,), (validity,) = BearingLines(ORDERS).measure(record.envelope, record.rate, turn * 60)
    assert validity == 0
    assert not record.clipped.any()
    assert figures[kernel.BPFO, kernel.FOUND] == pytest.approx(line, abs=0.1)
    assert figures[kernel.BPFO, kernel.PROMINENCE] > 100
    assert figures[[kernel.BPFI, kernel.BSF, kernel.FTF], kernel.PROMINENCE].max() < 20


def test_a_record_of_clipped_samples_says_so_and_its_lines_are_lower() -> None:
    """Two axes, the same strikes; the second one's range ends at a third of them."""
    rate, turn = 26667.0, 29.3
    line = ORDERS[kernel.BPFO] * turn
    whole = np.zeros(int(2.3 * rate))
    ring = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * 3900.0 / rate * np.arange(400))
    for strike in np.arange(0.0, 2.25, 1 / line):
        whole[int(strike * rate) : int(strike * rate) + 400] += ring
    noise = RNG.normal(size=len(whole)) * 0.05
    counts = 20_000.0 * (whole + noise)
    samples = np.column_stack([counts, np.clip(3.0 * counts, -32768.0, 32767.0)]).astype(np.int16)
    record = Record(rate, 2, 2.0, (3500.0, 4300.0))
    for part in np.array_split(samples, 15):
        record.take(part, 1.0 / 2048.0)
    assert record.clipped.tolist() == [False, True]
    lines = BearingLines(ORDERS)
    figures, validity = lines.measure(record.envelope, record.rate, turn * 60, record.clipped)
    assert flags_of(int(validity[0])) == set()
    assert flags_of(int(validity[1])) == {"CLIPPED"}
    assert figures[1, kernel.BPFO, kernel.DEPTH1] < figures[0, kernel.BPFO, kernel.DEPTH1]
    _, unknown = lines.measure(record.envelope, record.rate, turn * 60)
    assert (unknown == 0).all()
