"""What is so at this moment and asks for no alert: a feed that was changed, a program that may have been, a restart, a warm-up.

Nouns like those of `agent.model`, in a room of their own: keys and numbers, text is made of them at the outlets (`agent.texts.notices`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

NoticeKind = Literal["feed_changed", "program_changed", "program_learned", "restart", "warm_up"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. It is there as long as it holds, and gone when it does not."""

    kind: NoticeKind
    since: float
    """s, axis of the readings"""
    program: str = ""
    operation: str = ""
    """Key of the operation that it is about; '' where it is about several or none"""
    tool: str = ""
    section: str = ""
    value: float | None = None
    """feed_changed: feed against the usual one, 1 = as usual"""
    n: int = 0
    """feed_changed: cuts so far; program_changed: operations that differ; program_learned: the revision that is learned"""
    answer: Literal["", "asked", "no"] = ""
    """program_changed: a question that waits for its answer, or that was answered with no"""
