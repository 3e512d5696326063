"""What the installer's view shows besides the snapshot: links, sources, broker, store, clock, versions."""

from __future__ import annotations

from typing import Literal

import msgspec

from agent.model import Scalar

Group = Literal["bus", "source", "beacon", "broker", "store", "compute", "limit", "clock", "version"]
State = Literal["good", "warning", "lost", "off"]


class HealthLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be well or not.

    `facts` are short: figures, names, keys. The page labels them by page.fact.<key> and puts page.value.<value> in the place of a word
    where the catalogue has it; an unlabelled fact is shown under its key.
    """

    group: Group
    name: str
    state: State = "good"
    facts: dict[str, Scalar] = {}


class ChannelHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The latest reading of one channel."""

    name: str
    source: str
    role: str = ""
    unit: str = ""
    value: float | str | None = None
    quality: int = 0
    """`drivers.model.Quality`"""
    time: float | None = None
    """Of the reading, axis of the readings; None: never read."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """State of the installation at one moment."""

    lines: tuple[HealthLine, ...] = ()
    channels: tuple[ChannelHealth, ...] = ()
