"""One cut on the band of good cuts: where it left the band, where its limit lay, when Broche spoke."""

from __future__ import annotations

import math

from agent.explained import Picture
from agent.plot.sheet import AMBER_INK, BAND, CALM, LETTER, RED_INK, TRACE, Point, Sheet, Size, nice
from agent.texts import Texts

OUTSIDE = 2
"""Samples in a row beyond the band before it is said that the cut left it."""
SLIP = 1
"""Points of the band by which a cut may be early or late: on a steep edge that is no excursion."""
WIDE = 1.5
"""Times the largest middle of the band up to which its upper edge is shown whole."""


def draw_cut(picture: Picture, texts: Texts, unit: str, size: Size, *, urgent: bool) -> Sheet:
    """The sheet with everything on it."""
    loud = RED_INK if urgent else AMBER_INK
    seconds = max((len(picture.high) - 1) * picture.band_grid, (len(picture.y) - 1) * picture.grid, 0.5)
    middles = [0.5 * (low + high) for low, high in zip(picture.low, picture.high, strict=True)]
    # Where few cuts began and ended at different moments the band is wide there; it shall not press all the rest to the ground.
    band = min(max(picture.high, default=0.0), WIDE * max(middles, default=0.0))
    tallest = max([*picture.y, band, picture.limit or 0.0, 1e-6])
    sheet = Sheet(size, (0.0, seconds), (0.0, 1.18 * tallest), lambda tick: texts.measured(round(tick, 9), unit))
    _foot(sheet, picture, texts, seconds, loud)
    _band(sheet, picture)
    if picture.limit is not None:
        _limit(sheet, texts, picture.limit, unit, loud)
    left = strayed(picture)
    points = [(sheet.x(i * picture.grid), sheet.y(max(value, sheet.low))) for i, value in enumerate(picture.y)]
    start = 0 if left is None else max(left - 1, 0)
    sheet.line(points if left is None else points[: start + 1], CALM if left is not None else TRACE, 0.2)
    if left is not None:
        sheet.line(points[start:], loud, 0.3)
    _flags(sheet, texts, picture, points, left, loud)
    return sheet


def strayed(picture: Picture) -> int | None:
    """Index of the first point of what the alert is about: where the cut left its band before it happened, or at all; None: it did not."""
    if picture.at is None or picture.grid <= 0.0 or not picture.y:
        return leaving(picture)
    index = min(max(round(picture.at / picture.grid), 0), len(picture.y) - 1)
    if not _side(picture, index):
        return leaving(picture)
    while index > 0 and _side(picture, index - 1):
        index -= 1
    return index


def leaving(picture: Picture) -> int | None:
    """Index of the first point of the cut that lies outside the band for good reason; None: it stays inside, or there is no band."""
    run, side_before = 0, ""
    for index in range(len(picture.y)):
        side = _side(picture, index)
        run = run + 1 if side and side == side_before else int(bool(side))
        side_before = side
        if run >= OUTSIDE:
            return index - OUTSIDE + 1
    return None


def _foot(sheet: Sheet, picture: Picture, texts: Texts, seconds: float, colour: str) -> None:
    """When Broche spoke, and the times that there is room for beside it."""
    taken = (math.inf, -math.inf)
    if picture.spoke is not None and 0.0 <= picture.spoke <= sheet.last:
        taken = sheet.arrow(picture.spoke, texts.say("plot.spoke", time=texts.number(picture.spoke, 1)), colour)
    every = nice(seconds / 4.5)
    for i in range(1, int(seconds / every * 1.001) + 1):
        text = texts.measured(i * every, "s", 1 if every < 1.0 else 0)
        half = 0.5 * LETTER * sheet.font * (len(text) + 1)
        if not taken[0] - half < sheet.x(i * every) < taken[1] + half:
            sheet.foot(i * every, text)


def _band(sheet: Sheet, picture: Picture) -> None:
    if not picture.high:
        return
    high, low = (
        [(sheet.x(i * picture.band_grid), sheet.y(min(max(value, sheet.low), sheet.high))) for i, value in enumerate(edge)]
        for edge in (picture.high, picture.low)
    )
    sheet.area([*high, *reversed(low)], BAND)


def _limit(sheet: Sheet, texts: Texts, limit: float, unit: str, colour: str) -> None:
    y = sheet.y(limit)
    sheet.line([(sheet.left, y), (sheet.right, y)], colour, 0.14, "0.5 0.4")
    text = texts.say("plot.limit", value=texts.measured(limit, unit, 0))
    # At the left: that is where a cut is lowest.
    sheet.text(sheet.left + 0.4 * sheet.font, y - 0.45 * sheet.font, text, "start", colour, bold=True)


def _flags(sheet: Sheet, texts: Texts, picture: Picture, points: list[Point], left: int | None, colour: str) -> None:
    if not points:
        middle = 0.5 * (sheet.left + sheet.right)
        sheet.flag(middle, sheet.bottom - 0.6 * sheet.font, texts.say("plot.absent"), colour)
        return
    at = picture.at if picture.at is not None else left * picture.grid if left is not None else None
    if at is not None and math.isfinite(at):
        index = min(max(round(at / picture.grid), 0), len(points) - 1) if picture.grid > 0.0 else 0
        x, y = points[index]
        side = _side(picture, index)
        text = texts.say(f"plot.{side}") if side else texts.say("plot.at", time=texts.number(at, 2))
        sheet.line([(x, sheet.y(sheet.high) + 1.6 * sheet.font), (x, y)], colour, 0.16, "0.3 0.3")
        sheet.flag(x, sheet.top + 0.75 * sheet.font, text, colour)


def _side(picture: Picture, index: int) -> str:
    """'above' or 'below' the band; '' within it, where it has ended, or where there is none. A cut may be `SLIP` early or late."""
    if len(picture.high) < 2 or picture.band_grid <= 0.0:
        return ""
    at = round(index * picture.grid / picture.band_grid)
    if at >= len(picture.high):
        return ""
    near = slice(max(at - SLIP, 0), at + SLIP + 1)
    value = picture.y[index]
    return "above" if value > max(picture.high[near]) else "below" if value < min(picture.low[near]) else ""
