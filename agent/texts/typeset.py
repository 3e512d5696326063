"""How a sentence and a number look in French and in English: spaces that must not break, apostrophes, decimal signs, placeholders."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from agent.model import Scalar
from agent.settings import Language

FINE = "\u202f"
"""Espace fine insécable: before ; ! ? % and between thousands (Lexique des règles typographiques, Imprimerie nationale)."""
FIRM = "\u00a0"
"""Espace insécable: before a colon, inside guillemets, between a number and its unit."""
MINUS = "\u2212"
NOTHING = "–"
"""Stands where there is no value."""

_UNITS = r"(?:mm/s|mm|µm|kN|kW|N|bar|Hz|kHz|tr/min|rpm|°C|ms|min|s|h|L|g|A|V)(?![\w/])"
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\+?)(\d?))?\}")
_QUOTED = re.compile(r"(`[^`]*`)")


def typeset(text: str, language: Language) -> str:
    """A catalogue's sentence, typed with ordinary spaces and ', as it should be printed. What stands between `backticks` is left alone."""
    parts = _QUOTED.split(text)
    parts[::2] = [_prose(part, language) for part in parts[::2]]
    return "".join(parts)


def _prose(text: str, language: Language) -> str:
    text = re.sub(r"(?<=\w)'(?=\w)", "’", text)
    text = re.sub(rf"(?<=[\d}}]) (?={_UNITS})", FIRM, text)
    if language == "fr":
        text = re.sub(r" (?=[;!?%](?:\W|$))", FINE, text)
        text = re.sub(r" (?=:(?:\s|$))", FIRM, text)
        text = re.sub(r"(?<=«) | (?=»)", FIRM, text)
        text = re.sub(r"(?<=n°) (?=[\d{])", FIRM, text)
    return text


def placeholders(text: str) -> tuple[str, ...]:
    """Names that `fill` needs for this text, sorted."""
    return tuple(sorted({match[1] for match in _PLACEHOLDER.finditer(text)}))


def known(value: Scalar) -> bool:
    """Whether a value can be shown: neither absent nor NaN, nor an empty word."""
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def fill(text: str, values: Mapping[str, Scalar], language: Language) -> str:
    """Put values into a sentence.

    '{name}' takes text as it stands and a number in the manner of the language; '{name:1}' rounds to one decimal, '{name:+0}' shows the
    sign. What is not known becomes a dash.
    """

    def one(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if not known(value):
            return NOTHING
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return str(value)
        return number(value, int(match[3]) if match[3] else None, language, signed=bool(match[2]))

    return _PLACEHOLDER.sub(one, text)


def number(value: float, digits: int | None, language: Language, *, signed: bool = False) -> str:
    """A number to be read: '1 234,5' in French, '1,234.5' in English, with a true minus sign.

    Parameters
    ----------
    digits: decimals; None: none for a whole number, else as many as leave about three figures that count.
    signed: a plus sign before what is above zero.
    """
    if math.isnan(value):
        return NOTHING
    text = "∞" if math.isinf(value) else f"{abs(value):,.{_decimals(value) if digits is None else digits}f}"
    zero = not any(figure in text for figure in "123456789∞")
    if language == "fr":
        text = text.replace(",", FINE).replace(".", ",")
    if zero:
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def _decimals(value: float) -> int:
    size = abs(value)
    if float(value).is_integer() or size >= 100.0:
        return 0
    decimals = 1 if size >= 10.0 else 2 if size >= 0.1 else 3
    return decimals - 1 if float(round(value, decimals)) == round(value, decimals - 1) else decimals
