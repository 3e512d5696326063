"""A sheet to draw on: scales, lines and labels. Colours are attributes, never a style: the page's security policy allows no inline style.

Colours are those of the page (display/static/base.css): grey where all is as usual, amber or red only for what is not, and what stands out
also has a shape or a word of its own. Every label has a contrast of 7:1 at least on the panel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

INK = "#1b1f24"
MUTED = "#424951"
PANEL = "#f6f7f8"
GRID = "#dde1e4"
BAND = "#ccd3d8"
TRACE = "#1f4e79"
CALM = "#5c6b79"
AMBER, AMBER_INK, AMBER_BACK = "#b35900", "#773a00", "#fff1df"
RED, RED_INK, RED_BACK = "#a8111a", "#8b0a12", "#fdeceb"
FONT = "Noto Sans, DejaVu Sans, Segoe UI, Roboto, system-ui, sans-serif"
LETTER = 0.58
"""Mean width of a letter of these fonts, in sizes of the font."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, in px.

    Attributes
    ----------
    font: size of the letters; lines and distances go with it.
    """

    width: float
    height: float
    font: float


class Sheet:
    """Collects what is drawn, from the back to the front.

    Parameters
    ----------
    across, up: smallest and largest x and y that have to be seen.
    label: text of a tick of y; what they need decides where the drawing begins.
    """

    def __init__(self, size: Size, across: Point, up: Point, label: Callable[[float], str]) -> None:
        self.font = size.font
        self._size = size
        low, high, self.step = _rounded(*up, most=max(2.0, size.height / size.font / 3.2))
        self.low, self.high = low, high
        self.first, self.last = across
        self.right = size.width - 0.9 * size.font
        self.top = 0.8 * size.font
        self.bottom = size.height - 1.8 * size.font
        self._parts: list[str] = []
        labels = [label(value) for value in self.ticks()]
        self.left = min((1.4 + LETTER * max(map(len, labels))) * size.font, 0.4 * size.width)
        for value, text in zip(self.ticks(), labels, strict=True):
            self.line([(self.left, self.y(value)), (self.right, self.y(value))], GRID, 0.07)
            self.text(self.left - 0.5 * self.font, self.y(value) + 0.35 * self.font, text, "end")

    def x(self, value: float) -> float:
        """Place across of a value."""
        return self.left + (value - self.first) / max(self.last - self.first, 1e-12) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Place up of a value."""
        return self.bottom - (value - self.low) / max(self.high - self.low, 1e-12) * (self.bottom - self.top)

    def ticks(self) -> list[float]:
        """Values of the lines across."""
        count = round((self.high - self.low) / self.step)
        return [self.low + i * self.step for i in range(count + 1)]

    def foot(self, value: float, label: str) -> None:
        """A label below the axis."""
        half = 0.5 * LETTER * self.font * len(label)
        place = min(max(self.x(value), self.left + half - self.font), self._size.width - half)
        self.text(place, self.bottom + 1.35 * self.font, label, "middle")

    def area(self, points: list[Point], colour: str) -> None:
        """A filled outline."""
        self._add("path", d=_path(points) + "Z", fill=colour)

    def line(self, points: list[Point], colour: str, width: float, dash: str = "") -> None:
        """A line of so many sizes of the font; NaN lifts the pen."""
        if len(points) < 2:
            return
        self._add(
            "path",
            d=_path(points),
            fill="none",
            stroke=colour,
            stroke_width=_short(width * self.font),
            stroke_linecap="round",
            stroke_linejoin="round",
            stroke_dasharray=" ".join(_short(float(d) * self.font) for d in dash.split()) if dash else None,
        )

    def dot(self, at: Point, radius: float, colour: str, edge: str = "") -> None:
        """A point of so many sizes of the font."""
        self._add(
            "circle", cx=_short(at[0]), cy=_short(at[1]), r=_short(radius * self.font), fill=colour, stroke=edge or None, stroke_width="2"
        )

    def arrow(self, value: float, label: str, colour: str) -> tuple[float, float]:
        """A triangle below the axis that points at a value, its label beside it; returns from where to where it takes room, px."""
        f, x = self.font, self.x(value)
        self.area([(x, self.bottom + 0.1 * f), (x - 0.5 * f, self.bottom + 0.95 * f), (x + 0.5 * f, self.bottom + 0.95 * f)], colour)
        width = LETTER * 1.08 * f * len(label)
        left = x + 0.8 * f + width > self._size.width
        place = x - 0.8 * f if left else x + 0.8 * f
        self.text(place, self.bottom + 1.35 * f, label, "end" if left else "start", colour, bold=True)
        return (place - width, x + 0.5 * f) if left else (x - 0.5 * f, place + width)

    def text(self, x: float, y: float, text: str, anchor: str, colour: str = MUTED, size: float = 0.95, *, bold: bool = False) -> None:
        """A label; a bold one has a rim of the panel's colour, to be read over lines."""
        rim = {"paint_order": "stroke", "stroke": PANEL, "stroke_width": _short(0.35 * self.font), "stroke_linejoin": "round"}
        self._add(
            "text",
            text,
            x=_short(x),
            y=_short(y),
            text_anchor=anchor,
            fill=colour,
            font_size=_short(size * self.font),
            font_weight="700" if bold else None,
            **(rim if bold else {}),
        )

    def flag(self, x: float, y: float, text: str, colour: str) -> None:
        """A bold label that stays on the sheet, with its middle near x."""
        half = 0.5 * LETTER * 1.05 * self.font * len(text)
        self.text(min(max(x, self.left + half), max(self.right - half, self.left + half)), y, text, "middle", colour, bold=True)

    def svg(self, title: str, text: str) -> str:
        """The picture; `title` and `text` are what a reader who cannot see it is told."""
        size = self._size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_short(size.width)} {_short(size.height)}" '
            f'width="{_short(size.width)}" height="{_short(size.height)}" role="img" aria-labelledby="t d" font-family={quoteattr(FONT)}>'
            f'<title id="t">{_clean(title)}</title><desc id="d">{_clean(text)}</desc>{"".join(self._parts)}</svg>'
        )

    def _add(self, tag: str, content: str = "", **attributes: str | None) -> None:
        written = "".join(f" {name.replace('_', '-')}={quoteattr(value)}" for name, value in attributes.items() if value is not None)
        self._parts.append(f"<{tag}{written}>{_clean(content)}</{tag}>" if content else f"<{tag}{written}/>")


def nice(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if not (value > 0.0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= value * 0.999)


def _rounded(low: float, high: float, most: float) -> tuple[float, float, float]:
    """The range widened to whole steps, at most about `most` of them, and the step."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        low, high = (low - 1.0, low + 1.0) if math.isfinite(low) else (0.0, 1.0)
    step = nice((high - low) / most)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def _path(points: list[Point]) -> str:
    out, pen = [], "M"
    for x, y in points:
        if y == y:
            out.append(f"{pen}{_short(x)} {_short(y)}")
        pen = "L" if y == y else "M"
    return "".join(out)


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    """What a control sends as a name may hold characters that XML does not allow."""
    return escape("".join(max(c, " ") for c in text))
