"""Nothing wrong comes out of a line on which a third of the answers is spoiled: real ptys and connections, and a loop whose time jumps.

`BROCHE_HOSTILE=100000` makes it as long as the figure in docs/wire-figures.md; `benchmarks/wrong_values.py` tells more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from drivers.bus import Bus
from tests.support.bad_device import FAULTS, GOOD, NOISE
from tests.support.hostile import IN_ORDER, OVERTAKING, Bare, Judge, ask, delays, hostile_line, spoil
from tests.support.virtual_time import LoopClock, run_virtual

REQUESTS = int(os.environ.get("BROCHE_HOSTILE", "1000"))


@pytest.mark.timeout(120 + REQUESTS * 0.05)
@pytest.mark.parametrize("framing", ["rtu", "rtu_tcp", "ascii"])
def test_hostile_run(tmp_path: Path, framing: str, record_property: Callable[[str, object], None]) -> None:
    """Late, overtaken, cut, doubled, foreign, miscounted, refused, damaged or missing, and noise; late up to the stated bound."""

    async def main() -> None:
        late = delays((0.001, OVERTAKING), (0.001, IN_ORDER))
        async with hostile_line(tmp_path, framing, choose=spoil(0.33, REQUESTS), seed=REQUESTS, delay=late) as (options, device):
            clock = LoopClock()
            bus = Bus(msgspec.structs.replace(options, timeout=0.3), clock)
            await bus.open()
            judge = Judge(bus, device)
            await ask(judge, clock, REQUESTS, REQUESTS)
            record = bus.device(1)
            bus.close()
            result = {**judge.count, "requests": device.number, "stale": record.stale_replies, **device.did}
            record_property("hostile", result)
            print(framing, result)
            assert judge.count["wrong"] == 0
            assert judge.count["delivered"] > REQUESTS * 0.3
            assert {GOOD, *FAULTS, *NOISE, "late", "slow"} <= set(device.did)

    run_virtual(main(), sockets=framing == "rtu_tcp")


def test_the_judge_finds_wrong_values_where_there_are_some(tmp_path: Path) -> None:
    async def main() -> None:
        late = delays((0.001, OVERTAKING), (0.001, IN_ORDER))
        async with hostile_line(tmp_path, "rtu", choose=spoil(0.33, 1), seed=1, delay=late) as (options, device):
            bare = Bare(msgspec.structs.replace(options, timeout=0.3), retries=0)
            await bare.open()
            judge = Judge(bare, device)
            await ask(judge, LoopClock(), 1000, 1)
            bare.close()
            assert judge.count["wrong"] > 20

    run_virtual(main())
