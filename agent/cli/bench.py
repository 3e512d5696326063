"""`broche bench [--json]`: how fast the kernels are on this machine, beside numpy, scipy and river where they are installed.

With `--detection`, what the pass finds in real recordings: `_bench_detection`."""

from __future__ import annotations

import argparse
import os
import platform
import sys

import msgspec

from agent.cli import Say
from drivers import jit
from drivers.clock import SystemClock

ROUNDS, QUICK = 21, 3
NAMES = (
    "cobs",
    "segment",
    "vibration",
    "record",
    "spectrum",
    "bearing",
    "vibration_everything",
    "vibration_worst",
    "cusum",
    "ewma",
    "control",
    "self_starting",
    "whiten",
    "robust",
    "adwin",
    "vector_control",
    "vector_robust",
    "vector_judged",
    "vector_everything",
    "resample",
    "envelope",
    "exceed",
    "dtw",
    "grow",
)
"""What is measured, in the order of `_bench.cases`: known here without its kernels, which take long to compile the first time."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("--json", action="store_true", help=say("bench.json"))
    parser.add_argument("--quick", action="store_true", help=say("bench.quick"))
    parser.add_argument("--only", metavar="NAME", help=say("bench.only"))
    parser.add_argument("--detection", nargs="?", const="", metavar="DIR", help=say("bench.detection.help"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when everything was measured, 1 when a set of recordings could not be. A table, or one JSON object a line."""
    from agent.cli import CommandError

    say: Say = args.say
    if args.detection is not None:
        from agent.cli import _bench_detection

        return _bench_detection.run(args)
    if args.only is not None and args.only not in NAMES:
        raise CommandError(say("bench.unknown", what=args.only, choices=", ".join(NAMES)))
    choice = jit.prepare()
    from agent.cli.warmup import APART

    if choice.folder is None or not all(any(choice.folder.glob(f"*/{name}.*.nbi")) for name in APART):
        print(say("bench.compiling"), file=sys.stderr, flush=True)
    from agent.cli import _bench

    wanted = [case for case in _bench.cases() if args.only in (None, case.name)]
    clock = SystemClock()
    rounds = QUICK if args.quick else ROUNDS
    if not args.json:
        from importlib.metadata import version

        versions = f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy"))
        print(
            say("bench.about", machine=platform.machine(), cores=os.cpu_count() or 1, load=os.getloadavg()[0], versions=versions, n=rounds)
        )
        print(f"\n{say('bench.column.name'):58} {say('bench.column.value'):>27}  {say('bench.column.peer')}")
    for case in wanted:
        told = False
        for row in _bench.measure(case, clock, rounds):
            if args.json:
                print(msgspec.json.encode(row).decode(), flush=True)
                continue
            # The kernel itself is told once, its peers below each other.
            name = "" if told else say(f"bench.name.{row.name}")
            value = "" if told else say(f"bench.unit.{row.unit}", value=row.value)
            beside = "" if row.ratio is None else say("bench.ratio", peer=say(f"bench.peer.{row.peer}"), ratio=row.ratio)
            print(f"{name:58} {value:>27}  {beside}".rstrip(), flush=True)
            told = True
    absent = _bench.missing()
    if absent:
        print(say("bench.missing", names=", ".join(absent)), file=sys.stderr)
    return 0
