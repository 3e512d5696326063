"""Who is told what, and when; on a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from agent.display.health import ChannelHealth, Health
from agent.display.hub import BEAT, MOST_VIEWERS, PERIOD, Hub, Viewer
from agent.display.said import Speaker
from agent.paths import DataPaths
from agent.texts import LANGUAGES, Texts
from tests.support import aio, snapshots
from tests.support.held_clock import HeldClock

Events = list[tuple[str, Any]]
Test = Callable[[Hub, HeldClock], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def speakers() -> dict[str, Speaker]:
    paths = DataPaths.find(None)
    return {language: Speaker(Texts.load(paths, language), snapshots.settings()) for language in LANGUAGES}


def play(speakers: dict[str, Speaker], test: Test) -> None:
    async def main() -> None:
        clock = HeldClock()
        hub = Hub(clock, speakers, "build-1")
        running = asyncio.create_task(hub.run())
        await asyncio.sleep(0)
        await test(hub, clock)
        hub.close()
        await clock.advance(PERIOD)
        await running

    aio.run(main())


def joined(hub: Hub, language: str = "fr") -> Viewer:
    viewer = hub.join(language)
    assert viewer is not None
    return viewer


async def told(viewer: Viewer) -> Events:
    async with asyncio.timeout(5.0):
        raw = await viewer.next()
    events = []
    for text in raw.decode().split("\n\n")[:-1]:
        name, _, data = text.partition("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


class Listener:
    """A viewer that reads at once."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.batches: list[Events] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            self.batches.append(await told(self._viewer))

    async def end(self) -> list[Events]:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.batches


def names(events: Events) -> list[str]:
    return [name for name, _ in events]


def programs(batches: list[Events]) -> list[int]:
    return [int(content["snapshot"]["context"]["program"]) for batch in batches for name, content in batch if name == "state"]


def test_a_newcomer_hears_a_beat_before_there_is_anything_to_show(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        assert await told(joined(hub)) == [("beat", {"now": clock.wall(), "age": None})]

    play(speakers, test)


def test_words_come_before_the_state_they_belong_to(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        hub.show(snapshots.worn(clock.wall()), Health(channels=(ChannelHealth(name="load", source="drive"),)))
        await clock.advance(1.05)
        events = await told(joined(hub))
        assert names(events) == ["beat", "said", "history", "health", "state"]
        content = dict(events)
        assert content["state"]["build"] == "build-1"
        assert content["state"]["snapshot"]["alerts"][0]["id"] == "a1"
        assert content["said"]["alerts"]["a1"]["title"] == "Usure outil T4"
        assert content["history"][0]["said"]["title"] == "Usure outil T4"
        assert content["state"]["snapshot"]["explanations"] == []
        known = hub.explained("a1")
        assert known is not None
        assert known[1].against == "new_tool"

    play(speakers, test)


def test_every_viewer_is_told_in_its_own_language(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        hub.show(snapshots.worn(clock.wall()), None)
        await clock.advance(PERIOD)
        french, english = dict(await told(joined(hub, "fr")))["said"], dict(await told(joined(hub, "en")))["said"]
        assert french["coverage"]["word"] == "SURVEILLÉ"
        assert english["coverage"]["word"] == "MONITORING"
        assert french["alerts"]["a1"]["title"] != english["alerts"]["a1"]["title"]

    play(speakers, test)


def test_ten_states_a_second_at_most_in_their_order(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        listener = Listener(joined(hub))
        for step in range(100):
            hub.show(snapshots.snapshot(clock.wall(), program=str(step)), None)
            await clock.advance(0.01)
        heard = programs(await listener.end())
        assert 9 <= len(heard) <= 11
        assert heard == sorted(heard)
        assert heard[-1] >= 98

    play(speakers, test)


def test_a_slow_viewer_gets_the_latest_and_nothing_queues_up(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        slow = joined(hub)
        await told(slow)
        for step in range(50):
            hub.show(snapshots.snapshot(clock.wall(), program=str(step)), None)
            await clock.advance(PERIOD)
        assert programs([await told(slow)]) == [49]
        listener = Listener(slow)
        await asyncio.sleep(0)
        assert await listener.end() == []

    play(speakers, test)


def test_a_state_of_ten_seconds_ago_is_not_passed_off_as_new(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        hub.show(snapshots.monitoring(clock.wall()), None)
        await clock.advance(PERIOD)
        await told(joined(hub))
        await clock.advance(10.0)
        events = await told(joined(hub))
        assert events[0] == ("beat", {"now": clock.wall(), "age": pytest.approx(10.1)})
        assert "now" not in dict(events)["state"]

    play(speakers, test)


def test_silence_is_filled_with_beats(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        hub.show(snapshots.monitoring(clock.wall()), None)
        await clock.advance(PERIOD)
        viewer = joined(hub)
        await told(viewer)
        listener = Listener(viewer)
        await clock.advance(5.0)
        batches = await listener.end()
        assert len(batches) == int(5.0 / (BEAT * PERIOD))
        assert all(names(batch) == ["beat"] for batch in batches)
        assert BEAT * PERIOD <= 0.5

    play(speakers, test)


def test_words_are_sent_again_only_when_they_change(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        listener = Listener(joined(hub))
        for _ in range(10):
            hub.show(snapshots.monitoring(clock.wall()), None)
            await clock.advance(PERIOD)
        hub.show(snapshots.held(clock.wall()), None)
        await clock.advance(PERIOD)
        sent = [content["coverage"]["word"] for batch in await listener.end() for name, content in batch if name == "said"]
        assert sent == ["SURVEILLÉ", "SUSPENDU"]

    play(speakers, test)


def test_words_and_state_are_of_one_snapshot(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        viewer = joined(hub)
        hub.show(snapshots.monitoring(clock.wall()), None)
        await clock.advance(PERIOD)
        hub.show(snapshots.worn(clock.wall()), None)
        content = dict(await told(viewer))
        assert content["state"]["snapshot"]["alerts"] == []
        assert content["said"]["alerts"] == {}
        await clock.advance(PERIOD)
        content = dict(await told(viewer))
        assert content["said"]["alerts"].keys() == {"a1"}
        assert len(content["state"]["snapshot"]["alerts"]) == 1

    play(speakers, test)


def test_the_installation_is_told_once_a_second(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        listener = Listener(joined(hub))
        for step in range(50):
            hub.show(snapshots.monitoring(clock.wall()), Health(channels=(ChannelHealth(name="load", source="drive", value=float(step)),)))
            await clock.advance(PERIOD)
        sent = [batch for batch in await listener.end() if "health" in names(batch)]
        assert len(sent) == 5

    play(speakers, test)


def test_a_cleared_alert_stays_in_the_history(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        viewer = joined(hub)
        before = snapshots.worn(clock.wall())
        hub.show(before, None)
        await clock.advance(PERIOD)
        await told(viewer)
        hub.note(msgspec.structs.replace(before.alerts[0], state="cleared", false_alarm=True))
        hub.show(snapshots.monitoring(clock.wall()), None)
        await clock.advance(PERIOD)
        [episode] = dict(await told(viewer))["history"]
        assert episode["alert"]["state"] == "cleared"
        assert episode["alert"]["false_alarm"] is True
        assert episode["ended"] == before.alerts[0].updated

    play(speakers, test)


def test_there_are_never_more_viewers_than_may_be(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        viewers = [joined(hub) for _ in range(MOST_VIEWERS)]
        assert hub.join("fr") is None
        viewers[3].leave()
        assert hub.join("en") is not None
        assert hub.viewers == MOST_VIEWERS

    play(speakers, test)


def test_closing_ends_every_stream(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        viewer = joined(hub)
        await told(viewer)
        hub.close()
        assert await viewer.next() == b""
        assert hub.join("fr") is None

    play(speakers, test)


def test_curves_travel_with_four_digits_and_holes(speakers: dict[str, Speaker]) -> None:
    async def test(hub: Hub, clock: HeldClock) -> None:
        view = msgspec.structs.replace(snapshots.cut(clock.wall()), curve=(1.23456789, float("nan"), 123456.0))
        hub.show(snapshots.snapshot(clock.wall(), spindles=[snapshots.spindle(clock.wall(), view=view)]), None)
        await clock.advance(PERIOD)
        state = dict(await told(joined(hub)))["state"]
        assert state["snapshot"]["spindles"][0]["cut"]["curve"] == [1.235, None, 123500.0]

    play(speakers, test)
