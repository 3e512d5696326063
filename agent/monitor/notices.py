"""What is so at this moment and asks for no alert, gathered from the rooms that know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.notices import Notice

if TYPE_CHECKING:
    from agent.monitor.monitor import Monitor


def notices(monitor: Monitor) -> tuple[Notice, ...]:
    """In the order in which they matter; of feeds those of the program that runs."""
    watch, program = monitor.watch, monitor.context.now.text("program")
    out: list[Notice] = []
    for key, one in sorted(watch.feeds.now.items()):
        its = watch.state.baselines.get(key)
        if its is not None and (its.program == program or not program):
            out.append(
                Notice(
                    kind="feed_changed", since=one.since, program=its.program, operation=key, tool=its.tool, section=its.section,
                    value=one.ratio, n=one.n,
                )
            )  # fmt: skip
    return tuple(out)
