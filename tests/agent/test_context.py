"""What the control says: gates, operations, reasons to hold, parts, and a machine that is switched off."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from agent.context import Context
from agent.maintenance import plan
from agent.model import Alert, Coverage, Word
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.segment import Frame
from agent.settings import ChannelOptions, MachineOptions, MachineSettings, Role
from agent.texts import LANGUAGES, Texts
from agent.timeline import Rows, Timeline
from drivers.model import Readings, Words, lost_row

NONE = math.nan


def machine(*roles: Role, hold: float = 10.0) -> MachineSettings:
    """A machine with a load and these channels, named for their roles."""
    channels = [ChannelOptions(name="load", role="spindle.load", hold=hold)]
    channels += [ChannelOptions(name=role, role=role, hold=hold) for role in roles]
    return MachineSettings(machine=MachineOptions(name="essai"), channel=tuple(channels))


def frames(settings: MachineSettings, **columns: list[float | str]) -> tuple[Context, list[Frame]]:
    """Frames of the only spindle over rows 0.1 s apart."""
    timeline = Timeline(settings.channel, 0.0, [10.0] * len(settings.channel))
    names = ("load", *columns)
    n = len(next(iter(columns.values())))
    words = Words()
    values = np.array([[5.0] * n, *([words.code(v) if isinstance(v, str) else v for v in column] for column in columns.values())]).T
    timeline.push(Readings("x", names, 0.1 * np.arange(n), values, np.zeros(values.shape, np.uint8), words.seen()))
    context = Context(settings, timeline)
    out = []
    for rows in timeline.release(None, all_of_it=True):
        assert isinstance(rows, Rows)
        out += [frame for group in context.frames(rows) for _, frame in group]
    return context, out


def test_a_frame_for_each_stretch_in_which_nothing_changes() -> None:
    _, out = frames(machine("tool", "program"), tool=[1, 1, 2, 2, 2], program=["O1", "O1", "O1", "O1", "O2"])
    assert [(len(f.time), f.tool, f.program) for f in out] == [(2, "1", "O1"), (2, "2", "O1"), (1, "2", "O2")]


@pytest.mark.parametrize(
    ("columns", "gates"),
    [
        ({"tool": [1, 1, 1]}, [1]),
        ({"cycle": [0, 1, 0]}, [0, 1, 0]),
        ({"section": [0, 1, 2]}, [0, 2, 2]),
        ({"section": [NONE, 1, NONE]}, [0, 2, 0]),
        ({"section": [1, 1, 1], "cycle": [1, 0, 1]}, [2, 0, 2]),
    ],
)
def test_when_a_cut_may_be(columns: dict[str, list[float]], gates: list[int]) -> None:
    _, out = frames(machine(*columns), **columns)  # type: ignore[arg-type]
    assert [frame.gate for frame in out] == gates


@pytest.mark.parametrize(
    ("role", "value", "reason"),
    [
        ("feed_override", 100.0, ""),
        ("feed_override", 100.4, ""),
        ("feed_override", 60.0, "feed_override"),
        ("speed_override", 110.0, "speed_override"),
        ("feed_hold", 1.0, "feed_hold"),
        ("feed_hold", 0.0, ""),
        ("single_block", 1.0, "single_block"),
        ("single_block", "ON", "single_block"),
        ("single_block", 0.0, ""),
        ("single_block", "OFF", ""),
        ("dry_run", 1.0, "dry_run"),
        ("dry_run", 0.0, ""),
        ("mode", "AUTOMATIC", ""),
        ("mode", "automatic", ""),
        ("mode", "MANUAL_DATA_INPUT", "mode"),
        ("mode", 3.0, ""),
        ("execution", "ACTIVE", ""),
        ("execution", "FEED_HOLD", "feed_hold"),
        ("execution", "INTERRUPTED", "part_interrupted"),
    ],
)
def test_why_a_cut_may_not_be_judged(role: Role, value: float | str, reason: str) -> None:
    context, out = frames(machine(role), **{role: [value, value]})
    assert [frame.held for frame in out] == [reason]
    assert context.held == reason


def test_a_cut_in_which_single_block_was_switched_on_is_held_and_the_rest_of_it_says_why() -> None:
    _, out = frames(machine("single_block", "tool"), single_block=[0, 1, 1, 0], tool=[4, 4, 4, 4])
    assert [(len(frame.time), frame.held) for frame in out] == [(1, ""), (2, "single_block"), (1, "")]
    texts = {language: Texts.load(DataPaths.find(None), language) for language in LANGUAGES}
    hold = Coverage(time=0.0, scope="machine", word=Word.HOLD, reason="single_block")
    assert {language: " – ".join(filter(None, catalogue.coverage(hold))) for language, catalogue in texts.items()} == {
        "fr": "SUSPENDU – Le programme avance bloc à bloc.",
        "en": "HOLD – The program runs block by block.",
    }


def test_parts_by_a_counter_by_the_cycle_or_not_at_all() -> None:
    _, out = frames(machine("part"), part=[7, 7, 8])
    assert [frame.part for frame in out] == [7, 8]
    _, out = frames(machine("cycle"), cycle=[1, 0, 1, 0, 1])
    assert [frame.part for frame in out if frame.gate] == [0, 1, 2]
    _, out = frames(machine("tool"), tool=[1, 2])
    assert {frame.part for frame in out} == {-1}


def test_a_context_that_is_lost_ends_no_cut_and_judges_none() -> None:
    settings = machine("tool")
    timeline = Timeline(settings.channel, 0.0, [10.0, 10.0])
    timeline.push(Readings("x", ("load", "tool"), np.array([0.0]), np.array([[5.0, 3.0]]), np.zeros((1, 2), np.uint8)))
    timeline.push(lost_row("x", ("tool",), 0.1))
    context = Context(settings, timeline)
    (rows,) = timeline.release(None, all_of_it=True)
    assert isinstance(rows, Rows)
    out = [frame for group in context.frames(rows) for _, frame in group]
    assert [(frame.tool, frame.held) for frame in out] == [("3", "")]
    assert (context.lost, context.held) == (True, "lost"), "what was said last stands, but nothing is judged by it"


def test_a_machine_that_is_switched_off_is_off_and_asks_for_nothing() -> None:
    monitor = Monitor(machine("power_on", hold=1.0), plan(DataPaths.find(None)))
    n = 100
    values = np.column_stack([np.full(n, 5.0), np.where(np.arange(n) < 60, 1.0, 0.0)])
    events = monitor.feed(Readings("x", ("load", "power_on"), 1.7e9 + 0.1 * np.arange(n), values, np.zeros(values.shape, np.uint8)))
    events += monitor.feed(lost_row("x", ("load", "power_on"), 1.7e9 + 10.0))
    for second in range(11, 60):
        events += monitor.tick(1.7e9 + second)
    assert [event for event in events if isinstance(event, Alert)] == []
    words = [event.word for event in events if isinstance(event, Coverage)]
    assert words[-1] is Word.OFF
    assert Word.LOST not in words
    back = monitor.feed(Readings("x", ("load", "power_on"), np.array([1.7e9 + 61.0]), np.array([[5.0, 1.0]]), np.zeros((1, 2), np.uint8)))
    back += monitor.tick(1.7e9 + 62.0)
    assert monitor.coverage is not None
    assert monitor.coverage.word is not Word.OFF


def test_a_register_that_said_off_and_is_gone_does_not_hide_a_spindle_that_is_read() -> None:
    """The module that says 'off' dies; the machine is switched on, cuts, and loses its load: first watched, then LOST, and told."""
    monitor = Monitor(machine("power_on", hold=1.0), plan(DataPaths.find(None)))
    begun = 1.7e9

    def load(start: float, seconds: float) -> Readings:
        time = begun + start + 0.1 * np.arange(round(10 * seconds))
        return Readings("drive", ("load",), time, np.full((len(time), 1), 5.0), np.zeros((len(time), 1), np.uint8))

    events = monitor.feed(Readings("io", ("power_on",), np.array([begun]), np.zeros((1, 1)), np.zeros((1, 1), np.uint8)))
    events += monitor.feed(load(0.0, 1.0))
    assert monitor.off
    events += monitor.feed(lost_row("io", ("power_on",), begun + 1.0))
    events += monitor.feed(load(1.0, 1.0))
    assert monitor.off, "both may hang on one switch"
    events += monitor.feed(load(2.0, 8.0))
    assert not monitor.off
    events += monitor.feed(lost_row("drive", ("load",), begun + 10.0))
    for second in range(11, 30):
        events += monitor.tick(begun + second)
    assert monitor.coverage is not None
    assert monitor.coverage.word is Word.LOST
    assert {event.channel for event in events if isinstance(event, Alert)} >= {"load"}


def test_a_door_that_is_not_read_any_more_is_told_and_the_machine_is_watched_all_the_same() -> None:
    monitor = Monitor(machine("door", hold=1.0), plan(DataPaths.find(None)))
    time = 1.7e9 + 0.1 * np.arange(200)
    values = np.column_stack([np.full(200, 5.0), np.ones(200)])
    quality = np.zeros(values.shape, np.uint8)
    quality[100:, 1] = lost_row("x", ("door",), 0.0).quality[0, 0]
    events = monitor.feed(Readings("x", ("load", "door"), time, values, quality))
    assert [event.channel for event in events if isinstance(event, Alert)] == ["door"]
    assert Word.LOST not in {event.word for event in events if isinstance(event, Coverage)}


def test_a_loss_that_was_told_is_not_told_again_after_a_restart() -> None:
    """One cable, one alert: what went with the channel that spoke belongs to it."""
    settings = machine("tool", hold=1.0)
    channels = tuple(msgspec.structs.replace(channel, source=f"drive.{channel.name}") for channel in settings.channel)
    settings = msgspec.structs.replace(settings, channel=channels)
    before = Monitor(settings, plan(DataPaths.find(None)))
    values = np.full((50, 2), 5.0)
    before.feed(Readings("drive", ("load", "tool"), 1.7e9 + 0.1 * np.arange(50), values, np.zeros(values.shape, np.uint8)))
    before.feed(lost_row("drive", ("load", "tool"), 1.7e9 + 5.0))
    told = [event for second in range(6, 20) for event in before.tick(1.7e9 + second) if isinstance(event, Alert)]
    assert [alert.channel for alert in told if alert.transition == "raised"] == ["load"]
    after = Monitor(settings, plan(DataPaths.find(None)))
    after.restore(before.state())
    again = [event for second in range(30, 100) for event in after.tick(1.7e9 + second) if isinstance(event, Alert)]
    assert again == []
