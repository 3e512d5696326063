"""Broken tools by the cuts of a visit as its course shows them: one that began as ever and did not go on to its end.

A piece is a stretch of a visit that cuts, between its air. As it should have ended, the work of all of it, of its last half and of its last
third are held against the latest visits (`agent.detect.course`), each where it repeats well enough by itself. A break takes all the work
that comes after it: of a late one the last third lacks most.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from agent.detect import course
from agent.detect.course import Course, Laid, Pattern

HIGHEST = 0.4
"""Share of the usual work of a window above which nothing broke: half of the load, as for a fall (`breakage.SHARE`), less a tenth, for what
one visit shows in sixteen is not all that good cuts do (p99.9 of the mean of good cuts anywhere: 27 %, detection.md 2.8)."""
PARTS = (0.0, 1.0 / 2.0, 2.0 / 3.0)
"""Of a piece, at which its windows begin; they end with it."""
FEWEST = 3
"""Cells of a piece."""
BEGAN = 0.5
"""Of the usual work, that what comes before must have done: a piece that does not begin at all may only be late."""
START = 2
"""First cells of a piece, of which one must have done that."""
LATE = 2
"""Cells after which a piece is judged: it may begin one late."""


class Window(msgspec.Struct, frozen=True):
    """first, last: cells, the last not counted. limit: share of the usual work below which the tool counts as broken."""

    first: int
    last: int
    limit: float


@dataclass(frozen=True)
class Piece:
    """One cut of the visit. first, last: cells. since, until: shares of it between which a break is told. windows: that are judged."""

    first: int
    last: int
    since: float
    until: float
    windows: tuple[Window, ...]


def pieces(of: Course, found: Pattern, p: float) -> tuple[Piece, ...]:
    """Of a visit, those of which a break would be told. `p`: chance that one evaluation may be a false alarm."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (found.level > 0.0).astype(np.int8), [0]])))
    made: list[Piece] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if (piece := _piece(of, found, p, first, last)) is not None:
            # What came before the first is air: it must have begun.
            made.append(dataclasses.replace(piece, since=0.0) if made else piece)
    return tuple(piece for piece in made if piece.since < piece.until)


def broken(piece: Piece, found: Pattern, laid: Laid, before: Sequence[Piece]) -> tuple[float, float] | None:
    """Share of the usual work, and the limit that it is below, where a piece began as ever and did not go on; None otherwise.

    Parameters
    ----------
    laid: the visit so far. before: pieces of it that were judged.
    """
    for window in piece.windows:
        share = _best(found, laid, window.first, window.last)
        if share < window.limit and _began(piece, window, found, laid, before):
            return max(share, 0.0), window.limit
    return None


def fell(piece: Piece, found: Pattern, laid: Laid) -> int:
    """Cells of it after which the load was gone."""
    level = found.level[piece.first : piece.last]
    there = np.flatnonzero(laid.loads[piece.first : piece.last] - found.idle[piece.first : piece.last] >= BEGAN * level)
    return int(there[-1]) + 1 if len(there) else 0


def _piece(of: Course, found: Pattern, p: float, first: int, last: int) -> Piece | None:
    if last - first < FEWEST:
        return None
    windows, until = [], 0.0
    for part in PARTS:
        start = first + round(part * (last - first))
        here = course.within(found, start, last)
        standing = course.standing(of, here, p, HIGHEST)
        if not standing.limit > 0.0 or standing.deviation is None:
            continue
        windows.append(Window(start, last, standing.limit))
        # What is left after a break at the end of this share of the window still lies below its limit: with the cell in which it breaks,
        # and one more where the visit is shifted to fit best.
        share = max(standing.limit - here.left, 0.0) / (1.0 + standing.deviation)
        until = max(until, (start - first + share * (last - start) - 2.0) / (last - first))
    return Piece(first, last, START / (last - first), until, tuple(windows)) if windows else None


def _began(piece: Piece, window: Window, found: Pattern, laid: Laid, before: Sequence[Piece]) -> bool:
    """What comes before this window in its piece did its work; or, where that is nothing, the first cells of it, or the piece before."""
    if window.first > piece.first:
        return _best(found, laid, piece.first, window.first) >= BEGAN
    if before and _best(found, laid, before[-1].first, before[-1].last) >= BEGAN:
        return True
    return any(_best(found, laid, cell, cell + 1) >= BEGAN for cell in range(piece.first, piece.first + START))


def _best(found: Pattern, laid: Laid, first: int, last: int) -> float:
    """Share of the usual work in these cells; of a visit that runs a cell late or early, what fits best; NaN: not known."""
    here = course.within(found, first, last)
    tried = [course.share_of(here, laid.loads, by) for by in (-1, 0, 1)]
    finite = [one for one in tried if math.isfinite(one)]
    return max(finite) if finite else math.nan
