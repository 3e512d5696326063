"""The writer of recordings: what is written reads back, whatever ended the writing."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import Quality, Readings, Waveform, lost_row, word_of
from drivers.recording import ChannelSettings, RecordingError, Writer, read
from tests.support.recording_text import told

CHECKOUT = Path(__file__).parents[2]
GOOD, UNCERTAIN, BAD, UNAVAILABLE, ABSENT = Quality


def rows(
    source: str, channels: tuple[str, ...], time: list[float], values: list[list[float]], marks: object = None, *words: str
) -> Readings:
    grid = np.array(values, dtype=np.float64)
    quality = np.zeros(grid.shape, np.uint8) if marks is None else np.array(marks, dtype=np.uint8)
    return Readings(source, channels, np.array(time), grid, quality, words)


def block(start: float, samples: np.ndarray, **more: object) -> Waveform:
    told = {"rate": 100.0, "scale": 0.5, "unit": "g", "quality": GOOD, "lost": 0, **more}
    return Waveform("s", "vib", start, samples=samples, **told)


# ---- round trips

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 12.5, 5e-324, 1.7976931348623157e308, 0.1])
)
MARKS = st.sampled_from([GOOD, GOOD, GOOD, BAD, UNAVAILABLE, ABSENT])
NAMES = st.lists(st.text("abcdefghij.é-", min_size=1, max_size=6), min_size=1, max_size=4, unique=True)
WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=12
).filter(lambda text: text == text.strip() and not _reads_as_something_else(text))


def _reads_as_something_else(text: str) -> bool:
    if text == "-" or text.lower() == "unavailable":
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


@settings(max_examples=80, deadline=None)
@given(data=st.data(), names=NAMES, micro=st.lists(st.integers(0, 10**12), min_size=1, max_size=20), live=st.booleans())
def test_polled_values_read_back_bit_for_bit(
    data: st.DataObject, names: list[str], micro: list[int], live: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip") / "recording"
    time = [(t + (1_700_000_000_000_000 if live else 0)) / 1e6 for t in sorted(micro)]
    marks = np.array(data.draw(st.lists(st.lists(MARKS, min_size=len(names), max_size=len(names)), min_size=len(time), max_size=len(time))))
    values = np.array(
        data.draw(st.lists(st.lists(FLOATS, min_size=len(names), max_size=len(names)), min_size=len(time), max_size=len(time)))
    )
    values[marks > UNCERTAIN] = math.nan
    writer = Writer(folder, keep_free=0)
    writer.write(Readings("s", tuple(names), np.array(time), values, marks.astype(np.uint8)))
    writer.close()
    back = list(read(folder))
    assert writer.stopped is None
    assert all(isinstance(item, Readings) for item in back)
    assert np.concatenate([item.time for item in back]).tolist() == time
    assert np.concatenate([item.quality for item in back]).tolist() == marks.tolist()
    assert np.concatenate([item.values for item in back])[marks <= UNCERTAIN].tobytes() == values[marks <= UNCERTAIN].tobytes()
    shutil.rmtree(folder.parent)


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(st.one_of(WORDS, st.integers(0, 10**6), st.none(), st.sampled_from(["BAD", "LOST", "SILENT"])), min_size=1, max_size=20),
    file_bytes=st.sampled_from([1, 10**6]),
)
def test_context_reads_back_as_what_holds(cells: list[object], file_bytes: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only changes are written; reading holds them. 'SILENT' rows say nothing, so that the value before goes on."""
    folder = tmp_path_factory.mktemp("trip") / "recording"
    words = tuple(dict.fromkeys(cell for cell in cells if isinstance(cell, str) and cell not in ("BAD", "LOST", "SILENT")))
    writer = Writer(folder, ["tool"], file_bytes=file_bytes, keep_free=0)
    expected: list[tuple[str, int]] = []
    now = ("", int(ABSENT))
    for i, cell in enumerate(cells):
        value, mark = math.nan, {"BAD": BAD, "LOST": UNAVAILABLE, "SILENT": ABSENT}.get(str(cell), GOOD)
        if isinstance(cell, int):
            value = float(cell)
        elif cell in words:
            value = -1.0 - words.index(str(cell))
        if mark != ABSENT:
            now = (word_of(value, words), int(mark))
        expected.append(now)
        writer.write(Readings("s", ("tool",), np.array([float(10 * i)]), np.array([[value]]), np.array([[mark]], np.uint8), words))
    writer.close()
    got = [
        (word_of(value, item.words), mark)
        for item in read(folder)
        if isinstance(item, Readings)
        for value, mark in zip(item.values[:, 0].tolist(), item.quality[:, 0].tolist(), strict=True)
    ]
    assert got == expected
    shutil.rmtree(folder.parent)


def test_reading_and_writing_again_gives_the_same_files(tmp_path: Path) -> None:
    first = Writer(tmp_path / "a", ["load", "tool"], keep_free=0)
    first.write(rows("s", ("load", "tool"), [1.7e9, 1.7e9 + 0.1, 1.7e9 + 0.2], [[0.1, -1], [1 / 3, -1], [math.nan, 4]], None, "T4"))
    first.write(block(1.7e9, np.arange(6, dtype=np.int16).reshape(2, 3)))
    first.close()
    second = Writer(tmp_path / "b", ["load", "tool"], keep_free=0)
    for item in read(tmp_path / "a"):
        second.write(item)
    second.close()
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["recording.toml", "rows-000001.csv", "vib@100.csv", "vib@100.npy"]
    assert {name: (tmp_path / "a" / name).read_bytes() for name in names} == {name: (tmp_path / "b" / name).read_bytes() for name in names}


# ---- sources, order, files


def test_sources_of_different_rates_share_one_file_in_the_order_of_time(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", ["load", "tool"], keep_free=0)
    for i in range(40):
        writer.write(rows("fast", ("load",), [i * 0.1], [[float(i)]]))
        if i % 10 == 9:  # comes a second late
            writer.write(rows("slow", ("tool",), [(i - 9) * 0.1 + 0.05], [[float(i // 10)]]))
    writer.close()
    assert (writer.late, writer.rows) == (0, 44)
    lines = (tmp_path / "r" / "rows-000001.csv").read_text().splitlines()
    assert lines[:4] == ["time,load,tool", "0.000000,0,", "0.050000,,0", "0.100000,1,"]
    (item,) = read(tmp_path / "r")
    assert isinstance(item, Readings)
    assert (np.diff(item.time) >= 0).all()
    assert item.quality[:, 0].tolist().count(ABSENT) == 4


def test_row_that_comes_too_late_is_dropped_and_counted(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", window=1.0, keep_free=0)
    for i in range(10):
        writer.write(rows("s", ("load",), [float(i)], [[0.0]]))
    writer.write(rows("t", ("speed",), [2.0, 9.5], [[0.0], [1.0]]))
    writer.close()
    assert (writer.late, writer.rows) == (1, 11)
    assert sum(len(item.time) for item in read(tmp_path / "r") if isinstance(item, Readings)) == 11


def test_new_day_and_a_full_file_begin_a_new_one_that_stands_alone(tmp_path: Path) -> None:
    midnight = datetime(2025, 3, 31, tzinfo=UTC).timestamp()
    writer = Writer(tmp_path / "r", ["load", "program"], file_bytes=400, keep_free=0)
    for i in range(40):
        writer.write(rows("s", ("load", "program"), [midnight - 20 + i], [[float(i), -1]], None, "O4711"))
    writer.close()
    files = sorted((tmp_path / "r").glob("rows-*.csv"))
    heads = [path.read_text().splitlines()[1] for path in files]
    assert len(files) >= 4
    assert all(head.endswith(",O4711") for head in heads)
    assert any(head.startswith("2025-03-31T00:00:00.000000Z") for head in heads)
    values = np.concatenate([item.values[:, 0] for item in read(tmp_path / "r") if isinstance(item, Readings)])
    assert values.tolist() == list(range(40))


def test_channel_that_was_not_announced(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", ["load"], keep_free=0)
    writer.write(rows("s", ("load",), [0.0], [[1.0]]))
    writer.write(rows("t", ("speed",), [1.0], [[2.0]]))
    writer.close()
    assert told(tmp_path / "r").splitlines()[-2:] == ["0.0 | 1.0 | ABSENT", "1.0 | ABSENT | 2.0"]


def test_lost_device_and_uncertain_values(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", ["load", "tool"], keep_free=0)
    writer.write(rows("s", ("load", "tool"), [0.0], [[1.0, 4]], [[UNCERTAIN, GOOD]]))
    writer.write(lost_row("s", ("load", "tool"), 1.0))
    writer.close()
    assert told(tmp_path / "r").splitlines()[-2:] == ["0.0 | ~1.0 | 4", "1.0 | UNAVAILABLE | UNAVAILABLE"]


def test_lost_waveform_is_told_in_a_column_of_its_name(tmp_path: Path) -> None:
    """A stream that falls silent delivers a row for its channel, which has no column else."""
    writer = Writer(tmp_path / "r", ["load"], keep_free=0)
    writer.write(rows("s", ("load",), [0.0], [[1.0]]))
    writer.write(block(0.1, np.zeros((4, 3), np.int16)))
    writer.write(lost_row("v", ("vib",), 1.0))
    writer.write(rows("s", ("load",), [2.0], [[2.0]]))
    writer.write(block(3.0, np.ones((4, 3), np.int16)))
    writer.close()
    recording = read(tmp_path / "r")
    assert recording.settings.channels["vib"] == ChannelSettings(unit="g", scale=0.5)
    assert told(tmp_path / "r").splitlines()[-5:-1] == [
        "0.0 | 1.0 | ABSENT",
        "0.1 r vib 100.0 Hz x0.5 g GOOD lost 0: int16 [0, 0, 0] [0, 0, 0] [0, 0, 0] [0, 0, 0]",
        "1.0 | ABSENT | UNAVAILABLE",
        "2.0 | 2.0 | ABSENT",
    ]


def test_settings_say_what_the_channels_are(tmp_path: Path) -> None:
    known = {"load": ChannelSettings(unit="%", rate=10.0), "T": ChannelSettings(on_change=True)}
    writer = Writer(tmp_path / "r", ["load", "T"], settings=known, start=1743400800.0, timezone="Europe/Paris", keep_free=0)
    writer.write(block(0.0, np.zeros((4, 3), np.float32), unit="m/s2", scale=1.0))
    writer.close()
    recording = read(tmp_path / "r")
    assert recording.start == 1743400800.0
    assert recording.settings.timezone == "Europe/Paris"
    assert recording.settings.channels["load"] == ChannelSettings(unit="%", rate=10.0)
    assert recording.column("T").held
    assert recording.settings.channels["vib"] == ChannelSettings(unit="m/s2", scale=1.0)


def test_folder_that_holds_a_recording_is_refused(tmp_path: Path) -> None:
    Writer(tmp_path / "r").close()
    with pytest.raises(RecordingError) as caught:
        Writer(tmp_path / "r")
    assert caught.value.key == "taken"
    with pytest.raises(RecordingError) as caught:
        Writer(tmp_path / "q", ["a/b"])
    assert caught.value.key == "name"


# ---- waveforms


def test_waveform_reads_back_and_is_an_ordinary_numpy_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    written = [block(i * 0.64, rng.integers(-32768, 32767, (64, 3), dtype=np.int16)) for i in range(5)]
    writer = Writer(tmp_path / "r", keep_free=0)
    for item in written:
        writer.write(item)
    writer.close()
    assert (tmp_path / "r" / "vib@100.csv").read_text().splitlines()[:2] == ["start,first,count", "0.000000,0,64"]
    assert np.array_equal(np.load(tmp_path / "r" / "vib@100.npy"), np.vstack([item.samples for item in written]))
    back = [item for item in read(tmp_path / "r") if isinstance(item, Waveform)]
    assert [(item.start, item.rate, item.scale, item.unit, item.lost) for item in back] == [
        (i * 0.64, 100.0, 0.5, "g", 0) for i in range(5)
    ]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(back, written, strict=True))


def test_lost_samples_and_quality_of_blocks_are_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", keep_free=0)
    writer.write(block(0.0, np.zeros((8, 3), np.int16)))
    writer.write(block(1.0, np.zeros((8, 3), np.int16), lost=32))
    writer.write(block(2.0, np.zeros((8, 3), np.int16), quality=UNCERTAIN))
    writer.close()
    assert (tmp_path / "r" / "vib@100.csv").read_text().splitlines()[:2] == ["start,first,count,lost,quality", "0.000000,0,8,0,0"]
    back = [item for item in read(tmp_path / "r") if isinstance(item, Waveform)]
    assert [(item.lost, item.quality) for item in back] == [(0, GOOD), (32, GOOD), (0, UNCERTAIN)]


def test_waveform_that_changes_its_kind_stops_the_recording(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", keep_free=0)
    writer.write(block(0.0, np.zeros((8, 3), np.int16)))
    writer.write(block(1.0, np.zeros((8, 2), np.int16)))
    assert writer.stopped is not None
    assert writer.stopped.key == "wave_changed"
    assert len(list(read(tmp_path / "r"))) == 1


# ---- ends that nobody wished for

WRITE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from drivers.model import Readings, Waveform, Quality
from drivers.recording import Writer
writer = Writer(Path(sys.argv[1]), ["load", "tool"], keep_free=0)
i = 0
while True:
    time = 1.7e9 + i + np.arange(100) * 0.01
    values = np.column_stack([i + np.arange(100) / 7, np.full(100, i // 3)])
    writer.write(Readings("s", ("load", "tool"), time, values, np.zeros((100, 2), np.uint8)))
    samples = (np.arange(2000 * 3) + i * 6000).astype(np.int16).reshape(-1, 3)
    writer.write(Waveform("s", "vib", 1.7e9 + i, 2000.0, samples, 1.0, "g", Quality.GOOD, 0))
    i += 1
    print(i, writer.rows, flush=True)
"""


def test_recording_whose_writer_was_killed_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    child = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert child.stdout is not None
    try:
        seen = [child.stdout.readline() for _ in range(60)]
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        seen += child.stdout.readlines()
        child.stdout.close()
    written, promised = map(int, [line for line in seen if line.endswith("\n")][-1].split())
    items = list(read(folder))
    time = np.concatenate([item.time for item in items if isinstance(item, Readings)])
    values = np.concatenate([item.values for item in items if isinstance(item, Readings)])
    assert len(time) >= promised - 100
    count = np.arange(len(time))
    assert np.array_equal(values[:, 0], count // 100 + count % 100 / 7)
    assert np.array_equal(values[:, 1], count // 300)
    waves = [item for item in items if isinstance(item, Waveform)]
    assert len(waves) >= written
    samples = np.vstack([wave.samples for wave in waves])
    assert np.array_equal(samples.ravel(), np.arange(samples.size).astype(np.int16))


@pytest.mark.parametrize("lost", [1, 7, 40])
def test_torn_end_is_dropped(lost: int, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", keep_free=0)
    for i in range(5):
        writer.write(rows("s", ("load",), [1.7e9 + i], [[12.57 + i]]))
    writer.close()
    path = tmp_path / "r" / "rows-000001.csv"
    whole = path.read_text()
    path.write_text(whole[:-lost])
    values = np.concatenate([item.values[:, 0] for item in read(tmp_path / "r") if isinstance(item, Readings)])
    assert values.tolist() == [12.57 + i for i in range(4 if lost < 40 else 3)]


WRITE_TO_THE_LIMIT = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from drivers.model import Readings, Waveform, Quality
from drivers.recording import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer = Writer(Path(sys.argv[1]), keep_free=0)
for i in range(2000):
    if sys.argv[2] == "rows":
        writer.write(Readings("s", ("load",), 1.7e9 + i + np.arange(10) * 0.1, np.full((10, 1), 1.0 + i), np.zeros((10, 1), np.uint8)))
    else:
        writer.write(Waveform("s", "vib", 1.7e9 + i, 100.0, np.full((100, 3), i, np.int16), 1.0, "g", Quality.GOOD, 0))
writer.close()
print(writer.stopped.key, writer.stopped)
"""


@pytest.mark.parametrize("what", ["rows", "waveform"])
def test_full_disk_stops_the_recording_and_nothing_else(what: str, tmp_path: Path) -> None:
    """A limit on the size of a file is what a test may fill up; the writer meets the same OSError."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TO_THE_LIMIT, str(tmp_path / "r"), what], capture_output=True, text=True, cwd=CHECKOUT, check=True
    )
    assert done.stdout.startswith("disk ")
    assert "File too large" in done.stdout
    assert done.stderr == ""
    back = list(read(tmp_path / "r"))
    if what == "rows":
        values = np.concatenate([item.values[:, 0] for item in back if isinstance(item, Readings)])
        assert len(values) > 1000
        assert np.array_equal(values, 1.0 + np.arange(len(values)) // 10)
    else:
        assert len(back) > 100
        assert all((item.samples == i).all() for i, item in enumerate(back) if isinstance(item, Waveform))


def test_recording_leaves_room_on_the_disk(tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)
    with pytest.raises(RecordingError) as caught:
        Writer(tmp_path / "q", keep_free=usage.total + 1)
    assert caught.value.key == "disk_space"
    writer = Writer(tmp_path / "r", keep_free=usage.free - 2**28)
    for i in range(10):
        writer.write(rows("s", ("load",), [float(i)], [[1.0]]))
    assert writer.stopped is None
    with (tmp_path / "something else").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**29)
    for i in range(10, 20):
        writer.write(rows("s", ("load",), [float(i)], [[1.0]]))
    (tmp_path / "something else").unlink()
    assert writer.stopped is not None
    assert writer.stopped.key == "disk_space"
    writer.close()
    assert list(read(tmp_path / "r"))


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordingError) as caught:
        Writer(tmp_path / "file" / "r")
    assert caught.value.key == "unreadable"
