"""Batches of one from a small file of the same format: a layer that is cut as its data say, and one that is far too heavy."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.detection import _nuaa_first
from benchmarks.detection.table import Row

RATE, SECONDS = 300, 40


def made(folder: Path, level: float) -> dict[str, Row]:
    """Two layers of a tool that nobody has seen: two seconds near idle, then a steady load above it (kW)."""
    random = np.random.default_rng(5)
    data = {"channels": np.array(["vib1", "spindle_power"]), "rate_hz": np.array(RATE)}
    with (folder / "layers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["tool", "layer", "fz_mm", "n_rpm", "ap_mm"])
        writer.writeheader()
        for layer in (1, 2):
            power = 1.6 + level * (np.arange(RATE * SECONDS) >= 2 * RATE) + 0.005 * random.standard_normal(RATE * SECONDS)
            data[f"L{layer:02d}"] = np.round(np.stack([power * 0.0, power / 1e-3])).astype(np.int16)
            data[f"L{layer:02d}_scale"] = np.array([1.0, 1e-3])
            writer.writerow({"tool": "W9", "layer": layer, "fz_mm": 0.045, "n_rpm": 1750, "ap_mm": 2.5})
    np.savez(folder / "W9.npz", **data)
    return {row.name: row for row in _nuaa_first.measure(folder, lambda share, what: None)}


def test_a_layer_as_its_data_say(tmp_path: Path) -> None:
    rows = made(tmp_path, 0.5)
    assert all(msgspec.json.encode(row) for row in rows.values())
    assert {row.n for row in rows.values()} == {"2 layers"}
    told = {name: row.value for name, row in rows.items()}
    assert told == {
        "first_data_false": 0.0,
        "first_data_missing": 100.0,
        "first_data_overload_2": 0.0,
        "first_data_overload_4": 100.0,
        "first_break_false": 0.0,
        "first_break_recall": 100.0,
        "first_break_false_others": 0.0,
        "first_break_recall_others": 100.0,
    }


def test_a_layer_that_is_far_too_heavy_is_told_as_it_is(tmp_path: Path) -> None:
    assert made(tmp_path, 2.5)["first_data_false"].value == 100.0
