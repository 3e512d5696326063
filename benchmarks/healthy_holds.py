"""How often healthy cuts of a hand-made lathe are held as at another feed, a restart or another program; what a changed feed gives.

`python -m benchmarks.healthy_holds [--parts 200] [--seeds 5]`: the lathe of the tests (tests/support/lathe.py: three tools, cuts that
differ by 1 to 5 %), with all that the control can tell, and with the tool alone. Its last tool has the room for a slower cut. Simulated,
so it says nothing of a real shop: the rows feed_* of `broche bench --detection` do.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter

from agent.detect import feed, restart, revision
from agent.maintenance.plan import plan
from agent.model import Alert, Cut
from agent.monitor import Monitor
from agent.paths import DataPaths
from benchmarks.detection.table import wilson
from tests.support.lathe import Faults, rows, settings

HELD = (feed.HELD, restart.HELD, revision.HELD)
FEEDS = (0.75, 0.85, 1.15, 1.3)
CONTEXTS = {"all": {}, "tool only": {"part": False, "cycle": False}}


def main() -> None:
    """Print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--parts", type=int, default=200)
    given.add_argument("--seeds", type=int, default=5)
    args = given.parse_args()
    for name, context in CONTEXTS.items():
        total = Counter[str]()
        for seed, spread in itertools.product(range(args.seeds), (0.01, 0.05)):
            total += _run(args.parts, Faults(), context, seed, spread)
        held, cuts = sum(total[why] for why in HELD), total["cuts"]
        low, high = wilson(held, cuts)
        print(f"{name}: healthy: {held} of {cuts} cuts held [{100 * low:.2f}, {100 * high:.2f} %], alerts {total['alert']}")
        for ratio in FEEDS:
            found = Counter[str]()
            for seed in range(args.seeds):
                found += _run(40, Faults(feed={4: (range(30, 40), ratio)}), context, seed, 0.01, 30, "4")
            print(f"{name}: feed {ratio}: {found[feed.HELD]} of {found['cuts']} held, alerts {found['alert']}")


def _run(parts: int, faults: Faults, context: dict[str, bool], seed: int, spread: float, first: int = 0, tool: str = "") -> Counter[str]:
    """Closed cuts of a tool ('': of all) that are no run-up, in the parts from `first` on, by what they were held for; and alerts."""
    monitor = Monitor(settings(**context), plan(DataPaths.find(None)))
    block = rows(parts, faults, seed, spread)
    out = Counter[str]()
    begins = float(block.time[0]) + 7.0 * first
    for event in [*monitor.feed(block), *monitor.finish()]:
        if isinstance(event, Cut) and event.phase == "closed" and event.held != "run_up":
            if event.opened < begins or tool not in ("", event.operation.tool):
                continue
            out["cuts"] += 1
            out[event.held] += 1
        elif isinstance(event, Alert) and event.transition == "raised":
            out["alert"] += 1
    return out


if __name__ == "__main__":
    main()
