"""Names of cuts by their place in the part."""

from __future__ import annotations

import msgspec
import numpy as np

from agent.segment.frame import Frame
from agent.segment.places import FOLD, MISSED, Places, PlacesState

STEP = 0.02


class Lathe:
    """Calls tools for so many seconds, with cuts in them; the spindle turns at 2,000 rpm."""

    def __init__(self, places: Places | None = None, step: float = STEP) -> None:
        self.places = places or Places(30.0)
        self.now = 100.0
        self.part = 0
        self._step = step

    def visit(self, tool: str, seconds: float, cuts: list[tuple[float, float]], *, stop: float = 0.0, speed: float = 2000.0) -> list[str]:
        """Cuts as (s after the call, s long); `stop`: s for which the spindle stands first. Returns their names."""
        began = self.now
        self._rows(tool, stop, 0.0)
        names = []
        for first, length in cuts:
            self._rows(tool, began + stop + first - self.now, speed)
            at = self.now
            names.append(self.places.opened(at, self._step))
            self._rows(tool, length, speed)
            self.places.closed(length)
        self._rows(tool, began + stop + seconds - self.now, speed)
        return names

    def _rows(self, tool: str, seconds: float, speed: float) -> None:
        n = max(round(seconds / self._step), 0)
        time = self.now + self._step * np.arange(1, n + 1)
        if n:
            self.now = float(time[-1])
        load = np.zeros(n)
        self.places.follow(Frame(time, load, np.full(n, speed), np.ones(n, bool), 1, "1", tool, "", self.part, ""))

    def next_part(self) -> None:
        self.part += 1


CUTS = [(2.0, 1.5), (4.5, 1.0), (6.0, 2.0)]


def taught(parts: int = 3) -> Lathe:
    lathe = Lathe()
    for _ in range(parts):
        assert lathe.visit("9", 2.0, []) == []
        assert lathe.visit("4", 10.0, CUTS) == ["1", "2", "3"]
        lathe.next_part()
    return lathe


def test_one_that_does_not_come_renames_none_after_it() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    assert lathe.visit("4", 10.0, [CUTS[0], CUTS[2]]) == ["1", "3"]


def test_one_that_comes_in_between_gets_a_number_of_its_own_and_keeps_it() -> None:
    lathe = taught()
    for _ in range(2):
        lathe.visit("9", 2.0, [])
        assert lathe.visit("4", 10.0, [(0.5, 0.3), *CUTS]) == ["4", "1", "2", "3"]
        lathe.next_part()


def test_a_stop_of_the_spindle_moves_nothing() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    assert lathe.visit("4", 10.0, [CUTS[0], CUTS[2]], stop=300.0) == ["1", "3"]


def test_a_program_run_slower_is_followed() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    slower = [(1.2 * at, 1.2 * length) for at, length in CUTS]
    assert lathe.visit("4", 12.0, slower) == ["1", "2", "3"]


def test_the_second_call_in_a_part_has_places_of_its_own() -> None:
    lathe = Lathe()
    for _ in range(3):
        assert lathe.visit("9", 2.0, []) == []
        assert lathe.visit("4", 10.0, CUTS) == ["1", "2", "3"]
        lathe.visit("9", 2.0, [])
        assert lathe.visit("4", 4.0, [(2.0, 1.0)]) == ["4"]
        lathe.next_part()


def test_what_one_cut_ran_through_is_named() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    lathe.visit("4", 2.0, [])
    assert lathe.places.opened(lathe.now, STEP) == "1"
    assert lathe.places.closed(6.0) == ("2", "3")


def test_an_opening_that_was_no_cut_is_forgotten() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    lathe.visit("4", 0.5, [])
    assert lathe.places.opened(lathe.now, STEP) == "4"
    lathe.places.undone()
    assert [place.name for place in lathe.places.state.known["1|4"]] == ["1", "2", "3"]


def test_a_place_without_a_cut_is_given_up() -> None:
    lathe = taught()
    for _ in range(MISSED + 1):
        lathe.visit("9", 2.0, [])
        lathe.visit("4", 10.0, CUTS[:2])
        lathe.next_part()
    lathe.visit("9", 2.0, [])
    assert [place.name for place in lathe.places.state.known["1|4"]] == ["1", "2"]


def test_after_a_restart_the_visit_that_runs_goes_on_in_order_and_the_next_by_place() -> None:
    lathe = taught()
    lathe.visit("9", 2.0, [])
    assert lathe.visit("4", 4.0, CUTS[:1]) == ["1"]
    again = Places(30.0)
    again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(lathe.places.saved()), type=PlacesState))
    lathe.places = again
    # 0.5 s later the cut that comes second: nobody saw when the tool was called.
    assert lathe.visit("4", 6.0, [(0.5, 1.0), (2.0, 2.0)]) == ["2", "3"]
    lathe.next_part()
    lathe.visit("9", 2.0, [])
    assert lathe.visit("4", 10.0, [CUTS[2]]) == ["3"]


def test_started_in_the_middle_it_counts_until_the_next_call() -> None:
    lathe = Lathe()
    assert lathe.visit("4", 5.0, [(1.0, 1.0), (3.0, 1.0)]) == ["1", "2"]
    assert not lathe.places.state.known["1|4"]
    lathe.visit("9", 2.0, [])
    assert lathe.visit("4", 10.0, CUTS) == ["1", "2", "3"]


def test_a_visit_that_lasts_for_hours_is_not_kept_row_by_row() -> None:
    lathe = Lathe()
    lathe.visit("9", 2.0, [])
    for minute in range(10):
        assert lathe.visit("4", 60.0, [(30.0, 5.0)]) == [str(minute + 1)]
    assert lathe.places._rows < FOLD + 60.0 / STEP
