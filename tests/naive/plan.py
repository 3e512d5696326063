"""The slow, obvious twin of drivers/plan.py: every way to put registers into reads, each way priced by what goes over the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivers.options import Register
from drivers.plan import width


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    """Every way to put the items into groups."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for groups in partitions(rest):
        yield [[first], *groups]
        for i, group in enumerate(groups):
            yield [*groups[:i], [first, *group], *groups[i + 1 :]]


def least(
    wanted: Sequence[Register],
    max_count: int,
    hole: float,
    every: Sequence[float],
    barriers: Sequence[int] = (),
    known: frozenset[int] | None = None,
    single: bool = False,
) -> float:
    """Cost a second of the best of all ways: a read costs `hole` and its registers, as often as the fastest of its group is wanted."""
    best = float("inf")
    for groups in partitions(list(range(len(wanted)))):
        cost = 0.0
        for group in groups:
            held = set()
            for i in group:
                held |= set(range(wanted[i].address, wanted[i].address + width(wanted[i])))
            start, end = min(held), max(held) + 1
            alone = any(set(range(wanted[i].address, wanted[i].address + width(wanted[i]))) == set(range(start, end)) for i in group)
            if not alone:
                unknown = known is not None and not set(range(start, end)) - held <= known
                if single or end - start > max_count or any(start < b < end for b in barriers) or unknown:
                    cost = float("inf")
                    break
            cost += (hole + end - start) / min(every[i] for i in group)
        best = min(best, cost)
    return best
