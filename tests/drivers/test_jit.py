"""The kernel cache: each of the four traps of numba's cache, sprung on purpose, in processes of their own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from drivers import jit
from tests.support.house import ROOT
from tests.support.ordinary import obeys_modes

CALL = "from agent.kernels import probe; print(probe.thrice_and(1.0))"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small house: one kernel that (against our rules) takes its helper from another file."""
    house = tmp_path / "house"
    (house / "agent" / "kernels").mkdir(parents=True)
    (house / "drivers").mkdir()
    (house / "agent" / "__init__.py").write_text('__version__ = "1"\n')
    (house / "agent" / "kernels" / "__init__.py").touch()
    (house / "drivers" / "__init__.py").touch()
    shutil.copy(ROOT / "drivers" / "jit.py", house / "drivers")
    write_helper(house, 1)
    (house / "agent" / "kernels" / "probe.py").write_text(
        "from drivers import jit\nOPTIONS = jit.options()\nimport numba\nfrom agent.kernels.helper import more\n"
        "@numba.njit('f8(f8)', **OPTIONS)\ndef thrice_and(x):\n    return 3.0 * x + more(x)\n"
    )
    return house


def write_helper(house: Path, added: int) -> None:
    (house / "agent" / "kernels" / "helper.py").write_text(
        f"import numba\n@numba.njit('f8(f8)', nogil=True)\ndef more(x):\n    return {float(added)}\n"
    )


def run(house: Path, code: str = CALL, **environment: str | Path) -> str:
    """Run code in this house, as somebody for whom file modes count; hand out what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**kept, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"} | {name: str(value) for name, value in environment.items()},
        cwd=house,
        capture_output=True,
        text=True,
        preexec_fn=obeys_modes,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def locked(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for place in (*folder.rglob("*"), folder):
        place.chmod(0o555 if place.is_dir() else 0o444)
    return folder


@pytest.fixture(autouse=True)
def unlocked(tmp_path: Path):
    yield
    for place in (tmp_path, *tmp_path.rglob("*")):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)


# ------------------------------------------------------------------ (a) a folder that cannot be written
def test_numba_itself_stops_at_a_folder_that_cannot_be_written(house: Path, tmp_path: Path) -> None:
    """The trap is real: what is asked here without `jit.prepare` does not even import."""
    nowhere = locked(tmp_path / "locked")
    locked(house / "agent" / "kernels")
    code = (
        "import numba\nfrom agent.kernels import helper\ntry:\n    numba.njit('f8(f8)', cache=True)(helper.more.py_func)\n"
        "except RuntimeError as error:\n    print(error)"
    )
    assert "no locator available" in run(house, code, NUMBA_CACHE_DIR=nowhere, HOME=nowhere)


def test_an_unwritable_folder_is_passed_over_for_the_next(house: Path, tmp_path: Path) -> None:
    nowhere = locked(tmp_path / "locked")
    told = "from drivers import jit; c = jit.prepare(); print(c.origin, [str(f) for f, why in c.refused]); " + CALL
    assert run(house, told, BROCHE_CACHE=nowhere, XDG_CACHE_HOME=tmp_path / "cache").split("\n") == [
        f"XDG_CACHE_HOME ['{nowhere / jit.source_key(house)}']",
        "4.0",
    ]
    assert list((tmp_path / "cache").rglob("*.nbi"))


def test_a_folder_that_was_filled_and_then_made_read_only_is_passed_over(house: Path, tmp_path: Path) -> None:
    filled = tmp_path / "filled"
    assert run(house, BROCHE_CACHE=filled) == "4.0"
    assert list(filled.rglob("*.nbi"))
    locked(filled)
    assert run(house, BROCHE_CACHE=filled, TMPDIR=tmp_path) == "4.0"


def test_a_single_read_only_folder_inside_is_enough_to_pass_it_over(house: Path, tmp_path: Path) -> None:
    filled = tmp_path / "filled"
    run(house, BROCHE_CACHE=filled)
    inner = next(path.parent for path in filled.rglob("*.nbi"))
    inner.chmod(0o555)
    told = "from drivers import jit; print(jit.prepare().origin); " + CALL
    assert run(house, told, BROCHE_CACHE=filled, TMPDIR=tmp_path).split("\n") == ["temporary", "4.0"]


def test_a_file_where_the_folder_should_be_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    choose(monkeypatch, BROCHE_CACHE=tmp_path / "file", XDG_CACHE_HOME=tmp_path / "cache")
    choice = jit.prepare()
    assert choice.origin == "XDG_CACHE_HOME"
    assert [folder.parent for folder, _ in choice.refused] == [tmp_path / "file"]


# ------------------------------------------------------------------ (b) no HOME, read-only package
def test_a_service_user_without_home_over_a_read_only_package(house: Path, tmp_path: Path) -> None:
    locked(house)
    told = "from drivers import jit; print(jit.prepare().origin, jit.options()['cache']); " + CALL
    assert run(house, told, TMPDIR=tmp_path).split("\n") == ["temporary True", "4.0"]


def test_where_nothing_can_be_written_kernels_compile_without_a_cache(house: Path, tmp_path: Path) -> None:
    locked(house)
    nowhere = locked(tmp_path / "nowhere")
    told = (
        f"import tempfile; tempfile.tempdir = {str(nowhere)!r}\n"
        "from drivers import jit\nprint(jit.prepare().origin, jit.options()['cache'], jit.is_warm(), jit.mark_warm())\n" + CALL
    )
    assert run(house, told).split("\n") == ["none False False False", "4.0"]


def test_a_temporary_folder_of_somebody_else_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cached code is code: whoever may write there decides what runs."""
    shared = tmp_path / f"broche-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    choose(monkeypatch)
    choice = jit.prepare()
    assert choice.origin == "temporary"
    assert choice.folder is not None
    assert shared not in choice.folder.parents
    assert stat.S_IMODE(choice.folder.parent.stat().st_mode) == 0o700


# ------------------------------------------------------------------ (c) stale machine code
def test_a_helper_changed_in_another_file_is_compiled_anew(house: Path, tmp_path: Path) -> None:
    assert run(house, BROCHE_CACHE=tmp_path / "cache") == "4.0"
    write_helper(house, 502)
    assert run(house, BROCHE_CACHE=tmp_path / "cache") == "505.0"


def test_without_the_key_numba_serves_the_old_machine_code(house: Path, tmp_path: Path) -> None:
    """The trap is real: one name for all sources, and the change is not seen."""
    one_name = "from drivers import jit; jit.source_key = lambda: 'one'; " + CALL
    assert run(house, one_name, BROCHE_CACHE=tmp_path / "cache") == "4.0"
    write_helper(house, 502)
    assert run(house, one_name, BROCHE_CACHE=tmp_path / "cache") == "4.0"


@pytest.mark.parametrize(
    "name", ["agent/__init__.py", "agent/kernels/helper.py", "agent/kernels/new.py", "drivers/frames.py", "drivers/jit.py"]
)
def test_the_key_follows_version_and_every_kernel_source(house: Path, name: str) -> None:
    before = jit.source_key(house)
    assert before == jit.source_key(house)
    with (house / name).open("a") as file:
        file.write("# changed\n")
    assert jit.source_key(house) != before


def test_the_key_follows_what_compiles(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [path.name.partition("-")[0] for path in map(Path, jit._compilers())]
    assert installed == ["llvmlite", "numba", "numpy", "rocket_fft"]
    before = jit.source_key(house)
    (tmp_path / "rocket_fft-9.9.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert jit.source_key(house) != before


# ------------------------------------------------------------------ (d) numba imported first
def test_numba_imported_earlier_still_writes_where_it_should(house: Path, tmp_path: Path) -> None:
    assert run(house, "import numba\n" + CALL, BROCHE_CACHE=tmp_path / "cache") == "4.0"
    assert [path.name.split("-")[0] for path in (tmp_path / "cache").rglob("*.nbi")] == ["probe.thrice_and"]
    assert not list(house.rglob("*.nbi"))


# ------------------------------------------------------------------ the choice, and whether it is warm
def choose(monkeypatch: pytest.MonkeyPatch, **environment: Path | str) -> None:
    """Forget what was chosen, and set the environment of the next choice. numba of this process is left as it is."""
    for name in ("BROCHE_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "HOME", jit.CHOSEN, "NUMBA_CACHE_DIR"):
        # setenv first, so that whatever prepare() writes is undone afterwards.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delitem(sys.modules, "numba.core.config", raising=False)


@pytest.mark.parametrize(
    ("origin", "environment", "folder"),
    [
        ("BROCHE_CACHE", {"BROCHE_CACHE": "b", "CACHE_DIRECTORY": "s", "XDG_CACHE_HOME": "x", "HOME": "h"}, "b"),
        ("CACHE_DIRECTORY", {"CACHE_DIRECTORY": "s", "XDG_CACHE_HOME": "x", "HOME": "h"}, "s"),
        ("XDG_CACHE_HOME", {"XDG_CACHE_HOME": "x", "HOME": "h"}, "x/broche"),
        ("HOME", {"HOME": "h"}, "h/.cache/broche"),
    ],
)
def test_who_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str, environment: dict[str, str], folder: str
) -> None:
    choose(monkeypatch, **{name: tmp_path / value for name, value in environment.items()})
    choice = jit.prepare()
    assert (choice.origin, choice.folder) == (origin, tmp_path / folder / jit.source_key())
    assert os.environ["NUMBA_CACHE_DIR"] == str(choice.folder)


def test_systemd_may_name_several_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, CACHE_DIRECTORY=f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert jit.prepare().folder == tmp_path / "one" / jit.source_key()


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, XDG_CACHE_HOME="cache", HOME=tmp_path)
    assert jit.prepare().origin == "HOME"


def test_the_argument_comes_first_and_then_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, BROCHE_CACHE=tmp_path / "said")
    first = jit.prepare(tmp_path / "argument")
    assert first.origin == "argument"
    assert jit.prepare() == first
    assert jit.options() == {"nogil": True, "error_model": "numpy", "cache": True, "no_cfunc_wrapper": True}


def test_a_child_process_takes_the_choice_of_its_parent(house: Path, tmp_path: Path) -> None:
    told = "from drivers import jit; print(jit.prepare().folder)"
    again = f"import subprocess, sys; {told}; sys.stdout.flush(); subprocess.run([sys.executable, '-P', '-c', {told!r}])"
    parent, child = run(house, again, TMPDIR=tmp_path).split("\n")
    assert parent == child


def test_warm_means_that_every_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, BROCHE_CACHE=tmp_path)
    folder = jit.prepare().folder
    assert folder is not None
    assert not jit.is_warm()
    assert not jit.mark_warm()
    inner = folder / "kernels_0"
    inner.mkdir()
    for name in ("a.nbi", "a.1.nbc"):
        (inner / name).write_bytes(b"code")
    assert not jit.is_warm()
    assert jit.mark_warm()
    assert jit.is_warm()
    (inner / "a.1.nbc").unlink()
    assert not jit.is_warm()


def test_another_processor_is_not_warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, BROCHE_CACHE=tmp_path)
    folder = jit.prepare().folder
    assert folder is not None
    (folder / "kernels_0").mkdir()
    (folder / "kernels_0" / "a.nbi").write_bytes(b"code")
    jit.mark_warm()
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert not jit.is_warm()


def test_a_file_torn_by_a_power_cut_is_compiled_anew(house: Path, tmp_path: Path) -> None:
    run(house, BROCHE_CACHE=tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("*.nb[ic]"):
        path.write_bytes(b"")
    assert run(house, BROCHE_CACHE=tmp_path / "cache") == "4.0"


def test_being_asked_whether_it_is_warm_does_not_import_numba(house: Path, tmp_path: Path) -> None:
    told = "import sys; from drivers import jit; jit.is_warm(); print('numba' in sys.modules, 'numpy' in sys.modules)"
    assert run(house, told, BROCHE_CACHE=tmp_path) == "False False"
