"""The table of `broche bench --detection DIR`: one row a figure, and what an adapter of a recording set gives.

An adapter is a module of this folder named for its set's folder in DIR. It defines `measure(folder, progress)` and reads whatever files
of its set's format are there: other tools, bearings or days than those that it was written beside. It turns them into what the pass takes
(Readings, Waveforms, or closed Cuts where a set holds figures of cuts only), asks the pass, and only then opens the labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

Progress = Callable[[float, str], None]
"""Share done (0 to 1) and what is worked on."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one set.

    Attributes
    ----------
    set: folder name of the recordings.
    figure: what was measured, in words. name: the same for machines, unique within the set, stable.
    value, unit: None where the data do not support the figure (`note` says why: a result too).
    low, high: 95 % bounds, None where there are none.
    n: how many it rests on, in words (`5 tools`, `27 cuts`).
    fixed: where the settings were fixed (`other tools, each left out in turn`, `defaults of the product`).
    baseline, baseline_value: the plain rule tuned with the same effort in the same run, and its figure.
    published: the published figure and its source, '' where there is none.
    note: what must be known to read it.
    through: what spoke: the whole pass; the detectors of the pass on closed cuts that were made of a table of figures (`cuts`: what comes
        before a cut is not tried); or a detector that was fed by itself because the pass does not use it yet (decision 13).
    """

    set: str
    name: str
    figure: str
    value: float | None
    n: str
    fixed: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    baseline: str = ""
    baseline_value: float | None = None
    published: str = ""
    note: str = ""
    through: Literal["pass", "cuts", "detector"] = "pass"


class Adapter(Protocol):
    """A module of this folder that measures one set."""

    def measure(self, folder: Path, progress: Progress) -> list[Row]:
        """Everything that the recordings in `folder` can show.

        Raises
        ------
        FileNotFoundError: a file without which nothing can be measured is not there; its name is in the error.
        """
        ...


def by_detector(rows: Iterable[Row]) -> list[Row]:
    """The same rows, each saying that a detector was fed by itself."""
    return [msgspec.structs.replace(row, through="detector") for row in rows]


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % bounds of a share (Wilson, JASA 22, 1927, 209); (0, 1) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)
