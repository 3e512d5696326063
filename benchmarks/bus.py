"""One dead device among eight on one RTU line: what the other seven keep of their rate, and when the dead one's values are unavailable.

`python benchmarks/bus.py [--real] [--seconds 60]`: half a minute; with --real (the clock runs as it does, two rows only) four minutes. A
real pty; the far end lets bytes go at the rate of the line and answers 5 ms after a request (tests/support/eight.py). Ten registers a
device, all in one request. 'Kept' is readings over planned readings from the moment at which device 5 falls silent, or from the start if it
never spoke.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drivers.clock import SystemClock
from tests.support.eight import UNITS, eight
from tests.support.virtual_time import LoopClock, run_virtual

DEAD = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--real", action="store_true", help="in real time")
    arguments.add_argument("--seconds", type=float, default=60.0)
    given = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    head = f"{'baud':>6} {'every':>6} {'time-out':>8} {'line busy':>9} {'device 5':>12} {'before':>6} {'least kept':>10} {'mean':>7}"
    print(f"{head} {'unanswered':>10} {'unavailable after':>17} {'allowed':>8}")
    cases = [(19200, 0.3, 0.5, False), (115200, 0.1, 0.5, False)]
    if not given.real:
        cases = [
            (baud, every, timeout, from_start)
            for baud, every in ((19200, 0.25), (19200, 0.3), (19200, 0.5), (115200, 0.1))
            for timeout in (0.2, 0.5)
            for from_start in (False, True)
        ]
    for baud, every, timeout, from_start in cases:
        with tempfile.TemporaryDirectory() as name:
            more = {
                "baud": baud,
                "every": every,
                "timeout": timeout,
                "dead": DEAD,
                "seconds": given.seconds,
                "from_start": from_start,
            }
            if given.real:
                outcome = asyncio.run(eight(Path(name), SystemClock(), **more))  # type: ignore[arg-type]
            else:
                outcome = run_virtual(eight(Path(name), LoopClock(), **more))  # type: ignore[arg-type]
        kept = [outcome.after[unit] * every for unit in UNITS if unit != DEAD]
        row = f"{baud:6} {every:6.2f} {timeout:8.1f} {100 * outcome.busy:8.0f}% {'never spoke' if from_start else 'dies':>12}"
        row += "     - " if from_start else f" {100 * min(rate for rate in outcome.before.values()) * every:5.1f}%"
        row += f" {100 * min(kept):9.1f}% {100 * sum(kept) / len(kept):6.1f}% {outcome.health.devices[DEAD - 1].timeouts:10}"
        print(f"{row} {outcome.silent:16.3f}s {max(timeout, 2 * every):7.2f}s", flush=True)


if __name__ == "__main__":
    main()
