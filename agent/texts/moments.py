"""A moment as it is said on the shop floor: day and time of the machine's zone, or seconds of a recording."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.texts.typeset import FIRM

if TYPE_CHECKING:
    from agent.texts import Texts

RELATIVE = 1e8
"""s; times below this are relative to the start of a recording (DESIGN.md, Recordings)."""


def moment(texts: Texts, seconds: float | None, zone: str, near: float | None = None) -> str:
    """'12 nov. 14:32'; '' where it is not known.

    Parameters
    ----------
    near: what it is told beside: on the same day the clock is enough ('14:32'), on another the day is ('le 12 nov.').
    """
    if seconds is None:
        return ""
    if seconds < RELATIVE:
        return texts.say("date.relative", value=seconds)
    at = local(seconds, zone)
    month = texts.say("date.months").split()[at.month - 1]
    clock = at.strftime("%H:%M")
    if near is not None and near >= RELATIVE:
        if local(near, zone).date() == at.date():
            return clock
        return texts.say("date.day", day=str(at.day), month=month).replace(" ", FIRM)
    return texts.say("date.moment", day=str(at.day), month=month, clock=clock)


def local(seconds: float, zone: str) -> datetime:
    """A time of the machine's zone; one that this computer does not know is UTC."""
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        there = ZoneInfo("UTC")
    return datetime.fromtimestamp(seconds, there)
