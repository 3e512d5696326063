"""A notice in words: what is so, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from agent.notices import Notice

if TYPE_CHECKING:
    from agent.texts import NamedTool, Texts


class NoticeText(msgspec.Struct, frozen=True, kw_only=True):
    """`title`: three or four words; `text`: what is so, and what follows from it."""

    title: str
    text: str


def notice_text(texts: Texts, notice: Notice, tools: Sequence[NamedTool]) -> NoticeText:
    """Make the sentences of one notice. `tools`: [[tool]] of the machine file, for their names."""
    key = f"notice.{notice.kind}" + (f".{notice.answer}" if notice.answer else "")
    values = {
        "tool": texts.tool(notice.tool, tools) or None,
        "section": notice.section or None,
        "program": notice.program or None,
        "feed": texts.measured(round(100.0 * notice.value), "%") if notice.value is not None else None,
        "n": notice.n,
    }
    return NoticeText(title=texts.say(f"{key}.title", **values), text=texts.say(f"{key}.text", **values))
