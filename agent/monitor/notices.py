"""What is so at this moment and asks for no alert, gathered from the rooms that know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.notices import Notice

if TYPE_CHECKING:
    from agent.monitor.monitor import Monitor


def notices(monitor: Monitor) -> tuple[Notice, ...]:
    """In the order in which they matter; of feeds those of the program that runs."""
    watch, program, known = monitor.watch, monitor.context.now.text("program"), monitor.settings.monitoring.monitor_cuts
    revision = watch.changes.revision
    out: list[Notice] = []
    for name, question in sorted(revision.state.asked.items()):
        tools = {watch.state.baselines[key].tool for key in question.keys if key in watch.state.baselines}
        out.append(
            Notice(
                kind="program_changed", since=question.since, program=name, tool=tools.pop() if len(tools) == 1 else "",
                n=len(question.keys), answer=question.answer or "asked",
            )
        )  # fmt: skip
    since = watch.changes.restart.state.since
    if since is not None:
        out.append(Notice(kind="restart", since=since, program=program))
    for key, one in sorted(watch.changes.feeds.now.items()):
        its = watch.state.baselines.get(key)
        if its is not None and (its.program == program or not program):
            out.append(
                Notice(
                    kind="feed_changed", since=one.since, program=its.program, operation=key, tool=its.tool, section=its.section,
                    value=one.ratio, n=one.n,
                )
            )  # fmt: skip
    if monitor.warming.state.since is not None:
        out.append(Notice(kind="warm_up", since=monitor.warming.state.since))
    version = revision.former(program)
    if version is not None and any(its.program == program and its.good < known for its in watch.state.baselines.values()):
        out.append(Notice(kind="program_learned", since=version.time, program=program, n=revision.number(program)))
    return tuple(out)
