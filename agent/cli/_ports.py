"""Who has a serial port, for the person who wants it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say

_RUNS = re.compile(r"\b(?:agent|broche)\S* run (\S+)")


def taken(port: str, say: Say) -> str:
    """What is wrong and what helps, if another program has `port`; '' if it is free."""
    from drivers.holders import holders

    found = holders(port)
    if not found:
        return ""
    holder = found[0]
    ours = _RUNS.search(holder.command)
    who = say("ports.who", command=holder.command, pid=str(holder.pid)) if holder.command else say("ports.nobody", pid=str(holder.pid))
    remedy = say("ports.stop_run") if ours else say("ports.stop_other", pid=str(holder.pid))
    return f"{say('ports.taken', port=port, who=who)} {remedy}"
