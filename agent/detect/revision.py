"""A program that was changed without the control telling: asked ('programme modifié ?'), and learned by itself if nobody answers.

Two things tell it. Its parts are made of other cuts, or of the same in another order, three times alike after as many alike of the old
kind as an operation is learned from. Or several of its operations take another time, each three times alike. One such part is a missing
tool or a restart; three alike are a change that lasts. An operation that was taken out is told absent once (the next part no longer expects
it, `agent.detect.sequence`), and asked about once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent.detect.baseline import Baseline
from agent.detect.feed import HELD, LEAST, off_length
from agent.detect.over import taken_out
from agent.detect.sequence import PARTS
from agent.detect.sequence import Sequence as Order
from agent.detect.watch_state import WatchState
from agent.model import Cut, Finding, Indicator

ASKED = "program_changed"
"""Name of the indicator that asks; `value`: operations that came, went, moved or take another time."""
ALIKE = 3
"""Parts in a row, alike, after which a change lasts."""
SEVERAL = 2
"""Operations of which the lengths have to change together: one alone is its own feed."""


def alike(history: Sequence[list[str]]) -> int:
    """How many of the latest parts were made alike, cut by cut."""
    n = 0
    while n < len(history) and history[-1 - n] == history[-1]:
        n += 1
    return n


def differs(history: Sequence[list[str]], learn_cuts: int) -> list[str]:
    """Operations that differ, told in the third part alike; empty in all others. `history`: whole parts, the latest last."""
    if alike(history) != ALIKE:
        return []
    before = history[-ALIKE - learn_cuts : -ALIKE]
    if len(before) < learn_cuts or any(part != before[-1] for part in before):
        return []
    old, new = before[-1], history[-1]
    changed = [key for key in dict.fromkeys([*old, *new]) if (key in old) != (key in new)]
    return changed or [a for a, b in zip(old, new, strict=True) if a != b]


def gone(history: Sequence[list[str]], marked: Collection[str]) -> list[str]:
    """Of these operations of the program those that it has no more: all parts that are remembered were made alike, without them."""
    return [key for key in marked if key not in history[-1]] if alike(history) >= PARTS else []


def follow(lengths: dict[str, list[float]], cut: Cut, baseline: Baseline, p: float) -> None:
    """A closed cut: changes of the logarithm of the length, those alike behind one another, are kept. `p`: see `agent.detect.budget`."""
    if cut.held not in ("", HELD):
        return
    change = off_length(cut.features.duration, baseline, p)
    row = [one for one in lengths.pop(baseline.key, []) if abs(one - change) <= LEAST]
    if change != 0.0:
        lengths[baseline.key] = [*row, change][-ALIKE - 1 :]


def longer(lengths: Mapping[str, list[float]], seen: Collection[str]) -> list[str]:
    """Operations of this part that take another time since three cuts, told once; empty unless there are several."""
    moved = [key for key in seen if len(lengths.get(key, ())) >= ALIKE]
    return moved if len(moved) >= SEVERAL and any(len(lengths[key]) == ALIKE for key in moved) else []


def ended(state: WatchState, order: Order, learn_cuts: int, time: float) -> list[Finding | Indicator]:
    """A whole part has ended: what is asked, and that nothing is missing of what was taken out."""
    # What was told to be absent may stand in its place, after a mark: it did not come.
    history = [[key for key in part if not key.startswith("-")] for part in order.parts[order.program]]
    asked = differs(history, learn_cuts) or longer(state.lengths, order.seen)
    out: list[Finding | Indicator] = [question(asked, time)] if asked else []
    away = gone(history, [key for key in state.bad if state.baselines[key].program == order.program])
    state.bad = [key for key in state.bad if key not in away]
    return [*out, *(taken_out(state.baselines[key], time) for key in away)]


def forget(state: WatchState, key: str) -> None:
    """Of an operation that is not remembered any more."""
    state.feeds.pop(key, None)
    state.lengths.pop(key, None)


def question(keys: Sequence[str], time: float) -> Indicator:
    """'Programme modifié ?'"""
    return Indicator(time=time, channel="", operation=keys[0], tool="", name=ASKED, value=float(len(keys)))
