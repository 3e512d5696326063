"""Makes the folder in which the kernels run as on a Raspberry Pi: `python3 tests/aarch64/prepare.py [FOLDER]`, about 15 s.

Nothing is installed and nothing needs root: the arm64 packages of this Debian's Python are downloaded with lists of our own (apt checks
their signatures) and unpacked; so are the aarch64 wheels that requirements.lock names (pip checks their hashes). qemu-aarch64-static, of
the package qemu-user-static, runs the interpreter: no chroot, no binfmt. A folder that fits the lock is left as it is. Standard library
only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
WHEELS = ("llvmlite", "numba", "numpy", "rocket-fft")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6")
TAGS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
"""Debian 12 has glibc 2.36."""
APT = """APT::Architecture "arm64";
APT::Architectures {{"arm64";}};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{cache}";
"""


def place() -> Path:
    """The folder: BROCHE_AARCH64_ROOT, else beside the kernel cache of the user."""
    said = os.environ.get("BROCHE_AARCH64_ROOT", "")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(said or f"{cache}/broche/aarch64")


def wanted() -> str:
    """The lines of requirements.lock, with hashes, of what kernels need."""
    blocks = re.split(r"\n(?=\S)", (HOUSE / "requirements.lock").read_text(encoding="utf-8"))
    return "\n".join(block for block in blocks if block.split("==")[0].strip() in WHEELS) + "\n"


def stamp() -> str:
    """What a folder is made of."""
    return hashlib.sha256(f"{PYTHON}\n{PACKAGES}\n{wanted()}".encode()).hexdigest()


def is_ready(folder: Path) -> bool:
    """Whether the folder is whole and fits the lock."""
    try:
        return (folder / "ready").read_text(encoding="ascii") == stamp()
    except OSError:
        return False


def call(*args: str | Path, attempts: int = 3, env: dict[str, str] | None = None) -> None:
    """Run, again after a failure: registries and mirrors have bad moments."""
    for attempt in range(1, attempts + 1):
        done = subprocess.run(args, env=env, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return
        print(done.stdout[-1000:] + done.stderr[-2000:], file=sys.stderr)
        if attempt < attempts:
            time.sleep(5.0)
    raise SystemExit(f"prepare: {args[0]} failed {attempts} times")


def unpack_system(folder: Path) -> None:
    """The interpreter and the libraries that it and the wheels need."""
    state, cache = folder / "apt", folder / "debs"
    for made in (state / "lists" / "partial", cache / "archives" / "partial"):
        made.mkdir(parents=True)
    (state / "status").touch()
    (state / "config").write_text(APT.format(state=state, cache=cache), encoding="utf-8")
    env = {**os.environ, "APT_CONFIG": str(state / "config"), "DEBIAN_FRONTEND": "noninteractive"}
    call("apt-get", "update", "-q", env=env)
    call("apt-get", "install", "-y", "-q", "--download-only", *PACKAGES, env=env)
    for package in sorted((cache / "archives").glob("*.deb")):
        call("dpkg-deb", "-x", package, folder / "root", attempts=1)
    shutil.rmtree(state)
    shutil.rmtree(cache)


def unpack_wheels(folder: Path) -> None:
    """numba and what it needs, as pip would install them on a Pi."""
    tools, wheels = folder / "pip", folder / "wheels"
    call(sys.executable, "-I", "-m", "venv", tools, attempts=1)
    (folder / "wanted.txt").write_text(wanted(), encoding="utf-8")
    abi = PYTHON.replace(".", "")
    chosen = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--abi", f"cp{abi}", "--abi", "abi3"]
    for tag in TAGS:
        chosen += ["--platform", f"{tag}_aarch64"]
    asked = ["download", "-q", "--no-deps", "--require-hashes", "--disable-pip-version-check", "--retries", "5", "--timeout", "60"]
    call(tools / "bin" / "python", "-I", "-m", "pip", *asked, *chosen, "-d", wheels, "-r", folder / "wanted.txt")
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder / "site")
    shutil.rmtree(tools)
    shutil.rmtree(wheels)


def main(folder: Path) -> None:
    """Make the folder unless it is there and fits."""
    if is_ready(folder):
        return
    aside = folder.with_name(f"{folder.name}.new.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        unpack_system(aside)
        unpack_wheels(aside)
        (aside / "ready").write_text(stamp(), encoding="ascii")
        shutil.rmtree(folder, ignore_errors=True)
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else place())
