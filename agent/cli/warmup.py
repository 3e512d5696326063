"""`broche warmup`: compiles every kernel into the cache. A kernel names its signatures, so importing its file compiles it."""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent import children, kernels
from agent.cli import Say
from drivers import jit
from drivers.clock import SystemClock

APART = frozenset({"adwin", "bearing", "centre", "charts", "control", "decimate", "robust", "signature", "spectrum", "whiten"})
"""Files of agent/kernels that nothing on the pass uses: a first start does not wait for them. `bench` compiles them when it is run."""

TOGETHER = frozenset({"centre", "decimate", "fft", "vibration", "spectrum", "bearing"})
"""Files that import one another: a second process would compile the same again."""
WEIGHT = {
    "vibration": 0.9, "fft": 0.7, "segment": 2.7, "drift": 2.1, "frames": 0.9, "health": 0.9, "dtw": 0.2,
    "charts": 1.2, "signature": 1.1, "control": 2.0, "spectrum": 1.5,
}  # fmt: skip
"""s to compile, about, on the machine this was written on; of those that are not named 1."""
MEMORY = 220
"""MB that a process that compiles may take: 192 at the most where this was written, some of it shared with the others."""
GARBAGE = 50_000


def kernel_modules(*, apart: bool = True) -> tuple[str, ...]:
    """Modules that hold kernels: agent/kernels/*.py, with those that stand apart or without, and the frame parser of the drivers."""
    names = [module.name for module in pkgutil.iter_modules(kernels.__path__)]
    found = [f"{kernels.__name__}.{name}" for name in names if apart or name not in APART]
    return (*sorted(found), *(name for name in ("drivers.frames",) if importlib.util.find_spec(name)))


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Arguments of `broche warmup`."""
    parser.add_argument("--json", action="store_true", help=say("warmup.json"))
    parser.add_argument("--all", action="store_true", help=say("warmup.all"))


def run(args: argparse.Namespace) -> int:
    """Compile, one line a file on stderr; exit status 0 even where nothing can be kept, for Broche works without a cache."""
    say: Say = args.say
    clock = SystemClock()
    choice = jit.prepare()
    for folder, why in choice.refused:
        print(say("warmup.refused", folder=str(folder), why=why), file=sys.stderr)
    begun = clock.monotonic()
    modules = kernel_modules(apart=args.all)
    seconds: dict[str, float] = {}

    def told(module: str, took: float) -> None:
        seconds[module] = took
        print(say("warmup.kernel", module=module, seconds=took), file=sys.stderr)

    if choice.folder is not None:
        _side_by_side(shares(modules, _workers()), told)
    # What no worker has done is done here: there is one core, too little memory, or no process to be had.
    _compile([module for module in modules if module not in seconds], told)
    seconds = {module: seconds[module] for module in modules}
    kept = jit.mark_warm()
    total = round(clock.monotonic() - begun, 3)
    key = "warmup.kept" if kept else "warmup.not_kept"
    print(say(key, n=len(seconds), seconds=total, folder=str(choice.folder or "")), file=sys.stderr)
    if args.json:
        report = {"folder": str(choice.folder or ""), "origin": choice.origin, "kept": kept, "seconds": total, "kernels": seconds}
        print(msgspec.json.encode(report).decode())
    return 0


def shares(modules: Sequence[str], workers: int) -> list[list[str]]:
    """Who compiles what, so that all take about as long; files that import one another go together, and the longest first."""
    together = [module for module in modules if module.rpartition(".")[2] in TOGETHER]
    units = [[module] for module in modules if module not in together] + ([together] if together else [])
    units.sort(key=lambda unit: -_weight(unit))
    out: list[list[str]] = [[] for _ in range(max(1, min(workers, len(units))))]
    for unit in units:
        min(out, key=_weight).extend(unit)
    return out


def _weight(modules: Sequence[str]) -> float:
    return sum(WEIGHT.get(module.rpartition(".")[2], 1.0) for module in modules)


def _workers() -> int:
    """As many as there are cores and memory for."""
    return max(1, min(len(os.sched_getaffinity(0)), free_memory() // MEMORY))


def free_memory(process: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """MB that may still be taken: of the machine, and of each control group above this process (the unit's MemoryMax). 0: not known."""
    try:
        lines = (process / "meminfo").read_text(encoding="ascii").splitlines()
        free = next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:")), 0)
        group = next((line[3:] for line in (process / "self/cgroup").read_text().splitlines() if line.startswith("0::")), "/")
        place = groups / group.strip("/")
        for folder in (place, *place.parents):
            if folder.is_relative_to(groups) and (folder / "memory.max").is_file():
                most = (folder / "memory.max").read_text().strip()
                if most != "max":
                    free = min(free, (int(most) - int((folder / "memory.current").read_text())) >> 20)
    except (OSError, ValueError):
        return 0
    return max(free, 0)


def _side_by_side(work: Sequence[Sequence[str]], told: Callable[[str, float], None]) -> None:
    """Each share in a process of its own; a share whose process cannot be started, or fails, is not told of."""
    if len(work) < 2:
        return
    reading, writing = os.pipe()
    begun: list[subprocess.Popen[bytes]] = []
    try:
        begun.extend(children.start("agent.cli.warmup", share, stdout=writing, stderr=subprocess.DEVNULL) for share in work)
    except OSError:
        for child in begun:
            children.stop(child, 1.0)
    finally:
        os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            module, _, took = line.strip().partition(" ")
            told(module, float(took))
    for child in begun:
        child.wait()


def _compile(modules: Sequence[str], told: Callable[[str, float], None]) -> None:
    """Here and now. The compiler makes much that lives long: to look for what does not, at each turn, is a tenth of the time."""
    clock = SystemClock()
    usual = gc.get_threshold()
    gc.set_threshold(GARBAGE, 50, 50)
    try:
        for module in modules:
            before = clock.monotonic()
            importlib.import_module(module)
            told(module, round(clock.monotonic() - before, 3))
    finally:
        gc.set_threshold(*usual)


def _tell(module: str, took: float) -> None:
    """In one write: the processes share the pipe, and where Python does not buffer, `print` writes a line in pieces."""
    os.write(1, f"{module} {took}\n".encode())


if __name__ == "__main__":
    _compile(sys.argv[1:], _tell)
