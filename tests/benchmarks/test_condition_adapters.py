"""The adapters of the condition sets on files of their formats that were made here: whatever bearings, rates and names they hold."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import numpy as np

from benchmarks.detection import cwru_bearing, femto_bearing, nab, skab_pump
from benchmarks.detection.table import Row


def quiet(share: float, what: str) -> None:
    """Nobody watches."""


def by_name(rows: list[Row]) -> dict[str, Row]:
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


def test_bearings_that_run_to_failure(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    head = ["bearing", *(f"{axis}_{column}" for axis in "hv" for column in femto_bearing.COLUMNS)]
    with gzip.open(tmp_path / "features_per_10s.csv.gz", "wt", encoding="utf-8", newline="") as text:
        out = csv.writer(text)
        out.writerow(head)
        for name, rise in (("Bearing9_1", 8.0), ("Bearing9_2", 1.0)):
            for i in range(160):
                level = np.exp(draw.normal(0.0, 0.05, len(head) - 1)) * (rise if i >= 100 else 1.0)
                out.writerow([name, *level.tolist()])
    rows = by_name(femto_bearing.measure(tmp_path, quiet))
    assert rows["default_warned"].value == 1
    assert rows["default_warned"].through == "pass"
    assert rows["default_early"].value == 0
    lead = rows["lead_Bearing9_1"].value
    assert lead is not None
    assert 60 * 10.0 / 60.0 - 3.0 < lead < 60 * 10.0 / 60.0
    assert rows["lead_Bearing9_2"].note == "never alarmed"


def test_records_of_seeded_faults(tmp_path: Path) -> None:
    rate, rpm = 12_000.0, 1797
    folder = tmp_path / "cwru_bearing"
    folder.mkdir()
    draw = np.random.default_rng(2)
    held: dict[str, np.ndarray] = {}
    for kind, order in (("IR", 5.4152), ("OR@6", 3.5848), ("Normal", 0.0)):
        samples = 0.05 * draw.standard_normal(4 * int(rate))
        ring = np.exp(-np.arange(120) / 18.0) * np.sin(2.0 * math.pi * 3100.0 / rate * np.arange(120))
        at = 0.003
        while order and at * rate < len(samples) - 120:
            samples[int(at * rate) : int(at * rate) + 120] += 0.6 * ring
            at += 60.0 / (order * rpm) * (1.0 + 0.003 * draw.standard_normal())
        key = f"{rpm}_{kind}_7_DE12"
        held[key], held[f"{key}_scale"] = np.round(samples / 1e-4).astype(np.int16), np.array(1e-4)
    np.savez(folder / "any_name.npz", **held)  # type: ignore[arg-type]
    rows = by_name(cwru_bearing.measure(folder, quiet))
    assert (rows["inner_named"].value, rows["outer_named"].value, rows["normal_named"].value) == (100.0, 100.0, 0.0)
    assert rows["inner_named"].through == "pass"


def test_a_pump(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    for group in ("one", "two"):
        (tmp_path / group).mkdir()
        with (tmp_path / group / "7.csv").open("w", encoding="utf-8") as text:
            text.write("datetime;Pressure;Flow;Current;anomaly;changepoint\n")
            for i in range(700):
                bad = 550 <= i < 650
                values = draw.normal(0.0, 1.0, 3) + (12.0 if bad else 0.0)
                stamp = f"2020-03-09 10:{i // 60:02d}:{i % 60:02d}"
                text.write(f"{stamp};{values[0]};{values[1]};{values[2]};{float(bad)};{float(i in (550, 650))}\n")
    rows = by_name(skab_pump.measure(tmp_path, quiet))
    assert rows["one_f1"].through == "pass"
    assert (rows["default_f1"].value or 0.0) > 0.9
    assert (rows["default_far"].value or 0.0) < 10.0


def test_a_temperature(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    draw = np.random.default_rng(4)
    with (tmp_path / "mine" / "oven_temperature.csv").open("w", encoding="utf-8") as text:
        text.write("timestamp,value\n")
        for i in range(1200):
            text.write(
                f"2024-01-{1 + i // 288:02d} {i % 288 // 12:02d}:{i % 12 * 5:02d}:00,{draw.normal() + (40.0 if 800 <= i < 900 else 0.0)}\n"
            )
    window = ["2024-01-03 17:00:00.000000", "2024-01-04 04:00:00.000000"]
    (tmp_path / "labels.json").write_text(f'{{"mine/oven_temperature.csv": {{"windows": [["{window[0]}", "{window[1]}"]], "labels": []}}}}')
    rows = by_name(nab.measure(tmp_path, quiet))
    assert (rows["oven_temperature_standard"].value or 0.0) > 50.0
