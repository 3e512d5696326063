"""Cheapest cover of addresses by reads, some of which are wanted more often than others. Pure.

A read costs one request and its length, as many times a second as it is made. A register may be read in a read that is made more often
than it is wanted. Of the reads made equally often no two need to interleave (exchange what lies between: nothing gets dearer), so the
registers are walked by address, and all that must be known of the past is the latest read of each period.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

BEAM = 2000
"""Most states kept from one register to the next; beyond, the dearest are forgotten. What maps and machine files ask for stays far below:
exact."""


class Span(NamedTuple):
    """Addresses start..end (end not included) of one register, `item` its place in the list; `rate`: of its period, 0 is the fastest."""

    start: int
    end: int
    item: int
    rate: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a read may be.

    Attributes
    ----------
    most: addresses; a span that is longer is read alone.
    hole: cost of one more read, in addresses.
    barriers: ascending; a read that begins below one must not reach it.
    single: no read holds more than one span, but for those within it.
    known: addresses that may be read though no span holds them; None: any.
    """

    most: int
    hole: float
    barriers: tuple[int, ...] = ()
    single: bool = False
    known: frozenset[int] | None = None


@dataclass(slots=True)
class Group:
    """One read, made as often as `rate` says."""

    start: int
    end: int
    rate: int
    spans: list[Span] = field(default_factory=list)


class _Step(NamedTuple):
    """How a state was reached: `span` joined the latest read of `rate`, or opened a new one."""

    before: _Step | None
    rate: int
    opened: bool
    span: Span


class _State(NamedTuple):
    cost: float
    reads: int
    last: _Step | None


_Latest = tuple[tuple[int, int] | None, ...]
"""Start and end of the latest read of each rate."""


def ordered(spans: Iterable[Span]) -> list[Span]:
    """By address; of those that begin together the longest first, so that the others lie within it."""
    return sorted(spans, key=lambda span: (span.start, -span.end, span.item))


def cheapest(spans: Sequence[Span], limits: Limits, rates: Sequence[float]) -> list[Group]:
    """The reads that cost least in all; of equal costs the fewer reads.

    Parameters
    ----------
    spans: `ordered`.
    rates: how often the reads of each rate are made, relative to the fastest (descending from 1.0).
    """
    states: dict[_Latest, _State] = {(None,) * len(rates): _State(0.0, 0, None)}
    for i, span in enumerate(spans):
        reached: dict[_Latest, _State] = {}
        for latest, state in states.items():
            for where, new in _choices(span, latest, state, limits, rates):
                known = reached.get(where)
                if known is None or (new.cost, new.reads) < (known.cost, known.reads):
                    reached[where] = new
        states = _worth_keeping(reached, span, spans[i + 1].start if i + 1 < len(spans) else span.end, limits, rates)
    return _groups(min(states.values(), key=lambda state: (state.cost, state.reads)).last)


def _worth_keeping(
    reached: dict[_Latest, _State], span: Span, following: int, limits: Limits, rates: Sequence[float]
) -> dict[_Latest, _State]:
    """The states from which the cheapest cover may still come.

    A read that is too far behind to be made longer is forgotten: a new one is cheaper, or it is at its limit. Of states whose reads end
    alike, one that is dearer and whose reads begin no later is of no use. And one that is so much dearer that the cheapest state could open
    a new read of every period is of no use either.
    """
    alive: dict[_Latest, _State] = {}
    for latest, state in reached.items():
        kept = tuple(read if read is not None and _reaches(read, following, limits) else None for read in latest)
        known = alive.get(kept)
        if known is None or (state.cost, state.reads) < (known.cost, known.reads):
            alive[kept] = state
    least = min(state.cost for state in alive.values())
    by_ends: dict[tuple[int, ...], list[tuple[_Latest, _State]]] = {}
    for latest, state in sorted(alive.items(), key=lambda item: (item[1].cost, item[1].reads)):
        ahead = zip(latest, rates, strict=True)
        saved = sum(rate * (limits.hole + max(0, read[1] - span.start)) for read, rate in ahead if read is not None)
        if state.cost > least + saved:
            continue
        same = by_ends.setdefault(tuple(-1 if read is None else read[1] for read in latest), [])
        if not any(all(a is None or b is None or a[0] >= b[0] for a, b in zip(other, latest, strict=True)) for other, _ in same):
            same.append((latest, state))
    useful = [item for same in by_ends.values() for item in same]
    if len(useful) > BEAM:
        useful = heapq.nsmallest(BEAM, useful, key=lambda item: (item[1].cost, item[1].reads))
    return dict(useful)


def _reaches(read: tuple[int, int], following: int, limits: Limits) -> bool:
    """Whether what begins at `following` may still join the read."""
    start, end = read
    return following < end or (following - end <= limits.hole and following - start < limits.most)


def _choices(span: Span, latest: _Latest, state: _State, limits: Limits, rates: Sequence[float]) -> list[tuple[_Latest, _State]]:
    """Every way to read one more span: in a read that is there already (at no cost), in one made longer, or in a new one."""
    choices: list[tuple[_Latest, _State]] = []
    for rate in range(span.rate + 1):
        read = latest[rate]
        if read is not None and read[0] <= span.start and span.end <= read[1]:
            return [(latest, _State(state.cost, state.reads, _Step(state.last, rate, False, span)))]
    for rate in range(span.rate + 1):
        read = latest[rate]
        if read is not None and _may_grow(read, span, limits):
            cost = state.cost + (span.end - read[1]) * rates[rate]
            new = _State(cost, state.reads, _Step(state.last, rate, False, span))
            choices.append(((*latest[:rate], (read[0], span.end), *latest[rate + 1 :]), new))
        cost = state.cost + (limits.hole + span.end - span.start) * rates[rate]
        new = _State(cost, state.reads + 1, _Step(state.last, rate, True, span))
        choices.append(((*latest[:rate], (span.start, span.end), *latest[rate + 1 :]), new))
    return choices


def _may_grow(read: tuple[int, int], span: Span, limits: Limits) -> bool:
    start, end = read
    if limits.single or span.end - start > limits.most or any(start < barrier < span.end for barrier in limits.barriers):
        return False
    gap = range(end, span.start)
    if gap and limits.hole == 0:
        return False
    return limits.known is None or all(address in limits.known for address in gap)


def _groups(last: _Step | None) -> list[Group]:
    steps: list[_Step] = []
    while last is not None:
        steps.append(last)
        last = last.before
    groups: list[Group] = []
    latest: dict[int, Group] = {}
    for step in reversed(steps):
        if step.opened:
            latest[step.rate] = Group(step.span.start, step.span.end, step.rate)
            groups.append(latest[step.rate])
        group = latest[step.rate]
        group.end = max(group.end, step.span.end)
        group.spans.append(step.span)
    return groups
