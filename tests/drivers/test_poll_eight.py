"""One dead device among eight on one RTU line: a real pty, bytes at the rate of 19200 baud, and a loop whose time jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.eight import UNITS, eight
from tests.support.virtual_time import LoopClock, run_virtual

DEAD = 5
EVERY = 0.3
TIMEOUT = 0.5
EXACT = 0.005
"""s by which a loop may be behind."""


@pytest.mark.parametrize("from_start", [False, True], ids=["dies", "never spoke"])
def test_the_seven_keep_their_rate_and_the_dead_one_is_said_in_time(tmp_path: Path, from_start: bool) -> None:
    outcome = run_virtual(
        eight(tmp_path, LoopClock(), baud=19200, every=EVERY, timeout=TIMEOUT, dead=DEAD, seconds=20.0, from_start=from_start)
    )
    assert 0.7 < outcome.busy < 0.8, "not much of the line is left over"
    live = {unit: rate * EVERY for unit, rate in outcome.after.items() if unit != DEAD}
    assert min(live.values()) >= 0.9, live
    assert outcome.after[DEAD] == 0.0
    assert outcome.silent <= max(TIMEOUT, 2 * EVERY) + EXACT
    states = {device.unit: device.state for device in outcome.health.devices}
    assert states == {unit: "offline" if unit == DEAD else "ok" for unit in UNITS}
    dead = outcome.health.devices[DEAD - 1]
    assert 3 <= dead.timeouts <= 10
    if not from_start:
        assert outcome.before[DEAD] * EVERY == pytest.approx(1.0, abs=0.02)
