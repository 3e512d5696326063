"""The door of the commands: light, in two languages, and without a traceback for what a person can mend."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import __version__, cli
from agent.__main__ import main
from agent.cli import warmup
from agent.cli._console import Parser, Words
from agent.cli.warmup import APART, kernel_modules
from agent.mistakes import FileMistakes, Mistake
from agent.paths import DataPaths
from tests.support.house import ROOT

HEAVY = ("numpy", "numba", "pymodbus", "serial", "paho", "starlette", "uvicorn", "sqlite3", "asyncio", "msgspec", "logging")


def python(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def installed(monkeypatch: pytest.MonkeyPatch, run: Callable[[argparse.Namespace], int], **more: object) -> None:
    """Put a command of the test in the place of `warmup`."""
    command = SimpleNamespace(**{"add_arguments": lambda parser, say: None, "run": run, **more})
    monkeypatch.setitem(sys.modules, "agent.cli.warmup", command)  # type: ignore[arg-type]


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["--lang", "fr", "--help"]])
def test_help_and_version_import_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys\nfrom agent.__main__ import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('heavy:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = python("-c", code, *args)
    assert done.stdout.strip().endswith("heavy: []"), done.stdout + done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code
    assert capsys.readouterr().out == f"broche {__version__}\n"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_help_teaches_in_both_languages(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help", "--lang", language])
    said = capsys.readouterr().out
    summaries = tomllib.loads((ROOT / "config" / "texts" / f"cli.{language}.toml").read_text(encoding="utf-8"))["command"]
    for name in (*cli.commands(), "test"):
        assert f"  {name}" in said
        assert summaries[name]["summary"] in said
    assert "broche demo" in said
    assert "[" not in said.replace("[--lang fr|en]", ""), "a key without a text"


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", cli.commands())
def test_every_command_explains_itself(name: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help", "--lang", language])
    assert not end.value.code
    said = capsys.readouterr().out
    assert said.startswith(f"usage : broche {name}" if language == "fr" else f"usage: broche {name}")
    assert f"[{name}." not in said, "a key without a text"


@pytest.mark.parametrize(
    ("argv", "environment", "language"),
    [
        (["--help"], {"LANG": "fr_FR.UTF-8"}, "fr"),
        (["--help"], {"LANG": "de_DE.UTF-8"}, "en"),
        (["--help"], {}, "en"),
        (["run", "x.toml", "--lang", "fr"], {"LANG": "C"}, "fr"),
        (["--lang=en", "--help"], {"LANG": "fr_CA"}, "en"),
        (["run", "--", "--lang", "fr"], {"LANG": "C"}, "en"),
    ],
)
def test_which_language(argv: list[str], environment: dict[str, str], language: str) -> None:
    assert cli.language_of(argv, environment) == language


def test_without_a_command_the_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "warmup" in said.err


def test_a_command_hears_its_arguments_and_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[argparse.Namespace] = []
    installed(monkeypatch, lambda args: heard.append(args) or 5, add_arguments=lambda parser, say: parser.add_argument("file"))
    assert main(["--lang", "fr", "warmup", "x.toml"]) == 5
    assert main(["warmup", "x.toml", "--lang", "en"]) == 5
    assert [(args.file, args.lang) for args in heard] == [("x.toml", "fr"), ("x.toml", "en")]
    assert heard[0].say("cli.command") == "COMMANDE"


def test_help_may_hold_a_percent_sign(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(
        monkeypatch,
        lambda args: 0,
        add_arguments=lambda parser, say: parser.add_argument("--limit", default=20, help="20 % is usual; here %(default)s"),
    )
    with pytest.raises(SystemExit):
        main(["warmup", "--help"])
    assert "20 % is usual; here 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["rnu"], "Did you mean `run`?"),
        (["test"], "./broche test"),
        (["polish"], "there is no command 'polish'"),
        (
            ["--lang", "fr", "polish"],
            "il n’y a pas de commande « polish »".replace("« ", "«\N{NO-BREAK SPACE}").replace(" »", "\N{NO-BREAK SPACE}»"),
        ),
    ],
)
def test_a_command_that_is_not_there(
    argv: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "commands", lambda: ("demo", "run"))
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def test_what_the_caller_can_mend_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: argparse.Namespace) -> int:
        raise cli.CommandError("no such port; plug it in")

    installed(monkeypatch, run)
    assert main(["warmup"]) == 2
    assert one_line(capsys) == "broche: no such port; plug it in\n"


def test_mistakes_in_a_file_are_told_in_the_language(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: argparse.Namespace) -> int:
        raise FileMistakes((Mistake(Path("m.toml"), 3, "bus[1].port", "no_such_code"),))

    installed(monkeypatch, run)
    assert main(["warmup"]) == 2
    assert "m.toml:3: bus[1].port" in one_line(capsys)


def test_ctrl_c_is_130_without_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    installed(monkeypatch, run)
    assert main(["warmup"]) == 130
    assert one_line(capsys) == ""


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """As in `broche --help | head -0`: the pipe is closed before anything is written."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        code = (
            "import sys, types\n"
            "run = lambda args: print('x' * 100000) or 0\n"
            "sys.modules['agent.cli.warmup'] = types.SimpleNamespace(add_arguments=lambda parser, say: None, run=run)\n"
            "from agent.__main__ import main\nsys.exit(main(['warmup']))"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_a_console_without_our_characters_gets_others() -> None:
    done = python("-m", "agent", "--lang", "fr", "polish", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "polish" in done.stderr
    assert "Traceback" not in done.stderr


def wrong(argv: list[str], language: str) -> str:
    words = Words("fr" if language == "fr" else "en", DataPaths.find(None))
    parser = Parser(words, "probe", "")
    parser.add_argument("file")
    parser.add_argument("--speed", type=int)
    parser.add_argument("--kind", choices=("one", "two"))
    parser.add_argument("--names", nargs="+")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--left", action="store_true")
    either.add_argument("--right", action="store_true")
    heard: list[str] = []
    parser.exit = lambda status=0, message=None: heard.append(message or "") or sys.exit(status)  # type: ignore[method-assign,assignment]
    with pytest.raises(SystemExit) as end:
        parser.parse_args(argv)
    assert end.value.code == 2
    return heard[0]


@pytest.mark.parametrize(
    ("argv", "french"),
    [
        ([], "il manque file"),
        (["x", "--speed"], "--speed attend une valeur"),
        (["x", "--speed", "fast"], "fast"),
        (["x", "--kind", "three"], "three"),
        (["x", "--names"], "--names attend au moins une valeur"),
        (["x", "--left", "--right"], "--right ne va pas avec --left"),
        (["x", "--left=1"], "--left ne prend pas de valeur"),
        (["x", "y"], "argument inconnu"),
    ],
)
def test_what_argparse_says_is_said_in_both_languages(argv: list[str], french: str) -> None:
    said = wrong(argv, "fr")
    assert french in said
    assert "broche probe" in said
    for english in ("expected", "argument --", "required", "invalid", "not allowed", "ignored"):
        assert english not in said
    assert "[cli." not in wrong(argv, "en")


def test_warmup_compiles_every_kernel_and_marks_the_cache_warm(tmp_path: Path) -> None:
    # A copy: what is edited meanwhile in the checkout would be another set of kernels, and rightly not warm.
    for folder in ("agent", "drivers", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"BROCHE_CACHE": str(tmp_path / "cache"), "BROCHE_KERNELS": "", "PYTHONPATH": str(tmp_path)}
    done = python("-m", "agent", "warmup", "--json", "--lang", "fr", **environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    files = sorted((tmp_path / "agent" / "kernels").glob("[!_]*.py"))
    assert set(report["kernels"]) == {f"agent.kernels.{path.stem}" for path in files if path.stem not in APART} | {"drivers.frames"}
    assert report["kept"]
    assert report["origin"] == "BROCHE_CACHE"
    for module in report["kernels"]:
        assert f"{module} :" in done.stderr.replace("\N{NO-BREAK SPACE}", " ")
    warm = python("-c", "from drivers import jit; print(jit.is_warm())", **environment)
    assert warm.stdout.strip() == "True"
    # A second time nothing is compiled: every signature of every kernel came from the cache.
    again = (
        "import importlib, sys\nfor name in sys.argv[1:]:\n    module = importlib.import_module(name)\n"
        "    for kernel in vars(module).values():\n"
        "        if hasattr(kernel, 'stats') and kernel.signatures:\n            assert not kernel.stats.cache_misses, (name, kernel)\n"
        "print('all from the cache')"
    )
    second = python("-c", again, *report["kernels"], **environment)
    assert second.stdout.strip() == "all from the cache", second.stderr


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 64])
@pytest.mark.parametrize("apart", [False, True])
def test_each_file_is_compiled_by_one_process(workers: int, apart: bool) -> None:
    modules = kernel_modules(apart=apart)
    work = warmup.shares(modules, workers)
    assert sorted(module for share in work for module in share) == sorted(modules)
    assert len(work) <= workers
    assert all(work)
    assert sum(any(module.rpartition(".")[2] in warmup.TOGETHER for module in share) for share in work) == 1
    if workers == 2:
        first, second = [warmup._weight(share) for share in work]
        assert abs(first - second) < 0.3 * (first + second)


@pytest.mark.parametrize(
    ("unit", "above", "free"), [("max", "max", 3000), (str(600 << 20), "max", 570), ("max", str(430 << 20), 400), (str(20 << 20), "max", 0)]
)
def test_no_more_memory_is_taken_than_the_unit_may_have(unit: str, above: str, free: int, tmp_path: Path) -> None:
    """A process beyond the unit's MemoryMax is killed, and systemd stops the unit with it."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 3072000 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/system.slice/broche@tour.service\n")
    inner = tmp_path / "groups/system.slice/broche@tour.service"
    inner.mkdir(parents=True)
    for folder, most in ((inner, unit), (inner.parent, above)):
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{30 << 20}\n")
    assert warmup.free_memory(tmp_path / "proc", tmp_path / "groups") == free


def test_memory_that_is_not_known_is_none(tmp_path: Path) -> None:
    assert warmup.free_memory(tmp_path, tmp_path) == 0
    assert warmup.free_memory() > 0


@pytest.mark.parametrize("fails", ["cannot be started", "ends at once"])
def test_what_no_process_compiles_is_compiled_here(fails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    begun: list[tuple[object, ...]] = []

    def start(*args: object, **_: object) -> subprocess.Popen[bytes]:
        begun.append(args)
        if fails == "cannot be started":
            raise OSError(11, "Resource temporarily unavailable")
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])

    monkeypatch.setattr("agent.children.start", start)
    monkeypatch.setattr(warmup, "_workers", lambda: 2)
    here: list[str] = []

    def compiled(modules: list[str], told: Callable[[str, float], None]) -> None:
        here.extend(modules)
        for module in modules:
            told(module, 0.0)

    monkeypatch.setattr(warmup, "_compile", compiled)
    monkeypatch.setattr("drivers.jit.mark_warm", lambda: False)
    assert main(["warmup", "--lang", "en"]) == 0
    assert begun
    assert here == list(kernel_modules(apart=False))
    assert "drivers.frames" in capsys.readouterr().err


def test_the_pass_loads_every_kernel_that_warmup_compiles_and_no_other() -> None:
    """One that is not compiled beforehand would be compiled while readings wait; one too many costs memory and time at each start."""
    done = python(
        "-c", "import sys, agent.daemon, agent.monitor\nprint(*(name for name in sys.modules if name.startswith('agent.kernels.')))"
    )
    assert set(done.stdout.split()) | {"drivers.frames"} == set(kernel_modules(apart=False)), done.stderr
    files = {path.stem for path in (ROOT / "agent" / "kernels").glob("[!_]*.py")}
    assert files >= APART
    assert set(kernel_modules()) == {f"agent.kernels.{name}" for name in files} | {"drivers.frames"}


def test_processes_that_compile_share_a_pipe_without_mixing_their_lines() -> None:
    """Where Python does not buffer, a `print` is several writes."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "agent", "warmup", "--json"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            capture_output=True,
            check=False,
            timeout=600.0,
        )
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)["kernels"]) == set(kernel_modules(apart=False))
