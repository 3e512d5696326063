"""What every file of kernels is given, and what of its work is compared: one function a file, named as the file.

A function gets `broken`: False, ordinary input in which something happens; True, input with NaN, infinities, constants and damage. It
calls the kernels as the house does, and returns arrays by name: float ones are compared within 1e-5, all others exactly. A kernel that no
function reaches fails tests/test_aarch64.py, so to add one means to call it here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.detect import drift_state
from tests.aarch64.inputs import arc, noise, spoiled, table, wave

Told = dict[str, NDArray[Any]]
Case = Callable[[Any, bool], Told]
"""The module of the kernels, and `broken`."""

CASES: dict[str, Case] = {}
"""By the module's name."""


def case(module: str) -> Callable[[Case], Case]:
    """Enter a function for the kernels of `module`."""

    def enter(function: Case) -> Case:
        CASES[module] = function
        return function

    return enter


def run(name: str, broken: bool) -> Told:
    """The results of one module."""
    return CASES[name](importlib.import_module(name), broken)


@case("agent.kernels.adwin")
def adwin(k: Any, broken: bool) -> Told:
    values = table(10, 3000, 6, broken=broken)
    told: Told = {}
    for restart in (True, False):
        state, alarms = k.new(6), np.zeros(values.shape, np.uint8)
        k.update(state, values, 0.002, 32, 5.0, 10.0, restart, alarms)
        told |= {f"state_{restart}": state, f"alarms_{restart}": alarms, f"means_{restart}": k.means(state)}
    return told


@case("agent.kernels.bearing")
def bearing(k: Any, broken: bool) -> Told:
    envelope = np.ascontiguousarray((wave(20, 6000, 3) ** 2).T, dtype=np.float32)
    if broken:
        envelope[0, 77], envelope[1] = np.nan, 2.0
        envelope[2, ::7] = 0.0
    lines = k.BearingLines(np.array([3.616, 5.384, 2.364, 0.402]))
    told: Told = {}
    for speed in (1500.0, 40.0, np.nan):
        figures, validity = lines.measure(envelope, 2600.0, speed)
        told |= {f"figures_{speed}": figures.copy(), f"validity_{speed}": validity.copy()}
    return told


@case("agent.kernels.centre")
def centre(k: Any, broken: bool) -> Told:
    samples = np.ascontiguousarray(wave(25, 1000, 4).T, dtype=np.float32)
    if broken:
        samples[0, 77], samples[1], samples[2, 3:6] = np.nan, 2.0, (1e-42, np.inf, -np.inf)
    lanes, told = np.empty_like(samples), np.empty((4, 3))
    k.centre(samples, samples.view(np.int32), lanes, told)
    return {"lanes": lanes, "told": told}


@case("agent.kernels.charts")
def charts(k: Any, broken: bool) -> Told:
    values = table(30, 1500, 6, broken=broken)
    learn = (np.arange(values.size).reshape(values.shape) % 5 != 0).astype(np.uint8)
    state, out = k.new(6), np.empty((len(values), k.OUTPUTS, 6))
    k.update(state, values, learn, np.full(6, 0.01), 0.5, 0.2, 4.0, out)
    return {"state": state, "out": out}


@case("agent.kernels.control")
def control(k: Any, broken: bool) -> Told:
    values = table(40, 4000, 6, broken=broken)
    told: Told = {}
    for name in ("update", "cusum", "ewma"):
        state, alarms = k.new(np.array([0.0, 0.0, 7.0, 1000.0, 0.0, 0.0]), np.full(6, 1.2)), np.zeros(values.shape, np.uint8)
        getattr(k, name)(state, k.settings(threshold=20.0, clip=6.0), values, alarms)
        told |= {f"{name}_state": state, f"{name}_alarms": alarms}
    return told


@case("agent.kernels.decimate")
def decimate(k: Any, broken: bool) -> Told:
    samples = wave(50, 6000, 3)
    if broken:
        samples[2500:2510, 1] = (np.nan, np.inf, -np.inf, 1e30, 1e-42, 0.0, np.nan, 1.0, 2.0, 3.0)
        samples[:, 2] = 0.0
    record = k.Record(26700.0, 3, 0.2, (5000.0, 5900.0))
    for first in range(0, 6000, 1234):
        record.take(samples[first : first + 1234].astype(np.float32))
    return {"low": record.low.copy(), "envelope": record.envelope.copy(), "filled": np.array([record.filled])}


@case("agent.kernels.drift")
def drift(k: Any, broken: bool) -> Told:
    values = table(45, 700, 6, broken=broken) / 32.0
    learn = (np.arange(values.size).reshape(values.shape) % 7 != 0).astype(np.uint8)
    state, out = drift_state.new(6), np.empty((len(values), k.OUTPUTS, 6))
    settings = drift_state.settings(2000.0, 20, 0.01)
    k.update(state, values, learn, settings, np.ones(6), out)
    limits = np.array(k.limits(0.5, 60.0, 0.3, 0.8, 0.4, 1.2, 0.3, 0.5, drift_state.settings(4e5, 20, 0.01)))
    rates = np.array([k.sum_rate(5.0, 0.5, 1.0, 1.2, 0.0), k.wave_rate(0.5, 0.04, 1.0), k.student(1e-6, 7.0)])
    known = np.array([k.ratio(0.8, 0.6), k.ahead(0.8, 0.6), k.bias(0.8), *k.middle(0.5, 60.0, 0.3, 0.8)])
    for c in range(6):
        k.calibrate(state, c, settings)
    more = np.array([k.slack(state, c, drift_state.settings(2.0, 1, 0.0, smallest=0.1)) for c in range(6)])
    return {"state": state, "out": out, "limits": limits, "rates": rates, "known": known, "more": more}


@case("agent.kernels.fft")
def fft(k: Any, broken: bool) -> Told:
    told: Told = {}
    for n in (64, 100, 128, 1024, 4096):
        rows = np.ascontiguousarray(wave(55, n, 3).T, dtype=np.float32)
        if broken:
            rows[0, 7], rows[1] = np.nan, 1.0
        told[f"powers_{n}"] = k.Powers(3, n).of(rows).copy()
    return told


@case("agent.kernels.dtw")
def dtw(k: Any, broken: bool) -> Told:
    a, b = arc(70, 300), arc(80, 300) + 0.2 * noise(57, 80)
    if broken:
        a[7] = np.inf
    work = np.empty((2, 80))
    return {"distances": np.array([k.dtw(a, b, 10, work), k.dtw(a, b, 0, work), k.dtw(b, b[::2].copy(), 9, work)])}


@case("agent.kernels.health")
def health(k: Any, broken: bool) -> Told:
    values = table(60, 3000, 6, broken=broken)
    values[:, 5] = np.clip(values[:, 5], -0.5, 0.5)
    at = np.arange(3000)
    quality = np.where(at[:, None] % 97 < np.arange(6) + 1, 2, 0).astype(np.uint8)
    fresh = at[:, None] % (np.arange(6) + 1) == 0
    mode = np.stack([at // 400 % 4, at // 700 % 4], axis=1).astype(np.int8)
    carry, out = np.zeros((6, k.CARRY)), np.zeros((6, k.WIDTH))
    carry[:, : k.STILL] = np.nan
    k.measure(at / 100.0, values, quality, fresh, mode, np.array([0, 1, 0, 1, 0, -1]), np.full(6, 0.01), carry, out)
    return {"out": out, "carry": carry}


@case("agent.kernels.robust")
def robust(k: Any, broken: bool) -> Told:
    values = table(60, 600, 6, broken=broken)
    learn = (np.arange(values.size).reshape(values.shape) % 7 != 0).astype(np.uint8)
    state, out = k.new(6), np.empty((len(values), k.OUTPUTS, 6))
    k.update(state, values, learn, np.full(6, 0.01), out)
    return {"state": state, "out": out}


@case("agent.kernels.segment")
def segment(k: Any, broken: bool) -> Told:
    rows = 4000
    at = np.arange(rows)
    speed = np.where(at % 1000 < 60, 0.0, 1500.0 + 500.0 * (at // 1000))
    load = 5.0 + speed / 400.0 + 0.1 * noise(70, rows) + np.where(at % 200 > 120, 25.0, 0.0)
    ok = np.ones(rows, np.bool_)
    if broken:
        spoil = spoiled(np.stack([np.zeros(rows), load, speed], axis=1), 71)
        ok = np.isfinite(spoil[:, 1]) & np.isfinite(spoil[:, 2]) & (np.abs(spoil[:, 1:]) < 1e6).all(axis=1)
        load, speed = spoil[:, 1].copy(), spoil[:, 2].copy()
    told: Told = {}
    for gate, has_speed in ((0, 1), (1, 1), (1, 0), (2, 1)):
        state, idle = k.new_state()
        air, looks = np.zeros(rows, np.bool_), k.every_look()
        if has_speed:
            looks[: k.GRID + 1] = 24.9, 0.5, 0.8, 5.0, 0.1
        usual = np.stack([np.where(np.arange(40) < 30, 40.0, -np.inf), np.where(np.arange(40) > 20, 24.0, np.inf)])
        events, start = [], 0
        while start < rows:
            start, event = k.advance(at * 0.02, load, ok, speed, start, gate, has_speed, 30.0, 0.02, state, idle, air, looks, usual)
            events.append((start, event))
        name = f"{gate}_{has_speed}"
        told |= {f"events_{name}": np.array(events), f"state_{name}": state, f"idle_{name}": idle, f"air_{name}": air}
        told |= {f"looks_{name}": looks[k.LOOKS :]}
    return told


@case("agent.kernels.signature")
def signature(k: Any, broken: bool) -> Told:
    cuts = np.empty((9, 80, 2))
    for cut in range(9):
        n = 150 + 7 * cut
        values = 10.0 * np.abs(np.stack([arc(n, 300), arc(n, 500)], axis=1)) + 0.2 * noise(80 + cut, n, 2)
        if broken:
            values = spoiled(values, 90 + cut)
        k.resample(np.arange(n) * 0.01, values, 0.0, n * 0.01 / 81, 0.05, cuts[cut])
    centre, spread, count = np.empty((80, 2)), np.empty((80, 2)), np.empty((80, 2), np.int64)
    k.envelope(cuts, centre, spread, count)
    fresh = cuts[3] + np.where(np.arange(80) > 40, 9.0, 0.0)[:, None] - np.where(np.arange(80) < 9, 12.0, 0.0)[:, None]
    state, outside = np.zeros((k.EXCEED_FIELDS, 2)), np.empty(fresh.shape, np.uint8)
    k.exceed(state, centre, spread, np.full(2, 0.05), fresh, 0, 4.0, 5.0, 3, outside)
    a, b = np.ascontiguousarray(fresh[:70, 1]), np.ascontiguousarray(cuts[0, :, 1])
    if broken:
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    work, beside = np.empty((80, 80)), np.empty(len(b))
    distance = k.align(a, b, 10, work, beside)
    growing = k.opened()
    k.grow(growing, np.arange(80) * 0.05, np.ascontiguousarray(fresh[:, 1]), 3.0, 0.2)
    limits = np.array([[0.0, 1e3], [-np.inf, 1.0], [0.0, np.nan], [-1.0, 0.0]])
    outside_of = np.array([k.beyond(growing, limits), k.beyond(growing, -limits[:, ::-1].copy())])
    told: Told = {
        "cuts": cuts,
        "beyond": outside_of,
        "centre": centre,
        "spread": spread,
        "count": count,
        "state": state,
        "outside": outside,
    }
    return told | {"beside": beside, "distance": np.array([distance]), "growing": growing}


@case("agent.kernels.spectrum")
def spectrum(k: Any, broken: bool) -> Told:
    samples = np.ascontiguousarray(wave(100, 8192, 3).T, dtype=np.float32)
    if broken:
        samples[0, 5], samples[1] = np.inf, -1.5
        np.clip(samples[2], -1.0, 1.0, out=samples[2])
    meter = k.Spectrum(((10.0, 200.0), (200.0, 1000.0)), (100.0, 1000.0))
    told: Told = {}
    for speed, teeth in ((1430.0, 4), (300.0, 0), (np.nan, 2)):
        figures, validity = meter.measure(samples, 2670.0, speed, teeth, 1.0 if broken else np.inf)
        told |= {f"figures_{speed}": figures.copy(), f"validity_{speed}": validity.copy()}
    return told


@case("agent.kernels.vibration")
def vibration(k: Any, broken: bool) -> Told:
    samples = wave(110, 4096, 3)
    counts = np.clip(np.rint(samples * (20000.0 if broken else 8000.0)), -32768, 32767).astype(np.int16)
    floats = samples.astype(np.float32)
    if broken:
        floats[9, 0], floats[:, 1] = np.nan, 3.0
        counts[:, 1] = 12
    told: Told = {}
    meter = k.Meter()
    for name, block in (("counts", counts), ("floats", floats), ("short", counts[:7]), ("one", floats[:, :1])):
        for speed in (6000.0, np.nan):
            figures, validity = meter.measure(block, 1.0 / 8000.0 if block.dtype == np.int16 else 1.0, 26700.0, speed, 30000.0)
            told |= {f"{name}_{speed}": figures.copy(), f"{name}_{speed}_validity": validity.copy()}
    return told


@case("agent.kernels.whiten")
def whiten(k: Any, broken: bool) -> Told:
    values = table(120, 1500, 6, broken=False)
    for i in range(1, len(values)):
        values[i, 5] += 0.7 * values[i - 1, 5]
    if broken:
        values = spoiled(values, 121)
    learn = (np.arange(values.size).reshape(values.shape) % 3 != 0).astype(np.uint8)
    state, out = k.new(6), np.empty((len(values), k.OUTPUTS, 6))
    k.update(state, values, learn, np.full(6, 0.01), out)
    return {"state": state, "out": out}


def _stuffed(payload: bytes) -> bytes:
    """COBS: each zero is replaced by how far the next one is."""
    return b"".join(bytes([len(part) + 1]) + part for part in payload.split(b"\0")) + b"\0"


@case("drivers.frames")
def frames(k: Any, broken: bool) -> Told:
    chance = np.random.Generator(np.random.PCG64(130))
    stream = bytearray()
    for sequence in range(200):
        words = chance.integers(-300, 300, 30).astype("<i2").tobytes()
        head = bytes([k.VERSION]) + (sequence * (1 if sequence % 50 else 7)).to_bytes(2, "little") + bytes([3, 10]) + words
        crc = int(k._crc16(np.frombuffer(bytearray(head), np.uint8), len(head)))
        stream += _stuffed(head + crc.to_bytes(2, "little"))
    classic = bytearray()
    for _ in range(100):
        body = bytes([0x55, 0x51]) + chance.integers(-2000, 2000, 4).astype("<i2").tobytes()
        classic += body + bytes([sum(body) & 0xFF]) + bytes([0x55, 0x61]) + chance.integers(-900, 900, 15).astype("<i2").tobytes()
    if broken:
        for data in (stream, classic):
            for place in chance.integers(0, len(data), len(data) // 150):
                data[place] ^= 1 << int(chance.integers(0, 8))
    data = np.frombuffer(bytes(stream), np.uint8)
    state, samples, rows = np.zeros(5, np.int64), np.zeros((len(data), 3), np.int16), np.zeros((len(data), 4), np.int64)
    told: Told = {"cobs": np.array(k.cobs(data, 3, state, samples, rows)), "state": state, "samples": samples, "rows": rows}
    data = np.frombuffer(bytes(classic), np.uint8)
    limits = np.array([[-1000] * k.WIT_WORDS, [1000] * k.WIT_WORDS])
    seen, words14 = np.zeros(2, np.int64), np.zeros((len(data), k.WIT_WORDS + 1), np.int16)
    return told | {"wit": np.array(k.wit(data, 1, limits, seen, words14)), "seen": seen, "words": words14}
