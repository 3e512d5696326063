"""Load of a feed axis: what it takes in air, how much more in a cut, and where that is told, kept and shown."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agent.axes import FEWEST_AIR, AxisWatch
from agent.maintenance import plan
from agent.model import Alert, Cut, Event, Indicator
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.publish import payloads
from agent.publish.topics import Topics
from agent.settings import ChannelOptions, MachineSettings
from agent.texts import Texts
from drivers.model import Quality, Readings
from drivers.recording import Writer, read
from tests.support import lathe

Z, X = 2.0, 1.5
"""What the axes take in air, A."""
RISE = {1: 4.0, 2: 2.5, 4: 6.0}
"""What a cut of each tool adds on Z, at its full depth."""
PARTS = 4


def settings(hold: float = 1.0) -> MachineSettings:
    base = lathe.settings()
    axes = tuple(ChannelOptions(name=name, role="axis.load", unit="A", hold=hold) for name in ("z", "x"))
    return msgspec.structs.replace(base, channel=(*base.channel, *axes))


def truth(tool: int) -> float:
    """Mean of the rise over a cut that ramps up and down in a tenth of its time each."""
    return RISE[tool] * 0.9


def rows(parts: int = PARTS, wear: float = 0.0, worn: Collection[int] = tuple(lathe.CUTS)) -> Readings:
    """The lathe with two axes: Z feeds, rapids are loud and short, X only holds. `wear`: rise of Z a part, of the tools in `worn`."""
    base = lathe.rows(parts)
    n = len(base.time)
    inside = (lathe.STEP * np.arange(n)) % lathe.PART
    part = (lathe.STEP * np.arange(n)) // lathe.PART
    z, x = np.full(n, Z), np.full(n, X)
    for number, (start, duration, _, _) in lathe.CUTS.items():
        u = (inside - start) / duration
        shape = np.where((u >= 0) & (u < 1), np.minimum(1.0, np.minimum(u, 1.0 - u) / 0.1), 0.0)
        z += RISE[number] * shape * (1.0 + wear * part * (number in worn))
        z[(inside >= start - lathe.CHANGE) & (inside < start - lathe.CHANGE + 0.3)] = 15.0
    random = np.random.default_rng(3)
    values = np.column_stack([base.values, z + 0.05 * random.standard_normal(n), x + 0.05 * random.standard_normal(n)])
    return Readings(base.source, (*base.channels, "z", "x"), base.time, values, np.zeros(values.shape, np.uint8), base.words)


def passed(readings: Readings, batches: int = 100_000, machine: MachineSettings | None = None) -> tuple[Monitor, list[Event]]:
    monitor = Monitor(machine or settings(), plan(DataPaths.find(None)))
    events: list[Event] = []
    for piece in lathe.pieces(readings, itertools.repeat(batches)):
        events += monitor.feed(piece)
    return monitor, events + monitor.finish()


def closed(events: list[Event]) -> list[Cut]:
    return [event for event in events if isinstance(event, Cut) and event.phase == "closed"]


def indicators(events: list[Event], channel: str = "z") -> list[Indicator]:
    return [event for event in events if isinstance(event, Indicator) and event.name == "axis_load" and event.channel == channel]


def test_each_cut_has_the_mean_of_each_axis_above_its_own_idle() -> None:
    _, events = passed(rows())
    told = indicators(events)
    assert len(told) >= 3 * (PARTS - 1)
    for one in told:
        assert one.value == pytest.approx(truth(int(one.tool)), rel=0.15), one.operation
        assert one.unit == "A"
        assert one.operation.startswith("S1/")
    for one in indicators(events, "x"):
        assert one.value == pytest.approx(0.0, abs=0.1), "X only holds: nothing above its idle"
    by_time = {cut.time: cut for cut in closed(events)}
    for one in told:
        assert by_time[one.time].features.axis_load["z"] == one.value


def test_an_edge_that_pushes_harder_is_seen_on_the_axis() -> None:
    told = [one.value for one in indicators(passed(rows(wear=0.1))[1]) if one.tool == "4"]
    assert told[-1] / told[0] == pytest.approx((1 + 0.1 * (PARTS - 1)) / (1.0 + 0.1 * (PARTS - len(told))), rel=0.1)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_how_readings_were_batched_does_not_matter(batch: int) -> None:
    assert passed(rows(), batch)[1] == passed(rows())[1]


def test_before_idle_is_known_there_is_no_figure() -> None:
    cuts = closed(passed(rows(2))[1])
    assert cuts[0].opened - lathe.START < 2.0, "fewer than twenty readings that are old enough"
    assert cuts[0].features.axis_load == {}
    assert set(cuts[-1].features.axis_load) == {"z", "x"}


def test_a_cut_in_which_the_axis_was_not_read_has_no_figure() -> None:
    readings = rows()
    lost = (readings.time - lathe.START) % lathe.PART > 4.9  # the cut of tool 4
    readings.values[lost, -2] = np.nan
    readings.quality[lost, -2] = Quality.UNAVAILABLE
    _, events = passed(readings)
    assert {one.tool for one in indicators(events)} == {"1", "2"}
    assert {one.tool for one in indicators(events, "x")} == {"1", "2", "4"}


def test_a_held_cut_keeps_its_figure_and_tells_no_indicator() -> None:
    base = rows()
    base.values[:, lathe.COLUMNS.index("override")] = 60.0
    _, events = passed(base)
    assert indicators(events) == []
    assert any(cut.features.axis_load for cut in closed(events))


def test_idle_survives_a_restart() -> None:
    readings = rows()
    half = len(readings.time) // 2
    first, second = lathe.pieces(readings, iter([half, len(readings.time)]))
    monitor = Monitor(settings(), plan(DataPaths.find(None)))
    monitor.feed(first)
    monitor.finish()
    again = Monitor(settings(), plan(DataPaths.find(None)))
    again.restore(monitor.state())
    assert again.axes.saved() == monitor.axes.saved()
    assert len(again.axes.saved()["z"].air) > FEWEST_AIR
    assert indicators(again.feed(second) + again.finish())


@pytest.mark.parametrize("changed", [{"rated": 10.0}, {"rated_channel": "rated"}, {"unit": "Nm"}])
def test_idle_in_another_unit_is_no_idle(changed: dict[str, float | str]) -> None:
    readings = rows()
    first, second = lathe.pieces(readings, iter([len(readings.time) // 2, len(readings.time)]))
    spare = msgspec.structs.replace(settings(), channel=(*settings().channel, ChannelOptions(name="rated", role="other")))
    monitor = Monitor(spare, plan(DataPaths.find(None)))
    monitor.feed(first)
    other = tuple(msgspec.structs.replace(c, **changed) if c.name == "z" else c for c in spare.channel)
    again = Monitor(msgspec.structs.replace(spare, channel=other), plan(DataPaths.find(None)))
    assert again.restore(monitor.state()) == ("z",)
    assert again.axes.saved()["z"].air == []
    assert again.axes.saved()["x"] == monitor.axes.saved()["x"]
    before, now = monitor.watch.saved(), again.watch.saved()
    assert {name for signals in before.signals.values() for name in signals} == {"x", "z"}
    kept = {key: {name: one for name, one in signals.items() if name != "z"} for key, signals in before.signals.items()}
    assert now == msgspec.structs.replace(before, signals=kept), "the spindle and the other axis are none of its business"
    if "rated" in changed:
        for one in indicators(again.feed(second) + again.finish()):
            assert one.value == pytest.approx(10.0 * truth(int(one.tool)), rel=0.15)


def test_the_figure_of_an_axis_with_a_rated_current_is_in_percent() -> None:
    other = tuple(msgspec.structs.replace(c, rated=10.0) if c.name == "z" else c for c in settings().channel)
    _, events = passed(rows(), machine=msgspec.structs.replace(settings(), channel=other))
    told = indicators(events)
    assert told
    for one in told:
        assert one.value == pytest.approx(10.0 * truth(int(one.tool)), rel=0.15)
        assert one.unit == "%"
    assert {one.unit for one in indicators(events, "x")} == {"A"}


def test_memory_is_bounded_with_and_without_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.axes.MOST", 200)
    monitor, events = passed(rows())
    axes: AxisWatch = monitor.axes
    assert all(len(axis.read) <= 200 for axis in axes._axes)
    assert {one.tool for one in indicators(events)} >= {"1"}, "cuts that fit"


def test_it_is_shown_and_published() -> None:
    monitor, events = passed(rows())
    snapshot = monitor.snapshot()
    assert snapshot.values["z"] == pytest.approx(Z, abs=0.3)
    topics = Topics.of("broche", monitor.settings.machine)
    telemetry = json.loads(payloads.telemetry(snapshot, topics).payload)
    assert telemetry["z"] == pytest.approx(snapshot.values["z"], rel=1e-5)
    assert payloads.units(snapshot, {"z": "A", "x": "A"})["z"] == "A"
    cut = next(cut for cut in closed(events) if cut.features.axis_load)
    told: dict[str, float] = json.loads(payloads.cut(cut, topics).payload)["axis_load"]
    assert told["z"] == pytest.approx(cut.features.axis_load["z"], rel=1e-5)


def test_a_recording_of_it_gives_the_same_figures(tmp_path: Path) -> None:
    live = rows()
    writer = Writer(tmp_path / "recording", keep_free=0)
    for piece in lathe.pieces(live, itertools.repeat(50)):
        writer.write(piece)
    writer.close()
    monitor = Monitor(settings(), plan(DataPaths.find(None)))
    events: list[Event] = []
    for item in read(tmp_path / "recording"):
        events += monitor.feed(item)
    assert indicators(events + monitor.finish()) == indicators(passed(live)[1])


@pytest.mark.parametrize(("worn", "told"), [((2,), {"2"}), (tuple(lathe.CUTS), set())])
def test_an_axis_alone_tells_wear_of_one_tool_and_says_so(worn: tuple[int, ...], told: set[str]) -> None:
    monitor, events = passed(rows(40, wear=0.04, worn=worn))
    alerts = [event for event in events if isinstance(event, Alert) and event.transition == "raised"]
    assert {alert.tool for alert in alerts} == told
    for alert in alerts:
        assert (alert.kind, alert.evidence["channel"], alert.channel) == ("wear", "z", "load")
        for language, word in (("fr", "axe d’avance (z)"), ("en", "feed axis (z)")):
            assert word in Texts.load(DataPaths.find(None), language).alert(alert).text  # type: ignore[arg-type]
        (explained,) = [one for one in monitor.snapshot().explanations if one.alert == alert.id]
        assert explained.picture is not None
        assert explained.picture.name == "axis_load_ratio"
        assert max(explained.picture.y) > 15.0
