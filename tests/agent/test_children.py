"""Children: they are what they should be, stop when asked, and die with a parent who cannot ask any more. Real processes throughout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import children
from tests.support.house import ROOT


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules a child can run."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Whatever a test starts ends with it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()


def line(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def test_a_module_runs_as_python_m_would(modules: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    (modules / "tells.py").write_text(
        "import sys\nif __name__ == '__main__':\n"
        "    print(sys.argv[0].endswith('tells.py'), sys.argv[1:], sys.stdin.read() == '')\n    sys.exit(3)\n"
    )
    child = children.start("tells", ["one", "two words"], stdout=subprocess.PIPE)
    ended.append(child)
    assert line(child) == "True ['one', 'two words'] True"
    assert child.wait() == 3


def test_our_packages_are_found_from_any_folder_and_a_foreign_agent_is_not(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[subprocess.Popen[bytes]]
) -> None:
    (modules / "where.py").write_text("import agent, drivers\nprint(agent.__file__)\nprint(drivers.__file__)\n")
    foreign = tmp_path / "foreign"
    (foreign / "agent").mkdir(parents=True)
    (foreign / "agent" / "__init__.py").write_text("raise RuntimeError('the wrong agent')\n")
    monkeypatch.chdir(foreign)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(modules), str(foreign)]))
    child = children.start("where", stdout=subprocess.PIPE)
    ended.append(child)
    assert [line(child), line(child)] == [str(ROOT / "agent" / "__init__.py"), str(ROOT / "drivers" / "__init__.py")]


def test_the_interpreter_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list[subprocess.Popen[bytes]]) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("BROCHE_PYTHON", str(python))
    child = children.start("agent", ["warmup"], stdout=subprocess.PIPE)
    ended.append(child)
    assert line(child) == f"-P -m agent.children {os.getpid()} module agent warmup"


def test_ctrl_c_in_the_terminal_reaches_the_parent_alone(modules: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    (modules / "group.py").write_text("import os\nprint(os.getpgrp() == os.getpid(), flush=True)\n")
    child = children.start("group", stdout=subprocess.PIPE)
    ended.append(child)
    assert line(child) == "True"


PARENT = """
import sys
from agent import children
if sys.argv[1] == "module":
    child = children.start("waits")
else:
    child = children.start_program([sys.executable, "-P", "-m", "waits"])
child.wait()
"""


@pytest.mark.parametrize("kind", ["module", "program"])
def test_a_child_dies_with_a_parent_that_is_killed(kind: str, modules: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    # The child ignores what can be ignored, and would wait for ever.
    (modules / "waits.py").write_text(
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('waits', os.getppid(), flush=True)\n"
        "while True:\n    signal.pause()\n"
    )
    path = os.pathsep.join([str(ROOT), str(modules)])
    parent = subprocess.Popen([sys.executable, "-P", "-c", PARENT, kind], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    ended.append(parent)
    assert line(parent) == f"waits {parent.pid}"
    os.kill(parent.pid, signal.SIGKILL)
    # Parent and child share this pipe: it ends when both are gone.
    assert parent.stdout is not None
    assert parent.stdout.read() == b""


def test_a_child_whose_parent_is_gone_before_it_begins_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agent.children", "1", "module", "this"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "the parent ended" in done.stderr


def test_stop_asks_first(modules: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    (modules / "polite.py").write_text(
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    child = children.start("polite", stdout=subprocess.PIPE)
    ended.append(child)
    assert line(child) == "ready"
    assert children.stop(child, 60) == 7
    assert children.stop(child, 60) == 7


def test_stop_kills_what_does_not_listen(modules: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    (modules / "deaf.py").write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    child = children.start("deaf", stdout=subprocess.PIPE)
    ended.append(child)
    assert line(child) == "ready"
    assert children.stop(child, 0.01) == -signal.SIGKILL


def test_a_program_that_is_not_there(ended: list[subprocess.Popen[bytes]]) -> None:
    child = children.start_program(["broche-no-such-program", "x"], stderr=subprocess.PIPE)
    ended.append(child)
    assert child.wait() == 127
    assert child.stderr is not None
    assert b"broche-no-such-program" in child.stderr.read()


def test_only_the_main_thread_may_start_one() -> None:
    """The kernel watches the thread, not the process: a child of a short-lived thread would be killed for nothing."""
    refused: list[str] = []

    def start() -> None:
        try:
            children.start("agent", ["--version"])
        except RuntimeError as error:
            refused.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(refused) == 1
    assert "main thread" in refused[0]
