"""For how long a value of each channel may stand."""

from __future__ import annotations

import math

from agent.settings import MachineSettings
from agent.timeline import MINIMUM_HOLD


def holds(settings: MachineSettings) -> list[float]:
    """For each channel, seconds for which a value may stand: as written, else three periods of its source, or its own if that is longer,
    at least `MINIMUM_HOLD`."""
    every = {source.name: source.every for source in settings.source}
    out: list[float] = []
    for channel in settings.channel:
        if channel.hold is not None:
            out.append(channel.hold)
        elif not channel.source:
            out.append(math.inf)
        else:
            period = every.get(channel.source.partition(".")[0], 0.0)
            out.append(max(3.0 * max(channel.every or 0.0, period), MINIMUM_HOLD))
    return out
