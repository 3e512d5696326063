"""Machine files of tests/golden/machine_file, and every word that is said of them: what is wrong, or else what is worth knowing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.machine_file import MachineFileError, load
from agent.paths import DataPaths
from agent.texts import LANGUAGES, Texts

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "machine_file"
CASES = sorted(folder.name for folder in GOLDEN.iterdir() if (folder / "machine.toml").exists())
SHOP = DataPaths((GOLDEN / "_shop",))


def said(path: Path) -> str:
    """All that is said of a file, in both languages; ordinary spaces, so that the expected text can be typed."""
    try:
        mistakes, verdict = load(path, paths=SHOP).warnings, "right"
    except MachineFileError as error:
        mistakes, verdict = error.mistakes, "wrong"
    parts = [verdict]
    for language in LANGUAGES:
        texts = Texts.load(DataPaths.find(None), language)
        parts += [f"== {language}", texts.mistakes(mistakes)]
    return "\n".join(parts).translate({0x202F: " ", 0xA0: " ", 0x2019: "'"}).replace(str(GOLDEN), "GOLDEN") + "\n"


@pytest.mark.parametrize("case", CASES)
def test_all_that_is_said_of_a_machine_file(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN / case)
    assert said(Path("machine.toml")) == (GOLDEN / case / "expected.txt").read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert len(CASES) >= 15
