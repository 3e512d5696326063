"""recording.toml: what a recording says about itself."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.recording_error import RecordingError
from drivers.recording_format import ChannelSettings, RecordingSettings, seconds_of

__all__ = ["ChannelSettings", "RecordingSettings", "load_settings"]

_WANTED = {"unit": "text", "rate": "number", "on_change": "flag", "scale": "number", "uncertain": "flag"}


def load_settings(path: Path, names: Collection[str]) -> RecordingSettings:
    """Read recording.toml; a file that is not there gives the defaults.

    A channel stands as [channel.NAME], [channels.NAME], [[channel]] with a `name`, or, where a column is called so, [NAME]. Keys that are
    none of ours are left to whoever wrote them, unless they look like one of ours misspelt.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return RecordingSettings()
    except UnicodeDecodeError:
        raise RecordingError("encoding", path) from None
    except OSError as error:
        raise RecordingError("unreadable", path, reason=error.strerror or error) from error
    except tomllib.TOMLDecodeError as error:
        raise RecordingError("settings", path, reason=error) from error
    timezone = _text(table, "timezone", path)
    channels = {}
    for name, entry in _entries(table, names, path):
        channels[name] = _channel(name, entry, path)
    return RecordingSettings(
        start=_start(table.get("start"), timezone, path),
        timezone=timezone,
        writer=_text(table, "writer", path),
        channels=channels,
    )


def _entries(table: dict[str, Any], names: Collection[str], path: Path) -> list[tuple[str, dict[str, Any]]]:
    entries: list[tuple[str, dict[str, Any]]] = []
    for key, value in table.items():
        if key in ("channel", "channels") and isinstance(value, list):
            for item in value:
                if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                    raise RecordingError("settings_no_table", path, setting=f"[[{key}]]")
                entries.append((item["name"], {k: v for k, v in item.items() if k != "name"}))
        elif key in ("channel", "channels") and isinstance(value, dict):
            for name, item in value.items():
                if not isinstance(item, dict):
                    raise RecordingError("settings_no_table", path, setting=f"{key}.{name}")
                entries.append((name, item))
        elif key in names and isinstance(value, dict):
            entries.append((key, value))
    return entries


def _channel(name: str, entry: dict[str, Any], path: Path) -> ChannelSettings:
    for key, value in entry.items():
        if key not in _WANTED:
            near = difflib.get_close_matches(key, _WANTED, 1, 0.75)
            if near:
                raise RecordingError("settings_key", path, column=name, setting=key, meant=near[0])
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        fits = {
            "unit": isinstance(value, str),
            "rate": number and value > 0,
            "on_change": isinstance(value, bool),
            "scale": number and value != 0,
            "uncertain": isinstance(value, bool),
        }
        if not fits[key]:
            raise RecordingError(f"settings_no_{_WANTED[key]}", path, column=name, setting=key, text=repr(value))
    rate = entry.get("rate")
    return ChannelSettings(
        unit=entry.get("unit", ""),
        rate=None if rate is None else float(rate),
        on_change=entry.get("on_change"),
        scale=float(entry.get("scale", 1.0)),
        uncertain=entry.get("uncertain", False),
    )


def _start(value: object, timezone: str, path: Path) -> float | None:
    """UTC seconds; a time without a zone is one of `timezone`."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            if value.tzinfo is None:
                value = value.replace(tzinfo=ZoneInfo(timezone))
            return value.timestamp()
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return seconds_of(str(value))
    except (ValueError, ZoneInfoNotFoundError):
        pass
    raise RecordingError("settings_no_time", path, setting="start", text=str(value))


def _text(table: dict[str, Any], key: str, path: Path) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise RecordingError("settings_no_text", path, setting=key, text=repr(value))
    return value
