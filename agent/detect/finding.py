"""A finding about an operation, as every detector of cuts hands it out."""

from __future__ import annotations

from typing import Protocol

from agent.model import Cut, Evidence, Finding, Kind, Severity


class Place(Protocol):
    """An operation, or what is known of one."""

    @property
    def spindle(self) -> str:
        """Its name."""
        ...

    @property
    def key(self) -> str:
        """Of the operation."""
        ...

    @property
    def tool(self) -> str:
        """As the machine calls it."""
        ...


def about(
    place: Place,
    time: float,
    kind: Kind,
    score: float,
    threshold: float,
    evidence: Evidence,
    *,
    severity: Severity = "urgent",
    cut: str = "",
    finished: bool = False,
    chance: float | None = None,
) -> Finding:
    """`cut`: id of the one that it was found in; '': of none. The rest as in `Finding`."""
    return Finding(
        time=time,
        kind=kind,
        severity=severity,
        channel="",
        spindle=place.spindle,
        operation=place.key,
        tool=place.tool,
        score=score,
        threshold=threshold,
        evidence=evidence,
        cut=cut,
        finished=finished,
        chance=chance,
    )


def over(cut: Cut, kind: Kind) -> Finding:
    """The cause of an episode of this cut's tool is gone."""
    return about(cut.operation, cut.time, kind, 0.0, 0.0, {}, severity="advice", cut=cut.id, finished=True)
