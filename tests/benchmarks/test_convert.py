"""Real recordings become recordings that `replay` reads."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from agent.machine_file import load
from benchmarks import convert_hahn, convert_nist
from drivers.model import Quality, Readings, word_of
from drivers.recording import read
from tests.support.house import ROOT

DATA = Path(os.environ.get("BROCHE_DATA") or ROOT.parent / "shared" / "data")
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs data: {DATA} is not there")
MACHINES = ROOT / "benchmarks" / "machines"


@NEEDS_DATA
def test_hahn_is_the_same_to_the_last_bit_and_without_its_label(tmp_path: Path) -> None:
    assert convert_hahn.main([str(tmp_path / "r"), "--data", str(DATA)]) == 0
    recording = read(tmp_path / "r")
    rows = [item for item in recording if isinstance(item, Readings)]
    values = np.vstack([item.values for item in rows])
    assert recording.relative
    assert recording.channels == tuple(convert_hahn.CHANNELS)
    with np.load(DATA / "hahn_lathe" / "one_part_1khz.npz") as part:
        for i, (key, _) in enumerate(convert_hahn.CHANNELS.values()):
            assert np.array_equal(values[:, i], part[key].astype(np.float64))
    assert np.allclose(np.diff(np.concatenate([item.time for item in rows])), 0.001)
    assert set(recording.channels) == {channel.name for channel in load(MACHINES / "hahn.toml", replay=True).settings.channel}


@NEEDS_DATA
def test_nist_holds_what_the_log_says_at_every_moment(tmp_path: Path) -> None:
    assert convert_nist.main([str(tmp_path / "r"), "--data", str(DATA), "--day", "20161024"]) == 0
    with gzip.open(DATA / "nist_sms_mtconnect" / "Mazak01_20161024.csv.gz", "rt") as file:
        events = sorted(((e["time"], e["tag"], e["value"]) for e in csv.DictReader(file)), key=lambda event: event[0])
    _agrees(tmp_path / "r", events)
    named = {channel.name for channel in load(MACHINES / "nist_mazak01.toml", replay=True).settings.channel}
    assert named == set(read(tmp_path / "r").channels)


def test_small_log_of_the_same_form(tmp_path: Path) -> None:
    events = [
        ("2016-10-21T14:46:18.707503Z", "Sload", "NA"),
        ("2016-10-21T14:46:18.707503Z", "execution", "NA"),
        ("2016-10-24T08:47:00.426Z", "Sload", "0"),
        ("2016-10-24T08:47:00.426Z", "execution", "ACTIVE"),
        ("2016-10-24T08:47:00.426Z", "logic_cond", "Warning|357||| POCKET&ARM POS.ERROR"),
        ("2016-10-24T08:47:02.500Z", "Sload", "37"),
        ("2016-10-24T08:47:01.500Z", "Tool_number", "8"),
    ]
    (tmp_path / "nist_sms_mtconnect").mkdir()
    with gzip.open(tmp_path / "nist_sms_mtconnect" / "Mazak01_20161024.csv.gz", "wt") as file:
        file.write("time,tag,value\n" + "".join(",".join(event) + "\n" for event in events))
    assert convert_nist.main([str(tmp_path / "r"), "--data", str(tmp_path)]) == 0
    _agrees(tmp_path / "r", sorted(events))
    assert convert_nist.main([str(tmp_path / "r"), "--data", str(tmp_path)]) == 1
    assert convert_nist.main([str(tmp_path / "q"), "--data", str(tmp_path), "--day", "20000101"]) == 1


def _agrees(folder: Path, events: list[tuple[str, str, str]]) -> None:
    recording = read(folder)
    blocks = [item for item in recording if isinstance(item, Readings)]
    values = np.vstack([block.values for block in blocks])
    quality = np.vstack([block.quality for block in blocks])
    assert not recording.relative
    now: dict[str, str] = {}
    moments: dict[str, dict[str, str]] = {}
    for time, tag, value in events:
        if tag in convert_nist.CHANNELS:
            now[convert_nist.CHANNELS[tag]] = value
            moments[time] = dict(now)
    assert len(values) == len(moments)
    for i, said in enumerate(moments.values()):
        for k, name in enumerate(recording.channels):
            mark, text = quality[i, k], said.get(name, "")
            if text == "":
                assert mark == Quality.ABSENT
            elif text == "NA":
                assert mark == Quality.UNAVAILABLE
            else:
                value = float(values[i, k])
                told = word_of(value, blocks[-1].words) if name in ("mode", "execution", "estop") else value
                assert told == (text if isinstance(told, str) else float(text))
