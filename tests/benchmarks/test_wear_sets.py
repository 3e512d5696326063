"""Adapters of worn tools on small files of the same format: any number of tools, dead and missing figures, a wear that is known."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.detection import _wear, nasa_milling, nuaa_milling, phm2010_milling, vicomtech_turning
from benchmarks.detection._left_out import judged
from benchmarks.detection._wear import Step, Tool
from benchmarks.detection._wear_rows import auc
from benchmarks.detection.table import Row

Rows = list[dict[str, object]]


def nothing(share: float, what: str) -> None:
    """No progress is shown."""


def written(path: Path, rows: Rows) -> None:
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def nuaa(folder: Path, tools: int) -> None:
    random = np.random.default_rng(3)
    rows: Rows = []
    for k in range(tools):
        for layer in range(1, 16):
            wear = round(0.05 + (0.012 + 0.002 * k) * layer, 3)
            dead = k == 0 and layer < 8
            rows.append(
                {"tool": f"W{k}", "layer": layer, "fz_mm": 0.04, "n_rpm": 1750, "ap_mm": 2.5, "dur_s": 100.0, "VBmax_mm": wear}
                | {"spindle_power_mean": 2.0 + 0.02 * random.standard_normal(), "spindle_current_std": 1.3, "vib2_std": 4.0 + wear}
                | {"vib1_std": "" if layer == 9 else 0.006 if dead else 4.5}
            )
    written(folder / "layers.csv", rows)


def vicomtech(folder: Path, tools: int) -> None:
    rows: Rows = []
    for k in range(tools):
        for second in range(60):
            wear = (5.0 + k) * second if k else 40.0 + second
            rows.append(
                {"tool": k, "Vb": wear, "TV50.S_MEAN": 500.0, "CV3.Z_RMS": 13.0 * math.exp(wear / 1000.0), "CV3.X_RMS": ""}
                | {"Ax1_RMS": 5.0, "Ay1_RMS": 4.0, "Az1_RMS": 3.0}
                | {"CON.A.SREAL.S": 8e6 if second < 30 else 9e6, "CON.G.FREAL": 2.2e3 if second < 30 else 2.5e3}
            )
    written(folder / "features_1s.csv.gz", rows)


def phm(folder: Path, tools: int) -> None:
    rows: Rows = []
    for k in range(tools):
        for run in range(1, 121):
            wear = 40.0 + (1.0 + 0.1 * k) * run
            rows.append({"case": k, "run": run, "VB_max_um": wear} | {f"vib_{axis}__rms": 0.08 * (1.0 + wear / 200.0) for axis in "xyz"})
    written(folder / "features_per_cut.csv.gz", rows)


def nasa(folder: Path, tools: int) -> None:
    rows: Rows = []
    for k in range(tools):
        for run in range(1, 13):
            vb: object = "" if run == 3 else 0.02 * (1 + k % 2) * run
            rms = 1e32 if run == 5 else 1.5
            rows.append(
                {"case": k, "run": run, "VB": vb, "time": 2.0 * run, "DOC": 0.75 * (1 + k % 2), "feed": 0.25, "material": 1 + k % 2}
                | {"rms_vib_table": rms, "rms_vib_spindle": rms}
            )
    written(folder / "vib_features_per_run.csv", rows)


SETS: list[tuple[Callable[[Path, int], None], Callable[..., list[Row]]]] = [
    (nuaa, nuaa_milling.measure),
    (vicomtech, vicomtech_turning.measure),
    (phm, phm2010_milling.measure),
    (nasa, nasa_milling.measure),
]


@pytest.mark.parametrize("tools", [1, 2, 5])
@pytest.mark.parametrize(("make", "measure"), SETS, ids=["nuaa", "vicomtech", "phm", "nasa"])
def test_any_number_of_tools_is_measured_or_said_not_to_be(
    make: Callable[[Path, int], None], measure: Callable[..., list[Row]], tools: int, tmp_path: Path
) -> None:
    make(tmp_path, tools)
    rows = measure(tmp_path, nothing)
    by_name = {row.name: row for row in rows}
    assert len(by_name) == len(rows), "names are unique"
    assert msgspec.json.decode(msgspec.json.encode(rows), type=list[Row]) == rows, "it can be written"
    assert {row.through for row in rows if not row.name.endswith("_within")} == {"cuts"}
    assert {row.through for row in rows if row.name.endswith("_within")} <= {"detector"}
    assert all(row.value is None or math.isfinite(row.value) for row in rows)
    assert all(msgspec.json.encode(row) for row in rows), "`--json` can write it"
    assert by_name["not_monitorable"].n
    scored = tools - (measure is vicomtech_turning.measure)  # its first tool is worn at the start
    if scored < 2:
        assert by_name["rmse"].value is None
        assert "two tools" in by_name["rmse"].note
    else:
        assert by_name["rmse"].value is not None
        assert by_name["rmse"].baseline_value is not None


def test_a_dead_accelerometer_that_comes_back_raises_no_wear(tmp_path: Path) -> None:
    nuaa(tmp_path, 3)
    row = {row.name: row for row in nuaa_milling.measure(tmp_path, nothing)}["dead_sensor"]
    assert row.value == 0.0
    assert row.n == "10 dead layers (W0: 8, W1: 1, W2: 1)", "the seven of W0 and the empty one of each"


def test_a_pass_ends_where_the_control_would_say_so(tmp_path: Path) -> None:
    def row(speed: float, held: float, feed: float = 2.8e-4) -> dict[str, object]:
        other = {"Ax1_RMS": 5.0, "Ay1_RMS": 4.0, "Az1_RMS": 3.0, "CV3.Z_RMS": 13.0, "TV50.S_MEAN": 500.0, "Vb": 1.0, "tool": 7}
        return {"CON.A.SREAL.S": speed, "CON.G.FREAL": feed * speed, "CV3.X_RMS": held, **other}

    rows = [row(8e6, 5.0), row(8.01e6, 5.1), row(8e6, 2.0), row(9e6, 2.0), row(9e6, 2.1, feed=3e-3), row(9e6, 2.1), row(9e6, 2.0, feed=0.0)]
    written(tmp_path / "features_1s.csv.gz", rows)
    (tool,) = vicomtech_turning.read(tmp_path / "features_1s.csv.gz")
    assert [step.cut for step in tool.steps] == [0, 0, 1, 2, 2], "rapid and standing rows are left out"


def test_whole_cuts_are_judged_and_followed_and_what_each_row_says_stands_apart() -> None:
    steps = [
        Step(clocks={"seconds": 1.0}, wear=float(i), spindle=5.0 + (i % 10) * 0.5, axis={"z": 2.0}, vibration=3.0 + i % 2, cut=i // 10)
        for i in range(60)
    ]
    of = _wear.follow(Tool("t", steps))
    assert of.cuts == 6
    assert of.judged == 4, "three cuts are the anchor, the third has a ratio to it"
    assert np.isnan(of.levels["z"]).tolist() == [True] * 29 + [False] * 31, "known after the third cut"
    assert np.isfinite(of.of_rows["z"]).sum() == 58
    assert not of.alerts, "within each cut the load climbs by 90 %, and no cut differs from another"
    together = _wear.whole(Tool("t", steps), range(9, 60, 10)).steps
    assert together[1].clocks == {"seconds": 10.0}
    assert together[1].wear == 19.0
    assert together[1].spindle == pytest.approx(7.25)
    assert together[1].vibration == pytest.approx(math.sqrt(12.5))


def test_vibration_that_calls_a_tool_worn_is_named() -> None:
    steps = [Step(clocks={"seconds": 10.0}, wear=0.01 * k, vibration=2.0 * math.exp(0.03 * k)) for k in range(40)]
    of = _wear.follow(Tool("t", steps))
    assert {signal for _, signal in of.alerts} == {"vibration"}


def made(wear: Sequence[float], axis: Sequence[float] | None = None) -> Tool:
    steps = [Step(clocks={"seconds": 10.0}, wear=w, axis={"z": a}) for w, a in zip(wear, axis or [5.0] * len(wear), strict=True)]
    return Tool("t", steps)


@pytest.mark.parametrize(
    ("warns", "wear", "said"),
    [
        (3, [0.1, 0.12, 0.15, 0.18, 0.2], "warned"),
        (4, [0.1, 0.12, 0.15, 0.18, 0.2], "missed"),
        (None, [0.1, 0.2], "missed"),
        (0, [0.05, 0.1, 0.2], "false"),
        (1, [0.05, 0.1, 0.15], "false"),
        (None, [0.05, 0.1], "silent"),
        (2, [0.11, math.nan, math.nan, 0.2], "warned"),
    ],
)
def test_what_counts_as_warned(warns: int | None, wear: list[float], said: str) -> None:
    assert judged(made(wear), warns, 0.2) == said


def test_an_axis_that_climbs_is_heard_and_the_estimate_is_monotone() -> None:
    wear = [0.01 * k for k in range(40)]
    random = np.random.default_rng(2)
    of = _wear.follow(made(wear, [5.0 * (1.0 + w) * math.exp(0.01 * random.standard_normal()) for w in wear]))
    level = of.levels["z"]
    assert np.all(np.diff(level[np.isfinite(level)]) >= -1e-12) or level[-1] > 0.2
    assert {signal for _, signal in of.alerts} == {"z"}
    assert 10 < of.alerts[0][0] < 35


def test_area_under_the_curve_by_counting() -> None:
    random = np.random.default_rng(4)
    high, low = random.integers(0, 9, 40).astype(float), random.integers(0, 7, 30).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in high for b in low]
    assert auc(high, low) == pytest.approx(np.mean(pairs))
