"""What follows when a sensor is not believed: its value, its cuts, and what was learned from it before that was known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from agent.detect.health import Health
from agent.model import Coverage, Event, Finding, Indicator
from agent.monitor.desk import Desk
from agent.segment import SpindleSegmenter
from agent.timeline import Latest

Tables = tuple[NDArray[np.float64], NDArray[np.float64]]


class Doubt:
    """Asks `Health` at every look and carries out what it says.

    Parameters
    ----------
    loads: by spindle, its load channel.
    """

    def __init__(self, health: Health, latest: Latest, segmenters: Mapping[str, SpindleSegmenter], loads: Mapping[str, str]) -> None:
        self._health = health
        self._latest = latest
        self._segmenters = segmenters
        self._loads = loads
        self._idle: dict[str, Tables] = {}
        """By spindle: idle as it was learned when its load last moved, and one look of the sensors before"""

    def look(self, now: float, waves: Callable[[], Iterable[tuple[str, str]]], desk: Desk) -> list[Event]:
        """Whether a sensor that answers lies. What is told of it holds from here on. `waves`: see `Health.look`."""
        before = self._health.judged
        told = self._health.look(now, waves)
        if self._health.judged != before:
            self._remember()
        if not told:
            return []
        self.carry_out()
        covers: list[Event] = [item for item in told if isinstance(item, Coverage)]
        findings: list[Finding | Indicator] = [item for item in told if not isinstance(item, Coverage)]
        for finding in findings:
            # A load that stood still was taken for idle for as long as nobody knew.
            if isinstance(finding, Finding) and not finding.finished and self._health.lies(finding.channel):
                self._forget(finding.channel)
        return [*desk.take(findings), *covers]

    def carry_out(self) -> None:
        """Hand on which values are none: after a look, a restart, a word of the operator's."""
        self._latest.doubted = self._health.lying()

    def _remember(self) -> None:
        for spindle, channel in self._loads.items():
            if spindle in self._segmenters and self._health.moved(channel):
                now = self._segmenters[spindle].idle_table()
                self._idle[spindle] = (now, self._idle[spindle][0] if spindle in self._idle else now)

    def _forget(self, channel: str) -> None:
        for spindle, load in self._loads.items():
            if load == channel and spindle in self._idle:
                self._segmenters[spindle].idle_again(self._idle[spindle][1])
