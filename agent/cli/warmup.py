"""`broche warmup`: compiles every kernel into the cache. A kernel names its signatures, so importing its file compiles it."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import sys

import msgspec

from agent import kernels
from agent.cli import Say
from drivers import jit
from drivers.clock import SystemClock

APART = frozenset({"adwin", "bearing", "centre", "control", "decimate", "robust", "spectrum", "whiten"})
"""Files of agent/kernels that nothing on the pass uses: a first start does not wait for them. `bench` compiles them when it is run."""


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
    seconds: dict[str, float] = {}
    for module in kernel_modules(apart=args.all):
        before = clock.monotonic()
        importlib.import_module(module)
        seconds[module] = round(clock.monotonic() - before, 3)
        print(say("warmup.kernel", module=module, seconds=seconds[module]), file=sys.stderr)
    kept = jit.mark_warm()
    total = round(clock.monotonic() - begun, 3)
    key = "warmup.kept" if kept else "warmup.not_kept"
    print(say(key, n=len(seconds), seconds=total, folder=str(choice.folder or "")), file=sys.stderr)
    if args.json:
        report = {"folder": str(choice.folder or ""), "origin": choice.origin, "kept": kept, "seconds": total, "kernels": seconds}
        print(msgspec.json.encode(report).decode())
    return 0
