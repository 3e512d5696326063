"""The table of `broche watch`, for a person, and the same for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli._board import Board, Period, Row
from agent.texts import Texts
from drivers.health import BusHealth, DeviceHealth
from drivers.model import Quality
from drivers.options import BusOptions
from drivers.wire_time import databits

COLUMNS = ("channel", "register", "raw", "value", "quality", "age", "update")
_RIGHT = frozenset({"raw", "value", "age"})
_WIDEST = {"channel": 24, "register": 32, "raw": 30, "value": 36}
COUNTS = (
    "answers",
    "timeouts",
    "stale_replies",
    "mismatches",
    "exceptions",
    "missed_periods",
    "frames",
    "refused_frames",
    "lost_samples",
)
_INDENT = "    "


def page(board: Board, health: Sequence[BusHealth], buses: Mapping[str, BusOptions], now: float, texts: Texts) -> list[str]:
    """Lines: a heading, then bus by bus the link, its devices, and their channels with raw beside scaled."""
    say = texts.say
    cells = {row.channel: _cells(row, now, texts) for row in board.rows.values()}
    heading = {name: say(f"watch.column.{name}") for name in COLUMNS}
    width = {name: max(len(line[name]) for line in (heading, *cells.values())) for name in COLUMNS}
    lines = [_line(heading, width)]
    for bus in health:
        options = buses[bus.bus]
        at = wire(options)
        lines.append(say("watch.bus", bus=bus.bus, framing=options.framing, wire=at, state=say(f"bus.{bus.state}"), n=bus.opened))
        if bus.error:
            lines.append(f"  ! {say(f'bus.{bus.error}', detail=bus.detail)}")
        for device in bus.devices:
            lines.append(f"  {_device(device, board.period(device.source), texts)}")
            if device.error and device.error != bus.error:
                lines.append(f"  ! {say(f'bus.{device.error}', detail=device.detail, lost_samples=device.lost_samples)}")
            lines += [_line(cells[row.channel], width) for row in board.sources.get(device.source, ())]
    return lines


def wire(bus: BusOptions) -> str:
    """Where a bus is: 'host:port', or the port and how it is set."""
    if bus.host:
        return f"{bus.host}:{bus.port}"
    return f"{bus.port} {bus.baud} {databits(bus)}{bus.parity}{bus.stopbits}"


def report(board: Board, health: Sequence[BusHealth], now: float) -> dict[str, Any]:
    """What a program reads."""
    return {
        "time": now,
        "buses": [
            {
                "bus": bus.bus,
                "state": bus.state,
                "opened": bus.opened,
                "error": bus.error,
                "devices": [
                    {**_facts(device), "update": _seconds(board.period(device.source)), "channels": _rows(board, device.source, now)}
                    for device in bus.devices
                ],
            }
            for bus in health
        ],
    }


def _rows(board: Board, source: str, now: float) -> list[dict[str, Any]]:
    return [
        {
            "channel": row.channel,
            "register": row.register,
            "raw": list(row.raw),
            "value": _value(row),
            "unit": row.unit,
            "quality": row.quality.name,
            "age": None if row.time is None else round(now - row.time, 3),
            "update": _seconds(row.changes.period),
            "rms": list(row.axes),
        }
        for row in board.sources.get(source, ())
    ]


def _value(row: Row) -> float | str | None:
    if row.quality > Quality.UNCERTAIN or row.axes:
        return None
    if row.worded:
        return row.word or None
    return float(f"{row.value:.9g}") if row.value == row.value else None


def _seconds(period: Period | None) -> dict[str, Any] | None:
    return None if period is None else {"seconds": round(period.seconds, 4), "at_most": period.fast}


def _facts(device: DeviceHealth) -> dict[str, Any]:
    names = (
        "answers",
        "timeouts",
        "stale_replies",
        "mismatches",
        "exceptions",
        "missed_periods",
        "frames",
        "refused_frames",
        "lost_samples",
    )
    counts = {name: getattr(device, name) for name in names}
    return {"source": device.source, "unit": device.unit, "state": device.state, "latency": device.latency, "error": device.error, **counts}


def _device(device: DeviceHealth, period: Period | None, texts: Texts) -> str:
    say = texts.say
    said = [say("watch.device", source=device.source, unit=device.unit or None, state=say(f"bus.{device.state}"))]
    if device.unit or device.answers or device.timeouts:
        latency = None if device.latency is None else 1000.0 * device.latency
        said.append(say("watch.answers", n=device.answers, latency=latency, timeout=1000.0 * device.timeout))
        counts: dict[str, int] = {
            "timeouts": device.timeouts,
            "stale": device.stale_replies,
            "mismatches": device.mismatches,
            "exceptions": device.exceptions,
            "missed": device.missed_periods,
        }
    else:
        counts = {"frames": device.frames, "refused": device.refused_frames, "lost": device.lost_samples}
    said += [f"{say(f'watch.count.{name}')} {texts.number(float(n))}" for name, n in counts.items()]
    if period is not None:
        said.append(say("watch.update", period=_period(period, texts)))
    return ", ".join(said)


def _cells(row: Row, now: float, texts: Texts) -> dict[str, str]:
    say = texts.say
    update = row.changes.period
    value = texts.number(None)
    if row.quality <= Quality.UNCERTAIN:
        if row.axes:
            value = say("watch.rms", values=" ".join(texts.number(axis) for axis in row.axes), unit=texts.unit(row.unit))
        elif row.worded:
            value = row.word or value
        else:
            value = texts.measured(row.value, row.unit)
    told = {
        "channel": row.channel,
        "register": row.register,
        "raw": raw_text(row.raw) or texts.number(None),
        "value": value,
        "quality": say(f"watch.quality.{row.quality.name.lower()}"),
        "age": texts.number(None) if row.time is None else f"{texts.number(max(0.0, now - row.time), 1)} s",
        "update": texts.number(None) if update is None else _period(update, texts),
    }
    return {name: _clipped(text, _WIDEST.get(name, 99)) for name, text in told.items()}


def raw_text(words: Sequence[int]) -> str:
    """Registers as a manual and as a debugger shows them: '523 = 020B', '0001 86A0' for more than one; a bit is '1 = 0001'."""
    hexadecimal = " ".join(f"{word:04X}" for word in words)
    return f"{words[0]} = {hexadecimal}" if len(words) == 1 else hexadecimal


def _period(period: Period, texts: Texts) -> str:
    digits = 2 if period.seconds < 1.0 else 1
    return f"{'≤' if period.fast else '≈'} {texts.number(period.seconds, digits)} s"


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _line(cells: Mapping[str, str], width: Mapping[str, int]) -> str:
    words = [cells[name].rjust(width[name]) if name in _RIGHT else cells[name].ljust(width[name]) for name in COLUMNS]
    return (_INDENT + "  ".join(words)).rstrip()
