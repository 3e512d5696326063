"""`broche bench --detection`: sets that are found, broken, strange, or asked for from an installed package."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.__main__ import main
from agent.cli import _bench_detection
from tests.support.house import ROOT

ADAPTER = """
from benchmarks.detection.table import Row, wilson

def measure(folder, progress):
    progress(0.0, "numbers")
    numbers = [float(line) for line in (folder / "numbers.txt").read_text().split()]
    progress(1.0, "numbers")
    low, high = wilson(3, 4)
    return [
        Row(set=folder.name, name="mean", figure="mean", value=sum(numbers) / len(numbers), n=f"{len(numbers)} numbers", fixed="defaults",
            low=low, high=high, baseline="zero", baseline_value=0.0, published="1 (somebody)", note="a note"),
        Row(set=folder.name, name="wear", figure="wear", value=None, n="0 tools", fixed="defaults"),
    ]
"""


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two adapters beside the table, and a folder of recordings for them."""
    package = tmp_path / "benchmarks" / "detection"
    package.mkdir(parents=True)
    (package / "table.py").write_text((ROOT / "benchmarks" / "detection" / "table.py").read_text(encoding="utf-8"), encoding="utf-8")
    for name in ("lathe", "mill"):
        (package / f"{name}.py").write_text(ADAPTER, encoding="utf-8")
    before = _ours()
    for name in before:
        del sys.modules[name]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(place for place in sys.path if Path(place or ".").resolve() != ROOT)])
    importlib.invalidate_caches()
    data = tmp_path / "data"
    for name in ("lathe", "mill", "oven"):
        (data / name).mkdir(parents=True)
        (data / name / "numbers.txt").write_text("1 2 3", encoding="utf-8")
    yield data
    for name in _ours():
        del sys.modules[name]
    sys.modules.update(before)


def _ours() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "benchmarks"}


def test_a_table_of_all_sets_and_the_one_that_nobody_can_read_is_named(
    sets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["bench", "--detection", str(sets), "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert "no adapter for: oven" in told.err
    assert "lathe: 100%, numbers" in told.err
    assert told.out.count("2 [0.301, 0.954]") == 2
    assert "zero: 0" in told.out
    assert "through: the whole pass; n: 3 numbers; settings fixed on: defaults; published: 1 (somebody); note: a note" in told.out
    assert told.out.count("not observable") == 2
    monkeypatch.setenv("BROCHE_DATA", str(sets))
    assert main(["bench", "--detection", "--only", "mill", "--lang", "fr"]) == 0
    told = capsys.readouterr()
    assert told.out.count("non observable") == 1
    assert "lathe" not in told.out


def test_json_is_one_object_a_figure(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--detection", str(sets / "mill"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["set"], row["name"], row["value"]) for row in rows] == [("mill", "mean", 2.0), ("mill", "wear", None)]
    assert rows[0]["n"] == "3 numbers"


@pytest.mark.parametrize(("text", "error"), [("1 x", "ValueError: could not convert"), (None, "FileNotFoundError")])
def test_a_broken_set_is_told_with_its_file_and_the_others_go_on(
    sets: Path, text: str | None, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sets / "lathe" / "numbers.txt"
    if text is None:
        file.unlink()
    else:
        file.write_text(text, encoding="utf-8")
    assert main(["bench", "--detection", str(sets), "--lang", "en"]) == 1
    told = capsys.readouterr()
    assert f"lathe is not measured: {file}: {error}" in told.err
    assert "Fetch this file anew" in told.err
    assert "mill" in told.out


def test_what_cannot_be_measured_is_refused_with_a_remedy(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        ([str(sets / "nowhere")], "set $BROCHE_DATA"),
        ([str(sets / "oven")], "none of the sets that can be measured: lathe, mill"),
        ([str(sets), "--only", "oven"], "'oven' is none of lathe, mill"),
    ):
        assert main(["bench", "--detection", *arguments, "--lang", "en"]) == 2
        assert said in capsys.readouterr().err


def test_an_installed_package_has_no_adapters(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bench_detection, "PACKAGE", "nobody.detection")
    assert main(["bench", "--detection", "--lang", "fr"]) == 2
    assert "dépôt cloné" in capsys.readouterr().err
