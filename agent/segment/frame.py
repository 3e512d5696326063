"""Rows of one spindle, as the segmenter takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.timeline import BIN
from drivers.model import UNCERTAIN, Floats


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of one spindle within which nothing that the control says changes: gate, operation and reason to hold are those of all rows.

    Attributes
    ----------
    time, load, speed: (n,) s, unit of the load channel, rpm (NaN: no speed channel).
    ok: (n,) whether load and speed may be believed.
    gate: 0 no cut may be, 1 the load decides, 2 this is a section.
    program, tool, section: as text, '' where the machine does not say.
    part: running number.
    held: why cuts may not be judged, '' = they may.
    gap: inf for a load that is told on change only: silence means nothing.
    unknown: the control is not read, and what it said last is that no cut can be: by now one may run, and nothing here is idle.
    """

    time: Floats
    load: Floats
    speed: Floats
    ok: np.ndarray[tuple[int], np.dtype[np.bool_]]
    gate: int
    program: str
    tool: str
    section: str
    part: int
    held: str
    gap: float = 0.0
    unknown: bool = False


def bin_rows(
    time: Floats, load: Floats, speed: Floats, ok: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Floats, Floats, Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Average rows that fall into the same bin of `timeline.BIN` seconds: no drive's load register is worth more. The bin stands at its
    last row and is bad if all its rows are."""
    if len(time) < 2 or float(np.min(np.diff(time))) >= BIN:
        return time, load, speed, ok
    number = np.floor(time / BIN)
    first = np.flatnonzero(np.concatenate([[True], np.diff(number) != 0]))
    good = ok.astype(np.float64)
    count = np.add.reduceat(good, first)
    safe = np.maximum(count, 1.0)
    last = np.concatenate([first[1:], [len(time)]]) - 1
    return (
        time[last],
        np.add.reduceat(np.where(ok, load, 0.0), first) / safe,
        np.add.reduceat(np.where(ok, speed, 0.0), first) / safe,
        count > 0,
    )


def believed(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows whose quality allows a judgement."""
    return quality <= UNCERTAIN
