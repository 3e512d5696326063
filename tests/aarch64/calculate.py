"""Runs the cases and writes what came out: `calculate.py OUT.npz MODULE...`, here or under qemu. Needs numba, numpy and rocket-fft alone.

Beside the results of a module stand the kernels it has, and those that were reached: called from Python, or named by one that was reached.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.aarch64.cases import run


def kernels_of(module: Any) -> dict[str, Any]:
    """What numba has compiled of a module's own functions."""
    return {name: one for name, one in vars(module).items() if getattr(getattr(one, "py_func", None), "__module__", "") == module.__name__}


def watched(name: str, kernel: Any, called: set[str]) -> Callable[..., Any]:
    """The same kernel; notes that it was called."""

    def call(*args: Any) -> Any:
        called.add(name)
        return kernel(*args)

    return call


def reached(kernels: dict[str, Any], called: set[str]) -> set[str]:
    """Those called, and all that they name."""
    found: set[str] = set()
    waiting = set(called)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= {other for other in kernels[name].py_func.__code__.co_names if other in kernels} - found
    return found


def calculate(names: list[str]) -> dict[str, NDArray[Any]]:
    """Results by 'module/rich or broken/name'; and 'module/kernels', 'module/reached'."""
    told: dict[str, NDArray[Any]] = {}
    for name in names:
        module = importlib.import_module(name)
        kernels, called = kernels_of(module), set[str]()
        for kernel in kernels:
            vars(module)[kernel] = watched(kernel, kernels[kernel], called)
        for broken in (False, True):
            results = run(name, broken)
            told.update((f"{name}/{'broken' if broken else 'rich'}/{key}", np.asarray(value)) for key, value in results.items())
        told[f"{name}/kernels"] = np.array(sorted(kernels))
        told[f"{name}/reached"] = np.array(sorted(reached(kernels, called)))
    return told


if __name__ == "__main__":
    with Path(sys.argv[1]).open("wb") as out:
        np.savez(out, **calculate(sys.argv[2:]))  # type: ignore[arg-type]
