"""A hand-made lathe for tests of the pass: three tools, one cut each, 7 s a part, 20 readings a second, and what may go wrong with it.

It shares no code with drivers/simulate, so that the pass is not tested on the assumptions of one simulator alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from agent.settings import ChannelOptions, MachineOptions, MachineSettings, MonitoringOptions, SpindleOptions, ToolOptions
from drivers.model import Quality, Readings

STEP = 0.05
COLUMNS = ("load", "speed", "tool", "part", "cycle", "override")
START = 1_700_000_000.0
PART = 7.0
CUTS = {1: (0.9, 1.4, 40.0, 1500.0), 2: (3.0, 1.2, 25.0, 900.0), 4: (5.0, 1.5, 55.0, 1500.0)}
"""Tool: start within the part, duration, load above idle, rpm."""
CHANGE = 0.6
"""s before its cut at which a tool is turned in and the spindle changes its speed."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong, by part (0 is the first)."""

    wear: dict[int, tuple[int, float]] = field(default_factory=dict)
    """tool: (part after which it begins, rise a part)"""
    broken: dict[int, tuple[int, float, int]] = field(default_factory=dict)
    """tool: (part, share of the cut at which it breaks, part in which a new one is there)"""
    missing: dict[int, range] = field(default_factory=dict)
    batch: tuple[int, float] | None = None
    """part from which on all tools take so many times the load"""
    override: range | None = None
    feed: dict[int, tuple[range, float]] = field(default_factory=dict)
    """tool: (parts in which its feed is another, how many times as high), and nothing tells it"""
    begun: dict[int, int] = field(default_factory=dict)
    """part: tool with which its program is started, in its middle: those before are not called"""
    stopped: dict[int, int] = field(default_factory=dict)
    """part: tool before which its program is stopped: it and those after are not called"""
    removed: dict[int, range] = field(default_factory=dict)
    """tool: parts in which the program has it no more"""
    lost: tuple[float, float] | None = None
    """s from the start between which the load cannot be read"""

    def runs(self, tool: int, part: int) -> bool:
        """Whether the program calls this tool in this part."""
        begun, stopped = self.begun.get(part, 0), self.stopped.get(part, 99)
        return begun <= tool < stopped and part not in self.removed.get(tool, range(0))


def settings(
    *, section: bool = False, cycle: bool = True, part: bool = True, tool: bool = True, speed: bool = True, **monitoring: float
) -> MachineSettings:
    """A machine file for it, with or without what the control tells."""
    channels = [ChannelOptions(name="load", role="spindle.load", unit="%", hold=1.0)]
    if speed:
        channels.append(ChannelOptions(name="speed", role="spindle.speed", hold=1.0))
    if tool:
        channels.append(ChannelOptions(name="tool", role="tool"))
    if part:
        channels.append(ChannelOptions(name="part", role="part"))
    if cycle:
        channels.append(ChannelOptions(name="cycle", role="cycle"))
    if section:
        channels.append(ChannelOptions(name="section", role="section"))
    channels.append(ChannelOptions(name="override", role="feed_override"))
    return MachineSettings(
        machine=MachineOptions(name="essai"),
        spindle=(SpindleOptions(name="S1"),),
        tool=(ToolOptions(number=4, name="ébauche", name_en="roughing"),),
        channel=tuple(channels),
        monitoring=MonitoringOptions(**monitoring),
    )


def rows(parts: int, faults: Faults | None = None, seed: int = 1, spread: float = 0.01, noise: float = 0.4) -> Readings:
    """All readings of so many parts, in one block."""
    faults = faults or Faults()
    random = np.random.default_rng(seed)
    n = round(parts * PART / STEP)
    time = START + STEP * np.arange(n)
    inside = (STEP * np.arange(n)) % PART
    part = ((STEP * np.arange(n)) // PART).astype(int)
    load, speed, tool = np.zeros(n), np.full(n, 1500.0), np.ones(n)
    for number, (start, _, _, rpm) in CUTS.items():
        after = inside >= start - CHANGE
        tool[after], speed[after] = number, rpm
    for number in CUTS:
        for k in range(parts):
            if not faults.runs(number, k):
                # Not called: the tool before stays in, or the first that is called is in from the beginning.
                here = (part == k) & (tool == number)
                others = [other for other in CUTS if faults.runs(other, k)]
                tool[here] = max((other for other in others if other < number), default=min(others, default=1))
    for k, number in faults.begun.items():
        # Nothing turns before the control has found its place in the program.
        speed[(part == k) & (inside < CUTS[number][0] - CHANGE)] = 0.0
    load += 3.0 + speed / 500.0
    for number, (start, duration, level, _) in CUTS.items():
        for k in range(parts):
            scale = 1.0 + spread * random.standard_normal()
            if number in faults.wear and k > faults.wear[number][0]:
                scale *= 1.0 + faults.wear[number][1] * (k - faults.wear[number][0])
            if faults.batch and k >= faults.batch[0]:
                scale *= faults.batch[1]
            feed = faults.feed[number][1] if number in faults.feed and k in faults.feed[number][0] else 1.0
            scale *= feed
            u = (inside - start) / (duration / feed)
            here = (part == k) & (u >= 0.0) & (u < 1.0)
            shape = np.minimum(1.0, np.minimum(u, 1.0 - u) / 0.1)
            cut = scale * level * shape
            if number in faults.broken:
                broken, at, new = faults.broken[number]
                if k == broken:
                    cut = np.where(u > at, 0.05 * level, cut)
                elif broken < k < new:
                    cut = cut * 0.02
            if (number in faults.missing and k in faults.missing[number]) or not faults.runs(number, k):
                cut = cut * 0.0
            load[here] += cut[here]
    change = np.zeros(n)
    for start, _, _, _ in CUTS.values():
        change[(inside >= start - CHANGE) & (inside < start - CHANGE + 0.15)] = 20.0
    jump = np.concatenate([[0.0], np.diff(speed)]) != 0.0
    ramp = np.convolve(jump.astype(float), np.ones(4), "full")[:n] > 0.0
    load[ramp] += change[ramp]
    load += noise * random.standard_normal(n)
    cycle = (inside > 0.2).astype(float)
    override = np.full(n, 100.0)
    if faults.override is not None:
        override[np.isin(part, list(faults.override))] = 60.0
    values = np.column_stack([np.round(load, 2), speed, tool, part.astype(float), cycle, override])
    quality = np.zeros(values.shape, dtype=np.uint8)
    if faults.lost is not None:
        gone = (time - START >= faults.lost[0]) & (time - START < faults.lost[1])
        values[gone, 0], quality[gone, 0] = np.nan, Quality.UNAVAILABLE
    return Readings("lathe", COLUMNS, time, values, quality)


def pieces(readings: Readings, lengths: Iterator[int]) -> Iterator[Readings]:
    """The same rows in blocks of the given lengths."""
    at = 0
    while at < len(readings.time):
        n = max(1, next(lengths))
        cut = slice(at, at + n)
        yield Readings(readings.source, readings.channels, readings.time[cut], readings.values[cut], readings.quality[cut], readings.words)
        at += n
