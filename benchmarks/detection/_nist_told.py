"""One pass over the days of a machine of the NIST test bed, and what it said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.maintenance import plan
from agent.model import Alert, Coverage, Cut, Finding, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from benchmarks.detection._nist import Log, settings

ROWS = 64
"""Rows handed in at a time: the word of an operation is asked after each."""


@dataclass(slots=True)
class Told:
    """What one pass over one machine said."""

    cuts: list[Cut] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    """Of the operation of each cut, before it"""
    promised: list[bool] = field(default_factory=list)
    """Whether a missing tool was promised to be told in it, before it"""
    alerts: list[Alert] = field(default_factory=list)
    """As raised"""
    findings: list[Finding] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)


def listen(log: Log) -> Told:
    """One pass."""
    monitor = Monitor(settings(log), plan(DataPaths.find(None)))
    told, words, promised = Told(), dict[str, Word](), dict[str, bool]()

    def hear(events: Iterable[object]) -> None:
        for event in events:
            if isinstance(event, Cut) and event.phase == "closed":
                key = event.operation.key
                told.cuts.append(event)
                told.words.append(words.get(key, Word.LEARNING))
                told.promised.append(promised.get(key, False))
                if (baseline := monitor.watch.state.baselines.get(key)) is not None:
                    words[key] = monitor.watch.outlook.cover(baseline, event.time).word
                    promised[key] = (promise := monitor.watch.outlook.promise(baseline)) is not None and promise.missing
            elif isinstance(event, Finding) and not event.finished:
                told.findings.append(event)
            elif isinstance(event, Alert) and event.transition == "raised":
                told.alerts.append(event)
            elif isinstance(event, Coverage) and event.scope == "machine":
                told.coverage.append(event)

    for block in log.blocks(ROWS):
        hear(monitor.feed(block))
    hear(monitor.finish())
    return told


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault that was put in: when, what was said of the operation before it, whether it was told, and whether an oracle tells it."""

    time: float
    word: Word
    promised: bool
    told: bool
    oracle: bool
