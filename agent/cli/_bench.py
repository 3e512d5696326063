"""What `broche bench` measures: every kernel on this machine, beside the same work by a library that is installed."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agent.cli import _bench_full as full
from agent.cli import _bench_peers as peers
from agent.kernels import adwin, charts, control, dtw, robust, segment, signature, vibration, whiten
from agent.kernels.bearing import BearingLines
from agent.kernels.decimate import Record
from agent.kernels.spectrum import Spectrum
from agent.passages import defect_lines
from drivers import frames
from drivers.clock import Clock
from drivers.stream import encode_frame

CHANNELS = 32
ROWS = 4096
SAMPLES, AXES, RATE = 4096, 3, 26667.0
EVERY = 50
"""Blocks over which lines that are not told with each are shared out."""
SHORTEST = 2e-3
"""s that one timing takes at least; what is quicker is called several times."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Attributes
    ----------
    name: key under [bench.name].
    unit: key under [bench.unit]; its first part is 'us' or 'ns'.
    call: does it once.
    items: of these in one call (blocks, values, rows).
    peers: key under [bench.peer], which begins with the library's name -> (the same by it, items in one call).
    """

    name: str
    unit: str
    call: Callable[[], object]
    items: float = 1.0
    peers: dict[str, tuple[Callable[[], object], float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """What came out; `ratio`: how many times as long the peer takes; medians of `n` timings taken in turns."""

    name: str
    value: float
    unit: str
    peer: str | None
    ratio: float | None
    n: int


def measure(case: Case, clock: Clock, rounds: int) -> Iterator[Row]:
    """One row a peer, or one without."""
    calls = {"": (case.call, case.items), **case.peers}
    repeats = {name: _repeats(call, clock) for name, (call, _) in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, (call, items) in calls.items():
            times[name].append(_timed(call, repeats[name], clock) / items)
    medians = {name: statistics.median(values) for name, values in times.items()}
    value = medians.pop("") * (1e6 if case.unit.startswith("us") else 1e9)
    if not medians:
        yield Row(case.name, value, case.unit, None, None, rounds)
    for name, seconds in medians.items():
        yield Row(case.name, value, case.unit, name, seconds / times_median(times[""]), rounds)


def times_median(values: list[float]) -> float:
    """Never 0, so that it can be divided by: a clock has steps."""
    return max(statistics.median(values), 1e-12)


def _timed(call: Callable[[], object], repeats: int, clock: Clock) -> float:
    began = clock.monotonic()
    for _ in range(repeats):
        call()
    return (clock.monotonic() - began) / repeats


def _repeats(call: Callable[[], object], clock: Clock) -> int:
    call()
    repeats = 1
    while (seconds := _timed(call, repeats, clock) * repeats) < SHORTEST and repeats < 1 << 20:
        repeats = max(2 * repeats, min(math.ceil(repeats * SHORTEST / max(seconds, 1e-9)), 100 * repeats))
    return repeats


def cases() -> list[Case]:
    """All, in the order of the pass."""
    return [*_wire(), *_vibration(), *_lines(), *_charts(), *_together(), *_curves()]


def missing() -> tuple[str, ...]:
    """Libraries that could be compared with and are not installed."""
    return tuple(name for name in ("scipy", "river", "pyfftw") if peers.installed(name) is None)


def _wire() -> list[Case]:
    rng = np.random.default_rng(1)
    sent = b"".join(encode_frame(i, rng.integers(-3000, 3000, (32, AXES)).astype(np.int16)) for i in range(100))
    data = np.frombuffer(sent, np.uint8)
    samples, found = np.empty((len(data), AXES), np.int16), np.empty((len(data), 4), np.int64)
    state = np.zeros(5, np.int64)

    n = 10_000
    time = np.arange(n) * 0.1
    load = np.where(time % 20 < 12, 40.0, 8.0) + rng.normal(size=n) * 0.5
    ok, speed, air, usual = np.ones(n, np.bool_), np.full(n, 3000.0), np.zeros(n, np.bool_), np.zeros((2, 0))

    def walk() -> None:
        figures, table = segment.new_state()
        looks = segment.every_look()
        at = 0
        while at < n:
            at, _ = segment.advance(time, load, ok, speed, at, 1, 1, 30.0, 0.0, figures, table, air, looks, usual)

    return [
        Case(
            "cobs", "ns_frame", lambda: frames.cobs(data, AXES, state, samples, found), 100.0, {"python": (lambda: peers.cobs(sent), 100.0)}
        ),
        Case("segment", "ns_row", walk, float(n)),
    ]


def _vibration() -> list[Case]:
    rng = np.random.default_rng(2)
    moments = np.arange(SAMPLES)[:, None] / RATE
    block = (3000 * np.sin(2 * np.pi * 200.0 * moments) + rng.normal(size=(SAMPLES, AXES)) * 800).astype(np.int16)
    speed, scale = 12_000.0, 1e-3
    meter = vibration.Meter(((10.0, 1000.0), (1000.0, 5000.0)))
    lanes = np.ascontiguousarray(block.T).astype(np.float32)
    careful = peers.CarefulFigures(SAMPLES, RATE)
    others: dict[str, tuple[Callable[[], object], float]] = {
        "numpy": (lambda: careful.measure(block, scale, speed, 32767.0), 1.0),
        "numpy_rfft": (lambda: np.fft.rfft(lanes, axis=1), 1.0),
    }
    fft = peers.installed("scipy.fft")
    if fft is not None:
        textbook = peers.TextbookFigures(RATE)
        scipy_careful = peers.CarefulFigures(SAMPLES, RATE, fft.rfft)
        others["scipy"] = (lambda: scipy_careful.measure(block, scale, speed, 32767.0), 1.0)
        others["scipy_rfft"] = (lambda: fft.rfft(lanes, axis=1), 1.0)
        others["scipy_textbook"] = (lambda: textbook.measure(block, scale, speed), 1.0)
    floor = peers.fftw(*peers.FLOOR)
    if floor is not None:
        others["fftw_3"] = (floor, 1.0)
    return [Case("vibration", "us_block", lambda: meter.measure(block, scale, RATE, speed), 1.0, others)]


def _lines() -> list[Case]:
    """The long record and what is read from it; then everything of a block: lines told once half the record is new, and the worst block."""
    rng = np.random.default_rng(7)
    block = (rng.normal(size=(SAMPLES, AXES)) * 800).astype(np.int16)
    raw = np.ascontiguousarray(block.T, dtype=np.float32)
    band = (3500.0, 4300.0)
    record = Record(RATE, AXES, SAMPLES / 2666.7, band)
    for _ in range(12):
        record.take(block, 1e-3)
    low, envelope = record.low, record.envelope
    bands = ((10.0, 1000.0), (1000.0, 5000.0))
    meter, lines = vibration.Meter(bands), Spectrum(bands)
    bearing = BearingLines(np.array(defect_lines(9, 7.94, 39.04)))
    sensor = full.Sensor(RATE, 1e-3, 12_000.0, 3000.0, 4, bands, band, np.array(defect_lines(9, 7.94, 39.04)))
    taking = Record(RATE, AXES, 2.0, band)
    for _ in range(15):
        taking.take(block, 1e-3)

    def block_of(told: bool | None) -> None:
        meter.measure(block, 1e-3, RATE, 12_000.0)
        taking.take(block, 1e-3)
        if taking.due() if told is None else told:
            lines.measure(taking.low, record.rate, 3000.0, 4)
            bearing.measure(taking.envelope, record.rate, 3000.0)

    def mean() -> None:
        for _ in range(EVERY):
            block_of(None)

    def others(peer: full.Careful | full.Textbook) -> tuple[Callable[[], None], Callable[[], None]]:
        """The same by a peer: so many blocks, and the worst."""

        def one(told: bool | None) -> None:
            peer.block(block)
            if peer.due() if told is None else told:
                peer.lines()
                peer.bearing()

        def many() -> None:
            for _ in range(EVERY):
                one(None)

        return many, lambda: one(True)

    alone: dict[str, tuple[Callable[[], object], float]] = {"numpy_rfft": (lambda: np.fft.rfft(raw, axis=1), 1.0)}
    filtered: dict[str, tuple[Callable[[], object], float]] = {}
    thrice: dict[str, tuple[Callable[[], object], float]] = {"numpy_3_rfft": (lambda: [np.fft.rfft(raw, axis=1) for _ in range(3)], 1.0)}
    fft = peers.installed("scipy.fft")
    if fft is not None:
        alone["scipy_rfft"] = (lambda: fft.rfft(raw, axis=1), 1.0)
        thrice["scipy_3_rfft"] = (lambda: [fft.rfft(raw, axis=1) for _ in range(3)], 1.0)
        condensed = peers.Condensed(RATE, record.factor, band)
        filtered["scipy"] = (lambda: condensed.take(block, 1e-3), 1.0)
    floor = peers.fftw(*peers.FLOOR)
    if floor is not None:
        thrice["fftw_3"] = (floor, 1.0)
    everything, worst = dict(thrice), dict(thrice)
    known = {"numpy": full.Careful, "scipy_textbook": full.Textbook if peers.installed("scipy.signal") else None}
    for name, make in known.items():
        if make is not None:
            shared, single = others(make(SAMPLES, AXES, sensor))
            everything[name], worst[name] = (shared, float(EVERY)), (single, 1.0)
    return [
        Case("record", "us_block", lambda: taking.take(block, 1e-3), 1.0, filtered),
        Case("spectrum", "us_record", lambda: lines.measure(low, record.rate, 3000.0, 4), 1.0, alone),
        Case("bearing", "us_record", lambda: bearing.measure(envelope, record.rate, 3000.0), 1.0, alone),
        Case("vibration_everything", "us_block", mean, float(EVERY), everything),
        Case("vibration_worst", "us_block", lambda: block_of(True), 1.0, worst),
    ]


def _charts() -> list[Case]:
    values = np.random.default_rng(3).normal(size=(ROWS, CHANNELS))
    count = float(ROWS * CHANNELS)
    alarms = np.empty(values.shape, np.uint8)
    limits = control.settings()
    state = control.new(np.zeros(CHANNELS), np.ones(CHANNELS))
    windows = adwin.new(CHANNELS)
    learn, floor = np.ones(values.shape, np.uint8), np.zeros(CHANNELS)
    out, scores = np.empty((ROWS, 3, CHANNELS)), np.empty((ROWS, charts.OUTPUTS, CHANNELS))
    white, steady, own = whiten.new(CHANNELS), robust.new(CHANNELS), charts.new(CHANNELS)
    some = values[:256]
    few = float(some.size)
    single = values[:2048, 0].tolist()
    river: dict[str, dict[str, tuple[Callable[[], object], float]]] = {"ph": {}, "ewma": {}, "adwin": {}}
    drift = peers.installed("river.drift")
    if drift is not None:
        stats: Any = peers.installed("river.stats")

        def fed(make: Callable[[], Any]) -> tuple[Callable[[], object], float]:
            def call() -> None:
                detector = make()
                for value in single:
                    detector.update(value)

            return call, float(len(single))

        river = {
            "ph": {"river": fed(drift.PageHinkley)},
            "ewma": {"river": fed(lambda: stats.EWMean(0.2))},
            "adwin": {"river": fed(drift.ADWIN)},
        }
    return [
        Case(
            "cusum",
            "ns_value",
            lambda: control.cusum(state, limits, values, alarms),
            count,
            {"numpy": (lambda: peers.cusum(some, 0.5, 5.0), few)},
        ),
        Case("ewma", "ns_value", lambda: control.ewma(state, limits, values, alarms), count, river["ewma"]),
        Case(
            "control",
            "ns_value",
            lambda: control.update(state, limits, values, alarms),
            count,
            {"numpy": (lambda: peers.control(some, 0.2, 2.962, 0.5, 5.0), few), **river["ph"]},
        ),
        Case("self_starting", "ns_value", lambda: charts.update(own, values, learn, floor, 0.5, 0.2, math.inf, scores), count),
        Case("whiten", "ns_value", lambda: whiten.update(white, values, learn, floor, out), count),
        Case("robust", "ns_value", lambda: robust.update(steady, values, learn, floor, out), count),
        Case("adwin", "ns_value", lambda: adwin.update(windows, values, 0.002, 32, 5.0, 10.0, True, alarms), count, river["adwin"]),
    ]


def _together() -> list[Case]:
    """One vector at a time, as it comes in live."""
    # Many of them in turn: one that comes again and again is no series.
    following = itertools.cycle(np.random.default_rng(4).normal(size=(512, 1, CHANNELS)))
    values = next(following)
    window = np.random.default_rng(5).normal(size=(31, CHANNELS))
    learn, floor = np.ones((1, CHANNELS), np.uint8), np.zeros(CHANNELS)
    alarms, out, scores = np.empty((1, CHANNELS), np.uint8), np.empty((1, 3, CHANNELS)), np.empty((1, charts.OUTPUTS, CHANNELS))
    limits, state = control.settings(), control.new(np.zeros(CHANNELS), np.ones(CHANNELS))
    windows, white, steady, own = adwin.new(CHANNELS), whiten.new(CHANNELS), robust.new(CHANNELS), charts.new(CHANNELS)

    def judged() -> None:
        values = next(following)
        control.update(state, limits, values, alarms)
        charts.update(own, values, learn, floor, 0.5, 0.2, math.inf, scores)

    def everything() -> None:
        values = next(following)
        control.update(state, limits, values, alarms)
        charts.update(own, values, learn, floor, 0.5, 0.2, math.inf, scores)
        whiten.update(white, values, learn, floor, out)
        robust.update(steady, values, learn, floor, out)
        adwin.update(windows, values, 0.002, 32, 5.0, 10.0, True, alarms)

    return [
        Case(
            "vector_control",
            "us_vector",
            lambda: control.update(state, limits, next(following), alarms),
            1.0,
            {"numpy": (lambda: peers.control(values, 0.2, 2.962, 0.5, 5.0), 1.0)},
        ),
        Case(
            "vector_robust",
            "us_vector",
            lambda: robust.update(steady, next(following), learn, floor, out),
            1.0,
            {"numpy": (lambda: peers.robust(window, values[0]), 1.0)},
        ),
        Case("vector_judged", "us_vector", judged),
        Case("vector_everything", "us_vector", everything),
    ]


def _curves() -> list[Case]:
    rng = np.random.default_rng(6)
    time = np.cumsum(rng.uniform(0.05, 0.15, 400))
    values = rng.normal(size=(400, 4)) + 40.0
    step = (time[-1] - time[0]) / 199.0
    grid = time[0] + step * np.arange(200)
    out = np.empty((200, 4))
    curves = rng.normal(size=(20, 200, 4)) + 40.0
    centre, spread, count = np.empty((200, 4)), np.empty((200, 4)), np.empty((200, 4), np.int64)
    signature.envelope(curves, centre, spread, count)
    told, floor = np.empty((200, 4), np.uint8), np.zeros(4)
    first, second = np.ascontiguousarray(values[:250, 0]), np.ascontiguousarray(curves[0, :, 0])
    rows = np.empty((2, 200))
    one = np.ascontiguousarray(values[:, 0])
    slow, usual = first.tolist(), second.tolist()
    return [
        Case(
            "resample",
            "us_cut",
            lambda: signature.resample(time, values, time[0], step, math.inf, out),
            1.0,
            {"numpy": (lambda: [np.interp(grid, time, values[:, c]) for c in range(4)], 1.0)},
        ),
        Case(
            "envelope",
            "us_cut",
            lambda: signature.envelope(curves, centre, spread, count),
            1.0,
            {"numpy": (lambda: peers.envelope(curves), 1.0)},
        ),
        Case(
            "exceed",
            "us_cut",
            lambda: signature.exceed(np.zeros((4, 4)), centre, spread, floor, curves[1], 0, 3.0, math.inf, 3, told),
        ),
        Case("dtw", "us_cut", lambda: dtw.dtw(first, second, 20, rows), 1.0, {"python": (lambda: peers.dtw(slow, usual, 20), 1.0)}),
        Case(
            "grow",
            "us_cut",
            lambda: signature.grow(signature.opened(), time, one, 20.0, math.inf),
            1.0,
            {"numpy": (lambda: (np.trapezoid(one - 20.0, time), np.diff(one) / np.diff(time)), 1.0)},
        ),
    ]
