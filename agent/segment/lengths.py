"""Visits of a tool that run equally long are one operation: a tool may come twice in a part, for different work."""

from __future__ import annotations

import math

import msgspec

ALIKE = math.log(1.15)
"""Log ratio of lengths that are one operation (`agent.detect.recurring.LENGTH`) ..."""
ENDS = 1.5
"""... or so many periods: either end of a visit is known to a reading."""
LENGTHS, TOOLS = 8, 400
"""Lengths of a tool in a program, and tools of programs, that are remembered; what was not seen for the longest time makes room."""
MEMORY = 20
"""Visits over which a length is taken: older ones fade."""


class Length(msgspec.Struct):
    """Visits of one tool in one program that run equally long."""

    number: int
    seconds: float
    seen: int = 1
    used: float = 0.0


Lengths = dict[str, list[Length]]
"""By program and tool; the one that was seen last stands at the end."""


def of_visit(known: Lengths, name: str, seconds: float, now: float, *, period: float, learn: bool) -> Length:
    """The length of a visit of this tool (`name`: program and tool) that ran for `seconds`; begun where it is a new one.

    Parameters
    ----------
    period: s between two readings.
    learn: the visit was as it should be, and the length follows it.
    """
    its = known.pop(name, [])
    known[name] = its
    while len(known) > TOOLS:
        del known[next(iter(known))]
    nearest = min(its, key=lambda length: abs(math.log(seconds / length.seconds)), default=None)
    if nearest is not None:
        apart = abs(seconds - nearest.seconds)
        if apart <= ENDS * period or abs(math.log(seconds / nearest.seconds)) <= ALIKE:
            if learn:
                nearest.seen += 1
                nearest.seconds += (seconds - nearest.seconds) / min(nearest.seen, MEMORY)
            nearest.used = now
            return nearest
    new = Length(max((length.number for length in its), default=0) + 1, seconds, used=now)
    its.append(new)
    if len(its) > LENGTHS:
        its.remove(min(its[:-1], key=lambda length: length.used))
    return new
