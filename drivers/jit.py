"""Chooses where compiled kernels are kept, and says how kernels are compiled.

numba keeps machine code in one folder, and four things go wrong with it: a folder that cannot be written stops the import of the kernel;
so does a service user without HOME over a read-only installation; a kernel whose helper changed in another file is served stale; and the
folder counts only if it is named before numba is imported. So the folder is chosen here: tried before it is named, and its name holds a
hash of every kernel source. What was chosen stands in the environment, where child processes find it too.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Origin = Literal["argument", "BROCHE_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "HOME", "temporary", "none"]

CHOSEN = "BROCHE_KERNELS"
"""Environment: '<process>:<origin>:<folder>' of the choice that stands, empty folder for 'no cache'. A child looks at it once more."""

_HOUSE = Path(__file__).resolve().parent.parent
_COMPILERS = ("numba", "llvmlite", "numpy", "rocket_fft")


@dataclass(frozen=True, slots=True)
class CacheChoice:
    """Where compiled kernels are kept.

    Attributes
    ----------
    folder: None means that each start compiles anew.
    origin: what named the folder.
    refused: folders that were tried before and could not be written, each with the system's reason.
    """

    folder: Path | None
    origin: Origin
    refused: tuple[tuple[Path, str], ...] = ()


def prepare(folder: Path | None = None) -> CacheChoice:
    """Choose the kernel cache and tell numba, whether it is imported already or not.

    A choice that stands for the same sources is kept, so that all kernels of a process and of its children share one folder.

    Parameters
    ----------
    folder: to be tried first; default: BROCHE_CACHE, CACHE_DIRECTORY (systemd), XDG_CACHE_HOME/broche, ~/.cache/broche, a private
        folder among the temporary files, else no cache.
    """
    choice = (_standing() if folder is None else None) or _choose(source_key(), folder)
    os.environ[CHOSEN] = f"{os.getpid()}:{choice.origin}:{choice.folder or ''}"
    if choice.folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(choice.folder)
    else:
        os.environ.pop("NUMBA_CACHE_DIR", None)
    config = sys.modules.get("numba.core.config")
    if config is not None:
        # numba read its environment when it was imported; kernels that are decorated from now on look here.
        vars(config)["CACHE_DIR"] = str(choice.folder or "")
    return choice


def options() -> dict[str, Any]:
    """Keyword arguments of every `numba.njit` in this house; chooses the cache if nobody did."""
    # A wrapper for callers in C, whom no kernel has, takes one part in 25 of the time to compile.
    return {"nogil": True, "error_model": "numpy", "cache": prepare().folder is not None, "no_cfunc_wrapper": True}


def source_key(house: Path | None = None) -> str:
    """Name of the cache folder: a hash of the version, of all kernel sources and of what compiles them.

    numba looks only at the file that a kernel stands in; a helper or constant of another file is covered by this name alone.
    """
    house = _HOUSE if house is None else house
    digest = hashlib.sha256()
    kernels = sorted((house / "agent" / "kernels").glob("*.py"))
    for path in (house / "agent" / "__init__.py", *kernels, house / "drivers" / "frames.py", house / "drivers" / "jit.py"):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update("\0".join(_compilers()).encode())
    return f"kernels-{digest.hexdigest()[:16]}"


def is_warm() -> bool:
    """Whether all kernels were compiled into the chosen folder for this processor, and are still there. Does not import numba."""
    folder = prepare().folder
    if folder is None:
        return False
    try:
        names = _marker(folder).read_text(encoding="utf-8").split("\n")
        return all((folder / name).stat().st_size > 0 for name in names)
    except (OSError, ValueError):
        return False


def mark_warm() -> bool:
    """Note that all kernels are compiled; said by `broche warmup` when it has imported every one. False: there is nothing to keep."""
    folder = prepare().folder
    if folder is None:
        return False
    names = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.nb[ic]"))
    if not names:
        return False
    marker = _marker(folder)
    aside = marker.with_name(f"{marker.name}.{os.getpid()}")
    aside.write_text("\n".join(names), encoding="utf-8")
    aside.replace(marker)
    return True


def _choose(key: str, first: Path | None) -> CacheChoice:
    refused: list[tuple[Path, str]] = []
    for origin, base in _places(first):
        folder = base / key
        why = _unusable(folder)
        if not why:
            return CacheChoice(folder, origin, tuple(refused))
        refused.append((folder, why))
    temporary = _temporary()
    if temporary is not None and not _unusable(temporary / key):
        return CacheChoice(temporary / key, "temporary", tuple(refused))
    return CacheChoice(None, "none", tuple(refused))


def _places(first: Path | None) -> list[tuple[Origin, Path]]:
    places: list[tuple[Origin, Path]] = []
    if first is not None:
        places.append(("argument", first))
    said = os.environ.get("BROCHE_CACHE", "")
    if said:
        places.append(("BROCHE_CACHE", Path(said)))
    # systemd names several folders with colons between them.
    service = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    if service:
        places.append(("CACHE_DIRECTORY", Path(service)))
    user, home = os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", "")
    # The XDG specification: a relative path is to be ignored.
    if user.startswith("/"):
        places.append(("XDG_CACHE_HOME", Path(user) / "broche"))
    elif home.startswith("/"):
        places.append(("HOME", Path(home) / ".cache" / "broche"))
    return [(origin, path.absolute()) for origin, path in places]


def _unusable(folder: Path) -> str:
    """Why numba could not write here, '' if it can: the folder and every folder that numba made in it before."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in (folder, *(inner for inner in folder.iterdir() if inner.is_dir())):
            tempfile.TemporaryFile(dir=place).close()
            for torn in place.glob("*.nb[ic]"):
                # A power cut leaves empty files, and numba stops at the first.
                if torn.stat().st_size == 0:
                    torn.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _temporary() -> Path | None:
    """A folder of our own among the temporary files. Cached code is code: a folder that another user made is never read."""
    try:
        shared = Path(tempfile.gettempdir()) / f"broche-{os.getuid()}"
        shared.mkdir(mode=0o700, exist_ok=True)
        seen = shared.lstat()
        if stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not seen.st_mode & 0o022:
            return shared
        return Path(tempfile.mkdtemp(prefix="broche-"))
    except OSError:
        return None


def _standing() -> CacheChoice | None:
    """The choice that this process made, or its parent for the same sources."""
    process, _, said = os.environ.get(CHOSEN, "").partition(":")
    origin, _, folder = said.partition(":")
    ours = process == str(os.getpid())
    if origin == "none":
        return CacheChoice(None, "none")
    if folder and os.environ.get("NUMBA_CACHE_DIR") == folder and (ours or (Path(folder).name == source_key() and Path(folder).is_dir())):
        return CacheChoice(Path(folder), cast("Origin", origin))
    return None


def _compilers() -> list[str]:
    """Installed versions of what makes the machine code, by the names of their folders: importlib.metadata takes longer to import."""
    places = {place for place in map(Path, sys.path) if place.is_dir()}
    return sorted(path.name for place in places for name in _COMPILERS for path in place.glob(f"{name}-*.dist-info"))


def _marker(folder: Path) -> Path:
    """One marker a processor, interpreter and place of the house: numba keeps their machine code apart, too."""
    told = [sys.implementation.cache_tag or "", str(_HOUSE), os.environ.get("NUMBA_CPU_NAME", ""), os.environ.get("NUMBA_CPU_FEATURES", "")]
    return folder / f"warm-{hashlib.sha256('|'.join([*told, _processor()]).encode()).hexdigest()[:16]}"


def _processor() -> str:
    """What the kernel says about the first processor, as far as it decides which machine code is made."""
    told = [os.uname().machine]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return told[0]
    wanted = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU implementer", "CPU variant", "CPU part")
    told += [line for line in lines if line.split(":")[0].strip() in wanted]
    return "\n".join(told)
