"""Figures and times of the publisher."""

from __future__ import annotations

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """s. The defaults are for a shop; tests shorten them."""

    connect: float = 5.0
    """For the socket, and again for CONNACK"""
    first_pause: float = 1.0
    longest_pause: float = 30.0
    """Between two attempts: doubled each time, with a quarter of jitter"""
    steady: float = 10.0
    """A connection that lasted so long makes the next pause the first again"""
    status: float = 30.0
    """Between two statuses when nothing changes"""
    farewell: float = 2.0
    """For the last messages at the end"""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """For page, status and watchdog."""

    broker: str
    connected: bool = False
    since: float | None = None
    """Wall time of the last change of `connected`"""
    protocol: str = ""
    unacked: int = 0
    critical: int = 0
    """Messages of alerts and checklists that the broker has not yet"""
    telemetry: int = 0
    """Other messages that it has not yet"""
    sent: int = 0
    acked: int = 0
    replayed: int = 0
    refused: int = 0
    """Messages that the broker will never take; they are given up"""
    connections: int = 0
    problem: str = ""
    """Key under [mqtt.problem], '' when all is well"""
    detail: str = ""
    progress: float = 0.0
    """Monotonic time of the thread's last turn: a watchdog looks at it"""
