"""What the installer's page and the status topic say of a sensor that loses samples, and of a feed axis."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.detect.tuning import TUNABLE
from agent.installation import Installation
from agent.model import Coverage, Retuned, Word
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from agent.store import StoreCounters
from agent.texts import LANGUAGES, Texts
from drivers.health import BusHealth, DeviceHealth
from drivers.model import Quality, Readings
from tests.support import snapshots

SETTINGS = MachineSettings(
    machine=MachineOptions(name="essai"),
    channel=(
        ChannelOptions(name="z", role="axis.load", source="plc.z", unit="A"),
        ChannelOptions(name="vibration", role="vibration", source="nose.xyz"),
    ),
)

STORE = StoreCounters(submitted=0, committed=0, transactions=0, critical=0, telemetry=0, dropped={}, trouble=None)


def bus(device: DeviceHealth) -> BusHealth:
    return BusHealth(bus="nose", state="open", since=1.0, opened=1, devices=(device,))


def sensor(*, losing: bool) -> DeviceHealth:
    return DeviceHealth(
        source="nose",
        unit=0,
        state="degraded" if losing else "ok",
        since=1.0,
        frames=1000,
        refused_frames=3,
        lost_samples=123,
        dropped_bytes=4096,
        error="samples_lost" if losing else "",
    )


@pytest.mark.parametrize("losing", [True, False])
def test_lost_samples_are_on_the_installers_page_and_in_the_status(losing: bool) -> None:
    installation = Installation(SETTINGS)
    health = installation.health([bus(sensor(losing=losing))], None, STORE, 0.0, 10.0)
    line = next(line for line in health.lines if line.group == "source")
    assert line.state == ("warning" if losing else "good")
    assert {name: line.facts[name] for name in ("frames", "refused_frames", "lost_samples", "dropped_bytes")} == {
        "frames": 1000, "refused_frames": 3, "lost_samples": 123, "dropped_bytes": 4096,
    }  # fmt: skip
    assert installation.sources([bus(sensor(losing=losing))]) == {"nose": "degraded" if losing else "ok"}


@pytest.mark.parametrize("overloaded", [True, False])
def test_what_the_calculations_could_not_take_is_on_the_installers_page(overloaded: bool) -> None:
    lost = Coverage(time=1.0, scope="machine", word=Word.LOST, reason="overload_agent" if overloaded else "no_signal")
    seen = snapshots.snapshot(1.0, word=lost)
    snapshot = msgspec.structs.replace(seen, counters=msgspec.structs.replace(seen.counters, dropped=4))
    health = Installation(SETTINGS).health([], None, STORE, 0.0, 10.0, "", snapshot)
    line = next(line for line in health.lines if line.group == "compute")
    assert line.facts == {"dropped_batches": 4}
    assert line.state == ("warning" if overloaded else "good")


def test_a_limit_that_a_verdict_widened_is_on_the_installers_page_and_one_that_was_put_back_is_not() -> None:
    change = Retuned(
        id="tuning-1", time=1.0, by="AB", verdict="false_alarm", kind="wear", where="S1/1/r1/T4/2", alert="a1", before=1.0, after=1.234
    )
    back = msgspec.structs.replace(change, id="tuning-2", where="S1/1/r1/T5/1", verdict="correct", before=1.2, after=1.0)
    snapshot = msgspec.structs.replace(snapshots.snapshot(1.0), tunings=(change, back))
    lines = [line for line in Installation(SETTINGS).health([], None, STORE, 0.0, 10.0, "", snapshot).lines if line.group == "limit"]
    assert [(line.name, line.facts) for line in lines] == [("S1/1/r1/T4/2", {"limit_kind": "wear", "limit_width": 1.23, "limit_by": "AB"})]
    for language in LANGUAGES:
        texts = Texts.load(DataPaths.find(None), language)
        missing = [key for key in ("group.limit", *(f"fact.{fact}" for fact in lines[0].facts)) if not texts.has(f"page.{key}")]
        assert missing + [kind for kind in TUNABLE if not texts.has(f"page.value.{kind}")] == []


def test_the_words_for_it_are_there_in_both_languages() -> None:
    for language in LANGUAGES:
        texts = Texts.load(DataPaths.find(None), language)
        assert "123" in texts.say("bus.samples_lost", lost_samples=123)
        for fact in ("frames", "refused_frames", "lost_samples", "dropped_bytes", "stale_replies", "dropped_batches"):
            assert texts.has(f"page.fact.{fact}"), fact
        assert texts.has("page.group.compute")


def test_the_load_of_an_axis_is_among_the_values() -> None:
    installation = Installation(SETTINGS)
    installation.note(Readings("plc", ("z",), np.array([5.0]), np.array([[3.25]]), np.array([[Quality.GOOD]], np.uint8)))
    axis = next(channel for channel in installation.health([], None, STORE, 0.0, 10.0).channels if channel.name == "z")
    assert (axis.role, axis.value, axis.unit, axis.quality, axis.time) == ("axis.load", 3.25, "A", Quality.GOOD, 5.0)
