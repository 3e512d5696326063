from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from drivers.model import Quality, Readings, Waveform, word_of
from drivers.recording import read
from drivers.simulate import demo
from drivers.simulate.__main__ import main
from drivers.simulate.machine import Machine
from drivers.simulate.render import render
from drivers.simulate.script import Listed, Story, load_script
from drivers.simulate.texts import Refused

CHANNELS = {
    "load", "current", "speed", "tool", "program", "section", "part", "mode", "execution", "door", "cycle", "feed_override",
    "speed_override", "feed_hold", "power_on", "spindle_temperature", "ambient_temperature", "air_pressure", "hydraulic_pressure",
    "coolant_level", "feed",
}  # fmt: skip


def blocks(folder: Path) -> tuple[list[Readings], list[Waveform]]:
    items = list(read(folder))
    return [i for i in items if isinstance(i, Readings)], [i for i in items if isinstance(i, Waveform)]


def column(rows: list[Readings], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = rows[0].channels.index(name)
    time, value, quality = (np.concatenate(x) for x in zip(*[(r.time, r.values[:, k], r.quality[:, k]) for r in rows], strict=True))
    here = quality != Quality.ABSENT
    return time[here], value[here], quality[here]


def test_a_recording_holds_what_a_poll_would_have_read(tmp_path: Path) -> None:
    folder = tmp_path / "five"
    count = render(folder, demo.cycle(), 3, Listed(), parts=5, poll=0.05)
    rows, waves = blocks(folder)
    assert count == sum(len(r.time) for r in rows)
    assert set(rows[0].channels) == CHANNELS
    time, load, quality = column(rows, "load")
    assert np.diff(time) == pytest.approx(0.05)
    assert time[-1] == pytest.approx(5 * 6.6, abs=0.06)
    assert (quality == Quality.GOOD).all()
    machine = Machine(demo.cycle(), 3)
    assert load == pytest.approx([round(machine.advance(t).load, 1) for t in time], abs=0.051)
    polled, air, _ = column(rows, "air_pressure")
    assert np.diff(polled) == pytest.approx(0.1)
    assert len(polled) == (len(time) + 1) // 2
    assert set(np.round(air, 2)) <= {round(5.8 + 0.01 * k, 2) for k in range(60)}
    counted, made, _ = column(rows, "part")
    assert [float(counted[made == n][0]) for n in range(1, 5)] == pytest.approx([6.6, 13.2, 19.8, 26.4], abs=0.11)
    _, tools, _ = column(rows, "tool")
    assert set(tools) == {1.0, 2.0, 4.0}
    _, modes, _ = column(rows, "mode")
    assert {word_of(v, rows[-1].words) for v in modes} == {"AUTOMATIC"}
    assert sum(len(w.samples) for w in waves) == pytest.approx(33.0 * 6667.0, abs=400)
    assert waves[0].start == 0.0
    assert {(w.channel, w.rate, w.samples.shape[1], w.lost) for w in waves} == {("vibration", 6667.0, 3, 0)}


def test_the_same_seed_renders_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        render(tmp_path / name, demo.cycle(), 4, Story(), parts=2, poll=0.05)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert "vibration@6667.npy" in files
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_truth_lies_outside_and_the_recording_has_no_labels(tmp_path: Path) -> None:
    folder, truth = tmp_path / "story", tmp_path / "story.jsonl"
    render(folder, demo.cycle(), 1, Story(), parts=12, poll=0.05, truth=truth, vibration=False)
    records = [json.loads(line) for line in truth.read_text().splitlines()]
    assert [(r["part"], r["tool"]) for r in records if r["event"] == "broken"] == [(8, 4)]
    assert sum(r["event"] == "cut" for r in records) == 36
    text = "".join(p.read_text() for p in folder.iterdir())
    assert not {"wear", "broken", "break", "fault", "cut"} & set(re.findall(r"[a-z]+", text))
    with pytest.raises(Refused, match="truth_inside"):
        render(tmp_path / "x", demo.cycle(), 1, Story(), parts=1, poll=0.05, truth=tmp_path / "x" / "truth.jsonl")


def test_power_off_is_unavailable_not_zero(tmp_path: Path) -> None:
    script = load_script('[{"fault":"power_off","at":3.0,"seconds":2,"manner":"announced"}]')
    render(tmp_path / "off", demo.cycle(), 1, script, parts=2, poll=0.05, vibration=False)
    rows, _ = blocks(tmp_path / "off")
    time, load, quality = column(rows, "load")
    off = (time > 3.05) & (time < 4.95)
    assert (quality[off] == Quality.UNAVAILABLE).all()
    assert np.isnan(load[off]).all()
    assert (quality[~off & (np.abs(time - 3.0) > 0.1) & (np.abs(time - 5.0) > 0.1)] == Quality.GOOD).all()
    time, power, quality = column(rows, "power_on")
    assert 0.0 in power
    assert Quality.UNAVAILABLE in quality


def test_wire_faults_and_taken_folders_are_refused(tmp_path: Path) -> None:
    script = load_script('[{"fault":"silence","link":"rtu","at":1.0}]')
    with pytest.raises(Refused, match="wire_fault"):
        render(tmp_path / "a", demo.cycle(), 1, script, parts=1, poll=0.05, vibration=False)
    render(tmp_path / "b", demo.cycle(), 1, Listed(), parts=1, poll=0.05, vibration=False)
    with pytest.raises(Refused, match="recording"):
        render(tmp_path / "b", demo.cycle(), 1, Listed(), parts=1, poll=0.05, vibration=False)


def test_from_the_command_line(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["--render", str(tmp_path / "r"), "--parts", "1", "--no-vibration", "--truth", str(tmp_path / "t.jsonl")]
    assert main(arguments) == 0
    assert json.loads(capfdbinary.readouterr().out)["parts"] == 1
    assert main(arguments) == 2
    assert json.loads(capfdbinary.readouterr().out)["error"] == "recording"
