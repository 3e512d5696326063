"""All tools at once: how far each moved since it was new. When all move alike it is not the tools."""

from __future__ import annotations

from agent.explained import Picture
from agent.plot.sheet import AMBER, AMBER_INK, CALM, INK, LETTER, RED, RED_INK, Sheet, Size
from agent.texts import Texts


def draw_bars(picture: Picture, texts: Texts, size: Size, *, urgent: bool) -> Sheet:
    """The sheet with everything on it."""
    loud, ink = (RED, RED_INK) if urgent else (AMBER, AMBER_INK)
    low, high = min(0.0, *picture.y), max(0.0, picture.limit or 0.0, *picture.y)
    room = 0.25 * max(high - low, 1e-9)
    up = (low - (room if low < 0.0 else 0.0), high + room)
    sheet = Sheet(size, (-0.5, len(picture.y) - 0.5), up, lambda tick: f"{texts.number(round(tick, 9), 0, signed=True)}{texts.after('%')}")
    width = min(0.62, 4.0 * size.font / max(sheet.x(1.0) - sheet.x(0.0), 1.0))
    base = sheet.y(0.0)
    fits = (sheet.right - sheet.left) / len(picture.y) > 3.2 * size.font
    for i, (name, value) in enumerate(zip(picture.names, picture.y, strict=True)):
        over = picture.limit is not None and value > picture.limit
        left, right, top = sheet.x(i - width / 2), sheet.x(i + width / 2), sheet.y(value)
        sheet.area([(left, base), (left, top), (right, top), (right, base)], loud if over else CALM)
        sheet.foot(i, texts.tool_label(name)[: max(2, int((sheet.right - sheet.left) / len(picture.y) / size.font / LETTER))])
        if fits:
            place = top - 0.4 * size.font if value >= 0.0 else top + 1.1 * size.font
            text = f"{texts.number(round(value, 9), 0, signed=True)}{texts.after('%')}"
            sheet.text(0.5 * (left + right), place, text, "middle", ink if over else INK, bold=True)
    sheet.line([(sheet.left, base), (sheet.right, base)], INK, 0.12)
    return sheet
