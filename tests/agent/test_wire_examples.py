"""The fragments of docs/wire.md are maps and machine files that `check` takes as they stand."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path

import pytest

from agent.machine_file import load
from agent.settings import Role
from tests.support.house import ROOT

BLOCKS = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "wire.md").read_text(encoding="utf-8"), flags=re.DOTALL)
MAPS = {tomllib.loads(block)["name"]: block for block in BLOCKS if "registers" in tomllib.loads(block)}
FILES = [block for block in BLOCKS if "registers" not in tomllib.loads(block)]


def test_there_are_some() -> None:
    assert set(MAPS) == {"my_plc"}
    assert len(FILES) == 2


@pytest.mark.parametrize("fragment", FILES, ids=lambda text: tomllib.loads(text)["bus"][0]["name"])
def test_a_fragment_is_right(fragment: str, tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    for name, text in MAPS.items():
        (tmp_path / "devices" / f"{name}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "machine.toml").write_text('[machine]\nname = "m"\n' + fragment, encoding="utf-8")
    file = load(tmp_path / "machine.toml")
    assert [route.channel for route in file.routes] == [channel["name"] for channel in tomllib.loads(fragment)["channel"]]
    assert [w.code for w in file.warnings if not w.code.startswith("cost_") and w.code != "unverified"] == []


def test_every_register_of_the_map_has_a_role_to_go_to() -> None:
    (text,) = MAPS.values()
    names = {register["name"] for register in tomllib.loads(text)["registers"]}
    assert names - {"z_load"} <= set(typing.get_args(Role))
