"""What the cutting data of the machine file allow, from the very first cut: a ceiling, and a floor.

Before an operation is learned nothing else says what load it should take. Where the machine file has its cutting data, Kienzle's law does
(`agent.cutting`): a growing cut whose load lies above the ceiling for two looks is an overload, and a closed one that never came up to the
floor cut hardly anything. The floor holds only where the data are those of one pass, a register says when that pass is, and it stands out
of the noise; else nothing is told. Without such a register the heaviest pass of a tool gives the ceiling of all its cuts.

The operation's own cuts take over by and by: from the first limit of its own on (`learn_cuts`) the nearer of both limits holds, and once it
counts as MONITORING (`monitor_cuts`) its own alone. A 'false alarm' widens the ceiling as it widens any limit; a floor that spoke falsely
is not asked again (`WatchState.distrusted`): the data say something else than what is cut.
"""

from __future__ import annotations

import math
from dataclasses import replace

from agent.cutting import LEFT, Expected, expected
from agent.detect.baseline import Baseline
from agent.detect.finding import about
from agent.model import Cut, Evidence, Finding, Operation
from agent.settings import MachineSettings

OPENS = 5.0
"""Standard deviations of the noise by which the floor must lie above idle: what opens a cut (`agent.kernels.segment.THRESHOLD_NOISE`)."""
READINGS = 8
"""Readings below which a cut may have come and gone between two of them (`agent.detect.monitorability.READINGS`)."""


class Ceilings:
    """Of the operations whose cutting data are known.

    Parameters
    ----------
    settings: the machine file; of None nothing is known.
    """

    def __init__(self, settings: MachineSettings | None = None) -> None:
        self._known: dict[tuple[str, str, str, str], Expected] = {}
        self._learned = 0
        if settings is None:
            return
        self._learned = settings.monitoring.monitor_cuts
        told = any(channel.role == "section" for channel in settings.channel)
        for data in settings.cutting:
            one = expected(data, settings.channel, settings.spindle)
            if isinstance(one, str):
                continue
            section = "" if data.section is None or not told else str(data.section)
            place = data.spindle or settings.spindle[0].name, data.program, str(data.tool), section
            if not told:
                # Cuts that are counted may be miscounted: of all that this tool makes the heaviest holds, and none is called missing.
                one = replace(max(one, self._known.get(place, one), key=lambda known: known.ceiling), floor=0.0)
            self._known[place] = one

    def of(self, place: Baseline | Operation) -> Expected | None:
        """The nearest that is known: of this pass before this tool, of this program before any."""
        if not self._known:
            return None
        for section in (place.section, ""):
            for program in (place.program, ""):
                one = self._known.get((place.spindle, program, place.tool.lstrip("Tt"), section))
                if one is not None:
                    return one
        return None

    def top(self, baseline: Baseline) -> float:
        """Load above idle, unit of the load, that this operation must not pass; inf where nothing says so."""
        one = self.of(baseline) if baseline.good < self._learned else None
        return math.inf if one is None else one.ceiling

    def floor(self, baseline: Baseline) -> float:
        """Load above idle that a cut of this operation must reach; 0 where nothing says so."""
        one = self.of(baseline) if baseline.good < self._learned else None
        return 0.0 if one is None else one.floor

    def above(self, cut: Cut, baseline: Baseline) -> Finding | None:
        """Judge one look at a growing cut; the caller asks for two in a row."""
        f, top = cut.features, self.top(baseline)
        if cut.held or not f.level > top:
            return None
        said: Evidence = {"ceiling": True, "peak": f.level + f.idle, "limit": top + f.idle, "at_s": cut.time - cut.opened}
        return about(cut.operation, cut.time, "overload", f.level, top, self._with(said, cut), cut=cut.id)

    def hardly(self, cut: Cut, baseline: Baseline, noise: float) -> Finding | None:
        """Judge a closed cut of which a register said when it is."""
        f, floor = cut.features, self.floor(baseline)
        if cut.held or f.samples < READINGS or floor < OPENS * noise or not f.peak - f.idle < floor:
            return None
        share = max(f.peak - f.idle, 0.0) / floor * LEFT
        said: Evidence = {"hardly": True, "peak": f.peak, "limit": floor + f.idle}
        return about(cut.operation, cut.time, "missing", share, LEFT, self._with(said, cut), cut=cut.id)

    def _with(self, said: Evidence, cut: Cut) -> Evidence:
        one = self.of(cut.operation)
        return {**said, "expected_load": one.load + cut.features.idle if one is not None else math.nan, "part": cut.part}
