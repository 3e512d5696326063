"""A change that is due by what earlier tools lasted: said once, taken back when somebody looked, and not where a detector has spoken."""

from __future__ import annotations

import msgspec
import pytest

from agent.commands import StillGood, ToolChanged
from agent.detect.clock import Clock
from agent.model import Cut, CutFeatures, Finding, Indicator, Operation
from agent.monitor.lives import ToolLives
from tests.support.lathe import settings


def cut(time: float) -> Cut:
    features = CutFeatures(samples=40, duration=2.0, mean=30.0, peak=40.0, idle=5.0, work=50.0, largest_rise=0.0, largest_fall=0.0)
    operation = Operation(spindle="S1", program="1", revision=1, tool="4", section="")
    return Cut(id="c", phase="closed", operation=operation, part=0, opened=time - 2.0, time=time, features=features)


class Shop:
    """Makes parts with tool 4."""

    def __init__(self) -> None:
        self.lives = ToolLives(settings())
        self.time = 0.0

    def make(self, parts: int, worn: tuple[str, ...] = ()) -> list[Finding]:
        told = []
        for part in range(parts):
            self.time += 10.0
            self.lives.on_cut(cut(self.time))
            told += self.lives.on_part(worn, part)
        return told

    def change(self, reason: str) -> None:
        reply, _ = self.lives.obey(ToolChanged(tool="4", reason=reason), self.time)  # type: ignore[arg-type]
        assert reply == ""

    @property
    def clock(self) -> Clock:
        clock = self.lives.clock("4", "S1")
        assert clock is not None
        return clock


@pytest.fixture
def shop() -> Shop:
    """Three tools have lasted 100, 120 and 110 parts, and a new one stands there."""
    shop = Shop()
    shop.make(1)
    shop.change("")
    for parts in (100, 120, 110):
        shop.make(parts)
        shop.change("worn")
    return shop


def test_it_is_said_once_before_most_were_worn(shop: Shop) -> None:
    told = shop.make(200)
    assert [finding.finished for finding in told] == [False]
    (finding,) = told
    assert (finding.kind, finding.severity, finding.tool, finding.spindle) == ("wear", "advice", "4", "S1")
    assert finding.time < shop.time
    assert finding.evidence["lives"] == 3
    assert 60 < finding.evidence["parts"] < 100  # type: ignore[operator]
    assert 0.2 <= finding.score < 0.25


def test_who_says_still_good_is_not_told_again_until_that_is_long_ago(shop: Shop) -> None:
    (first,) = shop.make(100)
    shop.lives.obey(StillGood(tool="4"), shop.time)
    told = shop.make(60)
    assert [finding.finished for finding in told] == [True, False]
    assert (told[0].tool, told[0].spindle, told[0].kind) == (first.tool, first.spindle, first.kind)
    assert told[1].evidence["parts"] > first.evidence["parts"]  # type: ignore[operator]


def test_a_change_begins_again_and_a_worn_tool_is_not_called_due_as_well(shop: Shop) -> None:
    assert len(shop.make(100)) == 1
    shop.change("worn")
    assert not shop.make(60)
    assert not shop.make(60, worn=("4",)), "a detector has spoken"
    assert len(shop.make(1)) == 1, "its word was taken back"


def test_a_tool_that_stood_there_when_broche_came_is_never_due() -> None:
    shop = Shop()
    assert not shop.make(500)
    shop.change("worn")
    assert not shop.make(500), "and its life is no life"


def test_it_goes_on_over_a_restart(shop: Shop) -> None:
    shop.make(50)
    kept = msgspec.json.encode(shop.lives.saved())
    expected = shop.make(60)
    again = Shop()
    again.time = shop.time - 600.0
    again.lives.restore(msgspec.json.decode(kept, type=dict[str, Clock]))
    assert again.make(60) == expected
    assert len(expected) == 1


def test_ratios_of_its_cuts_are_kept_by_signal(shop: Shop) -> None:
    shop.lives.on_cut(cut(shop.time))
    said = Indicator(time=shop.time, channel="z", operation="S1/1/r1/T4/-", tool="4", name="axis_load_ratio", value=1.5)
    shop.lives.hear([said], cut(shop.time))
    assert set(shop.clock.now()) == {"z"}
