"""./broche, with interpreters and pips that fail on purpose. What is timed elsewhere is counted here: the processes that a start costs."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.support.ordinary import obeys_modes

TOOLS = ("awk", "cat", "cksum", "cp", "df", "dirname", "grep", "mkdir", "mv", "readlink", "rm", "sh", "stat", "tail")

FAKE_PYTHON = """#!/bin/sh
# Makes an environment out of copies of itself; everything but venv, pip and pytest is the real interpreter's work.
echo "python $*" >>"$CALLS"
case "$*" in
    "-I -m venv"*)
        for folder; do :; done
        mkdir -p "$folder/bin"
        cp "$FAKE" "$folder/bin/python"
        echo "made in $folder" >"$folder/pyvenv.cfg"
        ;;
    "-I -m pip"*) . "$PIP" ;;
    "-P -m pytest"*) echo "$PWD $* ${BROCHE_PYTHON-unset}" ;;
    *) exec "$REAL" "$@" ;;
esac
"""

AGENT = """
import os, sys
print("broche", sys.argv[1:], os.getcwd(), os.environ.get("BROCHE_PYTHON", "unset"))
sys.exit(7 if sys.argv[1:] == ["fail"] else 0)
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def says(verdict: str, version: str) -> str:
    """An interpreter that can only be asked what it is."""
    return f"#!/bin/sh\necho '{verdict} {version} cpython-x /nowhere/python'\n"


@dataclass
class Checkout:
    """A checkout with its own PATH, in which every tool and every interpreter notes that it was called."""

    folder: Path
    bin: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "checkout"

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def python(self, name: str, text: str = FAKE_PYTHON) -> Path:
        return script(self.bin / name, text)

    def pip(self, text: str) -> None:
        (self.folder / "pip").write_text(text)

    def start(self, *args: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [str(self.root / "broche"), *args],
            cwd=cwd or self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=obeys_modes,
        )
        self.started.append(child)
        return child

    def run(self, *args: str, cwd: Path | None = None, **environment: str) -> tuple[int, str, str]:
        child = self.start(*args, cwd=cwd, **environment)
        out, err = child.communicate(timeout=100)
        return child.returncode, out, err

    def calls(self) -> list[str]:
        """Every process since this was last asked."""
        path = Path(self.environment["CALLS"])
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def pips(self) -> int:
        return sum(" -m pip install" in call for call in self.calls())


@pytest.fixture
def checkout(tmp_path: Path):
    folder = tmp_path / "a place"
    root = folder / "checkout"
    (root / "agent").mkdir(parents=True)
    shutil.copy(ROOT / "broche", root / "broche")
    (root / "agent" / "__init__.py").touch()
    (root / "agent" / "__main__.py").write_text(AGENT)
    for name in ("requirements.lock", "requirements-test.lock"):
        (root / name).write_text("probe==1.0\n")
    tools = folder / "bin"
    for tool in TOOLS:
        real = shutil.which(tool)
        assert real, tool
        if tool == "sh":
            # What `#!/bin/sh` means is not looked for on the PATH; dash is the strictest of them.
            continue
        script(tools / tool, f'#!/bin/sh\necho "{tool} $*" >>"$CALLS"\nexec {real} "$@"\n')
    environment = {
        "PATH": str(tools),
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "CALLS": str(folder / "calls"),
        "FAKE": str(script(folder / "fake", FAKE_PYTHON)),
        "PIP": str(folder / "pip"),
        "REAL": sys.executable,
    }
    made = Checkout(folder, tools, environment)
    made.pip('echo "Collecting probe==1.0 (from -r x)"; echo "Installing collected packages: probe"\n')
    made.python("python3")
    yield made
    for child in made.started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    for place in (root, *root.rglob("*")):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)


def left_over(checkout: Checkout) -> list[str]:
    return sorted(path.name for path in checkout.root.glob(".venv*") if path.suffix != ".lock")


# ------------------------------------------------------------------ the ordinary start
def test_the_first_start_builds_and_the_next_ones_only_look(checkout: Checkout) -> None:
    status, out, err = checkout.run("one", "two words")
    assert status == 0, err
    assert out == f"broche ['one', 'two words'] {checkout.folder} unset\n"
    assert err.splitlines() == [
        f"broche: first start, or something changed: preparing {checkout.venv} (one to three minutes)",
        "  probe==1.0",
        "broche: installing the packages",
    ]
    assert left_over(checkout) == [".venv"]
    install = next(call for call in checkout.calls() if "pip install" in call)
    for option in ("--require-hashes", "--only-binary :all:", f"-r {checkout.root}/requirements.lock"):
        assert option in install
    assert checkout.run()[2] == ""
    calls = checkout.calls()
    # The only Python is the one that becomes Broche; besides it, two small tools look whether the environment still fits.
    assert [call.split()[0] for call in calls] == ["cksum", "stat", "python"]
    assert calls[-1] == "python -P -m agent"


def test_the_exit_status_is_brochs_own(checkout: Checkout) -> None:
    assert checkout.run("fail")[0] == 7


def test_a_folder_named_agent_elsewhere_does_not_shadow_ours(checkout: Checkout, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    script(foreign / "agent" / "__init__.py", "raise SystemExit('the wrong agent')")
    status, out, err = checkout.run("x", cwd=foreign, PYTHONPATH=str(foreign))
    assert (status, out) == (0, f"broche ['x'] {foreign} unset\n"), err


def test_it_may_be_called_through_a_link(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "broche"
    link.parent.mkdir()
    (tmp_path / "bin" / "real").symlink_to(checkout.root)
    link.symlink_to("real/broche")
    done = subprocess.run([link, "x"], env=checkout.environment, cwd="/", capture_output=True, text=True, timeout=100)
    assert done.stdout == "broche ['x'] / unset\n", done.stderr
    assert checkout.venv.is_dir()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_posix_shell_will_do(checkout: Checkout, shell: str) -> None:
    real = shutil.which(shell)
    if real is None:
        pytest.skip(f"needs a shell: {shell}")
    line = [real, *{"bash": ["--posix"], "busybox": ["sh"]}.get(shell, []), checkout.root / "broche", "x"]
    for _ in range(2):
        done = subprocess.run(line, env=checkout.environment, cwd=checkout.folder, capture_output=True, text=True, timeout=100)
        assert done.stdout == f"broche ['x'] {checkout.folder} unset\n", done.stderr
    assert done.stderr == ""


# ------------------------------------------------------------------ which interpreter
def test_names_that_do_not_run_are_passed_over(checkout: Checkout) -> None:
    checkout.python("python3", "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
    checkout.python("python3.13", "#!/nowhere/at/all\n")
    checkout.python("python3.12")
    status, out, err = checkout.run("x")
    assert (status, out[:6]) == (0, "broche"), err
    assert "command not found" not in err


def test_an_interpreter_that_will_not_do_is_passed_over_for_one_that_does(checkout: Checkout) -> None:
    checkout.python("python3", says("old", "3.9"))
    checkout.python("python3.13", says("bare", "3.13"))
    checkout.python("python3.11")
    assert checkout.run("x")[0] == 0


@pytest.mark.parametrize(
    ("python", "english", "french"),
    [
        (says("old", "3.9"), "Python 3.9 is too old", "Python 3.9 est trop ancien"),
        (says("new", "3.15"), "Python 3.15 is too new", "Python 3.15 est trop récent"),
        (says("32bit", "3.11"), "a 64-bit system is needed", "il faut un système 64 bits"),
        (says("bare", "3.11"), "sudo apt install python3.11-venv", "sudo apt install python3.11-venv"),
        ("#!/bin/sh\nexit 127\n", "no Python starts here", "aucun Python ne démarre ici"),
    ],
)
def test_no_interpreter_that_will_do(checkout: Checkout, python: str, english: str, french: str) -> None:
    checkout.python("python3", python)
    for language, words in (("C.UTF-8", english), ("fr_FR.UTF-8", french)):
        status, out, err = checkout.run(LANG=language)
        assert (status, out) == (1, "")
        assert words in err
        assert err.count("\n") == 1
    assert left_over(checkout) == []


def test_the_probe_judges_real_interpreters(checkout: Checkout) -> None:
    """What the fakes above say is what the launcher's own question answers."""
    source = (ROOT / "broche").read_text(encoding="utf-8")
    probe = source.split("probe='", 1)[1].split("'\n", 1)[0]

    def ask(before: str) -> str:
        done = subprocess.run([sys.executable, "-I", "-S", "-c", before + probe], capture_output=True, text=True, timeout=60)
        return done.stdout.split()[0]

    assert ask("") == "ok"
    assert ask("import sys; sys.version_info = (3, 10, 1)\n") == "old"
    assert ask("import sys; sys.version_info = (3, 15, 0)\n") == "new"
    assert ask("import sys; sys.maxsize = 2**31 - 1\n") == "32bit"
    without = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda name: None if name == 'ensurepip' else find(name)\n"
    assert ask(without) == "bare"


def test_broche_python_is_honoured_and_does_not_reach_broche(checkout: Checkout) -> None:
    named = script(checkout.folder / "my own python", FAKE_PYTHON)
    checkout.python("python3", "#!/bin/sh\nexit 1\n")
    status, out, err = checkout.run(BROCHE_PYTHON=str(named))
    assert (status, out.split()[-1]) == (0, "unset"), err
    checkout.calls()
    # Who does not name one takes what stands.
    assert checkout.run()[0] == 0
    assert checkout.pips() == 0


def test_a_wrong_broche_python_is_named_and_nothing_else_is_tried(checkout: Checkout) -> None:
    status, _, err = checkout.run(BROCHE_PYTHON="/nowhere/python")
    assert status == 1
    assert err == "broche: BROCHE_PYTHON=/nowhere/python does not start; correct it or unset it\n"


# ------------------------------------------------------------------ when it is built anew
def test_it_is_built_anew_when_the_lock_changes(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    (checkout.venv / "old").touch()
    (checkout.root / "requirements.lock").write_text("probe==1.1\n")
    assert checkout.run()[0] == 0
    assert checkout.pips() == 1
    assert not (checkout.venv / "old").exists()
    assert left_over(checkout) == [".venv"]


def test_it_is_built_anew_when_the_folder_moves(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    moved = checkout.folder / "moved"
    checkout.root.rename(moved)
    done = subprocess.run([moved / "broche"], env=checkout.environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert checkout.pips() == 1


def test_it_is_built_anew_when_the_interpreter_is_another(checkout: Checkout) -> None:
    checkout.run()
    stamp = checkout.venv / "broche.stamp"
    lines = stamp.read_text().splitlines()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert lines[2].startswith(f"{version} cpython-")
    lines[2], lines[3] = lines[2].replace(version, "3.10", 1), "another file"
    stamp.write_text("\n".join(lines) + "\n")
    checkout.calls()
    assert checkout.run()[0] == 0
    assert checkout.pips() == 1


def test_a_security_update_of_the_same_version_may_stay(checkout: Checkout) -> None:
    """Another file in the same place: asked once whether it is still the same, and kept without a network."""
    checkout.run()
    stamp = checkout.venv / "broche.stamp"
    before = stamp.read_text()
    lines = before.splitlines()
    lines[3] = "another file"
    stamp.write_text("\n".join(lines) + "\n")
    checkout.calls()
    assert checkout.run()[0] == 0
    assert checkout.pips() == 0
    assert stamp.read_text() == before


def test_another_interpreter_that_is_asked_for_is_used(checkout: Checkout) -> None:
    checkout.run()
    other = script(
        checkout.folder / "other",
        FAKE_PYTHON.replace(
            '*) exec "$REAL"', f'*"import os, sys"*) echo "ok 3.12 cpython-312 {checkout.folder}/other" ;;\n    *) exec "$REAL"'
        ),
    )
    checkout.calls()
    assert checkout.run(BROCHE_PYTHON=str(other))[0] == 0
    assert checkout.pips() == 1
    assert checkout.run(BROCHE_PYTHON=str(other))[0] == 0
    assert checkout.pips() == 0


def test_what_is_half_built_is_not_used(checkout: Checkout) -> None:
    script(checkout.venv / "bin" / "python", "#!/bin/sh\necho half built\n")
    (checkout.root / ".venv.new.123").mkdir()
    status, out, err = checkout.run("x")
    assert (status, out[:6]) == (0, "broche"), err
    assert left_over(checkout) == [".venv"]


def test_an_interpreter_that_went_away_is_replaced(checkout: Checkout) -> None:
    checkout.run()
    (checkout.venv / "bin" / "python").unlink()
    (checkout.venv / "bin" / "python").symlink_to("/nowhere/python")
    checkout.calls()
    assert checkout.run()[0] == 0
    assert checkout.pips() == 1


# ------------------------------------------------------------------ two at once, and no right to write
def test_a_second_starter_waits_and_says_so(checkout: Checkout) -> None:
    gate, building = checkout.folder / "gate", checkout.folder / "building"
    os.mkfifo(gate)
    os.mkfifo(building)
    checkout.pip(f'echo now >"{building}"; read -r _ <"{gate}"\n')
    first = checkout.start("first")
    assert building.read_text() == "now\n"
    second = checkout.start("second", LANG="fr_FR.UTF-8")
    assert second.stderr is not None
    assert second.stderr.readline() == f"broche : un autre démarrage prépare {checkout.venv} : attente\n"
    gate.write_text("go\n")
    for child, name in ((first, "first"), (second, "second")):
        out, err = child.communicate(timeout=100)
        assert out == f"broche ['{name}'] {checkout.folder} unset\n", err
    assert checkout.pips() == 1


def test_the_lock_of_a_starter_that_was_killed_does_not_stand(checkout: Checkout) -> None:
    gate, building = checkout.folder / "gate", checkout.folder / "building"
    os.mkfifo(gate)
    os.mkfifo(building)
    checkout.pip(f'echo now >"{building}"; read -r _ <"{gate}"\n')
    first = checkout.start()
    assert building.read_text() == "now\n"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert any(name.startswith(".venv.new.") for name in left_over(checkout))
    checkout.pip("")
    status, _, err = checkout.run()
    assert status == 0
    assert "waiting" not in err
    assert left_over(checkout) == [".venv"]


def test_a_read_only_checkout_uses_the_cache_folder(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    for environment in ({}, {"XDG_CACHE_HOME": str(checkout.folder / "cache")}):
        status, out, err = checkout.run("x", **environment)
        assert (status, out[:6]) == (0, "broche"), err
        assert checkout.pips() == 1
        assert checkout.run("x", **environment)[2] == ""
        assert checkout.pips() == 0
    assert left_over(checkout) == []
    for folder in ("home/.cache/broche", "cache/broche"):
        assert len([path for path in (checkout.folder / folder).iterdir() if path.is_dir()]) == 1


def test_a_read_only_checkout_that_was_built_before_is_used_as_it_is(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    checkout.root.chmod(0o555)
    assert checkout.run("x")[0] == 0
    assert checkout.pips() == 0


def test_a_read_only_checkout_and_no_home(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    status, _, err = checkout.run(HOME="")
    assert status == 1
    assert err == f"broche: {checkout.root} is read-only and HOME is not set; name a folder in XDG_CACHE_HOME\n"


# ------------------------------------------------------------------ what goes wrong
@pytest.mark.parametrize(
    ("pip", "english", "french"),
    [
        ("echo 'ERROR: Could not install: [Errno 28] No space left on device'; exit 1", "free 1 GB on that disk", "libérer 1 Go"),
        (
            "echo 'WARNING: Retrying: NewConnectionError: [Errno -3] Temporary failure in name resolution'; exit 1",
            "no network",
            "pas de réseau",
        ),
        (
            "echo 'SSLError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: not yet valid; Max retries'; exit 1",
            "set the clock",
            "mettre l'horloge à l'heure",
        ),
        (
            "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'; exit 1",
            "the end of the log says why",
            "la raison est à la fin du journal",
        ),
        ("kill -9 $$", "the end of the log says why", "la raison est à la fin du journal"),
    ],
)
def test_an_installation_that_fails_names_the_remedy(checkout: Checkout, pip: str, english: str, french: str) -> None:
    for language, words in (("C.UTF-8", english), ("fr_FR.UTF-8", french)):
        checkout.pip(pip)
        status, out, err = checkout.run(LANG=language)
        assert (status, out) == (1, "")
        assert words in err.splitlines()[-1]
        assert len(err.splitlines()) == 2
        assert left_over(checkout) == [".venv.log"]
        if "Go" not in words and "GB" not in words:
            assert str(checkout.root / ".venv.log") in err
    checkout.pip("")
    assert checkout.run()[0] == 0
    assert left_over(checkout) == [".venv"]


def test_a_venv_module_that_fails_is_told_with_the_log(checkout: Checkout) -> None:
    checkout.python("python3", FAKE_PYTHON.replace("for folder; do :; done", "echo 'ensurepip said no'; exit 1"))
    status, _, err = checkout.run()
    assert status == 1
    assert str(checkout.root / ".venv.log") in err.splitlines()[-1]
    assert "ensurepip said no" in (checkout.root / ".venv.log").read_text()
    assert left_over(checkout) == [".venv.log"]


def test_ctrl_c_in_the_middle_leaves_nothing_half_made(checkout: Checkout) -> None:
    gate, building = checkout.folder / "gate", checkout.folder / "building"
    os.mkfifo(gate)
    os.mkfifo(building)
    checkout.pip(f'echo now >"{building}"; read -r _ <"{gate}"\n')
    child = checkout.start()
    assert building.read_text() == "now\n"
    os.killpg(child.pid, signal.SIGINT)
    child.communicate(timeout=100)
    assert child.returncode == 130
    assert [name for name in left_over(checkout) if name != ".venv.log"] == []


def test_a_checkout_without_its_lock(checkout: Checkout) -> None:
    (checkout.root / "requirements.lock").unlink()
    status, _, err = checkout.run()
    assert status == 1
    assert "take a whole checkout" in err


# ------------------------------------------------------------------ ./broche test
def test_the_tests_have_an_environment_of_their_own_beside_the_first(checkout: Checkout) -> None:
    named = script(checkout.folder / "named", FAKE_PYTHON)
    status, out, err = checkout.run("test", "-k", "a word", BROCHE_PYTHON=str(named))
    assert status == 0, err
    assert out == f"{checkout.root} -P -m pytest -k a word unset\n"
    assert left_over(checkout) == [".venv", ".venv-test"]
    installs = [call.rsplit("/", 1)[-1] for call in checkout.calls() if "pip install" in call]
    assert installs == ["requirements.lock", "requirements-test.lock"]
    # Tests that start ./broche find the first environment as it is, whoever named the interpreter.
    assert checkout.run("x")[0] == 0
    assert checkout.pips() == 0


# ------------------------------------------------------------------ once with the real venv and the real pip
def wheel(folder: Path, name: str) -> str:
    """A package of one module and one script; hands out its line for a lock."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "def main():\n    print('the script runs')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-script = {name}:main\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in files.items()
    )
    folder.mkdir()
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(inner, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_with_real_tools(checkout: Checkout) -> None:
    line = wheel(checkout.folder / "wheels", "broche_probe")
    (checkout.root / "requirements.lock").write_text(line)
    (checkout.root / "agent" / "__main__.py").write_text("import sys, broche_probe; print(broche_probe.__file__, sys.prefix)\n")
    base = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    environment = {
        "PATH": os.environ["PATH"],
        "BROCHE_PYTHON": str(base),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (checkout.folder / "wheels").as_uri(),
        "PIP_CONFIG_FILE": os.devnull,
    }
    status, out, err = checkout.run(**environment)
    assert status == 0, err + (checkout.root / ".venv.log").read_text()
    assert out.split(f" {checkout.venv}")[1:] == ["\n"]
    assert str(checkout.venv) in out.split("broche_probe.py")[0]
    assert "  broche_probe" in err
    # The environment was renamed after it was made; its scripts know the new name.
    done = subprocess.run([checkout.venv / "bin" / "broche_probe-script"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "the script runs\n", done.stderr
    assert ".venv.new" not in (checkout.venv / "pyvenv.cfg").read_text()
    assert checkout.run(**environment)[2] == ""
    # A wheel that is not the one in the lock is refused.
    (checkout.root / "requirements.lock").write_text(line[:-3] + "00\n" if not line.endswith("00\n") else line[:-3] + "11\n")
    status, _, err = checkout.run(**environment)
    assert status == 1
    assert "the end of the log says why" in err
    assert checkout.venv.is_dir(), "what stood before is not thrown away"
