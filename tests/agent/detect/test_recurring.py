"""Cuts that nobody names, known by shape and place; where they do not come as they should, nothing is guessed."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from agent.detect.recurring import FEWEST, SHAPES, Recurring
from agent.maintenance import plan
from agent.model import Alert, Cut, CutFeatures, Operation
from agent.monitor import Monitor
from agent.paths import DataPaths
from tests.support.lathe import CUTS, PART, START, Faults, rows, settings

PLAN = plan(DataPaths.find(None))
NAMELESS = settings(tool=False, part=False, cycle=False)


def cut(opened: float, shape: int, *, length: float = 1.0, height: float = 1.0, phase: str = "closed", held: str = "") -> Cut:
    """One of a few shapes, 2 to 6 s long."""
    seconds = (2.0 + shape) * length
    x = np.linspace(0.0, 1.0, 60)
    curve = 5.0 + height * (20.0 + 10.0 * shape) * (1.0 + 0.3 * np.sin((shape + 1) * 3.0 * x))
    work = float((curve - 5.0).mean() * seconds)
    features = CutFeatures(samples=60, duration=seconds, mean=20.0, peak=30.0, idle=5.0, work=work, largest_rise=1.0, largest_fall=1.0)
    operation = Operation(spindle="S1", program="", revision=1, tool="", section="")
    return Cut(
        id="x", phase="closed" if phase == "closed" else "opened", operation=operation, part=-1, opened=opened, time=opened + seconds,
        features=features, held=held, curve=tuple(curve.tolist()), grid=seconds / 60,
    )  # fmt: skip


def run(names: Recurring, order: list[int], start: float = 0.0, pause: float = 9.0) -> tuple[float, list[tuple[int, str, str]]]:
    """Cuts of these shapes, 3 s apart, and a pause at the end: (shape, name, held) each."""
    out = []
    for shape in order:
        name = names.opened(cut(start, shape))
        done = names.closed(cut(start, shape))
        out.append((shape, name, done.held))
        start = done.time + 3.0
    return start + pause, out


def taught(order: list[int], parts: int = 4) -> tuple[Recurring, float]:
    names, now = Recurring(), 0.0
    for _ in range(parts):
        now, _ = run(names, order, now)
    return names, now


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 0, 2], [0, 0, 0, 1], [3, 2, 1, 0, 1]])
def test_an_order_that_comes_three_times_has_names_by_place(order: list[int]) -> None:
    names, now = taught(order)
    assert names.known
    _, out = run(names, order, now)
    assert [name for _, name, _ in out] == [f"~{k + 1}" for k in range(len(order))]
    assert {held for *_, held in out} == {""}


def test_nothing_is_named_before() -> None:
    names, now = Recurring(), 0.0
    for _ in range(3):
        now, out = run(names, [0, 1, 2], now)
        assert {name for _, name, _ in out} == {""}


def test_a_random_order_has_no_names() -> None:
    names, now, draw = Recurring(), 0.0, random.Random(3)
    said: Counter[str] = Counter()
    for _ in range(100):
        now, out = run(names, [draw.randrange(4) for _ in range(3)], now)
        said.update(name for _, name, _ in out)
    assert said[""] >= 0.95 * sum(said.values())


def test_a_cut_in_the_place_of_another_is_held_and_the_order_lost() -> None:
    names, now = taught([0, 1, 2])
    _, out = run(names, [0, 2, 1], now)
    assert [held for *_, held in out] == ["", "order", ""]
    assert not names.known
    assert names.doubt


def test_an_order_that_did_not_hold_must_show_itself_for_longer() -> None:
    names, now = taught([0, 1, 2])
    now, _ = run(names, [0, 2, 1], now)
    parts = 0
    while not names.known:
        now, _ = run(names, [0, 1, 2], now)
        parts += 1
    assert parts == 6
    assert names.state.orders[0].lost == 1


def test_a_cut_that_is_missing_is_passed_over_by_its_time() -> None:
    names, now = taught([0, 1, 2, 3])
    assert names.opened(cut(now, 0)) == "~1"
    now = names.closed(cut(now, 0)).time + 3.0 + 3.0 + 3.0
    assert names.opened(cut(now, 2)) == "~3"


def test_a_broken_cut_keeps_its_name_and_two_lose_the_order() -> None:
    names, now = taught([0, 1, 2])
    assert names.opened(cut(now, 0)) == "~1"
    assert names.closed(cut(now, 0, length=0.5)).held == ""
    assert names.known
    assert names.opened(cut(now + 5.0, 1)) == "~2"
    names.closed(cut(now + 5.0, 1, length=0.4))
    assert not names.known


def test_a_worn_tool_is_the_same_cut() -> None:
    names, now = taught([0, 1, 2])
    for k in range(12):
        for shape in (0, 1, 2):
            height = 1.0 + 0.03 * k if shape == 1 else 1.0
            assert names.opened(cut(now, shape)) == f"~{shape + 1}"
            now = names.closed(cut(now, shape, height=height)).time + 3.0
        now += 9.0
    assert names.known


def test_what_is_remembered_is_bounded_and_survives_a_restart() -> None:
    names, now = taught([0, 1, 2])
    again = Recurring()
    again.restore(names.state)
    for _ in range(4):
        now, out = run(again, [0, 1, 2], now)
    assert [name for _, name, _ in out] == ["~1", "~2", "~3"]
    assert len(again.state.orders) == 1
    other = Recurring()
    for i in range(3 * SHAPES):
        other.closed(cut(100.0 * i, 0, length=1.2**i if i % 2 else 0.8**i))
    assert len(other.state.shapes) <= SHAPES
    again.restore(names.state, anew=("S1",))
    assert not again.state.shapes
    assert not again.state.orders


def test_the_same_cut_over_and_over_needs_more_of_them() -> None:
    names, now = Recurring(), 0.0
    for i in range(FEWEST):
        assert not names.known, i
        now, _ = run(names, [0], now)
    assert names.known


def replayed(faults: Faults, parts: int) -> tuple[list[Cut], list[Alert]]:
    monitor = Monitor(NAMELESS, PLAN)
    events = [*monitor.feed(rows(parts, faults)), *monitor.finish()]
    cuts = [event for event in events if isinstance(event, Cut) and event.phase == "closed"]
    return cuts, [event for event in events if isinstance(event, Alert) and event.transition == "raised"]


def truth(found: Cut) -> int:
    """Tool of the hand-made lathe that made this cut."""
    inside = (found.opened - START) % PART
    return min(CUTS, key=lambda tool: abs(CUTS[tool][0] - inside))


def test_a_lathe_that_tells_nothing_is_known_by_its_cuts() -> None:
    cuts, alerts = replayed(Faults(), 30)
    named = [c for c in cuts if c.operation.tool]
    assert len(named) >= 0.8 * len(cuts)
    made = {name: Counter(truth(c) for c in named if c.operation.tool == name) for name in {c.operation.tool for c in named}}
    assert len(made) == len(CUTS)
    assert all(len(tools) == 1 for tools in made.values())
    assert alerts == []


def test_its_broken_and_its_missing_tool_are_told_under_that_name() -> None:
    cuts, alerts = replayed(Faults(broken={4: (24, 0.4, 25)}), 32)
    names = {truth(c): c.operation.tool for c in cuts if c.operation.tool}
    assert [(a.kind, a.tool) for a in alerts][:1] == [("breakage", names[4])]
    cuts, alerts = replayed(Faults(missing={2: range(24, 25)}), 32)
    names = {truth(c): c.operation.tool for c in cuts if c.operation.tool}
    assert [(a.kind, a.tool) for a in alerts] == [("missing", names[2])]
