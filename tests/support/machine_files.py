"""Machine files written by a test, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from agent.machine_file import MachineFileError, load
from agent.mistakes import Mistake
from agent.paths import DataPaths
from tests.support.house import ROOT

SHOP = DataPaths((ROOT / "tests" / "golden" / "machine_file" / "_shop",))
"""Device maps that no other test changes."""

RIGHT = (ROOT / "tests" / "golden" / "machine_file" / "right" / "machine.toml").read_text(encoding="utf-8")


def written(folder: Path, text: str | bytes) -> Path:
    """A machine file with this text."""
    path = folder / "machine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def wrong(path: Path, *, replay: bool = False) -> tuple[Mistake, ...]:
    """Its mistakes; none if it is right."""
    try:
        load(path, paths=SHOP, replay=replay)
    except MachineFileError as error:
        return error.mistakes
    return ()


def codes(folder: Path, text: str | bytes, *, replay: bool = False) -> dict[str, str]:
    """Key to code of each mistake in a machine file with this text."""
    return {mistake.key: mistake.code for mistake in wrong(written(folder, text), replay=replay)}
