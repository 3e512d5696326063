"""The figures about sensors that lie, on two made-up tools in the format of NUAA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection._sensor_health import measure

CHANNELS = ("axial_force_N", "torsion_Nm", "vib1", "vib2", "spindle_power", "spindle_current")
RATE = 300


def write(folder: Path, tool: str, layers: int, *, dead: int = 0, nan: int = 0, seed: int = 1) -> None:
    """A tool: vib1 is dead in the first `dead` layers, torsion gives NaN for 10 s in layer `nan`."""
    draw = np.random.default_rng(seed)
    arrays = {"channels": np.array(CHANNELS), "rate_hz": np.array(RATE)}
    for layer in range(1, layers + 1):
        n = 60 * RATE
        shared = draw.standard_normal(n)
        values = np.vstack([
            300 + 180 * draw.standard_normal(n),
            30 + 20 * draw.standard_normal(n),
            (0.006 if layer <= dead else 4.0) * shared,
            4.1 * (shared + 0.05 * draw.standard_normal(n)),
            np.repeat(2.2 + 0.2 * draw.standard_normal(n // 60), 60),
            np.repeat(9.0 + 1.3 * draw.standard_normal(n // 60), 60),
        ])  # fmt: skip
        scale = np.abs(values).max(axis=1) / 32000.0
        counts = np.rint(values / scale[:, None]).astype(np.int16)
        if layer == nan:
            counts[1, 20 * RATE : 30 * RATE] = -32768
        arrays[f"L{layer:02d}"], arrays[f"L{layer:02d}_scale"] = counts, scale
    np.savez(folder / f"{tool}.npz", **arrays)  # type: ignore[arg-type]


def test_what_is_dead_is_found_and_what_is_well_is_not_named(tmp_path: Path) -> None:
    write(tmp_path, "W21", 4, dead=2)
    write(tmp_path, "W22", 4, nan=3, seed=2)
    speeds = [f"{tool},{layer},1750" for tool in ("W21", "W22") for layer in range(1, 5)]
    (tmp_path / "layers.csv").write_text("\n".join(["tool,layer,n_rpm", *speeds]) + "\n")
    told = {row.name: row for row in measure(tmp_path, lambda share, what: None)}
    assert told["sensor_dead_found"].n == "1 of 1 episodes"
    assert told["sensor_nan_found"].n == "1 of 1 blocks"
    assert told["sensor_false"].n == "0 of 45 channels x layers"
    assert told["sensor_doubtful"].value is None
    assert {row.through for row in told.values()} == {"pass"}


def test_without_a_tool_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        measure(tmp_path, lambda share, what: None)
