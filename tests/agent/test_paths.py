"""Data files: nearer folders win, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.paths import DataMissing, DataPaths


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    folders = {
        "shop": tmp_path / "shop",
        "system": tmp_path / "etc",
        "checkout": tmp_path / "checkout" / "config",
        "prefix": tmp_path / "prefix" / "share" / "broche" / "config",
    }
    for folder in folders.values():
        (folder / "texts").mkdir(parents=True)
    return folders


def find(places: dict[str, Path], machine: Path | None) -> DataPaths:
    return DataPaths.find(machine, system=places["system"], checkout=places["checkout"].parent, prefix=places["prefix"].parents[2])


def test_nearest_first_beside_the_machine_file_then_system_checkout_installation(places: dict[str, Path]) -> None:
    paths = find(places, places["shop"] / "machine.toml")
    assert paths.folders == tuple(places[name].resolve() for name in ("shop", "system", "checkout", "prefix"))


def test_a_folder_that_is_not_there_is_left_out_and_one_that_is_twice_stands_once(places: dict[str, Path]) -> None:
    assert find(places, places["checkout"] / "demo.toml").folders == tuple(
        places[name].resolve() for name in ("checkout", "system", "prefix")
    )
    assert find(places, places["shop"] / "nowhere" / "machine.toml").folders == find(places, None).folders


def test_file_is_the_nearest_one(places: dict[str, Path]) -> None:
    for name in ("checkout", "prefix"):
        (places[name] / "texts" / "a.toml").write_text(name)
    paths = find(places, None)
    assert paths.file("texts/a.toml").read_text() == "checkout"
    (places["system"] / "texts" / "a.toml").write_text("system")
    assert paths.file("texts/a.toml").read_text() == "system"


def test_a_missing_file_names_where_it_was_looked_for(places: dict[str, Path]) -> None:
    with pytest.raises(DataMissing) as missing:
        find(places, None).file("texts/none.toml")
    assert missing.value.name == "texts/none.toml"
    assert str(places["system"].resolve()) in str(missing.value)


def test_files_of_all_folders_each_name_once(places: dict[str, Path]) -> None:
    for name, files in {"system": ("b", "c"), "prefix": ("a", "b")}.items():
        for file in files:
            (places[name] / "texts" / f"{file}.fr.toml").write_text(name)
    (places["prefix"] / "texts" / "a.en.toml").write_text("not asked for")
    found = find(places, None).files("texts", "*.fr.toml")
    assert [(path.name, path.read_text()) for path in found] == [("a.fr.toml", "prefix"), ("b.fr.toml", "system"), ("c.fr.toml", "system")]


def test_device_folders(places: dict[str, Path]) -> None:
    (places["prefix"] / "devices").mkdir()
    (places["shop"] / "devices").mkdir()
    paths = find(places, places["shop"] / "machine.toml")
    assert paths.devices == ((places["shop"] / "devices").resolve(), (places["prefix"] / "devices").resolve())


def test_the_checkout_has_all_of_it() -> None:
    paths = DataPaths.find(None)
    for name in ("texts/common.fr.toml", "texts/common.en.toml", "checklists/diagnosis.toml", "devices/simulated_lathe.toml", "demo.toml"):
        assert paths.file(name).is_file()
