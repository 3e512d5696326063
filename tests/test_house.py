"""House rules that a machine can check, over the whole repository."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from agent import __version__
from agent.cli.warmup import kernel_modules
from tests.support.house import ROOT, tracked, words_of

LONGEST = 400
"""Lines of one file of agent/ or drivers/; one job usually needs fewer than 300."""


def tool(*args: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", *args], cwd=ROOT, input=text, capture_output=True, text=True, timeout=600)


def found_in_files(pattern: str, *but: str) -> list[str]:
    """'file:line: text' of every tracked line that matches; files whose path begins with one of `but` are not looked at."""
    needle = re.compile(pattern)
    rows = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(but):
            rows += [f"{name}:{n}: {line.strip()[:100]}" for n, line in enumerate(words_of(path).splitlines(), 1) if needle.search(line)]
    return rows


# ------------------------------------------------------------------ the tools
def test_ruff_has_nothing_to_say() -> None:
    done = tool("-m", "ruff", "check", "--no-cache", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_formatted() -> None:
    done = tool("-m", "ruff", "format", "--no-cache", "--check", ".")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_every_type_is_right() -> None:
    done = tool("-m", "mypy", "--strict", "agent", "drivers")
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_only_go_down() -> None:
    call = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = tool("-c", call, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "room", ["timeline.py", "segment.py", "features.py", "detect/wear.py", "alerts/life.py", "maintenance/plan.py", "monitor.py"]
)
def test_a_room_of_the_pass_cannot_read_a_clock(room: str) -> None:
    """The rule bites there, and only there."""
    reads = "(time.time(), time.monotonic(), datetime.datetime.now())"
    source = f"import asyncio\nimport datetime\nimport time\n\nNOW = {reads}\nWAIT = asyncio.sleep(1)\n"

    def banned(file: str) -> int:
        options = ("--no-cache", "--select", "TID251", "--output-format", "concise")
        done = tool("-m", "ruff", "check", *options, "--stdin-filename", file, "-", text=source)
        return done.stdout.count("TID251")

    assert banned(f"agent/{room}") == 4
    assert banned("agent/publish/client.py") == 0


# ------------------------------------------------------------------ what may stand in a file
def test_no_file_names_the_host_of_a_registry() -> None:
    # In parts, so that this file does not name them either.
    hosts = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry.npm" + "js.org",
        "crates" + ".io",
        "docker" + ".io",
        "gh" + "cr.io",
        "quay" + ".io",
    )
    assert found_in_files("|".join(map(re.escape, hosts))) == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    anywhere = "|".join(("/wo" + "rk/", "/fa" + "rm/", "/ro" + "ot/", "/ho" + r"me/\w", "/Us" + "ers/"))
    assert found_in_files(rf"(?<![\w.]){anywhere}") == []
    # Temporary folders have a meaning of their own to systemd.
    assert found_in_files("/t" + "mp/", "systemd/") == []


def test_nothing_is_left_unfinished() -> None:
    assert found_in_files(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b") == []


def test_a_file_has_one_job() -> None:
    files = [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("agent", "drivers")]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(words_of(path).splitlines())) > LONGEST}
    assert files
    assert long == {}


def test_no_test_folder_is_a_package() -> None:
    """Two test files may then have the same helpers' names without shadowing each other's folders."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_no_broad_except() -> None:
    """A handler that takes everything hides what the caller must do next. One that raises it again hides nothing."""

    def hides(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
        last = node.body[-1]
        return broad and not (isinstance(last, ast.Raise) and last.exc is None)

    files = [*(ROOT / "agent").rglob("*.py"), *(ROOT / "drivers").rglob("*.py")]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    assert [f"{path}:{node.lineno}" for path, tree in trees.items() for node in ast.walk(tree) if hides(node)] == []


# ------------------------------------------------------------------ two languages
def rooms() -> list[str]:
    return sorted({path.name.rsplit(".", 2)[0] for path in (ROOT / "config" / "texts").glob("*.toml")})


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    entries: dict[str, str] = {}
    for name, value in table.items():
        entries |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": str(value)}
    return entries


@pytest.mark.parametrize("room", rooms())
def test_every_text_stands_in_french_and_in_english(room: str) -> None:
    both = {}
    for language in ("fr", "en"):
        path = ROOT / "config" / "texts" / f"{room}.{language}.toml"
        assert path.is_file(), f"{path.name} is missing"
        both[language] = flat(tomllib.loads(path.read_text(encoding="utf-8")))
    assert sorted(both["fr"].keys() ^ both["en"].keys()) == []
    assert [key for key, text in both["fr"].items() if bool(text.strip()) != bool(both["en"][key].strip())] == []

    def filled(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)", text))

    # 'one alert' may leave its figure out; whatever else one language tells, the other tells too.
    differ = [key for key, text in both["fr"].items() if filled(text) ^ filled(both["en"][key]) and not key.endswith((".one", ".other"))]
    assert differ == []


def test_every_command_has_a_summary() -> None:
    for language in ("fr", "en"):
        known = tomllib.loads((ROOT / "config" / "texts" / f"cli.{language}.toml").read_text(encoding="utf-8"))["command"]
        for path in (ROOT / "agent" / "cli").glob("[!_]*.py"):
            assert known.get(path.stem, {}).get("summary"), f"cli.{language}.toml has no summary of {path.stem}"


# ------------------------------------------------------------------ kernels
@pytest.mark.parametrize("name", kernel_modules())
def test_a_kernel_waits_for_nobody_and_is_compiled_when_it_is_imported(name: str) -> None:
    module = importlib.import_module(name)
    kernels = {key: value for key, value in vars(module).items() if hasattr(value, "py_func") and value.py_func.__module__ == name}
    assert kernels, "a kernel module without a kernel"
    for key, kernel in kernels.items():
        assert kernel.targetoptions.get("nogil") is True, f"{key}: nogil"
        assert kernel.targetoptions.get("error_model") == "numpy", f"{key}: error_model"
        fast = kernel.targetoptions.get("fastmath", False)
        assert fast is False or (isinstance(fast, (set, dict)) and not {"nnan", "ninf", "fast"} & set(fast)), f"{key}: NaN carries meaning"
        assert kernel.signatures, f"{key}: no explicit signature"


def test_kernels_import_nothing_of_ours_but_the_choice_of_the_cache() -> None:
    """Arrays and scalars only. Two files hold kernels that the others call from Python; what is compiled never reaches over (see below)."""
    allowed = {"__future__", "math", "numba", "numpy", "numpy.typing", "rocket_fft", "typing", "drivers.jit", "drivers"}
    shared = {"agent.kernels.fft": {"Powers", "aligned", "quick"}, "agent.kernels.centre": {"centre"}}
    for path in (ROOT / "agent" / "kernels").glob("*.py"):
        more = {"fft": {"functools", "llvmlite", "numba.extending"}, "vibration": {"functools"}}.get(path.stem, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom) and node.module in shared:
                assert {alias.name for alias in node.names} <= shared[node.module], path.name
            elif isinstance(node, ast.ImportFrom):
                assert node.module in allowed | more, f"{path.name}: {node.module}"
                assert node.module != "drivers" or [alias.name for alias in node.names] == ["jit"], path.name


@pytest.mark.parametrize("name", kernel_modules())
def test_what_is_compiled_takes_nothing_compiled_from_another_file(name: str) -> None:
    """numba looks only at the file that a kernel stands in: a helper changed in another one would be served stale."""
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        if hasattr(value, "py_func") and value.py_func.__module__ == name:
            for used in value.py_func.__code__.co_names:
                helper = getattr(vars(module).get(used), "py_func", None)
                assert helper is None or helper.__module__ == name, f"{key}: {used}"


# ------------------------------------------------------------------ what is shipped
def locked(name: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        found = re.match(r"([a-z0-9-]+)==([^ ;\\]+)", line)
        if found:
            pins.setdefault(found[1], set()).add(found[2])
    return pins


def wanted(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def test_the_package_asks_for_what_the_lock_was_made_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(map(str, map(Requirement, project["dependencies"]))) == sorted(map(str, wanted("requirements.in")))


@pytest.mark.parametrize("stem", ["requirements", "requirements-test"])
def test_the_locks_hold_what_was_asked_for(stem: str) -> None:
    pins = locked(f"{stem}.lock")
    for requirement in wanted(f"{stem}.in"):
        assert pins.get(requirement.name), requirement.name
        assert all(requirement.specifier.contains(version) for version in pins[requirement.name]), requirement.name
    text = (ROOT / f"{stem}.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert len(re.findall(r"^[a-z0-9-]+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == sum(map(len, pins.values()))


def test_the_tests_run_on_the_pins_that_are_shipped() -> None:
    shipped, tested = locked("requirements.lock"), locked("requirements-test.lock")
    assert {name: tested.get(name) for name in shipped} == shipped


def test_scipy_is_not_shipped() -> None:
    """Merely installed it costs 20 MB and 0.3 s at each start."""
    assert not {"scipy", "river", "stumpy"} & locked("requirements.lock").keys()


def test_the_changelog_knows_this_version() -> None:
    found = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert found[1] == __version__


def test_the_wheel_carries_what_is_needed_to_run(tmp_path: Path) -> None:
    # --no-isolation in other words: nothing is fetched.
    done = tool("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(f"broche-{__version__}.dist-info/entry_points.txt").decode()
    assert "broche = agent.__main__:main" in entry_points
    for file in tracked():
        name = file.relative_to(ROOT).as_posix()
        if name.startswith(("agent/", "drivers/")):
            assert name in names
        elif name.startswith(("config/", "systemd/")):
            assert f"broche-{__version__}.data/data/share/broche/{name}" in names
    assert f"broche-{__version__}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]


@pytest.mark.parametrize("name", ["broche", ".ci/run"])
def test_what_is_called_can_be_called(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


# ------------------------------------------------------------------ the CI
SKIPS = """
import pytest
def test_runs(): pass
def test_foreseen(): pytest.skip("needs the moon: it is day")
def test_unforeseen(): pytest.skip("nobody knows why")
@pytest.mark.xfail(strict=True, reason="known")
def test_known(): assert False
"""


@pytest.mark.parametrize(
    ("ci", "status", "line"), [("", 0, "1 passed, 2 skipped, 1 xfailed"), ("true", 1, "1 failed, 1 passed, 1 skipped, 1 xfailed")]
)
def test_in_ci_a_skip_that_nobody_foresaw_is_a_failure(ci: str, status: int, line: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "allowed_skips.txt").write_text("# a comment\nneeds the moon:\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(SKIPS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == status, done.stdout
    assert line in done.stdout.splitlines()[-1]
    assert ("nobody knows why" in done.stdout) == bool(ci)


def test_in_ci_a_whole_file_that_is_skipped_is_a_failure_too(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "allowed_skips.txt").touch()
    (tmp_path / "test_it.py").write_text("import pytest\npytest.importorskip('no_such_module')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode != 0
    assert "1 error" in done.stdout.splitlines()[-1]
