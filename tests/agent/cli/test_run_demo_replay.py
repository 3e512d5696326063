"""`run`, `demo` and `replay` as commands: what they refuse, and with which words."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.agent_process import broche, environment

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "replay"
SECONDS = 60.0


def call(*arguments: str, **more: str) -> tuple[int, str, str]:
    done = subprocess.run([*broche(), *arguments], capture_output=True, text=True, timeout=SECONDS, env=environment(**more), cwd="/")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr.replace("\u00a0", " ").replace("\u202f", " ")


def test_replay_writes_what_is_expected(tmp_path: Path) -> None:
    out = tmp_path / "alerts.jsonl"
    machine = str(GOLDEN / "machine.toml")
    status, said, told = call("replay", str(GOLDEN / "recording"), "--machine", machine, "--out", str(out), "--lang", "en")
    assert (status, said) == (0, "")
    assert out.read_text(encoding="utf-8") == (GOLDEN / "alerts.en.jsonl").read_text(encoding="utf-8")
    assert "100" in told
    status, said, told = call("replay", str(GOLDEN / "recording"), "--machine", machine, "--nouns", "cut", "--quiet", "--lang", "fr")
    assert status == 0
    assert {json.loads(line)["noun"] for line in said.splitlines()} == {"cut"}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("no/such/recording", "--machine", str(GOLDEN / "machine.toml")), "no/such/recording"),
        ((str(GOLDEN / "recording"), "--machine", "no/such/machine.toml"), "no/such/machine.toml"),
        ((str(GOLDEN / "recording"), "--machine", str(GOLDEN / "machine.toml"), "--nouns", "alarm"), "alarm"),
        ((str(GOLDEN / "recording"), "--machine", str(GOLDEN / "machine.toml"), "--out", "/no/such/folder/out"), "/no/such/folder/out"),
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_replay_refuses_and_says_what_is_wrong(arguments: tuple[str, ...], wanted: str, language: str) -> None:
    status, said, told = call("replay", *arguments, "--lang", language)
    assert (status, said) == (2, "")
    assert wanted in told


def test_run_refuses_a_machine_file_that_is_not_there_and_a_folder_that_cannot_be(tmp_path: Path) -> None:
    status, _, told = call("run", str(tmp_path / "none.toml"), "--lang", "fr")
    assert status == 2
    assert "none.toml" in told
    machine = tmp_path / "machine.toml"
    machine.write_text('[machine]\nname = "m"\n[display]\nport = 0\n', encoding="utf-8")
    (tmp_path / "file").touch()
    status, _, told = call("run", str(machine), "--state", str(tmp_path / "file" / "state"), "--lang", "en")
    assert status == 2
    assert "--state" in told


@pytest.mark.parametrize("language", ["fr", "en"])
def test_help_teaches_in_both_languages(language: str) -> None:
    for command in ("run", "demo", "replay"):
        status, said, _ = call(command, "--help", "--lang", language)
        assert status == 0
        assert f"broche {command}" in said
