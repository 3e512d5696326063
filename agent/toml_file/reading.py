"""From a path to a TOML document and its lines. What cannot be read is a mistake with a remedy; a slip of syntax does not hide the next."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from agent.toml_file.found import Found
from agent.toml_file.lines import lines_of

LARGEST = 128 * 1024
"""bytes; a machine with 100 channels has about 20 kB"""
LONGEST_LINE = 1000
"""characters"""
MOST_SLIPS = 10
"""Slips of syntax that are told at once."""

_AT = re.compile(r"\(at line (\d+), column \d+\)$")
_SLIPS = (
    ("quotes_curly", re.compile(r"[“”„«»]|=\s*[‘’]")),
    ("decimal_comma", re.compile(r"=\s*[+-]?\d+,\d+\s*(#.*)?$")),
    ("colon", re.compile(r"^\s*[\w-]+\s*:")),
    ("boolean", re.compile(r"=\s*(True|False|TRUE|FALSE|[Yy]es|[Nn]o|[Oo]ui|[Nn]on|[Vv]rai|[Ff]aux|on|off)\s*(#.*)?$")),
    ("unfinished", re.compile(r"^\s*[\w.\"'-]+\s*(=\s*)?(#.*)?$")),
    ("header_open", re.compile(r"^\s*\[\[?[\w. -]*\]?\s*(#.*)?$")),
)
_DETAILS = (
    ("twice", ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")),
    ("backslash", ("Unescaped",)),
    ("quotes_open", ("Unterminated", "Illegal character '\\n'")),
    ("bracket_open", ("Unclosed",)),
    ("quotes_none", ("Invalid value",)),
)


def read_document(path: Path, found: Found) -> dict[str, Any] | None:
    """The document as far as it can be read; what is wrong goes to `found`. None: nothing could be read."""
    text = _text(path, found)
    if text is None:
        return None
    rows = text.split("\n")
    for _ in range(MOST_SLIPS):
        try:
            document = tomllib.loads("\n".join(rows))
        except tomllib.TOMLDecodeError as error:
            found.partial = True
            at = _AT.search(str(error))
            line = int(at[1]) if at else len(rows)
            if not _slip(rows, line, str(error), found):
                return None
            rows[line - 1] = ""
        except RecursionError:
            found.wrong_line(0, "nested")
            return None
        else:
            found.lines = lines_of("\n".join(rows))
            return document
    return None


def _text(path: Path, found: Found) -> str | None:
    try:
        if path.is_dir():
            found.wrong_line(0, "folder")
            return None
        if path.exists() and not path.is_file():
            found.wrong_line(0, "not_a_file")
            return None
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except FileNotFoundError:
        found.wrong_line(0, "no_file", meant=found.nearest(path.name, sorted(near.name for near in path.parent.glob("*.toml"))))
        return None
    except (OSError, ValueError) as error:
        found.wrong_line(0, "unreadable", why=getattr(error, "strerror", None) or str(error))
        return None
    if size > LARGEST:
        found.wrong_line(0, "too_large", size=size, most=LARGEST)
        return None
    return _decoded(data, found)


def _decoded(data: bytes, found: Found) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.wrong_line(0, "utf16")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found.wrong_line(data.count(b"\n", 0, error.start) + 1, "not_utf8", byte=f"0x{data[error.start]:02X}")
        return None
    text = text.replace("\r\n", "\n")
    if not text.strip():
        found.wrong_line(0, "empty")
        return None
    for line, row in enumerate(text.split("\n"), 1):
        if len(row) > LONGEST_LINE:
            found.wrong_line(line, "line_too_long", length=len(row), most=LONGEST_LINE)
            return None
    return text


def _slip(rows: list[str], line: int, message: str, found: Found) -> bool:
    """Name one slip of syntax; False where taking the line out would not help to read on."""
    row = rows[line - 1] if line <= len(rows) else ""
    detail = next((code for code, starts in _DETAILS if message.startswith(starts)), "syntax")
    shape = next((code for code, pattern in _SLIPS if pattern.search(row)), "")
    if detail != "twice" and (not row.strip() or _is_whole(row)):
        detail = "bracket_open"
    code = detail if detail in ("twice", "backslash", "bracket_open") else shape or detail
    found.wrong_line(line, f"syntax_{code}", row=found.shown(row.strip(), 60), detail=found.shown(_AT.sub("", message).strip(), 80))
    return detail != "bracket_open" and not message.endswith("(at end of document)")


def _is_whole(row: str) -> bool:
    """Whether a line is right in itself: then something above it is wrong."""
    try:
        tomllib.loads(row)
    except tomllib.TOMLDecodeError:
        return False
    return True
