"""Where each tool of a program stands against its limit, of the operation that moved most among those of this part."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from agent.detect import wear
from agent.detect.baseline import Baseline, Prior
from agent.detect.fusion import ToolLevel


class Track(wear.Followed, Protocol):
    """A figure that is followed from the new tool on."""

    rise_since: int


def of_tools(
    baselines: Iterable[Baseline],
    program: str,
    seen: Collection[str],
    bad: Collection[str],
    step: Prior,
    p: float,
    wanted: float,
    tracks: Mapping[str, Track] | None = None,
) -> dict[str, ToolLevel]:
    """By spindle and tool.

    Parameters
    ----------
    baselines: of all operations.
    program, seen: what runs, and the operations that came in this part.
    bad: operations whose last cut was missing or broken: they say nothing of wear.
    step, p, wanted: see `wear.wear_limit`.
    tracks: of each operation the figure that is judged; None: its work.
    """
    levels: dict[str, ToolLevel] = {}
    for baseline in baselines:
        if baseline.program != program or baseline.key in bad or baseline.key not in seen:
            continue
        sensed = tracks.get(baseline.key) if tracks is not None else None
        if tracks is not None and sensed is None:
            continue
        track: Track = baseline if sensed is None else sensed
        judged = wear.judged(track, step, p, wanted)
        if judged is None:
            continue
        level, limit = judged
        name = f"{baseline.spindle}|{baseline.tool}"
        if name in levels and levels[name].level - levels[name].limit >= level - limit:
            continue
        levels[name] = ToolLevel(
            tool=baseline.tool,
            spindle=baseline.spindle,
            operation=baseline.key,
            level=level,
            limit=limit if math.isfinite(limit) else math.inf,
            cuts_since_new=baseline.tool_cuts,
            since_part=track.rise_since,
            new_part=baseline.anchor_part,
            n_baseline=len(track.anchor),
            chance=p,
        )
    return levels
