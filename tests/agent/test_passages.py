"""Passages a turn: by geometry, by the maker's factors, and that both agree."""

from __future__ import annotations

import pytest

from agent.passages import orders, passages_of
from agent.settings import BearingOptions


def test_a_6205_as_in_the_textbook() -> None:
    assert passages_of(BearingOptions(n=9, d=7.94, D=39.04)) == pytest.approx((3.5848, 5.4152, 4.7135), abs=2e-3)


def test_the_maker_s_factors_go_before_the_geometry_and_a_ball_strikes_twice_a_turn() -> None:
    bearing = BearingOptions(n=99, d=1.0, D=2.0, bpfo=3.585, bpfi=5.415, bsf=2.357, ftf=0.398)
    assert passages_of(bearing) == pytest.approx((3.585, 5.415, 4.714))


def test_without_the_ball_s_own_turns_they_follow_from_the_races() -> None:
    assert passages_of(BearingOptions(bpfo=3.5848, bpfi=5.4152)) == pytest.approx(orders(9, 7.94, 39.04), abs=2e-3)


@pytest.mark.parametrize("bearing", [BearingOptions(), BearingOptions(n=9, d=7.94), BearingOptions(bpfo=5.4, bpfi=3.6)])
def test_half_a_bearing_is_none(bearing: BearingOptions) -> None:
    with pytest.raises(ValueError, match="bearing"):
        passages_of(bearing)
