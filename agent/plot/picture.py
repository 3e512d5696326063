"""One face for every picture."""

from __future__ import annotations

from agent.explained import Picture
from agent.plot.bars import draw_bars
from agent.plot.cut import draw_cut
from agent.plot.sheet import Size
from agent.plot.trend import draw_trend
from agent.texts import Texts


def picture_svg(picture: Picture, texts: Texts, title: str, text: str, unit: str, size: Size, zone: str, *, urgent: bool = False) -> str:
    """A picture as an SVG document.

    Parameters
    ----------
    title, text: what a reader who cannot see it is told.
    unit: of the load; a trend brings its own.
    zone: the machine's time zone.
    urgent: red instead of amber.
    """
    if picture.shape == "cut":
        sheet = draw_cut(picture, texts, unit, size, urgent=urgent)
    elif picture.shape == "bars":
        sheet = draw_bars(picture, texts, size, urgent=urgent)
    else:
        sheet = draw_trend(picture, texts, size, zone, urgent=urgent)
    return sheet.svg(title, text)
