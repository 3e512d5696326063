"""The reader of recordings: golden cases, a slow twin, and what only a real file system can show."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import recording_rows
from drivers.model import Quality, Readings, Waveform, Words, word_of
from drivers.recording import Recording, RecordingError, read
from drivers.recording_rows import Axis, Column, RowReader
from tests.naive.recording import rows_of
from tests.support.recording_text import told

TempPaths = pytest.TempPathFactory
GOLDEN = Path(__file__).parents[1] / "golden" / "recordings"


@pytest.mark.parametrize("case", sorted(path.name for path in GOLDEN.iterdir()))
def test_golden_case(case: str) -> None:
    expected = (GOLDEN / case / "expected.txt").read_text(encoding="utf-8")
    assert told(GOLDEN / case / "recording") == expected


@pytest.mark.parametrize("case", ["polled_cells", "context_holds", "quotes_and_spaces", "last_row_without_newline"])
def test_lone_csv_reads_as_its_folder_does(case: str) -> None:
    assert told(GOLDEN / case / "recording" / "rows.csv") == (GOLDEN / case / "expected.txt").read_text(encoding="utf-8")


def test_compressed_rows(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        text = (GOLDEN / "files_in_name_order" / "recording" / name).read_bytes()
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text))
    assert told(tmp_path) == (GOLDEN / "files_in_name_order" / "expected.txt").read_text(encoding="utf-8")


def test_compressed_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"time,load\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 1009) for i in range(20000)))
    (tmp_path / "rows.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError) as caught:
        list(read(tmp_path))
    assert caught.value.key == "unreadable"
    assert caught.value.path == tmp_path / "rows.csv.gz"


def test_folder_without_anything(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        read(tmp_path)
    assert caught.value.key == "empty"
    with pytest.raises(RecordingError) as caught:
        read(tmp_path / "nowhere")
    assert caught.value.key == "not_found"


def test_machine_file_names_context_columns(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("time,T,load\n0,4,1\n1,,2\n2,-2,3\n")
    (block,) = read(tmp_path, context=["T"])
    assert isinstance(block, Readings)
    assert [word_of(value, block.words) for value in block.values[:, 0].tolist()] == ["4", "4", "-2"]
    (block,) = read(tmp_path)
    assert isinstance(block, Readings)
    assert block.quality[:, 0].tolist() == [Quality.GOOD, Quality.ABSENT, Quality.GOOD]


def test_rows_are_handed_out_in_blocks_and_the_fraction_grows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("time,load\n" + "".join(f"{i},{i * 0.5}\n" for i in range(100_000)))
    recording = read(tmp_path, rows=1000)
    sizes, fractions = [], []
    for block in recording:
        assert isinstance(block, Readings)
        sizes.append(len(block.time))
        fractions.append(recording.fraction())
    assert sum(sizes) == 100_000
    assert max(sizes) == 1000
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.2
    assert recording.fraction() == 1.0


def test_recording_can_be_iterated_again() -> None:
    recording = read(GOLDEN / "waveform_among_rows" / "recording")
    assert [type(item) for item in recording] == [type(item) for item in recording]
    assert len(list(recording)) == 4


def test_error_deep_in_a_file_names_its_line(tmp_path: Path) -> None:
    rows = [f"{i},{i}" for i in range(60_000)]
    rows[54_321] = "54321,oops"
    (tmp_path / "rows.csv").write_text("\n".join(["time,load", *rows]) + "\n")
    with pytest.raises(RecordingError) as caught:
        list(read(tmp_path))
    assert (caught.value.key, caught.value.line, caught.value.column) == ("bad_cell", 54_323, "load")


def test_long_block_comes_in_pieces_and_is_not_loaded(tmp_path: Path) -> None:
    samples = np.arange(30_000, dtype=np.int16).reshape(-1, 2)
    np.save(tmp_path / "vib@5000.npy", samples)
    (tmp_path / "vib@5000.csv").write_text("start,first,count,lost,quality\n10,0,15000,7,1\n")
    blocks = [item for item in read(tmp_path) if isinstance(item, Waveform)]
    assert [len(block.samples) for block in blocks] == [5000, 5000, 5000]
    assert [block.start for block in blocks] == [10.0, 11.0, 12.0]
    assert [block.lost for block in blocks] == [7, 0, 0]
    assert {block.quality for block in blocks} == {Quality.UNCERTAIN}
    assert np.array_equal(np.vstack([block.samples for block in blocks]), samples)
    assert not any(block.samples.flags.owndata for block in blocks)


def test_waveform_of_one_axis(tmp_path: Path) -> None:
    np.save(tmp_path / "vib@1000.npy", np.arange(4, dtype=np.float32))
    (tmp_path / "vib@1000.csv").write_text("start,first,count\n0,0,4\n")
    (block,) = read(tmp_path)
    assert isinstance(block, Waveform)
    assert block.samples.shape == (4, 1)


# ---- the slow twin

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-9999, 9999, places=3).map(str),
    st.integers(-(10**6), 10**6).map(str),
    st.integers(10**14, 10**17).map(str),
    st.sampled_from(
        ["0", "-0", "-0.0", "00012.50", ".5", "5.", "1e3", "+7", "9007199254740993", "0.1000000000000000055", "123456789.123456789"]
    ),
)
POLLED = st.one_of(NUMBERS, st.sampled_from(["", "", "", "unavailable", "nan", "-inf", "inf", " 4.25 ", "NaN"]))
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_characters='",\x7f'), min_size=1, max_size=20).filter(
    lambda text: (
        text.strip() == text
        and "_" not in text
        and text.lower() not in {"unavailable", "nan", "inf", "infinity"}
        and text[0] not in "-+.0123456789iInN"
    )
)
HELD = st.one_of(st.sampled_from(["", "", "", "4", "12", "-", "-3", "unavailable", "nan", "O4711", "O4712"]), WORDS, NUMBERS)
TIMES = st.lists(st.integers(0, 10**13 - 1), min_size=1, max_size=30).map(sorted)


def _time_text(micro: int, kind: int) -> str:
    from datetime import UTC, datetime, timedelta

    if kind == 0:
        return f"{micro // 10**6}.{micro % 10**6:06d}".rstrip("0").rstrip(".")
    stamp = datetime(2025, 3, 31, tzinfo=UTC) + timedelta(microseconds=micro)
    if kind == 1:
        return stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return stamp.isoformat()


def _columns(names: list[str]) -> list[Column]:
    return [Column(name, name != "load", name != "load", 1.0, Quality.GOOD) for name in names]


@pytest.mark.parametrize(("cell", "expected"), [("\t", "4"), (" ", "4"), ("\t12 ", "12"), ("\u0085", "\u0085")])
def test_blanks_around_a_cell_are_no_part_of_it(tmp_path: Path, cell: str, expected: str) -> None:
    """Blanks alone are no cell. What is no blank in a spreadsheet is a word, however it looks."""
    path = tmp_path / "rows.csv"
    path.write_text(f"time,load,tool\n0,1,4\n1,2,{cell}\n", encoding="utf-8")
    _, slow = rows_of(path, {"tool"})
    assert slow[1][1][1] == ("good", float(expected) if expected.isdigit() else expected)
    (block,) = read(path, context=["tool"])
    assert isinstance(block, Readings)
    assert word_of(float(block.values[1, 1]), block.words) == expected


@settings(max_examples=150, deadline=None)
@given(times=TIMES, data=st.data(), kind=st.integers(0, 2))
def test_reader_agrees_with_the_slow_one(
    times: list[int], data: st.DataObject, kind: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = data.draw(st.lists(st.tuples(POLLED, HELD, POLLED, HELD), min_size=len(times), max_size=len(times)))
    text = "".join(",".join([_time_text(t, kind), *row]) + "\n" for t, row in zip(times, cells, strict=True))
    path = tmp_path_factory.mktemp("twin") / "rows.csv"
    path.write_text("time,load,tool,speed,program\n" + text, encoding="utf-8")
    _, expected = rows_of(path, {"tool", "program"})
    recording = read(path)
    got = [
        (time, [_plain(value, mark, item.words, name) for name, value, mark in zip(item.channels, values, marks, strict=True)])
        for item in recording
        if isinstance(item, Readings)
        for time, values, marks in zip(item.time.tolist(), item.values.tolist(), item.quality.tolist(), strict=True)
    ]
    assert [time for time, _ in got] == [time for time, _ in expected]
    for (_, mine), (_, slow) in zip(got, expected, strict=True):
        assert mine == [(quality, _text(value)) for quality, value in slow]
    shutil.rmtree(path.parent)


def _plain(value: float, mark: int, words: tuple[str, ...], name: str) -> tuple[str, str]:
    quality = {0: "good", 2: "bad", 3: "unavailable", 4: "absent"}[mark]
    if name in ("tool", "program") and value < 0 and value.is_integer() and -value <= len(words):
        return quality, word_of(value, words)
    return quality, _text(value)


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return repr(value)


@settings(max_examples=150, deadline=None)
@given(times=TIMES, data=st.data(), kind=st.integers(0, 2))
def test_both_ways_through_the_reader_agree(times: list[int], data: st.DataObject, kind: int) -> None:
    cells = data.draw(st.lists(st.tuples(POLLED, HELD), min_size=len(times), max_size=len(times)))
    text = "".join(",".join([_time_text(t, kind), *row]) + "\n" for t, row in zip(times, cells, strict=True)).encode()
    blocks = []
    for method in ("_regular", "_irregular"):
        words = Words()
        reader = RowReader(Path("rows.csv"), _columns(["load", "tool"]), words, Axis(), {})
        block = getattr(reader, method)(text, 2)
        if block is None:
            return
        blocks.append((block.time.tobytes(), block.quality.tobytes(), [_plain(v, m, words.seen(), n) for n, v, m in _flat(block)]))
    assert blocks[0] == blocks[1]


def _flat(block: recording_rows.Block) -> list[tuple[str, float, int]]:
    return [
        (name, value, mark)
        for values, marks in zip(block.values.tolist(), block.quality.tolist(), strict=True)
        for name, value, mark in zip(("load", "tool"), values, marks, strict=True)
    ]


def test_a_context_column_that_is_never_empty_is_read_in_runs() -> None:
    text = "".join(f"{i},{('O4711', 'O4711', 'a program with a very long name indeed', '12')[i // 97 % 4]}\n" for i in range(1000))
    words = Words()
    block = RowReader(Path("rows.csv"), _columns(["program"]), words, Axis(), {}).read(text.encode(), 2)
    assert block is not None
    assert [word_of(value, words.seen()) for value in block.values[:, 0].tolist()] == [row.split(",")[1] for row in text.splitlines()]


def test_held_values_go_on_from_file_to_file() -> None:
    held = read(GOLDEN / "files_in_name_order" / "recording")
    assert isinstance(held, Recording)
    (block,) = [np.concatenate([item.values[:, 1] for item in held if isinstance(item, Readings)])]
    assert block.tolist() == [4.0, 4.0, 4.0, 5.0]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_recordings_are_read_or_refused_never_worse(seed: int, tmp_path: Path) -> None:
    """Bytes changed, lost or put in at random, in any file of any golden case."""
    rng = random.Random(seed)
    cases = sorted(GOLDEN.iterdir())
    for number in range(75):
        folder = tmp_path / str(number)
        shutil.copytree(rng.choice(cases) / "recording", folder)
        victim = rng.choice(sorted(folder.iterdir()))
        raw = bytearray(victim.read_bytes()) or bytearray(b"x")
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw))
            some = bytes(rng.choice(b'0123456789,.-\n"\r eE_[]=\x00\xff:TZ') for _ in range(rng.randint(0, 4)))
            raw[at : at + rng.randint(0, 4)] = some or b"7"
        victim.write_bytes(raw)
        assert told(folder)
