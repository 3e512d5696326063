"""Wrong values out of a line on which a third of the answers is spoiled: Broche, and pymodbus by itself, beside it.

`python benchmarks/wrong_values.py [--requests 100000] [--only NAME] [--real]`: about half an hour; 10,000 requests take three
minutes. Frames go through real ptys and real TCP connections. The loop's time jumps when nothing is under way, so that seconds of waiting
cost nothing (tests/support/virtual_time.py); with --real it does not, and 1,000 requests take two and a half minutes.

Every register tells its address and the number of the request that it answers (tests/support/bad_device.py), so that a value from another
answer is proven wrong. Faults: late and overtaken by others (up to 1 s), late with all others behind it (up to 10 s), cut, doubled,
foreign, miscounted, of another function, damaged as the checksum is certain to catch, garbage, silence, exceptions; noise and echo. Half of
the reads ask for the same six registers, the rest for any.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drivers.bus import Bus
from drivers.clock import SystemClock
from tests.support.bad_device import FAULTS, GOOD, NOISE, Asked
from tests.support.hostile import IN_ORDER, OVERTAKING, Bare, Judge, ask, delays, hostile_line, spoil
from tests.support.virtual_time import LoopClock, run_virtual

TIMEOUT = 0.3
SHARE = 0.33
SEED = 7


def copies(every: int = 1500) -> Callable[[Asked], str]:
    """Now and then, on a line that was good for longer than 10 s: a copy held back, then an answer that is swallowed."""
    return lambda asked: {0: "double_hold", 1: "silent"}.get(asked.number % every, GOOD)


WITHIN = ((0.001, OVERTAKING), (0.001, IN_ORDER))
CASES: dict[str, tuple[str, str, Callable[[], Callable[[Asked], str]], tuple[tuple[float, float], tuple[float, float]]]] = {
    "pty rtu, Broche": ("rtu", "bus", lambda: spoil(SHARE, SEED), WITHIN),
    "pty rtu, pymodbus": ("rtu", "bare0", lambda: spoil(SHARE, SEED), WITHIN),
    "pty rtu, pymodbus, 3 retries": ("rtu", "bare3", lambda: spoil(SHARE, SEED), WITHIN),
    "rtu over tcp, Broche": ("rtu_tcp", "bus", lambda: spoil(SHARE, SEED), WITHIN),
    "rtu over tcp, pymodbus": ("rtu_tcp", "bare0", lambda: spoil(SHARE, SEED), WITHIN),
    "pty ascii, Broche": ("ascii", "bus", lambda: spoil(SHARE, SEED), WITHIN),
    "pty ascii, pymodbus": ("ascii", "bare0", lambda: spoil(SHARE, SEED), WITHIN),
    "beyond: in order, 10 to 20 s late": ("rtu", "bus", lambda: spoil(0.05, SEED, ("slow",)), (WITHIN[0], (10.0, 20.0))),
    "beyond: overtaken, 1 to 5 s late": ("rtu", "bus", lambda: spoil(SHARE, SEED, (*FAULTS, *NOISE, "late")), ((1.0, 5.0), WITHIN[1])),
    "beyond: overtaken, 5 to 20 s late": ("rtu", "bus", lambda: spoil(SHARE, SEED, (*FAULTS, *NOISE, "late")), ((5.0, 20.0), WITHIN[1])),
    "beyond: a held copy, then silence": ("rtu", "bus", copies, WITHIN),
}


async def measure(name: str, requests: int, clock: LoopClock | SystemClock) -> tuple[Counter[str], int, int]:
    framing, client, choose, spans = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        async with hostile_line(Path(folder), framing, choose=choose(), seed=SEED, delay=delays(*spans)) as (options, device):
            options = msgspec.structs.replace(options, timeout=TIMEOUT)
            reader = Bus(options, clock) if client == "bus" else Bare(options, retries=int(client[-1]))
            await reader.open()
            judge = Judge(reader, device)
            await ask(judge, clock, requests, SEED)
            reader.close()
            strays = reader.device(1).stale_replies if isinstance(reader, Bus) else 0
            return judge.count, device.number, strays


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--only", default="", help="cases whose name contains this")
    arguments.add_argument("--real", action="store_true", help="in real time")
    given = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"{'case':34} {'requests':>8} {'delivered':>9} {'none':>7} {'refused':>7} {'strays':>7} {'wrong':>6} {'s':>5}", flush=True)
    for name, (framing, *_) in CASES.items():
        if given.only not in name:
            continue
        began = time.perf_counter()
        if given.real:
            count, number, strays = asyncio.run(measure(name, given.requests, SystemClock()))
        else:
            count, number, strays = run_virtual(measure(name, given.requests, LoopClock()), sockets=framing == "rtu_tcp")
        none = count["NoAnswer"] + count["WrongAnswer"] + count["LinkDown"]
        row = f"{number:8} {count['delivered']:9} {none:7} {count['Refused']:7} {strays:7} {count['wrong']:6}"
        print(f"{name:34} {row} {time.perf_counter() - began:5.0f}", flush=True)


if __name__ == "__main__":
    main()
