"""A slow change: one point a cut (or a look), what it started from, the limit, and where it stands now."""

from __future__ import annotations

import numpy as np

from agent.explained import Picture
from agent.plot.sheet import AMBER, AMBER_BACK, AMBER_INK, CALM, INK, LETTER, RED_BACK, RED_INK, TRACE, Sheet, Size
from agent.texts import Texts
from agent.texts.moments import RELATIVE, local

SMOOTH = 3
"""Values whose median the line follows: the detectors filter by as many (`detect.wear.FILTER`)."""


def draw_trend(picture: Picture, texts: Texts, size: Size, zone: str, *, urgent: bool) -> Sheet:
    """The sheet with everything on it."""
    loud, back = (RED_INK, RED_BACK) if urgent else (AMBER_INK, AMBER_BACK)
    values = list(picture.y)
    marks = [value for value in (picture.base, picture.limit) if value is not None]
    low, high = min([*values, *marks]), max([*values, *marks])
    room = 0.24 * max(high - low, 1e-9)
    # Times of looks may lie days and seconds apart: what was seen last would be one line at the edge.
    across = picture.x if picture.axis in ("part", "cut") else tuple(float(i) for i in range(len(values)))
    ratio = picture.unit == "%"
    sheet = Sheet(
        size,
        (across[0], across[-1]),
        (low - 0.15 * room, high + room),
        lambda tick: _value(texts, tick, picture.unit, 1, signed=ratio),
    )
    if picture.limit is not None:
        edge = sheet.y(picture.limit)
        far = sheet.top if _rises(picture) else sheet.bottom
        sheet.area([(sheet.left, edge), (sheet.right, edge), (sheet.right, far), (sheet.left, far)], back)
    _foot(sheet, picture, across, texts, zone)
    if picture.base is not None:
        y = sheet.y(picture.base)
        sheet.line([(sheet.left, y), (sheet.right, y)], INK, 0.12)
        word = texts.say("plot.new_tool" if picture.name.endswith("_ratio") else "plot.usual")
        sheet.text(sheet.right, y + 1.15 * sheet.font, word, "end", bold=True)
    if picture.limit is not None:
        y = sheet.y(picture.limit)
        sheet.line([(sheet.left, y), (sheet.right, y)], loud, 0.14, "0.5 0.4")
        text = texts.say("plot.limit", value=_value(texts, picture.limit, picture.unit, 2, signed=ratio))
        # Above the line, unless the values lie there too at the left.
        near = values[: max(1, len(values) // 3)]
        below = sum(near) / len(near) > picture.limit
        sheet.text(sheet.left + 0.5 * sheet.font, y + (1.1 if below else -0.45) * sheet.font, text, "start", loud, bold=True)
    if picture.at is not None:
        x = sheet.x(picture.at)
        sheet.line([(x, sheet.top + 1.3 * sheet.font), (x, sheet.bottom)], loud, 0.14, "0.15 0.35")
        word = "plot.rises" if values[-1] > (picture.base or 0.0) else "plot.changes"
        sheet.flag(x, sheet.top + 0.75 * sheet.font, texts.say(word, part=texts.number(picture.at, 0)), loud)
    _points(sheet, picture, across, texts, loud)
    return sheet


def _points(sheet: Sheet, picture: Picture, across: tuple[float, ...], texts: Texts, loud: str) -> None:
    places = [(sheet.x(x), sheet.y(y)) for x, y in zip(across, picture.y, strict=True)]
    smooth = [float(np.median(picture.y[max(0, i - SMOOTH + 1) : i + 1])) for i in range(len(picture.y))]
    sheet.line([(x, sheet.y(y)) for (x, _), y in zip(places, smooth, strict=True)], TRACE, 0.22)
    for place, value in zip(places, picture.y, strict=True):
        over = picture.limit is not None and (value > picture.limit if _rises(picture) else value < picture.limit)
        sheet.dot(place, 0.26 if over else 0.18, AMBER if over else CALM)
    x, _ = places[-1]
    y = sheet.y(smooth[-1])
    sheet.dot((x, y), 0.42, loud, "#ffffff")
    text = _value(texts, smooth[-1], picture.unit, 2, signed=picture.unit == "%")
    width = LETTER * 1.35 * sheet.font * len(text)
    top = min(y, places[-1][1])
    above = top - 0.9 * sheet.font if top - 2.2 * sheet.font > sheet.top else y + 1.9 * sheet.font
    sheet.text(max(x, sheet.left + width), above, text, "end", loud, 1.3, bold=True)


def _foot(sheet: Sheet, picture: Picture, across: tuple[float, ...], texts: Texts, zone: str) -> None:
    count = 4 if sheet.right - sheet.left > 26.0 * sheet.font else 3
    for i in range(count):
        index = round(i * (len(across) - 1) / (count - 1))
        if picture.axis == "time":
            sheet.foot(across[index], _clock(texts, picture.x[index], zone))
        else:
            number = texts.number(across[index], 0)
            sheet.foot(across[index], f"{texts.say(f'plot.{picture.axis}')} {number}" if i == 0 else number)


def _rises(picture: Picture) -> bool:
    return picture.limit is None or picture.base is None or picture.limit >= picture.base


def _clock(texts: Texts, seconds: float, zone: str) -> str:
    if seconds < RELATIVE:
        return texts.measured(seconds, "s", 0)
    return local(seconds, zone).strftime("%d/%m %H:%M")


def _value(texts: Texts, value: float, unit: str, most: int, *, signed: bool) -> str:
    """With as many decimals as an eye can use, at most `most`; a change in % needs none above 10."""
    digits = 0 if abs(value) >= 10.0 or float(round(value, 9)).is_integer() else 1 if unit == "%" else most
    return f"{texts.number(round(value, 9), digits, signed=signed)}{texts.after(unit)}"
