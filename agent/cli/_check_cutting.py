"""What cutting data make of the load, as `check` tells it: expected load, ceiling, floor, and whether the floor can be told from idling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.machine_file import MachineFile
    from agent.texts import Texts


def expectations(file: MachineFile) -> list[dict[str, Any]]:
    """The figures, one row a [[cutting]]; `why`: what keeps it from being held against the load, or from telling a missing tool."""
    from agent.cutting import expected
    from agent.detect.ceiling import OPENS

    settings = file.settings
    first = settings.spindle[0].name
    rows: list[dict[str, Any]] = []
    for data in settings.cutting:
        row: dict[str, Any] = {"tool": data.tool, "program": data.program, "section": data.section, "spindle": data.spindle or first}
        one = expected(data, settings.channel, settings.spindle)
        if isinstance(one, str):
            rows.append({**row, "why": one})
            continue
        told = any(c.role == "section" and (c.spindle or first) == row["spindle"] for c in settings.channel)
        step = _step(file, row["spindle"])
        coarse = step is not None and OPENS * step > one.floor
        why = "no_floor" if data.section is None else "no_section" if not told else "coarse" if coarse else ""
        figures = {"low": one.low, "high": one.high, "unit": one.unit, "load": one.load, "ceiling": one.ceiling, "floor": one.floor}
        rows.append({**row, **figures, "noise": one.floor / OPENS, "step": step, "why": why})
    return rows


def lines(file: MachineFile, texts: Texts) -> list[str]:
    """What a person reads; of data that are not held against the load the notes say why."""
    from agent.cutting import MODEL, WORN

    told = []
    for row in expectations(file):
        if "load" not in row:
            continue
        section = None if row["section"] is None else str(row["section"])
        values = {**row, "unit": texts.after(row["unit"])}
        title = texts.say("check.cutting.title", tool=str(row["tool"]), program=row["program"] or None, section=section)
        told += [f"  {title}", f"    {texts.say('check.cutting.power', **values)}"]
        told.append(f"    {texts.say('check.cutting.' + (row['why'] or 'floor'), **values)}")
    if told:
        spindle, monitoring = file.settings.spindle[0], file.settings.monitoring
        says = texts.say(
            "check.cutting.says",
            worn=100.0 * (WORN - 1.0),
            model=100.0 * MODEL,
            efficiency=100.0 * spindle.efficiency,
            learn=monitoring.learn_cuts,
            monitor=monitoring.monitor_cuts,
        )
        told.append(f"  {says}")
    return told


def _step(file: MachineFile, spindle: str) -> float | None:
    """Smallest step of the register of the spindle's load, in the unit in which it is judged; None: it is not known."""
    from agent.load import derivation

    settings = file.settings
    first = settings.spindle[0].name
    channel = next(c for c in settings.channel if c.role == "spindle.load" and (c.spindle or first) == spindle)
    name, _, wanted = channel.source.partition(".")
    device = next((file.maps.get(source.device) for source in settings.source if source.name == name), None)
    register = next((r for r in device.registers if r.name == wanted), None) if device is not None else None
    if register is None or register.type.startswith("f"):
        return None
    how = derivation(channel, settings.spindle)
    step = abs(register.scale)
    return 100.0 * step / how.rated if how is not None and how.rated is not None else step
