"""Snapshots as a monitor would hand them out, for tests of the outlets and for pictures: the demo lathe in its typical states.

Nothing here is measured. Every builder takes the time that the snapshot shall have, s UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from agent.explained import Explanation, Picture
from agent.model import (
    Alert,
    Checklist,
    ContextView,
    Counters,
    Coverage,
    CutView,
    EnvelopeView,
    Evidence,
    Retuned,
    Snapshot,
    SpindleView,
    ToolView,
    VibrationView,
    Word,
)
from agent.notices import Notice
from agent.realised import Realised
from agent.settings import ChannelOptions, MachineOptions, MachineSettings, ToolOptions
from tests.support import explanations

GRID = 0.05
NAMES = {"1": ("chariotage", "turning"), "2": ("gorge", "groove"), "4": ("ébauche", "roughing"), "7": ("taraud", "tap")}
HOSTILE = "<img src=x onerror=\"window.hacked='yes'\">"


EARLY = Realised(hours=96.4, raised=3, judged_right=1, unanswered=2, budget=1.0, rate=0.0, high=12.0, needed=288.6)
"""Too early to tell, and two alerts that nobody answered"""
KEPT = Realised(
    hours=812.0, raised=9, judged_false=3, judged_right=6, budget=1.0, rate=0.59, low=0.12, high=1.73, verdict="kept",
    kind="drift", where="S1/4711/r1/T4/3", times=2,
)  # fmt: skip
ABOVE = Realised(
    hours=214.0, raised=14, judged_false=7, judged_right=4, unanswered=3, budget=1.0, rate=5.23, low=2.1, high=13.75, verdict="above",
    kind="missing", where="S1/4711/r1/T2/2", times=5,
)  # fmt: skip


def settings(language: str = "fr") -> MachineSettings:
    """A machine file of the demo lathe, as far as an outlet looks at it."""
    machine = msgspec.convert({"name": "tour-03", "area": "tournage", "site": "atelier", "language": language}, MachineOptions)
    tools = tuple(ToolOptions(number=int(n), name=fr, name_en=en) for n, (fr, en) in NAMES.items())
    channel = ChannelOptions(name="load", role="spindle.load", unit="%")
    return MachineSettings(machine=machine, tool=tools, channel=(channel,))


def load_curve(seconds: float, until: float | None = None, *, rise: float = 0.0, breaks_at: float | None = None) -> tuple[float, ...]:
    """Load of a cut of so many seconds, %, up to `until`; `rise`: how far it climbs above the usual; `breaks_at`: when it falls to idle."""
    values = []
    count = int((seconds if until is None else min(until, seconds)) / GRID) + 1
    for i in range(count):
        time = i * GRID
        rising = 1.0 / (1.0 + math.exp(-(time - 0.12 * seconds) / (0.025 * seconds)))
        falling = 1.0 / (1.0 + math.exp((time - 0.93 * seconds) / (0.02 * seconds)))
        usual = 4.0 + 31.0 * rising * falling + 1.2 * math.sin(9.0 * time) * rising * falling
        value = usual + rise * (time / seconds) * rising
        if breaks_at is not None and time >= breaks_at:
            value = 6.0 + 0.6 * math.sin(40.0 * time)
        values.append(value)
    return tuple(values)


def envelope(seconds: float, now: float, n: int = 31) -> EnvelopeView:
    """The band that belongs to `load_curve`."""
    usual = load_curve(seconds)
    return EnvelopeView(
        grid=GRID,
        low=tuple(max(0.0, v - 2.0 - 0.1 * v) for v in usual),
        high=tuple(v + 2.0 + 0.1 * v for v in usual),
        n=n,
        since=now - 9.3 * 86400.0,
    )


def cut(
    now: float, *, tool: str = "4", at: float | None = 1.2, rise: float = 0.0, breaks_at: float | None = None, banded: bool = True
) -> CutView:
    """A cut of 1.8 s: open since `at` seconds, or (None) closed 1.4 s ago."""
    seconds = 1.8
    until = seconds if at is None else at
    ended = now - 0.2 if at is not None else now - 1.4
    return CutView(
        id=f"c{int(now)}-{tool}-{at}-{breaks_at}",
        operation=f"S1/4711/r1/T{tool}/3",
        tool=tool,
        section="3",
        opened=ended - until,
        time=ended,
        open=at is not None,
        curve=load_curve(seconds, until, rise=rise, breaks_at=breaks_at),
        grid=GRID,
        envelope=envelope(seconds, now) if banded else None,
    )


def spindle(now: float, *, load: float | None = 46.0, age: float = 0.2, view: CutView | None = None, name: str = "S1") -> SpindleView:
    """A spindle at 1200 rpm."""
    return SpindleView(
        name=name,
        load=load,
        load_unit="%",
        load_time=now - age,
        load_quality=0 if load is not None else 3,
        speed=1200.0 if load is not None else None,
        idle=4.6 if load is not None else None,
        temperature=38.5,
        cut=view,
    )


LIVES: dict[str, dict[str, Any]] = {
    "1": {
        "parts_low": 210,
        "parts_high": 1240,
        "basis": "measures",
        "basis_n": 3,
        "basis_level": 0.8,
        "new_known": True,
        "vb": 0.14,
        "vb_parts": 22,
    },
    "4": {"parts_low": 3, "parts_high": 19, "basis": "trend", "basis_n": 40, "basis_level": 0.95, "new_known": True},
    "7": {"parts_low": 40, "parts_high": 95, "basis": "lives", "basis_n": 5, "basis_level": 2 / 3, "new_known": True, "lives": 7},
}
"""What is known of how long they last: nothing of T2."""


def tool(
    number: str, *, wear: float | None = 0.05, word: Word = Word.MONITORING, reason: str = "", n: int = 31, of: int = 20, alert: str = ""
) -> ToolView:
    """A tool of the demo lathe."""
    fr, en = NAMES.get(number, ("", ""))
    blind = word in (Word.NOT_MONITORABLE, Word.LEARNING)
    return ToolView(
        tool=number,
        spindle="S1",
        name=fr,
        name_en=en,
        word=word,
        reason=reason,
        n=n,
        of=of,
        wear=None if blind else wear,
        wear_limit=0.15,
        smallest_change=None if blind else 0.06,
        cuts=116,
        cutting_time=205.0,
        alert=alert,
        **LIVES.get(number, {"parts_low": None, "parts_high": None}),
        parts=116,
        vb_limit=0.3,
    )


def vibration(now: float, *, rms: float | None = 1.1, baseline: float | None = 1.0) -> VibrationView:
    """The vibration sensor of the spindle."""
    return VibrationView(
        channel="vibration",
        time=now - 0.3,
        quality=0,
        velocity_rms=rms,
        acceleration_rms=0.4,
        peak=1.7,
        crest=4.1,
        kurtosis=3.1,
        lost=0,
        baseline_rms=baseline,
        validity="",
    )


def coverage(now: float, word: Word = Word.MONITORING, reason: str = "", n: int = 0, of: int = 0) -> Coverage:
    """The word of the whole machine."""
    return Coverage(time=now, scope="machine", word=word, reason=reason, n=n, of=of)


def snapshot(
    now: float,
    *,
    word: Coverage | None = None,
    spindles: Sequence[SpindleView] | None = None,
    tools: Sequence[ToolView] | None = None,
    vibrations: Sequence[VibrationView] | None = None,
    alerts: Sequence[Alert] = (),
    checklists: Sequence[Checklist] = (),
    pictures: Mapping[str, Picture] | None = None,
    at_tool: str = "4",
    program: str = "4711",
    machine: str = "tour-03",
    realised: Realised = EARLY,
) -> Snapshot:
    """Monitoring, T4 in its cut, nothing to report; whatever is given replaces its part."""
    shown = tuple(tools) if tools is not None else demo_tools()
    return Snapshot(
        time=now,
        machine=machine,
        coverage=word or coverage(now),
        coverages=(),
        spindles=tuple(spindles) if spindles is not None else (spindle(now, load=36.2, view=cut(now)),),
        tools=shown,
        vibrations=tuple(vibrations) if vibrations is not None else (vibration(now),),
        context=ContextView(
            program=program,
            part=138,
            tool=at_tool,
            section="3",
            mode="AUTOMATIC",
            execution="ACTIVE",
            feed_override=100.0,
            cycle=True,
            door="CLOSED",
        ),
        alerts=tuple(alerts),
        checklists=tuple(checklists),
        values={"spindle_temperature": 38.5, "air_pressure": 5.8},
        counters=Counters(parts=138, cuts=414, cutting_time=612.0, rows=81234, dropped=0),
        explanations=tuple(explained(one, now, (pictures or {}).get(one.id)) for one in alerts),
        operations=explanations.operations(shown),
        realised=realised,
    )


def explained(one: Alert, now: float, picture: Picture | None = None) -> Explanation:
    """Why an alert may be believed; slow changes bring the picture of their kind."""
    if picture is None and one.kind == "wear":
        picture = explanations.trend()
    if picture is None and one.kind == "process":
        picture = explanations.bars()
    if picture is None and one.kind == "spindle":
        picture = explanations.vibration_trend(now)
    return explanations.explanation(one, now, picture)


def demo_tools(alert: str = "", wear: float = 0.09) -> tuple[ToolView, ...]:
    """T1, T2, T4 (which wears) and T7, which cannot be watched."""
    return (
        tool("1", wear=0.03),
        tool("2", wear=0.05),
        tool("4", wear=wear, alert=alert),
        tool("7", word=Word.NOT_MONITORABLE, reason="low_contrast"),
    )


def alert(
    now: float, kind: str = "wear", *, id: str = "a1", state: str = "active", ago: float = 260.0, severity: str = "", tool: str = "4"
) -> Alert:
    """An alert with the evidence that its kind brings."""
    evidence: dict[str, Evidence] = {
        "wear": {
            "change_pct": 18.0,
            "limit_pct": 15.0,
            "cuts_since_new": 116,
            "since_part": 104,
            "new_part": 21,
            "n_baseline": 31,
            "others_flat": 2,
            "others_total": 2,
        },
        "breakage": {
            "fall_pct": 82.0,
            "at_s": 1.05,
            "usual_fall_pct": 12.0,
            "load_before": 36.0,
            "load_after": 6.2,
            "n_baseline": 31,
            "part": 139,
        },
        "missing": {"work_pct": 8.0, "n_baseline": 31, "part": 139, "absent": False},
        "overload": {"peak": 92.0, "limit": 60.0, "over_pct": 53.0, "n_baseline": 31, "part": 139, "at_s": 0.8},
        "spindle": {"change_pct": 64.0, "value": 1.8, "baseline": 1.1, "unit": "mm/s", "n_baseline": 60},
        "process": {"change_pct": 9.0, "tools": 3, "part": 139},
        "sensor": {"reason": "device_silent", "channel": "vibration"},
    }
    severities = {"breakage": "urgent", "missing": "urgent", "overload": "urgent", "process": "advice"}
    data = {
        "id": id,
        "kind": kind,
        "severity": severity or severities.get(kind, "warning"),
        "state": state,
        "returned": False,
        "raised": now - ago,
        "updated": now - 5.0,
        "transition": "raised",
        "channel": "vibration" if kind in ("spindle", "sensor") else "load",
        "spindle": "S1",
        "operation": "" if kind in ("spindle", "sensor", "process") else f"S1/4711/r1/T{tool}/3",
        "tool": "" if kind in ("spindle", "sensor", "process") else tool,
        "score": 1.3,
        "threshold": 1.0,
        "count": 1,
        "evidence": evidence[kind],
        "checklist": f"l-{id}",
    }
    return msgspec.convert(data, Alert)


def learning(now: float) -> Snapshot:
    """The third good part of five."""
    tools = [tool(n, word=Word.LEARNING, n=3, of=5) for n in ("1", "2", "4")]
    view = cut(now, banded=False)
    word = coverage(now, Word.LEARNING, n=3, of=5)
    return snapshot(now, word=word, tools=tools, spindles=[spindle(now, load=36.2, view=view)], vibrations=[vibration(now, baseline=None)])


def provisional(now: float) -> Snapshot:
    """Twelve good cuts of twenty: gross limits only."""
    tools = [tool(n, word=Word.PROVISIONAL, n=12) for n in ("1", "2", "4")]
    return snapshot(now, word=coverage(now, Word.PROVISIONAL, n=12, of=20), tools=tools)


def monitoring(now: float) -> Snapshot:
    """All is well."""
    return snapshot(now)


def worn(now: float, lists: Sequence[Checklist] = ()) -> Snapshot:
    """T4 has reached its limit."""
    one = alert(now, "wear")
    view = cut(now, at=1.05, rise=14.0)
    return snapshot(
        now, alerts=[one], checklists=lists, tools=demo_tools(one.id, 0.18), spindles=[spindle(now, load=44.8, view=view)], realised=KEPT
    )


def broken(now: float, lists: Sequence[Checklist] = ()) -> Snapshot:
    """T2 broke in the cut, while T4 is worn and all tools moved."""
    urgent = alert(now, "breakage", id="a2", ago=12.0, tool="2")
    alerts = [urgent, alert(now, "wear"), alert(now, "process", id="a3", ago=900.0)]
    tools = [tool("1", wear=0.03), tool("2", wear=0.05, alert=urgent.id), tool("4", wear=0.18, alert="a1"), demo_tools()[3]]
    view = cut(now, tool="2", at=None, breaks_at=1.05)
    pictures = {urgent.id: explanations.cut_picture(view, at=1.05, spoke=1.3)}
    spindles = [spindle(now, load=5.1, view=view)]
    return snapshot(now, alerts=alerts, checklists=lists, tools=tools, spindles=spindles, at_tool="2", pictures=pictures, realised=ABOVE)


def absent(now: float) -> Snapshot:
    """The cut of T2 did not come."""
    one = alert(now, "missing", id="a5", ago=8.0, tool="2")
    one = msgspec.structs.replace(one, evidence={"work_pct": 0.0, "n_baseline": 31, "absent": True, "expected_s": 1.8, "part": 139})
    band = explanations.cut_picture(msgspec.structs.replace(cut(now, tool="2"), curve=()))
    return snapshot(now, alerts=[one], pictures={one.id: band})


def overloaded(now: float) -> Snapshot:
    """T4 takes far too much; one such alert was called false before, and its limit is wider."""
    one = alert(now, "overload", id="a6", ago=8.0)
    view = cut(now, at=None, rise=70.0)
    why = explanations.explanation(one, now, explanations.cut_picture(view, at=0.8, spoke=1.0, limit=60.0), judged_false=1, width=1.2)
    tuning = Retuned(
        id="tuning-1",
        time=now - 900.0,
        by="page",
        verdict="false_alarm",
        kind="overload",
        where=one.operation,
        alert=one.id,
        before=1.0,
        after=1.2,
    )
    base = snapshot(now, alerts=[one], spindles=[spindle(now, view=view)])
    return msgspec.structs.replace(base, explanations=(why,), tunings=(tuning,))


def together(now: float) -> Snapshot:
    """All tools moved alike."""
    return snapshot(now, alerts=[alert(now, "process", id="a8", ago=900.0)])


def vibrating(now: float) -> Snapshot:
    """The spindle vibrates more than it did."""
    one = alert(now, "spindle", id="a7", ago=600.0)
    return snapshot(now, alerts=[one], vibrations=[vibration(now, rms=1.8, baseline=1.1)])


def acknowledged(now: float) -> Snapshot:
    """The operator has seen the wear of T4, and its cause has gone."""
    one = msgspec.structs.replace(alert(now, "wear", id="a4", state="acknowledged"), returned=True, count=12, acknowledged_by="page")
    return snapshot(now, alerts=[one], tools=demo_tools(one.id, 0.18))


def device_lost(now: float) -> Snapshot:
    """The control does not answer; its last reading is 7 s old."""
    lost = spindle(now, load=None, age=7.0, view=cut(now - 7.0, at=None))
    tools = [tool(n, word=Word.LOST) for n in ("1", "2", "4")]
    return _speechless(snapshot(now, word=coverage(now, Word.LOST, "device_silent"), spindles=[lost], tools=tools))


def switched_off(now: float) -> Snapshot:
    """The machine's own supply is off since 21 min."""
    off = spindle(now, load=None, age=1260.0, view=cut(now - 1290.0, at=None))
    return _speechless(snapshot(now, word=coverage(now, Word.OFF), spindles=[off], vibrations=[vibration(now, rms=None)]))


def _speechless(base: Snapshot) -> Snapshot:
    """The control says nothing."""
    context = ContextView(program="", part=138, tool="", section="", mode="", execution="", feed_override=None, cycle=None, door="")
    return msgspec.structs.replace(base, context=context)


def held(now: float) -> Snapshot:
    """Feed override at 80 %."""
    base = snapshot(now, word=coverage(now, Word.HOLD, "feed_override"))
    return msgspec.structs.replace(base, context=msgspec.structs.replace(base.context, feed_override=80.0))


def feed_changed(now: float) -> Snapshot:
    """T4 cuts at about 80 % of its feed, and nothing told it."""
    turret = [tool("1"), tool("4", word=Word.HOLD, reason="feed_changed")]
    note = Notice(kind="feed_changed", since=now - 90.0, program="4711", operation="S1/4711/r1/T4/3", tool="4", section="3", value=0.8, n=3)
    return msgspec.structs.replace(snapshot(now, tools=turret), notices=(note,))


def asked(now: float, answer: Literal["asked", "no"] = "asked") -> Snapshot:
    """Three parts alike without T7: has the program been changed?"""
    note = Notice(kind="program_changed", since=now - 600.0, program="4711", tool="7", n=1, answer=answer)
    restart = Notice(kind="restart", since=now - 4.0, program="4711")
    return msgspec.structs.replace(snapshot(now, word=coverage(now, Word.HOLD, "program_changed")), notices=(note, restart))


def answered(now: float) -> Snapshot:
    """Yes, it was: revision 2 is learned."""
    note = Notice(kind="program_learned", since=now - 60.0, program="4711", n=2)
    return msgspec.structs.replace(learning(now), notices=(note,))


def asked_with_alert(now: float) -> Snapshot:
    """The same question while an alert stands."""
    return msgspec.structs.replace(worn(now), notices=asked(now).notices)


def warming(now: float) -> Snapshot:
    """The spindle warms up."""
    return msgspec.structs.replace(
        snapshot(now, word=coverage(now, Word.HOLD, "warm_up")), notices=(Notice(kind="warm_up", since=now - 90.0),)
    )


def leftover(now: float) -> Snapshot:
    """No alert any more, on hold, and checklists still open (the page's server of the tests adds those that it opened)."""
    return held(now)


def many(now: float, tools: int = 24) -> Snapshot:
    """Two spindles and a full turret."""
    turret = [tool(str(i + 1), wear=0.002 * i) for i in range(tools)]
    return snapshot(now, tools=turret, spindles=[spindle(now, load=36.2, view=cut(now)), spindle(now, name="S2", load=4.0)])


def hostile(now: float) -> Snapshot:
    """Every name that a control may send is markup."""
    one = msgspec.structs.replace(alert(now, "wear", id="a9"), tool=HOSTILE)
    bad = msgspec.structs.replace(tool("4", alert="a9"), tool=HOSTILE, name=HOSTILE, name_en=HOSTILE)
    base = snapshot(now, tools=[bad], alerts=[one], at_tool=HOSTILE, program=HOSTILE, machine=HOSTILE)
    return msgspec.structs.replace(base, context=msgspec.structs.replace(base.context, section=HOSTILE, execution=HOSTILE))
