"""The README and the documents say only what is there: commands that run, links that lead somewhere, figures that name their command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent.machine_file import load
from agent.settings import MachineSettings
from tests.support.agent_process import environment
from tests.support.house import ROOT, tracked

README = ROOT / "README.md"
DOCUMENTS = sorted({README, *(path for path in tracked() if path.suffix == ".md" and "golden" not in path.parts)})


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, kind: str = "") -> list[str]:
    """Code blocks of one kind; '' are those that name none."""
    return [block for found, block in re.findall(r"^```(\w*)\n(.*?)^```$", text(path), re.MULTILINE | re.DOTALL) if found == kind]


def calls(path: Path) -> list[str]:
    """Every call of a document that begins like one of ours, in code blocks and in the middle of a sentence."""
    lines = [line for block in blocks(path) for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text(path), flags=re.MULTILINE | re.DOTALL))
    ours = re.compile(
        r"(?:(?:\./|/opt/broche/bin/)?broche|(?:\S*/)?python3? -m (?:agent|drivers|benchmarks|tests)\S*|python3? benchmarks/\S+) ?"
    )
    return [line.strip() for line in (*lines, *spans) if ours.match(line.strip()) and "|" not in line]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *words], cwd=ROOT, env=environment(LANG="C"), capture_output=True, text=True, timeout=100, check=False
    )


def every_call() -> list[tuple[str, str]]:
    return sorted({(path.relative_to(ROOT).as_posix(), call) for path in DOCUMENTS for call in calls(path)})


COMMANDS = sorted({call.split()[1] for _, call in every_call() if re.match(r"\S*broche \w", call)})
MODULES = sorted({found[1] for _, call in every_call() if (found := re.search(r"python3? -m ([\w.]+)", call))})


def test_there_is_something_to_look_at() -> None:
    assert {"demo", "test", "check", "run", "replay", "record"} <= set(COMMANDS)
    assert "benchmarks.segmentation" in MODULES
    assert len(DOCUMENTS) > 10


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "test"])
def test_a_command_that_is_named_exists_and_knows_its_options(command: str) -> None:
    done = run("-m", "agent", command, "--help")
    assert done.returncode == 0, done.stderr
    for document, call in every_call():
        if re.match(rf"\S*broche {command}\b", call):
            words = shlex.split(call.partition(" > ")[0].partition(" #")[0])
            unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in done.stdout]
            assert unknown == [], f"{document}: {call}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_is_named_exists(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize(
    "script", sorted({found for path in DOCUMENTS for found in re.findall(r"`python3? (benchmarks/\S+?)[` ]", text(path))})
)
def test_a_script_that_is_named_exists(script: str) -> None:
    assert (ROOT / script).is_file()


def test_the_example_of_check_says_what_check_says() -> None:
    done = run("-m", "agent", "check", "config/machines/lathe.toml", "--lang", "en")
    assert done.returncode == 0, done.stderr
    (shown,) = (block for block in blocks(README) if block.startswith("What will be monitored"))
    assert shown in done.stdout.replace("\u00a0", " ")


def test_the_calls_of_record_and_replay_run(tmp_path: Path) -> None:
    """As written, but for the folder and the number of parts."""
    (block,) = (block for block in blocks(README) if "drivers.simulate" in block)
    simulate, replay = (shlex.split(line) for line in block.splitlines())
    assert simulate[:2] == [".venv/bin/python", "-m"]
    assert replay[:2] == ["./broche", "replay"]
    folder, out = tmp_path / "shift", tmp_path / "alerts.jsonl"
    made = run(*[str(folder) if word == "shift" else "3" if word == "20" else word for word in simulate[1:]])
    assert made.returncode == 0, made.stderr
    words = [str(folder) if word == "shift" else str(out) if word == "alerts.jsonl" else word for word in replay[1:]]
    done = run("-m", "agent", *words)
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8")


def test_the_machine_file_of_the_readme_is_right(tmp_path: Path) -> None:
    (block,) = blocks(README, "toml")
    path = tmp_path / "machine.toml"
    path.write_text(block, encoding="utf-8")
    machine = load(path)
    assert isinstance(machine.settings, MachineSettings)
    assert {channel.role for channel in machine.settings.channel} == {"spindle.load", "spindle.speed", "tool"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", text(path), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    lost = [target for target in targets if "://" not in target and not (path.parent / target.partition("#")[0]).exists()]
    assert lost == []


def test_every_picture_of_the_readme_is_one_of_the_repository() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}
    shown = re.findall(r"\]\(([^)\s]+\.(?:png|svg))\)", text(README))
    assert shown
    assert [target for target in shown if target not in names] == []


def test_every_figure_names_the_command_that_makes_it() -> None:
    """A table under 'Figures' stands below a call, or each of its rows names one."""
    _, _, rest = text(README).partition("## Figures\n")
    sections = re.split(r"^### ", rest.partition("\n## ")[0], flags=re.MULTILINE)[1:]
    assert len(sections) >= 3
    for section in sections:
        before, _, table = section.partition("\n|")
        assert table, section
        rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
        assert re.search(r"`(\./broche|python) ?\S*", before) or all("`" in row.split("|")[-2] or "same" in row for row in rows), section[
            :60
        ]


def test_every_document_is_in_the_index() -> None:
    index = text(ROOT / "docs" / "README.md")
    wanted = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "decisions").glob("*.md")]
    missing = [path.name for path in wanted if path.name != "README.md" and f"{path.relative_to(ROOT / 'docs').as_posix()})" not in index]
    assert missing == []


def test_no_document_names_a_folder_of_somebodys_machine() -> None:
    temporary = "/t" + "mp/"
    found = [f"{path.name}: {line}" for path in DOCUMENTS for line in text(path).splitlines() if re.search(rf"(?<![\w.]){temporary}", line)]
    # The simulated shop shows what it prints.
    assert [line for line in found if "broche-shop-" not in line] == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_is_said_of_the_package_is_true_of_both_languages(language: str) -> None:
    """The README promises --lang."""
    done = run("-m", "agent", "--help", "--lang", language)
    assert done.returncode == 0
    assert ("commandes" in done.stdout) == (language == "fr")


def test_the_table_of_devices_is_that_of_the_maps() -> None:
    from benchmarks.devices import BEGIN, END, table

    assert text(README).partition(BEGIN)[2].partition(END)[0] == table(), "python3 benchmarks/devices.py --write"
