"""Life of the tools: their clocks, what was typed of them, and how many parts each has left, for the page."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from agent.commands import MOST_VB, Measure, StillGood, ToolChanged
from agent.detect.clock import Clock, Clocks, Life, position
from agent.detect.life import Due, Left, Rise, due, learned, left
from agent.detect.wear_curve import DUE, Curve
from agent.model import Cut, Finding, Indicator, ToolView
from agent.settings import MachineSettings

VB_LIMIT = 0.3
"""mm of flank wear at which a tool counts as worn where [[tool]] does not say: VB_B of ISO 3685:1993 (turning) and the uniform wear of
ISO 8688-2:1989 (end mills)."""


class ToolLives:
    """Of all tool positions of a machine.

    Parameters
    ----------
    settings: whose [[tool]] says at which flank wear a tool is changed.
    """

    def __init__(self, settings: MachineSettings) -> None:
        self._limits = {str(tool.number): tool.vb_limit for tool in settings.tool if tool.vb_limit is not None}
        self._clocks = Clocks()
        self._curves: dict[str, tuple[list[Life], Curve | None]] = {}
        """Of the earlier tools of a position, and what it was learned from"""

    def on_cut(self, cut: Cut) -> None:
        """A closed cut."""
        self._clocks.on_cut(cut)

    def on_part(self, worn: Collection[str], part: int) -> list[Finding]:
        """A part has ended: tools that are due for a change by their wear or by what earlier ones lasted, and those that are not.

        worn: tools that a detector has called worn already; of them nothing more is said.
        """
        out = []
        for key in self._clocks.on_part():
            clock, (spindle, _, tool) = self._clocks.state[key], key.partition("|")
            found = due(clock, self.limit(tool), self._curve(key, clock)) if tool not in worn else None
            if found is not None and not clock.due:
                out.append(_due(spindle, tool, clock, found, part))
            elif found is None and clock.due and tool not in worn:
                out.append(msgspec.structs.replace(_due(spindle, tool, clock, Due(0.0, DUE, "lives", 0), part), evidence={}, finished=True))
            clock.due = found is not None or (clock.due and tool in worn)
        return out

    def hear(self, items: Iterable[Finding | Indicator], cut: Cut) -> None:
        """What the detectors say of a cut: its ratios to the new tool; and that a worn tool's load fell back, for a new edge was put in and
        nobody told."""
        said = list(items)
        self._clocks.hear(cut, [item for item in said if isinstance(item, Indicator)])
        for item in said:
            if isinstance(item, Finding) and item.kind == "wear" and item.finished:
                self._clocks.untold(item.tool, item.spindle)

    def obey(self, command: ToolChanged | Measure | StillGood, time: float) -> tuple[str, list[Indicator]]:
        """What a person typed of a tool: why it was refused ('' = it was not), and the measure as an indicator."""
        if not self._clocks.known(command.tool, command.spindle):
            return "unknown_tool", []
        match command:
            case ToolChanged():
                self._clocks.changed(command.tool, command.spindle, command.reason, time)
            case StillGood():
                self._clocks.still_good(command.tool, command.spindle, time)
            case Measure():
                if not 0.0 <= command.vb <= MOST_VB:
                    return "not_a_flank_wear", []
                self._clocks.measure(command.tool, command.spindle, command.vb, time)
                said = Indicator(time=time, channel="", operation="", tool=command.tool, name="flank_wear", value=command.vb, unit="mm")
                return "", [said]
        return "", []

    def clock(self, tool: str, spindle: str) -> Clock | None:
        """Of a position; None where nothing was cut."""
        return self._clocks.of(tool, spindle)

    def left(self, tool: str, spindle: str, rise: Rise | None) -> Left | None:
        """Parts left of the tool in this position."""
        clock = self._clocks.of(tool, spindle)
        return left(clock, self.limit(tool), rise, self._curve(position(tool, spindle), clock)) if clock is not None else None

    def limit(self, tool: str) -> float:
        """Flank wear at which this tool is changed, mm."""
        return self._limits.get(tool, VB_LIMIT)

    def shown(self, view: ToolView, rise: Rise | None) -> ToolView:
        """The view of a tool with its clock and what is left of it.

        `rise`: of its signals; None where none is known. Its cuts a part are filled in here, from the clock.
        """
        clock = self._clocks.of(view.tool, view.spindle)
        if clock is None:
            return view
        if rise is not None and clock.parts:
            rise = msgspec.structs.replace(rise, cuts_a_part=rise.cuts_a_part / clock.parts)
        curve = self._curve(position(view.tool, view.spindle), clock)
        found = left(clock, self.limit(view.tool), rise if clock.parts else None, curve)
        measured = clock.measured
        return msgspec.structs.replace(
            view,
            cuts=clock.cuts,
            parts=clock.parts,
            cutting_time=clock.seconds,
            new_known=clock.whole,
            parts_low=found.low if found is not None else None,
            parts_high=found.high if found is not None else None,
            basis=found.basis if found is not None else "",
            basis_n=found.n if found is not None else 0,
            basis_level=found.level if found is not None else None,
            vb=measured.vb if measured is not None else None,
            vb_parts=clock.parts - measured.parts if measured is not None else 0,
            vb_limit=self.limit(view.tool),
            lives=len(clock.lives),
        )

    def saved(self) -> dict[str, Clock]:
        """What survives a restart."""
        return self._clocks.state

    def restore(self, state: dict[str, Clock], anew: Collection[str] = ()) -> None:
        """Take back what `saved` gave; the load of the spindles in `anew` has another unit now."""
        self._clocks.restore(state, anew)

    def _curve(self, key: str, clock: Clock) -> Curve | None:
        """Learned once for each tool that ended."""
        known = self._curves.get(key)
        if known is None or known[0] is not clock.lives:
            known = self._curves[key] = (clock.lives, learned(clock.lives, self.limit(key.partition("|")[2])))
        return known[1]


def _due(spindle: str, tool: str, clock: Clock, found: Due, part: int) -> Finding:
    return Finding(
        time=clock.used,
        kind="wear",
        severity="advice",
        channel="",
        spindle=spindle,
        operation="",
        tool=tool,
        score=found.chance,
        threshold=found.at,
        evidence={"due": True, "chance_pct": 100.0 * found.chance, found.basis: found.n, "parts": clock.parts, "part": part},
    )
