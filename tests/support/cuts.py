"""Closed cuts for tests of the detectors."""

from __future__ import annotations

from agent.model import Cut, CutFeatures, Operation


def cut(work: float, opened: float = 0.0, part: int = 1, curve: tuple[float, ...] = ()) -> Cut:
    """A closed cut of two seconds."""
    return Cut(
        id="S1-1",
        phase="closed",
        operation=Operation(spindle="S1", program="1", revision=1, tool="4", section="1"),
        part=part,
        opened=opened,
        time=opened + 2.0,
        features=CutFeatures(
            samples=40, duration=2.0, mean=work / 2 + 5, peak=work / 2 + 8, idle=5.0, work=work, largest_rise=9.0, largest_fall=9.0
        ),
        curve=curve,
        grid=0.05,
    )
