"""Explanations and lines of the installer's table as a monitor would hand them out, for tests of the outlets and for pictures.

Nothing here is measured.
"""

from __future__ import annotations

import math

from agent.explained import Cause, Explanation, OperationView, Picture
from agent.model import Alert, CutView, ToolView

CAUSES = {
    "wear": ("T01.program", "T01.coolant", "T01.setting", "T01.stock", "T01.material", "T01.warm_up"),
    "breakage": ("T03.no_part", "T03.stopped", "T03.program", "T03.blank", "T03.offset"),
    "missing": ("T03.no_part", "T03.stopped", "T03.program", "T03.blank", "T03.offset"),
    "overload": ("T04.stock", "T04.chips", "T04.program", "T04.edge", "T04.wrong_tool"),
    "spindle": ("T05.part", "T05.chips", "T05.sensor", "T05.neighbour", "T05.warm_up"),
    "process": ("T02.lubricant", "T02.batch", "T02.blank", "T02.warm_up", "T02.spindle"),
    "sensor": ("T19.switched_off", "T19.settings", "T19.noise"),
}
UNSEEN = {"breakage": ("slow",), "overload": ("slow",), "wear": ("no_axis",)}
UNLIKELY = ("T01.material", "T01.warm_up")
FIRST = {
    "wear": "T01.edge",
    "breakage": "T03.tool",
    "missing": "T03.tool",
    "overload": "T04.rapid",
    "spindle": "T05.taper",
    "process": "T02.batch",
}


def trend(points: int = 60, first: int = 21, rises_at: int = 104, end: float = 19.0) -> Picture:
    """The work of a tool that wears from a part on."""
    last = 138
    x = tuple(round(first + i * (last - first) / (points - 1)) for i in range(points))
    y = tuple(
        round(1.1 * math.sin(2.1 * part) + 0.9 * math.cos(5.3 * part) + max(0.0, (part - rises_at) / (last - rises_at)) ** 0.8 * end, 3)
        for part in x
    )
    return Picture(
        shape="trend",
        name="work_ratio",
        unit="%",
        y=y,
        x=tuple(float(part) for part in x),
        axis="part",
        n=3,
        since=0.0,
        base=0.0,
        limit=15.0,
        at=float(rises_at),
    )


def bars() -> Picture:
    """Three tools that moved alike."""
    return Picture(shape="bars", name="work_ratio", unit="%", y=(24.0, 21.5, 18.2), names=("4", "1", "2"), base=0.0, limit=20.0)


def vibration_trend(now: float, points: int = 40) -> Picture:
    """The vibration of a spindle that grows."""
    y = tuple(round(1.1 + 0.05 * math.sin(3.0 * i) + max(0.0, (i - 22) / 18.0) * 0.8, 3) for i in range(points))
    x = tuple(now - 60.0 * (points - i) for i in range(points))
    return Picture(shape="trend", name="velocity_rms", unit="mm/s", y=y, x=x, axis="time", n=60, since=x[0], base=1.1, limit=1.76)


def cut_picture(view: CutView, *, at: float | None = None, spoke: float | None = None, limit: float | None = None) -> Picture:
    """A cut as its view shows it."""
    band = view.envelope
    return Picture(
        shape="cut",
        name="load",
        unit="",
        y=view.curve,
        grid=view.grid,
        low=band.low if band else (),
        high=band.high if band else (),
        band_grid=band.grid if band else 0.0,
        n=band.n if band else 0,
        since=band.since if band else 0.0,
        limit=limit,
        at=at,
        spoke=spoke,
    )


def explanation(alert: Alert, now: float, picture: Picture | None = None, **changes: object) -> Explanation:
    """Of an alert of `tests.support.snapshots`."""
    against = {"wear": "new_tool", "process": "new_tool", "spindle": "well", "sensor": ""}.get(alert.kind, "good_cuts")
    rises = alert.evidence.get("since_part")
    data: dict[str, object] = {
        "alert": alert.id,
        "time": alert.raised,
        "against": against,
        "n": {"new_tool": 3, "well": 60}.get(against, 31),
        "baseline_since": now - 9.3 * 86400.0,
        "since": alert.raised - 5400.0 if rises is not None else None,
        "since_part": rises,
        "per_month": 1.0,
        "basis": {"sensor": "state", "process": "state", "breakage": "rule"}.get(alert.kind, "chance"),
        "chance": 2.5e-6,
        "width": 1.0,
        "judged_false": 0,
        "first": FIRST.get(alert.kind, ""),
        "causes": tuple(Cause(key=key, likely=key not in UNLIKELY) for key in CAUSES[alert.kind]),
        "unseen": (alert.kind, *UNSEEN.get(alert.kind, ())),
        "rate": 20.0 if against == "good_cuts" else None,
        "picture": picture,
        **changes,
    }
    return Explanation(**data)  # type: ignore[arg-type]


def operations(tools: tuple[ToolView, ...]) -> tuple[OperationView, ...]:
    """One for each tool."""
    return tuple(
        OperationView(
            key=f"S1/4711/r1/T{tool.tool}/{i + 1}",
            spindle=tool.spindle,
            program="4711",
            tool=tool.tool,
            section=str(i + 1),
            word=str(tool.word),
            reason=tool.reason,
            n=tool.n,
            of=tool.of,
            contrast=None if tool.word == "LOST" else 1.8 if tool.word == "NOT_MONITORABLE" else 41.3,
            rate=19.8,
            duration=1.8,
            smallest_change=tool.smallest_change,
            smallest_fall=0.06 if tool.smallest_change is not None and tool.word == "MONITORING" else None,
            rise_cuts=3,
            fall_cuts=35,
            wear_limit=tool.wear_limit if tool.smallest_change is not None else None,
            undercut=None if tool.word in ("NOT_MONITORABLE", "LEARNING", "LOST") else 0.58,
            overload=None if tool.word in ("NOT_MONITORABLE", "LEARNING", "LOST") else 0.5,
            fall=None if tool.word in ("NOT_MONITORABLE", "LOST") else 0.5,
            widened=1.25 if tool.word == "PROVISIONAL" else 1.0,
        )
        for i, tool in enumerate(tools)
    )
