"""What the control says by which a cut may not be judged, each through the whole pass: held, neither learned from nor told."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.model import Alert, Coverage, Cut, Word
from agent.monitor import Monitor
from agent.settings import ChannelOptions, Role
from drivers.model import Readings, Words
from tests.agent.test_monitor import PLAN
from tests.support.lathe import Faults, rows, settings

PARTS = range(8, 11)


@pytest.mark.parametrize("shape", ["broken", "missing", "heavy"])
@pytest.mark.parametrize(
    ("role", "usual", "then", "reason"),
    [
        ("feed_override", 100.0, 70.0, "feed_override"),
        ("speed_override", 100.0, 80.0, "speed_override"),
        ("feed_hold", 0.0, 1.0, "feed_hold"),
        ("single_block", 0.0, 1.0, "single_block"),
        ("dry_run", 0.0, 1.0, "dry_run"),
        ("mode", "AUTOMATIC", "MANUAL_DATA_INPUT", "mode"),
        ("execution", "ACTIVE", "INTERRUPTED", "part_interrupted"),
    ],
)
def test_what_may_not_be_judged_is_held_and_neither_learned_from_nor_told(
    role: Role, usual: float | str, then: float | str, reason: str, shape: str
) -> None:
    machine = settings()
    own = tuple(channel for channel in machine.channel if channel.role != role)
    machine = msgspec.structs.replace(machine, channel=(*own, ChannelOptions(name="said", role=role)))
    faults = {
        "broken": Faults(broken={4: (PARTS[0], 0.5, PARTS[-1] + 1)}),
        "missing": Faults(missing={2: PARTS}),
        "heavy": Faults(),
    }[shape]
    plain = rows(14, faults)
    values, part = plain.values.copy(), plain.values[:, 3]
    here = (part >= PARTS[0]) & (part <= PARTS[-1])
    if shape == "heavy":
        values[here & (values[:, 2] == 4.0), 0] *= 3.0
    words, said = Words(), np.zeros(len(part))
    for value, where in ((usual, ~here), (then, here)):
        said[where] = words.code(value) if isinstance(value, str) else value
    readings = Readings(
        plain.source,
        (*plain.channels, "said"),
        plain.time,
        np.column_stack([values, said]),
        np.column_stack([plain.quality, np.zeros(len(part), np.uint8)]),
        words.seen(),
    )
    monitor = Monitor(machine, PLAN)
    events = [*monitor.feed(readings), *monitor.finish()]
    assert [event for event in events if isinstance(event, Alert)] == []
    closed = [event for event in events if isinstance(event, Cut) and event.phase == "closed" and event.part in PARTS]
    assert len(closed) >= 6
    assert {cut.held for cut in closed} == {reason}
    assert any(isinstance(event, Coverage) and (event.word, event.reason) == (Word.HOLD, reason) for event in events)
    assert max(baseline.good for baseline in monitor.watch.state.baselines.values()) <= 11
    # And they are judged again afterwards, with nothing of it left.
    assert monitor.coverage is not None
    assert monitor.coverage.word is not Word.HOLD
    assert monitor.snapshot().notices == ()
