"""Runs the cases of tests/aarch64 on the Pi's processor: the real aarch64 wheels under qemu-user, as many at a time as there are cores."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.aarch64 import prepare
from tests.support.house import ROOT

PROCESSOR = "cortex-a72"
"""Of the Raspberry Pi 4: numba is told, too, for under qemu it sees the processor of this machine and takes any aarch64."""
QEMU = "qemu-aarch64-static"
LONGEST = 600.0
"""s; a minute or two where the cores are free."""


def missing() -> str:
    """Why it cannot run here; '' if it can."""
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed (Debian: qemu-user-static)"
    folder = prepare.place()
    return (
        "" if prepare.is_ready(folder) else f"{folder} is absent or older than requirements.lock; python3 tests/aarch64/prepare.py makes it"
    )


def shares(modules: list[str], n: int) -> list[list[str]]:
    """Dealt to n processes: compiling takes about as long as the source is."""
    dealt: list[list[str]] = [[] for _ in range(n)]
    sizes = {module: (ROOT / f"{module.replace('.', '/')}.py").stat().st_size for module in modules}
    load = [0] * n
    for module in sorted(modules, key=lambda module: -sizes[module]):
        least = load.index(min(load))
        dealt[least].append(module)
        load[least] += sizes[module]
    return [share for share in dealt if share]


def calculate(modules: list[str], folder: Path) -> dict[str, NDArray[Any]]:
    """What tests/aarch64/calculate.py tells on that processor; its kernels are compiled anew, into `folder`."""
    made = prepare.place()
    environment = {
        "PYTHONHOME": str(made / "root" / "usr"),
        "PYTHONPATH": os.pathsep.join((str(made / "site"), str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BROCHE_CACHE": str(folder / "kernels"),
        "NUMBA_CPU_NAME": PROCESSOR,
        "HOME": str(folder),
    }
    python = next((made / "root" / "usr" / "bin").glob("python3.*"))
    begin = [QEMU, "-cpu", PROCESSOR, "-L", str(made / "root"), str(python), str(ROOT / "tests" / "aarch64" / "calculate.py")]
    running = []
    try:
        for number, share in enumerate(shares(modules, os.cpu_count() or 1)):
            log = (folder / f"{number}.log").open("wb")
            with log:
                process = subprocess.Popen(
                    [*begin, str(folder / f"{number}.npz"), *share], env=environment, cwd=folder, stdout=log, stderr=log
                )
            running.append(process)
        told: dict[str, NDArray[Any]] = {}
        for number, process in enumerate(running):
            status = process.wait(LONGEST)
            assert status == 0, f"under qemu, status {status}: {(folder / f'{number}.log').read_text(errors='replace')[-3000:]}"
            with np.load(folder / f"{number}.npz") as results:
                told.update(results)
        return told
    finally:
        for process in running:
            process.kill()
            process.wait()
