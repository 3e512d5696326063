"""`replay` on a small recording, against what is expected of it. BROCHE_UPDATE_GOLDEN=1 writes the expectation anew.

The recording was rendered by the simulated shop: `python -m drivers.simulate --render FOLDER --parts 11 --no-vibration --seed 4` with a
break of T4 in part 7 and its replacement in part 10, and thinned to the channels of the machine file.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from agent.machine_file import load
from agent.replay import replay
from agent.texts import Texts
from drivers.recording import read

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "replay"
KEYS = [
    "time", "noun", "kind", "severity", "transition", "id", "channel", "operation", "tool", "score", "threshold", "evidence", "message",
]  # fmt: skip
"""In this order (DESIGN.md, Recordings)."""


def lines(language: str, *nouns: str) -> str:
    machine = load(GOLDEN / "machine.toml", replay=True)
    out = io.StringIO()
    replay(read(GOLDEN / "recording"), machine, Texts.load(machine.paths, "fr" if language == "fr" else "en"), nouns, out)
    return out.getvalue()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_alerts_and_coverage_are_as_expected(language: str) -> None:
    expected = GOLDEN / f"alerts.{language}.jsonl"
    found = lines(language, "alert", "coverage")
    if os.environ.get("BROCHE_UPDATE_GOLDEN"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


def test_every_line_has_its_keys_in_their_order_and_six_digits() -> None:
    rows = [json.loads(line) for line in lines("fr", "cut", "indicator", "finding", "alert", "coverage").splitlines()]
    assert {row["noun"] for row in rows} == {"cut", "indicator", "finding", "alert", "coverage"}
    for row in rows:
        assert list(row) == KEYS
        for value in row["evidence"].values():
            assert not isinstance(value, float) or value == float(f"{value:.6g}")


def test_only_what_was_asked_for_is_written() -> None:
    assert {json.loads(line)["noun"] for line in lines("en", "cut").splitlines()} == {"cut"}
    raised = [json.loads(line) for line in lines("en", "alert").splitlines()]
    assert [row["kind"] for row in raised if row["transition"] == "raised"] == ["breakage"]
    assert raised[0]["message"].startswith("Breakage, tool T4")
