"""`broche bench`: what is printed, and that the peers do the same work as the kernels."""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Callable

import numpy as np
import pytest

from agent.__main__ import main
from agent.cli import _bench, _bench_full, _bench_peers, bench
from agent.kernels import control, dtw, robust, signature
from agent.kernels import vibration as vibration_kernel
from agent.kernels.bearing import BearingLines
from agent.kernels.decimate import Record
from agent.kernels.spectrum import SPEED, Spectrum
from agent.kernels.vibration import Meter
from agent.passages import defect_lines
from drivers import jit
from drivers.clock import SystemClock
from drivers.stream import encode_frame
from tests.support.house import ROOT

RNG = np.random.default_rng(12)


class SlowClock(SystemClock):
    """Goes on only when something is done."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def takes(self, *seconds: float) -> Callable[[], None]:
        following = itertools.cycle(seconds)

        def call() -> None:
            self.now += next(following)

        return call


def test_medians_in_turns_and_how_many_times_as_long_the_peer_takes() -> None:
    clock = SlowClock()
    others = {"other": (clock.takes(5.0), 1.0), "third": (clock.takes(0.25), 0.5)}
    case = _bench.Case("x", "us_block", clock.takes(3.0, 1.0, 100.0, 1.0, 2.0), 2.0, others)
    rows = list(_bench.measure(case, clock, 5))
    # Five timings of 3, 1, 100, 1 and 2 s, two blocks each.
    assert rows == [_bench.Row("x", 1e6, "us_block", "other", 5.0, 5), _bench.Row("x", 1e6, "us_block", "third", 0.5, 5)]


def test_without_a_peer_there_is_one_row_without_a_ratio() -> None:
    clock = SlowClock()
    assert list(_bench.measure(_bench.Case("x", "ns_value", clock.takes(0.5), 1.0), clock, 3)) == [
        _bench.Row("x", 0.5e9, "ns_value", None, None, 3)
    ]


def test_what_is_quick_is_called_many_times() -> None:
    clock = SlowClock()
    calls = itertools.count()
    tick = clock.takes(1e-6)

    def call() -> None:
        next(calls)
        tick()

    (row,) = _bench.measure(_bench.Case("x", "us_block", call), clock, 2)
    assert row.value == pytest.approx(1.0)
    assert next(calls) >= 2 * _bench.SHORTEST / 1e-6


def test_every_case_runs_and_has_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bench, "SHORTEST", 0.0)
    cases = _bench.cases()
    rows = [row for case in cases for row in _bench.measure(case, SystemClock(), 1)]
    assert tuple(case.name for case in cases) == bench.NAMES
    assert len(set(bench.NAMES)) == len(cases)
    assert all(row.value > 0 and (row.ratio is None or row.ratio > 0) for row in rows)
    # All that can be compared with is installed for the tests, but FFTW: it is GPL, and nobody's requirement.
    assert set(_bench.missing()) <= {"pyfftw"}
    fftw = set() if _bench.missing() else {"fftw"}
    assert {(row.peer or "").split("_")[0] for row in rows} == {"", "numpy", "scipy", "river", "python"} | fftw
    for language in ("fr", "en"):
        texts = tomllib.loads((ROOT / "config" / "texts" / f"bench.{language}.toml").read_text(encoding="utf-8"))["bench"]
        assert set(texts["name"]) == {case.name for case in cases}
        assert set(texts["unit"]) == {case.unit for case in cases}
        assert set(texts["peer"]) == {row.peer for row in rows} - {None} | {"fftw_3"}


def test_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--json", "--quick", "--only", "cusum"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row) for row in rows] == [["name", "value", "unit", "peer", "ratio", "n"]]
    assert (rows[0]["name"], rows[0]["unit"], rows[0]["peer"], rows[0]["n"]) == ("cusum", "ns_value", "numpy", 3)


def test_a_table_in_the_language_of_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--only", "vector_judged", "--lang", "fr"]) == 0
    said = capsys.readouterr().out
    assert "un vecteur" in said
    assert "µs par vecteur" in said


def test_a_library_that_is_not_installed_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = _bench_peers.installed
    monkeypatch.setattr(_bench_peers, "installed", lambda name: None if name.startswith("river") else found(name))
    assert main(["bench", "--json", "--quick", "--only", "ewma", "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["peer"] for line in told.out.splitlines()] == [None]
    assert "not compared with: river" in told.err


def test_an_unknown_name_is_refused_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "fft", "--lang", "en"]) == 2
    assert "'fft' is none of cobs, segment," in capsys.readouterr().err


def test_a_name_is_refused_before_anything_is_compiled(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare() -> jit.CacheChoice:
        raise AssertionError("kernels are prepared")

    monkeypatch.setattr(jit, "prepare", prepare)
    assert main(["bench", "--only", "nosuch", "--lang", "en"]) == 2
    assert "'nosuch' is none of" in capsys.readouterr().err


# ---- a ratio is worth something only if the peer does the same
def test_careful_numpy_gives_the_same_figures() -> None:
    block = (RNG.normal(size=(4096, 3)) * 900).astype(np.int16)
    expected, _ = Meter().measure(block, 1e-3, 26667.0, 12000.0)
    told = _bench_peers.CarefulFigures(4096, 26667.0).measure(block, 1e-3, 12000.0, 32767.0)
    assert told == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_textbook_gives_nearly_the_same_figures() -> None:
    """The band pass has slopes, and a window of its own."""
    moments = np.arange(4096)[:, None] / 26667.0
    block = (3000 * np.sin(2 * np.pi * 200.0 * moments) * np.ones((1, 3))).astype(np.int16)
    expected, _ = Meter().measure(block, 1e-3, 26667.0, 12000.0)
    for axis, told in zip(expected, _bench_peers.TextbookFigures(26667.0).measure(block, 1e-3, 12000.0), strict=True):
        assert told[:5] == pytest.approx(axis[1:6].tolist(), rel=1e-6, abs=1e-6)
        assert told[5] == pytest.approx(axis[6], rel=0.1)
        assert told[6] == pytest.approx(axis[7], rel=0.15)


def test_the_long_record_of_scipy_is_the_same() -> None:
    block = (RNG.normal(size=(9000, 2)) * 800).astype(np.int16)
    record = Record(26667.0, 2, 0.2, (3500.0, 4300.0))
    record.take(block, 1e-3)
    low, envelope = _bench_peers.Condensed(26667.0, record.factor, (3500.0, 4300.0)).take(block, 1e-3)
    n, held = math.ceil(len(block) / record.factor), record.low.shape[1]
    assert record.low == pytest.approx(low[:, n - held : n], rel=1e-4, abs=1e-5)
    assert record.envelope == pytest.approx(envelope[:, n - held : n], rel=1e-3, abs=1e-5)


def test_charts_in_numpy_alarm_as_the_kernels_do() -> None:
    values = RNG.normal(size=(400, 8)) + 0.4
    state, alarms = control.new(np.zeros(8), np.ones(8)), np.empty((400, 8), np.uint8)
    control.cusum(state, control.settings(), values, alarms)
    assert np.array_equal(_bench_peers.cusum(values, 0.5, 5.0), alarms != 0)
    control.update(control.new(np.zeros(8), np.ones(8)), control.settings(), values, alarms)
    # Its EWMA and Page-Hinkley do not start anew after an alarm: the first alarm is the same.
    told = _bench_peers.control(values, 0.2, 2.962, 0.5, 5.0)
    assert told.any(axis=0).all()
    assert np.array_equal(told.argmax(axis=0), (alarms != 0).argmax(axis=0))


def test_the_other_peers_give_the_same() -> None:
    window, value = RNG.normal(size=(31, 4)), RNG.normal(size=(1, 4))
    state, out = robust.new(4), np.empty((31, 3, 4))
    robust.update(state, window, np.ones((31, 4), np.uint8), np.zeros(4), out)
    robust.update(state, value, np.ones((1, 4), np.uint8), np.zeros(4), out)
    assert _bench_peers.robust(window, value[0]) == pytest.approx(out[0, robust.SCORE])
    curves = RNG.normal(size=(9, 20, 2))
    centre, spread, count = np.empty((20, 2)), np.empty((20, 2)), np.empty((20, 2), np.int64)
    signature.envelope(curves, centre, spread, count)
    assert np.allclose(_bench_peers.envelope(curves), (centre, spread))
    a, b = RNG.normal(size=25), RNG.normal(size=20)
    assert _bench_peers.dtw(a.tolist(), b.tolist(), 4) == pytest.approx(dtw.dtw(a, b, 4, np.empty((2, 20))))
    assert math.isfinite(dtw.dtw(a, b, 4, np.empty((2, 20))))
    sent = b"".join(encode_frame(i, np.full((5, 3), i, np.int16)) for i in range(20))
    assert _bench_peers.cobs(sent) == 20
    assert _bench_peers.cobs(sent.replace(b"\x05", b"\x06", 1)) == 19


def test_the_careful_peer_of_the_full_set_has_the_kernels_figures() -> None:
    """Block by block, the record that is kept, the lines and the bearing lines; a bearing that strikes and a shaft out of balance."""
    rate, axes, samples = 26_700.0, 3, 4096
    bands, ringing, orders = ((10.0, 1000.0), (1000.0, 5000.0)), (3500.0, 4300.0), np.array(defect_lines(9, 7.94, 39.04))
    sensor = _bench_full.Sensor(rate, 1e-3, 12_000.0, 3000.0, 4, bands, ringing, orders)
    careful = _bench_full.Careful(samples, axes, sensor)
    meter, record, lines, balls = Meter(bands), Record(rate, axes, 2.0, ringing), Spectrum(bands), BearingLines(orders)
    textbook = _bench_full.Textbook(samples, axes, sensor) if _bench_peers.installed("scipy") else None
    looked = []
    for number in range(27):
        t = (np.arange(samples) + number * samples)[:, None] / rate
        struck = 1.0 + np.cos(2 * np.pi * orders[0] * 50.3 * t)
        values = 900 * np.sin(2 * np.pi * 50.3 * t) + 200 * np.sin(2 * np.pi * 4 * 50.3 * t + [0, 1, 2])
        values = values + 300 * struck * np.sin(2 * np.pi * 3900.0 * t) + 100 * RNG.normal(size=(samples, axes))
        block = values.astype(np.int16)
        told = careful.block(block)
        expected, validity = meter.measure(block, 1e-3, rate, 12_000.0)
        assert not (validity & ~vibration_kernel.SHORT).any()
        assert np.allclose(told, expected, rtol=1e-4, atol=1e-5)
        record.take(block, 1e-3)
        if textbook is not None:
            textbook.block(block)
        looked.append(record.due())
        assert careful.due() == looked[-1] or not record.filled
    assert sum(looked) >= 1
    assert np.allclose(careful.low, record.low, atol=1e-5)
    assert np.allclose(careful.envelope, record.envelope, atol=1e-5)
    shaft, validity = lines.measure(record.low, record.rate, 3000.0, 4)
    assert not validity.any()
    assert np.isfinite(shaft).all()
    assert np.allclose(careful.lines(), shaft, rtol=2e-3)
    passages, validity = balls.measure(record.envelope, record.rate, 3000.0)
    assert not validity.any()
    assert np.allclose(careful.bearing(), passages, rtol=2e-3, atol=1e-5, equal_nan=True)
    if textbook is None:
        return
    rough = np.array(textbook.lines())
    assert np.allclose(rough[:, 0], shaft[:, SPEED + 1], rtol=0.1)
    assert np.allclose(rough[:, 6], shaft[:, -2], rtol=0.05)
    assert np.allclose(np.array(textbook.bearing())[:, 0], passages[:, 0, 0], rtol=0.15)
