"""The adapters of the production lathe and of the mill in wax, over small files that are made here: other tools, other parts."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from agent.machine_file import load
from agent.maintenance import plan
from benchmarks.detection import _hahn_trials, hahn_lathe, umich_smart_mill
from benchmarks.detection._hahn_parts import Parts
from benchmarks.detection.table import Row

SECONDS = 60
CUTS = ((5, 10.0, 14.0, 500.0), (41, 30.0, 36.0, 300.0), (7, 46.0, 49.0, 2.0))
"""Tool, from and to in s, current above the idle of 400; the last is hardly there."""


@pytest.fixture(scope="module")
def lathe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One part with three tools, and a history of 40 parts in which good cuts differ by 1 %."""
    folder = tmp_path_factory.mktemp("lathe")
    draw = np.random.default_rng(3)
    time = np.arange(SECONDS * 1000) / 1000.0
    current, tool, marked = 400.0 + 3.0 * draw.standard_normal(len(time)), np.zeros(len(time), np.int16), np.zeros(len(time), np.int16)
    for number, first, last, height in CUTS:
        inside = (time >= first) & (time < last)
        current[inside] += height
        marked[inside] = 1
        tool[(time >= first - 5.0) & (time < last + 5.0)] = number
    still = np.zeros(len(time), np.int16)
    np.savez(
        folder / "one_part_other.npz",
        rate_hz=1000,
        Current_MainSpindle=current.astype(np.int16),
        Current_SubSpindle=still,
        Speed_MainSpindle=np.full(len(time), 2000, np.int16),
        Speed_SubSpindle=still,
        TOOL_Number=tool,
        CUT_Signal=marked,
    )
    names = ("part", "tool", "index", "unix_date", "len_cut", "rms_current_main", "rms_current_sub", "part_failed", "tool_failed")
    with gzip.open(folder / "cuts_features.csv.gz", "wt", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(names)
        for part in range(40):
            for number, first, last, height in CUTS:
                rms = (400.0 + height) * (1.0 + 0.01 * draw.standard_normal())
                rows.writerow(("P", number, 0, 1000 * part, 1000.0 * (last - first), rms, 1.0, "0", "0"))
    return folder


@pytest.fixture(scope="module")
def parts(lathe: Path) -> Parts:
    return Parts(lathe / "one_part_other.npz", lathe / "cuts_features.csv.gz")


def test_any_part_is_read_and_a_gone_tool_leaves_its_idle(parts: Parts) -> None:
    assert [(cut.tool, cut.spindle, cut.number) for cut in parts.cuts] == [(5, 0, 0), (41, 0, 0), (7, 0, 0)]
    assert [round(cut.contrast, 1) for cut in parts.cuts] == [0.6, 0.4, 0.0]
    assert [cut.stands_out for cut in parts.cuts] == [True, True, False]
    draw = np.random.default_rng(1)
    values = parts.part(0, draw, [0, 0, 0], {1: 33_000})
    assert values[30_500:32_500, 0].mean() == pytest.approx(700.0, rel=0.05)
    assert values[33_500:35_500, 0].mean() == pytest.approx(400.0, rel=0.02)


@pytest.mark.parametrize("rate", [10, 1])
def test_what_is_promised_is_kept_and_the_rest_is_declared(parts: Parts, rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_hahn_trials.TESTS, rate, 12)
    machine = load(hahn_lathe.MACHINE, replay=True)
    settings = _hahn_trials.with_parts(machine.settings)
    tried = _hahn_trials.try_rate(parts, settings, plan(machine.paths), rate, lambda _share, _what: None, 0.0, 1.0)
    assert [trial for trial in tried.trials if trial.kind == "missing"]
    assert all(trial.found for trial in tried.trials if trial.promised), "a promise is kept"
    promised = {cut for cut, told in tried.promises.items() if told.missing}
    assert promised == ({0, 1} if rate == 10 else {1}), "a cut of 4 s at 1 Hz is too short, one that does not stand out is none"
    assert {kind for kind in tried.false if kind.startswith("learned")} == set()


def test_where_a_cut_lies_in_the_visit_of_its_tool(parts: Parts) -> None:
    for cut, place in zip(parts.cuts, _hahn_trials.places(parts), strict=True):
        assert place.visit == 1
        assert place.last - place.first == pytest.approx((cut.last - cut.first) / parts.rate, abs=0.01)
        called = np.flatnonzero(parts.tool == cut.tool)[0]
        assert place.first <= (cut.first - called) / parts.rate


def mill(folder: Path, number: int, rise: float) -> None:
    """Three layers, up and down, of a mill whose power in a cut is what it idles at, and `rise`."""
    draw = np.random.default_rng(number)
    names = ("S1_OutputPower", "S1_ActualVelocity", "X1_ActualPosition", "Machining_Process")
    with gzip.open(folder / f"experiment_{number:02d}.csv.gz", "wt", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(names)
        states = ["Prep", *(f"Layer {layer} {way}" for layer in (1, 2, 3) for way in ("Up", "Down")), "End"]
        for state in states:
            for i in range(120):
                cutting = state.startswith("Layer") and i >= 20
                power = 0.18 + (rise if cutting else 0.0) + 0.004 * draw.standard_normal()
                rows.writerow((power, 53.3, 198.0 if state == "End" else 150.0, state if cutting or state == "End" else "Repositioning"))


def measured(folder: Path, rise: float) -> dict[str, Row]:
    conditions = ["No,feedrate,clamp_pressure,tool_condition"]
    for number in (2, 3, 8, 12):
        mill(folder, number, rise)
        conditions.append(f"{number},6,4.0,{'worn' if number == 8 else 'unworn'}")
    (folder / "train.csv").write_text("\n".join(conditions) + "\n")
    return {row.name: row for row in umich_smart_mill.measure(folder, lambda _share, _what: None)}


def test_a_mill_whose_cuts_are_lost_in_the_noise_is_promised_nothing_and_one_that_shows_them_is(tmp_path: Path) -> None:
    for name in ("wax", "steel"):
        (tmp_path / name).mkdir()
    wax = measured(tmp_path / "wax", 0.003)["negative_control"]
    assert wax.value == 0.0
    assert wax.n == "2 operations of 4 experiments"
    steel = measured(tmp_path / "steel", 1.0)
    assert steel["negative_control"].value == 100.0, "a control that can fail"
    assert steel["negative_effect"].value == pytest.approx(0.0, abs=2.0)


def test_a_folder_without_a_recording_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="one_part"):
        hahn_lathe.measure(tmp_path, lambda _share, _what: None)
    with pytest.raises(FileNotFoundError, match="experiment_01"):
        umich_smart_mill.measure(tmp_path, lambda _share, _what: None)
