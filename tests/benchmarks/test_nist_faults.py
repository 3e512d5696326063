"""Days of the NIST test bed as the pass takes them, and the faults that are put in."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agent.model import Cut, CutFeatures, Finding, Operation, Word
from benchmarks.detection import nist_sms_mtconnect as adapter
from benchmarks.detection._nist import Fault, Log, machines, read, settings, spoil
from benchmarks.detection._nist_oracle import STEADY, above_air, by_word, with_spindle
from drivers.model import Quality
from tests.support.house import ROOT

DATA = Path(os.environ.get("BROCHE_DATA") or ROOT.parent / "shared" / "data")
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs data: {DATA} is not there")


def write(folder: Path, name: str, *events: tuple[str, str, str]) -> None:
    with gzip.open(folder / f"{name}.csv.gz", "wt") as file:
        file.write("time,tag,value\n" + "".join(f"2020-01-0{time}Z,{tag},{value}\n" for time, tag, value in events))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    write(
        tmp_path,
        "Other9_20200101",
        ("1T08:00:00", "S1load", "NA"),
        ("1T08:10:00", "execution", "ACTIVE"),
        ("1T08:10:00", "S1load", "1"),
        ("1T08:10:01", "Srpm", "900"),
        ("1T08:10:10", "S1load", "41"),
        ("1T08:10:20", "S1load", "1"),
        ("1T08:10:30", "execution", "READY"),
        ("1T08:10:30", "Xload", "9"),
    )
    write(tmp_path, "Other9_20200102", ("1T08:10:30", "execution", "READY"), ("2T08:00:00", "S1load", "2"), ("2T08:00:05", "S1load", "NA"))
    found = machines(tmp_path)
    return read("Other9", found["Other9"])


def test_any_machine_and_any_days_are_read(log: Log) -> None:
    assert log.days == ("20200101", "20200102")
    assert set(log.channels) == {"load", "speed", "execution"}
    assert log.active().sum() == 30.0
    assert [round(b - a) for a, b in log.gaps()][:1] == [600]
    assert [c.name for c in settings(log).channel] == ["load", "speed", "execution"]
    assert (np.diff(log.time) >= 0).all()


def test_a_fault_changes_the_load_of_its_cut_alone(log: Log) -> None:
    start = float(log.time[log.values[:, 0] == 41.0][0])
    gone = spoil(log, [Fault("main", start, start + 9.0, 1.0, 0.0)])
    worn = spoil(log, [Fault("main", start, start + 9.0, 1.0, 1.25)])
    loads = [v.values[:, 0][v.quality[:, 0] == Quality.GOOD].tolist() for v in (log, gone, worn)]
    assert loads == [[1.0, 41.0, 1.0, 2.0], [1.0, 1.0, 1.0, 2.0], [1.0, 51.0, 1.0, 2.0]]


def held(log: Log) -> list[tuple[float, float]]:
    """Seconds from the first row, and the load that holds from then on."""
    return [(round(t - float(log.time[0])), load) for t, load in zip(log.time.tolist(), log.held("load")[0].tolist(), strict=True)]


def test_a_fault_changes_what_holds_from_before_it_and_no_more_after_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Other9_20200101",
        ("1T08:00:00", "Srpm", "900"),
        ("1T08:00:00", "S1load", "9"),
        ("1T08:00:10", "Tool_number", "1"),
        ("1T08:00:20", "Tool_number", "2"),
        ("1T08:00:30", "Tool_number", "3"),
    )
    log = read("Other9", machines(tmp_path)["Other9"])
    start = float(log.time[0])
    gone = spoil(log, [Fault("main", start + 10.0, start + 19.9, 2.0, 0.0)])
    assert held(log) == [(0, 9.0), (10, 9.0), (20, 9.0), (30, 9.0)]
    assert held(gone) == [(0, 9.0), (10, 2.0), (20, 9.0), (30, 9.0)]


def test_a_missing_tool_still_has_its_run_up(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Other9_20200101",
        ("1T08:00:00", "Srpm", "0"),
        ("1T08:00:00", "S1load", "1"),
        ("1T08:00:10", "Srpm", "500"),
        ("1T08:00:10", "S1load", "90"),
        ("1T08:00:11", "Srpm", "900"),
        ("1T08:00:11", "S1load", "80"),
        ("1T08:00:13", "S1load", "9"),
        ("1T08:00:20", "S1load", "1"),
    )
    log = read("Other9", machines(tmp_path)["Other9"])
    gone = spoil(log, [Fault("main", float(log.time[0]), float(log.time[-1]), 1.0, 0.0)])
    assert held(gone) == [(0, 1.0), (10, 90.0), (11, 80.0), (13, 1.0), (20, 1.0)]


def test_what_anybody_could_see_is_held_against_air_at_the_same_speed(tmp_path: Path) -> None:
    """Half a minute of feed moves at a load of 5, one minute at 2, rapids at 2; and an axis that goes with neither."""
    events = [("1T08:00:00", "execution", "ACTIVE"), ("1T08:00:00", "Srpm", "900"), ("1T08:00:00", "Tool_number", "1")]
    for minute in range(3):
        events += [
            (f"1T08:0{2 * minute}:00", "Fact", "100"),
            (f"1T08:0{2 * minute}:00", "S1load", "5"),
            (f"1T08:0{2 * minute}:00", "Xload", "30"),
        ]
        events += [(f"1T08:0{2 * minute}:30", "S1load", "2"), (f"1T08:0{2 * minute}:30", "Xload", "30")]
        events += [(f"1T08:0{2 * minute + 1}:30", "Fact", "9000")]
    write(tmp_path, "Other9_20200101", *events, ("1T08:06:00", "execution", "READY"))
    log = read("Other9", machines(tmp_path)["Other9"])
    ((seconds, above),) = above_air(log)
    assert seconds == pytest.approx(270.0, abs=STEADY + 0.1)
    assert above == pytest.approx(1.0, abs=0.1)
    assert with_spindle(log, "load_x") == pytest.approx([0.0])
    assert with_spindle(log, "load_y") == []


def test_the_time_goes_to_what_was_made_then(log: Log) -> None:
    first = float(log.time[0])
    its = [msgspec.structs.replace(cut(1), opened=first + 600.0, time=first + 610.0, held=why) for why in ("", "mode")]
    assert by_word(log, its[:1], [Word.LEARNING]) == pytest.approx({"LEARNING": 1 / 3, "no cut": 2 / 3})
    assert by_word(log, its[1:], [Word.LEARNING]) == pytest.approx({"HOLD mode": 1 / 3, "no cut": 2 / 3})


def test_no_file_at_all_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="YYYYMMDD"):
        machines(tmp_path)


def cut(n: int, *, key: str = "1", held: str = "") -> Cut:
    features = CutFeatures(samples=20, duration=10.0, mean=20.0, peak=30.0, idle=1.0, work=190.0, largest_rise=1.0, largest_fall=1.0)
    operation = Operation(spindle="main", program="7", revision=1, tool=key, section="1")
    return Cut(
        id=str(n), phase="closed", operation=operation, part=-1, opened=100.0 * n, time=100.0 * n + 10.0, features=features, held=held
    )


def test_what_is_drawn_recurs_and_lies_apart() -> None:
    told = adapter.Told(cuts=[cut(i, key=str(i % 3), held="lost" if i % 10 == 0 else "") for i in range(300)])
    told.words = [Word.MONITORING] * 300
    drawn = adapter.draw(told)
    assert len(drawn) == adapter.PASSES
    assert sum(map(len, drawn)) > 50
    for its in drawn:
        for key in range(3):
            of_key = [i for i in its if i % 3 == key]
            assert all(not told.cuts[i].held for i in of_key)
            assert min(of_key) > 3 * adapter.TAUGHT
            assert np.diff(of_key).min() >= 3 * (adapter.APART - 1)
    assert drawn == adapter.draw(told)


def test_a_fault_counts_as_found_only_where_the_first_pass_was_silent() -> None:
    def finding(time: float, tool: str = "1") -> Finding:
        return Finding(
            time=time, kind="missing", severity="urgent", channel="", spindle="main", operation="x", tool=tool, score=0.0, threshold=0.5,
            evidence={},
        )  # fmt: skip

    one = cut(5)
    assert adapter.was_told(one, adapter.Told(), adapter.Told(findings=[finding(505.0)]))
    assert not adapter.was_told(one, adapter.Told(findings=[finding(505.0)]), adapter.Told(findings=[finding(505.0)]))
    assert not adapter.was_told(one, adapter.Told(), adapter.Told(findings=[finding(499.0), finding(505.0, "2"), finding(5000.0)]))


@pytest.mark.timeout(300)
@NEEDS_DATA
def test_two_real_days_give_every_row(tmp_path: Path) -> None:
    for day in ("20160510", "20160513"):
        name = f"Mazak03_{day}.csv.gz"
        (tmp_path / name).symlink_to(DATA / adapter.SET / name)
    rows = adapter.measure(tmp_path, lambda _share, _what: None)
    names = {row.name for row in rows}
    assert {"Mazak03_first_half_alerts", "Mazak03_second_half_missing_all", "Mazak03_above_air", "Mazak03_green_gaps"} <= names
    assert len(names) == len(rows)
    assert next(row.value for row in rows if row.name == "Mazak03_green_gaps") == 0.0
