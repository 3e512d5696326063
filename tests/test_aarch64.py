"""The kernels on the processor of a Raspberry Pi: the same as here, within 1e-5."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.cli.warmup import kernel_modules
from tests.aarch64.cases import CASES
from tests.support import foreign
from tests.support.house import ROOT

Told = dict[str, NDArray[Any]]

RELATIVE = 1e-5
FLOOR = 1e-7
"""Of the largest finite value of an array: what cancels out leaves the rounding of what it was made of, in float32 6e-8 of it."""


def differences(here: Told, there: Told) -> list[str]:
    """What is not the same: floats beyond RELATIVE and FLOOR, all others at all."""
    if here.keys() != there.keys():
        return [f"not told by both: {name}" for name in sorted(here.keys() ^ there.keys())]
    return [f"{name}: {why}" for name in here if (why := _difference(here[name], there[name]))]


def _difference(one: NDArray[Any], other: NDArray[Any]) -> str:
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype}{one.shape} and {other.dtype}{other.shape}"
    if one.dtype.kind != "f":
        return "" if np.array_equal(one, other) else f"{int((one != other).sum())} of {one.size} differ"
    a, b = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
        return "NaN or infinity in other places"
    a, b = a[finite], b[finite]
    largest = np.abs(a).max(initial=0.0)
    with np.errstate(over="ignore"):
        beyond = np.abs(a - b) > RELATIVE * np.maximum(np.abs(a), np.abs(b)) + FLOOR * (largest if largest < 1e100 else 0.0)
    return f"{int(beyond.sum())} of {one.size} differ, as {a[beyond][0]!r} from {b[beyond][0]!r}" if beyond.any() else ""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Told:
    out = tmp_path_factory.mktemp("here") / "told.npz"
    script = str(ROOT / "tests" / "aarch64" / "calculate.py")
    done = subprocess.run([sys.executable, "-P", script, str(out), *CASES], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with np.load(out) as told:
        return dict(told)


# ------------------------------------------------------------------ nothing is forgotten
def test_every_file_of_kernels_has_a_case() -> None:
    """Whoever adds one adds a function to tests/aarch64/cases.py."""
    assert set(CASES) == set(kernel_modules())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", sorted(kernel_modules()))
def test_a_case_reaches_every_kernel_of_its_file(here: Told, module: str) -> None:
    """A new kernel has to be called in tests/aarch64/cases.py."""
    assert here[f"{module}/kernels"].size
    assert set(here[f"{module}/kernels"]) == set(here[f"{module}/reached"])


# ------------------------------------------------------------------ the comparison can fail
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1.0, 2.0], [1.0, 2.0001]),
        ([1.0, np.nan], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, np.inf]),
        ([np.inf, 2.0], [-np.inf, 2.0]),
        ([1e200, 1.0], [1.1e200, 1.0]),
        ([1e200, 1.0], [1e200, 1.1]),
        ([1, 2], [1, 3]),
        ([1, 2], [1, 2, 3]),
        ([1, 2], [1.0, 2.0]),
        ([True], [False]),
    ],
)
def test_a_difference_is_seen(one: list[float], other: list[float]) -> None:
    assert differences({"x": np.array(one)}, {"x": np.array(other)}) != []
    assert differences({"x": np.array(one)}, {"x": np.array(one)}) == []


def test_a_result_that_one_side_lacks_is_seen() -> None:
    assert differences({"x": np.zeros(1)}, {}) == ["not told by both: x"]


def test_rounding_is_no_difference() -> None:
    one, other = np.array([1e3, 1e-6, np.nan, np.inf]), np.array([1e3 + 1e-3, 2e-6, np.nan, np.inf])
    assert differences({"x": one}, {"x": other}) == []


# ------------------------------------------------------------------ the Pi's processor
@pytest.mark.timeout(900)
def test_on_a_pi_the_kernels_tell_the_same(here: Told, tmp_path: Path) -> None:
    why = foreign.missing()
    if why and os.environ.get("CI") != "true":
        pytest.skip(f"needs qemu and the aarch64 wheels: {why}")
    assert not why
    assert differences(here, foreign.calculate(list(CASES), tmp_path)) == []
