"""What reader and writer of a recording have in common: names and settings that mean something, and how times are written.

The format stands in docs/recordings.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

RELATIVE_BELOW = 1e8
"""A numeric time below this counts from the recording's `start`; from it on it is seconds since 1970 UTC."""

WRITER = "broche"
"""Recordings with this `writer` end every row with a newline: a last row without one was cut off by a crash."""

SETTINGS = "recording.toml"

CONTEXT = frozenset(
    (
        "tool",
        "program",
        "section",
        "part",
        "mode",
        "override",
        "execution",
        "feed_override",
        "speed_override",
        "rapid_override",
        "spindle_override",
        "feed_hold",
        "single_block",
        "dry_run",
        "door",
        "cycle",
        "power_on",
        "revision",
        "tool_number",
        "program_number",
        "block",
        "line",
        "path",
        "operation",
        "material",
        "batch",
        "gear",
        "single_block",
        "dry_run",
        "estop",
        "emergency_stop",
        "avail",
        "availability",
        "state",
        "controller_mode",
        "part_count",
        "operator",
    )
)
"""Names of columns that hold until the next cell without being declared."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """[channel.NAME] of recording.toml.

    Attributes
    ----------
    unit: of the values after scaling.
    rate: readings per second, where the channel was polled evenly.
    on_change: the value holds until the next cell; None: as its name says (`CONTEXT`).
    scale: unit per number in the file; of a waveform: per count.
    uncertain: the wire could not prove these values (`Quality.UNCERTAIN`).
    """

    unit: str = ""
    rate: float | None = None
    on_change: bool | None = None
    scale: float = 1.0
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """recording.toml.

    Attributes
    ----------
    start: UTC seconds of time zero, where times count from a start.
    timezone: of the machine, for reports; times in the files carry their own zone.
    writer: who wrote the recording.
    channels: by name; only those that say something.
    """

    start: float | None = None
    timezone: str = ""
    writer: str = ""
    channels: dict[str, ChannelSettings] = field(default_factory=dict)

    def channel(self, name: str) -> ChannelSettings:
        """Settings of a channel, the defaults if the file says nothing."""
        return self.channels.get(name, _DEFAULT)


_DEFAULT = ChannelSettings()


def seconds_of(text: str) -> float:
    """A time cell as seconds; raises ValueError, with 'zone' as its argument where only the zone is missing.

    ISO 8601 is exact to the microsecond; further digits are cut off.
    """
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("zone") from None
        past = moment - _EPOCH
        return ((past.days * 86400 + past.seconds) * 1_000_000 + past.microseconds) / 1e6
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_text(seconds: float) -> str:
    """Seconds as they stand in a file: to the microsecond, ISO 8601 with Z or, below 1e8, plain."""
    return time_texts([seconds])[0]


def time_texts(times: list[float]) -> list[str]:
    """`time_text` of many ascending times."""
    texts = []
    second, prefix = -1, ""
    for time in times:
        if time < RELATIVE_BELOW:
            texts.append(f"{time:.6f}")
            continue
        whole, micro = divmod(round(time * 1e6), 1_000_000)
        if whole != second:
            second, prefix = whole, f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}."
        texts.append(f"{prefix}{micro:06d}Z")
    return texts
