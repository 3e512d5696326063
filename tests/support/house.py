"""The checkout as the tests see it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

_UNTRACKED = {"__pycache__", "node_modules"}


def tracked() -> list[Path]:
    """Every file of the repository; in a copy without git, every file that is not plainly a by-product."""
    try:
        # Whoever owns the checkout: a CI runs as root in somebody else's clone.
        listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
        return [path for name in os.fsdecode(listed.stdout).split("\0") if name and (path := ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not any(part in _UNTRACKED or part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
        ]


def words_of(path: Path) -> str:
    """Text of a file; '' if it is a picture or a recording."""
    raw = path.read_bytes()
    return "" if b"\0" in raw else raw.decode("utf-8", "replace")
